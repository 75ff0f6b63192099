/* Numbers without a dtype: what they take on where they meet arrays, what does not fit, comparisons, 64-bit integers whole,
 * integers where the precision has 16 bits. On every backend. */
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

static void everywhere(const char *precision, test_scope_fn *f) {
  for (int i = 0; i < BACKENDS; i++) {
    tme_options o;
    tme_options_init(&o);
    o.backend = backends[i];
    o.precision = precision;
    o.cache_dir = "";
    test_in_engine(tme_engine_new(&o), f);
  }
}

static void holds(tme_scope *s, tme_array *a, tme_dtype t, int64_t n, const void *want) {
  const void *got = tme_data(s, a);
  assert_string_equal(tme_error(s), "");
  assert_int_equal(tme_array_dtype(a), t);
  assert_int_equal(tme_array_size(a), n);
  assert_memory_equal(got, want, (size_t)n * tme_dtype_size(t));
}

/* "TFT" */
static void truths(tme_scope *s, tme_array *a, const char *want) {
  const char *got = tme_data(s, a);
  assert_string_equal(tme_error(s), "");
  assert_int_equal(tme_array_dtype(a), TME_BOOL);
  assert_int_equal(tme_array_size(a), strlen(want));
  for (size_t i = 0; want[i]; i++)
    if (got[i] != (want[i] == 'T')) fail_msg("element %zu is %d, expected %s", i, got[i], want);
}

static tme_array *bytes(tme_scope *s) {
  static const uint8_t v[] = {0, 44, 100, 200, 255};
  return tme_from(s, TME_U8, 1, (int64_t[]){5}, v);
}

static void comparisons_of(tme_scope *s) {
  tme_array *x = bytes(s), *big = tme_integer(s, 300), *low = tme_integer(s, -1);
  truths(s, tme_less(s, x, big), "TTTTT");
  truths(s, tme_greater(s, big, x), "TTTTT");
  truths(s, tme_greater_equal(s, x, big), "FFFFF");
  truths(s, tme_equal(s, x, tme_integer(s, 256)), "FFFFF");
  truths(s, tme_not_equal(s, tme_integer(s, 256), x), "TTTTT");
  truths(s, tme_less_equal(s, x, low), "FFFFF");
  truths(s, tme_less(s, low, x), "TTTTT");
  truths(s, tme_less(s, x, tme_number(s, 44.5)), "TTFFF");
  truths(s, tme_less_equal(s, x, tme_number(s, 43.5)), "TFFFF");
  truths(s, tme_greater_equal(s, x, tme_number(s, 100.5)), "FFFTT");
  truths(s, tme_greater(s, x, tme_number(s, 99.5)), "FFTTT");
  truths(s, tme_greater(s, tme_number(s, 44.5), x), "TTFFF");
  truths(s, tme_equal(s, x, tme_number(s, 44.5)), "FFFFF");
  truths(s, tme_equal(s, x, tme_number(s, 44)), "FTFFF");
  truths(s, tme_less(s, x, tme_number(s, (double)INFINITY)), "TTTTT");
  truths(s, tme_less(s, x, tme_number(s, (double)NAN)), "FFFFF");
  truths(s, tme_not_equal(s, x, tme_number(s, (double)NAN)), "TTTTT");
  int32_t ints[] = {INT32_MIN, -1, INT32_MAX};
  tme_array *i = tme_from(s, TME_I32, 1, (int64_t[]){3}, ints);
  truths(s, tme_less(s, i, tme_integer(s, 3000000000)), "TTT");
  truths(s, tme_greater(s, i, tme_integer(s, -2147483648)), "FTT");
  truths(s, tme_less(s, i, tme_unsigned(s, UINT64_MAX)), "TTT");
  int8_t small[] = {-128, 127};
  truths(s, tme_less(s, tme_from(s, TME_I8, 1, (int64_t[]){2}, small), tme_integer(s, 128)), "TT");
  uint8_t flags[] = {0, 1};
  tme_array *b = tme_from(s, TME_BOOL, 1, (int64_t[]){2}, flags);
  truths(s, tme_equal(s, b, tme_integer(s, 5)), "FF");
  truths(s, tme_less(s, b, tme_number(s, 0.3)), "TF");
  truths(s, tme_equal(s, b, tme_integer(s, 1)), "FT");
  int64_t edge[] = {INT64_MAX, INT64_MAX - 1};
  tme_array *e = tme_from(s, TME_I64, 1, (int64_t[]){2}, edge);
  truths(s, tme_less(s, e, tme_number(s, 0x1p63)), "TT");
  truths(s, tme_equal(s, e, tme_integer(s, INT64_MAX)), "TF");
  truths(s, tme_less(s, e, tme_unsigned(s, (uint64_t)1 << 63)), "TT");
  uint16_t halves[] = {0x3c00, 0x7c00}; /* 1, inf */
  tme_array *h = tme_from(s, TME_F16, 1, (int64_t[]){2}, halves);
  truths(s, tme_less(s, h, tme_integer(s, 100000)), "TF");
  truths(s, tme_equal(s, h, tme_integer(s, 100000)), "FF");
  truths(s, tme_less(s, tme_integer(s, INT64_MAX), tme_unsigned(s, (uint64_t)1 << 63)), "T");
  truths(s, tme_equal(s, tme_integer(s, 9007199254740993), tme_number(s, 9007199254740992.0)), "F");
  /* A list of numbers. */
  int64_t list[] = {300, 44, 2, -1, 255};
  tme_array *l = tme_untyped(s, tme_from(s, TME_I64, 1, (int64_t[]){5}, list));
  truths(s, tme_equal(s, x, l), "FTFFT");
  truths(s, tme_less(s, x, l), "TFFFF");
}

