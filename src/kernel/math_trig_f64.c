/* Trigonometric functions of f64, within 1 ulp; by the C library beyond 2^40. Coefficients: tools/minimax.py. */
#include "kernel/math_two.h"
#include <math.h>

typedef struct reduced {
  int n; /* i64; only its low two bits count */
  two r; /* in [-pi/4, pi/4], hardly more */
} reduced;

/* Cody & Waite, |x| = n pi/2 + r for |x| < 2^40, else NaN. n times the high part of pi/2 takes everything down to 2^-53 off
 * exactly; the product with the next part is one of two numbers, and no f64 comes closer to a multiple of pi/2 than 2^-62. */
static reduced reduce(kernel *k, int x) {
  int a = m_abs(k, x);
  a = m_sel(k, m_ltn(k, a, 0x1p40), a, m_num(k, a, NAN));
  int shifted = m_fman(k, a, m_num(k, a, 2 / PI), 0x1.8p52), minus = m_sub(k, m_num(k, a, 0x1.8p52), shifted);
  int high = k_fma_once(k, minus, m_num(k, a, PI_2), a);
  two p = two_product(k, minus, m_num(k, a, PI_2_LO)), s = two_sum(k, high, p.hi);
  int low = m_add(k, s.lo, k_fma(k, minus, m_num(k, a, -0x1.f1976b7ed8fbcp-110), p.lo));
  return (reduced){m_bits(k, shifted), two_sum(k, s.hi, low)};
}

static two sine(kernel *k, two r, int z) {
  int p = M_POLY(k, z, -0.1666666666666663, 0.00833333333332184, -0.00019841269829358536, 2.7557313538504125e-06,
                 -2.505073438303392e-08, 1.5895432522632356e-10);
  int low = k_fma(k, m_muln(k, z, -0.5), r.lo, r.lo);
  return (two){r.hi, k_fma(k, m_mul(k, z, r.hi), p, low)};
}

static two cosine(kernel *k, two r, int z) {
  int p = M_POLY(k, z, 0.041666666666666595, -0.0013888888888873294, 2.4801587288951545e-05, -2.755731419793991e-07,
                 2.0875702315621906e-09, -1.1358569102070051e-11);
  two s = two_sum(k, m_num(k, z, 1), m_muln(k, z, -0.5));
  return (two){s.hi, k_fma(k, m_mul(k, z, z), p, k_fma(k, m_neg(k, r.hi), r.lo, s.lo))};
}

static int sum(kernel *k, two v) { return m_add(k, v.hi, v.lo); }
static int is_odd(kernel *k, int n) { return m_lt(k, m_shl(k, n, 63), m_int(k, n, 0)); }

/* sin of quadrant n: cos if odd, negated in the second half turn; `sign` is flipped besides. */
static int quadrant(kernel *k, const reduced *d, int n, int sign) {
  int z = m_mul(k, d->r.hi, d->r.hi);
  int v = m_sel(k, is_odd(k, n), sum(k, cosine(k, d->r, z)), sum(k, sine(k, d->r, z)));
  int flip = m_shl(k, m_and(k, n, m_int(k, n, 2)), 62);
  if (sign >= 0) flip = m_xor(k, flip, sign);
  return m_unbits(k, m_xor(k, m_bits(k, v), flip));
}

int m_sin_f64(kernel *k, int x) {
  reduced d = reduce(k, x);
  return m_libm_rest(k, LIBM_sin, quadrant(k, &d, d.n, m_sign(k, x)), x, -1);
}

int m_cos_f64(kernel *k, int x) {
  reduced d = reduce(k, x);
  return m_libm_rest(k, LIBM_cos, quadrant(k, &d, m_add(k, d.n, m_int(k, d.n, 1)), -1), x, -1);
}

int m_tan_f64(kernel *k, int x) {
  reduced d = reduce(k, x);
  int z = m_mul(k, d.r.hi, d.r.hi), odd = is_odd(k, d.n);
  two s = sine(k, d.r, z), c = cosine(k, d.r, z);
  s = two_sum(k, s.hi, s.lo);
  c = two_sum(k, c.hi, c.lo);
  int v = sum(k, two_quotient(k, two_select(k, odd, c, s), two_select(k, odd, s, c)));
  int flip = m_xor(k, m_shl(k, d.n, 63), m_sign(k, x));
  return m_libm_rest(k, LIBM_tan, m_unbits(k, m_xor(k, m_bits(k, v), flip)), x, -1);
}
