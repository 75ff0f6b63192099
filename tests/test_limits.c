/* Every elementwise row of real numbers where functions end: at infinities, zeros, denormals, the largest numbers, in
 * tails that vanish. The row's expression in long double is the oracle of all backends. */
#include "backend/reference/expr_scalar.h"
#include "base/base.h"
#include "ops/ops.h"
#include "support/engines.h"
#include "support/special.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- the vocabulary in long double ------------------------------------------------------------------------------- */

typedef long double real;

#define S(name) name##_ld
#define FUNCTION1(name)                                                                                                \
  static real name##_ld(real a) { return name##l(a); }
#define FUNCTION2(name)                                                                                                \
  static real name##_ld(real a, real b) { return name##l(a, b); }
/* clang-format off */
FUNCTION1(sqrt) FUNCTION1(floor) FUNCTION1(ceil) FUNCTION1(trunc) FUNCTION1(rint) FUNCTION1(cbrt) FUNCTION1(exp)
FUNCTION1(exp2) FUNCTION1(expm1) FUNCTION1(log) FUNCTION1(log1p) FUNCTION1(log2) FUNCTION1(log10) FUNCTION1(sin)
FUNCTION1(cos) FUNCTION1(tan) FUNCTION1(asin) FUNCTION1(acos) FUNCTION1(atan) FUNCTION1(sinh) FUNCTION1(cosh)
FUNCTION1(tanh) FUNCTION1(asinh) FUNCTION1(acosh) FUNCTION1(atanh) FUNCTION1(erf) FUNCTION1(erfc) FUNCTION2(pow)
FUNCTION2(fmod) FUNCTION2(hypot) FUNCTION2(atan2) FUNCTION2(copysign)
    /* clang-format on */
    static real number_ld(double v) {
  return v;
}
static real add_ld(real a, real b) { return a + b; }
static real sub_ld(real a, real b) { return a - b; }
static real mul_ld(real a, real b) { return a * b; }
static real div_ld(real a, real b) { return a / b; }
static real neg_ld(real a) { return -a; }
static real abs_ld(real a) { return fabsl(a); }
static real sign_ld(real a) { return a > 0 ? 1 : a < 0 ? -1 : a + 0; }
static real min_ld(real a, real b) { return isnan(a) || isnan(b) ? a + b : b < a ? b : a; }
static real max_ld(real a, real b) { return isnan(a) || isnan(b) ? a + b : b > a ? b : a; }
static real real_ld(real a) { return a; }
static real conj_ld(real a) { return a; }
static real imag_ld(real a) {
  (void)a;
  return 0;
}
static real select_ld(bool p, real a, real b) { return p ? a : b; }
static real fma_ld(real a, real b, real c) { return a * b + c; }
static real tgamma_ld(real a) { return tgammal(a); }
static real digamma_ld(real a) { return digamma_long(a); }
static real bessel_i0_ld(real a) { return isinf(a) ? fabsl(a) : bessel_long(a, 0) * expl(fabsl(a)); }
static real bessel_i1_ld(real a) { return isinf(a) ? a : bessel_long(a, 1) * expl(fabsl(a)); }
static real bessel_i0e_ld(real a) { return bessel_long(a, 0); }
static real bessel_i1e_ld(real a) { return bessel_long(a, 1); }
static real scale_by_power_ld(real a, real n) { return isnan(n) ? n : scalbnl(a, (int)fmaxl(-6000, fminl(n, 6000))); }
static real mantissa_ld(real a) {
  int exponent;
  return frexpl(a, &exponent);
}
static real erfinv_ld(real a) { return erfinv_long(a); }
static real lgamma_ld(real a) {
  int sign;
  return lgammal_r(a, &sign);
}
static real over_one_plus_exp_ld(real a, real t) { return isinf(a) && a < 0 ? -0.0L : a / (1 + expl(t)); }
static real over_one_plus_exp2_ld(real a, real t) { return isinf(a) && a < 0 ? -0.0L : a / (1 + exp2l(t)); }
static real mod_ld(real a, real b) {
  real r = fmodl(a, b);
  if (r != 0 && (r < 0) != (b < 0)) r += b;
  return r == 0 ? copysignl(0, b) : r;
}
static bool eq_ld(real a, real b) { return a == b; }
static bool ne_ld(real a, real b) { return a != b; }
static bool lt_ld(real a, real b) { return a < b; }
static bool gt_ld(real a, real b) { return a > b; }
static bool ge_ld(real a, real b) { return a >= b; }
static bool le_ld(real a, real b) { return a <= b; }
static bool and_ld(bool a, bool b) { return a && b; }
static bool isinf_ld(real a) { return isinf(a); }

