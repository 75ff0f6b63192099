/* astype. */
#include "backend/reference/iter.h"
#include "backend/reference/reference.h"

tme_status ref_cast(ref_call *c, error *e) {
  (void)e;
  const ref_array *x = c->in[0], *out = &c->out[0];
  convert_strided(x->type.rank, x->type.shape, x->type.dtype, x->data, x->strides, out->type.dtype, out->data,
                  out->strides);
  return TME_OK;
}
