/* unique_values, unique_counts, unique_inverse, unique_all. How many elements differ is found before (src/array/sized.c). */
#include "ops/ops.h"

tme_status infer_unique(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  int64_t size = c->attrs->unique.size;
  if (size < 0)
    return fail(e, TME_ERR_ARGUMENT, "%s: size is %lld, expected 0 or more", op_name(c->op), (long long)size);
  int inverse = c->op == OP_unique_inverse ? 1 : c->op == OP_unique_all ? 2 : 0;
  for (int o = 0; o < op_get(c->op)->outputs; o++) {
    out[o] = (op_type){.dtype = o ? TME_I64 : x->dtype, .rank = 1, .shape = {size}};
    if (!o || o != inverse) continue;
    out[o] = *x;
    out[o].dtype = TME_I64;
  }
  return TME_OK;
}
