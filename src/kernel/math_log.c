/* log and its relatives: x = 2^e m with m in [sqrt(1/2), sqrt(2)), then fdlibm's log(1 + f) = f - (f^2/2 - s (f^2/2
 * + R)), s = f / (2 + f), R a polynomial in s^2; in f32 Cephes' polynomial in f, which needs no division. As two numbers by
 * 2 atanh(s) (tools/minimax.py). */
#include "kernel/math_two.h"
#include <math.h>

static bool is_f32(const kernel *k, int x) { return m_type(k, x) == TME_F32; }

/* x is positive and normal, or anything where the result is not used. */
static m_split exponent_f64(kernel *k, int x) {
  int b = m_bits(k, x);
  int t = m_add(k, b, m_int(k, b, 0x3ff0000000000000 - 0x3fe6a09e00000000));
  int e = m_shr(k, t, 52); /* biased, so positive: into the mantissa of 2^52 */
  m_split r;
  r.e = m_addn(k, m_unbits(k, m_or(k, e, m_int(k, b, 0x4330000000000000))), -(0x1p52 + 1023));
  r.m = m_unbits(k, m_add(k, m_and(k, t, m_int(k, b, 0xfffffffffffff)), m_int(k, b, 0x3fe6a09e00000000)));
  return r;
}

static m_split exponent_f32(kernel *k, int x) {
  int b = m_bits(k, x), t = m_add(k, b, m_int(k, b, 0x3f800000 - 0x3f3504f3));
  m_split r;
  r.e = k_cast(k, TME_F32, m_add(k, m_shr(k, t, 23), m_int(k, b, -127)));
  r.m = m_unbits(k, m_add(k, m_and(k, t, m_int(k, b, 0x7fffff)), m_int(k, b, 0x3f3504f3)));
  return r;
}

/* Denormal arguments are scaled up; `e` is corrected. */
m_split m_exponent(kernel *k, int x) {
  bool f32 = is_f32(k, x);
  int tiny = m_ltn(k, x, f32 ? 0x1p-126 : 0x1p-1022);
  int y = m_sel(k, tiny, m_muln(k, x, f32 ? 0x1p24 : 0x1p54), x);
  m_split r = f32 ? exponent_f32(k, y) : exponent_f64(k, y);
  r.e = m_sub(k, r.e, m_sel(k, tiny, m_num(k, x, f32 ? 24 : 54), m_num(k, x, 0)));
  return r;
}

/* The value for x = inf, 0, below 0 and NaN in place of r. */
static int specials(kernel *k, int x, int r) {
  int inf = m_num(k, x, INFINITY), zero = m_num(k, x, 0);
  r = m_sel(k, m_lt(k, x, inf), r, x);
  return m_sel(k, m_gt(k, x, zero), r, m_sel(k, m_eq(k, x, zero), m_num(k, x, -INFINITY), m_num(k, x, NAN)));
}

static int fdlibm_rest_f64(kernel *k, int z) {
  int p =
      M_POLY(k, z, 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
             2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01);
  return m_mul(k, z, p);
}

/* fdlibm's __log1p: e ln2 + log(1 + f) + c. */
static int fdlibm(kernel *k, int e, int f, int c) {
  int half = m_muln(k, m_mul(k, f, f), 0.5), s = m_div(k, f, m_addn(k, f, 2)), z = m_mul(k, s, s), r;
  double hi, lo;
  if (is_f32(k, f)) {
    r = m_mul(k, z, M_POLY(k, z, 0xaaaaaa.0p-24, 0xccce13.0p-25, 0x91e9ee.0p-25, 0xf89e26.0p-26));
    hi = 6.9313812256e-01;
    lo = 9.0580006145e-06;
  } else {
    r = fdlibm_rest_f64(k, z);
    hi = LN2_HI;
    lo = LN2_LO;
  }
  int low = k_fma(k, e, m_num(k, f, lo), c);
  low = k_fma(k, s, m_add(k, half, r), low);
  low = m_add(k, m_sub(k, low, half), f);
  return k_fma(k, e, m_num(k, f, hi), low);
}

int m_log_f64(kernel *k, int x) {
  m_split d = exponent_f64(k, x);
  return specials(k, x, fdlibm(k, d.e, m_addn(k, d.m, -1), m_num(k, x, 0)));
}

int math_log(kernel *k, int x) {
  m_split d = m_exponent(k, x);
  int f = m_addn(k, d.m, -1);
  if (!is_f32(k, x)) return specials(k, x, fdlibm(k, d.e, f, m_num(k, x, 0)));
  int z = m_mul(k, f, f);
  int p = M_POLY(k, f, 3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1,
                 -1.2420140846e-1, 1.1676998740e-1, -1.1514610310e-1, 7.0376836292e-2);
  int y = m_mul(k, m_mul(k, p, z), f);
  y = k_fma(k, d.e, m_num(k, x, -2.12194440e-4), y);
  y = k_fma(k, z, m_num(k, x, -0.5), y);
  y = m_add(k, y, f);
  return specials(k, x, k_fma(k, d.e, m_num(k, x, 0.693359375), y));
}

