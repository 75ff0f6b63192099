/* diff: each element less the one before. */
#include "ir/graph.h"

enum { MOST_TIMES = 256 /* so that the graph stays small */ };

/* An array that is joined to x: of its rank and, but along the axis, its extents; a number counts as one element everywhere. */
static tme_status joined(const op_call *c, int i, int axis, int64_t *extent, error *e) {
  const op_type *x = c->in[0], *y = c->in[i];
  if (!y) return TME_OK;
  bool fits = y->rank == x->rank || !y->rank;
  for (int d = 0; d < y->rank && fits; d++) fits = d == axis || y->shape[d] == x->shape[d];
  if (!fits) {
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    type_shape_text(x, a);
    type_shape_text(y, b);
    return fail(e, TME_ERR_SHAPE, "diff: %s of shape %s does not fit %s along axis %d", i == 1 ? "prepend" : "append",
                b, a, axis);
  }
  if (__builtin_add_overflow(*extent, y->rank ? y->shape[axis] : 1, extent))
    return fail(e, TME_ERR_MEMORY, "diff: the extent of axis %d overflows", axis);
  return TME_OK;
}

tme_status infer_diff(op_call *c, op_type *out, error *e) {
  diff_attrs *a = &c->attrs->diff;
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT | TAKES_COMPLEX, "numbers", e);
  if (s == TME_OK) s = infer_axis(c, &a->axis, c->in[0]->rank, e);
  if (s != TME_OK) return s;
  if (a->n < 0) return fail(e, TME_ERR_ARGUMENT, "diff: n is %lld, expected at least 0", (long long)a->n);
  *out = *c->in[0];
  int64_t extent = out->shape[a->axis];
  for (int i = 1; i < 3 && s == TME_OK; i++) s = joined(c, i, (int)a->axis, &extent, e);
  if (s != TME_OK) return s;
  if (a->n > extent) a->n = extent;
  if (a->n > MOST_TIMES && a->n < extent)
    return fail(e, TME_ERR_ARGUMENT, "diff: n is %lld, expected at most %d", (long long)a->n, MOST_TIMES);
  out->dtype = infer_promote(c, 0, 3);
  for (int i = 0; i < 3; i++) infer_want(c, i, out->dtype);
  out->shape[a->axis] = extent - a->n;
  return TME_OK;
}

int decompose_diff(graph *g, const g_site *s) {
  const diff_attrs *a = &s->attrs->diff;
  int axis = (int)a->axis, parts[3], n = 0;
  op_type one = graph_get(g, s->in[0])->type;
  one.shape[axis] = 1;
  static const int order[] = {1, 0, 2}; /* prepend, x, append */
  for (int i = 0; i < 3; i++) {
    int in = s->in[order[i]];
    if (in < 0) continue;
    bool number = one.rank && !graph_get(g, in)->type.rank;
    parts[n++] = number ? graph_broadcast(g, in, one.rank, one.shape) : in;
  }
  op_attrs along = {.concatenate = {axis}};
  int x = n > 1 ? graph_op(g, OP_concatenate, parts, n, &along) : parts[0];
  if (x < 0) return -1;
  int64_t extent = graph_get(g, x)->type.shape[axis];
  if (a->n >= extent) return graph_part(g, x, axis, 0, 0);
  x = graph_wide(g, x); /* 16-bit floats round once */
  for (int64_t k = 0; k < a->n; k++, extent--)
    x = graph_bin(g, OP_subtract, graph_part(g, x, axis, 1, extent), graph_part(g, x, axis, 0, extent - 1));
  return graph_cast(g, x, s->node->type.dtype);
}
