/* svd, svdvals of a stack of matrices. */
#include "ops/ops.h"

tme_status infer_svd(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  op_type batch;
  tme_status status = infer_matrices(c, 0, false, &batch, e);
  if (status != TME_OK) return status;
  int64_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1], k = m < n ? m : n;
  op_type *s = c->op == OP_svd ? &out[1] : &out[0];
  *s = batch;
  s->dtype = dtype_real(s->dtype);
  type_append(s, k);
  if (c->op != OP_svd) return TME_OK;
  bool full = c->attrs->svd.full_matrices;
  out[0] = out[2] = batch;
  type_append(&out[0], m);
  type_append(&out[0], full ? m : k);
  type_append(&out[2], full ? n : k);
  type_append(&out[2], n);
  return TME_OK;
}
