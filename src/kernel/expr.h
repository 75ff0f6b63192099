/* The vocabulary of the expressions in ops.def, for the kernel builder: src/kernel/expr_kernel.c defines it as instructions,
 * src/backend/reference/expr_scalar.h as C.
 *
 *   X Y Z R                      operands, result          F(v)   a constant of the dtype
 *   ADD SUB MUL DIV FMA FMA_ONCE (see prims.def) NEG ABS SIGN MIN MAX FLOORDIV MOD POW SQRT CBRT HYPOT
 *   FLOOR CEIL TRUNC RINT        EXP EXP2 EXPM1 LOG LOG1P LOG2 LOG10
 *   SIN COS TAN ASIN ACOS ATAN ATAN2(y, x) SINH COSH TANH ASINH ACOSH ATANH ERF ERFC ERFINV SIGMOID
 *   LGAMMA GAMMA DIGAMMA BESSEL_I0 BESSEL_I1, and times exp(-|x|) BESSEL_I0E BESSEL_I1E
 *   ONE_PLUS_EXP                OVER_ONE_PLUS_EXP(x, t) OVER_ONE_PLUS_EXP2(x, t): x / (1 + e^t), x / (1 + 2^t), tails too
 *   EQ NE LT LE GT GE            give booleans
 *   AND OR XOR NOT SHL SHR       SELECT(condition, a, b)
 *   COPYSIGN NEXTAFTER SIGNBIT ISINF ISFINITE REAL IMAG CONJ
 *   FMOD(a, b)                   the remainder with the sign of a
 *   MANTISSA EXPONENT            of numbers as binary fractions, the latter an int32; LDEXP(a, n): a 2^n
 *   GCD(a, b) POPCOUNT           of integers; the latter, the bits of |a| that are 1, a uint8
 *   PAIR(re, im)                 a complex number of real ones
 */
#ifndef TME_EXPR_H
#define TME_EXPR_H

#include "kernel/kernel.h"
#include "ops/ops.h"

/* A value in a kernel: complex ones are two. im is -1 for real values. */
typedef struct expr_value {
  int re, im;
} expr_value;

/* Emits elementwise operation `op` on operands of dtype t (all promoted to it; WHERE: the first is bool). */
expr_value expr_emit(kernel *k, int op, tme_dtype t, const expr_value *in);
/* NULL if kernels can do the operation on operands of dtype t (of where: its second one), else the reason (static text). */
const char *op_supports(int op, tme_dtype t);
/* One per family that knows cases which kernels cannot do: supports.c. */
typedef const char *op_supports_fn(int op, tme_dtype t);
#define CHECKS_YES(name) op_supports_fn supports_##name;
#define CHECKS_NO(name)
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) CHECKS_##checks(name)
#include "ops/families.def"
#undef CHECKS_YES
#undef CHECKS_NO
/* Converts between any two dtypes (rounding to narrow floats is done, and the value comes back as f32). */
expr_value expr_cast(kernel *k, expr_value v, tme_dtype from, tme_dtype to);
/* A constant from the bits of a literal. */
expr_value expr_const(kernel *k, tme_dtype t, const uint64_t bits[2]);

#endif
