/* pow, roots and remainders; f32 by way of f64, f64 by way of two numbers. */
#include "kernel/math_two.h"
#include <math.h>

static bool is_f32(const kernel *k, int x) { return m_type(k, x) == TME_F32; }

/* exp whose result is cut to f32: beyond 200 it overflows or vanishes there. */
static int exp_to_f32(kernel *k, int t) {
  return k_cast(k, TME_F32, m_exp_normal(k, m_at_most(k, m_at_least(k, t, -200), 200), 8));
}

static int power_f32(kernel *k, int a, int y, int unit) {
  int t = m_mul(k, m_log_f64(k, k_cast(k, TME_F64, a)), k_cast(k, TME_F64, y));
  return exp_to_f32(k, m_sel(k, unit, m_num(k, t, 0), t));
}

static int power_f64(kernel *k, int a, int y, int unit) {
  two l = m_log_two(k, a), t = two_product(k, y, l.hi);
  t.lo = k_fma(k, y, l.lo, t.lo);
  return m_exp_two(k, two_select(k, unit, two_num(k, a, 0, 0), t));
}

/* |x|^y = exp(y log|x|) gives what C asks for zeros and infinities too, but for 1^inf, and 0^0, inf^0. */
int math_pow(kernel *k, int x, int y) {
  int a = m_abs(k, x), one = m_num(k, x, 1), zero = m_num(k, x, 0);
  int unit = m_and(k, m_eq(k, a, one), m_eq(k, y, y));
  int r = is_f32(k, x) ? power_f32(k, a, y, unit) : power_f64(k, a, y, unit);

  int half = m_muln(k, y, 0.5), whole = m_eq(k, k_un(k, K_TRUNC, y), y); /* halving loses bits only below 1 */
  int odd = m_and(k, whole, k_bin(k, K_NE, k_un(k, K_TRUNC, half), half));
  int sign = m_sign(k, x);
  r = m_with_sign(k, r, m_sel(k, odd, sign, m_int(k, sign, 0)));
  int undefined = m_and(k, m_and(k, m_lt(k, x, zero), m_ltn(k, a, INFINITY)), k_un(k, K_NOT, whole));
  r = m_sel(k, undefined, m_num(k, x, NAN), r);
  return m_sel(k, m_or(k, m_eq(k, y, zero), m_eq(k, x, one)), one, r);
}

/* Of w = 2^(e mod 3) m, by way of y = w^(-1/3): a polynomial (tools/minimax.py) within 2^-17, a step of third order, and one of
 * Newton's for the root itself, whose rest is known to twice its digits. */
static int cbrt_f64(kernel *k, int x) {
  int a = m_abs(k, x), one = m_num(k, x, 1);
  m_split d = m_exponent(k, a);
  double base = 0x1.8p52 + 1023;
  int shifted = m_fman(k, d.e, m_num(k, x, 1.0 / 3), base);
  int mod = k_fma(k, m_addn(k, shifted, -base), m_num(k, x, -3), d.e), up = m_gtn(k, mod, 0.5),
      down = m_ltn(k, mod, -0.5);
  int w = m_mul(k, d.m, m_sel(k, up, m_num(k, x, 2), m_sel(k, down, m_num(k, x, 0.5), one)));
  int y = M_POLY(k, d.m, 1.9992007458500347, -2.486055322520921, 2.792449607543525, -1.89833860536604,
                 0.7008260083536559, -0.10807858522103096);
  y = m_mul(k, y, m_sel(k, up, m_num(k, x, 0.7937005259840998), m_sel(k, down, m_num(k, x, 1.2599210498948732), one)));
  int h = k_fma(k, m_neg(k, m_mul(k, w, y)), m_mul(k, y, y), one);
  y = k_fma(k, m_mul(k, y, h), m_fman(k, h, m_num(k, x, 2.0 / 9), 1.0 / 3), y);
  int square = m_mul(k, y, y), t = m_mul(k, w, square);
  two tt = two_product(k, t, t);
  int rest = k_fma(k, tt.lo, t, k_fma_once(k, tt.hi, t, m_neg(k, w)));
  t = k_fma(k, rest, m_muln(k, square, -1.0 / 3), t);
  int r = m_mul(k, t, m_unbits(k, m_shl(k, m_bits(k, shifted), 52)));
  int plain = m_and(k, m_gtn(k, a, 0), m_ltn(k, a, INFINITY));
  return m_sel(k, plain, m_with_sign(k, r, m_sign(k, x)), x);
}

