#include "kernel/expr_complex.h"
#include "kernel/math.h"
#include <math.h>

#define LN2 0x1.62e42fefa39efp-1

static int num(kernel *k, int like, double v) { return k_const_f(k, expr_type(k, like), v); }
static int add(kernel *k, int a, int b) { return k_bin(k, K_ADD, a, b); }
static int sub(kernel *k, int a, int b) { return k_bin(k, K_SUB, a, b); }
static int mul(kernel *k, int a, int b) { return k_bin(k, K_MUL, a, b); }
static int quotient(kernel *k, int a, int b) { return k_bin(k, K_DIV, a, b); }
static int neg(kernel *k, int a) { return k_un(k, K_NEG, a); }
static int magnitude(kernel *k, int a) { return k_un(k, K_ABS, a); }
static int either(kernel *k, int a, int b) { return k_bin(k, K_OR, a, b); }
static int is(kernel *k, k_op compare, int a, double v) { return k_bin(k, compare, a, num(k, a, v)); }

expr_value complex_mul(kernel *k, expr_value a, expr_value b) {
  expr_value v = {sub(k, mul(k, a.re, b.re), mul(k, a.im, b.im)), -1};
  v.im = add(k, mul(k, a.re, b.im), mul(k, a.im, b.re));
  return v;
}

static expr_value to(kernel *k, tme_dtype t, expr_value a) {
  expr_value v = {k_cast(k, t, a.re), -1};
  v.im = k_cast(k, t, a.im);
  return v;
}

static expr_value times(kernel *k, expr_value a, int factor) {
  expr_value v = {mul(k, a.re, factor), -1};
  v.im = mul(k, a.im, factor);
  return v;
}

static int larger_part(kernel *k, expr_value a) { return k_bin(k, K_MAX, magnitude(k, a.re), magnitude(k, a.im)); }

/* v * r, but 0 where r is 0, also of an infinity or NaN: divided by a number without an imaginary part, each part is on its
 * own. */
static int part_times(kernel *k, int v, int r) {
  int none = k_bin(k, K_AND, is(k, K_NE, sub(k, v, v), 0), is(k, K_EQ, r, 0));
  return k_select(k, none, r, mul(k, v, r));
}

/* f32 parts are divided in f64, f64 parts scaled by a power of two where sums would leave the range. */
expr_value complex_div(kernel *k, expr_value a, expr_value b) {
  tme_dtype t = expr_type(k, b.re);
  a = to(k, TME_F64, a);
  b = to(k, TME_F64, b);
  if (t == TME_F64) {
    int of_b = larger_part(k, b), big = is(k, K_GT, k_bin(k, K_LARGER, larger_part(k, a), of_b), 0x1p1000);
    int up = k_select(k, is(k, K_LT, of_b, 0x1p-900), num(k, of_b, 0x1p100), num(k, of_b, 1));
    int factor = k_select(k, big, num(k, of_b, 0x1p-8), up);
    a = times(k, a, factor);
    b = times(k, b, factor);
  }
  int p = k_bin(k, K_GE, magnitude(k, b.re), magnitude(k, b.im));
  int hi = k_select(k, p, b.re, b.im), lo = k_select(k, p, b.im, b.re);
  int x = k_select(k, p, a.re, a.im), y = k_select(k, p, a.im, a.re);
  int r = k_select(k, is(k, K_EQ, hi, 0), num(k, hi, 0), quotient(k, lo, hi));
  int scale = add(k, hi, mul(k, lo, r)), u = sub(k, y, part_times(k, x, r));
  expr_value v = {quotient(k, add(k, x, part_times(k, y, r)), scale), -1};
  v.im = quotient(k, k_select(k, p, u, neg(k, u)), scale);
  return to(k, t, v);
}

static int infinite(kernel *k, expr_value a) {
  return either(k, is(k, K_EQ, magnitude(k, a.re), INFINITY), is(k, K_EQ, magnitude(k, a.im), INFINITY));
}

/* In f64: a = part * up, and |part|, which is neither denormal nor too large, as far as a is neither 0 nor infinite. The
 * squares of f32 parts stay in range as they are. */
typedef struct scaled {
  expr_value part;
  int modulus, big, small;
} scaled;

