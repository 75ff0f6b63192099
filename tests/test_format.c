/* Arrays as text: styles, what is left out, lines, options that make no sense, no memory. */
#include "base/base.h"
#include "support/engines.h"
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static tme_format style(tme_format_style s) {
  tme_format f;
  tme_format_init(&f, s);
  return f;
}

static void is(tme_scope *s, tme_array *a, const tme_format *how, const char *want) {
  char *got = tme_format_array(s, a, how);
  assert_string_equal(tme_error(s), "");
  assert_string_equal(got, want);
  tme_string_free(got);
}

static tme_array *doubles(tme_scope *s, int rank, const int64_t *shape, const double *v) {
  return tme_from(s, TME_F64, rank, shape, v);
}

static void test_columns(void **state) {
  tme_scope *s = tme_scope_new(*state);
  const int64_t two[] = {2, 2}, four[] = {4};
  tme_array *x = doubles(s, 2, two, (double[]){1, 2.5, -0.125, 3});
  is(s, x, NULL, "[[ 1.     2.5  ]\n [-0.125  3.   ]]");
  is(s, tme_transpose(s, x, NULL, TME_ALL), NULL, "[[ 1.    -0.125]\n [ 2.5    3.   ]]");
  is(s, doubles(s, 1, four, (double[]){1e10, 1, (double)NAN, (double)-INFINITY}), NULL, "[1e+10 1e+00   nan  -inf]");
  is(s, tme_integer(s, -7), NULL, "-7");
  is(s, tme_number(s, 0.1), NULL, "0.1");
  is(s, tme_from(s, TME_BOOL, 1, four, (bool[]){true, false, true, true}), NULL, "[ True False  True  True]");
  is(s, tme_from(s, TME_C64, 1, two, (float[]){1, -2, 0.5f, 0}), NULL, "[ 1.-2.j 0.5+0.j]");
  is(s, tme_from(s, TME_U64, 1, two, (uint64_t[]){UINT64_MAX, 0}), NULL, "[18446744073709551615                    0]");
  is(s, tme_from(s, TME_F32, 2, (int64_t[]){2, 0}, NULL), NULL, "[[]\n []]");
  tme_scope_free(s);
}

static void test_numpy(void **state) {
  tme_scope *s = tme_scope_new(*state);
  tme_format f = style(TME_FORMAT_NUMPY);
  const int64_t two[] = {2, 2}, three[] = {3};
  f.separator = ", ";
  f.indent = 6;
  is(s, doubles(s, 2, two, (double[]){1, 2, 3, 4}), &f, "[[1., 2.],\n       [3., 4.]]");
  f.indent = 0;
  is(s, doubles(s, 1, three, (double[]){1e-7, 1, -1234.5}), &f, "[ 1.0000e-07,  1.0000e+00, -1.2345e+03]");
  f.suppress = true;
  is(s, doubles(s, 1, three, (double[]){1e-7, 1, -1234.5}), &f, "[    0.0000001,     1.       , -1234.5      ]");
  f.precision = 3;
  is(s, doubles(s, 1, three, (double[]){1e-7, 1, -1234.5678}), &f, "[    0.   ,     1.   , -1234.568]");
  f = style(TME_FORMAT_NUMPY);
  is(s, tme_from(s, TME_C128, 1, two, (double[]){1, -2, 0.5, (double)NAN}), &f, "[1.  -2.j 0.5+nanj]");
  is(s, tme_from(s, TME_BOOL, 1, two, (bool[]){true, true}), &f, "[ True  True]");
  is(s, tme_from(s, TME_F32, 2, (int64_t[]){2, 0}, NULL), &f, "[]");
  is(s, tme_astype(s, doubles(s, 1, three, (double[]){0.1, 999, 0x1p-6}), TME_F16), &f,
     "[9.998e-02 9.990e+02 1.563e-02]");
  is(s, tme_number(s, 2), &f, "2.");
  tme_scope_free(s);
}

static void test_json(void **state) {
  tme_scope *s = tme_scope_new(*state);
  tme_format f = style(TME_FORMAT_JSON);
  const int64_t two[] = {2, 2}, four[] = {4};
  is(s, doubles(s, 2, two, (double[]){1, 0.1, (double)NAN, (double)INFINITY}), &f, "[[1.0, 0.1], [\"nan\", \"inf\"]]");
  is(s, tme_from(s, TME_C64, 1, two, (float[]){1, -2, 0.5f, 0}), &f, "[[1.0, -2.0], [0.5, 0.0]]");
  is(s, tme_from(s, TME_BOOL, 1, two, (bool[]){true, false}), &f, "[true, false]");
  f.threshold = 3, f.edge_items = 1;
  is(s, tme_from(s, TME_I8, 1, four, (int8_t[]){1, 2, 3, -4}), &f, "[1, \"...\", -4]");
  tme_scope_free(s);
}

static void test_left_out(void **state) {
  tme_scope *s = tme_scope_new(*state);
  tme_array *n = tme_arange(s, 0, 1000000, 1, TME_I64);
  is(s, n, NULL, "[     0      1      2 ... 999997 999998 999999]");
  tme_format f = style(TME_FORMAT_NUMPY);
  f.edge_items = 1;
  is(s, tme_reshape(s, n, (int64_t[]){10, 100, 1000}, 3), &f,
     "[[[     0 ...    999]\n  ...\n  [ 99000 ...  99999]]\n\n ...\n\n [[900000 ... 900999]\n  ...\n  [999000 ... 999999]]]");
  f.edge_items = INT64_MAX;
  is(s, tme_slice(s, n, (int64_t[]){0}, (int64_t[]){2}, (int64_t[]){1}), &f, "[0 1]");
  f.edge_items = 0;
  is(s, n, &f, "[...]");
  f.threshold = -1;
  is(s, tme_from(s, TME_U8, 2, (int64_t[]){2, 0}, NULL), &f, "[]");
  tme_scope_free(s);
}

