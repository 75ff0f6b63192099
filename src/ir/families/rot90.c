/* rot90: right angles are flips and an exchange of axes. After inference 0 <= k < 4, and there are two axes. */
#include "ir/graph.h"

tme_status infer_rot90(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  rot90_attrs *a = &c->attrs->rot90;
  if (x->rank < 2)
    return fail(e, TME_ERR_SHAPE, "rot90: the array has %d dimension%s, expected at least 2", x->rank, PLURAL(x->rank));
  if (a->axes.n < 0) a->axes = (op_list){2, {0, 1}};
  if (a->axes.n != 2) return fail(e, TME_ERR_ARGUMENT, "rot90: a plane of %d axes, expected 2", a->axes.n);
  for (int i = 0; i < 2; i++) {
    tme_status s = infer_axis(c, &a->axes.v[i], x->rank, e);
    if (s != TME_OK) return s;
  }
  if (a->axes.v[0] == a->axes.v[1])
    return fail(e, TME_ERR_ARGUMENT, "rot90: axis %lld is given twice", (long long)a->axes.v[0]);
  a->k = (a->k % 4 + 4) % 4;
  *out = *x;
  if (a->k % 2) {
    out->shape[a->axes.v[0]] = x->shape[a->axes.v[1]];
    out->shape[a->axes.v[1]] = x->shape[a->axes.v[0]];
  }
  return TME_OK;
}

static int flip(graph *g, int x, unsigned axes) {
  op_attrs a = {.dims = {.axes = axes_from_mask(axes)}};
  return graph_op(g, OP_flip, &x, 1, &a);
}

int decompose_rot90(graph *g, const g_site *s) {
  const rot90_attrs *a = &s->attrs->rot90;
  unsigned first = 1u << a->axes.v[0], second = 1u << a->axes.v[1];
  op_attrs swap = {.strided = {.axis1 = a->axes.v[0], .axis2 = a->axes.v[1]}};
  int x = s->in[0];
  switch (a->k) {
  case 0: return x;
  case 1: x = flip(g, x, second); return graph_op(g, OP_swapaxes, &x, 1, &swap);
  case 2: return flip(g, x, first | second);
  default: return flip(g, graph_op(g, OP_swapaxes, &x, 1, &swap), second);
  }
}
