/* scatter: x with other elements along one axis, the inverse of take. */
#include "ops/ops.h"

tme_status infer_scatter(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *indices = c->in[1];
  if (!dtype_is_int(indices->dtype))
    return fail(e, TME_ERR_DTYPE, "scatter: indices must be integers, not %s", tme_dtype_name(indices->dtype));
  tme_status s = infer_axis(c, &c->attrs->scatter.axis, x->rank, e);
  if (s != TME_OK) return s;
  int axis = (int)c->attrs->scatter.axis, rank = x->rank - 1 + indices->rank;
  if (rank > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "scatter: the updates would have %d dimensions, more than the %d supported", rank,
                TME_MAX_RANK);
  op_type part = {.dtype = x->dtype};
  for (int d = 0; d < axis; d++) part.shape[part.rank++] = x->shape[d];
  for (int d = 0; d < indices->rank; d++) part.shape[part.rank++] = indices->shape[d];
  for (int d = axis + 1; d < x->rank; d++) part.shape[part.rank++] = x->shape[d];
  s = infer_updates(c, 2, &part, e);
  if (s != TME_OK) return s;
  if (dtype_is_complex(x->dtype) && c->attrs->scatter.mode >= SCATTER_MODE_MIN)
    return fail(e, TME_ERR_DTYPE, "scatter: %s has no order for min and max", tme_dtype_name(x->dtype));
  out->dtype = x->dtype;
  out->rank = x->rank;
  for (int d = 0; d < x->rank; d++) out->shape[d] = x->shape[d];
  return TME_OK;
}
