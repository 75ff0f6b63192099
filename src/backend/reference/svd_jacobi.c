/* One-sided Jacobi (Hestenes): rotates pairs of columns of W until all are orthogonal; then W V = U S. W is the matrix,
 * or its conjugate transpose if that is the taller one. Columns are contiguous, real and imaginary parts apart. */
#include "backend/reference/svd_jacobi.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { MAX_SWEEPS = 60 };

typedef struct columns {
  int64_t rows;
  double *re, *im; /* im NULL: real */
} columns;

typedef struct jacobi {
  int64_t rows, n; /* rows >= n: of W */
  columns w, v, u; /* u: the left basis, sorted */
  int64_t u_columns;
  int64_t *order; /* columns of w by falling norm */
  double *norm;
  double scale;
} jacobi;

static double *column(const columns *c, double *part, int64_t j) { return part + j * c->rows; }

static double norm2(const columns *c, int64_t j) {
  double sum = 0;
  const double *re = column(c, c->re, j), *im = c->im ? column(c, c->im, j) : NULL;
  for (int64_t i = 0; i < c->rows; i++) sum += re[i] * re[i];
  for (int64_t i = 0; im && i < c->rows; i++) sum += im[i] * im[i];
  return sum;
}

/* conj(p) . q */
static void dot(const columns *a, int64_t p, const columns *b, int64_t q, double out[2]) {
  const double *x = column(a, a->re, p), *y = column(b, b->re, q);
  out[0] = out[1] = 0;
  for (int64_t i = 0; i < a->rows; i++) out[0] += x[i] * y[i];
  if (!a->im) return;
  const double *xi = column(a, a->im, p), *yi = column(b, b->im, q);
  for (int64_t i = 0; i < a->rows; i++) {
    out[0] += xi[i] * yi[i];
    out[1] += x[i] * yi[i] - xi[i] * y[i];
  }
}

static void rotate_part(double *p, double *q, int64_t n, double c, double s) {
  for (int64_t i = 0; i < n; i++) {
    double x = p[i], y = q[i];
    p[i] = c * x - s * y;
    q[i] = s * x + c * y;
  }
}

/* q times the conjugate of the phase, then both turned. */
static void rotate(const columns *m, int64_t p, int64_t q, const double phase[2], double c, double s) {
  double *x = column(m, m->re, p), *y = column(m, m->re, q);
  if (!m->im) {
    rotate_part(x, y, m->rows, c, phase[0] < 0 ? -s : s);
    for (int64_t i = 0; phase[0] < 0 && i < m->rows; i++) y[i] = -y[i];
    return;
  }
  double *xi = column(m, m->im, p), *yi = column(m, m->im, q);
  for (int64_t i = 0; i < m->rows; i++) {
    double re = y[i] * phase[0] + yi[i] * phase[1];
    yi[i] = yi[i] * phase[0] - y[i] * phase[1];
    y[i] = re;
  }
  rotate_part(x, y, m->rows, c, s);
  rotate_part(xi, yi, m->rows, c, s);
}

static bool sweep(jacobi *j, double tolerance) {
  bool turned = false;
  for (int64_t p = 0; p + 1 < j->n; p++) {
    for (int64_t q = p + 1; q < j->n; q++) {
      double a = norm2(&j->w, p), b = norm2(&j->w, q), g[2];
      if (a == 0 || b == 0) continue;
      dot(&j->w, p, &j->w, q, g);
      double size = hypot(g[0], g[1]);
      if (size <= tolerance * sqrt(a) * sqrt(b)) continue;
      double phase[2] = {g[0] / size, g[1] / size};
      double zeta = (b - a) / (2 * size), t = 1 / (fabs(zeta) + hypot(1, zeta));
      if (zeta < 0) t = -t;
      double c = 1 / hypot(1, t), s = c * t;
      rotate(&j->w, p, q, phase, c, s);
      if (j->v.re) rotate(&j->v, p, q, phase, c, s);
      turned = true;
    }
  }
  return turned;
}

static void sort(jacobi *j) {
  for (int64_t i = 0; i < j->n; i++) {
    double norm = sqrt(norm2(&j->w, i));
    int64_t at = i;
    for (; at > 0 && j->norm[at - 1] < norm; at--) {
      j->norm[at] = j->norm[at - 1];
      j->order[at] = j->order[at - 1];
    }
    j->norm[at] = norm;
    j->order[at] = i;
  }
}

/* Column `at` of u: the unit vector that is farthest from the columns before it, made orthogonal to them. */
static void complete(jacobi *j, int64_t at) {
  columns *u = &j->u;
  int64_t best = 0;
  double least = INFINITY;
  for (int64_t i = 0; i < u->rows; i++) {
    double in_span = 0;
    for (int64_t k = 0; k < at; k++) {
      double re = column(u, u->re, k)[i], im = u->im ? column(u, u->im, k)[i] : 0;
      in_span += re * re + im * im;
    }
    if (in_span < least) least = in_span, best = i;
  }
  double *re = column(u, u->re, at), *im = u->im ? column(u, u->im, at) : NULL;
  memset(re, 0, sizeof *re * (size_t)u->rows);
  if (im) memset(im, 0, sizeof *im * (size_t)u->rows);
  re[best] = 1;
  for (int twice = 0; twice < 2; twice++) { /* the second pass removes what rounding left */
    for (int64_t k = 0; k < at; k++) {
      double g[2], *x = column(u, u->re, k), *xi = u->im ? column(u, u->im, k) : NULL;
      dot(u, k, u, at, g);
      for (int64_t i = 0; i < u->rows; i++) {
        re[i] -= g[0] * x[i] - (xi ? g[1] * xi[i] : 0);
        if (im) im[i] -= g[0] * xi[i] + g[1] * x[i];
      }
    }
    double norm = sqrt(norm2(u, at));
    for (int64_t i = 0; i < u->rows; i++) {
      re[i] /= norm;
      if (im) im[i] /= norm;
    }
  }
}

