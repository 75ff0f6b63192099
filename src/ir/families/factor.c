/* qr, lu, lu_factor, cholesky of a stack of matrices. */
#include "ops/ops.h"

static void append_matrix(op_type *t, int64_t rows, int64_t columns) {
  type_append(t, rows);
  type_append(t, columns);
}

tme_status infer_factor(op_call *c, op_type *out, error *e) {
  op_type batch;
  tme_status s = infer_matrices(c, 0, c->op == OP_cholesky, &batch, e);
  if (s != TME_OK) return s;
  const op_type *x = c->in[0];
  int64_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1], k = m < n ? m : n;
  for (int i = 0; i < op_get(c->op)->outputs; i++) out[i] = batch;
  if (c->op == OP_qr) {
    int64_t basis = c->attrs->factor.mode == FACTOR_MODE_COMPLETE ? m : k;
    append_matrix(&out[0], m, basis);
    append_matrix(&out[1], basis, n);
  } else if (c->op == OP_lu) {
    out[0].dtype = TME_I64;
    type_append(&out[0], m);
    append_matrix(&out[1], m, k);
    append_matrix(&out[2], k, n);
  } else {
    append_matrix(&out[0], m, n);
    if (c->op == OP_cholesky) return TME_OK;
    out[1].dtype = TME_I64;
    type_append(&out[1], k);
  }
  return TME_OK;
}
