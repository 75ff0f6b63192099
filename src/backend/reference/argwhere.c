/* argwhere: one walk over the elements. */
#include "backend/reference/iter.h"
#include "base/convert.h"
#include <string.h>

tme_status ref_argwhere(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *out = &c->out[0];
  int rank = x->type.rank;
  int64_t most = out->type.shape[0], found = 0, size = type_size(&x->type), *to = NULL;
  uint8_t *truth = mem_alloc((size_t)size);
  if (!truth) return fail_memory(e, "argwhere", (size_t)size);
  int64_t strides[TME_MAX_RANK];
  type_strides(&x->type, strides);
  convert_strided(rank, x->type.shape, x->type.dtype, x->data, x->strides, TME_BOOL, (char *)truth, strides);
  memset(out->data, 0, (size_t)(most * rank) * sizeof *to);
  for (int64_t i = 0; i < size && found < most; i++) {
    if (!truth[i]) continue;
    for (int d = 0; d < rank; d++) {
      int64_t at = i / strides[d] % x->type.shape[d];
      memcpy(out->data + (size_t)(found * rank + d) * sizeof at, &at, sizeof at);
    }
    found++;
  }
  mem_free(truth);
  return TME_OK;
}
