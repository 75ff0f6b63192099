/* expm of a stack of square matrices. */
#include "ops/ops.h"

tme_status infer_expm(op_call *c, op_type *out, error *e) { return infer_inverse(c, out, e); }
