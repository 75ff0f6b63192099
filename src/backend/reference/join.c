/* concatenate, stack: each array is copied to its place. */
#include "backend/reference/iter.h"

static tme_status join(const ref_call *c, bool stack) {
  const ref_array *out = &c->out[0];
  int axis = (int)(c->op == OP_stack ? c->attrs->stack.axis : c->attrs->concatenate.axis);
  int64_t size = (int64_t)tme_dtype_size(out->type.dtype), at = 0;
  for (int i = 0; i < c->nin; i++) {
    const ref_array *x = c->in[i];
    int64_t strides[TME_MAX_RANK];
    for (int d = 0; d < x->type.rank; d++) strides[d] = out->strides[d + (stack && d >= axis)];
    copy_strided(x->type.rank, x->type.shape, (size_t)size, x->data, x->strides,
                 out->data + at * out->strides[axis] * size, strides);
    at += stack ? 1 : x->type.shape[axis];
  }
  return TME_OK;
}

tme_status ref_concatenate(ref_call *c, error *e) {
  (void)e;
  return join(c, false);
}

tme_status ref_stack(ref_call *c, error *e) {
  (void)e;
  return join(c, true);
}
