/* LAPACK's factorisations of one column-major matrix of f32, f64, c64 or c128 elements, without gaps between columns. Each
 * returns false, with its operands as they were, if there is no such function or the matrix is too large for it: then it is for
 * the caller's own. *info is LAPACK's, above 0 after a numerical failure. Where no memory is left for work space, an error. */
#ifndef TME_LAPACK_H
#define TME_LAPACK_H

#include "base/base.h"

/* a: L below its diagonal, and U; of row k the one it changed places with is pivots[k], counted from 1. info: a pivot is 0. */
bool lapack_lu(tme_dtype t, int64_t m, int64_t n, void *a, int *pivots, int *info);
/* b, of n rows, becomes the solution; a and pivots as lapack_lu leaves them. */
bool lapack_lu_solve(tme_dtype t, int64_t n, int64_t columns, const void *a, const int *pivots, void *b);
/* ab: 2 lower + upper + 1 rows, of which the first `lower` are for the fill-in. */
bool lapack_banded_solve(tme_dtype t, int64_t n, int64_t lower, int64_t upper, int64_t columns, void *ab, int *pivots,
                         void *b, int *info);

/* One triangle of a, 'L' or 'U', is read and becomes the factor; the other one stays. info: not positive definite. */
bool lapack_cholesky(tme_dtype t, char triangle, int64_t n, void *a, int *info);
/* One triangle of a becomes its inverse. info: a 0 on the diagonal. */
bool lapack_triangle_inverse(tme_dtype t, char triangle, int64_t n, void *a, int *info);
bool lapack_triangle_solve(tme_dtype t, char triangle, bool unit, int64_t n, int64_t columns, const void *a, void *b,
                           int *info);

/* a: R, and below it what Q is made of together with tau, of min(m, n) elements. */
bool lapack_qr(tme_dtype t, int64_t m, int64_t n, void *a, void *tau, error *e);
/* a: m x columns, columns <= m; of the first k reflections the orthonormal columns. */
bool lapack_qr_basis(tme_dtype t, int64_t m, int64_t columns, int64_t k, void *a, const void *tau, error *e);

/* Of a Hermitian matrix the eigenvalues w, ascending, and in a the vectors if they are wanted. */
bool lapack_eigh(tme_dtype t, bool vectors, char triangle, int64_t n, void *a, void *w, int *info, error *e);
/* The eigenvalues w of any matrix, always complex, and if v is not NULL the vectors of norm 1; a is destroyed. */
bool lapack_eig(tme_dtype t, int64_t n, void *a, void *w, void *v, int *info, error *e);

/* jobz: 'A' full, 'S' thin, 'N' values only. a is destroyed; u is m x (m or k), vt (n or k) x n, k = min(m, n). info: no
 * convergence. */
bool lapack_svd(tme_dtype t, char jobz, int64_t m, int64_t n, void *a, void *u, void *s, void *vt, int *info, error *e);

#endif
