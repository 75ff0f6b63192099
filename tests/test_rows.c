/* How rows and columns are lowered: what is fetched ahead, how columns are cut into bands. */
#include "compile/kernel.h"
#include "compile/kernel_util.h"
#include "compile/lower.h"
#include "compile/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
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

/* Every column is in a band, none is beyond the last; few that are shared are an even number. */
static void test_columns(void **unused) {
  (void)unused;
  enum { LANES = 8, MOST = 700 };
  for (int64_t n = 1; n <= MOST; n++)
    for (int vectors = 1; vectors <= 4; vectors++)
      for (int shared = 0; shared < 2; shared++) {
        columns parts[2];
        bool in[MOST] = {false};
        int64_t needed = ceil_div(n, LANES), wide = (vectors < needed ? vectors : needed) * LANES, threes = 0, twos = 0;
        columns_cut(n, wide, LANES, shared, parts);
        for (int i = 0; i < 2; i++)
          for (int64_t band = 0; band < parts[i].count; band++)
            for (int64_t j = 0; j < parts[i].wide; j++) {
              int64_t column = parts[i].first + band * parts[i].wide + j;
              assert_in_range(column, 0, n - 1);
              in[column] = true;
            }
        for (int64_t j = 0; j < n; j++) assert_true(in[j]);
        assert_int_equal(parts[1].panel, parts[0].count);
        if (!shared || wide != 3 * LANES || needed < 9 || needed > 48) continue;
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
    int64_t b = want->batch;
    int rank = b > 1 ? 3 : 2;
    op_type tx = {.dtype = TME_F32, .rank = rank, .shape = {b, want->rows, want->k}}, ty = tx;
    ty.shape[1] = want->k;
    ty.shape[2] = want->columns;
    int64_t sx[] = {want->rows * want->k, want->k, 1}, sy[] = {want->k * want->columns, want->columns, 1};
    int drop = 3 - rank;
    for (int d = 0; d < rank; d++) {
      tx.shape[d] = tx.shape[d + drop];
      ty.shape[d] = ty.shape[d + drop];
    }
    error e = {0};
    graph *g = graph_new(1);
    assert_non_null(g);
    int x = graph_leaf(g, &tx, sx + drop, 0), y = graph_leaf(g, &ty, sy + drop, 1);
    g->root[0] = graph_op(g, OP_matmul, (int[]){x, y}, 2, NULL);
    program *p = program_lower(g, &target, &e);
    if (!p) fail_msg("%s", e.text);
    const kernel *k = p->steps[p->nsteps - 1].kernel;
    lowered_product got = *want;
    got.high = got.vectors = got.scratches = 0;
    got.by_batch = true;
    for (int a = 0; a < k->naxes; a++) {
      const k_axis *axis = &k->axes[a];
      if ((axis->flags & AXIS_UNROLL) && axis->extent > got.high) got.high = axis->extent;
      int64_t vectors = axis->flags & AXIS_VECTOR ? ceil_div(axis->extent, axis->width) : 0;
      if (vectors > got.vectors) got.vectors = vectors;
      if ((axis->flags & AXIS_PARALLEL) && axis->extent > 1 && axis->extent != b) got.by_batch = false;
    }
    for (int a = 0; a < k->nbufs; a++) got.scratches += k->bufs[a].role == BUF_SCRATCH;
    if (b == 1) got.by_batch = false;
    if (memcmp(&got, want, sizeof got) != 0)
      fail_msg("%d x %d x %d x %d: %d rows, %d vectors, %d buffers, by batch %d", (int)b, (int)want->rows, (int)want->k,
               (int)want->columns, (int)got.high, (int)got.vectors, got.scratches, got.by_batch);
    program_free(p);
    graph_free(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns), cmocka_unit_test(test_forms),
                                     cmocka_unit_test(test_next_row_is_fetched)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
