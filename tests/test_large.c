/* Arrays of more than 2^31 elements: counts, indices and offsets have 64 bits everywhere. In the full share alone: some
 * seconds and 5 GB.
 * ctest: serial timeout=300 */
#include "support/engines.h"
#include "support/matrix.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static const int64_t n = ((int64_t)1 << 31) + 77;

static bool has_memory(void) {
  long pages = sysconf(_SC_AVPHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  return pages > 0 && (double)pages * (double)size > 8e9;
}

static void beyond_31_bits(void **state) {
  (void)state;
  if (matrix_share() != SHARE_FULL || sanitized() || !has_memory()) skip();
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  uint8_t *data = mmap(NULL, (size_t)n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  assert_true(data != MAP_FAILED);
  data[7] = 3;
  data[n - 5] = 9;
  data[n - 1] = 4;
  tme_array *x = tme_wrap(s, TME_U8, 1, &n, NULL, data, NULL, NULL), *all[5];
  int64_t far_index[] = {n - 5, 7, n - 1, 11}, shape[] = {2, 4}, start = n - 6, stop = TME_NONE;
  tme_array *where = tme_from(s, TME_I64, 1, (int64_t[]){4}, far_index);
  all[0] = tme_sum(s, x, NULL, TME_ALL, false, TME_DTYPE_NONE);
  all[1] = tme_argmax(s, x, NULL, TME_ALL, false);
  all[2] = tme_take(s, x, where, 0);
  all[3] = tme_slice(s, x, &start, &stop, (int64_t[]){1});
  all[4] = tme_reshape(s, tme_slice(s, tme_flip(s, x, NULL, TME_ALL), (int64_t[]){0}, (int64_t[]){8}, &(int64_t){1}),
                       shape, 2);
  assert_int_equal(tme_eval_all(s, all, 5), TME_OK);
  assert_int_equal(*(const uint64_t *)tme_data(s, all[0]), 16);
  assert_int_equal(*(const int64_t *)tme_data(s, all[1]), n - 5);
  assert_memory_equal(tme_data(s, all[2]), ((uint8_t[]){9, 3, 4, 0}), 4);
  assert_memory_equal(tme_data(s, all[3]), ((uint8_t[]){0, 9, 0, 0, 0, 4}), 6);
  assert_memory_equal(tme_data(s, all[4]), ((uint8_t[]){4, 0, 0, 0, 9, 0, 0, 0}), 8);
  tme_array *y = tme_add(s, tme_multiply(s, x, tme_integer(s, 2)), tme_integer(s, 1));
  const uint8_t *got = tme_data(s, y);
  if (!got) fail_msg("%s", tme_error(s));
  assert_int_equal(got[7], 7);
  assert_int_equal(got[8], 1);
  assert_int_equal(got[n / 2], 1);
  assert_int_equal(got[n - 5], 19);
  assert_int_equal(got[n - 2], 1);
  assert_int_equal(got[n - 1], 9);
  tme_stats stats;
  tme_engine_stats(e, &stats);
  if (tme_engine_has_jit(e)) assert_int_equal(stats.fallbacks, 0);
  tme_scope_free(s);
  tme_engine_free(e);
  munmap(data, (size_t)n);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(beyond_31_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
