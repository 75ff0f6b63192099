/* Every operation x dtype x layout on every backend against the reference. TME_MATRIX_OP=name runs one row alone.
 * ctest: timeout=1500 */
#include "support/matrix.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_matrix(void **state) {
  (void)state;
  assert_int_equal(matrix_run(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrix)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
