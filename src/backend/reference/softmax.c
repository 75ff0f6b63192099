/* softmax, log_softmax over axes. */
#include "backend/reference/rows.h"
#include <math.h>

#define SOFTMAX(suffix, REAL)                                                                                          \
  static void softmax_##suffix(const rows *r, REAL *v, int64_t n) {                                                    \
    (void)r;                                                                                                           \
    REAL m = row_max_##suffix(v, n);                                                                                   \
    for (int64_t i = 0; i < n; i++) v[i] = (REAL)exp((double)(v[i] - m));                                              \
    REAL sum = row_sum_##suffix(v, n);                                                                                 \
    for (int64_t i = 0; i < n; i++) v[i] /= sum;                                                                       \
  }                                                                                                                    \
  static void log_softmax_##suffix(const rows *r, REAL *v, int64_t n) {                                                \
    REAL m = row_max_##suffix(v, n), *p = r->spare;                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
      v[i] -= m;                                                                                                       \
      p[i] = (REAL)exp((double)v[i]);                                                                                  \
    }                                                                                                                  \
    REAL sum = (REAL)log((double)row_sum_##suffix(p, n));                                                              \
    for (int64_t i = 0; i < n; i++) v[i] -= sum;                                                                       \
  }

SOFTMAX(f32, float)
SOFTMAX(f64, double)

tme_status ref_softmax(ref_call *c, error *e) {
  rows r = {.x = c->in[0], .axes = c->attrs->softmax.axes.mask, .out = &c->out[0], .whole = true};
  bool log = c->op == OP_log_softmax;
  r.f32 = log ? log_softmax_f32 : softmax_f32;
  r.f64 = log ? log_softmax_f64 : softmax_f64;
  return rows_run(&r, e);
}
