/* Error and gamma functions. */
#include "kernel/math_build.h"

/* erf(x) / x - 1 for |x| < 0.93, of s = x^2. */
static int erf_near(kernel *k, int s) {
  return M_POLY(k, s, 1.28379166e-1, -3.76125336e-1, 1.12819925e-1, -2.67681349e-2, 4.99119423e-3, -5.96761703e-4);
}

/* Two polynomials (N. Juffa's, in the form of a single exponential): a + a q(a^2) near 0, 1 - exp(-a - a p(a))
 * beyond. */
static int erf_f32(kernel *k, int x) {
  int a = m_abs(k, x), s = m_mul(k, x, x);
  int p = k_fma(k, m_num(k, x, -1.72853470e-5), a, m_num(k, x, 3.83197126e-4));
  int u = k_fma(k, m_num(k, x, -3.88396438e-3), a, m_num(k, x, 2.42546219e-2));
  p = k_fma(k, p, s, u);
  p = m_fman(k, p, a, -1.06777877e-1);
  p = m_fman(k, p, a, -6.34846687e-1);
  p = m_fman(k, p, a, -1.28717512e-1);
  p = k_fma(k, p, a, m_neg(k, a));
  int far = m_sub(k, m_num(k, x, 1), m_exp_normal(k, m_at_least(k, p, -87), 0));
  far = m_sel(k, m_gtn(k, a, 4), m_num(k, x, 1), far);
  int near = k_fma(k, erf_near(k, s), a, a);
  return m_with_sign(k, m_sel(k, m_gtn(k, a, 0.927734375), far, near), m_sign(k, x));
}

int math_erf(kernel *k, int x) { return m_type(k, x) == TME_F32 ? erf_f32(k, x) : m_libm(k, LIBM_erf, x, -1); }

/* (1 + 2a) exp(a^2) erfc(a) = 1 + p(q) with q = (a - 4) / (a + 4) (Shepherd & Laframboise, "Chebyshev approximation of
 * (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity", 1981), p an own fit for a <= 10.06, where erfc ends in f32: 2^-26. Both
 * quotients get their remainders, and so does a^2. */
static int erfc_far(kernel *k, int a) {
  int one = m_num(k, a, 1), r = m_div(k, one, m_addn(k, a, 4)), q = m_mul(k, m_addn(k, a, -4), r);
  int rest = k_fma_once(k, q, m_neg(k, a), k_fma_once(k, m_addn(k, q, 1), m_num(k, a, -4), a));
  q = k_fma(k, r, rest, q);
  int p = M_POLY(k, q, 0.23299512267112732, -0.13962113857269287, 0.015379668213427067, 0.06809791177511215,
                 -0.10103863477706909, 0.09371957927942276, -0.0663495808839798, 0.03723636269569397,
                 -0.016026875004172325, 0.005006870254874229, -0.0011739868205040693, -0.0006538794259540737);
  r = m_div(k, one, k_fma(k, a, m_num(k, a, 2), one));
  int y = k_fma(k, p, r, r), minus = m_neg(k, a);
  rest = k_fma_once(k, k_fma_once(k, y, minus, m_num(k, a, 0.5)), m_num(k, a, 2), m_sub(k, p, y));
  y = k_fma(k, rest, r, y);
  int square = m_mul(k, a, a), e = math_exp(k, m_neg(k, square)), low = k_fma_once(k, minus, a, square);
  return k_fma(k, y, e, m_mul(k, m_mul(k, y, e), low));
}

static int erfc_f32(kernel *k, int x) {
  int far = erfc_far(k, m_at_most(k, m_abs(k, x), 10.06));
  far = m_sel(k, m_ltn(k, x, 0), m_sub(k, m_num(k, x, 2), far), far);
  int near = m_sub(k, m_num(k, x, 1), k_fma(k, erf_near(k, m_mul(k, x, x)), x, x));
  return m_sel(k, m_ltn(k, m_abs(k, x), 0.5), near, far);
}

int math_erfc(kernel *k, int x) { return m_type(k, x) == TME_F32 ? erfc_f32(k, x) : m_libm(k, LIBM_erfc, x, -1); }

int math_lgamma(kernel *k, int x) { return m_libm(k, LIBM_lgamma, x, -1); }
