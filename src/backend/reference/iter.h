/* Walking several strided arrays together. */
#ifndef TME_REF_ITER_H
#define TME_REF_ITER_H

#include "backend/reference/reference.h"

#define ITER_MAX 4

/* Neighbouring dimensions that all arrays step through alike are one. The last one is left to the caller:
 *   for (bool more = iter_start(...); more; more = iter_next(&it))
 *     for (i < it.inner) ... offset[a] + i * step[a] */
typedef struct ref_iter {
  int rank, n; /* dimensions without the inner one; arrays */
  int64_t inner, step[ITER_MAX], offset[ITER_MAX];
  int64_t shape[TME_MAX_RANK], index[TME_MAX_RANK], stride[ITER_MAX][TME_MAX_RANK];
} ref_iter;

/* The arrays' strides (in elements) over the `rank` dimensions of `shape`. False if there are no elements. */
bool iter_start(ref_iter *it, int rank, const int64_t *shape, int n, const int64_t *const *strides);
/* Goes on to the next inner run; false after the last one. */
bool iter_next(ref_iter *it);

/* The strides of x broadcast to the dimensions of `shape`: 0 where it repeats. */
void broadcast_strides(const op_type *shape, const ref_array *x, int64_t out[static TME_MAX_RANK]);
/* Extents and strides of the dimensions in `axes`. */
typedef struct ref_space {
  int rank;
  int64_t shape[TME_MAX_RANK], stride[TME_MAX_RANK], size;
} ref_space;
ref_space dims_of(const op_type *t, const int64_t *strides, uint32_t axes);

/* Copies the elements of a strided array into another of the same shape; sizes in bytes, strides in elements. */
void copy_strided(int rank, const int64_t *shape, size_t size, const char *from, const int64_t *from_strides, char *to,
                  const int64_t *to_strides);
/* The same, converted to another dtype as astype does. */
void convert_strided(int rank, const int64_t *shape, tme_dtype from, const char *src, const int64_t *src_strides,
                     tme_dtype to, char *dst, const int64_t *dst_strides);

#endif
