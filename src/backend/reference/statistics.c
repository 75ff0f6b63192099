/* mean, var, std, logsumexp. */
#include "backend/reference/rows.h"
#include <math.h>

#define STATISTICS(suffix, REAL, SQRT)                                                                                 \
  static void mean_##suffix(const rows *r, REAL *v, int64_t n) {                                                       \
    (void)r;                                                                                                           \
    v[0] = row_sum_##suffix(v, n) / (REAL)n;                                                                           \
  }                                                                                                                    \
  static void var_##suffix(const rows *r, REAL *v, int64_t n) {                                                        \
    const double *correction = r->user;                                                                                \
    row_centre_##suffix(v, n);                                                                                         \
    for (int64_t i = 0; i < n; i++) v[i] *= v[i];                                                                      \
    v[0] = row_sum_##suffix(v, n) / (REAL)fmax((double)n - *correction, 0);                                            \
  }                                                                                                                    \
  static void std_##suffix(const rows *r, REAL *v, int64_t n) {                                                        \
    var_##suffix(r, v, n);                                                                                             \
    v[0] = SQRT(v[0]);                                                                                                 \
  }                                                                                                                    \
  static void logsumexp_##suffix(const rows *r, REAL *v, int64_t n) {                                                  \
    (void)r;                                                                                                           \
    REAL m = row_max_##suffix(v, n);                                                                                   \
    if (!isfinite(m)) m = 0;                                                                                           \
    for (int64_t i = 0; i < n; i++) v[i] = (REAL)exp((double)(v[i] - m));                                              \
    v[0] = (REAL)log((double)row_sum_##suffix(v, n)) + m;                                                              \
  }

STATISTICS(f32, float, sqrtf)
STATISTICS(f64, double, sqrt)

tme_status ref_statistics(ref_call *c, error *e) {
  rows r = {.x = c->in[0],
            .axes = c->attrs->statistics.axes.mask,
            .out = &c->out[0],
            .user = &c->attrs->statistics.correction};
  switch (c->op) {
  case OP_mean: r.f32 = mean_f32, r.f64 = mean_f64; break;
  case OP_var: r.f32 = var_f32, r.f64 = var_f64; break;
  case OP_std: r.f32 = std_f32, r.f64 = std_f64; break;
  default: r.f32 = logsumexp_f32, r.f64 = logsumexp_f64; break;
  }
  return rows_run(&r, e);
}
