/* Updates combined with what is there, as scatter and put_along_axis do it. */
#ifndef TME_REF_COMBINE_H
#define TME_REF_COMBINE_H

#include "ops/ops.h"

/* In which dtype elements of t are combined, so that many small updates are not lost. */
tme_dtype combine_dtype(tme_dtype t);
/* n values of that dtype, of an array of t, with to[at[0]], to[at[1]], ..., one after the other (NULL: to[0], to[1], ...).
 * `mode` is scatter's. Of bools a sum is true where a term is. */
void combine(int mode, tme_dtype t, void *to, const int64_t *at, const void *v, int64_t n);
/* The same of float32 as they are, with to[0], to[1], ... */
void combine_f32(int mode, double *to, const void *v, int64_t n);

#endif
