/* Mathematical functions as sequences of primitives, emitted into a kernel: branch-free, the same in every lane.
 *
 * Operands are f32 or f64 values of one dtype; so is the result. Each function has C's special values (NaN,
 * infinities, signed zeros, denormal arguments and results). f32 results are within 2.6 ulp, most within 1; f64 ones
 * within 3 ulp, most within 1, or as good as the C library's where it is called: lgamma, gamma, Bessel functions, hypot, ldexp;
 * sin, cos, tan beyond 2^40, and fmod of quotients beyond 2^52. */
#ifndef TME_MATH_H
#define TME_MATH_H

#include "kernel/kernel.h"

int math_exp(kernel *k, int x);
int math_exp_nonpositive(kernel *k, int x); /* the same bits as math_exp for x <= 0, and NaN */
int math_exp2(kernel *k, int x);
int math_expm1(kernel *k, int x);
int math_one_plus_exp(kernel *k, int x);
/* x / (1 + exp(t)), x / (1 + 2^t), where t is so large for all x below -128 (f64: -1024) that nothing is left: the quotient
 * keeps its digits where the divisor is out of range, and is -0 for -infinity. */
int math_over_one_plus_exp(kernel *k, int x, int t);
int math_over_one_plus_exp2(kernel *k, int x, int t);
int math_sigmoid(kernel *k, int x); /* 1 / (1 + exp(-x)) */
int math_sinh(kernel *k, int x);
int math_cosh(kernel *k, int x);
int math_tanh(kernel *k, int x);

int math_log(kernel *k, int x);
int math_log2(kernel *k, int x);
int math_log10(kernel *k, int x);
int math_log1p(kernel *k, int x);
int math_asinh(kernel *k, int x);
int math_acosh(kernel *k, int x);
int math_atanh(kernel *k, int x);

int math_sin(kernel *k, int x);
int math_cos(kernel *k, int x);
int math_tan(kernel *k, int x);
int math_asin(kernel *k, int x);
int math_acos(kernel *k, int x);
int math_atan(kernel *k, int x);
int math_atan2(kernel *k, int y, int x);

int math_erf(kernel *k, int x);
int math_erfc(kernel *k, int x);
int math_erfinv(kernel *k, int x);
int math_lgamma(kernel *k, int x);
int math_gamma(kernel *k, int x);
int math_digamma(kernel *k, int x);
int math_bessel_i0(kernel *k, int x);
int math_bessel_i1(kernel *k, int x);
int math_bessel_i0e(kernel *k, int x); /* times exp(-|x|) */
int math_bessel_i1e(kernel *k, int x);

int math_pow(kernel *k, int x, int y);
int math_cbrt(kernel *k, int x);
int math_hypot(kernel *k, int x, int y);
int math_fmod(kernel *k, int x, int y); /* exact; the sign of x */

/* x = m 2^e with 0.5 <= |m| < 1: m, and e as an i32; of 0, infinities and NaN x, and 0. */
int math_mantissa(kernel *k, int x);
int math_exponent(kernel *k, int x);
int math_ldexp(kernel *k, int x, int n); /* x 2^trunc(n), rounded once */

#endif
