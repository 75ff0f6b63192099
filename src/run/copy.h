/* Strided arrays in host memory as plain bytes. */
#ifndef TME_COPY_H
#define TME_COPY_H

#include "backend/backend.h"
#include "graph/node.h"

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
