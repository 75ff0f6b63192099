/* Short names for what the files of math.h write most: an expression a line. */
#ifndef TME_MATH_BUILD_H
#define TME_MATH_BUILD_H

#include "base/libm.h"
#include "kernel/math.h"

#define PI 0x1.921fb54442d18p+1
#define PI_2 0x1.921fb54442d18p+0
#define PI_2_LO 0x1.1a62633145c07p-54 /* pi/2 - PI_2 */
#define LN2 0x1.62e42fefa39efp-1
#define LN2_HI 6.93147180369123816490e-01 /* so short that its products with exponents are exact */
#define LN2_LO 1.90821492927058770002e-10 /* LN2 - LN2_HI */
#define LOG2_E 0x1.71547652b82fep+0

static inline tme_dtype m_type(const kernel *k, int x) {
  return k && x >= 0 && x < k->ninst ? (tme_dtype)k->inst[x].dtype : TME_F32;
}

/* A constant of the dtype of x. */
static inline int m_num(kernel *k, int x, double v) { return k_const_f(k, m_type(k, x), v); }
static inline int m_int(kernel *k, int x, int64_t v) { return k_const_i(k, m_type(k, x), v); }

static inline int m_add(kernel *k, int a, int b) { return k_bin(k, K_ADD, a, b); }
static inline int m_sub(kernel *k, int a, int b) { return k_bin(k, K_SUB, a, b); }
static inline int m_mul(kernel *k, int a, int b) { return k_bin(k, K_MUL, a, b); }
static inline int m_div(kernel *k, int a, int b) { return k_bin(k, K_DIV, a, b); }
static inline int m_lt(kernel *k, int a, int b) { return k_bin(k, K_LT, a, b); }
static inline int m_gt(kernel *k, int a, int b) { return k_bin(k, K_GT, a, b); }
static inline int m_eq(kernel *k, int a, int b) { return k_bin(k, K_EQ, a, b); }
static inline int m_and(kernel *k, int a, int b) { return k_bin(k, K_AND, a, b); }
static inline int m_or(kernel *k, int a, int b) { return k_bin(k, K_OR, a, b); }
static inline int m_xor(kernel *k, int a, int b) { return k_bin(k, K_XOR, a, b); }
static inline int m_shl(kernel *k, int a, int n) { return k_bin(k, K_SHL, a, m_int(k, a, n)); }
static inline int m_shr(kernel *k, int a, int n) { return k_bin(k, K_SHR, a, m_int(k, a, n)); }
static inline int m_abs(kernel *k, int a) { return k_un(k, K_ABS, a); }
static inline int m_neg(kernel *k, int a) { return k_un(k, K_NEG, a); }
static inline int m_sqrt(kernel *k, int a) { return k_un(k, K_SQRT, a); }
static inline int m_sel(kernel *k, int c, int a, int b) { return k_select(k, c, a, b); }

/* with one constant operand */
static inline int m_addn(kernel *k, int a, double v) { return m_add(k, a, m_num(k, a, v)); }
static inline int m_muln(kernel *k, int a, double v) { return m_mul(k, a, m_num(k, a, v)); }
static inline int m_ltn(kernel *k, int a, double v) { return m_lt(k, a, m_num(k, a, v)); }
static inline int m_gtn(kernel *k, int a, double v) { return m_gt(k, a, m_num(k, a, v)); }
static inline int m_eqn(kernel *k, int a, double v) { return m_eq(k, a, m_num(k, a, v)); }
static inline int m_fman(kernel *k, int a, int b, double v) { return k_fma(k, a, b, m_num(k, a, v)); }

/* Both keep NaN. */
static inline int m_at_most(kernel *k, int x, double v) { return k_bin(k, K_SMALLER, m_num(k, x, v), x); }
static inline int m_at_least(kernel *k, int x, double v) { return k_bin(k, K_LARGER, m_num(k, x, v), x); }

/* The bits of a float as a signed integer, and back. */
static inline int m_bits(kernel *k, int x) { return k_bitcast(k, m_type(k, x) == TME_F64 ? TME_I64 : TME_I32, x); }
static inline int m_unbits(kernel *k, int x) { return k_bitcast(k, m_type(k, x) == TME_I64 ? TME_F64 : TME_F32, x); }

/* The sign bit of x alone; a non-negative value given that sign. */
static inline int m_sign(kernel *k, int x) {
  int b = m_bits(k, x);
  return m_and(k, b, m_int(k, b, m_type(k, b) == TME_I64 ? INT64_MIN : INT32_MIN));
}
static inline int m_with_sign(kernel *k, int x, int sign) { return m_unbits(k, m_or(k, m_bits(k, x), sign)); }

/* c[0] + c[1] x + ... by Horner's rule. */
static inline int m_poly(kernel *k, int x, int n, const double *c) {
  int p = m_num(k, x, c[n - 1]);
  for (int i = n - 2; i >= 0; i--) p = m_fman(k, p, x, c[i]);
  return p;
}
#define M_POLY(k, x, ...)                                                                                              \
  m_poly(k, x, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (const double[]){__VA_ARGS__})

/* The C library's function, in f64 whatever the dtype; b is -1 for one operand. */
static inline int m_libm(kernel *k, libm_id f, int a, int b) {
  tme_dtype t = m_type(k, a);
  int x = k_cast(k, TME_F64, a), y = b < 0 ? -1 : k_cast(k, TME_F64, b);
  return k_cast(k, t, k_emit(k, K_LIBM, TME_F64, x, y, -1, (uint64_t)f));
}

/* r, and the C library's value where that is NaN but no operand is: for rare arguments. b is -1 for one operand. */
static inline int m_libm_rest(kernel *k, libm_id f, int r, int a, int b) {
  return k_emit(k, K_LIBM_REST, m_type(k, r), r, a, b < 0 ? a : b, (uint64_t)f);
}

/* ---- parts that several functions are made of ---- */

/* exp(x) where it and x are far from denormal and infinite, or NaN: |x| <= 87 in f32, 700 in f64. `terms` of the
 * series in f64: 13 for its full precision, 8 for 2^-32; f32 has its own polynomial. */
int m_exp_normal(kernel *k, int x, int terms);
/* sin, cos, tan and so on of f64, in files of their own. */
int m_sin_f64(kernel *k, int x);
int m_cos_f64(kernel *k, int x);
int m_tan_f64(kernel *k, int x);
int m_asin_f64(kernel *k, int x);
int m_acos_f64(kernel *k, int x);
int m_atan_f64(kernel *k, int x);
int m_atan2_f64(kernel *k, int y, int x);
/* x = 2^e m with m in [sqrt(1/2), sqrt(2)), of what is positive and finite. */
typedef struct m_split {
  int e; /* as a float */
  int m;
} m_split;
m_split m_exponent(kernel *k, int x);
/* Natural logarithm of an f64 that is not denormal, with all special values. */
int m_log_f64(kernel *k, int x);

#endif
