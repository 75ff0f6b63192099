/* The expressions of ops.def as instructions of a kernel. */
#include "base/convert.h"
#include "kernel/expr_complex.h"
#include "kernel/math.h"
#include <math.h>

/* What the expressions are built into. */
typedef struct context {
  kernel *k;
  tme_dtype t;      /* dtype_held of the operands */
  tme_dtype narrow; /* the narrow float that t stands for; else t */
  bool is_complex;
} context;

tme_dtype expr_type(const kernel *k, int v) { return v >= 0 && v < k->ninst ? (tme_dtype)k->inst[v].dtype : TME_F32; }

static expr_value real(int v) { return (expr_value){v, -1}; }
static int number(context *c, double v) { return k_const_f(c->k, c->t, v); }
static int flag(context *c, bool v) { return k_const_i(c->k, TME_BOOL, v); }

static expr_value constant(context *c, double v) {
  return (expr_value){number(c, v), c->is_complex ? number(c, 0) : -1};
}

/* ---- arithmetic ---------------------------------------------------------------------------------------------- */

static expr_value unary(context *c, k_op op, expr_value a) {
  expr_value v = real(k_un(c->k, op, a.re));
  if (a.im >= 0) v.im = k_un(c->k, op, a.im);
  return v;
}

static expr_value binary(context *c, k_op op, expr_value a, expr_value b) {
  expr_value v = real(k_bin(c->k, op, a.re, b.re));
  if (a.im >= 0) v.im = k_bin(c->k, op, a.im, b.im);
  return v;
}

static bool is_number(const kernel *k, int v) {
  if (v < 0 || k->inst[v].op != K_CONST) return false;
  uint64_t bits = k->inst[v].imm;
  if (k->inst[v].dtype == TME_F32) return (bits & 0x7fffffff) <= 0x7f800000;
  return k->inst[v].dtype == TME_F64 && (bits & INT64_MAX) <= (uint64_t)0x7ff << 52;
}

static bool is_zero(const kernel *k, int v) { return k->inst[v].imm << (k->inst[v].dtype == TME_F32 ? 33 : 1) == 0; }

/* K_MIN or K_MAX; next to a number, `ordered` (K_SMALLER, K_LARGER) keeps NaN too, in one instruction. Of equal ones, which zeros
 * of different signs are, it is the first as well. */
static expr_value extremum(context *c, k_op op, k_op ordered, expr_value a, expr_value b) {
  if (is_number(c->k, a.re) && is_zero(c->k, a.re))
    return real(k_select(c->k, k_bin(c->k, op == K_MAX ? K_GE : K_LE, a.re, b.re), a.re, b.re));
  if (is_number(c->k, a.re)) return real(k_bin(c->k, ordered, a.re, b.re));
  if (is_number(c->k, b.re)) return real(k_bin(c->k, ordered, b.re, a.re));
  return binary(c, op, a, b);
}

static expr_value multiply(context *c, expr_value a, expr_value b) {
  return a.im >= 0 ? complex_mul(c->k, a, b) : binary(c, K_MUL, a, b);
}

static expr_value divide(context *c, expr_value a, expr_value b) {
  return a.im >= 0 ? complex_div(c->k, a, b) : binary(c, K_DIV, a, b);
}

static expr_value absolute(context *c, expr_value a) {
  if (a.im >= 0) return real(complex_abs(c->k, a));
  return dtype_is_float(c->t) || dtype_is_signed(c->t) ? unary(c, K_ABS, a) : a;
}

static expr_value sign(context *c, expr_value a) {
  if (a.im >= 0) return complex_sign(c->k, a);
  int zero = number(c, 0),
      other = dtype_is_float(c->t) ? k_bin(c->k, K_ADD, a.re, zero) : zero; /* NaN, or 0 of -0 too */
  if (dtype_is_float(c->t) || dtype_is_signed(c->t))
    other = k_select(c->k, k_bin(c->k, K_LT, a.re, zero), number(c, -1), other);
  return real(k_select(c->k, k_bin(c->k, K_GT, a.re, zero), number(c, 1), other));
}

/* floor, ceil, ... leave integers as they are. */
static expr_value rounded(context *c, k_op op, expr_value a) {
  return dtype_is_float(c->t) || c->is_complex ? unary(c, op, a) : a;
}

/* Whether a remainder r of the division by b must move to the sign of b. */
static int wrong_side(context *c, int r, int b) {
  int zero = number(c, 0);
  int differ = k_bin(c->k, K_NE, k_bin(c->k, K_LT, r, zero), k_bin(c->k, K_LT, b, zero));
  return k_bin(c->k, K_AND, k_bin(c->k, K_NE, r, zero), differ);
}

