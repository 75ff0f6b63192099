/* fftshift, ifftshift: both halves of each axis change places. */
#include "ir/graph.h"

tme_status infer_fftshift(op_call *c, op_type *out, error *e) {
  *out = *c->in[0];
  return infer_axes(c, &c->attrs->fftshift.axes, c->in[0]->rank, false, e);
}

static int part(graph *g, int x, const op_type *t, int axis, int64_t start, int64_t stop) {
  op_attrs a = {.view = {.start = {.n = t->rank}, .stop = {.n = t->rank}, .step = {.n = t->rank}}};
  for (int d = 0; d < t->rank; d++) {
    a.view.start.v[d] = d == axis ? start : 0;
    a.view.stop.v[d] = d == axis ? stop : t->shape[d];
    a.view.step.v[d] = 1;
  }
  return graph_op(g, OP_slice, &x, 1, &a);
}

int decompose_fftshift(graph *g, const g_site *s) {
  const op_type *t = &s->node->type;
  int x = s->in[0];
  for (int axis = 0; axis < t->rank; axis++) {
    int64_t n = t->shape[axis], cut = s->node->op == OP_fftshift ? (n + 1) / 2 : n / 2;
    if (!(s->attrs->fftshift.axes.mask >> axis & 1) || n < 2) continue;
    int halves[2] = {part(g, x, t, axis, cut, n), part(g, x, t, axis, 0, cut)};
    op_attrs joined = {.concatenate = {.axis = axis}};
    x = graph_op(g, OP_concatenate, halves, 2, &joined);
  }
  return x;
}
