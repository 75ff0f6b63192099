/* Error, gamma and Bessel functions. */
#include "kernel/math_build.h"
#include <math.h>

/* erf(x) / x - 1 of s = x^2, for |x| < 0.93, in f64 |x| < 1 (tools/minimax.py, as all coefficients of f64). */
static int erf_near(kernel *k, int s) {
  if (m_type(k, s) == TME_F64)
    return M_POLY(k, s, 0.1283791670955126, -0.376126389031841, 0.11283791670971098, -0.026866170648031148,
                  0.005223977652692704, -0.0008548328535813432, 0.00012055386194162536, -1.4926881489541329e-05,
                  1.6481059406052604e-06, -1.6557136922068243e-07, 1.601329149860824e-08, -1.6465048198893545e-09,
                  1.4344191966052913e-10);
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

/* The same with the logarithm of 1 - erf as polynomial; from 6 on nothing is left of that. */
static int erf_f64(kernel *k, int x) {
  int a = m_abs(k, x), far = m_at_most(k, a, 6);
  int t = M_POLY(k, far, -1.0637884960099919e-06, -1.1283687103055198, -0.6366675872266063, -0.10263762661925804,
                 0.018865340361439647, 0.0005841257726427754, -0.002098842039894007, 0.0009200003590225195,
                 -0.00023068612902884706, 2.8017754281441278e-05, 3.6033284158901737e-06, -2.670803702361491e-06,
                 6.872920970532288e-07, -1.0815107500137724e-07, 1.0896096729824129e-08, -6.513548816585262e-10,
                 1.7690777547923128e-11);
  far = m_sub(k, m_num(k, x, 1), m_exp_normal(k, t, 13));
  int near = k_fma(k, erf_near(k, m_mul(k, x, x)), a, a);
  return m_with_sign(k, m_sel(k, m_gtn(k, a, 1), far, near), m_sign(k, x));
}

int math_erf(kernel *k, int x) { return m_type(k, x) == TME_F32 ? erf_f32(k, x) : erf_f64(k, x); }

static int erfc_poly(kernel *k, int q) {
  if (m_type(k, q) == TME_F64)
    return M_POLY(k, q, 0.2423492448711544, -0.14000918013762015, -0.010555596332222236, 0.09751909515335126,
                  -0.11508959815995017, 0.08798315382139368, -0.04882332583361763, 0.019099331002107818,
                  -0.004215019839521373, -0.000302268442386891, 0.0005643839516117479, -0.00012150920437768621,
                  -4.278030202701912e-05, 2.424944325870337e-05, 2.3233818512916804e-06, -3.7884662406224152e-06,
                  -3.664721714233668e-08, 5.642985519018763e-07, -1.4396316030209083e-08, -6.52444107820016e-08,
                  2.911826038955029e-09, 1.1746025001533628e-09);
  return M_POLY(k, q, 0.23299512267112732, -0.13962113857269287, 0.015379668213427067, 0.06809791177511215,
                -0.10103863477706909, 0.09371957927942276, -0.0663495808839798, 0.03723636269569397,
                -0.016026875004172325, 0.005006870254874229, -0.0011739868205040693, -0.0006538794259540737);
}

/* (1 + 2a) exp(a^2) erfc(a) = 1 + p(q) with q = (a - c) / (a + c) (Shepherd & Laframboise, "Chebyshev approximation of
 * (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity", 1981), p an own fit from 1/2 to where erfc ends: in f32 2^-26. Both
 * quotients get their remainders, and so does a^2. */
static int erfc_far(kernel *k, int a) {
  double centre = m_type(k, a) == TME_F32 ? 4 : 3.5;
  int one = m_num(k, a, 1), r = m_div(k, one, m_addn(k, a, centre)), q = m_mul(k, m_addn(k, a, -centre), r);
  int rest = k_fma_once(k, q, m_neg(k, a), k_fma_once(k, m_addn(k, q, 1), m_num(k, a, -centre), a));
  q = k_fma(k, r, rest, q);
  int p = erfc_poly(k, q);
  r = m_div(k, one, k_fma(k, a, m_num(k, a, 2), one));
  int y = k_fma(k, p, r, r), minus = m_neg(k, a);
  rest = k_fma_once(k, k_fma_once(k, y, minus, m_num(k, a, 0.5)), m_num(k, a, 2), m_sub(k, p, y));
  y = k_fma(k, rest, r, y);
  int square = m_mul(k, a, a), e = math_exp(k, m_neg(k, square)), low = k_fma_once(k, minus, a, square);
  return k_fma(k, y, e, m_mul(k, m_mul(k, y, e), low));
}

int math_erfc(kernel *k, int x) {
  int far = erfc_far(k, m_at_most(k, m_abs(k, x), m_type(k, x) == TME_F32 ? 10.06 : 27.3));
  far = m_sel(k, m_ltn(k, x, 0), m_sub(k, m_num(k, x, 2), far), far);
  int near = m_sub(k, m_num(k, x, 1), k_fma(k, erf_near(k, m_mul(k, x, x)), x, x));
  return m_sel(k, m_ltn(k, m_abs(k, x), 0.5), near, far);
}

/* A polynomial in v with the coefficients `near` or `far`. */
static int poly_of_two(kernel *k, int is_near, int v, int n, const double *near, const double *far) {
  int p = -1;
  for (int i = n - 1; i >= 0; i--) {
    int c = m_sel(k, is_near, m_num(k, v, near[i]), m_num(k, v, far[i]));
    p = p < 0 ? c : k_fma(k, p, v, c);
  }
  return p;
}

/* x times a function of w = -log(1 - x^2) up to 15/16; beyond, a function of sqrt(-log(1 - |x|)), in f32 less 3. Own fits: within
 * 2^-26 in f32, where polynomials do; quotients in f64, within 2^-61. */
int math_erfinv(kernel *k, int x) {
  static const double near_f32[] = {0.8862269243534863134,
                                    0.2320137359693488395,
                                    0.01154863351883954003,
                                    -0.002332387941618048557,
                                    -0.0001330548976503792586,
                                    0.00005148817052216186276,
                                    -4.349928456202839623e-7,
                                    -5.11854319152471982e-7,
                                    0,
                                    0};
  static const double far_f32[] = {2.7147610,      1.0417524,     -0.0054418995,  7.2233709e-05, 0.00035971978,
                                   -0.00021127984, 8.2670805e-05, -2.0381712e-05, 1.2373236e-05, -7.4044899e-06};
  static const double near_top[] = {0.8862269254527580136,   0.2875566033669648915,   0.06649281065068654597,
                                    0.01079629785364105721,  0.001249226153444217713, 0.0001038407564108036738,
                                    5.736652967349877786e-6, 1.613617577120873049e-7, 0};
  static const double near_bottom[] = {1,
                                       0.06267349280088107021,
                                       0.04558918330371131057,
                                       0.002065214072126042023,
                                       0.0005844275867922579575,
                                       0.00001383681966903163527,
                                       1.687097767025675713e-6,
                                       2.670726853130260119e-10,
                                       0};
  static const double far_top[] = {-0.000208414940781576457, 0.004455590169192699407, 0.8537624684950316786,
                                   2.007855939285296631,     2.795655707141309497,    3.069226386921222762,
                                   0.9612169531850878385,    0.08356548866103794239,  0.001541994498979215368};
  static const double far_bottom[] = {1,
                                      2.120981950116983953,
                                      4.012753618275640378,
                                      3.947172683564372881,
                                      3.223890389354952214,
                                      0.9655544245757496103,
                                      0.08356950519975392267,
                                      0.001542029841282294483,
                                      -6.33814158426426692e-10};
  bool f32 = m_type(k, x) == TME_F32;
  int a = m_abs(k, x), one = m_num(k, x, 1), rest = m_sub(k, one, a), near = m_ltn(k, a, 0.9375);
  int w = m_neg(k, math_log(k, m_sel(k, near, m_mul(k, rest, m_add(k, one, a)), rest)));
  int root = m_sqrt(k, w), v = m_sel(k, near, w, f32 ? m_addn(k, root, -3) : root);
  int y = f32 ? poly_of_two(k, near, v, COUNT(near_f32), near_f32, far_f32)
              : m_div(k, poly_of_two(k, near, v, COUNT(near_top), near_top, far_top),
                      poly_of_two(k, near, v, COUNT(near_bottom), near_bottom, far_bottom));
  y = m_sel(k, near, m_mul(k, y, a), y);
  return m_with_sign(k, m_sel(k, m_eq(k, a, one), m_num(k, x, INFINITY), y), m_sign(k, x));
}

int math_lgamma(kernel *k, int x) { return m_libm(k, LIBM_lgamma, x, -1); }
int math_gamma(kernel *k, int x) { return m_libm(k, LIBM_tgamma, x, -1); }
int math_digamma(kernel *k, int x) { return m_libm(k, LIBM_digamma, x, -1); }
int math_bessel_i0(kernel *k, int x) { return m_libm(k, LIBM_bessel_i0, x, -1); }
int math_bessel_i1(kernel *k, int x) { return m_libm(k, LIBM_bessel_i1, x, -1); }
int math_bessel_i0e(kernel *k, int x) { return m_libm(k, LIBM_bessel_i0e, x, -1); }
int math_bessel_i1e(kernel *k, int x) { return m_libm(k, LIBM_bessel_i1e, x, -1); }
