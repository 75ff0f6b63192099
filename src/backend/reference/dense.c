#include "backend/reference/dense.h"
#include <complex.h>
#include <math.h>
#include <string.h>

#define SCALAR double
#define F(name) name##_f64
#define REAL_PART(x) (x)
#define IMAGINARY_PART(x) ((void)(x), 0.0)
#define CONJUGATE(x) (x)
#define SIZE1(x) fabs(x)
#define MULTIPLY(x, y) ((x) * (y))
#include "backend/reference/dense_lu.inc"
#include "backend/reference/dense_cholesky.inc"
#include "backend/reference/dense_qr.inc"
#include "backend/reference/dense_expm.inc"
#undef SCALAR
#undef F
#undef REAL_PART
#undef IMAGINARY_PART
#undef CONJUGATE
#undef SIZE1
#undef MULTIPLY

/* Without the check for infinities that C's own product has. */
static inline double complex multiply(double complex x, double complex y) {
  union {
    double part[2];
    double complex z;
  } u = {.part = {creal(x) * creal(y) - cimag(x) * cimag(y), creal(x) * cimag(y) + cimag(x) * creal(y)}};
  return u.z;
}

#define SCALAR double complex
#define F(name) name##_c128
#define REAL_PART(x) creal(x)
#define IMAGINARY_PART(x) cimag(x)
#define CONJUGATE(x) conj(x)
#define SIZE1(x) (fabs(creal(x)) + fabs(cimag(x)))
#define MULTIPLY(x, y) multiply(x, y)
#include "backend/reference/dense_lu.inc"
#include "backend/reference/dense_cholesky.inc"
#include "backend/reference/dense_qr.inc"
#include "backend/reference/dense_expm.inc"

#define BOTH(name, ...) (t == TME_C128 ? name##_c128(__VA_ARGS__) : name##_f64(__VA_ARGS__))

bool dense_lu(tme_dtype t, int64_t m, int64_t n, void *a, int64_t *pivots) { return BOTH(lu, m, n, a, pivots); }

void dense_lu_solve(tme_dtype t, int64_t n, int64_t columns, const void *a, const int64_t *pivots, void *b) {
  BOTH(lu_solve, n, columns, a, pivots, b);
}

bool dense_banded_solve(tme_dtype t, int64_t n, int64_t lower, int64_t upper, int64_t columns, void *ab, void *b) {
  return BOTH(banded_solve, n, lower, upper, columns, ab, b);
}

bool dense_triangle_solve(tme_dtype t, char triangle, bool unit, int64_t n, int64_t columns, const void *a, void *b) {
  return BOTH(triangle_solve, triangle == 'L', unit, n, columns, a, b);
}

bool dense_cholesky(tme_dtype t, int64_t n, void *a) { return BOTH(cholesky, n, a); }

void dense_qr(tme_dtype t, int64_t m, int64_t n, void *a, void *tau) { BOTH(qr, m, n, a, tau); }

void dense_qr_basis(tme_dtype t, int64_t m, int64_t columns, int64_t k, void *q, const void *tau) {
  BOTH(qr_basis, m, columns, k, q, tau);
}

void dense_expm(tme_dtype t, int64_t n, void *a, void *y, void *spare, int64_t *pivots) {
  BOTH(expm, n, a, y, spare, pivots);
}
