/* Trigonometric functions and their inverses: of f32, by way of f64 where that is cheaper. */
#include "kernel/math_build.h"
#include <math.h>

static bool is_f32(const kernel *k, int x) { return m_type(k, x) == TME_F32; }

/* ---- reduction: |x| = n pi/2 + r, in f64 ------------------------------------------------------------------------- */

typedef struct reduced {
  int n; /* i32; only its low two bits count */
  int r; /* f64 in [-pi/4, pi/4] */
} reduced;

/* Cody & Waite in two parts, by fma, for a < 2^45: a multiple of pi/2 is 2^-30 away at least from all f32. NaN beyond. */
static reduced reduce(kernel *k, int x) {
  int a = k_cast(k, TME_F64, m_abs(k, x));
  a = m_sel(k, m_ltn(k, a, 0x1p45), a, m_num(k, a, NAN));
  int shifted = m_fman(k, a, m_num(k, a, 2 / PI), 0x1.8p52), n = m_addn(k, shifted, -0x1.8p52);
  reduced d;
  d.r = k_fma_once(k, n, m_num(k, a, -PI_2), a);
  d.r = k_fma(k, n, m_num(k, a, -PI_2_LO), d.r);
  d.n = k_cast(k, TME_I32, m_bits(k, shifted));
  return d;
}

/* Polynomials of Cephes' sinf and cosf. */
static int sine(kernel *k, int r, int z) {
  int p = M_POLY(k, z, -1.6666654611e-1, 8.3321608736e-3, -1.9515295891e-4);
  return k_fma(k, m_mul(k, p, z), r, r);
}

static int cosine(kernel *k, int z) {
  int p = M_POLY(k, z, 4.166664568298827e-2, -1.388731625493765e-3, 2.443315711809948e-5);
  return k_fma(k, m_mul(k, z, z), p, m_fman(k, z, m_num(k, z, -0.5), 1));
}

/* sin of quadrant n: cos if odd, negated in the second half turn; `sign` is flipped besides. */
static int quadrant(kernel *k, const reduced *d, int n, int sign) {
  int r = k_cast(k, TME_F32, d->r), z = m_mul(k, r, r);
  int odd = m_eq(k, m_and(k, n, m_int(k, n, 1)), m_int(k, n, 1));
  int v = m_sel(k, odd, cosine(k, z), sine(k, r, z));
  int flip = m_shl(k, m_and(k, n, m_int(k, n, 2)), 30);
  if (sign >= 0) flip = m_xor(k, flip, sign);
  return m_unbits(k, m_xor(k, m_bits(k, v), flip));
}

int math_sin(kernel *k, int x) {
  if (!is_f32(k, x)) return m_sin_f64(k, x);
  reduced d = reduce(k, x);
  return m_libm_rest(k, LIBM_sin, quadrant(k, &d, d.n, m_sign(k, x)), x, -1);
}

int math_cos(kernel *k, int x) {
  if (!is_f32(k, x)) return m_cos_f64(k, x);
  reduced d = reduce(k, x);
  return m_libm_rest(k, LIBM_cos, quadrant(k, &d, m_add(k, d.n, m_int(k, d.n, 1)), -1), x, -1);
}

/* The polynomial of FreeBSD's k_tanf, in f64. */
int math_tan(kernel *k, int x) {
  if (!is_f32(k, x)) return m_tan_f64(k, x);
  reduced d = reduce(k, x);
  int z = m_mul(k, d.r, d.r);
  int p = M_POLY(k, z, 0x15554d3418c99f.0p-54, 0x1112fd38999f72.0p-55, 0x1b54c91d865afe.0p-57, 0x191df3908c33ce.0p-58,
                 0x185dadfcecf44e.0p-61, 0x1362b9bf971bcd.0p-59);
  int t = k_fma(k, m_mul(k, p, z), d.r, d.r);
  int odd = m_eq(k, m_and(k, d.n, m_int(k, d.n, 1)), m_int(k, d.n, 1));
  int r = k_cast(k, TME_F32, m_sel(k, odd, m_div(k, m_num(k, t, -1), t), t));
  return m_libm_rest(k, LIBM_tan, m_unbits(k, m_xor(k, m_bits(k, r), m_sign(k, x))), x, -1);
}

/* ---- inverses ---------------------------------------------------------------------------------------------------- */

