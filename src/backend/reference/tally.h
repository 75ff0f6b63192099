/* Counting of elements by their bins. */
#ifndef TME_REF_TALLY_H
#define TME_REF_TALLY_H

#include "backend/reference/reference.h"

/* The bins of n <= TALLY_BLOCK elements from number `from` on, in row-major order; -1: none. */
enum { TALLY_BLOCK = 256 };
typedef void tally_fn(const void *user, int64_t from, int64_t n, int64_t *bin);

/* Counts n elements, or adds their weights up in the order of the elements, into `bins` sums of dtype combine_dtype(weights), or
 * int64. `weights` may be NULL. */
tme_status tally(threads *t, const char *op, int64_t n, int64_t bins, tally_fn *find, const void *user,
                 const ref_array *weights, void *sums, error *e);

/* The elements in row-major order without gaps: x's own, or those of *copy, which is for the caller to free. NULL: no memory. */
const char *flat_elements(const ref_array *x, void **copy, const char *op, error *e);

#endif
