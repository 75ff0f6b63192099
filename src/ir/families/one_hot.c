/* one_hot: whole numbers as places along a new axis. */
#include "ir/graph.h"

tme_status infer_one_hot(op_call *c, op_type *out, error *e) {
  one_hot_attrs *a = &c->attrs->one_hot;
  const op_type *x = c->in[0];
  tme_status s = infer_takes(c, TAKES_INT, "whole numbers", e);
  if (s == TME_OK) s = infer_dtype(c, &a->dtype, c->default_float, e);
  if (s != TME_OK) return s;
  if (a->classes < 0)
    return fail(e, TME_ERR_ARGUMENT, "one_hot: %lld classes, expected 0 or more", (long long)a->classes);
  if (x->rank == TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "one_hot: x has %d dimensions already, the most supported", x->rank);
  *out = *x;
  out->dtype = a->dtype;
  out->shape[out->rank++] = a->classes;
  return TME_OK;
}

int decompose_one_hot(graph *g, const g_site *s) {
  op_type type = s->node->type;
  if (s->in[0] < 0) return -1;
  tme_dtype t = graph_get(g, s->in[0])->type.dtype, wide = t == TME_U64 ? TME_U64 : TME_I64;
  int64_t classes = type.shape[type.rank - 1];
  type.shape[type.rank - 1] = 1;
  int x = graph_reshape(g, graph_cast(g, s->in[0], wide), type.rank, type.shape);
  return graph_cast(g, graph_bin(g, OP_equal, x, graph_iota(g, wide, 1, &classes, 0)), type.dtype);
}
