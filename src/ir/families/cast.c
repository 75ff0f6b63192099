/* astype. */
#include "ops/ops.h"

tme_status infer_cast(op_call *c, op_type *out, error *e) {
  tme_status s = infer_dtype(c, &c->attrs->cast.dtype, TME_DTYPE_NONE, e);
  if (s != TME_OK) return s;
  tme_dtype to = c->attrs->cast.dtype;
  if (dtype_is_complex(c->in[0]->dtype) && to != TME_BOOL && !dtype_is_complex(to))
    return fail(e, TME_ERR_DTYPE, "astype: %s to %s would drop the imaginary part; take real() or abs() first",
                tme_dtype_name(c->in[0]->dtype), tme_dtype_name(to));
  *out = *c->in[0];
  out->dtype = to;
  return TME_OK;
}
