/* Rewriting a graph by a rule. */
#include "ir/rewrite.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* |-x| + |x| over a vector; the root is the sum. */
static graph *two_ways(int64_t n) {
  graph *g = graph_new(1);
  assert_non_null(g);
  int x = graph_leaf(g, &(op_type){.dtype = TME_F32, .rank = 1, .shape = {n}}, (int64_t[]){1}, 0);
  int y = graph_un(g, OP_abs, graph_un(g, OP_negative, x));
  g->root[0] = graph_bin(g, OP_add, y, graph_un(g, OP_abs, x));
  return g;
}

/* |x| becomes relu(x) + relu(-x), and -x of what is asked for is x. */
static int without_abs(graph *to, const graph *from, int i, int *in, void *user) {
  (*(int *)user)++;
  if (graph_get(from, i)->op == OP_negative) return in[0];
  if (graph_get(from, i)->op != OP_abs) return REWRITE_KEEP;
  return graph_bin(to, OP_add, graph_un(to, OP_relu, in[0]), graph_un(to, OP_relu, graph_un(to, OP_negative, in[0])));
}

static int swapped(graph *to, const graph *from, int i, int *in, void *unused) {
  (void)to, (void)unused;
  if (graph_get(from, i)->op != OP_add) return REWRITE_KEEP;
  int first = in[0];
  in[0] = in[1];
  in[1] = first;
  return REWRITE_KEEP;
}

static int of_wrong_shape(graph *to, const graph *from, int i, int *in, void *unused) {
  (void)unused;
  if (graph_get(from, i)->op != OP_add) return REWRITE_KEEP;
  return graph_op(to, OP_reshape, in, 1, &(op_attrs){.view = {.shape = {1, {7}}}});
}

static void test_rules(void **unused) {
  (void)unused;
  error e = {0};
  bool changed = false;
  int seen = 0;
  graph *g = two_ways(5), *r = graph_rewrite(g, NULL, without_abs, &seen, "test", &changed, &e);
  assert_non_null(r);
  assert_int_equal(seen, g->n);
  assert_true(changed);
  for (int i = 0; i < r->n; i++) assert_int_not_equal(graph_get(r, i)->op, OP_abs);
  assert_int_equal(graph_get(r, r->root[0])->op, OP_add);
  for (int k = 0; k < 2; k++) /* both are of x itself, and say what they were */
    assert_string_equal(graph_written(r, graph_in(r, r->root[0], k)), "abs");
  graph_free(r);
  r = graph_rewrite(g, NULL, swapped, NULL, "test", &changed, &e);
  assert_non_null(r);
  assert_false(changed);
  assert_int_equal(r->n, g->n);
  for (int k = 0; k < 2; k++) assert_int_equal(graph_in(r, r->root[0], k), graph_in(g, g->root[0], 1 - k));
  graph_free(r);
  assert_null(graph_rewrite(g, NULL, of_wrong_shape, NULL, "test", NULL, &e));
  assert_int_not_equal(e.code, TME_OK);
  assert_memory_equal(e.text, "test: reshape", 13);
  graph_free(g);
}

static void test_wanted(void **unused) {
  (void)unused;
  error e = {0};
  uint8_t wanted[5] = {1, 0, 0, 1, 0}; /* x and |x| */
  int seen = 0;
  graph *g = two_ways(5);
  assert_int_equal(g->n, 5);
  g->root[0] = 3;
  graph *r = graph_rewrite(g, wanted, without_abs, &seen, "test", NULL, &e);
  assert_non_null(r);
  assert_int_equal(seen, 2);
  graph_free(r);
  graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_wanted)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
