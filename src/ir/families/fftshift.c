/* fftshift, ifftshift: both halves of each axis change places. */
#include "ir/along.h"

tme_status infer_fftshift(op_call *c, op_type *out, error *e) {
  *out = *c->in[0];
  return infer_axes(c, &c->attrs->fftshift.axes, c->in[0]->rank, false, e);
}

int decompose_fftshift(graph *g, const g_site *s) {
  const op_type *t = &s->node->type;
  int x = s->in[0];
  for (int axis = 0; axis < t->rank; axis++) {
    int64_t n = t->shape[axis], cut = s->node->op == OP_fftshift ? (n + 1) / 2 : n / 2;
    if (!(s->attrs->fftshift.axes.mask >> axis & 1) || n < 2) continue;
    x = along_join(g, along_part(g, x, axis, cut, n), along_part(g, x, axis, 0, cut), axis);
  }
  return x;
}
