/* Kernels of rows as they are lowered: what is fetched ahead. */
#include "compile/kernel.h"
#include "compile/kernel_util.h"
#include "compile/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const lower_target target = {
    .vector_bytes = 32, .registers = 16, .l1 = {1 << 15, 8}, .l2 = {1 << 19, 8}, .last_level = 1 << 23};

/* x / sum(x) over rows of so many elements, of a matrix of 256 rows. */
static program *lower_shares(int64_t length, bool turned) {
  enum { ROWS = 256 };
  op_type type = {.dtype = TME_F32, .rank = 2, .shape = {ROWS, length}};
  int64_t by_rows[] = {length, 1}, by_columns[] = {1, ROWS};
  op_attrs last = {.axes = 2, .has_axes = AXES_MASK, .i = {true}};
  error e = {0};
  graph *g = graph_new(1);
  assert_non_null(g);
  int x = graph_leaf(g, &type, turned ? by_columns : by_rows, 0);
  int sum = graph_op(g, OP_sum, (int[]){x}, 1, &last);
  g->root[0] = graph_op(g, OP_divide, (int[]){x, sum}, 2, NULL);
  program *p = program_lower(g, &target, &e);
  if (!p) fail_msg("%s", e.text);
  graph_free(g);
  assert_int_equal(p->nsteps, 1);
  return p;
}

/* Expects that a step fetches x so many elements after what it reads of it; 0: that it fetches nothing. */
static void expect_fetch(int64_t length, bool turned, int64_t ahead) {
  program *p = lower_shares(length, turned);
  const kernel *k = p->steps[0].kernel;
  int fetches = 0, reads = 0;
  for (int i = 0; i < k->ninst; i++) {
    if (k->inst[i].op != K_PREFETCH) continue;
    const k_access *next = &k->acc[k->inst[i].imm];
    fetches++;
    for (int j = 0; j < k->ninst; j++) {
      const k_access *read = &k->acc[k->inst[j].imm];
      if (k->inst[j].op != K_LOAD || read->buf != next->buf) continue;
      int64_t lo, hi, next_lo, next_hi;
      ix_range(k, read->ix, &lo, &hi);
      ix_range(k, next->ix, &next_lo, &next_hi);
      reads += next_lo - lo == ahead && next_hi - hi == ahead;
    }
  }
  assert_int_equal(fetches, ahead ? 1 : 0);
  assert_true(ahead ? reads > 0 : reads == 0);
  program_free(p);
}

static void test_next_row_is_fetched(void **state) {
  (void)state;
  expect_fetch(1024, false, 1024);
  expect_fetch(1000, false, 1000);
  expect_fetch(20000, false, 0); /* it would be gone before it is read */
  expect_fetch(1024, true, 0);   /* no row lies together */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_next_row_is_fetched)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
