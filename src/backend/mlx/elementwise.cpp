// The elementwise rows of ops.def: their expressions, expanded once more, as operations of MLX.
#include "backend/mlx/primitives.h"

namespace tme_mlx {

namespace {

#define F(v) p_number(c, v)
#define ADD(a, b) mx::add(a, b)
#define SUB(a, b) mx::subtract(a, b)
#define MUL(a, b) mx::multiply(a, b)
#define DIV(a, b) mx::divide(a, b)
#define FMA(x, y, z) ADD(MUL(x, y), z)
#define FMA_ONCE(x, y, z) p_fma_once()
#define NEG(a) p_neg(c, a)
#define ABS(a) p_abs(c, a)
#define SIGN(a) p_sign(c, a)
#define MIN(a, b) mx::minimum(a, b)
#define MAX(a, b) mx::maximum(a, b)
#define FLOORDIV(a, b) p_floordiv(c, a, b)
#define MOD(a, b) p_mod(c, a, b)
#define POW(a, b) p_pow(c, a, b)
#define SQRT(a) p_function(c, mx::sqrt, a, true)
#define CBRT(a) p_cbrt(c, a)
#define HYPOT(a, b) p_hypot(c, a, b)
#define FLOOR(a) p_round(c, mx::floor, a)
#define CEIL(a) p_round(c, mx::ceil, a)
#define TRUNC(a) p_round(c, mx::trunc, a)
#define RINT(a) p_round(c, mx::round, a)
#define EXP(a) p_exp(c, a)
#define EXP2(a) mx::power(p_number(c, 2), a)
#define EXPM1(a) p_function(c, mx::expm1, a, false)
#define LOG(a) p_function(c, mx::log, a, true)
#define LOG1P(a) p_function(c, mx::log1p, a, false)
#define LOG2(a) p_function(c, mx::log2, a, false)
#define LOG10(a) p_function(c, mx::log10, a, false)
#define SIN(a) p_sincos(c, a, true)
#define COS(a) p_sincos(c, a, false)
#define TAN(a) p_function(c, mx::tan, a, true)
#define ASIN(a) p_function(c, mx::arcsin, a, true)
#define ACOS(a) p_function(c, mx::arccos, a, true)
#define ATAN(a) p_function(c, mx::arctan, a, true)
#define ATAN2(a, b) mx::arctan2(a, b)
#define SINH(a) p_function(c, mx::sinh, a, true)
#define COSH(a) p_function(c, mx::cosh, a, true)
#define TANH(a) p_function(c, mx::tanh, a, true)
#define ASINH(a) p_function(c, mx::arcsinh, a, true)
#define ACOSH(a) p_function(c, mx::arccosh, a, true)
#define ATANH(a) p_function(c, mx::arctanh, a, true)
#define ERF(a) p_erf(c, a)
#define ERFC(a) p_erfc(c, a)
#define ERFINV(a) p_declined("MLX's erfinv is an approximation in f32")
#define GAMMA(a) p_declined("MLX has no gamma function")
#define DIGAMMA(a) p_declined("MLX has no digamma")
#define BESSEL_I0(a) p_declined("MLX has no Bessel functions")
#define BESSEL_I1(a) BESSEL_I0(a)
#define BESSEL_I0E(a) BESSEL_I0(a)
#define BESSEL_I1E(a) BESSEL_I0(a)
#define FMOD(a, b) p_declined("MLX has no fmod")
#define MANTISSA(a) p_declined("MLX has no frexp")
#define EXPONENT(a) MANTISSA(a)
#define LDEXP(a, n) p_declined("MLX has no ldexp")
#define GCD(a, b) p_declined("MLX has no gcd")
#define POPCOUNT(a) p_declined("MLX counts no bits")
#define LGAMMA(a) p_declined("MLX has no lgamma")
#define ONE_PLUS_EXP(a) ADD(F(1), EXP(a))
#define OVER_ONE_PLUS_EXP(a, t) p_gate(c, a, EXP(t), EXP(MUL(F(-0.5), t)))
#define OVER_ONE_PLUS_EXP2(a, t) p_gate(c, a, EXP2(t), EXP2(MUL(F(-0.5), t)))
#define SIGMOID(a) DIV(F(1), ONE_PLUS_EXP(NEG(a)))
#define EQ(a, b) p_compare(c, mx::equal, a, b)
#define NE(a, b) p_compare(c, mx::not_equal, a, b)
#define LT(a, b) p_compare(c, mx::less, a, b)
#define LE(a, b) p_compare(c, mx::less_equal, a, b)
#define GT(a, b) p_compare(c, mx::greater, a, b)
#define GE(a, b) p_compare(c, mx::greater_equal, a, b)
#define AND(a, b) p_and(c, a, b)
#define OR(a, b) p_or(c, a, b)
#define XOR(a, b) mx::bitwise_xor(a, b)
#define NOT(a) p_not(c, a)
#define SHL(a, b) p_shift(c, a, b, true)
#define SHR(a, b) p_shift(c, a, b, false)
#define SELECT(p, a, b) mx::where(p, a, b)
#define COPYSIGN(a, b) p_copysign(c, a, b)
#define NEXTAFTER(a, b) p_nextafter(c, a, b)
#define SIGNBIT(a) p_signbit(c, a)
#define ISINF(a) p_isinf(c, a)
#define ISFINITE(a) p_isfinite(c, a)
#define REAL(a) p_part(c, a, false)
#define IMAG(a) p_part(c, a, true)
#define CONJ(a) p_conj(c, a)
#define PAIR(a, b) p_pair(c, a, b)

#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc)                                     \
  array build_##name(const context &c, const array &X, const array &Y, const array &Z) {                               \
    (void)c, (void)X, (void)Y, (void)Z;                                                                                \
    return expression;                                                                                                 \
  }
#include "ops/ops.def"
#undef ELEMENTWISE

using build_fn = array(const context &, const array &, const array &, const array &);

struct row {
  build_fn *build;
  bool where; // the first operand is a condition
  double ulp;
};

enum { ROWS = OP_PUBLIC_COUNT };

const row *find_row(int op) {
  static const row *const table = [] {
    static row rows[ROWS];
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc)                                     \
  rows[OP_##name] = {build_##name, RULE_##rule == RULE_WHERE, ulp};
#include "ops/ops.def"
#undef ELEMENTWISE
    return rows;
  }();
  return op < ROWS && table[op].build ? &table[op] : nullptr;
}

} // namespace

bool is_elementwise(int op) { return find_row(op); }

array elementwise(int op, bool gpu, tme_dtype operands, const array *in) {
  const row &r = *find_row(op);
  array wide[3] = {in[0], in[1], in[2]};
  // 16-bit floats are computed in f32 and rounded once; their neighbours are their own.
  bool widened = is_half(operands) && op != OP_nextafter;
  if (widened)
    for (int i = r.where; i < 3; i++)
      if (wide[i].dtype() == dtype_of(operands)) wide[i] = mx::astype(wide[i], mx::float32);
  context c = {widened ? TME_F32 : operands, gpu, r.ulp == 0};
  array y = r.build(c, wide[0], wide[1], wide[2]);
  bool narrow = widened && y.dtype() == mx::float32;
  return narrow ? mx::astype(y, dtype_of(operands)) : y;
}

} // namespace tme_mlx