#define LOG10_E 0x1.bcb7b1526e50ep-2

/* In f64 the logarithm is so much more precise than an f32 that the product rounds correctly, powers exactly. */
static int log_times(kernel *k, int x, double factor) {
  return k_cast(k, TME_F32, m_muln(k, m_log_f64(k, k_cast(k, TME_F64, x)), factor));
}

/* log(x) / log(base), of f64: e times log(2) / log(base) and the rest, both as two numbers. */
static int log_to_base(kernel *k, int x, two per_log, two per_e) {
  m_split d = m_exponent(k, x);
  int f = m_addn(k, d.m, -1), half = m_muln(k, m_mul(k, f, f), 0.5), s = m_div(k, f, m_addn(k, f, 2));
  two v = two_sum(k, f, m_neg(k, half));
  v.lo = k_fma(k, s, m_add(k, half, fdlibm_rest_f64(k, m_mul(k, s, s))), v.lo);
  two p = two_product(k, v.hi, per_log.hi), r = two_sum(k, m_mul(k, d.e, per_e.hi), p.hi);
  int low = k_fma(k, v.lo, per_log.hi, k_fma(k, v.hi, per_log.lo, p.lo));
  low = k_fma(k, d.e, per_e.lo, low);
  return specials(k, x, m_add(k, r.hi, m_add(k, r.lo, low)));
}

int math_log2(kernel *k, int x) {
  if (is_f32(k, x)) return log_times(k, x, LOG2_E);
  return log_to_base(k, x, two_num(k, x, LOG2_E, 0x1.777d0ffda0d24p-56), two_num(k, x, 1, 0));
}

int math_log10(kernel *k, int x) {
  if (is_f32(k, x)) return log_times(k, x, LOG10_E);
  return log_to_base(k, x, two_num(k, x, LOG10_E, 0x1.95355baaafad3p-57),
                     two_num(k, x, 0x1.34413509f4p-2, 0x1.cff7988f8959bp-41));
}

two m_log_two(kernel *k, int x) {
  m_split d = m_exponent(k, x);
  int zero = m_num(k, x, 0);
  two s = two_quotient(k, (two){m_addn(k, d.m, -1), zero}, two_sum(k, m_num(k, x, 1), d.m));
  two z = two_product(k, s.hi, s.hi);
  z.lo = k_fma(k, m_add(k, s.hi, s.hi), s.lo, z.lo);
  int p = M_POLY(k, z.hi, 0.2000000000000113, 0.14285714285048423, 0.11111111260215291, 0.09090892160431163,
                 0.07693379772293119, 0.06628382184582188, 0.06598420189005462);
  two w = two_sum(k, m_num(k, x, 0x1.5555555555555p-2), m_mul(k, z.hi, p)); /* 1/3 + ... */
  w.lo = m_addn(k, w.lo, 0x1.5555555555555p-56);
  two q = two_product(k, z.hi, w.hi);
  q.lo = m_add(k, q.lo, k_fma(k, z.hi, w.lo, m_mul(k, z.lo, w.hi)));
  two u = two_product(k, s.hi, q.hi);
  u.lo = m_add(k, u.lo, k_fma(k, s.hi, q.lo, m_mul(k, s.lo, q.hi)));

  two a = two_sum(k, m_muln(k, d.e, LN2_HI), m_add(k, s.hi, s.hi)), b = two_sum(k, a.hi, m_add(k, u.hi, u.hi));
  int low = k_fma(k, d.e, m_num(k, x, LN2_LO), m_muln(k, m_add(k, s.lo, u.lo), 2));
  two r = two_sum(k, b.hi, m_add(k, low, m_add(k, a.lo, b.lo)));
  int plain = m_and(k, m_gt(k, x, zero), m_ltn(k, x, INFINITY));
  return (two){specials(k, x, r.hi), m_sel(k, plain, r.lo, zero)};
}

/* log(u) + (what u = 1 + x lost) / u. */
int math_log1p(kernel *k, int x) {
  bool f32 = is_f32(k, x);
  int one = m_num(k, x, 1), u = m_add(k, one, x);
  m_split d = f32 ? exponent_f32(k, u) : exponent_f64(k, u);
  int lost = m_sel(k, m_ltn(k, x, 1), m_sub(k, x, m_addn(k, u, -1)), m_sub(k, one, m_sub(k, u, x)));
  int near = m_eqn(k, d.e, 0); /* then f = x, and nothing is lost */
  int f = m_sel(k, near, x, m_addn(k, d.m, -1));
  int c = m_sel(k, near, m_num(k, x, 0), m_div(k, lost, u));
  int r = specials(k, u, fdlibm(k, d.e, f, c));
  return m_sel(k, m_ltn(k, m_abs(k, x), f32 ? 0x1p-25 : 0x1p-54), x, r);
}

