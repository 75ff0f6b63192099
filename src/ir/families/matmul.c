/* matmul with the rules of the array API standard: vectors become matrices, batches broadcast. */
#include "ops/ops.h"

tme_status infer_matmul(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  tme_dtype t = infer_promote(c, 0, 2);
  char a[200], b[200];
  type_shape_text(x, a);
  type_shape_text(y, b);
  if (t == TME_BOOL) return fail(e, TME_ERR_DTYPE, "matmul: takes numbers, not bool");
  if (!x->rank || !y->rank) return fail(e, TME_ERR_SHAPE, "matmul: %s x %s: both need at least one dimension", a, b);
  int64_t kx = x->shape[x->rank - 1], ky = y->shape[y->rank > 1 ? y->rank - 2 : 0];
  if (kx != ky)
    return fail(e, TME_ERR_SHAPE, "matmul: %s x %s: inner dimensions %lld and %lld differ", a, b, (long long)kx,
                (long long)ky);
  op_type bx = *x, by = *y;
  bx.rank = x->rank > 2 ? x->rank - 2 : 0;
  by.rank = y->rank > 2 ? y->rank - 2 : 0;
  if (!type_broadcast(&bx, &by, out))
    return fail(e, TME_ERR_SHAPE, "matmul: %s x %s: the batch dimensions do not broadcast", a, b);
  if (x->rank > 1) out->shape[out->rank++] = x->shape[x->rank - 2];
  if (y->rank > 1) out->shape[out->rank++] = y->shape[y->rank - 1];
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  out->dtype = t;
  return TME_OK;
}
