/* The same bits for every number of threads.
 * ctest: concurrency timeout=900 */
#include "backend/cpu/run.h"
#include "support/graphs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const int counts[] = {1, 2, 3, 8};
enum { ENGINES = COUNT(counts) };
static tme_engine *engines[ENGINES];

/* With the suite's cache on disk: one compilation serves all of them. */
static int open_engines(void **state) {
  (void)state;
  for (int i = 0; i < ENGINES; i++) {
    tme_options o;
    tme_options_init(&o);
    o.backend = "cpu";
    o.threads = counts[i];
    engines[i] = tme_engine_new(&o);
    if (!engines[i] || tme_engine_threads(engines[i]) != counts[i]) return -1;
  }
  return 0;
}

static int close_engines(void **state) {
  (void)state;
  for (int i = 0; i < ENGINES; i++) tme_engine_free(engines[i]);
  return 0;
}

/* Large enough that the work is shared out. */
static const struct {
  const char *op;
  int nin, rank;
  int64_t shape[3][3];
  int64_t axis; /* TME_NONE: not given */
} cases[] = {
    {"sum", 1, 1, {{3000017}}, TME_NONE},
    {"sum", 1, 2, {{1500, 1201}}, 0},
    {"sum", 1, 2, {{1500, 1201}}, 1},
    {"sum", 1, 2, {{3, 700001}}, 1},
    {"sum", 1, 2, {{20000, 37}}, 0}, /* in blocks */
    {"sum", 1, 2, {{5001, 701}}, 0},
    {"sum", 1, 2, {{33, 70001}}, 1},
    {"prod", 1, 2, {{2000, 801}}, 0},
    {"mean", 1, 2, {{1201, 1500}}, TME_NONE},
    {"var", 1, 2, {{801, 2000}}, 0},
    {"logsumexp", 1, 2, {{900, 1111}}, 1},
    {"softmax", 1, 2, {{1000, 1003}}, 1},
    {"softmax", 1, 2, {{1000, 1003}}, 0},
    {"layer_norm", 1, 2, {{900, 1024}}, TME_NONE},
    {"matmul", 2, 2, {{517, 703}, {703, 389}}, TME_NONE},
    {"matmul", 2, 2, {{3, 20011}, {20011, 7}}, TME_NONE},
    {"matmul", 2, 2, {{40, 16384}, {16384, 33}}, TME_NONE},
    {"matmul", 2, 3, {{5, 211, 133}, {5, 133, 97}}, TME_NONE},
    {"scaled_dot_product_attention", 3, 3, {{6, 301, 64}, {6, 301, 64}, {6, 301, 64}}, TME_NONE},
    {"attention_weights", 2, 3, {{6, 301, 64}, {6, 301, 64}}, TME_NONE},
    {"tanh", 1, 1, {{1000003}}, TME_NONE},
};

static void describe(int k, tme_dtype t, cell *c) {
  cell_init(c, op_find(cases[k].op), true);
  for (int i = 0; i < cases[k].nin; i++) {
    operand *o = cell_in(c, op_get(c->op)->params[i].name, t, cases[k].rank, cases[k].shape[i]);
    operand_make(o, (uint64_t)(k * 7 + i), i);
  }
  if (cases[k].axis == TME_NONE) return;
  if (strcmp(cases[k].op, "softmax"))
    cell_ints(c, "axis", 1, &cases[k].axis);
  else
    cell_int(c, "axis", cases[k].axis);
}

static const void *run(const cell *c, tme_engine *e, tme_scope **s, tme_array **out) {
  tme_array *in[CELL_INPUTS];
  *s = tme_scope_new(e);
  for (int i = 0; i < c->nin; i++)
    in[i] = tme_wrap(*s, c->in[i].dtype, c->in[i].rank, c->in[i].shape, c->in[i].strides, c->in[i].data, NULL, NULL);
  return cell_apply(*s, c, in, out) == TME_OK ? tme_data(*s, *out) : NULL;
}

