/* layer_norm, rms_norm along the last axis. */
#include "backend/reference/rows.h"
#include <math.h>

/* weight and bias as contiguous rows of the wide dtype; NULL if absent. */
typedef struct norm {
  double eps;
  const void *weight, *bias;
} norm;

#define NORM(suffix, REAL, SQRT)                                                                                       \
  static void scale_##suffix(const norm *p, REAL *v, int64_t n, REAL *square) {                                        \
    const REAL *weight = p->weight, *bias = p->bias;                                                                   \
    for (int64_t i = 0; i < n; i++) square[i] = v[i] * v[i];                                                           \
    REAL spread = SQRT(row_sum_##suffix(square, n) / (REAL)n + (REAL)p->eps);                                          \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
      v[i] /= spread;                                                                                                  \
      if (weight) v[i] *= weight[i];                                                                                   \
      if (bias) v[i] += bias[i];                                                                                       \
    }                                                                                                                  \
  }                                                                                                                    \
  static void rms_norm_##suffix(const rows *r, REAL *v, int64_t n) { scale_##suffix(r->user, v, n, r->spare); }        \
  static void layer_norm_##suffix(const rows *r, REAL *v, int64_t n) {                                                 \
    row_centre_##suffix(v, n);                                                                                         \
    scale_##suffix(r->user, v, n, r->spare);                                                                           \
  }

NORM(f32, float, sqrtf)
NORM(f64, double, sqrt)

tme_status ref_norm(ref_call *c, error *e) {
  const ref_array *x = c->in[0];
  tme_dtype wide = rows_dtype(x->type.dtype);
  int64_t n = x->type.shape[x->type.rank - 1], one = 1;
  size_t row = (size_t)n * tme_dtype_size(wide);
  char *parameters = mem_alloc(2 * row);
  if (!parameters) return fail_memory(e, op_name(c->op), 2 * row);
  norm p = {.eps = c->attrs->norm.eps};
  for (int i = 1; i < c->nin; i++) {
    if (!c->in[i]) continue;
    char *to = parameters + (size_t)(i - 1) * row;
    convert_strided(1, &n, c->in[i]->type.dtype, c->in[i]->data, c->in[i]->strides, wide, to, &one);
    if (i == 1)
      p.weight = to;
    else
      p.bias = to;
  }
  rows r = {.x = x, .axes = 1u << (x->type.rank - 1), .out = &c->out[0], .whole = true, .user = &p};
  bool layer = c->op == OP_layer_norm;
  r.f32 = layer ? layer_norm_f32 : rms_norm_f32;
  r.f64 = layer ? layer_norm_f64 : rms_norm_f64;
  tme_status s = rows_run(&r, e);
  mem_free(parameters);
  return s;
}
