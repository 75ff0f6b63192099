/* The elements of one array, or of two together, in groups of equal ones: what sets are made of. */
#ifndef TME_REF_DISTINCT_H
#define TME_REF_DISTINCT_H

#include "backend/reference/reference.h"

/* Places in row-major order of the first array, then of the second one, sorted by the elements there; equal ones in their
 * order. */
typedef struct distinct {
  int64_t n, *place;
  uint8_t *begins; /* 1 where a group begins, in the sorted order; a NaN is one of its own */
  void *memory;
} distinct;

/* `y` may be NULL; else both are of one dtype. */
tme_status distinct_make(distinct *d, const char *op, const ref_array *x, const ref_array *y, threads *t, error *e);
void distinct_free(distinct *d);

#endif
