/* Complex functions on a grid of special values against the C library's, which keep to Annex G of C, and what has no
 * function there by its values: compiled and by the reference. */
#include "base/base.h"
#include "support/engines.h"
#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef double complex number;

static const double parts[] = {0,      -0.0,   1,       -1,     0.5,     -2,     3,       -0.25,    INFINITY, -INFINITY,
                               NAN,    1e-40,  -1e-300, 5e-324, 1e30,    -1e300, 1.5e308, 88.9,     -91,      709.9,
                               -711.5, 745.25, 1420.5,  1e-310, 0x1p500, 0.8,    0.6,     0x1p-501, 3e38,     -100};
enum { SIDE = COUNT(parts), GRID = SIDE * SIDE };

static const char *const backends[] = {"cpu", "reference"};

static number z_of(double re, double im) {
  double p[2] = {re, im};
  number z;
  memcpy(&z, p, sizeof z);
  return z;
}

/* Of operands that are not finite, and beside a NaN, the standard often leaves the sign of a zero open. */
static bool same_part(tme_dtype t, double got, double want, double other, double size, bool finite) {
  double least = t == TME_C64 ? 0x1p-149 : 0x1p-1074, eps = t == TME_C64 ? 0x1p-23 : 0x1p-52;
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
  if (t == TME_C64) want = (double)(float)want;
  if (isinf(want) || isinf(got)) {
    double most = t == TME_C64 ? 0x1.fffffep127 : 0x1.fffffffffffffp1023;
    if (isnan(other)) return isinf(want) && isinf(got);
    return got == want || (isinf(got) != isinf(want) && fabs(isinf(got) ? want : got) > most * (1 - 8 * eps));
  }
  if (want == 0 && got == 0) return !finite || isnan(other) || !signbit(got) == !signbit(want);
  return fabs(got - want) <= 6 * eps * fmax(fabs(want), size) + 2 * least;
}

typedef tme_array *unary(tme_scope *, tme_array *);

static double held(tme_dtype t, double v) {
  volatile float f = (float)v; /* gcc 12 loses every second conversion in vectors */
  return t == TME_C64 ? (double)f : v;
}

static tme_array *grid(tme_scope *s, tme_dtype t, number *z) {
  for (int i = 0; i < GRID; i++) {
    z[i] = z_of(held(t, parts[i / SIDE]), held(t, parts[i % SIDE]));
  }
  return tme_astype(s, tme_from(s, TME_C128, 1, (int64_t[]){GRID}, z), t);
}

/* `whole`: the error may be as large as the larger part allows. */
static int check(const char *backend, tme_scope *s, const char *name, unary *f, number (*of_c)(number), tme_dtype t,
                 bool whole) {
  static number z[GRID];
  int bad = 0;
  const number *got = tme_data(s, tme_astype(s, f(s, grid(s, t, z)), TME_C128));
  assert_string_equal(tme_error(s), "");
  for (int i = 0; i < GRID; i++) {
    number want = of_c(z[i]);
    bool finite = isfinite(creal(z[i])) && isfinite(cimag(z[i]));
    double re = creal(want), im = cimag(want),
           size = whole && isfinite(re) && isfinite(im) ? fmax(fabs(re), fabs(im)) : 0;
    if (same_part(t, creal(got[i]), re, im, size, finite) && same_part(t, cimag(got[i]), im, re, size, finite))
      continue;
    if (bad++ < 6)
      print_error("%s %s %s(%g%+gi): %.17g%+.17gi, not %.17g%+.17gi\n", backend, tme_dtype_name(t), name, creal(z[i]),
                  cimag(z[i]), creal(got[i]), cimag(got[i]), re, im);
  }
  return bad;
}

static void special_values(void **state) {
  (void)state;
  static const struct {
    const char *name;
    unary *f;
    number (*of_c)(number);
    bool whole;
  } functions[] = {
      {"exp", tme_exp, cexp, false},      {"log", tme_log, clog, false},      {"sqrt", tme_sqrt, csqrt, false},
      {"sin", tme_sin, csin, false},      {"cos", tme_cos, ccos, false},      {"tan", tme_tan, ctan, false},
      {"sinh", tme_sinh, csinh, false},   {"cosh", tme_cosh, ccosh, false},   {"tanh", tme_tanh, ctanh, false},
      {"asin", tme_asin, casin, true},    {"acos", tme_acos, cacos, true},    {"atan", tme_atan, catan, true},
      {"asinh", tme_asinh, casinh, true}, {"acosh", tme_acosh, cacosh, true}, {"atanh", tme_atanh, catanh, true}};
  int bad = 0;
  for (int b = 0; b < COUNT(backends); b++) {
    tme_engine *e = test_engine(backends[b]);
    for (int i = 0; i < 2 * COUNT(functions); i++) {
      tme_scope *s = tme_scope_new(e);
      bad += check(backends[b], s, functions[i / 2].name, functions[i / 2].f, functions[i / 2].of_c,
                   i % 2 ? TME_C64 : TME_C128, functions[i / 2].whole);
      tme_scope_free(s);
    }
    tme_engine_free(e);
  }
  assert_int_equal(bad, 0);
}

