/* What becomes other operations when it is called: round to decimals, clip without a bound; and the extremes of booleans.
 * On every backend. */
#include "support/engines.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const backends[] = {"auto", "nojit", "reference", "mlx"};
enum { BACKENDS = sizeof backends / sizeof *backends };

static void everywhere(test_scope_fn *f) {
  for (int i = 0; i < BACKENDS; i++) test_in_engine(test_engine(backends[i]), f);
}

static tme_array *floats(tme_scope *s, tme_dtype t, int64_t n, const double *v) {
  return tme_astype(s, tme_from(s, TME_F64, 1, &n, v), t);
}

static tme_array *integers(tme_scope *s, tme_dtype t, int64_t n, const int64_t *v) {
  return tme_astype(s, tme_from(s, TME_I64, 1, &n, v), t);
}

/* Bit for bit, a NaN as a NaN. */
static void same(tme_scope *s, tme_array *a, tme_array *want) {
  int64_t n = tme_array_size(want);
  size_t size = tme_dtype_size(tme_array_dtype(want));
  const char *p = tme_data(s, a), *q = tme_data(s, want);
  assert_string_equal(tme_error(s), "");
  assert_int_equal(tme_array_dtype(a), tme_array_dtype(want));
  assert_int_equal(tme_array_size(a), n);
  for (int64_t i = 0; i < n; i++) {
    if (!memcmp(p + (size_t)i * size, q + (size_t)i * size, size)) continue;
    double got = 0, right = 0;
    tme_item(s, tme_slice(s, a, &i, (int64_t[]){i + 1}, NULL), &got);
    tme_item(s, tme_slice(s, want, &i, (int64_t[]){i + 1}, NULL), &right);
    if (!isnan(got) || !isnan(right)) fail_msg("element %lld: %.17g, expected %.17g", (long long)i, got, right);
  }
}

static void decimals_of_floats(tme_scope *s) {
  static const double x[] = {1.234567, 2.5, -0.05, 1234.5678, (double)INFINITY, (double)NAN, 1e30, -7.125};
  static const double two[] = {1.23, 2.5, -0.05, 1234.57, (double)INFINITY, (double)NAN, 1e30, -7.12};
  static const double hundreds[] = {0, 0, -0.0, 1200, (double)INFINITY, (double)NAN, 1e30, -0.0};
  for (int i = 0; i < 2; i++) {
    tme_dtype t = i ? TME_F64 : TME_F32;
    same(s, tme_round(s, floats(s, t, 8, x), 2), floats(s, t, 8, two));
    same(s, tme_round(s, floats(s, t, 6, x), -2), floats(s, t, 6, hundreds));
    same(s, tme_round(s, floats(s, t, 8, x), 400), floats(s, t, 8, x));
    same(s, tme_round(s, floats(s, t, 6, x), -400),
         floats(s, t, 6, (double[]){0, 0, -0.0, 0, (double)INFINITY, (double)NAN}));
  }
  /* 1000 * 100 does not fit in 16 bits, but the result does. */
  static const double half[] = {1000, 1.2345, -0.125, 60000};
  same(s, tme_round(s, floats(s, TME_F16, 4, half), 2), floats(s, TME_F16, 4, (double[]){1000, 1.23, -0.12, 60000}));
  /* A product that overflows on the way leaves the number as it is. */
  same(s, tme_round(s, floats(s, TME_F32, 1, (double[]){3e38}), 5), floats(s, TME_F32, 1, (double[]){3e38}));
  same(s, tme_round(s, floats(s, TME_F64, 2, (double[]){2.5, 3.5}), 0), floats(s, TME_F64, 2, (double[]){2, 4}));
}

static void decimals_of_integers(tme_scope *s) {
  static const int64_t x[] = {1, 15, 25, -15, -25, 1234, 0, -1, 100, 35, 45};
  static const int64_t tens[] = {0, 20, 20, -20, -20, 1230, 0, 0, 100, 40, 40};
  same(s, tme_round(s, integers(s, TME_I64, 11, x), -1), integers(s, TME_I64, 11, tens));
  same(s, tme_round(s, integers(s, TME_I16, 11, x), -1), integers(s, TME_I16, 11, tens));
  same(s, tme_round(s, integers(s, TME_I64, 11, x), 3), integers(s, TME_I64, 11, x));
  /* Beyond 2^53 exactly, and with a base that the dtype cannot hold. */
  static const int64_t large[] = {9007199254740995, INT64_MAX - 5, INT64_MIN + 3};
  same(s, tme_round(s, integers(s, TME_I64, 3, large), -1),
       integers(s, TME_I64, 3, (int64_t[]){9007199254741000, INT64_MAX - 7, INT64_MIN + 8}));
  same(s, tme_round(s, integers(s, TME_U8, 3, (int64_t[]){0, 200, 255}), -3),
       integers(s, TME_U8, 3, (int64_t[]){0, 0, 0}));
  assert_null(tme_round(s, integers(s, TME_I64, 1, x), -19));
  test_error(s, TME_ERR_ARGUMENT, "round: decimals is -19, expected at least -18 for int64");
  assert_null(tme_round(s, tme_boolean(s, true), 1));
  test_error(s, TME_ERR_DTYPE, "round: takes numbers, not bool");
  assert_null(tme_round(s, NULL, 1));
  test_error(s, TME_ERR_ARGUMENT, "round");
}