static void comparisons(void **state) {
  (void)state;
  everywhere("float32", comparisons_of);
  everywhere("float16", comparisons_of);
}

static void mixed_signs_of(tme_scope *s) {
  uint64_t u[] = {0, (uint64_t)1 << 63, UINT64_MAX, 9007199254740993};
  int64_t i[] = {-1, INT64_MIN, -1, 9007199254740992};
  tme_array *x = tme_from(s, TME_U64, 1, (int64_t[]){4}, u), *y = tme_from(s, TME_I64, 1, (int64_t[]){4}, i);
  truths(s, tme_equal(s, x, y), "FFFF");
  truths(s, tme_not_equal(s, y, x), "TTTT");
  truths(s, tme_less(s, x, y), "FFFF");
  truths(s, tme_less(s, y, x), "TTTT");
  truths(s, tme_greater(s, x, y), "TTTT");
  truths(s, tme_less_equal(s, y, x), "TTTT");
  truths(s, tme_greater_equal(s, y, x), "FFFF");
  truths(s, tme_equal(s, x, tme_from(s, TME_I64, 0, NULL, &(int64_t){9007199254740993})), "FFFT");
  truths(s, tme_less(s, tme_reshape(s, x, (int64_t[]){4, 1}, 2), tme_slice(s, y, (int64_t[]){3}, NULL, NULL)), "TFFF");
}

static void mixed_signs(void **state) {
  (void)state;
  everywhere("float32", mixed_signs_of);
}

