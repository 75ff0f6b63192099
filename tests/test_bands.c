/* Products as they are lowered: how columns are cut into bands, and which tiles, copies and tasks follow from a shape. */
#include "kernel/kernel.h"
#include "lower/cpu/pack.h"
#include "lower/cpu/target.h"
#include "lower/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const cpu_target target = {.base = CPU_LOWERING,
                                  .vector_bytes = 32,
                                  .registers = 16,
                                  .l1 = {1 << 15, 8},
                                  .l2 = {1 << 19, 8},
                                  .last_level = 1 << 23};

/* Every column is in a band, none is beyond the last; few that are to be balanced are an even number. */
static void test_columns(void **unused) {
  (void)unused;
  enum { LANES = 8, MOST = 700 };
  for (int64_t n = 1; n <= MOST; n++)
    for (int vectors = 1; vectors <= 4; vectors++)
      for (int balanced = 0; balanced < 2; balanced++) {
        bands parts[2];
        bool in[MOST] = {false};
        int64_t needed = ceil_div(n, LANES), wide = (vectors < needed ? vectors : needed) * LANES, threes = 0, twos = 0;
        bands_cut(n, wide, LANES, balanced, parts);
        for (int i = 0; i < 2; i++)
          for (int64_t band = 0; band < parts[i].count; band++)
            for (int64_t j = 0; j < parts[i].wide; j++) {
              int64_t column = parts[i].first + band * parts[i].wide + j;
              assert_in_range(column, 0, n - 1);
              in[column] = true;
            }
        for (int64_t j = 0; j < n; j++) assert_true(in[j]);
        assert_int_equal(parts[1].panel, parts[0].count);
        if (!balanced || wide != 3 * LANES || needed < 9 || needed > 48) continue;
        for (int i = 0; i < 2; i++) *(parts[i].wide == 3 * LANES ? &threes : &twos) += parts[i].count;
        assert_int_equal(3 * threes + 2 * twos, needed);
        assert_int_equal((threes + twos) % 2, 0);
      }
}

/* How a product of f32 is lowered: the highest panel, the widest band in vectors, buffers of a task's own (panels; sums that
 * wait), and whether all that is parallel is the batch. */
typedef struct lowered_product {
  int64_t batch, rows, k, columns;
  int64_t high, vectors;
  int scratches;
  bool by_batch;
} lowered_product;

static void test_forms(void **state) {
  (void)state;
  static const lowered_product products[] = {
      {1, 64, 64, 64, 6, 2, 0, false},    {1, 100, 100, 100, 4, 3, 0, false}, /* as it lies */
      {1, 32, 256, 256, 6, 2, 0, false},                                      /* bands of whole lines */
      {1, 256, 256, 256, 4, 3, 1, false}, {1, 200, 128, 128, 6, 2, 0, false}, /* panels, if they are tasks enough */
      {1, 128, 512, 512, 6, 2, 1, false}, {1, 128, 512, 520, 4, 3, 1, false}, /* high tiles for what is far */
      {1, 64, 512, 512, 4, 3, 2, false},  {1, 64, 256, 512, 4, 3, 1, false},  /* blocks where they hide copies */
      {1, 100, 100, 8, 12, 1, 0, false},                                      /* a narrow result */
      {64, 64, 64, 64, 6, 2, 0, true},    {31, 64, 64, 64, 6, 2, 0, false},   /* many matrices, */
      {64, 60, 64, 64, 6, 2, 0, false},                                       /* of several sections */
  };
  for (int i = 0; i < COUNT(products); i++) {
    const lowered_product *want = &products[i];
    int64_t b = want->batch, m = want->rows, inner = want->k, n = want->columns, high = 0, widest = 0;
    op_type tx = {.dtype = TME_F32, .rank = 3, .shape = {b, m, inner}},
            ty = {.dtype = TME_F32, .rank = 3, .shape = {b, inner, n}};
    error e = {0};
    graph *g = graph_new(1);
    assert_non_null(g);
    int x = graph_leaf(g, &tx, (int64_t[]){m * inner, inner, 1}, 0),
        y = graph_leaf(g, &ty, (int64_t[]){inner * n, n, 1}, 1);
    g->root[0] = graph_op(g, OP_matmul, (int[]){x, y}, 2, NULL);
    program *p = program_lower(g, &target.base, &e);
    if (!p) fail_msg("%s", e.text);
    const kernel *k = p->steps[p->nsteps - 1].kernel;
    int scratches = 0;
    bool by_batch = b > 1;
    for (int a = 0; a < k->naxes; a++) {
      const k_axis *axis = &k->axes[a];
      int64_t vectors = axis->flags & AXIS_VECTOR ? ceil_div(axis->extent, axis->width) : 0;
      if ((axis->flags & AXIS_UNROLL) && axis->extent > high) high = axis->extent;
      if (vectors > widest) widest = vectors;
      if ((axis->flags & AXIS_PARALLEL) && axis->extent > 1 && axis->extent != b) by_batch = false;
    }
    for (int a = 0; a < k->nbufs; a++) scratches += k->bufs[a].role == BUF_SCRATCH;
    bool same =
        high == want->high && widest == want->vectors && scratches == want->scratches && by_batch == want->by_batch;
    if (!same)
      fail_msg("%d x (%d x %d x %d): %d rows, %d vectors, %d buffers, by batch %d", (int)b, (int)m, (int)inner, (int)n,
               (int)high, (int)widest, scratches, by_batch);
    program_free(p);
    graph_free(g);
  }
}

/* The program says how each product is computed, and why. */
static void test_notes(void **state) {
  (void)state;
  static const struct {
    int64_t rows, k, columns;
    bool transposed;
    const char *how;
  } products[] = {{128, 128, 128, false, "where the right operand lies: "},
                  {128, 128, 128, true, "over panels that an earlier step packs: "},
                  {256, 256, 256, false, "over panels that every task packs: "},
                  {32, 1024, 4096, false, "over panels of blocks of rows that every task packs: "},
                  {1024, 1024, 1024, false, "over panels that an earlier step packs: "},
                  {1, 1024, 4096, false, "row by row: the right operand is all the work"},
                  {8, 4096, 4096, false, "row by row: so few rows"}};
  for (int i = 0; i < COUNT(products); i++) {
    int64_t m = products[i].rows, k = products[i].k, n = products[i].columns;
    op_type tx = {.dtype = TME_F32, .rank = 2, .shape = {m, k}}, ty = {.dtype = TME_F32, .rank = 2, .shape = {k, n}};
    int64_t by_rows[] = {n, 1}, by_columns[] = {1, k};
    char want[160];
    error e = {0};
    graph *g = graph_new(1);
    assert_non_null(g);
    int x = graph_leaf(g, &tx, (int64_t[]){k, 1}, 0);
    int y = graph_leaf(g, &ty, products[i].transposed ? by_columns : by_rows, 1);
    g->root[0] = graph_op(g, OP_matmul, (int[]){x, y}, 2, NULL);
    program *p = program_lower(g, &target.base, &e);
    if (!p) fail_msg("%s", e.text);
    snprintf(want, sizeof want, "%%2 matmul float32 (%d, %d) is computed %s", (int)m, (int)n, products[i].how);
    if (!strstr(p->notes.s, want)) fail_msg("not \"%s\" but \"%s\"", want, p->notes.s);
    program_free(p);
    graph_free(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns), cmocka_unit_test(test_forms),
                                     cmocka_unit_test(test_notes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