int math_cbrt(kernel *k, int x) {
  if (!is_f32(k, x)) return cbrt_f64(k, x);
  int t = m_muln(k, m_log_f64(k, k_cast(k, TME_F64, m_abs(k, x))), 1.0 / 3);
  return m_with_sign(k, exp_to_f32(k, t), m_sign(k, x));
}

int math_hypot(kernel *k, int x, int y) {
  if (!is_f32(k, x)) return m_libm(k, LIBM_hypot, x, y);
  int ax = m_abs(k, x), ay = m_abs(k, y), inf = m_num(k, x, INFINITY);
  int xd = k_cast(k, TME_F64, x), yd = k_cast(k, TME_F64, y);
  int r = k_cast(k, TME_F32, m_sqrt(k, k_fma(k, xd, xd, m_mul(k, yd, yd))));
  return m_sel(k, m_or(k, m_eq(k, ax, inf), m_eq(k, ay, inf)), inf, r);
}

/* A quotient below 2^52, whole, or one too large: the remainder of both is exact. The sign of x. */
int math_fmod(kernel *k, int x, int y) {
  if (is_f32(k, x)) return k_cast(k, TME_F32, math_fmod(k, k_cast(k, TME_F64, x), k_cast(k, TME_F64, y)));
  int a = m_abs(k, x), b = m_abs(k, y), q = k_un(k, K_TRUNC, m_div(k, a, b)), r = k_fma_once(k, q, m_neg(k, b), a);
  r = m_sel(k, m_ltn(k, r, 0), m_add(k, r, b), r);
  r = m_sel(k, m_ltn(k, q, 0x1p52), r, m_num(k, x, NAN));
  r = m_sel(k, m_lt(k, a, b), a, r); /* of an infinite b, too */
  return m_libm_rest(k, LIBM_fmod, m_with_sign(k, r, m_sign(k, x)), x, y);
}

/* ---- powers of two ------------------------------------------------------------------------------------------------- */

/* The bits of x, of denormal numbers of x times 2^`up`, and where there is an exponent in them. */
typedef struct binary_form {
  int bits, is_tiny, is_plain;
  int mantissa_bits, bias, up;
} binary_form;

static binary_form binary_form_of(kernel *k, int x) {
  bool f32 = is_f32(k, x);
  binary_form f = {.mantissa_bits = f32 ? 23 : 52, .bias = f32 ? 126 : 1022, .up = f32 ? 24 : 54};
  int a = m_abs(k, x);
  f.is_tiny = m_ltn(k, a, f32 ? 0x1p-126 : 0x1p-1022);
  f.is_plain = m_and(k, m_gtn(k, a, 0), m_ltn(k, a, INFINITY));
  f.bits = m_bits(k, m_sel(k, f.is_tiny, m_muln(k, x, f32 ? 0x1p24 : 0x1p54), x));
  return f;
}

int math_mantissa(kernel *k, int x) {
  binary_form f = binary_form_of(k, x);
  int64_t field = (int64_t)(2 * f.bias + 3) << f.mantissa_bits, half = (int64_t)f.bias << f.mantissa_bits;
  int m = m_or(k, m_and(k, f.bits, m_int(k, f.bits, ~field)), m_int(k, f.bits, half));
  return m_sel(k, f.is_plain, m_unbits(k, m), x);
}

int math_exponent(kernel *k, int x) {
  binary_form f = binary_form_of(k, x);
  int e = m_and(k, m_shr(k, f.bits, f.mantissa_bits), m_int(k, f.bits, 2 * f.bias + 3)), zero = m_int(k, e, 0);
  e = m_sub(k, e, m_sel(k, f.is_tiny, m_int(k, e, f.bias + f.up), m_int(k, e, f.bias)));
  return k_cast(k, TME_I32, m_sel(k, f.is_plain, e, zero));
}

/* Of f32 in f64, where the product is exact. */
int math_ldexp(kernel *k, int x, int n) {
  if (!is_f32(k, x)) return m_libm(k, LIBM_scale_by_power, x, n);
  int whole = k_un(k, K_TRUNC, m_at_most(k, m_at_least(k, n, -600), 600)), e = k_cast(k, TME_I64, whole);
  int power = m_unbits(k, m_shl(k, m_add(k, e, m_int(k, e, 1023)), 52));
  int y = k_cast(k, TME_F32, m_mul(k, k_cast(k, TME_F64, x), power));
  return m_sel(k, k_bin(k, K_NE, n, n), n, y);
}
