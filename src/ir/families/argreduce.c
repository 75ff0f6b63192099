/* argmin, argmax. */
#include "ir/graph.h"

tme_status infer_argreduce(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  argreduce_attrs *a = &c->attrs->argreduce;
  tme_status s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers or booleans", e);
  if (s != TME_OK) return s;
  if (a->axes.given == AXES_LIST && a->axes.list.n >= 0 && a->axes.list.n != 1)
    return fail(e, TME_ERR_ARGUMENT, "%s: takes one axis or none, not %d", op_name(c->op), a->axes.list.n);
  s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s != TME_OK) return s;
  s = infer_not_empty(c, a->axes.mask, e);
  if (s != TME_OK) return s;
  out->dtype = TME_I64;
  infer_reduced(x, a->axes.mask, a->keepdims, out);
  return TME_OK;
}

/* The smallest index among the elements that equal the extreme one, or are NaN: then the extreme one is NaN too and the
 * comparison with it is always false. */
int decompose_argreduce(graph *g, const g_site *s) {
  const argreduce_attrs *attrs = &s->attrs->argreduce;
  int x = s->in[0];
  op_type xt = graph_get(g, x)->type;
  uint32_t axes = attrs->axes.mask;
  bool flat = xt.rank != 1 && axes == (1u << xt.rank) - 1;
  if (flat) {
    int64_t n = type_size(&xt);
    x = graph_reshape(g, x, 1, &n);
    xt.rank = 1;
    xt.shape[0] = n;
    axes = 1;
  }
  int axis = 0;
  while (!(axes >> axis & 1)) axis++;
  int m = graph_reduce(g, s->node->op == OP_argmin ? OP_min : OP_max, x, axes, true);
  int hit = graph_bin(g, OP_equal, x, m);
  if (dtype_is_float(xt.dtype)) hit = graph_bin(g, OP_logical_or, hit, graph_un(g, OP_isnan, x));
  int pick[3] = {hit, graph_iota(g, TME_I64, xt.rank, xt.shape, axis),
                 graph_number(g, TME_I64, (double)xt.shape[axis])};
  int y = graph_reduce(g, OP_min, graph_op(g, OP_where, pick, 3, NULL), axes, attrs->keepdims);
  return graph_reshape(g, y, s->node->type.rank, s->node->type.shape);
}
