/* Factorisations in plain C, of f64 or c128 (t): what answers where there is no LAPACK, where a matrix is so small that it is
 * slower, and LAPACK's oracle. Matrices are column-major without gaps. */
#ifndef TME_REF_DENSE_H
#define TME_REF_DENSE_H

#include "base/base.h"

/* dense_lu.inc: a becomes L below its diagonal, and U; row k changed places with pivots[k], counted from 0. Returns whether no
 * pivot is 0. */
bool dense_lu(tme_dtype t, int64_t m, int64_t n, void *a, int64_t *pivots);
/* b, n x columns, becomes the solution. */
void dense_lu_solve(tme_dtype t, int64_t n, int64_t columns, const void *a, const int64_t *pivots, void *b);
/* The same of a band: ab has 2 lower + upper + 1 rows, of which the first `lower` are for the fill-in, and a's element (i, j) in
 * row lower + upper + i - j. False: a pivot is 0. */
bool dense_banded_solve(tme_dtype t, int64_t n, int64_t lower, int64_t upper, int64_t columns, void *ab, void *b);
/* The triangle 'L' or 'U' of a; `unit`: with ones in place of its diagonal. False: a 0 on the diagonal. */
bool dense_triangle_solve(tme_dtype t, char triangle, bool unit, int64_t n, int64_t columns, const void *a, void *b);

/* dense_cholesky.inc: the lower triangle of a becomes L with a = L L'. False: not positive definite. */
bool dense_cholesky(tme_dtype t, int64_t n, void *a);

/* dense_qr.inc: Householder's reflections as LAPACK stores them: a becomes R, and below it what Q is made of together with
 * tau, of min(m, n) elements. */
void dense_qr(tme_dtype t, int64_t m, int64_t n, void *a, void *tau);
/* q: m x columns, min(m, n) <= columns <= m; its first k columns, k <= columns, hold the reflections, and it becomes Q. */
void dense_qr_basis(tme_dtype t, int64_t m, int64_t columns, int64_t k, void *q, const void *tau);

/* dense_expm.inc: the exponential of a into y; spare: room for DENSE_EXPM_SPARE more matrices. */
enum { DENSE_EXPM_SPARE = 5 };
void dense_expm(tme_dtype t, int64_t n, void *a, void *y, void *spare, int64_t *pivots);

/* dense_eigh.c: Jacobi's rotations. Of a Hermitian matrix the eigenvalues w (f64), ascending, and the vectors v, or NULL. */
tme_status dense_eigh(tme_dtype t, int64_t n, void *a, double *w, void *v, bool *converged, error *e);
/* dense_eig.c: Hessenberg's form and shifted QR steps. The eigenvalues w (c128) and the vectors v of norm 1 (c128), or NULL. */
tme_status dense_eig(tme_dtype t, int64_t n, const void *a, void *w, void *v, bool *converged, error *e);

#endif
