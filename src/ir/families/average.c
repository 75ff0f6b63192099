/* average: a mean with weights. */
#include "ir/graph.h"

/* The dimension of x that a vector of weights lies along; -1: they broadcast. */
static int own_axis(const op_type *x, const op_type *w, uint32_t axes) {
  bool one = axes && !(axes & (axes - 1));
  return w->rank == 1 && x->rank > 1 && one ? __builtin_ctz(axes) : -1;
}

tme_status infer_average(op_call *c, op_type *out, error *e) {
  average_attrs *a = &c->attrs->average;
  const op_type *x = c->in[0], *w = c->in[1];
  tme_status s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s != TME_OK) return s;
  tme_dtype t = infer_float(c, infer_promote(c, 0, 2));
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  if (w) {
    int axis = own_axis(x, w, a->axes.mask);
    op_type both = {0};
    bool fits = axis >= 0 ? w->shape[0] == x->shape[axis] : type_broadcast(x, w, &both) && type_same_shape(&both, x);
    if (!fits) {
      char xs[SHAPE_TEXT], ws[SHAPE_TEXT];
      type_shape_text(x, xs);
      type_shape_text(w, ws);
      return fail(e, TME_ERR_SHAPE, "%s: weights of shape %s do not broadcast to %s", op_name(c->op), ws, xs);
    }
  }
  infer_reduced(x, a->axes.mask, a->keepdims, out);
  out->dtype = t;
  return TME_OK;
}

int decompose_average(graph *g, const g_site *s) {
  const average_attrs *a = &s->attrs->average;
  op_attrs over = {.statistics = {.axes = a->axes, .keepdims = a->keepdims}};
  if (s->in[1] < 0) return graph_op(g, OP_mean, s->in, 1, &over);
  int x = graph_wide(g, s->in[0]), w = graph_wide(g, s->in[1]);
  if (x < 0 || w < 0) return -1;
  op_type xt = graph_get(g, x)->type, wt = graph_get(g, w)->type;
  int axis = own_axis(&xt, &wt, a->axes.mask);
  if (axis >= 0) {
    op_type along = {.rank = xt.rank - axis};
    for (int d = 0; d < along.rank; d++) along.shape[d] = d ? 1 : wt.shape[0];
    w = graph_reshape(g, w, along.rank, along.shape);
  }
  w = graph_broadcast(g, w, xt.rank, xt.shape);
  int sum = graph_reduce(g, OP_sum, graph_bin(g, OP_multiply, x, w), a->axes.mask, a->keepdims);
  int weight = graph_reduce(g, OP_sum, w, a->axes.mask, a->keepdims);
  return graph_cast(g, graph_bin(g, OP_divide, sum, weight), s->node->type.dtype);
}
