/* Blocks of elements through one wide type per kind of number. */
#ifndef TME_REF_CONVERT_H
#define TME_REF_CONVERT_H

#include "base/base.h"

/* Converts n elements between any two dtypes; strides in elements. As astype: floats to integers saturate, NaN to 0;
 * integers wrap; to bool: not 0; one rounding. Complex to real drops the imaginary part. */
void convert_run(tme_dtype from, const char *src, int64_t src_step, tme_dtype to, char *dst, int64_t dst_step,
                 int64_t n);
/* The same for all elements of a strided array. */
void convert_strided(int rank, const int64_t *shape, tme_dtype from, const char *src, const int64_t *src_strides,
                     tme_dtype to, char *dst, const int64_t *dst_strides);

#endif
