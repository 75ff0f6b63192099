/* L U by LAPACK or by the own elimination, for all that is made of it. */
#ifndef TME_REF_LU_H
#define TME_REF_LU_H

#include "backend/reference/matrices.h"

/* a, rows x columns, becomes L and U; pivots, counted from 0, as dense_lu has them. *regular: no pivot is 0. False: LAPACK lacks
 * it. */
bool lu_make(const matrices_work *w, int64_t rows, int64_t columns, void *a, int64_t *pivots, bool *regular);
/* b, n x columns, becomes the solution, `pivots` has room for n. A singular matrix is the work's failure. */
bool lu_solve_with(matrices_work *w, int64_t n, int64_t columns, void *a, int64_t *pivots, void *b);

/* What a matrix without an inverse is called, and up to which extent the own elimination is the faster one. */
extern const char lu_singular[];
enum { LU_SMALL = 16 };

#endif