static expr_value int_division(context *c, int a, int b, bool remainder) {
  int v = k_bin(c->k, remainder ? K_IREM : K_IDIV, a, b);
  if (!dtype_is_signed(c->t)) return real(v);
  int wrong = wrong_side(c, remainder ? v : k_bin(c->k, K_IREM, a, b), b);
  int moved = remainder ? k_bin(c->k, K_ADD, v, b) : k_bin(c->k, K_SUB, v, number(c, 1));
  return real(k_select(c->k, wrong, moved, v));
}

/* The quotient is whole but for rounding: floor, and one more where that was a whole one off; b = 0 gives a / b. */
static expr_value floor_divide(context *c, expr_value a, expr_value b) {
  if (!dtype_is_float(c->t)) return int_division(c, a.re, b.re, false);
  kernel *k = c->k;
  int r = math_fmod(k, a.re, b.re), zero = number(c, 0), one = number(c, 1), ratio = k_bin(k, K_DIV, a.re, b.re);
  int q = k_bin(k, K_DIV, k_bin(k, K_SUB, a.re, r), b.re);
  q = k_select(k, wrong_side(c, r, b.re), k_bin(k, K_SUB, q, one), q);
  int whole = k_un(k, K_FLOOR, q), off = k_bin(k, K_GT, k_bin(k, K_SUB, q, whole), number(c, 0.5));
  whole = k_select(k, off, k_bin(k, K_ADD, whole, one), whole);
  int v = k_select(k, k_bin(k, K_EQ, q, zero), expr_copysign(k, zero, ratio), whole);
  return real(k_select(k, k_bin(k, K_EQ, b.re, zero), ratio, v));
}

/* With the sign of a. */
static expr_value remainder_of(context *c, expr_value a, expr_value b) {
  return real(dtype_is_float(c->t) ? math_fmod(c->k, a.re, b.re) : k_bin(c->k, K_IREM, a.re, b.re));
}

static expr_value modulo(context *c, expr_value a, expr_value b) {
  if (!dtype_is_float(c->t)) return int_division(c, a.re, b.re, true);
  kernel *k = c->k;
  int r = math_fmod(k, a.re, b.re), zero = number(c, 0);
  int v = k_select(k, wrong_side(c, r, b.re), k_bin(k, K_ADD, r, b.re), r);
  return real(k_select(k, k_bin(k, K_EQ, v, zero), expr_copysign(k, zero, b.re), v));
}

/* Of 16-bit floats: their product is exact in f64; the sum is rounded to odd there, so that the one rounding that counts
 * is that to 16 bits. */
static int fma_once(context *c, int x, int y, int z) {
  kernel *k = c->k;
  if (!dtype_is_narrow(c->narrow)) return k_fma_once(k, x, y, z);
  int p = k_bin(k, K_MUL, k_cast(k, TME_F64, x), k_cast(k, TME_F64, y)), w = k_cast(k, TME_F64, z);
  int sum = k_bin(k, K_ADD, p, w), of_w = k_bin(k, K_SUB, sum, p), zero = k_const_f(k, TME_F64, 0);
  int lost = k_bin(k, K_ADD, k_bin(k, K_SUB, p, k_bin(k, K_SUB, sum, of_w)), k_bin(k, K_SUB, w, of_w));
  int bits = k_bitcast(k, TME_I64, sum), one = k_const_i(k, TME_I64, 1);
  int even = k_bin(k, K_NE, k_bin(k, K_AND, bits, one), one);
  int inexact = k_bin(k, K_AND, even, k_bin(k, K_GT, k_un(k, K_ABS, lost), zero));
  int outward = k_bin(k, K_XOR, k_bin(k, K_GT, lost, zero), k_bin(k, K_LT, sum, zero));
  int next = k_bin(k, K_ADD, bits, k_select(k, outward, one, k_const_i(k, TME_I64, -1)));
  int odd = k_bitcast(k, TME_F64, k_select(k, inexact, next, bits));
  return k_cast(k, TME_F32, k_cast(k, c->narrow, odd));
}

/* ---- functions ----------------------------------------------------------------------------------------------- */

typedef expr_value complex_fn(kernel *, expr_value);

static expr_value function(context *c, int (*f)(kernel *, int), complex_fn *fc, expr_value a) {
  if (a.im < 0) return real(f(c->k, a.re));
  return fc ? fc(c->k, a) : a;
}

static expr_value function2(context *c, int (*f)(kernel *, int, int), expr_value a, expr_value b) {
  return real(f(c->k, a.re, b.re));
}