static void misfits_of(tme_scope *s) {
  tme_array *x = bytes(s), *big = tme_integer(s, 300), *low = tme_integer(s, -5);
  tme_clip(s, x, tme_integer(s, 0), big);
  test_error(s, TME_ERR_ARGUMENT, "clip: 300 does not fit in uint8");
  tme_maximum(s, x, low);
  test_error(s, TME_ERR_ARGUMENT, "maximum: -5 does not fit in uint8");
  tme_where(s, tme_greater(s, x, tme_integer(s, 100)), x, low);
  test_error(s, TME_ERR_ARGUMENT, "where: -5 does not fit in uint8");
  tme_remainder(s, x, tme_integer(s, 256));
  test_error(s, TME_ERR_ARGUMENT, "remainder: 256 does not fit in uint8");
  tme_add(s, tme_from(s, TME_I64, 0, NULL, &(int64_t){1}), tme_unsigned(s, UINT64_MAX));
  test_error(s, TME_ERR_ARGUMENT, "add: 18446744073709551615 does not fit in int64");
  tme_multiply(s, tme_from(s, TME_F32, 0, NULL, &(float){1}), tme_number(s, 1e300));
  test_error(s, TME_ERR_ARGUMENT, "multiply: 1e+300 does not fit in float32");
  tme_pad(s, x, (int64_t[]){1}, (int64_t[]){1}, 300, NULL);
  test_error(s, TME_ERR_ARGUMENT, "pad: 300 does not fit in uint8");
  tme_full(s, (int64_t[]){2}, 1, -1, TME_U16);
  test_error(s, TME_ERR_ARGUMENT, "full: -1 does not fit in uint16");
  tme_full(s, (int64_t[]){2}, 1, 2.5, TME_I32);
  test_error(s, TME_ERR_ARGUMENT, "full: 2.5 does not fit in int32, which holds whole numbers alone");
  tme_full(s, (int64_t[]){2}, 1, (double)NAN, TME_I32);
  test_error(s, TME_ERR_ARGUMENT, "full: nan does not fit in int32");
  tme_full(s, (int64_t[]){2}, 1, 2, TME_BOOL);
  test_error(s, TME_ERR_ARGUMENT, "full: 2 does not fit in bool");
  tme_full(s, (int64_t[]){2}, 1, 1e6, TME_F16);
  test_error(s, TME_ERR_ARGUMENT, "full: 1e+06 does not fit in float16");
  tme_arange(s, 0, 257, 1, TME_U8);
  test_error(s, TME_ERR_ARGUMENT, "arange: 256 does not fit in uint8");
  tme_linspace(s, 0, 1e6, 3, true, TME_F16);
  test_error(s, TME_ERR_ARGUMENT, "linspace: 1e+06 does not fit in float16");
  int64_t list[] = {1, 2, 3, 4, 300};
  tme_array *l = tme_untyped(s, tme_from(s, TME_I64, 1, (int64_t[]){5}, list));
  tme_add(s, x, l);
  test_error(s, TME_ERR_ARGUMENT, "add: 300 does not fit in uint8");
  tme_add(s, x, tme_add(s, tme_integer(s, 200), tme_integer(s, 100)));
  test_error(s, TME_ERR_ARGUMENT, "add: 300 does not fit in uint8");
  tme_pow(s, x, tme_integer(s, -1));
  test_error(s, TME_ERR_ARGUMENT, "negative");
  /* What fits takes the dtype; whatever is not zero is true. */
  l = tme_untyped(s, tme_from(s, TME_I64, 1, (int64_t[]){4}, list));
  holds(s, tme_add(s, tme_slice(s, x, NULL, (int64_t[]){4}, NULL), l), TME_U8, 4, (uint8_t[]){1, 46, 103, 204});
  truths(s, tme_logical_and(s, x, big), "FTTTT");
  holds(s, tme_arange(s, 0, 256, 255, TME_U8), TME_U8, 2, (uint8_t[]){0, 255});
  holds(s, tme_astype(s, big, TME_U8), TME_U8, 1, (uint8_t[]){44});
}

static void misfits(void **state) {
  (void)state;
  everywhere("float32", misfits_of);
}

static tme_array *applied(tme_scope *s, const char *op, const tme_arg *args, int n) {
  tme_array *out = NULL;
  tme_apply(s, op, args, n, &out);
  return out;
}

static void whole_numbers_of(tme_scope *s) {
  const int64_t most = INT64_MAX, one = 1, two = 2;
  const tme_arg shape = {.kind = TME_ARG_INTS, .n = 1, .u.ints = &two}, edge = {.kind = TME_ARG_INT, .u.i = most};
  const tme_arg top = {.kind = TME_ARG_UINT, .u.u = UINT64_MAX},
                border = {.kind = TME_ARG_INTS, .n = 1, .u.ints = &one};
  tme_arg t = {.kind = TME_ARG_INT, .u.i = TME_I64};
  holds(s, applied(s, "full", (tme_arg[]){shape, edge, t}, 3), TME_I64, 2, (int64_t[]){most, most});
  holds(s,
        applied(s, "arange", (tme_arg[]){{.kind = TME_ARG_INT, .u.i = most - 3}, edge, {.kind = TME_ARG_INT, .u.i = 2}},
                3),
        TME_I64, 2, (int64_t[]){most - 3, most - 1});
  holds(s, applied(s, "arange", (tme_arg[]){{.kind = TME_ARG_UINT, .u.u = UINT64_MAX - 2}, top}, 2), TME_U64, 2,
        (uint64_t[]){UINT64_MAX - 2, UINT64_MAX - 1});
  tme_arg padded[] = {{.kind = TME_ARG_ARRAY, .u.array = tme_from(s, TME_I64, 1, &one, &one)}, border, border, edge};
  holds(s, applied(s, "pad", padded, 4), TME_I64, 3, (int64_t[]){most, 1, most});
  t.u.i = TME_U64;
  holds(s, applied(s, "full", (tme_arg[]){shape, top, t}, 3), TME_U64, 2, (uint64_t[]){UINT64_MAX, UINT64_MAX});
  holds(s, tme_unsigned(s, UINT64_MAX), TME_U64, 1, (uint64_t[]){UINT64_MAX});
  tme_array *x = tme_from(s, TME_U64, 1, &two, (uint64_t[]){0, 1});
  holds(s, tme_subtract(s, tme_unsigned(s, UINT64_MAX), x), TME_U64, 2, (uint64_t[]){UINT64_MAX, UINT64_MAX - 1});
  x = tme_from(s, TME_I64, 1, &two, (int64_t[]){0, 1});
  holds(s, tme_add(s, tme_integer(s, INT64_MIN), x), TME_I64, 2, (int64_t[]){INT64_MIN, INT64_MIN + 1});
}

