/* searchsorted, digitize: where values belong among sorted ones. */
#include "ops/ops.h"

tme_status infer_search(op_call *c, op_type *out, error *e) {
  bool digits = c->op == OP_digitize;
  const op_type *sorted = c->in[digits], *values = c->in[!digits];
  if (sorted->rank != 1)
    return fail(e, TME_ERR_SHAPE, "%s: %s is to be a vector, not an array of %d dimensions", op_name(c->op),
                digits ? "bins" : "x", sorted->rank);
  tme_dtype t = infer_promote(c, 0, 2);
  if (dtype_is_complex(t))
    return fail(e, TME_ERR_DTYPE, "%s: takes real numbers, not %s", op_name(c->op), tme_dtype_name(t));
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  const op_type *sorter = digits ? NULL : c->in[2];
  if (sorter && (!dtype_is_int(sorter->dtype) || !type_same_shape(sorter, sorted)))
    return fail(e, dtype_is_int(sorter->dtype) ? TME_ERR_SHAPE : TME_ERR_DTYPE,
                "searchsorted: sorter is to have an index for each of the %lld elements of x",
                (long long)sorted->shape[0]);
  *out = *values;
  out->dtype = TME_I64;
  return TME_OK;
}
