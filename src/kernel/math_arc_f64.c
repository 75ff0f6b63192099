/* Inverse trigonometric functions of f64, within 1 ulp: a sum of a multiple of pi/4, a number of at most 1 and what is small
 * against both. Coefficients: tools/minimax.py. */
#include "kernel/math_two.h"
#include <math.h>

#define PI_LO (2 * PI_2_LO)
#define PI_4 (PI_2 / 2)
#define PI_4_LO (PI_2_LO / 2)
#define PI_3_4 0x1.2d97c7f3321d2p+1
#define PI_3_4_LO 0x1.a79394c9e8a0ap-54

/* ---- asin, acos ---------------------------------------------------------------------------------------------------- */

typedef struct halves {
  int large; /* |x| > 1/2: the value is asin of sqrt((1 - |x|) / 2) */
  int s, low;
} halves;

/* asin(s) = s + low for s <= 1/2. */
static halves arc(kernel *k, int x) {
  int a = m_abs(k, x), large = m_gtn(k, a, 0.5), zero = m_num(k, x, 0);
  int z = m_sel(k, large, m_fman(k, a, m_num(k, a, -0.5), 0.5), m_mul(k, a, a)), root = m_sqrt(k, z);
  int lost = m_div(k, k_fma_once(k, m_neg(k, root), root, z), m_at_least(k, m_add(k, root, root), 0x1p-100));
  int s = m_sel(k, large, root, a);
  int p = M_POLY(k, z, 0.16666666666665408, 0.07500000000337141, 0.04464285682818587, 0.030381959144420483,
                 0.022371757838179757, 0.017359708402264584, 0.013885195762342595, 0.012169494047302118,
                 0.0065266699600662025, 0.01953204552964653, -0.016230484393930676, 0.03191673132810789);
  return (halves){large, s, k_fma(k, m_mul(k, z, s), p, m_sel(k, large, lost, zero))};
}

static int times(kernel *k, two base, const halves *h, int factor) {
  return two_from(k, base, m_mul(k, h->s, factor), m_mul(k, h->low, factor));
}

int m_asin_f64(kernel *k, int x) {
  halves h = arc(k, x);
  two base = two_select(k, h.large, two_num(k, x, PI_2, PI_2_LO), two_num(k, x, 0, 0));
  int v = times(k, base, &h, m_sel(k, h.large, m_num(k, x, -2), m_num(k, x, 1)));
  return m_with_sign(k, v, m_sign(k, x));
}

int m_acos_f64(kernel *k, int x) {
  halves h = arc(k, x);
  int negative = m_ltn(k, x, 0), one = m_num(k, x, 1), two_ = m_num(k, x, 2);
  two far = two_select(k, negative, two_num(k, x, PI, PI_LO), two_num(k, x, 0, 0));
  two base = two_select(k, h.large, far, two_num(k, x, PI_2, PI_2_LO));
  int factor = m_sel(k, h.large, two_, m_neg(k, one));
  return times(k, base, &h, m_sel(k, negative, m_neg(k, factor), factor));
}

/* ---- atan, atan2 --------------------------------------------------------------------------------------------------- */

/* For low <= top both halves of the first octant: atan(low / top), or pi/4 more than atan((low - top) / (low + top)). */
typedef struct octant {
  int upper;
  two t;
} octant;

static octant octant_of(kernel *k, int low, int top, int none) {
  int upper = m_gt(k, low, m_muln(k, top, 0.41421356237309503)), zero = m_num(k, low, 0);
  two d = two_sum(k, m_neg(k, top), low), s = two_sum(k, top, low);
  two a = two_select(k, upper, d, (two){low, zero}), b = two_select(k, upper, s, (two){top, zero});
  if (none >= 0) {
    a = two_select(k, none, two_num(k, low, 0, 0), a);
    b = two_select(k, none, two_num(k, low, 1, 0), b);
  }
  return (octant){upper, two_quotient(k, a, b)};
}

/* base + the sign times atan(t) for |t| <= tan(pi/8); the sign is an i64 with no other bit. */
static int arctangent(kernel *k, two base, two t, int sign) {
  int z = m_mul(k, t.hi, t.hi);
  int p = M_POLY(k, z, -0.333333333333332, 0.1999999999995367, -0.14285714280198994, 0.1111111078345393,
                 -0.09090897756013674, 0.07692060176103829, -0.06663103624752069, 0.05847886752478014,
                 -0.05039296650248345, 0.038064459352970086, -0.017907221327980092);
  int low = k_fma(k, m_mul(k, z, t.hi), p, k_fma(k, m_neg(k, z), t.lo, t.lo));
  int signed_t = m_unbits(k, m_xor(k, m_bits(k, t.hi), sign)), signed_low = m_unbits(k, m_xor(k, m_bits(k, low), sign));
  return two_from(k, base, signed_t, signed_low);
}

static int sign_where(kernel *k, int c, int like) {
  int b = m_bits(k, like);
  return m_sel(k, c, m_int(k, b, INT64_MIN), m_int(k, b, 0));
}

int m_atan_f64(kernel *k, int x) {
  int a = m_at_most(k, m_abs(k, x), 0x1p60), one = m_num(k, x, 1), steep = m_gtn(k, a, 1);
  octant o = octant_of(k, m_sel(k, steep, one, a), m_sel(k, steep, a, one), -1);
  two base = two_select(k, steep, two_num(k, x, PI_2, PI_2_LO), two_num(k, x, 0, 0));
  base = two_select(k, o.upper, two_num(k, x, PI_4, PI_4_LO), base);
  return m_with_sign(k, arctangent(k, base, o.t, sign_where(k, steep, x)), m_sign(k, x));
}

/* Scaled where the quotient's steps would leave the range. Infinities and zeros have no quotient: base and sign say it all. */
int m_atan2_f64(kernel *k, int y, int x) {
  int ay = m_abs(k, y), ax = m_abs(k, x), steep = m_gt(k, ay, ax), inf = m_num(k, x, INFINITY), zero = m_num(k, x, 0);
  int top = m_sel(k, steep, ay, ax), low = m_sel(k, steep, ax, ay);
  int scale = m_sel(k, m_ltn(k, top, 0x1p-900), m_num(k, x, 0x1p150), m_num(k, x, 1));
  scale = m_sel(k, m_gtn(k, top, 0x1p1000), m_num(k, x, 0x1p-100), scale);
  int none = m_or(k, m_eq(k, top, inf), m_eq(k, top, zero));
  octant o = octant_of(k, m_mul(k, low, scale), m_mul(k, top, scale), none);
  o.upper = m_or(k, o.upper, m_eq(k, low, inf));

  int bits = m_bits(k, x), negative = m_lt(k, bits, m_int(k, bits, 0));
  two flat = two_select(k, negative, two_num(k, x, PI, PI_LO), two_num(k, x, 0, 0));
  two diagonal = two_select(k, negative, two_num(k, x, PI_3_4, PI_3_4_LO), two_num(k, x, PI_4, PI_4_LO));
  two base = two_select(k, o.upper, diagonal, two_select(k, steep, two_num(k, x, PI_2, PI_2_LO), flat));
  int v = arctangent(k, base, o.t, m_xor(k, sign_where(k, steep, x), m_sign(k, x)));
  int unordered = m_or(k, k_bin(k, K_NE, x, x), k_bin(k, K_NE, y, y));
  return m_with_sign(k, m_sel(k, unordered, m_num(k, x, NAN), v), m_sign(k, y));
}