static void rounding(void **state) {
  (void)state;
  everywhere(decimals_of_floats);
  everywhere(decimals_of_integers);
}

static void one_bound(tme_scope *s) {
  static const double x[] = {-3, 0.5, 7, (double)NAN, -(double)INFINITY, (double)INFINITY};
  tme_array *v = floats(s, TME_F32, 6, x);
  same(s, tme_clip(s, v, NULL, tme_integer(s, 3)),
       floats(s, TME_F32, 6, (double[]){-3, 0.5, 3, (double)NAN, -(double)INFINITY, 3}));
  same(s, tme_clip(s, v, tme_integer(s, 0), NULL),
       floats(s, TME_F32, 6, (double[]){0, 0.5, 7, (double)NAN, 0, (double)INFINITY}));
  same(s, tme_clip(s, v, NULL, NULL), v);
  /* The bound promotes and broadcasts as both do. */
  tme_array *wide =
      tme_clip(s, integers(s, TME_I32, 3, (int64_t[]){1, 5, 9}), floats(s, TME_F64, 1, (double[]){2.5}), NULL);
  same(s, wide, floats(s, TME_F64, 3, (double[]){2.5, 5, 9}));
  assert_null(tme_clip(s, v, NULL, test_vector(s, 4, 0)));
  test_error(s, TME_ERR_SHAPE, "clip: shapes (6,) and (4,) do not broadcast");
  assert_null(tme_clip(s, tme_boolean(s, true), NULL, tme_boolean(s, true)));
  test_error(s, TME_ERR_DTYPE, "clip: takes real numbers, not bool, bool (together bool)");
  assert_null(tme_clip(s, NULL, NULL, v));
  test_error(s, TME_ERR_ARGUMENT, "clip: operand 'x' is NULL");
}

static void bounds(void **state) {
  (void)state;
  everywhere(one_bound);
}

static void extremes_of_booleans(tme_scope *s) {
  enum { ROWS = 3, COLUMNS = 1000 };
  uint8_t x[ROWS][COLUMNS] = {{0}};
  x[1][700] = x[1][701] = 1;
  memset(x[2], 1, COLUMNS);
  x[2][40] = 0;
  tme_array *a = tme_from(s, TME_BOOL, 2, (int64_t[]){ROWS, COLUMNS}, x);
  int last = 1;
  same(s, tme_max(s, a, &last, 1, false), tme_astype(s, integers(s, TME_I64, 3, (int64_t[]){0, 1, 1}), TME_BOOL));
  same(s, tme_min(s, a, &last, 1, false), tme_astype(s, integers(s, TME_I64, 3, (int64_t[]){0, 0, 0}), TME_BOOL));
  same(s, tme_argmax(s, a, &last, 1, false), integers(s, TME_I64, 3, (int64_t[]){0, 700, 0}));
  same(s, tme_argmin(s, a, &last, 1, false), integers(s, TME_I64, 3, (int64_t[]){0, 0, 40}));
  double v;
  assert_int_equal(tme_item(s, tme_max(s, a, NULL, TME_ALL, false), &v), TME_OK);
  assert_true(v == 1);
  assert_int_equal(tme_item(s, tme_argmax(s, a, NULL, TME_ALL, false), &v), TME_OK);
  assert_true(v == COLUMNS + 700);
  /* Behind a comparison, where it fuses. */
  tme_array *above = tme_greater(s, test_matrix(s, 4, 500, 0), tme_number(s, 1249));
  assert_int_equal(tme_item(s, tme_argmax(s, above, NULL, TME_ALL, false), &v), TME_OK);
  assert_true(v == 1250);
  int first = 0;
  assert_null(tme_max(s, tme_zeros(s, (int64_t[]){0, 2}, 2, TME_BOOL), &first, 1, false));
  test_error(s, TME_ERR_SHAPE, "max: axis 0 of shape (0, 2) has no elements");
}

static void booleans(void **state) {
  (void)state;
  everywhere(extremes_of_booleans);
}

int main(void) {
  setenv("TME_MLX_COMPILE", "0", 1); /* which would run a C++ compiler for every graph */
  const struct CMUnitTest tests[] = {cmocka_unit_test(rounding), cmocka_unit_test(bounds), cmocka_unit_test(booleans)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
