/* scatter: x with other elements along one axis, the inverse of take. */
#include "ops/ops.h"

tme_status infer_scatter(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  op_type part = {.rank = 0};
  tme_status s = infer_taken(c, &c->attrs->scatter.axis, "the updates", &part, e);
  if (s == TME_OK) s = infer_updates(c, 2, &part, e);
  if (s != TME_OK) return s;
  if (dtype_is_complex(x->dtype) && c->attrs->scatter.mode >= SCATTER_MODE_MIN)
    return fail(e, TME_ERR_DTYPE, "scatter: %s has no order for min and max", tme_dtype_name(x->dtype));
  *out = *x;
  return TME_OK;
}
