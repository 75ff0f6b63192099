/* roll: the two parts of an axis changed over. After inference each axis has one shift, which is its extent's remainder. */
#include "ir/graph.h"
#include <string.h>

tme_status infer_roll(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  op_list *shift = &c->attrs->roll.shift, *axis = &c->attrs->roll.axis;
  *out = *x;
  bool flat = axis->n < 0;
  int n = flat ? 1 : axis->n;
  if (shift->n != n && shift->n != 1 && n != 1)
    return fail(e, TME_ERR_ARGUMENT, "roll: %d shifts for %d axes", shift->n, n);
  int64_t by[TME_MAX_RANK] = {0};
  for (int i = 0; !flat && i < n; i++) {
    tme_status s = infer_axis(c, &axis->v[i], x->rank, e);
    if (s != TME_OK) return s;
  }
  for (int i = 0; i < (n == 1 ? shift->n : n); i++) {
    int64_t to = flat ? 0 : axis->v[n == 1 ? 0 : i];
    int64_t extent = flat ? type_size(x) : x->shape[to], v = shift->v[shift->n == 1 ? 0 : i];
    if (extent) by[to] = (by[to] + (v % extent + extent) % extent) % extent;
  }
  shift->n = flat ? 1 : x->rank;
  memcpy(shift->v, by, sizeof by);
  for (int d = 0; !flat && d < x->rank; d++) axis->v[d] = d;
  if (!flat) axis->n = x->rank;
  return TME_OK;
}

static int part(graph *g, int x, int axis, int64_t start, int64_t stop) {
  int rank = graph_get(g, x)->type.rank;
  op_attrs a = {.view = {.start.n = rank, .stop.n = rank, .step.n = rank}};
  for (int d = 0; d < rank; d++) a.view.start.v[d] = a.view.stop.v[d] = a.view.step.v[d] = TME_NONE;
  a.view.start.v[axis] = start;
  a.view.stop.v[axis] = stop;
  return graph_op(g, OP_slice, &x, 1, &a);
}

int decompose_roll(graph *g, const g_site *s) {
  const op_list *shift = &s->attrs->roll.shift;
  const op_type *type = &s->node->type;
  int x = s->in[0];
  bool flat = s->attrs->roll.axis.n < 0;
  int64_t n = type_size(type);
  if (flat) x = graph_reshape(g, x, 1, &n);
  for (int d = 0; d < shift->n && x >= 0; d++) {
    if (!shift->v[d]) continue;
    int64_t extent = flat ? n : type->shape[d], cut = extent - shift->v[d];
    op_attrs along = {.concatenate = {.axis = d}};
    x = graph_op(g, OP_concatenate, (int[]){part(g, x, d, cut, extent), part(g, x, d, 0, cut)}, 2, &along);
  }
  return graph_reshape(g, x, type->rank, type->shape);
}