static void left_basis(jacobi *j) {
  double negligible = j->n ? j->norm[0] * DBL_EPSILON * (double)j->rows : 0;
  for (int64_t k = 0; k < j->u_columns; k++) {
    if (k >= j->n || !(j->norm[k] > negligible)) {
      complete(j, k);
      continue;
    }
    for (int part = 0; part < (j->u.im ? 2 : 1); part++) {
      double *to = column(&j->u, part ? j->u.im : j->u.re, k);
      const double *from = column(&j->w, part ? j->w.im : j->w.re, j->order[k]);
      for (int64_t i = 0; i < j->rows; i++) to[i] = from[i] / j->norm[k];
    }
  }
}

static void load(jacobi *j, const svd_matrix *x) {
  bool wide = x->m < x->n;
  int64_t step = x->is_complex ? 2 : 1;
  double most = 0;
  for (int64_t i = 0; i < x->m * x->n * step; i++) most = fmax(most, fabs(x->a[i]));
  int exponent = 0;
  frexp(most, &exponent);
  j->scale = ldexp(1, exponent > 1000 ? 1000 : exponent < -1000 ? -1000 : exponent); /* so that squares stay in range */
  for (int64_t r = 0; r < x->m; r++) {
    for (int64_t c = 0; c < x->n; c++) {
      const double *from = x->a + (r * x->n + c) * step;
      int64_t to = wide ? r * j->rows + c : c * j->rows + r;
      j->w.re[to] = from[0] / j->scale;
      if (j->w.im) j->w.im[to] = (wide ? -from[1] : from[1]) / j->scale;
    }
  }
  if (!j->v.re) return;
  memset(j->v.re, 0, sizeof(double) * (size_t)(j->n * j->n));
  if (j->v.im) memset(j->v.im, 0, sizeof(double) * (size_t)(j->n * j->n));
  for (int64_t i = 0; i < j->n; i++) j->v.re[i * j->n + i] = 1;
}

/* Column k of `basis` is column order[k] of `from`; as column k of u, or, conjugated, as row k of vt. */
static void store_basis(const columns *from, const int64_t *order, int64_t count, bool rows, double *to) {
  int64_t step = from->im ? 2 : 1;
  for (int64_t k = 0; k < count; k++) {
    int64_t source = order ? order[k] : k;
    for (int64_t i = 0; i < from->rows; i++) {
      double *out = to + (rows ? k * from->rows + i : i * count + k) * step;
      out[0] = column(from, from->re, source)[i];
      if (from->im) out[1] = column(from, from->im, source)[i] * (rows ? -1 : 1);
    }
  }
}

static bool add_part(size_t *total, int64_t rows, int64_t count, int parts) {
  size_t n, bytes;
  return mul_size((size_t)rows, (size_t)count, &n) && mul_size(n, sizeof(double) * (size_t)parts, &bytes) &&
         add_size(*total, bytes, total);
}

static columns take_part(double **from, int64_t rows, int64_t count, bool is_complex) {
  columns c = {.rows = rows, .re = *from};
  *from += rows * count;
  if (is_complex) c.im = *from, *from += rows * count;
  return c;
}

tme_status svd_jacobi(const svd_matrix *x, bool *converged, error *e) {
  bool wide = x->m < x->n, vectors = x->u;
  jacobi j = {.rows = wide ? x->n : x->m, .n = wide ? x->m : x->n};
  j.u_columns = vectors ? (wide ? x->vt_rows : x->u_columns) : 0;
  int parts = x->is_complex ? 2 : 1;
  size_t bytes = 0;
  bool fits = add_part(&bytes, j.rows, j.n, parts) && add_part(&bytes, j.n, vectors ? j.n : 0, parts) &&
              add_part(&bytes, j.rows, j.u_columns, parts) && add_part(&bytes, j.n, 1, 1);
  double *memory = fits ? mem_alloc(bytes) : NULL, *next = memory;
  j.order = mem_alloc(sizeof *j.order * (size_t)j.n);
  if (!memory || !j.order) {
    mem_free(memory);
    mem_free(j.order);
    return fail_memory(e, "svd", bytes);
  }
  j.w = take_part(&next, j.rows, j.n, x->is_complex);
  if (vectors) j.v = take_part(&next, j.n, j.n, x->is_complex);
  if (vectors) j.u = take_part(&next, j.rows, j.u_columns, x->is_complex);
  j.norm = next;
  load(&j, x);
  double tolerance = DBL_EPSILON * sqrt((double)j.rows);
  *converged = false;
  for (int i = 0; i < MAX_SWEEPS && !*converged; i++) *converged = !sweep(&j, tolerance);
  sort(&j);
  for (int64_t i = 0; i < j.n; i++) x->s[i] = j.norm[i] * j.scale;
  if (vectors) {
    left_basis(&j);
    store_basis(wide ? &j.v : &j.u, wide ? j.order : NULL, x->u_columns, false, x->u);
    store_basis(wide ? &j.u : &j.v, wide ? NULL : j.order, x->vt_rows, true, x->vt);
  }
  mem_free(memory);
  mem_free(j.order);
  return TME_OK;
}