/* asin(s) for z = s^2 <= 1/4: Cephes, asinf. */
static int arcsine(kernel *k, int s, int z) {
  int p = M_POLY(k, z, 1.6666752422e-1, 7.4953002686e-2, 4.5470025998e-2, 2.4181311049e-2, 4.2163199048e-2);
  return k_fma(k, m_mul(k, p, z), s, s);
}

typedef struct halves {
  int large; /* |x| > 1/2: the value is asin of sqrt((1 - |x|) / 2) */
  int v;
} halves;

static halves arc(kernel *k, int x) {
  int a = m_abs(k, x), large = m_gtn(k, a, 0.5);
  int z = m_sel(k, large, m_fman(k, a, m_num(k, a, -0.5), 0.5), m_mul(k, a, a));
  return (halves){large, arcsine(k, m_sel(k, large, m_sqrt(k, z), a), z)};
}

int math_asin(kernel *k, int x) {
  if (!is_f32(k, x)) return m_asin_f64(k, x);
  halves h = arc(k, x);
  int large = m_addn(k, m_fman(k, h.v, m_num(k, x, -2), (float)PI_2), PI_2 - (float)PI_2);
  return m_with_sign(k, m_sel(k, h.large, large, h.v), m_sign(k, x));
}

int math_acos(kernel *k, int x) {
  if (!is_f32(k, x)) return m_acos_f64(k, x);
  halves h = arc(k, x);
  int negative = m_ltn(k, x, 0), twice = m_add(k, h.v, h.v),
      signed_v = m_unbits(k, m_xor(k, m_bits(k, h.v), m_sign(k, x)));
  int small = m_addn(k, m_sub(k, m_num(k, x, (float)PI_2), signed_v), PI_2 - (float)PI_2);
  int below = m_addn(k, m_sub(k, m_num(k, x, (float)PI), twice), PI - (float)PI);
  return m_sel(k, h.large, m_sel(k, negative, below, twice), small);
}

/* (atan(t) - t) / t^3 on [0, 1] in z = t^2: own minimax fits, 2^-28 and 2^-36 relative to atan. */
static int arctangent_f32(kernel *k, int t) {
  int z = m_mul(k, t, t);
  int p = M_POLY(k, z, -0.33333299089265933, 0.19998548287765713, -0.14264241713458359, 0.10952185933273897,
                 -0.08403450750514975, 0.057957600213307592, -0.031177851978938496, 0.010914608814360955,
                 -0.0017936223511203194);
  return k_fma(k, m_mul(k, p, z), t, t);
}

static int arctangent_f64(kernel *k, int t) {
  int z = m_mul(k, t, t);
  int p = M_POLY(k, z, -0.33333333111105773, 0.19999984221762163, -0.14285320884632668, 0.11106143421739566,
                 -0.090536295451479329, 0.075105111286491638, -0.06056955881336025, 0.044179095986930421,
                 -0.026547770754987734, 0.011778636844547359, -0.003326484944723756, 0.0004406927742263907);
  return k_fma(k, m_mul(k, p, z), t, t);
}

int math_atan(kernel *k, int x) {
  if (!is_f32(k, x)) return m_atan_f64(k, x);
  int a = m_abs(k, x), steep = m_gtn(k, a, 1), t = m_sel(k, steep, m_div(k, m_num(k, a, 1), a), a);
  int v = arctangent_f32(k, t);
  int rest = m_addn(k, m_sub(k, m_num(k, x, (float)PI_2), v), PI_2 - (float)PI_2);
  return m_with_sign(k, m_sel(k, steep, rest, v), m_sign(k, x));
}

int math_atan2(kernel *k, int y, int x) {
  if (!is_f32(k, y)) return m_atan2_f64(k, y, x);
  int ay = k_cast(k, TME_F64, m_abs(k, y)), ax = k_cast(k, TME_F64, m_abs(k, x));
  int top = k_bin(k, K_MAX, ay, ax), low = k_bin(k, K_MIN, ay, ax), zero = m_num(k, ax, 0);
  /* equal ones may be 0/0 or inf/inf */
  int t = m_sel(k, m_eq(k, top, low), m_num(k, ax, 1), m_div(k, low, top));
  int v = arctangent_f64(k, m_sel(k, m_eq(k, top, zero), zero, t));
  v = m_sel(k, m_gt(k, ay, ax), m_sub(k, m_num(k, v, PI_2), v), v);
  int bits = m_bits(k, x), negative = m_lt(k, bits, m_int(k, bits, 0));
  v = m_sel(k, negative, m_sub(k, m_num(k, v, PI), v), v);
  return m_with_sign(k, k_cast(k, TME_F32, v), m_sign(k, y));
}
