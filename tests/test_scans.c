/* ctest: concurrency
 * Scans: allocations that fail one after the other, and every number of threads. The tests of Python compare with NumPy. */
#include "base/base.h"
#include "support/engines.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { LONG = 40000 };

static tme_engine *engine_with(int threads) {
  tme_options o;
  tme_options_init(&o);
  o.backend = "nojit";
  o.threads = threads;
  return tme_engine_new(&o);
}

/* A long vector, whose chunks are spread over threads, a transposed matrix taken as one row, differences and their integral: false
 * if an answer is wrong; an error is an answer. */
static bool scenario(tme_engine *e, bool *failed) {
  tme_scope *s = tme_scope_new(e);
  *failed = !s;
  if (!s) return true;
  const int64_t n = LONG, matrix[] = {2, 3};
  static float ones[LONG];
  static const int32_t whole[] = {1, 2, 3, 4, 5, 6};
  for (int i = 0; i < LONG; i++) ones[i] = 1;
  tme_array *x = tme_from(s, TME_F32, 1, &n, ones),
            *m = tme_transpose(s, tme_from(s, TME_I32, 2, matrix, whole), NULL, TME_ALL);
  tme_array *sums = tme_cumsum(s, x, NULL, TME_ALL, TME_DTYPE_NONE, false, true);
  tme_array *results[] = {
      tme_max(s, sums, NULL, TME_ALL, false),
      tme_sum(s, tme_cummax(s, m, NULL, TME_ALL, false, true), NULL, TME_ALL, false, TME_DTYPE_NONE),
      tme_sum(s, tme_diff(s, sums, 1, -1, NULL, NULL), NULL, TME_ALL, false, TME_DTYPE_NONE),
      tme_trapezoid(s, x, NULL, 0.5, 0), tme_nansum(s, x, NULL, TME_ALL, false)};
  static const double want[] = {LONG, 1 + 4 + 4 + 5 + 5 + 6, LONG - 1, 0.5 * (LONG - 1), LONG};
  bool ok = test_scalars(s, results, want, COUNT(results), failed);
  tme_scope_free(s);
  return ok;
}

static void one_allocation_fails(void **state) {
  (void)state;
  long live = mem_live();
  tme_engine *e = engine_with(3);
  test_each_allocation_fails(e, scenario);
  tme_engine_free(e);
  assert_int_equal(mem_live(), live);
}

/* Few long rows and many short ones, along either axis. */
static void threads_change_nothing(void **state) {
  (void)state;
  static const int64_t shapes[][2] = {{1, LONG}, {LONG, 1}, {3, 10000}, {10000, 3}, {200, 190}};
  static double v[LONG];
  uint32_t seed = 7;
  for (int i = 0; i < LONG; i++) v[i] = (double)(seed = seed * 1664525 + 1013904223) * 0x1p-32 - 0.4;
  tme_engine *engines[] = {engine_with(1), engine_with(2), engine_with(5)};
  for (int k = 0; k < COUNT(shapes); k++)
    for (int axis = 0; axis < 2; axis++) {
      tme_scope *s[COUNT(engines)];
      const void *data[COUNT(engines)][2];
      for (int i = 0; i < COUNT(engines); i++) {
        s[i] = tme_scope_new(engines[i]);
        tme_array *x = tme_from(s[i], TME_F64, 2, shapes[k], v);
        data[i][0] = tme_data(s[i], tme_cumsum(s[i], x, &axis, 1, TME_DTYPE_NONE, axis, true));
        data[i][1] = tme_data(s[i], tme_logcumsumexp(s[i], x, &axis, 1, false, axis));
        for (int d = 0; d < 2; d++) {
          assert_non_null(data[i][d]);
          assert_memory_equal(data[0][d], data[i][d], (size_t)(shapes[k][0] * shapes[k][1]) * sizeof *v);
        }
      }
      for (int i = 0; i < COUNT(engines); i++) tme_scope_free(s[i]);
    }
  for (int i = 0; i < COUNT(engines); i++) tme_engine_free(engines[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_allocation_fails), cmocka_unit_test(threads_change_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