/* No line is longer than it may be. */
static void test_lines(void **state) {
  tme_scope *s = tme_scope_new(*state);
  tme_array *x = tme_divide(s, tme_arange(s, 0, 60, 1, TME_F64), tme_number(s, 7));
  for (int width = 0; width < 130; width += 5) {
    for (int k = TME_FORMAT_COLUMNS; k <= TME_FORMAT_NUMPY; k++) {
      tme_format f = style((tme_format_style)k);
      f.line_width = width;
      char *got = tme_format_array(s, x, &f);
      assert_non_null(got);
      int breaks = 0;
      for (char *at = got, *end; *at; at = end + (*end != 0)) {
        end = at + strcspn(at, "\n");
        breaks += *end != 0;
        bool bracket = k == TME_FORMAT_COLUMNS && end[-1] == ']'; /* may stand beyond */
        assert_true(end - at <= width + bracket || width < 12);
      }
      assert_int_equal(width == 0 ? 59 : breaks, breaks);
      tme_string_free(got);
    }
  }
  tme_scope_free(s);
}

static void test_refused(void **state) {
  tme_scope *s = tme_scope_new(*state);
  tme_array *x = test_vector(s, 4, 1);
  tme_format good = style(TME_FORMAT_NUMPY), f;
  assert_null(tme_format_array(NULL, x, &good));
  assert_null(tme_format_array(s, NULL, &good));
  test_error(s, TME_ERR_ARGUMENT, "format: the array is NULL");
#define REFUSED(field, value, words)                                                                                   \
  f = good;                                                                                                            \
  f.field = value;                                                                                                     \
  assert_null(tme_format_array(s, x, &f));                                                                             \
  test_error(s, TME_ERR_ARGUMENT, words)
  REFUSED(struct_size, 0, "not initialised by tme_format_init");
  REFUSED(style, (tme_format_style)7, "no style 7");
  REFUSED(style, (tme_format_style)-1, "no style -1");
  REFUSED(precision, -1, "a precision of -1 digits");
  REFUSED(edge_items, -1, "-1 elements at the edges");
  REFUSED(line_width, -5, "lines of -5 columns");
  REFUSED(indent, -1, "indented by -1 columns");
  REFUSED(indent, INT32_MAX, "indented by 2147483647 columns");
  REFUSED(reserve, INT32_MAX, "2147483647 kept behind");
  REFUSED(separator, NULL, "the separator is NULL");
  assert_null(tme_format_array(s, tme_input(s, TME_F32, 1, (int64_t[]){3}), NULL));
  test_error(s, TME_ERR_NO_VALUE, "");
  tme_scope_free(s);
}

static void test_large_options(void **state) {
  tme_scope *s = tme_scope_new(*state);
  tme_format f = style(TME_FORMAT_NUMPY);
  f.precision = f.line_width = INT32_MAX;
  f.threshold = INT64_MAX;
  f.suppress = true;
  tme_array *x = doubles(s, 1, (int64_t[]){2}, (double[]){5e-324, 99999999});
  char *got = tme_format_array(s, x, &f);
  assert_string_equal(tme_error(s), "");
  assert_int_equal(strlen(got), 1 + 8 + 1 + 324 + 1 + 8 + 1 + 324 + 1);
  tme_string_free(got);
  f.reserve = f.indent = 1 << 16;
  f.line_width = 0;
  is(s, tme_integer(s, 1), &f, "1");
  f = style(TME_FORMAT_COLUMNS);
  f.precision = 0;
  is(s, doubles(s, 1, (int64_t[]){2}, (double[]){0.25, 1.75}), &f, "[0. 2.]");
  /* A structure of an older header ends earlier: the rest has its defaults. */
  f.struct_size = offsetof(tme_format, precision);
  is(s, doubles(s, 1, (int64_t[]){2}, (double[]){0.25, 1.75}), &f, "[0.25 1.75]");
  tme_scope_free(s);
}

static void test_no_memory(void **state) {
  tme_scope *s = tme_scope_new(*state);
  tme_array *x = test_matrix(s, 20, 20, 0.25f);
  assert_int_equal(tme_eval(s, x), TME_OK);
  long live = mem_live();
  for (int k = 1;; k++) {
    mem_fail_at(k, false);
    char *got = tme_format_array(s, x, NULL);
    mem_fail_at(0, false);
    if (got) {
      assert_true(k > 2);
      tme_string_free(got);
      break;
    }
    test_error(s, TME_ERR_MEMORY, "out of memory");
    assert_int_equal(mem_live(), live);
  }
  assert_int_equal(mem_live(), live);
  tme_scope_free(s);
}

/* Points, whatever the language of the process says. */
static void test_language(void **state) {
  if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8")) skip();
  tme_scope *s = tme_scope_new(*state);
  is(s, tme_number(s, 0.5), NULL, "0.5");
  setlocale(LC_NUMERIC, "C");
  tme_scope_free(s);
}

static int setup(void **state) {
  *state = test_engine("auto");
  return *state ? 0 : -1;
}

static int teardown(void **state) {
  tme_engine_free(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_columns),   cmocka_unit_test(test_numpy),         cmocka_unit_test(test_json),
      cmocka_unit_test(test_left_out),  cmocka_unit_test(test_lines),         cmocka_unit_test(test_refused),
      cmocka_unit_test(test_no_memory), cmocka_unit_test(test_large_options), cmocka_unit_test(test_language),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
