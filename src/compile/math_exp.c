/* exp and its relatives: x = n ln2 + r (Cody & Waite), a polynomial in r, scaling by exponent bits. n is found by
 * adding 1.5 * 2^(mantissa bits), which leaves it in the low bits of the sum. Coefficients in f32: Cephes, expf. */
#include "compile/math_build.h"

#define MAGIC_F32 0x1.8p23
#define MAGIC_F64 0x1.8p52

static bool is_f32(const kernel *k, int x) { return m_type(k, x) == TME_F32; }

typedef struct reduced {
  int shifted; /* MAGIC + n */
  int n;       /* as a float */
  int q;       /* exp(r) - 1 - r, divided by r^2 */
  int r;
} reduced;

static int series(kernel *k, int r, int terms) {
  /* 1/2!, 1/3!... */
  double c[16], f = 1;
  for (int i = 0; i < terms - 1; i++) {
    f *= i + 2;
    c[i] = 1 / f;
  }
  return m_poly(k, r, terms - 1, c);
}

/* By pairs (Estrin), not one after the other: a row of exponentials waits for the latency of its multiply-adds. */
static int exp_series_f32(kernel *k, int r) {
  int s = m_mul(k, r, r);
  int a = m_fman(k, r, m_num(k, r, 1.6666665459e-1), 5.0000001201e-1);
  int b = m_fman(k, r, m_num(k, r, 8.3334519073e-3), 4.1665795894e-2);
  int c = m_fman(k, r, m_num(k, r, 1.9875691500e-4), 1.3981999507e-3);
  return k_fma(k, k_fma(k, c, s, b), s, a);
}

/* x must be within a few hundred binades, or NaN. */
static reduced reduce(kernel *k, int x, int terms) {
  bool f32 = is_f32(k, x);
  double magic = f32 ? MAGIC_F32 : MAGIC_F64;
  reduced d;
  d.shifted = m_fman(k, x, m_num(k, x, LOG2_E), magic);
  d.n = m_addn(k, d.shifted, -magic);
  if (f32) {
    d.r = k_fma(k, d.n, m_num(k, x, -0.693359375), x);
    d.r = k_fma(k, d.n, m_num(k, x, 2.12194440e-4), d.r);
    d.q = exp_series_f32(k, d.r);
  } else {
    d.r = k_fma(k, d.n, m_num(k, x, -6.93147180369123816490e-01), x);
    d.r = k_fma(k, d.n, m_num(k, x, -1.90821492927058770002e-10), d.r);
    d.q = series(k, d.r, terms);
  }
  return d;
}

/* 2^(n + bias) for n + bias in the range of normal exponents. */
static int power(kernel *k, int shifted, int bias) {
  int b = m_bits(k, shifted);
  bool f32 = is_f32(k, shifted);
  int e = m_shl(k, b, f32 ? 23 : 52); /* the bits of MAGIC are shifted out */
  int64_t one = f32 ? 0x3f800000 : 0x3ff0000000000000, unit = INT64_C(1) << (f32 ? 23 : 52);
  return m_unbits(k, m_add(k, e, m_int(k, b, one + bias * unit)));
}

/* p * 2^n in two steps, so that a result that is denormal is rounded once and one that is too large overflows. MAGIC is
 * even and shifted out. */
static int scale(kernel *k, int p, int shifted) {
  bool f32 = is_f32(k, p);
  int b = m_bits(k, shifted), half = m_shr(k, b, 1), rest = m_sub(k, b, half), bits = f32 ? 23 : 52;
  int one = m_int(k, b, f32 ? 0x3f800000 : 0x3ff0000000000000);
  int s0 = m_unbits(k, m_add(k, m_shl(k, half, bits), one)), s1 = m_unbits(k, m_add(k, m_shl(k, rest, bits), one));
  return m_mul(k, m_mul(k, p, s0), s1);
}

static int exp_of_reduced(kernel *k, const reduced *d) {
  return m_addn(k, k_fma(k, d->q, m_mul(k, d->r, d->r), d->r), 1);
}

