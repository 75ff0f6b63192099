/* take: elements along one axis by their numbers. */
#include "ops/ops.h"

tme_status infer_take(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *indices = c->in[1];
  if (!dtype_is_int(indices->dtype))
    return fail(e, TME_ERR_DTYPE, "take: indices must be integers, not %s", tme_dtype_name(indices->dtype));
  tme_status s = infer_axis(c, 0, x->rank, e);
  if (s != TME_OK) return s;
  int rank = x->rank - 1 + indices->rank;
  if (rank > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "take: the result would have %d dimensions, more than the %d supported", rank,
                TME_MAX_RANK);
  out->dtype = x->dtype;
  int axis = (int)c->attrs->i[0];
  for (int d = 0; d < axis; d++) out->shape[out->rank++] = x->shape[d];
  for (int d = 0; d < indices->rank; d++) out->shape[out->rank++] = indices->shape[d];
  for (int d = axis + 1; d < x->rank; d++) out->shape[out->rank++] = x->shape[d];
  return TME_OK;
}
