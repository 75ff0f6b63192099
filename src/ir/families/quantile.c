/* median, quantile, percentile, and those that leave NaN out. */
#include "ops/ops.h"

tme_status infer_quantile(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *q = c->nin > 1 ? c->in[1] : NULL;
  quantile_attrs *a = &c->attrs->quantile;
  tme_status s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s != TME_OK) return s;
  if (q && dtype_is_complex(q->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: q is to be real, not %s", op_name(c->op), tme_dtype_name(q->dtype));
  for (int d = 0; d < x->rank; d++) {
    if (!(a->axes.mask >> d & 1) || x->shape[d]) continue;
    char shape[SHAPE_TEXT];
    type_shape_text(x, shape);
    return fail(e, TME_ERR_SHAPE, "%s: axis %d of shape %s has no elements", op_name(c->op), d, shape);
  }
  op_type rest = {.dtype = infer_float(c, x->dtype)};
  infer_reduced(x, a->axes.mask, a->keepdims, &rest);
  int before = q ? q->rank : 0;
  if (before + rest.rank > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "%s: the result would have %d dimensions, more than the %d supported", op_name(c->op),
                before + rest.rank, TME_MAX_RANK);
  *out = (op_type){.dtype = rest.dtype, .rank = before + rest.rank};
  for (int d = 0; d < out->rank; d++) out->shape[d] = d < before ? q->shape[d] : rest.shape[d - before];
  if (q) infer_want(c, 1, TME_F64);
  return TME_OK;
}