/* ---- inverse hyperbolic functions, f32 by way of f64 ------------------------------------------------------------- */

enum { LARGE = 1 << 30 }; /* from there on asinh and acosh are log(2x) */

/* log(1 + x) of f64, x not negative; where it is more than LARGE, `large` holds, and the logarithm is that of 2a. */
static int log1p_two(kernel *k, two x, int large, int a) {
  int zero = m_num(k, x.hi, 0), one = m_num(k, x.hi, 1);
  two u = two_sum(k, one, x.hi);
  if (large >= 0) u = two_select(k, large, (two){a, m_neg(k, x.lo)}, u);
  m_split d = exponent_f64(k, u.hi);
  int near = m_eq(k, d.e, zero), f = m_sel(k, near, x.hi, m_addn(k, d.m, -1));
  int c = m_div(k, m_sel(k, near, x.lo, m_add(k, u.lo, x.lo)), u.hi);
  int e = large < 0 ? d.e : m_add(k, d.e, m_sel(k, large, one, zero));
  return specials(k, u.hi, fdlibm(k, e, f, c));
}

/* Small numbers are their own. */
static int odd_function(kernel *k, int x, int v) {
  return m_sel(k, m_ltn(k, m_abs(k, x), 0x1p-28), x, m_with_sign(k, v, m_sign(k, x)));
}

static int asinh_f64(kernel *k, int x) {
  int a = m_abs(k, x), b = m_at_most(k, a, LARGE), z = m_mul(k, b, b);
  int t = m_div(k, z, m_addn(k, m_sqrt(k, m_addn(k, z, 1)), 1));
  return odd_function(k, x, log1p_two(k, two_sum(k, b, t), m_gtn(k, a, LARGE), a));
}

static int acosh_f64(kernel *k, int x) {
  int t = m_addn(k, m_at_most(k, x, LARGE), -1), root = m_sqrt(k, k_fma(k, t, t, m_add(k, t, t)));
  int r = log1p_two(k, two_sum(k, root, t), m_gtn(k, x, LARGE), x);
  return m_sel(k, m_ltn(k, x, 1), m_num(k, x, NAN), r);
}

static int atanh_f64(kernel *k, int x) {
  int a = m_abs(k, x);
  two q = two_quotient(k, (two){m_add(k, a, a), m_num(k, x, 0)}, two_sum(k, m_num(k, x, 1), m_neg(k, a)));
  return odd_function(k, x, m_muln(k, log1p_two(k, q, -1, -1), 0.5));
}

int math_asinh(kernel *k, int x) {
  if (!is_f32(k, x)) return asinh_f64(k, x);
  int a = k_cast(k, TME_F64, m_abs(k, x)), z = m_mul(k, a, a);
  int large = m_log_f64(k, m_add(k, a, m_sqrt(k, m_addn(k, z, 1))));
  int small = k_fma(k, m_mul(k, a, z), M_POLY(k, z, -1.0 / 6, 3.0 / 40, -15.0 / 336), a);
  int r = m_sel(k, m_ltn(k, a, 0x1p-8), small, large);
  return m_with_sign(k, k_cast(k, TME_F32, r), m_sign(k, x));
}

int math_acosh(kernel *k, int x) {
  if (!is_f32(k, x)) return acosh_f64(k, x);
  int a = k_cast(k, TME_F64, x), root = m_sqrt(k, m_mul(k, m_addn(k, a, -1), m_addn(k, a, 1)));
  int r = m_log_f64(k, m_add(k, a, root));
  return k_cast(k, TME_F32, m_sel(k, m_ltn(k, a, 1), m_num(k, a, NAN), r));
}

int math_atanh(kernel *k, int x) {
  if (!is_f32(k, x)) return atanh_f64(k, x);
  int a = k_cast(k, TME_F64, m_abs(k, x)), z = m_mul(k, a, a), one = m_num(k, a, 1);
  int large = m_muln(k, m_log_f64(k, m_div(k, m_add(k, one, a), m_sub(k, one, a))), 0.5);
  int small = k_fma(k, m_mul(k, a, z), M_POLY(k, z, 1.0 / 3, 1.0 / 5, 1.0 / 7), a);
  int r = m_sel(k, m_ltn(k, a, 0x1p-8), small, large);
  return m_with_sign(k, k_cast(k, TME_F32, r), m_sign(k, x));
}
