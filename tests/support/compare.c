/* Two results, element by element: NaN, infinities and zeros by class, numbers within a bound. */
#include "support/matrix.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One unit of a narrow result of that size; 0 of other dtypes, whose last rounding is in the bound. */
static double last_rounding(tme_dtype t, double size) {
  return dtype_is_narrow(t) ? fmax(fabs(size) * tme_dtype_epsilon(t), dtype_get(t)->least) : 0;
}

/* The least normal number: below it roundings are absolute. */
static double least(tme_dtype t) {
  double epsilon = tme_dtype_epsilon(t);
  return epsilon > 0 ? dtype_get(t)->least / epsilon : 0;
}

/* Around the largest number a result within the bound may be infinite. */
static bool nearly_infinite(tme_dtype t, double a, double b, double margin) {
  double edge = dtype_get(t)->most, finite = isinf(a) ? b : a, infinite = isinf(a) ? a : b;
  return isfinite(finite) && signbit(finite) == signbit(infinite) && fabs(finite) >= edge * (1 - 1e-6) - margin;
}

static bool within(tme_dtype t, double got, double want, double margin) {
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
  if (got == want) return margin > 0 || got != 0 || signbit(got) == signbit(want);
  double slack = (isnan(margin) ? 0 : margin) + last_rounding(t, want) + (margin > 0 ? 2 * least(t) * 0x1p-10 : 0);
  if (isinf(want) || isinf(got)) return margin > 0 && nearly_infinite(t, got, want, slack);
  return fabs(got - want) <= slack;
}

static bool same_complex(tme_dtype t, const double g[2], const double w[2], double epsilons) {
  bool finite = isfinite(w[0]) && isfinite(w[1]) && isfinite(g[0]) && isfinite(g[1]);
  if (epsilons == 0 || !finite) {
    /* Beside a NaN the standard of C leaves the sign of the other part open. */
    bool open = epsilons > 0 && (isnan(w[0]) || isnan(w[1]));
    for (int p = 0; p < 2; p++)
      if (!within(t, open ? fabs(g[p]) : g[p], open ? fabs(w[p]) : w[p], 0)) return false;
    return true;
  }
  double size = hypot(w[0], w[1]), slack = epsilons * (dtype_epsilon(t) * size + 2 * least(t) * dtype_epsilon(t));
  return isinf(size) || hypot(g[0] - w[0], g[1] - w[1]) <= slack;
}

static bool same_real(tme_dtype t, const void *got, const void *want, double g, double w, double ulps) {
  if (isnan(g) || isnan(w)) return isnan(g) && isnan(w);
  if (g == 0 && w == 0) return signbit(g) == signbit(w);
  return element_ulps(t, got, want) <= ulps;
}

bool compare_output(const cell *c, tme_dtype t, int64_t n, const void *got, const void *want, const double *absolute,
                    double ulps, char why[static 200]) {
  size_t size = tme_dtype_size(t);
  bool is_float = dtype_is_float(dtype_real(t)), is_complex = dtype_is_complex(t);
  bool any_zero = op_any_zero(c->op);
  for (int64_t i = 0; i < n; i++) {
    const char *g = (const char *)got + (size_t)i * size, *w = (const char *)want + (size_t)i * size;
    double gv[2], wv[2];
    element_value(t, g, gv);
    element_value(t, w, wv);
    bool same;
    if (!is_float)
      same = !memcmp(g, w, size);
    else if (absolute)
      same = within(t, gv[0], wv[0], absolute[i]) && (!is_complex || within(t, gv[1], wv[1], absolute[i]));
    else if (is_complex)
      same = same_complex(t, gv, wv, ulps);
    else
      same = same_real(t, g, w, gv[0], wv[0], ulps) || (any_zero && gv[0] == 0 && wv[0] == 0);
    if (same) continue;
    int len = snprintf(why, 200, "element %lld is %.17g%+.17gi, not %.17g%+.17gi (bound %g)", (long long)i, gv[0],
                       gv[1], wv[0], wv[1], absolute ? absolute[i] : ulps);
    for (int k = 0; k < c->nin && operand_size(&c->in[k]) == n && len < 150; k++) {
      element_value(c->in[k].dtype, operand_at(&c->in[k], i), gv);
      len += snprintf(why + len, 200 - (size_t)len, " %s%.9g%+.9gi", k ? ", " : "of ", gv[0], gv[1]);
    }
    return false;
  }
  return true;
}

/* ---- decompositions -------------------------------------------------------------------------------------------------------- */

typedef struct factors {
  int64_t m, n, k, u_columns, vt_rows;
  const double (*a)[2], (*u)[2], (*s)[2], (*vt)[2];
} factors;

static double (*load(tme_dtype t, const void *data, int64_t from, int64_t n))[2] {
  double(*v)[2] = calloc((size_t)n + 1, sizeof *v);
  if (!v) abort();
  for (int64_t i = 0; i < n; i++) element_value(t, (const char *)data + (size_t)(from + i) * tme_dtype_size(t), v[i]);
  return v;
}

