/* slice_update: a copy, and a copy of the updates into its slice. */
#include "backend/reference/iter.h"

tme_status ref_slice_update(ref_call *c, error *e) {
  (void)e;
  const ref_array *x = c->in[0], *updates = c->in[1], *out = &c->out[0];
  const slice_update_attrs *a = &c->attrs->slice_update;
  size_t size = tme_dtype_size(x->type.dtype);
  copy_strided(x->type.rank, x->type.shape, size, x->data, x->strides, out->data, out->strides);
  op_type part = {.dtype = x->type.dtype, .rank = x->type.rank};
  int64_t to[TME_MAX_RANK], from[TME_MAX_RANK], first = 0;
  for (int d = 0; d < part.rank; d++) {
    int64_t start = a->start.v[d], stop = a->stop.v[d], step = a->step.v[d];
    part.shape[d] = slice_extent(x->type.shape[d], &start, &stop, &step);
    first += start * out->strides[d];
    to[d] = step * out->strides[d];
  }
  if (!type_size(&part)) return TME_OK;
  broadcast_strides(&part, updates, from);
  copy_strided(part.rank, part.shape, size, updates->data, from, out->data + first * (int64_t)size, to);
  return TME_OK;
}
