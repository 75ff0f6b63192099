/* exp and its relatives: x = n ln2 + r (Cody & Waite), a polynomial in r, scaling by exponent bits. n is found by
 * adding 1.5 * 2^(mantissa bits), which leaves it in the low bits of the sum, and there already biased as an exponent.
 * Coefficients in f32: own minimax fits, rounded one after the other; expm1: Cephes, expf. Those of sinh and cosh in f64:
 * tools/minimax.py. */
#include "kernel/math_two.h"
#include <math.h>

static bool is_f32(const kernel *k, int x) { return m_type(k, x) == TME_F32; }

/* What x * log2(e) or the like is added to. */
static double magic(const kernel *k, int x, int bias) { return (is_f32(k, x) ? 0x1.8p23 : 0x1.8p52) + bias; }
static double scale_base(const kernel *k, int x) { return is_f32(k, x) ? K_SCALE_BASE_F32 : K_SCALE_BASE_F64; }
static int one_exponent(const kernel *k, int x) { return is_f32(k, x) ? 127 : 1023; }
static int mantissa_bits(const kernel *k, int x) { return is_f32(k, x) ? 23 : 52; }

typedef struct reduced {
  int shifted; /* base + n */
  int n;       /* as a float */
  int r;
} reduced;

/* (exp(r) - 1 - r) / r^2 times a power of two. In f32 `terms` is 5 or 6: within 2^-28 or 2^-31 of exp(r). */
static int rest_series(kernel *k, int r, int terms, double times) {
  static const double f32[][6] = {
      {0.4999999403953552, 0.1666652262210846, 0.04166829213500023, 0.008368532173335552, 0.0013818300794810057},
      {5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4}};
  double c[16] = {0}, factorial = 1;
  for (int i = 0; i < terms; i++) {
    factorial *= i + 2;
    c[i] = times * (is_f32(k, r) ? f32[terms - 5][i] : 1 / factorial);
  }
  return m_poly(k, r, terms, c);
}

static int exp_series(kernel *k, int r, int terms, double times) {
  int rest = rest_series(k, r, is_f32(k, r) ? 5 : terms - 1, times);
  return m_fman(k, m_fman(k, rest, r, times), r, times);
}

static int expm1_series(kernel *k, int r, int terms) {
  return k_fma(k, rest_series(k, r, is_f32(k, r) ? 6 : terms - 1, 1), m_mul(k, r, r), r);
}

/* x must be within a few hundred binades, or NaN. */
static reduced reduce(kernel *k, int x, double base) {
  bool f32 = is_f32(k, x);
  reduced d;
  d.shifted = m_fman(k, x, m_num(k, x, LOG2_E), base);
  d.n = m_addn(k, d.shifted, -base);
  d.r = k_fma(k, d.n, m_num(k, x, f32 ? -0.693359375 : -LN2_HI), x);
  d.r = k_fma(k, d.n, m_num(k, x, f32 ? 2.12194440e-4 : -LN2_LO), d.r);
  return d;
}

/* 2^n for n in the range of normal exponents, of magic + the exponent of 1 + n, whose high bits are shifted out. */
static int power(kernel *k, int shifted) {
  return m_unbits(k, m_shl(k, m_bits(k, shifted), mantissa_bits(k, shifted)));
}

int m_exp_normal(kernel *k, int x, int terms) {
  reduced d = reduce(k, x, magic(k, x, one_exponent(k, x)));
  return m_mul(k, exp_series(k, d.r, terms, 1), power(k, d.shifted));
}

int math_exp_nonpositive(kernel *k, int x) {
  bool f32 = is_f32(k, x);
  double base = f32 ? K_SCALE_DOWN_BASE_F32 : K_SCALE_DOWN_BASE_F64;
  reduced d = reduce(k, m_at_least(k, x, f32 ? -104 : -746), base);
  return k_bin(k, K_SCALE_DOWN, exp_series(k, d.r, 13, 1), d.shifted);
}

int math_exp(kernel *k, int x) {
  if (kernel_nonpositive(k, x)) return math_exp_nonpositive(k, x);
  bool f32 = is_f32(k, x);
  int c = m_at_most(k, m_at_least(k, x, f32 ? -104 : -746), f32 ? 89 : 710);
  reduced d = reduce(k, c, scale_base(k, x));
  return k_bin(k, K_SCALE, exp_series(k, d.r, 13, 1), d.shifted);
}

/* Beyond the clamps, which the low part is not worth a thought, it may be NaN. */
int m_exp_two(kernel *k, two x) {
  int c = m_at_most(k, m_at_least(k, x.hi, -746), 710), low = m_sel(k, m_eq(k, c, x.hi), x.lo, m_num(k, c, 0));
  int shifted = m_fman(k, c, m_num(k, c, LOG2_E), K_SCALE_BASE_F64), n = m_addn(k, shifted, -K_SCALE_BASE_F64);
  two s = two_sum(k, k_fma(k, n, m_num(k, c, -LN2_HI), c), m_muln(k, n, -LN2_LO));
  two r = two_sum(k, s.hi, m_add(k, s.lo, low)), u = two_sum(k, m_num(k, c, 1), r.hi);
  int q = k_fma(k, m_mul(k, r.hi, r.hi), rest_series(k, r.hi, 12, 1), r.lo);
  return k_bin(k, K_SCALE, m_add(k, u.hi, m_add(k, u.lo, q)), shifted);
}