static scaled scale(kernel *k, expr_value a, bool f64) {
  scaled s = {.part = to(k, TME_F64, a), .big = -1, .small = -1};
  if (f64) {
    int most = larger_part(k, s.part), one = num(k, most, 1);
    s.big = is(k, K_GT, most, 0x1p500);
    s.small = is(k, K_LT, most, 0x1p-500);
    int down = k_select(k, s.big, num(k, one, 0x1p-600), k_select(k, s.small, num(k, one, 0x1p600), one));
    s.part = times(k, s.part, down);
  }
  int square = mul(k, s.part.im, s.part.im);
  s.modulus = k_un(k, K_SQRT, k_fma_once(k, s.part.re, s.part.re, square));
  return s;
}

/* One of three by the scale that was taken. */
static int by_scale(kernel *k, const scaled *s, double if_big, double if_small, double else_) {
  int v = num(k, s->modulus, else_);
  if (s->big < 0) return v;
  return k_select(k, s->big, num(k, v, if_big), k_select(k, s->small, num(k, v, if_small), v));
}

int complex_abs(kernel *k, expr_value a) {
  tme_dtype t = expr_type(k, a.re);
  scaled s = scale(k, a, t == TME_F64);
  int v = s.modulus;
  if (t == TME_F64) v = mul(k, v, by_scale(k, &s, 0x1p600, 0x1p-600, 1));
  v = k_cast(k, t, v);
  return k_select(k, infinite(k, a), num(k, v, INFINITY), v);
}

/* Beside an infinite part the other one does not count. */
static int direction(kernel *k, int any_infinite, int part) {
  int one = num(k, part, 1), zero = num(k, part, 0);
  int size = k_select(k, is(k, K_EQ, magnitude(k, part), INFINITY), one, zero);
  return k_select(k, any_infinite, expr_copysign(k, size, part), part);
}

expr_value complex_sign(kernel *k, expr_value a) {
  tme_dtype t = expr_type(k, a.re);
  int far = infinite(k, a);
  expr_value b = {direction(k, far, a.re), -1};
  b.im = direction(k, far, a.im);
  scaled s = scale(k, b, t == TME_F64);
  int zero = num(k, s.modulus, 0), none = k_bin(k, K_EQ, s.modulus, zero);
  expr_value v = {k_select(k, none, zero, quotient(k, s.part.re, s.modulus)), -1};
  v.im = k_select(k, none, zero, quotient(k, s.part.im, s.modulus));
  return to(k, t, v);
}

/* Half of a large operand is taken so that |a| + |re| stays finite. */
static expr_value sqrt_f64(kernel *k, expr_value a) {
  int most = k_bin(k, K_MAX, magnitude(k, a.re), magnitude(k, a.im));
  int big = is(k, K_GT, most, 0x1p1000), small = is(k, K_LT, most, 0x1p-1000), one = num(k, a.re, 1);
  int down = k_select(k, big, num(k, one, 0x1p-4), k_select(k, small, num(k, one, 0x1p100), one));
  int up = k_select(k, big, num(k, one, 4), k_select(k, small, num(k, one, 0x1p-50), one));
  expr_value s = {mul(k, a.re, down), -1};
  s.im = mul(k, a.im, down);
  int half = mul(k, add(k, magnitude(k, s.re), complex_abs(k, s)), num(k, one, 0.5));
  int t = k_un(k, K_SQRT, half), zero = num(k, one, 0);
  int rest = k_select(k, is(k, K_EQ, t, 0), zero, quotient(k, magnitude(k, s.im), add(k, t, t)));
  int right = k_bin(k, K_GE, s.re, zero);
  int re = mul(k, k_select(k, right, t, rest), up), im = mul(k, k_select(k, right, rest, t), up);
  int tall = is(k, K_EQ, magnitude(k, a.im), INFINITY), inf = num(k, one, INFINITY);
  re = k_select(k, tall, inf, re);
  im = k_select(k, tall, inf, im);
  int unknown = k_bin(k, K_NE, a.re, a.re);
  im = k_select(k, k_bin(k, K_AND, unknown, is(k, K_LT, magnitude(k, a.im), INFINITY)), a.re, im);
  return (expr_value){re, expr_copysign(k, im, a.im)};
}

/* e^x as the product of e^(x - n 700) with n factors of e^700, so that a small sine or cosine can be multiplied by those
 * first, and the product stays finite where the result does. */
typedef struct large_exp {
  int rest, big, huge;
} large_exp;

static large_exp split_exp(kernel *k, int x) {
  large_exp e = {.big = is(k, K_GT, x, 700), .huge = is(k, K_GT, x, 1400)};
  int less = k_select(k, e.huge, num(k, x, 1400), k_select(k, e.big, num(k, x, 700), num(k, x, 0)));
  e.rest = math_exp(k, sub(k, x, less));
  return e;
}

