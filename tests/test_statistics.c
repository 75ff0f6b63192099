/* Means, variances and norms of numbers far from 0, on each backend. */
#include "base/base.h"
#include "support/engines.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N = 1000 };

static const char *const backends[] = {"cpu", "nojit", "reference"};

static double number(tme_scope *s, tme_array *a) {
  const double *v = tme_data(s, tme_astype(s, a, TME_F64));
  assert_string_equal(tme_error(s), "");
  return v[0];
}

static tme_array *variance(tme_scope *s, tme_array *x) { return tme_var(s, x, NULL, TME_ALL, 0, false); }
static tme_array *deviation(tme_scope *s, tme_array *x) { return tme_std(s, x, NULL, TME_ALL, 0, false); }

static void near(double got, double want, double relative) {
  if (!(fabs(got - want) <= relative * fabs(want))) fail_msg("%.9g, not %.9g", got, want);
}

static void constant_rows(tme_scope *s) {
  static const double values[] = {18454938.7, 0.1, -1e15, 1e-30, 3e7, 16777217};
  for (int i = 0; i < COUNT(values); i++) {
    tme_array *x = tme_full(s, (int64_t[]){4, N}, 2, values[i], TME_F32);
    int last = 1;
    assert_true(number(s, tme_max(s, tme_var(s, x, &last, 1, 0, false), NULL, TME_ALL, false)) == 0);
    assert_true(number(s, tme_max(s, tme_std(s, x, &last, 1, 1, false), NULL, TME_ALL, false)) == 0);
    assert_true(number(s, tme_max(s, tme_abs(s, tme_layer_norm(s, x, NULL, NULL, 1e-5)), NULL, TME_ALL, false)) == 0);
  }
}

/* Where one unit in the last place has an infinite square, the variance is 0 or infinite, but not NaN. */
static void huge_constants(tme_scope *s) {
  tme_array *x = tme_full(s, (int64_t[]){4, N}, 2, 1e30, TME_F32);
  int last = 1;
  double var = number(s, tme_max(s, tme_var(s, x, &last, 1, 0, false), NULL, TME_ALL, false));
  assert_true(var == 0 || isinf(var));
  assert_true(number(s, tme_max(s, tme_abs(s, tme_layer_norm(s, x, NULL, NULL, 1e-5)), NULL, TME_ALL, false)) == 0);
}

/* f32 that stand 1/16 apart around 1e6: their squared deviations are known exactly. */
static void offset_rows(tme_scope *s) {
  float v[64];
  double sum = 0, squares = 0;
  for (int i = 0; i < 64; i++) {
    v[i] = 1e6f + (float)(i * 37 % 64) / 16;
    sum += (double)v[i] / 64;
  }
  for (int i = 0; i < 64; i++) squares += ((double)v[i] - sum) * ((double)v[i] - sum) / 64;
  tme_array *x = tme_from(s, TME_F32, 1, (int64_t[]){64}, v);
  near(number(s, variance(s, x)), squares, 1e-5);
  near(number(s, deviation(s, x)), sqrt(squares), 1e-5);
  tme_array *y = tme_layer_norm(s, x, NULL, NULL, 0);
  const float *got = tme_data(s, y);
  assert_non_null(got);
  for (int i = 0; i < 64; i++) assert_true(fabs((double)got[i] - ((double)v[i] - sum) / sqrt(squares)) < 1e-5);
}

static void whole_numbers(tme_scope *s) {
  const int32_t i32[] = {1000000001, 1000000002, 1000000003};
  const int64_t i64[] = {4503599627370497, 4503599627370498, 4503599627370499};
  const uint32_t u32[] = {4294967293u, 4294967294u, 4294967295u};
  near(number(s, variance(s, tme_from(s, TME_I32, 1, (int64_t[]){3}, i32))), 2.0 / 3, 1e-6);
  near(number(s, variance(s, tme_from(s, TME_I64, 1, (int64_t[]){3}, i64))), 2.0 / 3, 1e-6);
  near(number(s, variance(s, tme_from(s, TME_U32, 1, (int64_t[]){3}, u32))), 2.0 / 3, 1e-6);
  near(number(s, tme_mean(s, tme_from(s, TME_U32, 1, (int64_t[]){3}, u32), NULL, TME_ALL, false, TME_DTYPE_NONE)),
       4294967294, 1e-7);
  const uint8_t u8[] = {1, 0, 1, 1};
  near(number(s, variance(s, tme_from(s, TME_U8, 1, (int64_t[]){4}, u8))), 0.1875, 1e-6);
  near(number(s, variance(s, tme_from(s, TME_BOOL, 1, (int64_t[]){4}, u8))), 0.1875, 1e-6);
}

static void everywhere(void (*test)(tme_scope *)) {
  for (int b = 0; b < COUNT(backends); b++) {
    tme_engine *e = test_engine(backends[b]);
    tme_scope *s = tme_scope_new(e);
    test(s);
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

static void test_constant_rows(void **state) {
  (void)state;
  everywhere(constant_rows);
}

static void test_huge_constants(void **state) {
  (void)state;
  everywhere(huge_constants);
}

static void test_offset_rows(void **state) {
  (void)state;
  everywhere(offset_rows);
}

static void test_whole_numbers(void **state) {
  (void)state;
  everywhere(whole_numbers);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_constant_rows), cmocka_unit_test(test_huge_constants),
                                     cmocka_unit_test(test_offset_rows), cmocka_unit_test(test_whole_numbers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