#undef SIGMOID
#define SIGMOID(a) (1 / (1 + expl(-(a))))

/* ---- rows --------------------------------------------------------------------------------------------------------- */

/* Those that depend on the steps of a dtype are tried elsewhere. */
#define floordiv_ld(a, b) ((a) + (b))
#define nextafter_ld(a, b) ((a) + (b))
#define FUNCTION(name, e)                                                                                              \
  static real row_##name(real X, real Y, real Z) {                                                                     \
    (void)X, (void)Y, (void)Z;                                                                                         \
    return e;                                                                                                          \
  }
#define SKIP(make, name, e)
#define PASS(make, name, e) make(name, e)
#define RULE_OF_NUM PASS
#define RULE_OF_REAL PASS
#define RULE_OF_FLOAT PASS
#define RULE_OF_FLOATC PASS
#define RULE_OF_PART PASS
#define RULE_OF_PAIR SKIP
#define RULE_OF_EXPONENT SKIP
#define RULE_OF_COUNT SKIP
#define RULE_OF_CMP SKIP
#define RULE_OF_ORDER SKIP
#define RULE_OF_LOGIC SKIP
#define RULE_OF_FLAG SKIP
#define RULE_OF_RFLAG SKIP
#define RULE_OF_BITS SKIP
#define RULE_OF_INT SKIP
#define RULE_OF_WHERE SKIP

#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc)                                     \
  RULE_OF_##rule(FUNCTION, name, expression)
#include "ops/ops.def"
#undef ELEMENTWISE
#define ROW(name, e) [OP_##name] = row_##name,
static real (*const oracle[OP_PUBLIC_COUNT])(real, real, real) = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc) RULE_OF_##rule(ROW, name, expression)
#include "ops/ops.def"
#undef ELEMENTWISE
};
static const double allowed[OP_PUBLIC_COUNT] = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc) [OP_##name] = ulp,
#include "ops/ops.def"
#undef ELEMENTWISE
};

static const double points[] = {
    0,     1,        0.5,      1.5,       3,         5,       9.9,     10.06, 10.5,    11,       11.5,   12,     13.5,
    14.2,  17,       20,       26,        38,        38.7,    39,      41,    64.5,    80,       87,     88.7,   88.8,
    91.16, 95,       100,      103.9,     104,       107,     110,     127,   128,     129,      150,    165,    300,
    700,   708.5,    709.7,    710.4,     745,       746,     750,     761,   1000,    1025,     1075,   1e5,    1e10,
    1e30,  1e38,     2e38,     1e-3,      1e-10,     1e-20,   1e-38,   1e-40, 1e-44,   1e-160,   1e-307, 1e-310, 1e100,
    1e300, 0x1p-149, 0x1p-126, 0x1p-1074, 0x1p-1022, FLT_MAX, DBL_MAX, 65504, 0x1p-24, INFINITY, NAN};
enum { ONES = 2 * (int)COUNT(points), FEW = 14 };
static const double few[FEW] = {0, -0.0, 1, -1, 2, -3, 0.5, INFINITY, -INFINITY, NAN, 1e30, 1e-40, -0x1p-149, 700};

static double operand(int i, int which, int operands) {
  if (operands == 1) return i % 2 ? -points[i / 2] : points[i / 2];
  for (; which > 0; which--) i /= FEW;
  return few[i % FEW];
}

