/* Which operations the kernels lack for some dtypes: the expressions of ops.def read as sets of what is missing. */
#include "kernel/expr.h"

enum { POWER_OF_INTS = 1, COMPLEX_FUNCTION = 2, NEIGHBOUR = 4 };

#define X 0
#define Y 0
#define Z 0
#define F(v) 0
#define NEG(a) (a)
#define ABS(a) (a)
#define SIGN(a) (a)
#define SQRT(a) (a)
#define FLOOR(a) ((a) | COMPLEX_FUNCTION)
#define CEIL(a) ((a) | COMPLEX_FUNCTION)
#define TRUNC(a) ((a) | COMPLEX_FUNCTION)
#define RINT(a) ((a) | COMPLEX_FUNCTION)
#define EXP(a) (a)
#define LOG(a) (a)
#define SIN(a) (a)
#define COS(a) (a)
#define SINH(a) (a)
#define COSH(a) (a)
#define NOT(a) (a)
#define SIGNBIT(a) ((a) | COMPLEX_FUNCTION)
#define ISINF(a) (a)
#define ISFINITE(a) (a)
#define REAL(a) (a)
#define IMAG(a) (a)
#define CONJ(a) (a)
#define PAIR(a, b) ((a) | (b))
#define EXP2(a) ((a) | COMPLEX_FUNCTION)
#define EXPM1(a) ((a) | COMPLEX_FUNCTION)
#define LOG1P(a) ((a) | COMPLEX_FUNCTION)
#define LOG2(a) ((a) | COMPLEX_FUNCTION)
#define LOG10(a) ((a) | COMPLEX_FUNCTION)
#define CBRT(a) ((a) | COMPLEX_FUNCTION)
#define ERF(a) ((a) | COMPLEX_FUNCTION)
#define ERFC(a) ((a) | COMPLEX_FUNCTION)
#define LGAMMA(a) ((a) | COMPLEX_FUNCTION)
#define SIGMOID(a) ((a) | COMPLEX_FUNCTION)
#define ONE_PLUS_EXP(a) ((a) | COMPLEX_FUNCTION)
#define OVER_ONE_PLUS_EXP(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define OVER_ONE_PLUS_EXP2(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define TAN(a) ((a) | COMPLEX_FUNCTION)
#define ASIN(a) ((a) | COMPLEX_FUNCTION)
#define ACOS(a) ((a) | COMPLEX_FUNCTION)
#define ATAN(a) ((a) | COMPLEX_FUNCTION)
#define TANH(a) ((a) | COMPLEX_FUNCTION)
#define ASINH(a) ((a) | COMPLEX_FUNCTION)
#define ACOSH(a) ((a) | COMPLEX_FUNCTION)
#define ATANH(a) ((a) | COMPLEX_FUNCTION)
#define ADD(a, b) ((a) | (b))
#define SUB(a, b) ((a) | (b))
#define MUL(a, b) ((a) | (b))
#define DIV(a, b) ((a) | (b))
#define MIN(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define MAX(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define FLOORDIV(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define MOD(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define HYPOT(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define ATAN2(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define EQ(a, b) ((a) | (b))
#define NE(a, b) ((a) | (b))
#define LT(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define LE(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define GT(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define GE(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define AND(a, b) ((a) | (b))
#define OR(a, b) ((a) | (b))
#define XOR(a, b) ((a) | (b))
#define SHL(a, b) ((a) | (b))
#define SHR(a, b) ((a) | (b))
#define COPYSIGN(a, b) ((a) | (b) | COMPLEX_FUNCTION)
#define POW(a, b) ((a) | (b) | POWER_OF_INTS | COMPLEX_FUNCTION)
#define NEXTAFTER(a, b) ((a) | (b) | NEIGHBOUR)
#define FMA(a, b, c) ((a) | (b) | (c))
#define FMA_ONCE(a, b, c) ((a) | (b) | (c))
#define SELECT(p, a, b) ((p) | (a) | (b))

static const uint8_t missing[OP_PUBLIC_COUNT] = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc) [OP_##name] = expression,
#include "ops/ops.def"
};

const char *supports_elementwise(int op, tme_dtype t) {
  if (!(dtype_kind(t) & op_rule_get(op_get(op)->rule)->takes)) return "the operation does not take this dtype";
  if (dtype_is_int(t) && (missing[op] & POWER_OF_INTS)) return "powers of integers are not compiled";
  if (dtype_is_complex(t) && (missing[op] & COMPLEX_FUNCTION))
    return "this function of complex numbers is not compiled";
  if ((t == TME_F16 || t == TME_BF16) && (missing[op] & NEIGHBOUR))
    return "kernels hold 16-bit floats as float32, which has other neighbours";
  return NULL;
}

const char *supports_reduce(int op, tme_dtype t) {
  return dtype_is_complex(t) && op != OP_sum ? "a reduction of complex numbers other than a sum" : NULL;
}

const char *op_supports(int op, tme_dtype t) {
  static op_supports_fn *const families[FAMILY_COUNT] = {
#define CHECKS_YES(name) supports_##name
#define CHECKS_NO(name) NULL
#define FAMILY(name, class, decomposes, checks, mlx, derivative, batching) CHECKS_##checks(name),
#include "ops/families.def"
  };
  op_supports_fn *supports = op < OP_PUBLIC_COUNT ? families[op_get(op)->family] : NULL;
  return supports ? supports(op, t) : NULL;
}
