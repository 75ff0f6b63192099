/* Operands before pages that trap: what compiled code has read beyond them in the past. */
#include "support/engines.h"
#include "support/matrix.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static tme_engine *engine;

static int open_engine(void **state) {
  (void)state;
  engine = test_engine("cpu");
  return engine ? 0 : -1;
}

static int close_engine(void **state) {
  (void)state;
  tme_engine_free(engine);
  return 0;
}

static void expect_compiled(void) {
  tme_stats stats;
  tme_engine_stats(engine, &stats);
  if (tme_engine_has_jit(engine)) assert_int_equal(stats.fallbacks, 0);
}

static tme_array *wrapped(tme_scope *s, const operand *o) {
  return tme_wrap(s, o->dtype, o->rank, o->shape, o->strides, o->data, NULL, NULL);
}

/* A single number before a page that traps, which is only chosen or not: no instruction may read more than it. */
static void test_single_numbers(void **state) {
  (void)state;
  static const tme_dtype dtypes[] = {TME_F32, TME_F64, TME_F16, TME_I32, TME_BOOL};
  static const char zeros[8], one[8] = {1};
  for (int i = 0; i < COUNT(dtypes); i++) {
    operand x = {.dtype = dtypes[i]}, y = x;
    operand_copy(&x, zeros);
    operand_copy(&y, one);
    tme_scope *s = tme_scope_new(engine);
    tme_array *a = wrapped(s, &x), *b = wrapped(s, &y);
    tme_array *other = tme_not_equal(s, a, tme_astype(s, tme_number(s, 0), dtypes[i]));
    const char *first = tme_data(s, tme_where(s, other, b, a)), *second = tme_data(s, tme_where(s, other, a, b));
    if (!first || !second) fail_msg("%s: %s", tme_dtype_name(dtypes[i]), tme_error(s));
    assert_memory_equal(first, zeros, tme_dtype_size(dtypes[i]));
    assert_memory_equal(second, one, tme_dtype_size(dtypes[i]));
    tme_scope_free(s);
    operand_free(&x);
    operand_free(&y);
  }
  expect_compiled();
}

/* Rows of five beside lanes for 32 bytes: of four registers of 32-bit numbers but the first has lanes that are on, and only
 * while it is this half's turn. */
static void test_lanes_that_are_off(void **state) {
  (void)state;
  enum { PLANES = 4, HEIGHT = 5, WIDTH = 5, HALF = PLANES * HEIGHT * WIDTH };
  static int32_t numbers[HALF];
  static float others[HALF];
  for (int turn = 0; turn < 2; turn++) {
    operand x = {.dtype = TME_I32, .rank = 3, .shape = {PLANES, HEIGHT, WIDTH}}, y = x;
    y.dtype = TME_F32;
    numbers[HALF - 1] = 1;
    others[HALF - 1] = 1;
    operand_copy(&x, numbers);
    operand_copy(&y, others);
    tme_scope *s = tme_scope_new(engine);
    tme_array *parts[] = {tme_astype(s, wrapped(s, &x), TME_F32), wrapped(s, &y)};
    if (turn) parts[1] = tme_astype(s, wrapped(s, &x), TME_F32), parts[0] = wrapped(s, &y);
    tme_array *some = tme_any(s, tme_concatenate(s, parts, 2, 1), (int[]){0}, 1, false);
    const float *got = tme_data(s, tme_astype(s, some, TME_F32));
    if (!got) fail_msg("%s", tme_error(s));
    for (int i = 0; i < 2 * HEIGHT * WIDTH; i++) assert_true(got[i] == (i % (HEIGHT * WIDTH) == HEIGHT * WIDTH - 1));
    tme_scope_free(s);
    operand_free(&x);
    operand_free(&y);
  }
  expect_compiled();
}

/* Rows and columns around an operand, converted and summed: masks of which parts are known, wherever they come from. */
static void test_padded_sums(void **state) {
  (void)state;
  static const tme_dtype dtypes[] = {TME_F64, TME_I64, TME_F32, TME_I32, TME_BOOL};
  enum { MOST = 20 };
  uint64_t random = 92;
  for (int turn = 0; turn < 200; turn++) {
    tme_dtype t = dtypes[next_random(&random) % COUNT(dtypes)];
    operand x = {.dtype = t, .rank = 2, .lo = 0, .hi = 2};
    int64_t before[2], after[2];
    for (int d = 0; d < 2; d++) {
      x.shape[d] = 1 + (int64_t)(next_random(&random) % (d ? MOST : 4));
      before[d] = (int64_t)(next_random(&random) % 6);
      after[d] = (int64_t)(next_random(&random) % MOST);
    }
    operand_make(&x, next_random(&random), 0);
    double whole = 0, got = 0;
    for (int64_t i = 0; i < operand_size(&x); i++) {
      double v[2];
      element_value(t, operand_at(&x, i), v);
      whole += (float)v[0];
    }
    tme_scope *s = tme_scope_new(engine);
    tme_array *padded = tme_pad(s, tme_astype(s, wrapped(s, &x), TME_F32), before, after, 0, NULL);
    tme_array *rows = tme_sum(s, padded, (int[]){1 - turn % 2}, 1, false, TME_DTYPE_NONE);
    const float *sums = tme_data(s, rows);
    if (!sums) fail_msg("%s", tme_error(s));
    for (int64_t i = 0; i < tme_array_size(rows); i++) got += (double)sums[i];
    assert_true(fabs(got - whole) <= 1e-4 * (1 + whole));
    tme_scope_free(s);
    operand_free(&x);
  }
  expect_compiled();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_single_numbers), cmocka_unit_test(test_lanes_that_are_off),
                                     cmocka_unit_test(test_padded_sums)};
  return cmocka_run_group_tests(tests, open_engine, close_engine);
}
