#include "backend/reference/combine.h"
#include <math.h>

tme_dtype combine_dtype(tme_dtype t) {
  if (dtype_is_complex(t)) return TME_C128;
  if (dtype_is_float(t)) return TME_F64;
  return dtype_is_int(t) && dtype_is_signed(t) ? TME_I64 : TME_U64;
}

static double larger(double x, double y) { return isnan(x) || x > y ? x : y; }
static double smaller(double x, double y) { return isnan(x) || x < y ? x : y; }

static void combine_floats(int mode, double *all, const int64_t *at, const double *v, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    double *to = all + (at ? at[i] : i);
    switch (mode) {
    case SCATTER_MODE_ADD: *to += v[i]; break;
    case SCATTER_MODE_MULTIPLY: *to *= v[i]; break;
    case SCATTER_MODE_MIN: *to = smaller(*to, v[i]); break;
    default: *to = larger(*to, v[i]);
    }
  }
}

void combine_f32(int mode, double *to, const void *v, int64_t n) {
  const float *x = v;
  switch (mode) {
  case SCATTER_MODE_ADD:
    for (int64_t i = 0; i < n; i++) to[i] += (double)x[i];
    break;
  case SCATTER_MODE_MULTIPLY:
    for (int64_t i = 0; i < n; i++) to[i] *= (double)x[i];
    break;
  case SCATTER_MODE_MIN:
    for (int64_t i = 0; i < n; i++) to[i] = smaller(to[i], (double)x[i]);
    break;
  default:
    for (int64_t i = 0; i < n; i++) to[i] = larger(to[i], (double)x[i]);
  }
}

static void combine_complex(int mode, double *all, const int64_t *at, const double *v, int64_t n) {
  for (int64_t i = 0; i < n; i++, v += 2) {
    double *to = all + 2 * (at ? at[i] : i), re = to[0] + v[0], im = to[1] + v[1];
    if (mode == SCATTER_MODE_MULTIPLY) {
      re = to[0] * v[0] - to[1] * v[1];
      im = to[0] * v[1] + to[1] * v[0];
    }
    to[0] = re;
    to[1] = im;
  }
}

/* In two's complement, which wraps. */
static void combine_ints(int mode, bool is_signed, uint64_t *all, const int64_t *at, const uint64_t *v, int64_t n) {
  uint64_t sign = is_signed ? (uint64_t)1 << 63 : 0;
  for (int64_t i = 0; i < n; i++) {
    uint64_t *to = all + (at ? at[i] : i);
    bool less = (*to ^ sign) < (v[i] ^ sign);
    switch (mode) {
    case SCATTER_MODE_ADD: *to += v[i]; break;
    case SCATTER_MODE_MULTIPLY: *to *= v[i]; break;
    case SCATTER_MODE_MIN: *to = less ? *to : v[i]; break;
    default: *to = less ? v[i] : *to;
    }
  }
}

void combine(int mode, tme_dtype t, void *to, const int64_t *at, const void *v, int64_t n) {
  tme_dtype wide = combine_dtype(t);
  if (wide == TME_F64)
    combine_floats(mode, to, at, v, n);
  else if (wide == TME_C128)
    combine_complex(mode, to, at, v, n);
  else
    combine_ints(t == TME_BOOL && mode == SCATTER_MODE_ADD ? SCATTER_MODE_MAX : mode, wide == TME_I64, to, at, v, n);
}
