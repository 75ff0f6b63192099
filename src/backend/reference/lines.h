/* The lines of an array along one of its axes, numbered in row-major order of the others. */
#ifndef TME_REF_LINES_H
#define TME_REF_LINES_H

#include "backend/reference/iter.h"

typedef struct lines {
  ref_space others;
  int64_t n, step, size; /* elements of a line, from one to the next; bytes of an element */
  char *data;
} lines;

static inline lines lines_along(const ref_array *x, int axis) {
  lines l = {.others = dims_of(&x->type, x->strides, ~((uint32_t)1 << axis)),
             .n = x->type.shape[axis],
             .step = x->strides[axis],
             .size = (int64_t)tme_dtype_size(x->type.dtype),
             .data = x->data};
  return l;
}

/* The first element of line i. */
static inline char *lines_at(const lines *l, int64_t i) {
  int64_t offset = 0;
  for (int d = l->others.rank - 1; d >= 0; d--) {
    offset += i % l->others.shape[d] * l->others.stride[d];
    i /= l->others.shape[d];
  }
  return l->data + offset * l->size;
}

#endif
