/* inv, tri_inv, and the inverse of a matrix by its factor. */
#include "ir/graph.h"

tme_status infer_inverse(op_call *c, op_type *out, error *e) {
  op_type batch;
  tme_status s = infer_matrices(c, 0, true, &batch, e);
  if (s != TME_OK) return s;
  *out = *c->in[0];
  out->dtype = batch.dtype;
  return TME_OK;
}

tme_status infer_cholesky_inv(op_call *c, op_type *out, error *e) { return infer_inverse(c, out, e); }

/* (l l')^-1 = t' t with t = l^-1, and (u' u)^-1 = t t'. */
int decompose_cholesky_inv(graph *g, const g_site *s) {
  op_attrs upper = {.inverse = {.upper = s->attrs->cholesky_inv.upper}};
  int x = graph_wide(g, s->in[0]), t = graph_op(g, OP_tri_inv, &x, 1, &upper), adjoint = graph_adjoint(g, t);
  int y = upper.inverse.upper ? graph_bin(g, OP_matmul, t, adjoint) : graph_bin(g, OP_matmul, adjoint, t);
  return graph_cast(g, y, s->node->type.dtype);
}