/* The largest |U'U - I| of n vectors of length m; element p of vector i lies at i * across + p * along. */
static double skew(const double (*u)[2], int64_t n, int64_t m, int64_t across, int64_t along) {
  double most = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j <= i; j++) {
      double re = i == j ? -1 : 0, im = 0;
      for (int64_t p = 0; p < m; p++) {
        const double *x = u[i * across + p * along], *y = u[j * across + p * along];
        re += x[0] * y[0] + x[1] * y[1];
        im += x[0] * y[1] - x[1] * y[0];
      }
      most = fmax(most, hypot(re, im));
    }
  return most;
}

/* The largest |A - U S V|. */
static double residual(const factors *f) {
  double most = 0;
  for (int64_t i = 0; i < f->m; i++)
    for (int64_t j = 0; j < f->n; j++) {
      double re = f->a[i * f->n + j][0], im = f->a[i * f->n + j][1];
      for (int64_t p = 0; p < f->k; p++) {
        const double *x = f->u[i * f->u_columns + p], *y = f->vt[p * f->n + j];
        re -= f->s[p][0] * (x[0] * y[0] - x[1] * y[1]);
        im -= f->s[p][0] * (x[0] * y[1] + x[1] * y[0]);
      }
      most = fmax(most, hypot(re, im));
    }
  return most;
}

/* The singular values alone: their squares sum up to the squared norm. */
static double norm_gap(const factors *f, double norm) {
  double sum = 0;
  for (int64_t p = 0; p < f->k; p++) sum += f->s[p][0] * f->s[p][0];
  return fabs(sqrt(sum) - norm);
}

/* The dtype's numbers: the distance from 1 to the next, the largest and the smallest. */
typedef struct limits {
  double eps, largest, least;
} limits;

/* Singular values of a norm beyond the largest number may be infinite; each is rounded to a multiple of the smallest one. */
static bool check_matrix(const factors *f, const limits *l, bool vectors, char why[static 200]) {
  double norm = 0, slack = 40 * (double)(f->m > f->n ? f->m : f->n) * l->eps;
  for (int64_t i = 0; i < f->m * f->n; i++) norm += f->a[i][0] * f->a[i][0] + f->a[i][1] * f->a[i][1];
  norm = sqrt(norm);
  if (norm > l->largest) return true;
  double most = slack * norm + (double)f->k * l->least;
  for (int64_t p = 0; p < f->k; p++)
    if (!(f->s[p][0] >= 0) || (p && f->s[p][0] > f->s[p - 1][0])) {
      snprintf(why, 200, "singular value %lld is %g", (long long)p, f->s[p][0]);
      return false;
    }
  double gap = norm_gap(f, norm), rest = vectors ? residual(f) : 0;
  double u = vectors ? skew(f->u, f->u_columns, f->m, 1, f->u_columns) : 0;
  double v = vectors ? skew(f->vt, f->vt_rows, f->n, f->n, 1) : 0;
  if (gap <= most && rest <= most && u <= slack && v <= slack) return true;
  snprintf(why, 200, "norm %g, off by %g, residual %g, skew of u %g, of vt %g (bound %g)", norm, gap, rest, u, v,
           slack);
  return false;
}

bool check_svd(const cell *c, const tme_array *const *out, const void *const *data, char why[static 200]) {
  const operand *x = &c->in[0];
  bool vectors = op_get(c->op)->outputs == 3;
  int r = x->rank, which = vectors ? 1 : 0;
  factors f = {.m = x->shape[r - 2], .n = x->shape[r - 1]};
  f.k = f.m < f.n ? f.m : f.n;
  if (vectors) {
    f.u_columns = tme_array_shape(out[0])[r - 1];
    f.vt_rows = tme_array_shape(out[2])[r - 2];
  }
  tme_dtype t = tme_array_dtype(out[0]), real = tme_array_dtype(out[which]);
  limits l = {tme_dtype_epsilon(real), dtype_get(real)->most, dtype_get(real)->least};
  int64_t one = f.m * f.n, matrices = one ? operand_size(x) / one : 0;
  bool good = true;
  for (int64_t b = 0; b < matrices && good; b++) {
    double(*a)[2] = calloc((size_t)one, sizeof *a);
    if (!a) abort();
    for (int64_t i = 0; i < one; i++) element_value(x->dtype, operand_at(x, b * one + i), a[i]);
    int64_t nu = f.m * f.u_columns, nv = f.vt_rows * f.n;
    double(*u)[2] = vectors ? load(t, data[0], b * nu, nu) : NULL, (*s)[2] = load(real, data[which], b * f.k, f.k);
    double(*vt)[2] = vectors ? load(t, data[2], b * nv, nv) : NULL;
    f.a = (const double(*)[2])a;
    f.u = (const double(*)[2])u;
    f.s = (const double(*)[2])s;
    f.vt = (const double(*)[2])vt;
    good = check_matrix(&f, &l, vectors, why);
    free(a);
    free(u);
    free(s);
    free(vt);
  }
  return good;
}

bool op_has_identities(int op) {
  op_family f = op_get(op)->family;
  return f == FAMILY_svd || f == FAMILY_eigen;
}

bool check_identities(const cell *c, const tme_array *const *out, const void *const *data, char why[static 200]) {
  return (op_get(c->op)->family == FAMILY_svd ? check_svd : check_eigen)(c, out, data, why);
}
