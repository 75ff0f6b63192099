/* det, slogdet: the product of the diagonal of U, whose factors are scaled so that it overflows only as a whole. */
#include "backend/reference/lu.h"
#include <math.h>

static void get(tme_dtype t, const void *a, int64_t i, double v[2]) {
  bool is_complex = dtype_is_complex(t);
  if (dtype_real(t) == TME_F64) {
    const double *x = a;
    v[0] = x[is_complex ? 2 * i : i];
    v[1] = is_complex ? x[2 * i + 1] : 0;
  } else {
    const float *x = a;
    v[0] = (double)x[is_complex ? 2 * i : i];
    v[1] = is_complex ? (double)x[2 * i + 1] : 0;
  }
}

static void put(tme_dtype t, void *to, const double v[2]) {
  for (int p = 0; p < (dtype_is_complex(t) ? 2 : 1); p++)
    if (dtype_real(t) == TME_F64)
      ((double *)to)[p] = v[p];
    else
      ((float *)to)[p] = (float)v[p];
}

static void scale(double v[2], int64_t *exponent) {
  int e = 0;
  frexp(fmax(fabs(v[0]), fabs(v[1])), &e);
  v[0] = ldexp(v[0], -e);
  v[1] = ldexp(v[1], -e);
  *exponent += e;
}

static bool determinant(const matrices *m, matrices_work *w, error *e) {
  (void)e;
  int64_t n = m->rows, *pivots = w->spare, exponent = 0;
  bool regular;
  if (!lu_make(w, n, n, w->in[0], pivots, &regular)) return false;
  double d[2] = {1, 0};
  for (int64_t i = 0; i < n; i++) {
    double u[2], sign = pivots[i] == i ? 1 : -1;
    get(w->t, w->in[0], i * n + i, u);
    scale(u, &exponent);
    double re = d[0] * u[0] - d[1] * u[1], im = d[0] * u[1] + d[1] * u[0];
    d[0] = sign * re;
    d[1] = sign * im;
    scale(d, &exponent);
  }
  if (m->c->op == OP_det) {
    int by = exponent > 5000 ? 5000 : exponent < -5000 ? -5000 : (int)exponent;
    put(w->t, w->out[0], (const double[2]){ldexp(d[0], by), ldexp(d[1], by)});
    return true;
  }
  double size = hypot(d[0], d[1]), over = size > 0 ? size : 1;
  put(w->t, w->out[0], (const double[2]){d[0] / over, d[1] / over});
  put(dtype_real(w->t), w->out[1], (const double[2]){log(size) + (double)exponent * log(2), 0});
  return true;
}

tme_status ref_determinant(ref_call *c, error *e) {
  matrices m = matrices_of(c, determinant);
  m.spare = (size_t)m.rows * sizeof(int64_t);
  m.small = LU_SMALL;
  return matrices_run(&m, e);
}
