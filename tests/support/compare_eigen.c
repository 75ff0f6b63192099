/* Eigenvalues and eigenvectors, judged by what they must be. */
#include "support/matrix.h"
#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct eigen {
  int64_t n;
  bool hermitian;
  double eps, norm;
  double complex *a, *w, *v; /* row-major; v NULL: values alone */
} eigen;

static double complex *load(tme_dtype t, const void *data, int64_t from, int64_t n) {
  double complex *v = calloc((size_t)n + 1, sizeof *v);
  if (!v) abort();
  for (int64_t i = 0; i < n; i++) {
    double x[2];
    element_value(t, (const char *)data + (size_t)(from + i) * tme_dtype_size(t), x);
    v[i] = x[0] + x[1] * I;
  }
  return v;
}

/* Matrix b of the operand, or what its triangle is of a Hermitian one. */
static double complex *matrix_of(const cell *c, int64_t b, int64_t n) {
  double complex *a = calloc((size_t)(n * n) + 1, sizeof *a);
  if (!a) abort();
  const cell_arg *uplo = cell_get(c, "uplo");
  bool upper = uplo && uplo->word && *uplo->word == 'U';
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      bool other = uplo && (upper ? i > j : i < j);
      double x[2];
      element_value(c->in[0].dtype, operand_at(&c->in[0], (b * n + (other ? j : i)) * n + (other ? i : j)), x);
      a[i * n + j] = x[0] + (uplo && i == j ? 0 : other ? -x[1] : x[1]) * I;
    }
  return a;
}

/* The largest element of A V - V W. */
static double residual(const eigen *e) {
  double most = 0;
  for (int64_t i = 0; i < e->n; i++)
    for (int64_t j = 0; j < e->n; j++) {
      double complex sum = -e->v[i * e->n + j] * e->w[j];
      for (int64_t k = 0; k < e->n; k++) sum += e->a[i * e->n + k] * e->v[k * e->n + j];
      most = fmax(most, cabs(sum));
    }
  return most;
}

/* The largest element of V' V - I, or of its diagonal. */
static double skew(const eigen *e) {
  double most = 0;
  for (int64_t i = 0; i < e->n; i++)
    for (int64_t j = 0; j < e->n; j++) {
      if (!e->hermitian && i != j) continue;
      double complex sum = i == j ? -1 : 0;
      for (int64_t k = 0; k < e->n; k++) sum += conj(e->v[k * e->n + i]) * e->v[k * e->n + j];
      most = fmax(most, cabs(sum));
    }
  return most;
}

/* The values' sum is the trace, that of their squares the trace of A A. */
static double trace_gap(const eigen *e, int power) {
  double complex gap = 0;
  for (int64_t i = 0; i < e->n; i++) {
    gap += power == 1 ? e->w[i] : e->w[i] * e->w[i];
    for (int64_t k = 0; power == 2 && k < e->n; k++) gap -= e->a[i * e->n + k] * e->a[k * e->n + i];
    if (power == 1) gap -= e->a[i * e->n + i];
  }
  return cabs(gap);
}

static bool check_matrix(eigen *e, char why[static 200]) {
  for (int64_t i = 0; i < e->n * e->n; i++) e->norm = hypot(e->norm, cabs(e->a[i]));
  for (int64_t i = 1; i < e->n && e->hermitian; i++)
    if (!(creal(e->w[i]) >= creal(e->w[i - 1]))) {
      snprintf(why, 200, "eigenvalue %lld is below the one before", (long long)i);
      return false;
    }
  double slack = 40 * (double)e->n * e->eps, off = e->v ? residual(e) : 0, lean = e->v ? skew(e) : 0;
  double first = trace_gap(e, 1), second = trace_gap(e, 2);
  if (off <= slack * e->norm && lean <= slack && first <= slack * e->norm && second <= 2 * slack * e->norm * e->norm)
    return true;
  snprintf(why, 200, "norm %g, residual %g, skew %g, traces off by %g and %g (bound %g)", e->norm, off, lean, first,
           second, slack);
  return false;
}

bool check_eigen(const cell *c, const tme_array *const *out, const void *const *data, char why[static 200]) {
  const operand *x = &c->in[0];
  int64_t n = x->shape[x->rank - 1], matrices = n ? operand_size(x) / (n * n) : 0;
  bool vectors = op_get(c->op)->outputs == 2, good = true;
  tme_dtype t = tme_array_dtype(out[0]);
  for (int64_t b = 0; b < matrices && good; b++) {
    eigen e = {.n = n, .hermitian = cell_get(c, "uplo"), .eps = tme_dtype_epsilon(dtype_real(t))};
    e.a = matrix_of(c, b, n);
    e.w = load(t, data[0], b * n, n);
    if (vectors) e.v = load(tme_array_dtype(out[1]), data[1], b * n * n, n * n);
    good = check_matrix(&e, why);
    free(e.a);
    free(e.w);
    free(e.v);
  }
  return good;
}
