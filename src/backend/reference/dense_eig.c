/* Eigenvalues of any matrix: Householder's reflections to Hessenberg's form, QR steps with Wilkinson's shift to a triangle, whose
 * eigenvectors are found by substitution. All in complex arithmetic. Matrices are column-major. */
#include "backend/reference/dense.h"
#include <complex.h>
#include <float.h>
#include <math.h>
#include <string.h>

enum { MAX_STEPS = 60 }; /* for one eigenvalue */

typedef struct schur {
  int64_t n;
  double complex *h, *z, *x; /* h becomes the triangle, h = z' a z; x: room for a vector */
  double norm;
  bool vectors;
} schur;

static double complex *at(const schur *s, int64_t i, int64_t j) { return s->h + j * s->n + i; }

/* y -= v (2 v' y), the elements `step` apart; of conj(v) for rows. */
static void reflect(int64_t n, const double complex *v, double complex *y, int64_t step, bool row) {
  double complex sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (row ? v[i] : conj(v[i])) * y[i * step];
  for (int64_t i = 0; i < n; i++) y[i * step] -= 2 * sum * (row ? conj(v[i]) : v[i]);
}

/* Zeros below the first subdiagonal, by v of norm 1 for each column. */
static void hessenberg(schur *s) {
  int64_t n = s->n;
  for (int64_t k = 0; k + 2 < n; k++) {
    int64_t m = n - k - 1;
    double complex *v = s->x, *column = at(s, k + 1, k);
    double norm = 0, size = 0;
    for (int64_t i = 0; i < m; i++) norm = hypot(norm, cabs(column[i]));
    if (norm == 0) continue;
    memcpy(v, column, (size_t)m * sizeof *v);
    v[0] += v[0] == 0 ? norm : norm * (v[0] / cabs(v[0]));
    for (int64_t i = 0; i < m; i++) size = hypot(size, cabs(v[i]));
    for (int64_t i = 0; i < m; i++) v[i] /= size;
    for (int64_t j = k; j < n; j++) reflect(m, v, at(s, k + 1, j), 1, false);
    for (int64_t i = 0; i < n; i++) reflect(m, v, at(s, i, k + 1), n, true);
    for (int64_t i = 0; s->vectors && i < n; i++) reflect(m, v, s->z + (k + 1) * n + i, n, true);
    for (int64_t i = 1; i < m; i++) column[i] = 0;
  }
}

/* The eigenvalue of the last 2 x 2 block that is nearer to its last element; now and then another number, where steps go round
 * in circles. */
static double complex shift(const schur *s, int64_t last, int step) {
  if (step % 10 == 9) return cabs(*at(s, last, last - 1)) + *at(s, last, last);
  double complex a = *at(s, last - 1, last - 1), d = *at(s, last, last), half = (a - d) / 2;
  double complex root = csqrt(half * half + *at(s, last - 1, last) * *at(s, last, last - 1));
  double complex p = half + root, q = half - root;
  return d + (cabs(p) < cabs(q) ? p : q);
}

static void turn(double complex *x, double complex *y, int64_t n, int64_t step, double c, double complex r) {
  for (int64_t i = 0; i < n; i++) {
    double complex p = x[i * step], q = y[i * step];
    x[i * step] = c * p + r * q;
    y[i * step] = c * q - conj(r) * p;
  }
}

/* One QR step of the block first..last, by rotations: the triangle's rows, then its columns. x keeps the rotations: c in one
 * element, r in the next. */
