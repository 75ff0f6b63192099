#include "array/compose.h"
#include "array/apply.h"
#include "array/scope.h"
#include <math.h>
#include <string.h>

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

tme_status compose_linspace(tme_scope *s, const op_attrs *attrs, tme_array **out) {
  const create_attrs *a = &attrs->create;
  tme_scope *own = scope_between(s, "linspace");
  if (!own) return s->err.code;
  tme_array *y = tme_linspace(own, number_value(&a->start), number_value(&a->stop), a->num, a->endpoint, TME_F64);
  *out = scope_result(s, own, tme_astype(own, tme_floor(own, y), a->dtype));
  return *out ? TME_OK : s->err.code;
}

/* The elements of an axis of extent n that stand at -before ... n + after - 1. */
static tme_array *pad_places(tme_scope *s, int mode, int64_t n, int64_t before, int64_t after) {
  tme_array *i = tme_arange(s, (double)-before, (double)(n + after), 1, TME_I64);
  tme_array *last = tme_integer(s, n - 1);
  if (mode == VIEW_MODE_EDGE || n == 1) return tme_clip(s, i, tme_integer(s, 0), last);
  if (mode == VIEW_MODE_WRAP) return tme_remainder(s, i, tme_integer(s, n));
  /* There and back again: the place, or that counted from the end. */
  int64_t period = mode == VIEW_MODE_SYMMETRIC ? 2 * n : 2 * (n - 1);
  i = tme_remainder(s, i, tme_integer(s, period));
  tme_array *back = tme_subtract(s, tme_integer(s, mode == VIEW_MODE_SYMMETRIC ? period - 1 : period), i);
  return tme_minimum(s, i, back);
}

static tme_array *pad(tme_scope *s, tme_array *x, const view_attrs *a) {
  /* What a border of zeros would be: the checks of its widths and sizes. */
  tme_array *zeros = tme_pad(s, x, a->before.v, a->after.v, 0, "constant");
  for (int d = 0; zeros && x && d < x->type.rank; d++) {
    int64_t n = x->type.shape[d];
    if (zeros->type.shape[d] == n) continue;
    if (!n) {
      fail(&s->err, TME_ERR_SHAPE, "pad: dimension %d has no elements to fill its border with", d);
      return NULL;
    }
    x = tme_take(s, x, pad_places(s, a->mode, n, a->before.v[d], a->after.v[d]), d);
  }
  return zeros ? x : NULL;
}

tme_status compose_pad(tme_scope *s, tme_array *x, const op_attrs *attrs, tme_array **out) {
  tme_scope *own = scope_between(s, "pad");
  *out = own ? scope_result(s, own, pad(own, x, &attrs->view)) : NULL;
  return *out ? TME_OK : s->err.code;
}

tme_status compose_variance(tme_scope *s, int op, tme_array *x, const tme_arg *args, int nargs, tme_array **out) {
  tme_scope *own = scope_between(s, op_name(op));
  if (!own) return s->err.code;
  tme_arg of_part[OP_MAX_PARAMS];
  memcpy(of_part, args, sizeof *args * (size_t)nargs);
  tme_array *part[] = {tme_real(own, x), tme_imag(own, x)}, *y[2] = {0};
  for (int k = 0; k < 2; k++) {
    of_part[0] = arg_array(part[k]);
    apply(own, OP_var, of_part, nargs, &y[k]);
  }
  tme_array *sum = tme_add(own, y[0], y[1]);
  *out = scope_result(s, own, op == OP_std ? tme_sqrt(own, sum) : sum);
  return *out ? TME_OK : s->err.code;
}

static tme_dtype asked(int op, const op_attrs *attrs) {
  bool reduces = op == OP_sum || op == OP_prod;
  return reduces ? attrs->reduce.dtype : op == OP_mean ? attrs->statistics.dtype : TME_DTYPE_NONE;
}

bool compose_has_dtype(int op, const op_attrs *attrs) { return asked(op, attrs) != TME_DTYPE_NONE; }

/* Sums of small integers are of 64 bits, means of whole numbers floating. */
tme_status compose_in_dtype(tme_scope *s, int op, tme_array *x, const op_attrs *attrs, const tme_arg *args, int nargs,
                            tme_array **out) {
  tme_scope *own = scope_between(s, op_name(op));
  if (!own) return s->err.code;
  tme_dtype t = asked(op, attrs);
  tme_arg call[OP_MAX_PARAMS];
  memcpy(call, args, (size_t)nargs * sizeof *args);
  call[0] = arg_array(x->type.dtype == t ? x : tme_astype(own, x, t));
  tme_array *y = NULL;
  tme_apply_op(own, op, call, nargs - 1, &y);
  if (y && y->type.dtype != t) y = tme_astype(own, y, t);
  *out = scope_result(s, own, y);
  return *out ? TME_OK : s->err.code;
}
