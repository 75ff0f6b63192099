/* argwhere: the places of what is not zero. How many there are is counted before (src/array/sized.c). */
#include "ops/ops.h"

tme_status infer_argwhere(op_call *c, op_type *out, error *e) {
  int64_t size = c->attrs->argwhere.size;
  if (size < 0) return fail(e, TME_ERR_ARGUMENT, "argwhere: size is %lld, expected 0 or more", (long long)size);
  *out = (op_type){.dtype = TME_I64, .rank = 2, .shape = {size, c->in[0]->rank}};
  return type_check_size(out, "argwhere", e);
}