static int root(kernel *k, int a) { return k_un(k, K_SQRT, a); }

/* ---- comparisons and choice ------------------------------------------------------------------------------------ */

static expr_value compare(context *c, k_op op, expr_value a, expr_value b) {
  int v = k_bin(c->k, op, a.re, b.re);
  if (a.im >= 0) v = k_bin(c->k, op == K_NE ? K_OR : K_AND, v, k_bin(c->k, op, a.im, b.im));
  return real(v);
}

static expr_value choose(context *c, expr_value p, expr_value a, expr_value b) {
  expr_value v = real(k_select(c->k, p.re, a.re, b.re));
  if (a.im >= 0) v.im = k_select(c->k, p.re, a.im, b.im);
  return v;
}

static expr_value part(context *c, expr_value a, bool imaginary) {
  if (!imaginary) return real(a.re);
  return real(a.im >= 0 ? a.im : number(c, 0));
}

static expr_value conjugate(context *c, expr_value a) {
  return a.im < 0 ? a : (expr_value){a.re, k_un(c->k, K_NEG, a.im)};
}

/* ---- bits of floats -------------------------------------------------------------------------------------------- */

static tme_dtype bits_type(tme_dtype t) { return t == TME_F64 ? TME_I64 : TME_I32; }
static int64_t sign_bit(tme_dtype t) { return t == TME_F64 ? INT64_MIN : INT32_MIN; }

int expr_copysign(kernel *k, int x, int y) {
  tme_dtype t = expr_type(k, x), i = bits_type(t);
  int sign_of_y = k_bin(k, K_AND, k_bitcast(k, i, y), k_const_i(k, i, sign_bit(t)));
  int rest = k_bin(k, K_AND, k_bitcast(k, i, x), k_const_i(k, i, ~sign_bit(t)));
  return k_bitcast(k, t, k_bin(k, K_OR, rest, sign_of_y));
}

static expr_value sign_is_set(context *c, expr_value a) {
  if (!dtype_is_float(c->t) && !dtype_is_signed(c->t)) return real(flag(c, false));
  int v = dtype_is_float(c->t) ? k_bitcast(c->k, bits_type(c->t), a.re) : a.re;
  return real(k_bin(c->k, K_LT, v, k_const_i(c->k, expr_type(c->k, v), 0)));
}

static expr_value infinite(context *c, expr_value a) {
  if (!dtype_is_float(c->t)) return real(flag(c, false));
  int inf = number(c, INFINITY), v = k_bin(c->k, K_EQ, k_un(c->k, K_ABS, a.re), inf);
  if (a.im >= 0) v = k_bin(c->k, K_OR, v, k_bin(c->k, K_EQ, k_un(c->k, K_ABS, a.im), inf));
  return real(v);
}

static expr_value is_finite(context *c, expr_value a) {
  if (!dtype_is_float(c->t)) return real(flag(c, true));
  int inf = number(c, INFINITY), v = k_bin(c->k, K_LT, k_un(c->k, K_ABS, a.re), inf);
  if (a.im >= 0) v = k_bin(c->k, K_AND, v, k_bin(c->k, K_LT, k_un(c->k, K_ABS, a.im), inf));
  return real(v);
}

/* What supports.c says is not compiled. */
static expr_value uncompiled(context *c) {
  c->k->failed = true;
  return real(-1);
}

/* Of |a|, by sums of neighbouring bits, pairs and nibbles; a product adds up the bytes. */
static expr_value popcount(context *c, expr_value a) {
  kernel *k = c->k;
  int v = dtype_is_signed(c->t) ? k_un(k, K_ABS, k_cast(k, TME_I64, a.re)) : a.re;
  v = k_cast(k, TME_U64, v);
#define BITS(value) k_const_i(k, TME_U64, (int64_t)(value))
#define UPPER(n) k_bin(k, K_SHR, v, BITS(n))
  v = k_bin(k, K_SUB, v, k_bin(k, K_AND, UPPER(1), BITS(0x5555555555555555)));
  v = k_bin(k, K_ADD, k_bin(k, K_AND, v, BITS(0x3333333333333333)),
            k_bin(k, K_AND, UPPER(2), BITS(0x3333333333333333)));
  v = k_bin(k, K_AND, k_bin(k, K_ADD, v, UPPER(4)), BITS(0x0f0f0f0f0f0f0f0f));
  v = k_bin(k, K_MUL, v, BITS(0x0101010101010101));
  v = UPPER(56);
#undef BITS
#undef UPPER
  return real(k_cast(k, TME_U8, v));
}

