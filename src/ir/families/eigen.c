/* eigh, eigvalsh, eig, eigvals of a stack of matrices. */
#include "ops/ops.h"

tme_status infer_eigen(op_call *c, op_type *out, error *e) {
  op_type batch;
  tme_status s = infer_matrices(c, 0, true, &batch, e);
  if (s != TME_OK) return s;
  int64_t n = c->in[0]->shape[c->in[0]->rank - 1];
  bool hermitian = c->op == OP_eigh || c->op == OP_eigvalsh;
  if (!hermitian) batch.dtype = dtype_real(batch.dtype) == TME_F64 ? TME_C128 : TME_C64;
  out[0] = batch;
  if (hermitian) out[0].dtype = dtype_real(batch.dtype);
  type_append(&out[0], n);
  if (op_get(c->op)->outputs == 1) return TME_OK;
  out[1] = batch;
  type_append(&out[1], n);
  type_append(&out[1], n);
  return TME_OK;
}
