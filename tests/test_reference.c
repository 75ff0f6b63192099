/* Elementwise reference kernels against long double and exact integers, conversions, layouts; the gradient column of
 * ops.def against differences. */
#include "backend/reference/expr_scalar.h"
#include "backend/reference/iter.h"
#include "support/arrays.h"
#include <complex.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 4000 };

typedef long double real;

/* Distance in units of the last place of the correctly rounded result; 0 for the same class of special value. */
static double ulps(tme_dtype t, double got, real want) {
  if (isnan(want)) return isnan(got) ? 0 : HUGE_VAL;
  if (isinf(got) && fabsl(want) > (t == TME_F32 ? (real)FLT_MAX : (real)DBL_MAX))
    return (got > 0) == (want > 0) ? 0 : HUGE_VAL;
  if (isinf(want) || isnan(got) || isinf(got)) return (real)got == want ? 0 : HUGE_VAL;
  int exponent;
  frexpl(want, &exponent);
  int digits = t == TME_F32 ? 24 : 53, least = t == TME_F32 ? -148 : -1073;
  int e = exponent - digits < least - 1 ? least - 1 : exponent - digits;
  return (double)(fabsl((real)got - want) / ldexpl(1, e));
}

static real lgamma_real(real x) {
  int sign;
  return lgammal_r(x, &sign);
}
static real reciprocal(real x) { return 1 / x; }
static real rsqrt(real x) { return 1 / sqrtl(x); }
static real square(real x) { return x * x; }

static const struct {
  int op;
  real (*ref)(real);
  double f64; /* allowed ulps: the C library's; f32 is always almost correctly rounded */
} unaries[] = {
    {OP_exp, expl, 1},
    {OP_exp2, exp2l, 1},
    {OP_expm1, expm1l, 1},
    {OP_log, logl, 1},
    {OP_log1p, log1pl, 1},
    {OP_log2, log2l, 1.5},
    {OP_log10, log10l, 2},
    {OP_sqrt, sqrtl, 0.51},
    {OP_cbrt, cbrtl, 4},
    {OP_sin, sinl, 0.6},
    {OP_cos, cosl, 0.6},
    {OP_tan, tanl, 0.7},
    {OP_asin, asinl, 0.6},
    {OP_acos, acosl, 0.6},
    {OP_atan, atanl, 0.6},
    {OP_sinh, sinhl, 2.5},
    {OP_cosh, coshl, 2},
    {OP_tanh, tanhl, 2.5},
    {OP_asinh, asinhl, 2.5},
    {OP_acosh, acoshl, 2.5},
    {OP_atanh, atanhl, 2.5},
    {OP_erf, erfl, 1.5},
    {OP_erfc, erfcl, 6},
    {OP_lgamma, lgamma_real, 5},
    {OP_floor, floorl, 0},
    {OP_ceil, ceill, 0},
    {OP_trunc, truncl, 0},
    {OP_round, rintl, 0},
    {OP_abs, fabsl, 0},
    {OP_square, square, 0.5},
    {OP_reciprocal, reciprocal, 0.5},
    {OP_rsqrt, rsqrt, 1.5},
};

static const double specials[] = {0.0, -0.0, 1, -1, 0.5, 2, INFINITY, -INFINITY, NAN, 0x1p-149, 0x1p-1074, 3e38, 1e-40};

static void unary(void **state) {
  (void)state;
  uint64_t seed = 1;
  for (int i = 0; i < COUNT(unaries); i++) {
    for (int type = 0; type < 2; type++) {
      tme_dtype t = type ? TME_F64 : TME_F32;
      int64_t n = SAMPLES;
      array x = array_new(t, 1, &n);
      const op_def *d = op_get(unaries[i].op);
      array_fill(&x, d->lo, d->hi, &seed);
      for (int k = 0; k < COUNT(specials); k++) array_set_real(&x, k, specials[k]);
      array y = array_op(unaries[i].op, &x, 1, NULL);
      double allowed = type ? unaries[i].f64 : unaries[i].op == OP_rsqrt ? 1.5 : 0.501;
      for (int64_t k = 0; k < n; k++) {
        double v = array_real(&x, k), got = array_real(&y, k);
        real want = unaries[i].ref((real)v);
        double u = ulps(t, got, want);
        if (u > allowed) fail_msg("%s(%a) = %a, expected %La: %g ulp", d->name, v, got, want, u);
        if (got == 0 && want == 0 && !signbit(got) != !signbit(want))
          fail_msg("%s(%a) = %a: sign of zero", d->name, v, got);
      }
      array_free(&x);
      array_free(&y);
    }
  }
}