/* 2^f on [-1/2, 1/2] times a power of two. */
static int exp2_series(kernel *k, int f, double times) {
  if (is_f32(k, f)) { /* own minimax fit, rounded: within 2^-28 */
    static const double c[] = {1,
                               0.6931471824645996,
                               0.24022647738456726,
                               0.05550359934568405,
                               0.009618505835533142,
                               0.0013390806270763278,
                               0.00015326471475418657};
    double scaled[COUNT(c)];
    for (int i = 0; i < COUNT(c); i++) scaled[i] = times * c[i];
    return m_poly(k, f, COUNT(c), scaled);
  }
  int ln2 = m_num(k, f, LN2), r = m_mul(k, f, ln2);
  int low = k_fma(k, f, m_num(k, f, 0x1.abc9e3b39803fp-56), k_fma(k, f, ln2, m_neg(k, r)));
  return exp_series(k, m_add(k, low, r), 13, times);
}

/* x = n + f: the remainder is exact. */
static reduced reduce_binary(kernel *k, int x, double base) {
  reduced d;
  d.shifted = m_addn(k, x, base);
  d.n = m_addn(k, d.shifted, -base);
  d.r = m_sub(k, x, d.n);
  return d;
}

int math_exp2(kernel *k, int x) {
  bool f32 = is_f32(k, x);
  int c = m_at_most(k, m_at_least(k, x, f32 ? -151 : -1076), f32 ? 129 : 1025);
  reduced d = reduce_binary(k, c, scale_base(k, x));
  return k_bin(k, K_SCALE, exp2_series(k, d.r, 1), d.shifted);
}

/* 1 / (1 + exp(-x)), as 2^-k / (2^-k + 2^-k exp(-x)): nothing overflows, and a denormal result is rounded once. */
int math_sigmoid(kernel *k, int x) {
  bool f32 = is_f32(k, x);
  int down = f32 ? 64 : 512, minus = m_neg(k, x), c = m_at_most(k, m_at_least(k, minus, -42), f32 ? 104 : 746);
  reduced d = reduce(k, c, magic(k, x, one_exponent(k, x) - down));
  int one = m_num(k, x, ldexp(1, -down));
  return m_div(k, one, k_fma(k, exp_series(k, d.r, 13, 1), power(k, d.shifted), one));
}

/* 1 + exp(x), rounded once, with twice the series and half the power: 2^128, where it overflows, is no f32. */
int math_one_plus_exp(kernel *k, int x) {
  int c = m_at_most(k, m_at_least(k, x, -42), is_f32(k, x) ? 89 : 710);
  reduced d = reduce(k, c, magic(k, x, one_exponent(k, x) - 1));
  return k_fma(k, exp_series(k, d.r, 13, 2), power(k, d.shifted), m_num(k, x, 1));
}

static int gate_down(const kernel *k, int x) { return is_f32(k, x) ? 40 : 128; }

/* x times 2^-down / (2^-down + 2^-down e), scaled back: nothing overflows where the quotient is not 0, or is x as far
 * as anyone can see, and a denormal one keeps its digits. */
static int gate(kernel *k, int x, int series, int power, int low) {
  int down = m_num(k, x, ldexp(1, -gate_down(k, x))), far = is_f32(k, x) ? -128 : -1024;
  int r = m_mul(k, m_div(k, m_at_least(k, x, far), k_fma(k, series, power, down)), down);
  return m_sel(k, low, x, r);
}

int math_over_one_plus_exp(kernel *k, int x, int t) {
  reduced d = reduce(k, m_at_most(k, t, is_f32(k, x) ? 114 : 760), magic(k, x, one_exponent(k, x) - gate_down(k, x)));
  return gate(k, x, exp_series(k, d.r, 13, 1), power(k, d.shifted), m_ltn(k, t, -60));
}

int math_over_one_plus_exp2(kernel *k, int x, int t) {
  reduced d =
      reduce_binary(k, m_at_most(k, t, is_f32(k, x) ? 164 : 1096), magic(k, x, one_exponent(k, x) - gate_down(k, x)));
  return gate(k, x, exp2_series(k, d.r, 1), power(k, d.shifted), m_ltn(k, t, -80));
}

/* exp(x) - 1 = 2^n ((exp(r) - 1) + (1 - 2^-n)), computed at half its size so that 2^n does not overflow. */
static int expm1_of(kernel *k, int x) {
  reduced d = reduce(k, x, magic(k, x, one_exponent(k, x) - 1));
  int q = expm1_series(k, d.r, 13), s = power(k, d.shifted);
  int e = k_fma(k, s, q, m_addn(k, s, -0.5));
  return m_sel(k, m_eqn(k, d.n, 0), q, m_add(k, e, e));
}

int math_expm1(kernel *k, int x) {
  int c = m_at_most(k, m_at_least(k, x, -60), is_f32(k, x) ? 89 : 710);
  return m_sel(k, m_eqn(k, x, 0), x, expm1_of(k, c));
}