/* Neighbouring floats of one sign have neighbouring bits. */
static expr_value next_after(context *c, expr_value a, expr_value b) {
  kernel *k = c->k;
  tme_dtype i = bits_type(c->t);
  int zero = number(c, 0), x = k_bitcast(k, i, a.re);
  int away = k_bin(k, K_EQ, k_bin(k, K_LT, a.re, b.re), k_bin(k, K_GT, a.re, zero));
  int moved = k_bitcast(k, c->t, k_bin(k, K_ADD, x, k_select(k, away, k_const_i(k, i, 1), k_const_i(k, i, -1))));
  int least = expr_copysign(k, k_bitcast(k, c->t, k_const_i(k, i, 1)), b.re);
  int v = k_select(k, k_bin(k, K_EQ, a.re, zero), least, moved);
  v = k_select(k, k_bin(k, K_EQ, a.re, b.re), b.re, v);
  int sum = k_bin(k, K_ADD, a.re, b.re),
      unknown = k_bin(k, K_OR, k_bin(k, K_NE, a.re, a.re), k_bin(k, K_NE, b.re, b.re));
  return real(k_select(k, unknown, sum, v));
}

/* ---- the vocabulary -------------------------------------------------------------------------------------------- */

#define F(v) constant(c, v)
#define ADD(a, b) binary(c, K_ADD, a, b)
#define SUB(a, b) binary(c, K_SUB, a, b)
#define MUL(a, b) multiply(c, a, b)
#define DIV(a, b) divide(c, a, b)
#define FMA(x, y, z) real(k_fma(c->k, (x).re, (y).re, (z).re))
#define FMA_ONCE(x, y, z) real(fma_once(c, (x).re, (y).re, (z).re))
#define NEG(a) unary(c, K_NEG, a)
#define ABS(a) absolute(c, a)
#define SIGN(a) sign(c, a)
#define MIN(a, b) extremum(c, K_MIN, K_SMALLER, a, b)
#define MAX(a, b) extremum(c, K_MAX, K_LARGER, a, b)
#define FLOORDIV(a, b) floor_divide(c, a, b)
#define MOD(a, b) modulo(c, a, b)
#define FMOD(a, b) remainder_of(c, a, b)
#define POW(a, b) function2(c, math_pow, a, b)
#define SQRT(a) function(c, root, complex_sqrt, a)
#define CBRT(a) function(c, math_cbrt, NULL, a)
#define HYPOT(a, b) function2(c, math_hypot, a, b)
#define FLOOR(a) rounded(c, K_FLOOR, a)
#define CEIL(a) rounded(c, K_CEIL, a)
#define TRUNC(a) rounded(c, K_TRUNC, a)
#define RINT(a) rounded(c, K_RINT, a)
#define EXP(a) function(c, math_exp, complex_exp, a)
#define EXP2(a) function(c, math_exp2, NULL, a)
#define EXPM1(a) function(c, math_expm1, complex_expm1, a)
#define LOG(a) function(c, math_log, complex_log, a)
#define LOG1P(a) function(c, math_log1p, complex_log1p, a)
#define LOG2(a) function(c, math_log2, complex_log2, a)
#define LOG10(a) function(c, math_log10, complex_log10, a)
#define SIN(a) function(c, math_sin, complex_sin, a)
#define COS(a) function(c, math_cos, complex_cos, a)
#define TAN(a) function(c, math_tan, NULL, a)
#define ASIN(a) function(c, math_asin, NULL, a)
#define ACOS(a) function(c, math_acos, NULL, a)
#define ATAN(a) function(c, math_atan, NULL, a)
#define ATAN2(a, b) function2(c, math_atan2, a, b)
#define SINH(a) function(c, math_sinh, complex_sinh, a)
#define COSH(a) function(c, math_cosh, complex_cosh, a)
#define TANH(a) function(c, math_tanh, NULL, a)
#define ASINH(a) function(c, math_asinh, NULL, a)
#define ACOSH(a) function(c, math_acosh, NULL, a)
#define ATANH(a) function(c, math_atanh, NULL, a)
#define ERF(a) function(c, math_erf, NULL, a)
#define ERFC(a) function(c, math_erfc, NULL, a)
#define ERFINV(a) function(c, math_erfinv, NULL, a)
#define GAMMA(a) function(c, math_gamma, NULL, a)
#define DIGAMMA(a) function(c, math_digamma, NULL, a)
#define BESSEL_I0(a) function(c, math_bessel_i0, NULL, a)
#define BESSEL_I1(a) function(c, math_bessel_i1, NULL, a)
#define BESSEL_I0E(a) function(c, math_bessel_i0e, NULL, a)
#define BESSEL_I1E(a) function(c, math_bessel_i1e, NULL, a)
#define LGAMMA(a) function(c, math_lgamma, NULL, a)
#define ONE_PLUS_EXP(a) function(c, math_one_plus_exp, NULL, a)
#define OVER_ONE_PLUS_EXP(a, t) function2(c, math_over_one_plus_exp, a, t)
#define OVER_ONE_PLUS_EXP2(a, t) function2(c, math_over_one_plus_exp2, a, t)
#define SIGMOID(a) function(c, math_sigmoid, NULL, a)
#define EQ(a, b) compare(c, K_EQ, a, b)
#define NE(a, b) compare(c, K_NE, a, b)
#define LT(a, b) compare(c, K_LT, a, b)
#define LE(a, b) compare(c, K_LE, a, b)
#define GT(a, b) compare(c, K_GT, a, b)
#define GE(a, b) compare(c, K_GE, a, b)
#define AND(a, b) binary(c, K_AND, a, b)
#define OR(a, b) binary(c, K_OR, a, b)
#define XOR(a, b) binary(c, K_XOR, a, b)
#define NOT(a) unary(c, K_NOT, a)
#define SHL(a, b) binary(c, K_SHL, a, b)
#define SHR(a, b) binary(c, K_SHR, a, b)
#define SELECT(p, a, b) choose(c, p, a, b)
#define COPYSIGN(a, b) real(expr_copysign(c->k, (a).re, (b).re))
#define MANTISSA(a) function(c, math_mantissa, NULL, a)
#define EXPONENT(a) function(c, math_exponent, NULL, a)
#define LDEXP(a, n) function2(c, math_ldexp, a, n)
#define GCD(a, b) uncompiled(c)
#define POPCOUNT(a) popcount(c, a)
#define NEXTAFTER(a, b) next_after(c, a, b)
#define SIGNBIT(a) sign_is_set(c, a)
#define ISINF(a) infinite(c, a)
#define ISFINITE(a) is_finite(c, a)
#define REAL(a) part(c, a, false)
#define IMAG(a) part(c, a, true)
#define CONJ(a) conjugate(c, a)
#define PAIR(a, b) ((expr_value){(a).re, (b).re})