static real modulo(real x, real y) {
  real r = fmodl(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
static real maximum(real x, real y) { return isnan(x) || isnan(y) ? (real)NAN : x > y ? x : y; }
static real minimum(real x, real y) { return isnan(x) || isnan(y) ? (real)NAN : x < y ? x : y; }
static real add(real x, real y) { return x + y; }
static real subtract(real x, real y) { return x - y; }
static real multiply(real x, real y) { return x * y; }
static real divide(real x, real y) { return x / y; }
static real atan2_real(real y, real x) { return atan2l(y, x); }

static const struct {
  int op;
  real (*ref)(real, real);
  double f64;
} binaries[] = {
    {OP_add, add, 0.51},      {OP_subtract, subtract, 0.51}, {OP_multiply, multiply, 0.51}, {OP_divide, divide, 0.51},
    {OP_pow, powl, 1},        {OP_hypot, hypotl, 1},         {OP_atan2, atan2_real, 1},     {OP_maximum, maximum, 0},
    {OP_minimum, minimum, 0}, {OP_copysign, copysignl, 0},   {OP_remainder, modulo, 0.51},
};

static void binary(void **state) {
  (void)state;
  uint64_t seed = 2;
  int64_t n = SAMPLES;
  for (int i = 0; i < COUNT(binaries); i++) {
    for (int type = 0; type < 2; type++) {
      tme_dtype t = type ? TME_F64 : TME_F32;
      const op_def *d = op_get(binaries[i].op);
      array in[2] = {array_new(t, 1, &n), array_new(t, 1, &n)};
      array_fill(&in[0], d->lo, d->hi, &seed);
      array_fill(&in[1], d->lo, d->hi, &seed);
      for (int k = 0; k < COUNT(specials) * COUNT(specials); k++) {
        array_set_real(&in[0], k, specials[k / COUNT(specials)]);
        array_set_real(&in[1], k, specials[k % COUNT(specials)]);
      }
      array y = array_op(binaries[i].op, in, 2, NULL);
      for (int64_t k = 0; k < n; k++) {
        double a = array_real(&in[0], k), b = array_real(&in[1], k), got = array_real(&y, k);
        real want = binaries[i].ref((real)a, (real)b);
        double u = ulps(t, got, want);
        /* the sum in the remainder rounds; a tiny one of the other sign rounds to the divisor */
        if (u > (type ? binaries[i].f64 : 0.501)) fail_msg("%s(%a, %a) = %a, expected %La", d->name, a, b, got, want);
      }
      array_free(&in[0]);
      array_free(&in[1]);
      array_free(&y);
    }
  }
}

/* floor_divide and remainder fit together and have Python's signs. */
static void float_division(void **state) {
  (void)state;
  static const double rows[][4] = {
      {7, 2, 3, 1},
      {-7, 2, -4, 1},
      {7, -2, -4, -1},
      {-7, -2, 3, -1},
      {0.3, 0.1, 2, 0.3 - 0.2},
      {1, 0, INFINITY, 0},
      {-1, 0, -INFINITY, 0},
      {-1, INFINITY, -1, INFINITY},
      {1, INFINITY, 0, 1},
      {6, 3, 2, 0},
  };
  for (int i = 0; i < COUNT(rows); i++) {
    array in[2] = {array_new(TME_F64, 0, NULL), array_new(TME_F64, 0, NULL)};
    array_set_real(&in[0], 0, rows[i][0]);
    array_set_real(&in[1], 0, rows[i][1]);
    array q = array_op(OP_floor_divide, in, 2, NULL), r = array_op(OP_remainder, in, 2, NULL);
    assert_true(array_real(&q, 0) == rows[i][2]);
    if (rows[i][1] == 0)
      assert_true(isnan(array_real(&r, 0)));
    else
      assert_true(fabs(array_real(&r, 0) - rows[i][3]) < 1e-15 || array_real(&r, 0) == rows[i][3]);
    array_free(&in[0]);
    array_free(&in[1]);
    array_free(&q);
    array_free(&r);
  }
}

/* 16-bit results are the f32 results, rounded once. */
static void half(void **state) {
  (void)state;
  uint64_t seed = 3;
  int64_t n = 700;
  for (int op = 0; op < OP_PUBLIC_COUNT; op++) {
    const op_def *d = op_get(op);
    if (d->family != FAMILY_elementwise || !(op_rule_get(d->rule)->takes & TAKES_FLOAT) || op == OP_nextafter) continue;
    for (int type = 0; type < 2; type++) {
      tme_dtype t = type ? TME_BF16 : TME_F16;
      array in[3] = {{.block = NULL}}, wide[3] = {{.block = NULL}};
      for (int i = 0; i < d->ninputs; i++) {
        tme_dtype own = d->rule == RULE_WHERE && i == 0 ? TME_BOOL : t;
        in[i] = array_new(own, 1, &n);
        array_fill(&in[i], d->lo, d->hi, &seed);
        wide[i] = array_new(own == t ? TME_F32 : own, 1, &n);
        int64_t one = 1;
        convert_strided(1, &n, own, in[i].a.data, &one, wide[i].a.type.dtype, wide[i].a.data, &one);
      }
      array y = array_op(op, in, d->ninputs, NULL), z = array_op(op, wide, d->ninputs, NULL);
      for (int64_t k = 0; k < n; k++) {
        double got = array_real(&y, k), want = array_real(&z, k);
        if (y.a.type.dtype == t)
          want = (double)(type ? bf16_to_f32(bf16_from_f64(want)) : f16_to_f32(f16_from_f64(want)));
        if (got != want && !(isnan(got) && isnan(want))) fail_msg("%s: %g, expected %g", d->name, got, want);
      }
      for (int i = 0; i < 3; i++) {
        array_free(&in[i]);
        array_free(&wide[i]);
      }
      array_free(&y);
      array_free(&z);
    }
  }
  static const uint16_t next[][3] = {{0x3c00, 0x4000, 0x3c01}, {0x3c00, 0, 0x3bff}, {0, 0x8001, 0x8001},
                                     {0x8000, 0x3c00, 1},      {0xbc00, 0, 0xbbff}, {0x7bff, 0x7c00, 0x7c00}};
  for (int i = 0; i < COUNT(next); i++) {
    array in[2] = {array_new(TME_F16, 0, NULL), array_new(TME_F16, 0, NULL)};
    memcpy(in[0].a.data, &next[i][0], 2);
    memcpy(in[1].a.data, &next[i][1], 2);
    array y = array_op(OP_nextafter, in, 2, NULL);
    assert_memory_equal(y.a.data, &next[i][2], 2);
    array_free(&in[0]);
    array_free(&in[1]);
    array_free(&y);
  }
}

/* ---- integers ------------------------------------------------------------------------------------------------------ */

static int64_t floor_div(int64_t a, int64_t b) {
  if (b == 0) return 0;
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t power(int64_t a, int64_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
  uint64_t r = 1;
  for (int64_t i = 0; i < b; i++) r *= (uint64_t)a;
  return (int64_t)r;
}

static int64_t exact(int op, int64_t a, int64_t b, bool is_signed) {
  switch (op) {
  case OP_add: return a + b;
  case OP_subtract: return a - b;
  case OP_multiply: return a * b;
  case OP_floor_divide: return floor_div(a, b);
  case OP_remainder: return b == 0 ? 0 : a - b * floor_div(a, b);
  case OP_pow: return power(a, b);
  case OP_maximum: return a > b ? a : b;
  case OP_minimum: return a < b ? a : b;
  case OP_bitwise_and: return a & b;
  case OP_bitwise_or: return a | b;
  case OP_bitwise_xor: return a ^ b;
  case OP_left_shift: return b < 0 || b > 7 ? 0 : a * (1 << b);
  case OP_right_shift: return b < 0 || b > 7 ? (is_signed && a < 0 ? -1 : 0) : a >> b;
  case OP_less: return a < b;
  case OP_equal: return a == b;
  default: return 0;
  }
}

/* All pairs of 8-bit integers. */
static void integers(void **state) {
  (void)state;
  static const int ops[] = {OP_add,         OP_subtract,   OP_multiply,    OP_floor_divide, OP_remainder,
                            OP_pow,         OP_maximum,    OP_minimum,     OP_bitwise_and,  OP_bitwise_or,
                            OP_bitwise_xor, OP_left_shift, OP_right_shift, OP_less,         OP_equal};
  int64_t shape[2] = {256, 256};
  for (int is_signed = 0; is_signed < 2; is_signed++) {
    tme_dtype t = is_signed ? TME_I8 : TME_U8;
    int64_t lo = is_signed ? -128 : 0;
    array in[2] = {array_new(t, 2, (int64_t[]){256, 1}), array_new(t, 1, &shape[1])};
    for (int k = 0; k < 256; k++) {
      array_set_real(&in[0], k, (double)(k + lo));
      array_set_real(&in[1], k, (double)(k + lo));
    }
    for (int i = 0; i < COUNT(ops); i++) {
      array y = array_op(ops[i], in, 2, NULL);
      for (int64_t k = 0; k < 65536; k++) {
        int64_t want = exact(ops[i], k / 256 + lo, k % 256 + lo, is_signed);
        uint8_t low = (uint8_t)want, got;
        memcpy(&got, y.a.data + k, 1);
        if (got != low)
          fail_msg("%s(%d, %d) = %d, expected %d", op_name(ops[i]), (int)(k / 256 + lo), (int)(k % 256 + lo), got, low);
      }
      array_free(&y);
    }
    array_free(&in[0]);
    array_free(&in[1]);
  }
  array in[2] = {array_new(TME_I64, 0, NULL), array_new(TME_I64, 0, NULL)};
  array_set_real(&in[0], 0, -0x1p63);
  array_set_real(&in[1], 0, -1);
  array q = array_op(OP_floor_divide, in, 2, NULL), r = array_op(OP_remainder, in, 2, NULL);
  array a = array_op(OP_abs, in, 1, NULL), s = array_op(OP_sign, in, 1, NULL);
  assert_true(array_real(&q, 0) == -0x1p63 && array_real(&r, 0) == 0 && array_real(&a, 0) == -0x1p63);
  assert_true(array_real(&s, 0) == -1);
  array_free(&in[0]);
  array_free(&in[1]);
  array_free(&q);
  array_free(&r);
  array_free(&a);
  array_free(&s);
}

/* ---- complex numbers ----------------------------------------------------------------------------------------------- */

static double complex complex_of(const array *x, int64_t i) {
  union {
    double part[2];
    double complex z;
  } u;
  array_get(x, i, u.part);
  return u.z;
}

static void complexes(void **state) {
  (void)state;
  uint64_t seed = 4;
  int64_t n = 500;
  for (int type = 0; type < 2; type++) {
    tme_dtype t = type ? TME_C128 : TME_C64;
    double tolerance = type ? 4e-16 : 2e-7;
    array in[2] = {array_new(t, 1, &n), array_new(t, 1, &n)};
    array_fill(&in[0], -2, 2, &seed);
    array_fill(&in[1], -2, 2, &seed);
    static const int ops[] = {OP_multiply, OP_divide, OP_abs, OP_sign, OP_sqrt, OP_exp, OP_pow, OP_conj, OP_reciprocal};
    for (int i = 0; i < COUNT(ops); i++) {
      array y = array_op(ops[i], in, op_get(ops[i])->ninputs, NULL);
      for (int64_t k = 0; k < n; k++) {
        double complex a = complex_of(&in[0], k), b = complex_of(&in[1], k), got = complex_of(&y, k), want = 0;
        switch (ops[i]) {
        case OP_multiply: want = a * b; break;
        case OP_divide: want = a / b; break;
        case OP_abs: want = cabs(a); break;
        case OP_sign: want = a / cabs(a); break;
        case OP_sqrt: want = csqrt(a); break;
        case OP_exp: want = cexp(a); break;
        case OP_pow: want = cpow(a, b); break;
        case OP_conj: want = conj(a); break;
        default: want = 1 / a; break;
        }
        if (cabs(got - want) > tolerance * (1 + cabs(want)) * 2) fail_msg("%s: complex", op_name(ops[i]));
      }
      array_free(&y);
    }
    array_free(&in[0]);
    array_free(&in[1]);
  }
  /* neither overflows nor underflows on the way */
  static const double rows[][4] = {{1e300, 1e300, 1e300, 1e300}, {1e-300, 1e-300, 1e-300, 1e-300}};
  for (int i = 0; i < COUNT(rows); i++) {
    array in[2] = {array_new(TME_C128, 0, NULL), array_new(TME_C128, 0, NULL)};
    memcpy(in[0].a.data, &rows[i][0], 16);
    memcpy(in[1].a.data, &rows[i][2], 16);
    array q = array_op(OP_divide, in, 2, NULL), m = array_op(OP_abs, in, 1, NULL);
    assert_true(cabs(complex_of(&q, 0) - 1) < 1e-15);
    assert_true(fabs(array_real(&m, 0) / (rows[i][0] * sqrt(2.0)) - 1) < 1e-15);
    array_free(&in[0]);
    array_free(&in[1]);
    array_free(&q);
    array_free(&m);
  }
}

/* ---- conversions ---------------------------------------------------------------------------------------------------- */

static void conversions(void **state) {
  (void)state;
  static const struct {
    tme_dtype from;
    double v;
    tme_dtype to;
    double want;
  } rows[] = {
      {TME_F32, 3.9, TME_I32, 3},
      {TME_F32, -3.9, TME_I8, -3},
      {TME_F64, 300, TME_I8, 127},
      {TME_F64, -300, TME_I8, -128},
      {TME_F64, NAN, TME_I64, 0},
      {TME_F64, INFINITY, TME_I32, 2147483647},
      {TME_F64, -INFINITY, TME_U16, 0},
      {TME_F64, 1e30, TME_U64, 0x1p64},
      {TME_F16, 1.5, TME_BOOL, 1},
      {TME_F64, NAN, TME_BOOL, 1},
      {TME_I32, 300, TME_U8, 44},
      {TME_I64, -1, TME_U32, 4294967295.0},
      {TME_I8, -1, TME_F16, -1},
      {TME_U64, 0x1p63, TME_F32, 0x1p63},
      {TME_F64, 1e-10, TME_BOOL, 1},
      {TME_F64, 65519, TME_F16, 65504},
      {TME_F64, 65520, TME_F16, INFINITY},
      {TME_I32, 65535, TME_F16, INFINITY},
      {TME_BOOL, 1, TME_C64, 1},
      {TME_F32, 0.1f, TME_F64, (double)0.1f},
      {TME_F64, 0.1, TME_F32, (double)0.1f},
      /* once, not through f32 */
      {TME_F64, 1 + 0x1p-11 + 0x1p-40, TME_F16, 1 + 0x1p-10},
  };
  for (int i = 0; i < COUNT(rows); i++) {
    array x = array_new(rows[i].from, 0, NULL);
    array_set_real(&x, 0, rows[i].v);
    op_attrs a = {.cast = {rows[i].to}};
    array y = array_op(OP_astype, &x, 1, &a);
    if (array_real(&y, 0) != rows[i].want)
      fail_msg("%s %g to %s: %g, expected %g", tme_dtype_name(rows[i].from), rows[i].v, tme_dtype_name(rows[i].to),
               array_real(&y, 0), rows[i].want);
    array_free(&x);
    array_free(&y);
  }
  /* every pair of dtypes, more elements than a block, from any layout */
  uint64_t seed = 5;
  for (int from = 0; from < TME_DTYPE_COUNT; from++) {
    for (int to = 0; to < TME_DTYPE_COUNT; to++) {
      if (dtype_is_complex((tme_dtype)from) && !dtype_is_complex((tme_dtype)to) && to != TME_BOOL) continue;
      int64_t shape[2] = {3, 200};
      array x = array_new((tme_dtype)from, 2, shape);
      array_fill(&x, 0, 100, &seed);
      array v = array_layout(&x, LAYOUT_REVERSED);
      op_attrs a = {.cast = {to}};
      array y = array_op(OP_astype, &v, 1, &a);
      for (int64_t i = 0; i < 600; i++) {
        double got = array_real(&y, i), want = array_real(&x, i);
        if (to == TME_BOOL) want = want != 0;
        if (dtype_is_int((tme_dtype)to)) want = trunc(want);
        assert_true(fabs(got - want) <= fabs(want) * fmax(0x1p-8, tme_dtype_epsilon((tme_dtype)to) / 2));
      }
      array_free(&x);
      array_free(&v);
      array_free(&y);
    }
  }
}

/* ---- layouts --------------------------------------------------------------------------------------------------------- */

static void layouts(void **state) {
  (void)state;
  uint64_t seed = 6;
  static const int64_t shapes[][4] = {{0}, {1, 5}, {3, 4, 2, 3}, {2, 7, 0}, {3, 300, 2, 1}};
  for (int op = 0; op < OP_PUBLIC_COUNT; op++) {
    const op_def *d = op_get(op);
    if (d->family != FAMILY_elementwise) continue;
    tme_dtype t = op_rule_get(d->rule)->takes & TAKES_FLOAT ? TME_F32 : TME_I32;
    for (int i = 0; i < COUNT(shapes); i++) {
      array in[3] = {{.block = NULL}};
      for (int k = 0; k < d->ninputs; k++) {
        in[k] = array_new(t, (int)shapes[i][0], &shapes[i][1]);
        array_fill(&in[k], d->lo, d->hi, &seed);
      }
      array want = array_op(op, in, d->ninputs, NULL);
      for (int layout = 1; layout < LAYOUT_COUNT; layout++) {
        array other[3] = {{.block = NULL}};
        for (int k = 0; k < d->ninputs; k++) other[k] = array_layout(&in[k], (layout + k) % LAYOUT_COUNT);
        array got = array_op(op, other, d->ninputs, NULL);
        assert_int_equal(got.bytes, want.bytes);
        if (memcmp(got.a.data, want.a.data, want.bytes)) fail_msg("%s: layout %d", d->name, layout);
        for (int k = 0; k < d->ninputs; k++) array_free(&other[k]);
        array_free(&got);
      }
      for (int k = 0; k < d->ninputs; k++) array_free(&in[k]);
      array_free(&want);
    }
  }
}

static void broadcasting(void **state) {
  (void)state;
  array in[2] = {array_new(TME_F32, 3, (int64_t[]){2, 1, 3}), array_new(TME_F64, 2, (int64_t[]){4, 1})};
  for (int i = 0; i < 6; i++) array_set_real(&in[0], i, i);
  for (int i = 0; i < 4; i++) array_set_real(&in[1], i, 10 * i);
  array y = array_op(OP_add, in, 2, NULL);
  for (int64_t i = 0; i < 24; i++) assert_true(array_real(&y, i) == (double)(i / 12 * 3 + i % 3 + 10 * (i / 3 % 4)));
  array_free(&in[0]);
  array_free(&in[1]);
  array_free(&y);
}

/* ---- gradients ------------------------------------------------------------------------------------------------------- */

#define SCALAR double
#define S(name) name##_f64
#define M(name) name
#include "backend/reference/scalar_real.inc"
/* The operand X of where is a condition. */
#undef SELECT
#define SELECT(p, a, b) ((p) != 0 ? (a) : (b))

/* Absent derivatives are NaN. */
typedef struct partials {
  double d[3];
} partials;
typedef double value_fn(double X, double Y, double Z);
typedef partials gradient_fn(double X, double Y, double Z, double R);

static partials partials_of(double x, double y, double z) { return (partials){{x, y, z}}; }

#define G1(a) partials_of(a, 0, 0)
#define G2(a, b) partials_of(a, b, 0)
#define G3(a, b, c) partials_of(a, b, c)
#define NONDIFF partials_of((double)NAN, (double)NAN, (double)NAN)

#define SKIP(make, name, e, g)
#define KEEP(make, name, e, g) make(name, e, g)
#define TAKE_NUM KEEP
#define TAKE_REAL KEEP
#define TAKE_FLOAT KEEP
#define TAKE_FLOATC KEEP
#define TAKE_PART KEEP
#define TAKE_PAIR SKIP
#define TAKE_EXPONENT SKIP
#define TAKE_COUNT SKIP
#define TAKE_CMP SKIP
#define TAKE_ORDER SKIP
#define TAKE_LOGIC SKIP
#define TAKE_FLAG SKIP
#define TAKE_RFLAG SKIP
#define TAKE_BITS SKIP
#define TAKE_INT SKIP
#define TAKE_WHERE KEEP

#define MAKE(name, expression, gradient)                                                                               \
  static double value_##name(double X, double Y, double Z) {                                                           \
    (void)X, (void)Y, (void)Z;                                                                                         \
    return expression;                                                                                                 \
  }                                                                                                                    \
  static partials gradient_##name(double X, double Y, double Z, double R) {                                            \
    (void)X, (void)Y, (void)Z, (void)R;                                                                                \
    return gradient;                                                                                                   \
  }
#define ROW(name, expression, gradient) [OP_##name] = {value_##name, gradient_##name},
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc)                                     \
  TAKE_##rule(MAKE, name, expression, gradient)
