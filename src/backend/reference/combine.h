/* Updates combined with what is there, as scatter and put_along_axis do it. */
#ifndef TME_REF_COMBINE_H
#define TME_REF_COMBINE_H

#include "ops/ops.h"

/* In which dtype elements of t are combined, so that many small updates are not lost. */
tme_dtype combine_dtype(tme_dtype t);
/* n elements of that dtype, of an array of t. `mode` is scatter's. Of bools a sum is true where a term is. */
void combine(int mode, tme_dtype t, void *to, const void *v, int64_t n);

#endif