static void whole_numbers(void **state) {
  (void)state;
  everywhere("float32", whole_numbers_of);
}

static void item_is(tme_scope *s, tme_array *a, const char *dtype, double want) {
  double v = 0;
  assert_int_equal(tme_item(s, a, &v), TME_OK);
  assert_string_equal(tme_dtype_name(tme_array_dtype(a)), dtype);
  if (!(fabs(v - want) <= fabs(want) / 128)) fail_msg("%.17g, expected %.17g", v, want);
}

static const char *half_name;

static void integers_of(tme_scope *s) {
  int32_t v[] = {100000, 100002};
  tme_array *x = tme_from(s, TME_I32, 1, (int64_t[]){2}, v),
            *million = tme_from(s, TME_I32, 0, NULL, &(int32_t){1000000});
  item_is(s, tme_divide(s, million, tme_integer(s, 1000)), half_name, 1000);
  item_is(s, tme_multiply(s, million, tme_number(s, 0.001)), half_name, 1000);
  item_is(s, tme_sqrt(s, million), half_name, 1000);
  item_is(s, tme_sqrt(s, tme_integer(s, 1000000)), half_name, 1000);
  item_is(s, tme_std(s, x, NULL, TME_ALL, 0, false), half_name, 1);
  item_is(s, tme_mean(s, tme_subtract(s, x, tme_integer(s, 100000)), NULL, TME_ALL, false, TME_DTYPE_NONE), half_name,
          1);
  item_is(s, tme_slice(s, tme_softmax(s, x, (int[]){-1}, 1), (int64_t[]){1}, NULL, NULL), half_name, 1 / (1 + exp(-2)));
  item_is(s, tme_log(s, tme_from(s, TME_I64, 0, NULL, &(int64_t){1000000000000})), half_name, log(1e12));
}

static void integers_and_16_bits(void **state) {
  (void)state;
  static const char *const halves[] = {"float16", "bfloat16"};
  for (int i = 0; i < 2; i++) {
    half_name = halves[i];
    everywhere(half_name, integers_of);
  }
}

/* With the option, what is computed from untyped values is untyped, in f64. */
static void untyped_arrays(void **state) {
  (void)state;
  tme_options o;
  tme_options_init(&o);
  o.precision = "float32";
  o.cache_dir = "";
  o.untyped = 1;
  tme_engine *e = tme_engine_new(&o);
  tme_scope *s = tme_scope_new(e);
  tme_array *two = tme_integer(s, 2), *root = tme_sqrt(s, two);
  tme_array *many = tme_multiply(s, tme_full(s, (int64_t[]){2}, 1, 0.7, TME_DTYPE_NONE), root);
  assert_true(tme_is_untyped(root) && tme_is_untyped(many));
  assert_false(tme_is_untyped(tme_full(s, (int64_t[]){2}, 1, 0.7, TME_F32)));
  double v = 0;
  assert_int_equal(tme_item(s, root, &v), TME_OK);
  assert_true(v == sqrt(2));
  double d[] = {1, 2};
  tme_array *x = tme_from(s, TME_F64, 1, (int64_t[]){2}, d), *f = tme_astype(s, x, TME_F32);
  holds(s, tme_add(s, x, many), TME_F64, 2, (double[]){1 + 0.7 * sqrt(2), 2 + 0.7 * sqrt(2)});
  assert_int_equal(tme_array_dtype(tme_add(s, f, many)), TME_F32);
  assert_int_equal(tme_array_dtype(tme_where(s, tme_greater(s, f, two), root, tme_number(s, 1))), TME_F64);
  item_is(s, tme_pow(s, two, tme_integer(s, -1)), "float64", 0.5);
  tme_scope_free(s);
  tme_engine_free(e);
}

int main(void) {
  setenv("TME_MLX_COMPILE", "0", 1); /* a compiler's run for each of many small graphs */
  const struct CMUnitTest tests[] = {cmocka_unit_test(comparisons),    cmocka_unit_test(mixed_signs),
                                     cmocka_unit_test(misfits),        cmocka_unit_test(whole_numbers),
                                     cmocka_unit_test(untyped_arrays), cmocka_unit_test(integers_and_16_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