static double rounded(tme_dtype t, double v) {
  uint64_t bits[2];
  double back[2];
  literal_bits(t, v, bits);
  literal_value(t, bits, back);
  return back[0];
}

/* Digits and the exponents of the first and last binades. */
static void format(tme_dtype t, int *digits, int *least, int *most) {
  *digits = dtype_get(t)->digits;
  *least = ilogb(dtype_get(t)->least);
  *most = ilogb(dtype_get(t)->most) + 1;
}

static double ulps(tme_dtype t, double got, real want) {
  int digits, least, most, e;
  format(t, &digits, &least, &most);
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
  if (want == 0) return got == 0 && !signbit(got) == !signbit(want) ? 0 : INFINITY;
  if (fabsl(want) >= ldexpl(1, most) * (1 - ldexpl(1, -digits - 1)) && isinf(got))
    return !signbit(got) == !signbit(want) ? 0 : INFINITY;
  if (isinf(want) || isinf(got)) return INFINITY;
  if (!signbit(got) != !signbit(want)) return INFINITY;
  frexpl(want, &e);
  return fabs((double)((got - want) / ldexpl(1, e - digits < least ? least : e - digits)));
}

/* The row's bound where its operands are drawn from; in a tail as many more as e-foldings lie between, since an argument
 * of exp that is rounded by half a unit moves the result by its size. */
static double bound(int op, tme_dtype t, real want) {
  double u = allowed[op] + 0.5, away = fabs(log((double)fabsl(want) + 0x1p-1060));
  if (allowed[op] > 4 && isfinite(away)) u += 8 * away;
  return dtype_is_narrow(t) ? 1 + u * 0x1p-8 : u;
}

static int check(tme_scope *s, int op, tme_dtype t, const char *backend) {
  const op_def *d = op_get(op);
  int n = d->ninputs == 1 ? ONES : d->ninputs == 2 ? FEW * FEW : FEW * FEW * FEW, bad = 0;
  static double v[3][FEW * FEW * FEW];
  tme_arg args[3] = {0};
  for (int k = 0; k < d->ninputs; k++) {
    for (int i = 0; i < n; i++) v[k][i] = rounded(t, operand(i, k, d->ninputs));
    args[k] =
        (tme_arg){.kind = TME_ARG_ARRAY, .u.array = tme_astype(s, tme_from(s, TME_F64, 1, (int64_t[]){n}, v[k]), t)};
  }
  tme_array *out = NULL;
  assert_int_equal(tme_apply(s, op_name(op), args, d->ninputs, &out), TME_OK);
  const double *got = tme_data(s, tme_astype(s, out, TME_F64));
  assert_string_equal(tme_error(s), "");
  for (int i = 0; i < n; i++) {
    real want = oracle[op](v[0][i], v[1][i], v[2][i]);
    double u = ulps(t, got[i], want);
    bool zeros = want == 0 && got[i] == 0 && (op == OP_maximum || op == OP_minimum || op == OP_clip);
    if (u <= bound(op, t, want) || zeros) continue;
    if (bad++ < 5)
      print_error("%s %s %s(%g, %g, %g): %.9g, not %.9Lg (%g ulp)\n", backend, tme_dtype_name(t), op_name(op), v[0][i],
                  d->ninputs > 1 ? v[1][i] : 0, d->ninputs > 2 ? v[2][i] : 0, got[i], want, u);
  }
  return bad;
}

static void limits(const char *backend) {
  static const tme_dtype types[] = {TME_F32, TME_F64, TME_F16, TME_BF16};
  tme_engine *e = test_engine(backend);
  assert_non_null(e);
  int bad = 0;
  for (int op = 0; op < OP_PUBLIC_COUNT; op++) {
    if (!oracle[op] || op == OP_nextafter || op == OP_floor_divide || op == OP_lerp) continue;
    for (int i = 0; i < COUNT(types); i++) {
      tme_scope *s = tme_scope_new(e);
      bad += check(s, op, types[i], backend);
      tme_scope_free(s);
    }
  }
  tme_engine_free(e);
  assert_int_equal(bad, 0);
}