int m_exp_normal(kernel *k, int x, int terms) {
  reduced d = reduce(k, x, terms);
  return m_mul(k, exp_of_reduced(k, &d), power(k, d.shifted, 0));
}

int math_exp(kernel *k, int x) {
  bool f32 = is_f32(k, x);
  int c = m_at_most(k, m_at_least(k, x, f32 ? -104 : -746), f32 ? 89 : 710);
  reduced d = reduce(k, c, 13);
  return scale(k, exp_of_reduced(k, &d), d.shifted);
}

int math_exp2(kernel *k, int x) {
  bool f32 = is_f32(k, x);
  double magic = f32 ? MAGIC_F32 : MAGIC_F64;
  int c = m_at_most(k, m_at_least(k, x, f32 ? -151 : -1076), f32 ? 129 : 1025);
  int shifted = m_addn(k, c, magic), n = m_addn(k, shifted, -magic), f = m_sub(k, c, n), p;
  if (f32) { /* (2^f - 1) / f, own minimax fit on [-1/2, 1/2]: 2^-34 */
    p = M_POLY(k, f, 0.69314718070343373, 0.24022651066039086, 0.055504103685094085, 0.0096180381933500571,
               0.0013333933423414035, 0.00015466739690154032, 1.5196477720806755e-05);
    p = m_fman(k, p, f, 1);
  } else {
    int ln2 = m_num(k, x, LN2), r = m_mul(k, f, ln2);
    int low = k_fma(k, f, m_num(k, x, 0x1.abc9e3b39803fp-56), k_fma(k, f, ln2, m_neg(k, r)));
    p = k_fma(k, series(k, r, 13), m_mul(k, r, r), m_add(k, low, r));
    p = m_addn(k, p, 1);
  }
  return scale(k, p, shifted);
}

/* exp(x) - 1 = 2^n ((exp(r) - 1) + (1 - 2^-n)), computed at half its size so that 2^n does not overflow. */
static int expm1_of(kernel *k, int x) {
  reduced d = reduce(k, x, 13);
  int q = k_fma(k, d.q, m_mul(k, d.r, d.r), d.r), s = power(k, d.shifted, -1);
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

int math_sinh(kernel *k, int x) {
  if (!is_f32(k, x)) return m_libm(k, LIBM_sinh, x, -1);
  int a = m_at_most(k, k_cast(k, TME_F64, m_abs(k, x)), 100), e = m_exp_normal(k, a, 8);
  int r = m_muln(k, m_sub(k, e, m_div(k, m_num(k, e, 1), e)), 0.5);
  r = m_sel(k, m_ltn(k, a, 1), sinh_small(k, a), r);
  return m_with_sign(k, k_cast(k, TME_F32, r), m_sign(k, x));
}

int math_cosh(kernel *k, int x) {
  if (!is_f32(k, x)) return m_libm(k, LIBM_cosh, x, -1);
  int a = m_at_most(k, k_cast(k, TME_F64, m_abs(k, x)), 100), e = m_exp_normal(k, a, 8);
  return k_cast(k, TME_F32, m_muln(k, m_add(k, e, m_div(k, m_num(k, e, 1), e)), 0.5));
}

/* Small arguments by an odd polynomial (Cephes, tanhf), others by 1 - 2 / (exp(2|x|) + 1), which is 1 from 9.2 on. */
static int tanh_f32(kernel *k, int x) {
  int a = m_abs(k, x), c = m_at_most(k, a, 9.2);
  int e = m_exp_normal(k, m_add(k, c, c), 0), one = m_num(k, x, 1);
  int large = m_sub(k, one, m_div(k, m_num(k, x, 2), m_add(k, e, one)));
  int s = m_mul(k, a, a);
  int p = M_POLY(k, s, -3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2, -5.70498872745e-3);
  int small = k_fma(k, m_mul(k, p, s), a, a);
  return m_with_sign(k, m_sel(k, m_ltn(k, a, 0.625), small, large), m_sign(k, x));
}

/* The same split; Cephes' quotient of polynomials (tanh) for small arguments, with one division for both. */
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
