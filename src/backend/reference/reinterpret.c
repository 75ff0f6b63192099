/* view: a copy, byte by byte. */
#include "backend/reference/iter.h"

tme_status ref_reinterpret(ref_call *c, error *e) {
  (void)e;
  const ref_array *x = c->in[0], *out = &c->out[0];
  int64_t to[TME_MAX_RANK];
  type_strides(&x->type, to);
  copy_strided(x->type.rank, x->type.shape, tme_dtype_size(x->type.dtype), x->data, x->strides, out->data, to);
  int64_t n = out->type.dtype == TME_BOOL ? type_size(&out->type) : 0;
  for (int64_t i = 0; i < n; i++) out->data[i] = out->data[i] != 0;
  return TME_OK;
}
