/* Jacobi's method: rotations of two rows and columns, each making one element zero, until what is beside the diagonal is below
 * the rounding of the whole. In complex arithmetic, which of real numbers stays real. */
#include "backend/reference/dense.h"
#include <complex.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum { MAX_SWEEPS = 60 };

static void rotate(double complex *x, double complex *y, int64_t n, int64_t step, double c, double complex s) {
  for (int64_t i = 0; i < n; i++) {
    double complex p = x[i * step], q = y[i * step];
    x[i * step] = c * p - conj(s) * q;
    y[i * step] = s * p + c * q;
  }
}

/* The rotation that makes a[p, q] zero; v NULL: without vectors. */
static void eliminate(int64_t n, double complex *a, double complex *v, int64_t p, int64_t q) {
  double complex g = a[q * n + p];
  double size = cabs(g), zeta = (creal(a[q * n + q]) - creal(a[p * n + p])) / (2 * size);
  double t = copysign(1, zeta) / (fabs(zeta) + hypot(1, zeta)), c = 1 / hypot(1, t);
  double complex s = c * t * (g / size);
  rotate(a + p * n, a + q * n, n, 1, c, s);
  rotate(a + p, a + q, n, n, c, conj(s));
  if (v) rotate(v + p * n, v + q * n, n, 1, c, s);
  a[q * n + p] = a[p * n + q] = 0;
  a[p * n + p] = creal(a[p * n + p]);
  a[q * n + q] = creal(a[q * n + q]);
}

static bool sweep(int64_t n, double complex *a, double complex *v, double tolerance) {
  bool turned = false;
  for (int64_t p = 0; p < n; p++)
    for (int64_t q = p + 1; q < n; q++) {
      if (cabs(a[q * n + p]) <= tolerance) continue;
      eliminate(n, a, v, p, q);
      turned = true;
    }
  return turned;
}

/* By insertion: few matrices that come here are large. */
static void sort(int64_t n, double *w, double complex *v) {
  for (int64_t i = 1; i < n; i++)
    for (int64_t j = i; j && w[j] < w[j - 1]; j--) {
      double x = w[j];
      w[j] = w[j - 1];
      w[j - 1] = x;
      for (int64_t k = 0; v && k < n; k++) {
        double complex z = v[j * n + k];
        v[j * n + k] = v[(j - 1) * n + k];
        v[(j - 1) * n + k] = z;
      }
    }
}

/* As complex numbers of a size about 1; returns the scale that was taken out. */
static int load(bool is_complex, int64_t n, const void *from, double complex *a) {
  const double *x = from;
  double most = 0;
  int exponent;
  for (int64_t i = 0; i < n * n; i++) {
    a[i] = is_complex ? x[2 * i] + x[2 * i + 1] * I : x[i];
    most = fmax(most, fmax(fabs(creal(a[i])), fabs(cimag(a[i]))));
  }
  frexp(most, &exponent);
  for (int64_t i = 0; i < n * n; i++) a[i] = ldexp(creal(a[i]), -exponent) + ldexp(cimag(a[i]), -exponent) * I;
  return exponent;
}

tme_status dense_eigh(tme_dtype t, int64_t n, void *from, double *w, void *v, bool *converged, error *e) {
  bool is_complex = t == TME_C128;
  double complex *a = mem_alloc((size_t)(n * n) * sizeof *a), *x = v ? mem_alloc((size_t)(n * n) * sizeof *x) : NULL;
  if (!a || (v && !x)) {
    mem_free(a);
    mem_free(x);
    return fail_memory(e, "eigh", (size_t)(n * n) * sizeof *a);
  }
  int exponent = load(is_complex, n, from, a);
  double norm = 0;
  for (int64_t i = 0; i < n * n; i++) {
    norm = hypot(norm, cabs(a[i]));
    if (x) x[i] = i % (n + 1) == 0;
  }
  *converged = false;
  for (int i = 0; i < MAX_SWEEPS && !*converged; i++)
    *converged = !sweep(n, a, x, DBL_EPSILON / 2 * norm / (double)(n ? n : 1));
  for (int64_t i = 0; i < n; i++) w[i] = ldexp(creal(a[i * n + i]), exponent);
  sort(n, w, x);
  double *to = v;
  for (int64_t i = 0; x && i < n * n; i++) {
    to[is_complex ? 2 * i : i] = creal(x[i]);
    if (is_complex) to[2 * i + 1] = cimag(x[i]);
  }
  mem_free(a);
  mem_free(x);
  return TME_OK;
}