static int by_factors(kernel *k, const large_exp *e, int v) {
  int one = num(k, v, 1), factor = num(k, v, exp(700.0));
  return mul(k, mul(k, v, k_select(k, e->big, factor, one)), k_select(k, e->huge, factor, one));
}

static int not_finite(kernel *k, int a) { return k_un(k, K_NOT, is(k, K_LT, magnitude(k, a), INFINITY)); }
static int both(kernel *k, int a, int b) { return k_bin(k, K_AND, a, b); }

/* An infinite real part rules over an angle that is not known. */
static expr_value exp_f64(kernel *k, expr_value a) {
  large_exp e = split_exp(k, a.re);
  int unknown = both(k, is(k, K_EQ, magnitude(k, a.re), INFINITY), not_finite(k, a.im));
  int vanishes = both(k, unknown, is(k, K_LT, a.re, 0)), zero = num(k, a.re, 0);
  int c = k_select(k, unknown, num(k, a.re, 1), math_cos(k, a.im)), s = k_select(k, vanishes, zero, math_sin(k, a.im));
  expr_value v = {mul(k, e.rest, by_factors(k, &e, c)), -1};
  v.im = k_select(k, k_bin(k, K_EQ, a.im, zero), a.im, mul(k, e.rest, by_factors(k, &e, s)));
  return v;
}

/* What a * a = square lost. */
static int lost(kernel *k, int a, int square) { return k_fma_once(k, a, a, neg(k, square)); }

/* Near the unit circle log|a| is log1p(|a|^2 - 1) / 2, free of cancellation: m^2 - 1 + n^2 with the larger part m, and
 * what the squares lost. */
static expr_value log_f64(kernel *k, expr_value a, bool f64) {
  int x = magnitude(k, a.re), y = magnitude(k, a.im), one = num(k, x, 1);
  int m = k_bin(k, K_MAX, x, y), n = k_bin(k, K_MIN, x, y), mm = mul(k, m, m), nn = mul(k, n, n);
  int excess = add(k, add(k, sub(k, mm, one), nn), add(k, lost(k, m, mm), lost(k, n, nn)));
  int near = both(k, is(k, K_GT, m, 0.5), is(k, K_LT, m, 1.5));
  scaled s = scale(k, a, f64);
  int far = k_select(k, infinite(k, a), num(k, x, INFINITY), math_log(k, s.modulus));
  far = add(k, far, by_scale(k, &s, 600 * LN2, -600 * LN2, 0));
  int close = mul(k, math_log1p(k, k_select(k, near, excess, num(k, x, 0))), num(k, x, 0.5));
  expr_value v = {k_select(k, near, close, far), -1};
  v.im = math_atan2(k, a.im, a.re);
  return v;
}

/* exp(a) - 1; within reach of 0 the real part is (e^x - 1) cos y - 2 sin(y/2)^2. */
static expr_value expm1_f64(kernel *k, expr_value a) {
  expr_value e = exp_f64(k, a);
  int near = both(k, is(k, K_LT, magnitude(k, a.re), 1), is(k, K_LT, magnitude(k, a.im), INFINITY));
  int half = math_sin(k, mul(k, a.im, num(k, a.im, 0.5)));
  int re = sub(k, mul(k, math_expm1(k, a.re), math_cos(k, a.im)), mul(k, add(k, half, half), half));
  re = k_select(k, near, re, sub(k, e.re, num(k, e.re, 1)));
  return (expr_value){add(k, re, num(k, re, 0)), e.im};
}

/* a + b = *sum + what is returned. */
static int two_sum(kernel *k, int a, int b, int *sum) {
  *sum = add(k, a, b);
  int of_b = sub(k, *sum, a);
  return add(k, sub(k, a, sub(k, *sum, of_b)), sub(k, b, of_b));
}

/* log(1 + a); near the unit circle about -1 the real part is log1p(|1 + a|^2 - 1) / 2, of 2x + x^2 + y^2 with what its sums and
 * products lost. */
static expr_value log1p_f64(kernel *k, expr_value a) {
  int one = num(k, a.re, 1), x = a.re, y = a.im, xx = mul(k, x, x), yy = mul(k, y, y), s, more;
  expr_value l = log_f64(k, (expr_value){add(k, one, x), y}, true);
  int less = two_sum(k, add(k, x, x), xx, &s);
  less = add(k, less, two_sum(k, s, yy, &more));
  more = add(k, more, add(k, less, add(k, lost(k, x, xx), lost(k, y, yy))));
  int near = is(k, K_LT, magnitude(k, more), 0.5);
  int re = mul(k, math_log1p(k, k_select(k, near, more, num(k, one, 0))), num(k, one, 0.5));
  return (expr_value){k_select(k, near, re, l.re), l.im};
}

