/* Sorting and what decides its results' sizes: allocations that fail one after the other; values not known yet; every number of
 * threads. The tests of Python compare with NumPy. */
#include "base/base.h"
#include "support/engines.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { N = 40 };

/* All of them at once: false if an answer is wrong; an error is an answer. */
static bool scenario(tme_engine *e, bool *failed) {
  tme_scope *s = tme_scope_new(e);
  *failed = !s;
  if (!s) return true;
  float v[N];
  int32_t whole[N];
  for (int i = 0; i < N; i++) {
    v[i] = (float)((i * 7) % 10) - 4;
    whole[i] = (i * 3) % 8;
  }
  const int64_t n = N;
  tme_array *x = tme_from(s, TME_F32, 1, &n, v), *k = tme_from(s, TME_I32, 1, &n, whole), *top[2], *all[4], *h[2];
  tme_topk(s, x, 3, 0, true, top);
  tme_unique_all(s, x, -1, all);
  tme_histogram(s, x, 5, NULL, NAN, NAN, false, x, h);
  tme_array *sums[] = {tme_sort(s, x, 0, true),
                       tme_argsort(s, x, 0, false),
                       top[0],
                       top[1],
                       all[0],
                       all[1],
                       all[2],
                       all[3],
                       tme_setxor1d(s, x, k, -1),
                       tme_bincount(s, k, x, 0, -1),
                       h[0],
                       tme_searchsorted(s, all[0], x, "left", NULL),
                       tme_median(s, x, NULL, TME_ALL, false),
                       tme_flatnonzero(s, x, -1)};
  static const double want[] = {20, 780, 15, 51, 5, 45, 180, 40, 3, 20, 20, 180, 0.5, 712};
  for (int i = 0; i < COUNT(sums); i++) sums[i] = tme_sum(s, sums[i], NULL, TME_ALL, false, TME_DTYPE_NONE);
  bool ok = test_scalars(s, sums, want, COUNT(sums), failed);
  tme_scope_free(s);
  return ok;
}

static void one_allocation_fails(void **state) {
  (void)state;
  long live = mem_live();
  tme_engine *e = test_engine("nojit");
  test_each_allocation_fails(e, scenario);
  tme_engine_free(e);
  assert_int_equal(mem_live(), live);
}

static void sizes_of_values_not_known(void **state) {
  (void)state;
  tme_engine *e = test_engine("nojit");
  tme_scope *s = tme_scope_new(e);
  const int64_t n = 4;
  tme_array *in = tme_input(s, TME_I64, 1, &n), *all[4], *out;
  assert_null(tme_unique_values(s, in, -1));
  assert_int_equal(tme_error_code(s), TME_ERR_NO_VALUE);
  assert_non_null(strstr(tme_error(s), "give size"));
  tme_clear_error(s);
  assert_int_equal(tme_unique_all(s, in, 3, all), TME_OK);
  tme_array *sum = tme_sum(s, tme_multiply(s, all[0], all[3]), NULL, TME_ALL, false, TME_DTYPE_NONE);
  tme_function *f = tme_compile(s, &in, 1, &sum, 1);
  tme_array *x = tme_from(s, TME_I64, 1, &n, (int64_t[]){5, 2, 5, 9});
  assert_int_equal(tme_call(s, f, &x, 1, &out), TME_OK);
  double v;
  assert_int_equal(tme_item(s, out, &v), TME_OK);
  assert_true(v == 21);
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* Lines long enough for every thread, keys of both widths. */
static void threads_change_nothing(void **state) {
  (void)state;
  enum { MANY = 200000, KINDS = 4 };
  static const tme_dtype kinds[KINDS] = {TME_F32, TME_I64, TME_F16, TME_C64};
  static uint32_t bits[2 * MANY];
  uint32_t v = 1;
  for (int i = 0; i < 2 * MANY; i++) bits[i] = v = v * 1664525 + 1013904223;
  tme_engine *one = test_engine("nojit"), *two;
  tme_options o;
  tme_options_init(&o);
  o.backend = "nojit";
  o.threads = 5;
  two = tme_engine_new(&o);
  for (int k = 0; k < KINDS; k++) {
    tme_engine *engines[] = {one, two};
    tme_scope *s[2];
    const void *data[2][3];
    const int64_t n = MANY;
    for (int i = 0; i < 2; i++) {
      s[i] = tme_scope_new(engines[i]);
      tme_array *x = tme_from(s[i], kinds[k], 1, &n, bits), *top[2] = {NULL};
      tme_array *places = tme_argsort(s[i], x, 0, false);
      data[i][0] = tme_data(s[i], tme_take(s[i], tme_from(s[i], TME_I64, 1, &n, tme_data(s[i], places)), places, 0));
      data[i][1] = tme_data(s[i], tme_sort(s[i], x, 0, true));
      data[i][2] = data[i][0];
      if (kinds[k] != TME_C64 && tme_topk(s[i], x, 500, 0, true, top) == TME_OK) data[i][2] = tme_data(s[i], top[1]);
    }
    for (int d = 0; d < 3; d++) assert_true(data[0][d] && data[1][d]);
    assert_memory_equal(data[0][0], data[1][0], MANY * sizeof(int64_t));
    assert_memory_equal(data[0][1], data[1][1], MANY * tme_dtype_size(kinds[k]));
    assert_memory_equal(data[0][2], data[1][2], 500 * sizeof(int64_t));
    for (int i = 0; i < 2; i++) tme_scope_free(s[i]);
  }
  tme_engine_free(one);
  tme_engine_free(two);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_allocation_fails),
                                     cmocka_unit_test(sizes_of_values_not_known),
                                     cmocka_unit_test(threads_change_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
