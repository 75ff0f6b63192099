/* isin: both operands in one dtype. */
#include "ops/ops.h"

tme_status infer_isin(op_call *c, op_type *out, error *e) {
  (void)e;
  tme_dtype t = infer_promote(c, 0, 2);
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  *out = *c->in[0];
  out->dtype = TME_BOOL;
  return TME_OK;
}
