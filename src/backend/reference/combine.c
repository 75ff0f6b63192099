#include "backend/reference/combine.h"
#include <math.h>

tme_dtype combine_dtype(tme_dtype t) {
  if (dtype_is_complex(t)) return TME_C128;
  if (dtype_is_float(t)) return TME_F64;
  return dtype_is_int(t) && dtype_is_signed(t) ? TME_I64 : TME_U64;
}

static double larger(double x, double y) { return isnan(x) || x > y ? x : y; }
static double smaller(double x, double y) { return isnan(x) || x < y ? x : y; }

static void combine_floats(int mode, double *to, const double *v, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    switch (mode) {
    case SCATTER_MODE_ADD: to[i] += v[i]; break;
    case SCATTER_MODE_MULTIPLY: to[i] *= v[i]; break;
    case SCATTER_MODE_MIN: to[i] = smaller(to[i], v[i]); break;
    default: to[i] = larger(to[i], v[i]);
    }
  }
}

static void combine_complex(int mode, double *to, const double *v, int64_t n) {
  for (int64_t i = 0; i < 2 * n; i += 2) {
    double re = to[i] + v[i], im = to[i + 1] + v[i + 1];
    if (mode == SCATTER_MODE_MULTIPLY) {
      re = to[i] * v[i] - to[i + 1] * v[i + 1];
      im = to[i] * v[i + 1] + to[i + 1] * v[i];
    }
    to[i] = re;
    to[i + 1] = im;
  }
}

/* In two's complement, which wraps. */
static void combine_ints(int mode, bool is_signed, uint64_t *to, const uint64_t *v, int64_t n) {
  uint64_t sign = is_signed ? (uint64_t)1 << 63 : 0;
  for (int64_t i = 0; i < n; i++) {
    bool less = (to[i] ^ sign) < (v[i] ^ sign);
    switch (mode) {
    case SCATTER_MODE_ADD: to[i] += v[i]; break;
    case SCATTER_MODE_MULTIPLY: to[i] *= v[i]; break;
    case SCATTER_MODE_MIN: to[i] = less ? to[i] : v[i]; break;
    default: to[i] = less ? v[i] : to[i];
    }
  }
}

void combine(int mode, tme_dtype t, void *to, const void *v, int64_t n) {
  tme_dtype wide = combine_dtype(t);
  if (wide == TME_F64)
    combine_floats(mode, to, v, n);
  else if (wide == TME_C128)
    combine_complex(mode, to, v, n);
  else
    combine_ints(t == TME_BOOL && mode == SCATTER_MODE_ADD ? SCATTER_MODE_MAX : mode, wide == TME_I64, to, v, n);
}
