#include "ops/expr_complex.h"
#include "compile/math.h"
#include <math.h>

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

expr_value complex_div(kernel *k, expr_value a, expr_value b) {
  int p = k_bin(k, K_GE, magnitude(k, b.re), magnitude(k, b.im));
  int hi = k_select(k, p, b.re, b.im), lo = k_select(k, p, b.im, b.re);
  int x = k_select(k, p, a.re, a.im), y = k_select(k, p, a.im, a.re);
  int r = k_select(k, is(k, K_EQ, hi, 0), num(k, hi, 0), quotient(k, lo, hi));
  int scale = add(k, hi, mul(k, lo, r)), t = sub(k, y, mul(k, x, r));
  expr_value v = {quotient(k, add(k, x, mul(k, y, r)), scale), -1};
  v.im = quotient(k, k_select(k, p, t, neg(k, t)), scale);
  return v;
}

static int infinite(kernel *k, expr_value a) {
  return either(k, is(k, K_EQ, magnitude(k, a.re), INFINITY), is(k, K_EQ, magnitude(k, a.im), INFINITY));
}

/* f32 parts: their squares are exact in f64. f64 parts: scaled by a power of two where squares leave the range. */
int complex_abs(kernel *k, expr_value a) {
  tme_dtype t = expr_type(k, a.re);
  int re = k_cast(k, TME_F64, a.re), im = k_cast(k, TME_F64, a.im), up = -1;
  if (t == TME_F64) {
    int most = k_bin(k, K_MAX, magnitude(k, re), magnitude(k, im));
    int one = num(k, re, 1), big = is(k, K_GT, most, 0x1p500), small = is(k, K_LT, most, 0x1p-500);
    int down = k_select(k, big, num(k, re, 0x1p-600), k_select(k, small, num(k, re, 0x1p600), one));
    up = k_select(k, big, num(k, re, 0x1p600), k_select(k, small, num(k, re, 0x1p-600), one));
    re = mul(k, re, down);
    im = mul(k, im, down);
  }
  int v = k_un(k, K_SQRT, k_fma(k, re, re, mul(k, im, im)));
  if (up >= 0) v = mul(k, v, up);
  v = k_cast(k, t, v);
  return k_select(k, infinite(k, a), num(k, v, INFINITY), v);
}

expr_value complex_sign(kernel *k, expr_value a) {
  int m = complex_abs(k, a), zero = num(k, m, 0), none = k_bin(k, K_EQ, m, zero);
  expr_value v = {k_select(k, none, zero, quotient(k, a.re, m)), -1};
  v.im = k_select(k, none, zero, quotient(k, a.im, m));
  return v;
}

static expr_value to(kernel *k, tme_dtype t, expr_value a) {
  expr_value v = {k_cast(k, t, a.re), -1};
  v.im = k_cast(k, t, a.im);
  return v;
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

/* exp(700) is split off where it helps the product with a small sine or cosine to stay finite. */
static expr_value exp_f64(kernel *k, expr_value a) {
  int big = is(k, K_GT, a.re, 700), zero = num(k, a.re, 0), one = num(k, a.re, 1);
  int e = math_exp(k, sub(k, a.re, k_select(k, big, num(k, a.re, 700), zero)));
  int more = k_select(k, big, num(k, a.re, exp(700.0)), one), none = k_bin(k, K_EQ, a.im, zero);
  expr_value v = {mul(k, mul(k, e, math_cos(k, a.im)), more), -1};
  v.im = k_select(k, none, a.im, mul(k, mul(k, e, math_sin(k, a.im)), more));
  return v;
}

/* Near the unit circle log|a| is log1p((|a|^2 - 1) / 2 ...), free of cancellation: (m - 1)(m + 1) + n^2 with the larger
 * part m. */
static expr_value log_f64(kernel *k, expr_value a) {
  int x = magnitude(k, a.re), y = magnitude(k, a.im), one = num(k, x, 1);
  int m = k_bin(k, K_MAX, x, y), n = k_bin(k, K_MIN, x, y);
  int excess = k_fma(k, sub(k, m, one), add(k, m, one), mul(k, n, n));
  int near = k_bin(k, K_AND, is(k, K_GT, m, 0.5), is(k, K_LT, m, 1.5));
  int far = math_log(k, complex_abs(k, a));
  int close = mul(k, math_log1p(k, k_select(k, near, excess, num(k, x, 0))), num(k, x, 0.5));
  expr_value v = {k_select(k, near, close, far), -1};
  v.im = math_atan2(k, a.im, a.re);
  return v;
}

/* a * b, but 0 where one of them is 0, even if the other is infinite or NaN. */
static int product(kernel *k, int a, int b) {
  int one = num(k, a, 1), none = is(k, K_EQ, a, 0);
  int x = k_select(k, is(k, K_EQ, b, 0), k_select(k, none, a, expr_copysign(k, one, a)), a);
  return mul(k, x, k_select(k, none, expr_copysign(k, one, b), b));
}

static expr_value sin_f64(kernel *k, expr_value a) {
  expr_value v = {product(k, math_sin(k, a.re), math_cosh(k, a.im)), -1};
  v.im = product(k, math_sinh(k, a.im), math_cos(k, a.re));
  return v;
}

static expr_value cos_f64(kernel *k, expr_value a) {
  expr_value v = {mul(k, math_cos(k, a.re), math_cosh(k, a.im)), -1};
  v.im = neg(k, product(k, math_sin(k, a.re), math_sinh(k, a.im)));
  return v;
}

static expr_value sinh_f64(kernel *k, expr_value a) {
  expr_value v = {product(k, math_sinh(k, a.re), math_cos(k, a.im)), -1};
  v.im = product(k, math_sin(k, a.im), math_cosh(k, a.re));
  return v;
}

static expr_value cosh_f64(kernel *k, expr_value a) {
  expr_value v = {mul(k, math_cosh(k, a.re), math_cos(k, a.im)), -1};
  v.im = product(k, math_sin(k, a.im), math_sinh(k, a.re));
  return v;
}

static expr_value wide(kernel *k, expr_value a, expr_value (*f)(kernel *, expr_value)) {
  tme_dtype t = expr_type(k, a.re);
  return to(k, t, f(k, to(k, TME_F64, a)));
}

expr_value complex_sqrt(kernel *k, expr_value a) { return wide(k, a, sqrt_f64); }
expr_value complex_exp(kernel *k, expr_value a) { return wide(k, a, exp_f64); }
expr_value complex_log(kernel *k, expr_value a) { return wide(k, a, log_f64); }
expr_value complex_sin(kernel *k, expr_value a) { return wide(k, a, sin_f64); }
expr_value complex_cos(kernel *k, expr_value a) { return wide(k, a, cos_f64); }
expr_value complex_sinh(kernel *k, expr_value a) { return wide(k, a, sinh_f64); }
expr_value complex_cosh(kernel *k, expr_value a) { return wide(k, a, cosh_f64); }