static void test_operations(void **state) {
  (void)state;
  static const tme_dtype dtypes[] = {TME_F32, TME_F64, TME_F16};
  for (int k = 0; k < COUNT(cases); k++)
    for (int d = 0; d < (matrix_share() == SHARE_QUICK || sanitized() ? 1 : COUNT(dtypes)); d++) {
      cell c;
      tme_scope *first, *s;
      tme_array *want, *got;
      describe(k, dtypes[d], &c);
      const void *a = run(&c, engines[0], &first, &want);
      if (!a) fail_msg("%s: %s", cases[k].op, tme_error(first));
      size_t bytes = (size_t)tme_array_size(want) * tme_dtype_size(tme_array_dtype(want));
      for (int e = 1; e < ENGINES; e++) {
        const void *b = run(&c, engines[e], &s, &got);
        if (!b || memcmp(a, b, bytes) != 0)
          fail_msg("%s of %s: %d threads give other bits than one (case %d)", cases[k].op, tme_dtype_name(dtypes[d]),
                   counts[e], k);
        tme_scope_free(s);
      }
      tme_scope_free(first);
      for (int i = 0; i < c.nin; i++) operand_free(&c.in[i]);
    }
}

static void test_programs(void **state) {
  (void)state;
  static const int programs[] = {[SHARE_QUICK] = 10, [SHARE_COMMIT] = 40, [SHARE_FULL] = 300};
  for (int i = 0; i < programs[matrix_share()] / (sanitized() ? 8 : 1); i++) {
    random_graph g;
    graph_make(&g, matrix_seed() % 1000000000 + (uint64_t)i, GRAPH_ANY, TME_F32, engines[0]);
    tme_array *want[GRAPH_NODES], *got[GRAPH_NODES];
    tme_scope *a = tme_scope_new(engines[0]);
    assert_true(graph_build(&g, a, false, false, want) && graph_eval_roots(&g, a, want));
    for (int e = 1; e < ENGINES; e++) {
      tme_scope *b = tme_scope_new(engines[e]);
      assert_true(graph_build(&g, b, false, false, got) && graph_eval_roots(&g, b, got));
      int differs = graph_differs(&g, a, want, b, got);
      if (differs >= 0) {
        graph_print_nodes(&g);
        fail_msg("%%%d has other bits with %d threads", differs, counts[e]);
      }
      tme_scope_free(b);
    }
    tme_scope_free(a);
    graph_release(&g);
  }
}

/* Every row, in the smallest pieces: small arrays are shared out as well, and small kernels run side by side. */
static void test_every_operation(void **state) {
  (void)state;
  static const char *const labels[ENGINES] = {"1 thread", "2 threads", "3 threads", "8 threads"};
  launch_finest(true);
  for (int i = 0; i < ENGINES; i++) tme_engine_clear_cache(engines[i], false);
  int failed = matrix_same_bits(engines, labels, ENGINES);
  launch_finest(false);
  for (int i = 0; i < ENGINES; i++) tme_engine_clear_cache(engines[i], false);
  assert_int_equal(failed, 0);
}

/* Many small results that do not depend on each other, and what is computed from all of them. */
static void test_side_by_side(void **state) {
  (void)state;
  enum { N = 8, SIDE = 48 };
  float want[N * SIDE + SIDE] = {0};
  for (int e = 0; e < ENGINES; e++) {
    tme_scope *s = tme_scope_new(engines[e]);
    int64_t shape[] = {SIDE, SIDE}, row[] = {SIDE};
    float data[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) data[i] = (float)(i * 37 % 101) * 0.01F - 0.5F;
    tme_array *x = tme_from(s, TME_F32, 2, shape, data), *out[N + 1], *sum = tme_from(s, TME_F32, 1, row, data);
    for (int i = 0; i < N; i++) {
      tme_array *y = tme_tanh(s, tme_multiply(s, x, tme_number(s, 0.25 + i)));
      out[i] = tme_max(s, tme_matmul(s, y, x), (int[]){0}, 1, false);
      sum = tme_add(s, sum, out[i]);
    }
    out[N] = sum;
    assert_int_equal(tme_eval_all(s, out, N + 1), TME_OK);
    for (int i = 0; i <= N; i++) {
      const float *got = tme_data(s, out[i]);
      assert_non_null(got);
      if (e == 0) memcpy(want + i * SIDE, got, sizeof(float) * SIDE);
      assert_memory_equal(want + i * SIDE, got, sizeof(float) * SIDE);
    }
    tme_scope_free(s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_operations), cmocka_unit_test(test_programs),
                                     cmocka_unit_test(test_side_by_side), cmocka_unit_test(test_every_operation)};
  return cmocka_run_group_tests(tests, open_engines, close_engines);
}