static void limits_compiled(void **state) {
  (void)state;
  limits("cpu");
}

static void limits_of_the_reference(void **state) {
  (void)state;
  limits("reference");
}

/* ---- one rounding -------------------------------------------------------------------------------------------------- */

/* Beside the middle of two 16-bit floats, by less than an f32 or an f64 can tell. */
static void rounded_once(void **state) {
  (void)state;
  static const struct {
    tme_dtype t;
    double x, y, z, want;
  } sums[] = {{TME_BF16, 1.5, 1 + 0x1p-7, -0x1p-70, 1.5 + 0x1p-7},
              {TME_BF16, 1.5, 1 + 0x1p-7, 0, 1.5 + 0x1p-6},
              {TME_BF16, 1.5, 1 + 0x3p-7, 0x1p-120, 1.5 + 0x5p-7},
              {TME_BF16, -1.5, 1 + 0x3p-7, -0x1p-120, -1.5 - 0x5p-7},
              {TME_BF16, 0x1.8p100, 0x1.02p100, 1, INFINITY},
              {TME_F16, 1.5, 1 + 0x1p-10, -0x1p-24, 1.5 + 0x1p-10},
              {TME_F16, 1.5, 1 + 0x3p-10, 0x1p-24, 1.5 + 0x5p-10},
              {TME_F16, 0x1p-14, 0x1p-11, 0x1p-24, 0x1p-23},
              {TME_F16, 0x1p-14, 0x1p-11, 0, 0},
              {TME_F16, 0x1.004p-14, 0x1p-11, 0, 0x1p-24},
              {TME_F16, 65504, 1, 15.99, 65504},
              {TME_F16, 65504, 1, 16, INFINITY}};
  static const int64_t big = (int64_t)1 << 62, middle = (int64_t)1 << 54;
  const int64_t whole[] = {
      big + middle + 1, big + 3 * middle - 1, -big - middle - 1, -big - 3 * middle + 1, big + middle, 257, INT64_MIN};
  const double whole_want[] = {0x1p62 + 0x1p55, 0x1p62 + 0x1p55, -0x1p62 - 0x1p55, -0x1p62 - 0x1p55, 0x1p62, 256,
                               -0x1p63};
  const uint64_t natural[] = {(uint64_t)2 * (uint64_t)(big + middle) + 1, UINT64_MAX, ((uint64_t)1 << 53) + 1};
  const double natural_want[] = {0x1p63 + 0x1p56, 0x1p64, 0x1p53};
  for (int b = 0; b < 2; b++) {
    tme_engine *e = test_engine(b ? "reference" : "cpu");
    tme_scope *s = tme_scope_new(e);
    for (int i = 0; i < COUNT(sums); i++) {
      tme_array *in[3];
      const double *v = &sums[i].x;
      for (int k = 0; k < 3; k++) in[k] = tme_astype(s, tme_from(s, TME_F64, 1, (int64_t[]){1}, v + k), sums[i].t);
      const double *got = tme_data(s, tme_astype(s, tme_fma(s, in[0], in[1], in[2]), TME_F64));
      assert_non_null(got);
      if (*got != sums[i].want) fail_msg("sum %d: %a, not %a", i, *got, sums[i].want);
    }
    tme_array *w = tme_from(s, TME_I64, 1, (int64_t[]){COUNT(whole)}, whole);
    tme_array *n = tme_from(s, TME_U64, 1, (int64_t[]){COUNT(natural)}, natural);
    const double *x = tme_data(s, tme_astype(s, tme_astype(s, w, TME_BF16), TME_F64));
    const double *y = tme_data(s, tme_astype(s, tme_astype(s, n, TME_BF16), TME_F64));
    assert_true(x && y);
    for (int i = 0; i < COUNT(whole); i++) assert_true(x[i] == whole_want[i]);
    for (int i = 0; i < COUNT(natural); i++) assert_true(y[i] == natural_want[i]);
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rounded_once), cmocka_unit_test(limits_compiled),
                                     cmocka_unit_test(limits_of_the_reference)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
