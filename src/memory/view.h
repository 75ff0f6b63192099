/* Strided arrays in host memory as plain bytes. */
#ifndef TME_VIEW_H
#define TME_VIEW_H

#include "memory/buffer.h"
#include "ops/views.h"

/* A strided array in a buffer of some device. */
typedef struct array_view {
  buffer *buf;
  tme_dtype dtype;
  int rank;
  int64_t offset; /* elements */
  int64_t shape[TME_MAX_RANK], strides[TME_MAX_RANK];
} array_view;

/* The elements [first, last) around element (0, ..., 0) that the view touches, relative to it: first <= 0. False if
 * that overflows. */
bool view_span(const array_view *v, int64_t *first, int64_t *last);
/* Copies all elements, row-major, from `data`, where the view's element (0, ..., 0) is. */
void view_pack(const array_view *v, const void *data, void *dst);
static inline op_type view_type(const array_view *v) {
  op_type t = {.dtype = v->dtype, .rank = v->rank};
  for (int d = 0; d < v->rank; d++) t.shape[d] = v->shape[d];
  return t;
}

#endif
