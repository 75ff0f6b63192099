/* Error and gamma functions. */
#include "compile/math_build.h"

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
  int q = M_POLY(k, s, 1.28379166e-1, -3.76125336e-1, 1.12819925e-1, -2.67681349e-2, 4.99119423e-3, -5.96761703e-4);
  int near = k_fma(k, q, a, a);
  return m_with_sign(k, m_sel(k, m_gtn(k, a, 0.927734375), far, near), m_sign(k, x));
}

int math_erf(kernel *k, int x) { return m_type(k, x) == TME_F32 ? erf_f32(k, x) : m_libm(k, LIBM_erf, x, -1); }

int math_erfc(kernel *k, int x) { return m_libm(k, LIBM_erfc, x, -1); }

int math_lgamma(kernel *k, int x) { return m_libm(k, LIBM_lgamma, x, -1); }
