/* det, slogdet of a stack of square matrices. */
#include "ops/ops.h"

tme_status infer_determinant(op_call *c, op_type *out, error *e) {
  op_type batch;
  tme_status s = infer_matrices(c, 0, true, &batch, e);
  if (s != TME_OK) return s;
  out[0] = batch;
  if (c->op == OP_det) return TME_OK;
  out[1] = batch;
  out[1].dtype = dtype_real(batch.dtype);
  return TME_OK;
}
