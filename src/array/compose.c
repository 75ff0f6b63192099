#include "array/compose.h"
#include "array/scope.h"
#include <math.h>

int compose_clip(tme_array **in, tme_dtype *cast, int *nin) {
  if (in[1] && in[2]) return OP_clip;
  int op = in[1] ? OP_maximum : in[2] ? OP_minimum : OP_positive;
  if (in[2]) {
    in[1] = in[2];
    cast[1] = cast[2];
  }
  *nin = in[1] ? 2 : 1;
  return op;
}

/* The nearest multiple of `base`, of two the even one; x is of 64 bits. */
static tme_array *round_integers(tme_scope *s, tme_array *x, int64_t base) {
  tme_array *b = tme_integer(s, base), *one = tme_integer(s, 1);
  tme_array *q = tme_floor_divide(s, x, b), *below = tme_subtract(s, x, tme_multiply(s, q, b));
  tme_array *above = tme_subtract(s, b, below), *odd = tme_equal(s, tme_bitwise_and(s, q, one), one);
  tme_array *tie = tme_logical_and(s, tme_equal(s, above, below), odd);
  tme_array *up = tme_logical_or(s, tme_less(s, above, below), tme_astype(s, tie, TME_BOOL));
  return tme_multiply(s, tme_where(s, up, tme_add(s, q, one), q), b);
}

/* As NumPy: three roundings. What overflows on the way has no decimals. */
static tme_array *round_floats(tme_scope *s, tme_array *x, int64_t decimals) {
  int64_t most = x->type.dtype == TME_F64 ? 308 : 38;
  if (decimals > most) return x;
  if (decimals < -most) return tme_where(s, tme_isfinite(s, x), tme_multiply(s, x, tme_integer(s, 0)), x);
  tme_array *scale = tme_number(s, pow(10, (double)(decimals < 0 ? -decimals : decimals)));
  if (decimals < 0) return tme_multiply(s, tme_round(s, tme_divide(s, x, scale), 0), scale);
  tme_array *large = tme_multiply(s, x, scale);
  return tme_where(s, tme_isfinite(s, large), tme_divide(s, tme_round(s, large, 0), scale), x);
}

static tme_array *round_any(tme_scope *s, tme_array *x, int64_t decimals) {
  tme_dtype t = x->type.dtype, wide = t;
  if (dtype_is_complex(t))
    return tme_complex(s, round_floats(s, tme_real(s, x), decimals), round_floats(s, tme_imag(s, x), decimals));
  /* Of whole numbers nothing is left to round; what round does not take is refused there. */
  if ((dtype_is_int(t) && decimals > 0) || !(dtype_is_int(t) || dtype_is_float(t))) return tme_round(s, x, 0);
  if (dtype_is_int(t)) {
    if (decimals < -18) {
      fail(&s->err, TME_ERR_ARGUMENT, "round: decimals is %lld, expected at least -18 for %s", (long long)decimals,
           tme_dtype_name(t));
      return NULL;
    }
    wide = dtype_is_signed(t) ? TME_I64 : TME_U64;
  } else {
    wide = dtype_wide(t);
  }
  if (wide != t) x = tme_astype(s, x, wide);
  if (!x) return NULL;
  int64_t base = 1;
  for (int64_t i = decimals; dtype_is_int(t) && i < 0; i++) base *= 10;
  x = dtype_is_int(t) ? round_integers(s, x, base) : round_floats(s, x, decimals);
  return wide == t ? x : tme_astype(s, x, t);
}

tme_status compose_round(tme_scope *s, tme_array *x, int64_t decimals, tme_array **out) {
  tme_scope *own = scope_between(s, "round");
  *out = own ? scope_result(s, own, round_any(own, x, decimals)) : NULL;
  return *out ? TME_OK : s->err.code;
}