#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc)                                     \
  static expr_value emit_##name(context *c, expr_value X, expr_value Y, expr_value Z) {                                \
    (void)c, (void)X, (void)Y, (void)Z;                                                                                \
    return expression;                                                                                                 \
  }
#include "ops/ops.def"
#undef ELEMENTWISE

expr_value expr_emit(kernel *k, int op, tme_dtype t, const expr_value *in) {
  static expr_value (*const emit[OP_PUBLIC_COUNT])(context *, expr_value, expr_value, expr_value) = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc) [OP_##name] = emit_##name,
#include "ops/ops.def"
#undef ELEMENTWISE
  };
  context c = {.k = k, .t = dtype_held(t), .narrow = t, .is_complex = dtype_is_complex(t)};
  const op_def *d = op_get(op);
  if (!d || !emit[op]) {
    k->failed = true;
    return (expr_value){-1, -1};
  }
  expr_value none = {-1, -1};
  return emit[op](&c, in[0], d->ninputs > 1 ? in[1] : none, d->ninputs > 2 ? in[2] : none);
}

/* ---- conversions ----------------------------------------------------------------------------------------------- */

static int cast_real(kernel *k, int v, tme_dtype to) { return k_cast(k, dtype_held(to), k_cast(k, to, v)); }

expr_value expr_cast(kernel *k, expr_value v, tme_dtype from, tme_dtype to) {
  if (from == to) return v;
  tme_dtype part_to = dtype_real(to);
  if (to == TME_BOOL && v.im >= 0) {
    int re = k_cast(k, TME_BOOL, v.re), im = k_cast(k, TME_BOOL, v.im);
    return real(k_bin(k, K_OR, re, im));
  }
  expr_value out = real(cast_real(k, v.re, part_to));
  if (dtype_is_complex(to)) out.im = v.im >= 0 ? cast_real(k, v.im, part_to) : k_const_f(k, part_to, 0);
  return out;
}

static int constant_bits(kernel *k, tme_dtype t, uint64_t bits) {
  uint64_t held = 0;
  convert_run(t, &bits, 1, dtype_held(t), &held, 1, 1);
  return k_emit(k, K_CONST, dtype_held(t), -1, -1, -1, held);
}

expr_value expr_const(kernel *k, tme_dtype t, const uint64_t bits[2]) {
  expr_value v = real(constant_bits(k, dtype_real(t), bits[0]));
  if (dtype_is_complex(t)) v.im = constant_bits(k, dtype_real(t), bits[1]);
  return v;
}