static expr_value log_to_base(kernel *k, expr_value a, double factor) {
  tme_dtype t = expr_type(k, a.re);
  expr_value l = log_f64(k, to(k, TME_F64, a), t == TME_F64);
  return to(k, t, times(k, l, num(k, l.re, factor)));
}

/* a * b, but 0 where one of them is 0, even if the other is infinite or NaN. */
static int product(kernel *k, int a, int b) {
  int one = num(k, a, 1), none = is(k, K_EQ, a, 0);
  int x = k_select(k, is(k, K_EQ, b, 0), k_select(k, none, a, expr_copysign(k, one, a)), a);
  return mul(k, x, k_select(k, none, expr_copysign(k, one, b), b));
}

/* sinh, cosh of x and sin, cos of y, as factors whose products are finite where the results are. */
typedef struct waves {
  int sinh, cosh, sin, cos;
} waves;

static waves waves_of(kernel *k, int x, int y) {
  int far = magnitude(k, x);
  large_exp e = split_exp(k, far);
  int half = mul(k, e.rest, num(k, x, 0.5)), known = num(k, x, 1);
  int unknown = both(k, is(k, K_EQ, far, INFINITY), not_finite(k, y));
  waves w = {.sinh = k_select(k, e.big, expr_copysign(k, half, x), math_sinh(k, x)),
             .cosh = k_select(k, e.big, half, math_cosh(k, x))};
  w.sin = by_factors(k, &e, math_sin(k, y));
  w.cos = by_factors(k, &e, k_select(k, unknown, known, math_cos(k, y)));
  return w;
}

static expr_value sin_f64(kernel *k, expr_value a) {
  waves w = waves_of(k, a.im, a.re);
  expr_value v = {product(k, w.sin, w.cosh), -1};
  v.im = product(k, w.sinh, w.cos);
  return v;
}

static expr_value cos_f64(kernel *k, expr_value a) {
  waves w = waves_of(k, a.im, a.re);
  expr_value v = {mul(k, w.cos, w.cosh), -1};
  v.im = neg(k, product(k, w.sin, w.sinh));
  return v;
}

static expr_value sinh_f64(kernel *k, expr_value a) {
  waves w = waves_of(k, a.re, a.im);
  expr_value v = {product(k, w.sinh, w.cos), -1};
  v.im = product(k, w.sin, w.cosh);
  return v;
}

static expr_value cosh_f64(kernel *k, expr_value a) {
  waves w = waves_of(k, a.re, a.im);
  expr_value v = {mul(k, w.cosh, w.cos), -1};
  v.im = product(k, w.sin, w.sinh);
  return v;
}

static expr_value wide(kernel *k, expr_value a, expr_value (*f)(kernel *, expr_value)) {
  tme_dtype t = expr_type(k, a.re);
  return to(k, t, f(k, to(k, TME_F64, a)));
}

expr_value complex_sqrt(kernel *k, expr_value a) { return wide(k, a, sqrt_f64); }
expr_value complex_exp(kernel *k, expr_value a) { return wide(k, a, exp_f64); }
expr_value complex_log(kernel *k, expr_value a) {
  tme_dtype t = expr_type(k, a.re);
  return to(k, t, log_f64(k, to(k, TME_F64, a), t == TME_F64));
}
expr_value complex_expm1(kernel *k, expr_value a) { return wide(k, a, expm1_f64); }
expr_value complex_log1p(kernel *k, expr_value a) { return wide(k, a, log1p_f64); }
expr_value complex_log2(kernel *k, expr_value a) { return log_to_base(k, a, 0x1.71547652b82fep+0); }
expr_value complex_log10(kernel *k, expr_value a) { return log_to_base(k, a, 0x1.bcb7b1526e50ep-2); }
expr_value complex_sin(kernel *k, expr_value a) { return wide(k, a, sin_f64); }
expr_value complex_cos(kernel *k, expr_value a) { return wide(k, a, cos_f64); }
expr_value complex_sinh(kernel *k, expr_value a) { return wide(k, a, sinh_f64); }
expr_value complex_cosh(kernel *k, expr_value a) { return wide(k, a, cosh_f64); }
