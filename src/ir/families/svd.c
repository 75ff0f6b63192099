/* svd, svdvals of a stack of matrices. */
#include "ops/ops.h"

tme_status infer_svd(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  if (x->rank < 2) {
    char shape[SHAPE_TEXT];
    type_shape_text(x, shape);
    return fail(e, TME_ERR_SHAPE, "%s: takes matrices, not an array of shape %s", op_name(c->op), shape);
  }
  tme_dtype t = infer_float(c, x->dtype);
  infer_want(c, 0, t);
  int64_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1], k = m < n ? m : n;
  op_type batch = *x;
  batch.dtype = t;
  batch.rank = x->rank - 2;
  batch.shape[x->rank - 2] = batch.shape[x->rank - 1] = 0;
  op_type *s = c->op == OP_svd ? &out[1] : &out[0];
  *s = batch;
  s->dtype = dtype_real(t);
  s->shape[s->rank++] = k;
  if (c->op != OP_svd) return TME_OK;
  bool full = c->attrs->svd.full_matrices;
  out[0] = out[2] = batch;
  out[0].shape[out[0].rank++] = m;
  out[0].shape[out[0].rank++] = full ? m : k;
  out[2].shape[out[2].rank++] = full ? n : k;
  out[2].shape[out[2].rank++] = n;
  return TME_OK;
}
