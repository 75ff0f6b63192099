/* Elements of any dtype as those of another: astype's conversion, which literals and the reference share. */
#ifndef TME_CONVERT_H
#define TME_CONVERT_H

#include "base/dtype.h"

/* Converts n elements; steps in elements. Floats to integers saturate, NaN to 0; integers wrap; to bool: not 0; one rounding.
 * Complex to real drops the imaginary part. */
void convert_run(tme_dtype from, const void *src, int64_t src_step, tme_dtype to, void *dst, int64_t dst_step,
                 int64_t n);

#endif