#include "ops/ops.def"
#undef ELEMENTWISE

static const struct {
  value_fn *value;
  gradient_fn *gradient;
} differentiable[OP_PUBLIC_COUNT] = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc)                                     \
  TAKE_##rule(ROW, name, expression, gradient)
#include "ops/ops.def"
};

/* Richardson's extrapolation of the central difference in X, Y or Z; *smooth false near a jump or kink. */
static double difference(value_fn *f, const double at[3], int which, bool *smooth) {
  double estimate[3];
  for (int i = 0; i < 3; i++) {
    double h = ldexp(fmax(fabs(at[which]), 0.5), -9 - i), up[3], down[3];
    memcpy(up, at, sizeof up);
    memcpy(down, at, sizeof down);
    up[which] += h;
    down[which] -= h;
    estimate[i] = (f(up[0], up[1], up[2]) - f(down[0], down[1], down[2])) / (up[which] - down[which]);
  }
  double a = (4 * estimate[1] - estimate[0]) / 3, b = (4 * estimate[2] - estimate[1]) / 3;
  *smooth = fabs(a - b) <= 1e-5 * (1 + fabs(b));
  return (16 * b - a) / 15;
}

static void gradients(void **state) {
  (void)state;
  uint64_t seed = 7;
  for (int op = 0; op < OP_PUBLIC_COUNT; op++) {
    if (!differentiable[op].value) continue;
    const op_def *d = op_get(op);
    int checked = 0, derivatives = 0;
    for (int i = 0; i < 500; i++) {
      double at[3];
      for (int k = 0; k < 3; k++) at[k] = d->lo + (d->hi - d->lo) * random_real(&seed);
      if (d->rule == RULE_WHERE) at[0] = (double)(random_bits(&seed) & 1);
      double r = differentiable[op].value(at[0], at[1], at[2]);
      partials g = differentiable[op].gradient(at[0], at[1], at[2], r);
      if (isnan(g.d[0]) && isnan(g.d[1])) break; /* NONDIFF */
      for (int k = d->rule == RULE_WHERE; k < d->ninputs; k++) {
        bool smooth;
        double want = difference(differentiable[op].value, at, k, &smooth);
        derivatives++;
        if (!smooth) continue;
        checked++;
        if (fabs(g.d[k] - want) > 2e-6 * (1 + fabs(want)))
          fail_msg("%s(%g, %g, %g): derivative %d is %g, expected %g", d->name, at[0], at[1], at[2], k, g.d[k], want);
      }
    }
    if (derivatives && checked < derivatives / 2) fail_msg("%s: %d of %d checked", d->name, checked, derivatives);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unary),       cmocka_unit_test(binary),   cmocka_unit_test(float_division),
      cmocka_unit_test(half),        cmocka_unit_test(integers), cmocka_unit_test(complexes),
      cmocka_unit_test(conversions), cmocka_unit_test(layouts),  cmocka_unit_test(broadcasting),
      cmocka_unit_test(gradients),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
