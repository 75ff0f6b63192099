/* Long sums have the same bits whatever is fused with them, and however their operand lies in memory. */
#include "support/engines.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 1400000 };

static tme_engine *engine;
static float *data;

static int open_engine(void **state) {
  (void)state;
  engine = test_engine("cpu");
  data = malloc(MOST * sizeof *data);
  if (!engine || !data) return -1;
  uint32_t bits = 1;
  for (int i = 0; i < MOST; i++) {
    bits = bits * 1664525 + 1013904223;
    data[i] = (float)(bits >> 8) / (1 << 24) - 0.4F;
  }
  return 0;
}

static int close_engine(void **state) {
  (void)state;
  tme_engine_free(engine);
  free(data);
  return 0;
}

static const struct {
  int rank;
  int64_t shape[3];
  int naxes, axes[3];
} cases[] = {
    {1, {1400000}, 1, {0}},          {2, {35000, 40}, 1, {0}},      {2, {40, 35000}, 1, {1}},
    {2, {1999, 700}, 1, {0}},        {2, {2050, 600}, 1, {0}},      {3, {7, 20000, 10}, 1, {1}},
    {3, {100, 1400, 10}, 2, {0, 1}}, {3, {700, 35, 55}, 2, {0, 2}}, {2, {3, 400005}, 1, {1}},
    {3, {31, 70, 605}, 2, {0, 1}},
};

enum { FUSED, STORED, TURNED, RESHAPED, JOINED, WAYS };
static const char *const names[WAYS] = {"fused", "stored", "transposed", "reshaped", "joined"};

/* The operand of case k, made in one of several ways. */
static tme_array *operand_in(tme_scope *s, int k, int way, tme_dtype t) {
  int rank = cases[k].rank;
  int64_t shape[3] = {1, 1, 1}, n = 1;
  for (int d = 0; d < rank; d++) {
    shape[d] = cases[k].shape[d];
    n *= shape[d];
  }
  tme_array *x = tme_wrap(s, TME_F32, rank, shape, NULL, data, NULL, NULL);
  x = tme_astype(s, tme_multiply(s, x, tme_number(s, 1.25)), t);
  if (way == FUSED) return x;
  assert_int_equal(tme_eval(s, x), TME_OK);
  if (way == STORED) return x;
  if (way == TURNED || way == RESHAPED) { /* stored in another order, which is undone as it is read */
    if (way == RESHAPED) x = tme_reshape(s, x, (int64_t[]){n / shape[rank - 1] * 5, shape[rank - 1] / 5}, 2);
    x = tme_negative(s, tme_transpose(s, x, NULL, TME_ALL));
    assert_int_equal(tme_eval(s, x), TME_OK);
    x = tme_reshape(s, tme_transpose(s, x, NULL, TME_ALL), shape, rank);
    return tme_negative(s, x);
  }
  int64_t start[3] = {0}, half[3], step[3] = {1, 1, 1};
  memcpy(half, shape, sizeof half);
  half[0] = shape[0] / 2;
  tme_array *parts[2] = {tme_slice(s, x, start, half, step), NULL};
  start[0] = half[0];
  parts[1] = tme_slice(s, x, start, shape, step);
  return tme_concatenate(s, parts, 2, 0);
}

static void expect_same(int k, tme_dtype t, tme_array *(*reduce)(tme_scope *s, tme_array *x, int k)) {
  tme_scope *first = tme_scope_new(engine);
  tme_array *want = reduce(first, operand_in(first, k, FUSED, t), k);
  const void *a = tme_data(first, want);
  if (!a) fail_msg("%s", tme_error(first));
  for (int way = STORED; way < WAYS; way++) {
    tme_scope *s = tme_scope_new(engine);
    tme_array *got = reduce(s, operand_in(s, k, way, t), k);
    const void *b = tme_data(s, got);
    if (!b) fail_msg("%s", tme_error(s));
    if (memcmp(a, b, (size_t)tme_array_size(want) * (t == TME_F64 ? 8 : 4)) != 0)
      fail_msg("case %d of %s: other bits where the operand is %s", k, tme_dtype_name(t), names[way]);
    tme_scope_free(s);
  }
  tme_scope_free(first);
}

static tme_array *sum(tme_scope *s, tme_array *x, int k) {
  return tme_sum(s, x, cases[k].axes, cases[k].naxes, false, TME_DTYPE_NONE);
}

static tme_array *share(tme_scope *s, tme_array *x, int k) {
  return tme_divide(s, x, tme_sum(s, tme_exp(s, x), cases[k].axes, cases[k].naxes, true, TME_DTYPE_NONE));
}

static void test_sums(void **state) {
  (void)state;
  for (int k = 0; k < (int)(sizeof cases / sizeof *cases); k++) {
    expect_same(k, TME_F32, sum);
    expect_same(k, TME_F64, sum);
    expect_same(k, TME_F32, share);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums)};
  return cmocka_run_group_tests(tests, open_engine, close_engine);
}