static void near(number got, number want, double relative) {
  double size = fmax(fabs(creal(want)), fabs(cimag(want)));
  bool same = creal(got) == creal(want) && cimag(got) == cimag(want);
  if (!same &&
      !(fabs(creal(got) - creal(want)) <= relative * size && fabs(cimag(got) - cimag(want)) <= relative * size))
    fail_msg("%.17g%+.17gi, not %.17g%+.17gi", creal(got), cimag(got), creal(want), cimag(want));
}

static tme_array *one(tme_scope *s, number z) { return tme_from(s, TME_C128, 1, (int64_t[]){1}, &z); }

static number value(tme_scope *s, tme_array *a) {
  const number *v = tme_data(s, tme_astype(s, a, TME_C128));
  assert_string_equal(tme_error(s), "");
  return *v;
}

static void arithmetic(void **state) {
  (void)state;
  static const number i = (number)_Complex_I;
  for (int b = 0; b < COUNT(backends); b++) {
    tme_engine *e = test_engine(backends[b]);
    tme_scope *s = tme_scope_new(e);
    /* whole exponents */
    near(value(s, tme_pow(s, one(s, 0), one(s, 0))), 1, 0);
    near(value(s, tme_pow(s, one(s, z_of(NAN, 1)), one(s, 0))), 1, 0);
    near(value(s, tme_pow(s, one(s, -1), one(s, 2))), 1, 0);
    near(value(s, tme_pow(s, one(s, i), one(s, 7))), -i, 0);
    near(value(s, tme_pow(s, one(s, 2 + i), one(s, 3))), 2 + 11 * i, 0);
    near(value(s, tme_pow(s, one(s, 2 * i), one(s, -2))), -0.25, 0);
    near(value(s, tme_pow(s, one(s, 0), one(s, 2.5))), 0, 0);
    near(value(s, tme_pow(s, one(s, 0), one(s, 1 + i))), 0, 0);
    near(value(s, tme_pow(s, one(s, 1e200), one(s, -2))), 0, 0);
    near(value(s, tme_pow(s, one(s, 2 + i), one(s, 0.5))), csqrt(2 + i), 1e-15);
    /* without an imaginary part, or a real one, in the divisor, each part is on its own */
    near(value(s, tme_divide(s, one(s, z_of(-3, INFINITY)), one(s, 2))), z_of(-1.5, INFINITY), 0);
    near(value(s, tme_divide(s, one(s, z_of(-3, INFINITY)), one(s, 2 * i))), z_of(INFINITY, 1.5), 0);
    number part = value(s, tme_mean(s, one(s, z_of(NAN, 3)), NULL, TME_ALL, false, TME_DTYPE_NONE));
    assert_true(isnan(creal(part)) && cimag(part) == 3);
    /* at the ends of the range */
    number big = 1.5e308 * (1 + i), tiny = 5e-324 * (1 + i);
    near(value(s, tme_divide(s, one(s, big), one(s, big))), 1, 0);
    near(value(s, tme_divide(s, one(s, tiny), one(s, tiny))), 1, 0);
    near(value(s, tme_divide(s, one(s, 5e-324 * (3 + 2 * i)), one(s, 5e-324 * (2 - i)))), (4 + 7 * i) / 5, 1e-15);
    near(value(s, tme_sign(s, one(s, big))), sqrt(0.5) * (1 + i), 1e-15);
    near(value(s, tme_sign(s, one(s, tiny))), sqrt(0.5) * (1 + i), 1e-15);
    near(value(s, tme_sign(s, one(s, z_of(-INFINITY, 3)))), -1, 0);
    near(value(s, tme_sign(s, one(s, z_of(1, -INFINITY)))), -i, 0);
    near(value(s, tme_sign(s, one(s, z_of(INFINITY, INFINITY)))), sqrt(0.5) * (1 + i), 1e-15);
    near(value(s, tme_abs(s, one(s, z_of(NAN, -INFINITY)))), (number)INFINITY, 0);
    near(value(s, tme_abs(s, one(s, 1e308 * (1 + i)))), 1.4142135623730951e308, 1e-15);
    near(value(s, tme_divide(s, tme_astype(s, one(s, 3e38 * (1 + i)), TME_C64),
                             tme_astype(s, one(s, 3e38 * (1 + i)), TME_C64))),
         1, 0);
    near(value(s, tme_log(s, one(s, 0.6 + 0.8 * i))), clog(0.6 + 0.8 * i), 1e-15);
    assert_true(fabs(creal(value(s, tme_log(s, one(s, z_of(0.6, 0.8))))) / creal(clog(z_of(0.6, 0.8))) - 1) < 1e-14);
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(special_values), cmocka_unit_test(arithmetic)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
