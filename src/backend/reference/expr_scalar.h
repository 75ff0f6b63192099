/* The vocabulary of src/kernel/expr.h as C: each primitive is a function S(primitive) of the type at hand.
 *
 * scalar_real.inc, scalar_int.inc and scalar_complex.inc define the functions for one type each, whose name is SCALAR;
 * whoever includes ops.def defines S(name) as the name with the type's suffix. Every primitive rounds to its type. f32
 * functions that the C library has no exact form of are evaluated in f64 and rounded once. */
#ifndef TME_EXPR_SCALAR_H
#define TME_EXPR_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct c64 {
  float re, im;
} c64;

typedef struct c128 {
  double re, im;
} c128;

static inline c64 pair_f32(float re, float im) { return (c64){re, im}; }
static inline c128 pair_f64(double re, double im) { return (c128){re, im}; }

#define F(v) S(number)(v)
#define ADD(a, b) S(add)(a, b)
#define SUB(a, b) S(sub)(a, b)
#define MUL(a, b) S(mul)(a, b)
#define DIV(a, b) S(div)(a, b)
#define FMA(a, b, c) S(fma)(a, b, c)
#define FMA_ONCE(a, b, c) S(fma)(a, b, c)
#define NEG(a) S(neg)(a)
#define ABS(a) S(abs)(a)
#define SIGN(a) S(sign)(a)
#define MIN(a, b) S(min)(a, b)
#define MAX(a, b) S(max)(a, b)
#define FLOORDIV(a, b) S(floordiv)(a, b)
#define MOD(a, b) S(mod)(a, b)
#define POW(a, b) S(pow)(a, b)
#define SQRT(a) S(sqrt)(a)
#define CBRT(a) S(cbrt)(a)
#define HYPOT(a, b) S(hypot)(a, b)
#define FLOOR(a) S(floor)(a)
#define CEIL(a) S(ceil)(a)
#define TRUNC(a) S(trunc)(a)
#define RINT(a) S(rint)(a)
#define EXP(a) S(exp)(a)
#define EXP2(a) S(exp2)(a)
#define EXPM1(a) S(expm1)(a)
#define LOG(a) S(log)(a)
#define LOG1P(a) S(log1p)(a)
#define LOG2(a) S(log2)(a)
#define LOG10(a) S(log10)(a)
#define SIN(a) S(sin)(a)
#define COS(a) S(cos)(a)
#define TAN(a) S(tan)(a)
#define ASIN(a) S(asin)(a)
#define ACOS(a) S(acos)(a)
#define ATAN(a) S(atan)(a)
#define ATAN2(a, b) S(atan2)(a, b)
#define SINH(a) S(sinh)(a)
#define COSH(a) S(cosh)(a)
#define TANH(a) S(tanh)(a)
#define ASINH(a) S(asinh)(a)
#define ACOSH(a) S(acosh)(a)
#define ATANH(a) S(atanh)(a)
#define ERF(a) S(erf)(a)
#define ERFC(a) S(erfc)(a)
#define LGAMMA(a) S(lgamma)(a)
#define ONE_PLUS_EXP(a) (1 + S(exp)(a))
#define OVER_ONE_PLUS_EXP(a, t) S(over_one_plus_exp)(a, t)
#define OVER_ONE_PLUS_EXP2(a, t) S(over_one_plus_exp2)(a, t)
#define SIGMOID(a) ((a) < 0 ? S(exp)(a) / (1 + S(exp)(a)) : 1 / (1 + S(exp)(-(a))))
#define EQ(a, b) S(eq)(a, b)
#define NE(a, b) S(ne)(a, b)
#define LT(a, b) S(lt)(a, b)
#define LE(a, b) S(le)(a, b)
#define GT(a, b) S(gt)(a, b)
#define GE(a, b) S(ge)(a, b)
#define AND(a, b) S (and)(a, b)
#define OR(a, b) S(or)(a, b)
#define XOR(a, b) S (xor)(a, b)
#define NOT(a) S(not )(a)
#define SHL(a, b) S(shl)(a, b)
#define SHR(a, b) S(shr)(a, b)
#define SELECT(p, a, b) S(select)(p, a, b)
#define COPYSIGN(a, b) S(copysign)(a, b)
#define NEXTAFTER(a, b) S(nextafter)(a, b)
#define SIGNBIT(a) S(signbit)(a)
#define ISINF(a) S(isinf)(a)
#define ISFINITE(a) S(isfinite)(a)
#define REAL(a) S(real)(a)
#define IMAG(a) S(imag)(a)
#define CONJ(a) S(conj)(a)
#define PAIR(a, b) S(pair)(a, b)

#endif
