/* Kernels of rows as they are lowered: what is fetched ahead, how many terms one accumulator takes. */
#include "kernel/kernel.h"
#include "kernel/kernel_util.h"
#include "lower/cpu/target.h"
#include "lower/program.h"
#include "ops/views.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const cpu_target target = {.base = CPU_LOWERING,
                                  .vector_bytes = 32,
                                  .registers = 16,
                                  .l1 = {1 << 15, 8},
                                  .l2 = {1 << 19, 8},
                                  .last_level = 1 << 23};

/* x / sum(x) over rows of so many elements, of a matrix of 256 rows. */
static program *lower_shares(int64_t length, bool transposed) {
  enum { ROWS = 256 };
  op_type type = {.dtype = TME_F32, .rank = 2, .shape = {ROWS, length}};
  int64_t by_rows[] = {length, 1}, by_columns[] = {1, ROWS};
  op_attrs last = {.reduce = {.axes = axes_from_mask(2), .keepdims = true}};
  error e = {0};
  graph *g = graph_new(1);
  assert_non_null(g);
  int x = graph_leaf(g, &type, transposed ? by_columns : by_rows, 0);
  int sum = graph_op(g, OP_sum, (int[]){x}, 1, &last);
  g->root[0] = graph_op(g, OP_divide, (int[]){x, sum}, 2, NULL);
  program *p = program_lower(g, &target.base, &e);
  if (!p) fail_msg("%s", e.text);
  graph_free(g);
  assert_int_equal(p->nsteps, 1);
  return p;
}

/* Expects that a step fetches x so many elements after what it reads of it; 0: that it fetches nothing. */
static void expect_fetch(int64_t length, bool transposed, int64_t ahead) {
  program *p = lower_shares(length, transposed);
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

/* What one accumulator of a kernel adds up, at most: iterations of the loops between it and an update. Of those that are
 * read in these loops, what they lose is kept apart. */
static double most_terms(const kernel *k) {
  double most = 0, n[64] = {1};
  int loops[64], depth = 0;
  for (int i = 0; i < k->ninst; i++) {
    const k_inst *in = &k->inst[i];
    if (in->op == K_END) depth--;
    if (in->op == K_LOOP) {
      const k_axis *a = &k->axes[in->a];
      int64_t extent = a->extent, lo, hi, from, at;
      if (a->first >= 0) {
        ix_range(k, a->limit, &lo, &hi);
        ix_range(k, a->first, &from, &at);
        extent = hi - at;
      }
      loops[depth++] = i;
      n[depth] = n[depth - 1] * (a->flags & AXIS_PARALLEL ? 1 : (double)ceil_div(extent, a->width * a->unroll));
    }
    if (in->op != K_UPDATE || k->inst[in->a].b != K_ADD) continue;
    int around = depth;
    while (around > 0 && loops[around - 1] > in->a) around--;
    bool carried = false;
    for (int j = around < depth ? loops[around] : i; j < i; j++) carried |= k->inst[j].op == K_READ;
    if (!carried && n[depth] / n[around] > most) most = n[depth] / n[around];
  }
  return most;
}

static void expect_blocks(tme_dtype t, int rank, const int64_t *shape, uint32_t axes) {
  op_type type = {.dtype = t, .rank = rank};
  memcpy(type.shape, shape, (size_t)rank * sizeof *shape);
  op_attrs a = {.reduce = {.axes = axes_from_mask(axes)}};
  int64_t strides[TME_MAX_RANK];
  error e = {0};
  graph *g = graph_new(1);
  assert_non_null(g);
  type_strides(&type, strides);
  g->root[0] = graph_op(g, OP_sum, (int[]){graph_leaf(g, &type, strides, 0)}, 1, &a);
  program *p = program_lower(g, &target.base, &e);
  if (!p) fail_msg("%s", e.text);
  for (int i = 0; i < p->nsteps; i++) {
    double n = most_terms(p->steps[i].kernel);
    if (n > 512) fail_msg("%s: an accumulator takes %g terms", p->steps[i].label, n);
  }
  program_free(p);
  graph_free(g);
}

static void test_no_accumulator_takes_many_terms(void **state) {
  (void)state;
  static const struct {
    int rank;
    int64_t shape[4];
    uint32_t axes;
  } cases[] = {
      {1, {100000000}, 1},        {1, {99999989}, 1},       {2, {20000000, 40}, 1},   {2, {40, 20000000}, 2},
      {2, {50000000, 2}, 1},      {2, {100003, 200}, 1},    {3, {100, 100000, 7}, 3}, {3, {9, 100000, 7}, 2},
      {3, {33, 5, 100003}, 6},    {3, {100003, 3, 100}, 3}, {3, {1000, 700, 51}, 3},  {4, {300, 33, 300, 7}, 5},
      {4, {300, 33, 300, 5}, 13}, {3, {100003, 40, 1}, 5},
  };
  static const tme_dtype dtypes[] = {TME_F32, TME_F64, TME_C64, TME_BF16};
  for (int i = 0; i < COUNT(cases); i++)
    for (int d = 0; d < COUNT(dtypes); d++) expect_blocks(dtypes[d], cases[i].rank, cases[i].shape, cases[i].axes);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_next_row_is_fetched),
                                     cmocka_unit_test(test_no_accumulator_takes_many_terms)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