static void step(schur *s, int64_t first, int64_t last, double complex by) {
  int64_t n = s->n;
  for (int64_t i = first; i <= last; i++) *at(s, i, i) -= by;
  for (int64_t k = first; k < last; k++) {
    double complex p = *at(s, k, k), q = *at(s, k + 1, k), r;
    double size = hypot(cabs(p), cabs(q)), c = 1;
    if (size == 0) {
      r = 0;
    } else if (p == 0) {
      c = 0;
      r = conj(q) / cabs(q);
    } else {
      c = cabs(p) / size;
      r = p / cabs(p) * conj(q) / size;
    }
    turn(at(s, k, k), at(s, k + 1, k), (s->vectors ? n - 1 : last) - k + 1, n, c, r);
    s->x[2 * k] = c;
    s->x[2 * k + 1] = r;
  }
  for (int64_t k = first; k < last; k++) {
    double c = creal(s->x[2 * k]);
    double complex r = conj(s->x[2 * k + 1]);
    int64_t top = s->vectors ? 0 : first;
    turn(at(s, top, k), at(s, top, k + 1), k + 2 - top, 1, c, r);
    if (s->vectors) turn(s->z + k * n, s->z + (k + 1) * n, n, 1, c, r);
  }
  for (int64_t i = first; i <= last; i++) *at(s, i, i) += by;
}

static bool negligible(const schur *s, int64_t i) {
  double near = cabs(*at(s, i, i)) + cabs(*at(s, i - 1, i - 1));
  return cabs(*at(s, i, i - 1)) <= DBL_EPSILON * (near > 0 ? near : s->norm);
}

static bool triangle(schur *s) {
  int steps = 0;
  for (int64_t last = s->n - 1; last > 0;) {
    int64_t first = last;
    while (first && !negligible(s, first)) first--;
    if (first) *at(s, first, first - 1) = 0;
    if (first == last) {
      last--;
      steps = 0;
    } else if (steps++ == MAX_STEPS) {
      return false;
    } else {
      step(s, first, last, shift(s, last, steps));
    }
  }
  return true;
}

/* Of eigenvalue k: the substitution's result in the basis z, with norm 1. What would overflow is scaled on the way; equal
 * eigenvalues count as differing by a rounding. */
static void vector(const schur *s, int64_t k, double complex *v) {
  int64_t n = s->n;
  double complex *x = s->x, own = *at(s, k, k);
  double least = fmax(DBL_EPSILON * s->norm, DBL_MIN), norm = 0;
  for (int64_t i = 0; i < k; i++) x[i] = -*at(s, i, k);
  x[k] = 1;
  for (int64_t i = k - 1; i >= 0; i--) {
    double complex gap = *at(s, i, i) - own;
    x[i] /= cabs(gap) < least ? least : gap;
    double size = cabs(x[i]);
    for (int64_t j = 0; size > 1e100 && j <= k; j++) x[j] /= size;
    for (int64_t j = 0; j < i; j++) x[j] -= x[i] * *at(s, j, i);
  }
  for (int64_t i = 0; i < n; i++) v[i] = 0;
  for (int64_t j = 0; j <= k; j++)
    for (int64_t i = 0; i < n; i++) v[i] += x[j] * s->z[j * n + i];
  for (int64_t i = 0; i < n; i++) norm = hypot(norm, cabs(v[i]));
  for (int64_t i = 0; i < n; i++) v[i] /= norm;
}

static void load(schur *s, bool is_complex, const double *a) {
  int64_t n = s->n;
  for (int64_t i = 0; i < n * n; i++) {
    s->h[i] = is_complex ? a[2 * i] + a[2 * i + 1] * I : a[i];
    s->norm = hypot(s->norm, cabs(s->h[i]));
    if (s->vectors) s->z[i] = i % (n + 1) == 0;
  }
}

tme_status dense_eig(tme_dtype t, int64_t n, const void *a, void *w, void *v, bool *converged, error *e) {
  size_t all = (size_t)(n * n), count = all * (v ? 2 : 1) + 2 * (size_t)n;
  double complex *memory = mem_alloc(count * sizeof *memory), *values = w, *vectors = v;
  if (!memory) return fail_memory(e, "eig", count * sizeof *memory);
  schur s = {.n = n, .h = memory, .x = memory + all, .z = memory + all + 2 * n, .vectors = v};
  load(&s, t == TME_C128, a);
  hessenberg(&s);
  *converged = triangle(&s);
  for (int64_t i = 0; i < n; i++) {
    values[i] = *at(&s, i, i);
    if (v && *converged) vector(&s, i, vectors + i * n);
  }
  mem_free(memory);
  return TME_OK;
}
