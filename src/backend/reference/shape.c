/* Operations that move elements: copies, where reference_view cannot describe the result. */
#include "backend/reference/iter.h"
#include "ops/views.h"
#include <string.h>

bool reference_view(int op, const ref_array *in, const op_attrs *attrs, const op_type *type, ref_array *out) {
  ref_array v = {.type = *type};
  int64_t offset;
  if (!op_view(op, &in->type, in->strides, attrs, type, &offset, v.strides)) return false;
  v.data = in->data + offset * (int64_t)tme_dtype_size(type->dtype);
  *out = v;
  return true;
}

/* The value in every place, then x over it. */
static void pad(const ref_call *c) {
  const ref_array *x = c->in[0], *out = &c->out[0];
  int64_t none[TME_MAX_RANK] = {0}, offset = 0;
  size_t size = tme_dtype_size(x->type.dtype);
  uint64_t bits[2];
  char value[16];
  number_bits(&c->attrs->view.value, x->type.dtype, bits);
  literal_store(x->type.dtype, bits, value);
  copy_strided(out->type.rank, out->type.shape, size, value, none, out->data, out->strides);
  for (int d = 0; d < x->type.rank; d++) offset += c->attrs->view.before.v[d] * out->strides[d];
  copy_strided(x->type.rank, x->type.shape, size, x->data, x->strides, out->data + offset * (int64_t)size,
               out->strides);
}

tme_status ref_view(ref_call *c, error *e) {
  (void)e;
  const ref_array *out = &c->out[0];
  ref_array v = *c->in[0];
  int64_t strides[TME_MAX_RANK];
  if (c->op == OP_pad) {
    pad(c);
    return TME_OK;
  }
  /* A reshape that is no view copies x in its own shape: the elements' order is the same. */
  reference_view(c->op, c->in[0], c->attrs, &out->type, &v);
  type_strides(&v.type, strides);
  copy_strided(v.type.rank, v.type.shape, tme_dtype_size(v.type.dtype), v.data, v.strides, out->data, strides);
  return TME_OK;
}

tme_status ref_dims(ref_call *c, error *e) { return ref_view(c, e); }
tme_status ref_windows(ref_call *c, error *e) { return ref_view(c, e); }