/* ---- hyperbolic functions ---------------------------------------------------------------------------------------- */

/* The odd part of the series of sinh on [0, 1], in f64: within 2^-32. */
static int sinh_small(kernel *k, int a) {
  int z = m_mul(k, a, a);
  int p = M_POLY(k, z, 1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880, 1.0 / 39916800);
  return k_fma(k, m_mul(k, p, z), a, a);
}

/* Of n ln2 + r, by the sums of arguments: cosh(n ln2) and sinh(n ln2) are sums of powers of two, a half of which is used, so that
 * they do not overflow before the result; cosh(r) and sinh(r), polynomials. */
static int hyperbolic_f64(kernel *k, int x, bool odd) {
  int a = m_at_most(k, m_abs(k, x), 710.7);
  double base = magic(k, x, one_exponent(k, x) - 2);
  reduced d = reduce(k, a, base);
  int up = power(k, d.shifted), down = power(k, m_sub(k, m_num(k, x, base), m_at_most(k, d.n, 100)));
  int z = m_mul(k, d.r, d.r), sinh_p, cosh_p;
  sinh_p = M_POLY(k, z, 0.16666666666666677, 0.008333333333321386, 0.00019841269886814553, 2.75572434556094e-06,
                  2.5109318382972446e-08);
  cosh_p = M_POLY(k, z, 0.041666666666602487, 0.001388888892740586, 2.4801507904055756e-05, 2.7625500299043387e-07);
  int sinh_r = k_fma(k, m_mul(k, z, d.r), sinh_p, d.r);
  int cosh_r_1 = k_fma(k, m_mul(k, z, z), cosh_p, m_muln(k, z, 0.5)); /* cosh(r) - 1 */
  int plus = m_add(k, up, down), minus = m_sub(k, up, down), with_cosh = odd ? minus : plus;
  int v = k_fma(k, odd ? plus : minus, sinh_r, m_mul(k, with_cosh, cosh_r_1));
  return m_muln(k, m_add(k, with_cosh, v), 2);
}

int math_sinh(kernel *k, int x) {
  if (!is_f32(k, x)) { /* small numbers, also denormal ones, are their own */
    int v = m_with_sign(k, hyperbolic_f64(k, x, true), m_sign(k, x));
    return m_sel(k, m_ltn(k, m_abs(k, x), 0x1p-28), x, v);
  }
  int a = m_at_most(k, k_cast(k, TME_F64, m_abs(k, x)), 100), e = m_exp_normal(k, a, 8);
  int r = m_muln(k, m_sub(k, e, m_div(k, m_num(k, e, 1), e)), 0.5);
  r = m_sel(k, m_ltn(k, a, 1), sinh_small(k, a), r);
  return m_with_sign(k, k_cast(k, TME_F32, r), m_sign(k, x));
}

int math_cosh(kernel *k, int x) {
  if (!is_f32(k, x)) return hyperbolic_f64(k, x, false);
  int a = m_at_most(k, k_cast(k, TME_F64, m_abs(k, x)), 100), e = m_exp_normal(k, a, 8);
  return k_cast(k, TME_F32, m_muln(k, m_add(k, e, m_div(k, m_num(k, e, 1), e)), 0.5));
}

/* e / (e + 2) with e = exp(2|x|) - 1, which is 1 from 9.2 on. */
static int tanh_f32(kernel *k, int x) {
  int a = m_abs(k, x), c = m_at_most(k, a, 9.2), s;
  reduced d = reduce(k, m_add(k, c, c), magic(k, x, one_exponent(k, x)));
  s = power(k, d.shifted);
  int e = k_fma(k, s, expm1_series(k, d.r, 0), m_addn(k, s, -1));
  return m_with_sign(k, m_div(k, e, m_addn(k, e, 2)), m_sign(k, x));
}

/* Small arguments by Cephes' quotient of polynomials (tanh), others by 1 - 2 / (exp(2|x|) + 1), with one division for
 * both. */
static int tanh_f64(kernel *k, int x) {
  int a = m_abs(k, x), c = m_at_most(k, a, 22), one = m_num(k, x, 1), s = m_mul(k, a, a);
  int e = m_exp_normal(k, m_add(k, c, c), 13), is_small = m_ltn(k, a, 0.625);
  int p = M_POLY(k, s, -1.61468768441708447952e3, -9.92877231001918586564e1, -9.64399179425052238628e-1);
  int q = M_POLY(k, s, 4.84406305325125486048e3, 2.23548839060100448583e3, 1.12811678491632931402e2, 1);
  int top = m_sel(k, is_small, m_mul(k, p, s), m_num(k, x, -2));
  int f = m_div(k, top, m_sel(k, is_small, q, m_add(k, e, one)));
  return m_with_sign(k, k_fma(k, f, m_sel(k, is_small, a, one), m_sel(k, is_small, a, one)), m_sign(k, x));
}

int math_tanh(kernel *k, int x) { return is_f32(k, x) ? tanh_f32(k, x) : tanh_f64(k, x); }
