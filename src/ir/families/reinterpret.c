/* view: the bytes of the elements as those of another dtype. */
#include "ops/ops.h"

tme_status infer_reinterpret(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  tme_dtype to = c->attrs->reinterpret.dtype, from = infer_promote(c, 0, 1);
  tme_status s = infer_dtype(c, &to, TME_DTYPE_NONE, e);
  if (s != TME_OK) return s;
  infer_want(c, 0, from);
  *out = *x;
  out->weak = false;
  out->dtype = to;
  int64_t have = (int64_t)tme_dtype_size(from), want = (int64_t)tme_dtype_size(to), bytes;
  if (have == want) return TME_OK;
  if (!x->rank)
    return fail(e, TME_ERR_SHAPE, "view: %s as %s changes the last axis, and there is none", tme_dtype_name(from),
                tme_dtype_name(to));
  int64_t *last = &out->shape[x->rank - 1];
  if (__builtin_mul_overflow(*last, have, &bytes) || bytes % want)
    return fail(e, TME_ERR_SHAPE, "view: %lld elements of %s along the last axis are no whole ones of %s",
                (long long)*last, tme_dtype_name(from), tme_dtype_name(to));
  *last = bytes / want;
  return type_check_size(out, "view", e);
}
