/* What lowering asks of a target, of a CPU and of one that is none. */
#include "lower/cpu/target.h"
#include "lower/lower.h"
#include "lower/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* Long sums are cut by the target alone. */
static void test_split(void **unused) {
  (void)unused;
  static const cpu_target cpu = {
      .base = CPU_LOWERING, .vector_bytes = 32, .registers = 16, .l1 = {1 << 15, 8}, .l2 = {1 << 19, 8}};
  cpu_target simple = cpu;
  simple.base.split = NULL;
  for (int i = 0; i < 2; i++) {
    error e = {0};
    int sums = 0;
    graph *g = graph_new(1);
    assert_non_null(g);
    int x = graph_leaf(g, &(op_type){.dtype = TME_F32, .rank = 1, .shape = {1 << 20}}, (int64_t[]){1}, 0);
    g->root[0] = graph_reduce(g, OP_sum, x, 1, false);
    program *p = program_lower(g, i ? &simple.base : &cpu.base, &e);
    if (!p) fail_msg("%s", e.text);
    for (int n = 0; n < p->g->n; n++) sums += graph_get(p->g, n)->op == OP_sum;
    assert_int_equal(sums, i ? 1 : 2);
    assert_int_equal(p->nsteps, i ? 1 : 2);
    program_free(p);
    graph_free(g);
  }
}

/* ---- a target that says what it is asked ------------------------------------------------------------------------- */

typedef struct mock_target {
  lower_target base;
  text *asked;
} mock_target;

static void say(const lower_target *t, const char *what, const char *name) {
  text_add(((const mock_target *)t)->asked, "%s %s\n", what, name);
}

static void mock_operands(const lower_target *t, const graph *g, int node, int out[2]) {
  say(t, "operands", op_name(graph_get(g, node)->op));
  for (int k = 0; k < 2; k++) out[k] = graph_in(g, node, k);
}

/* A kernel that does nothing. */
static tme_status mock_step(lowering *l, const char *what, error *e) {
  builder b;
  char label[96];
  lower_label(l, label, sizeof label);
  say(l->t, what, label);
  if (!builder_init(&b, l, label)) return fail_memory(e, label, sizeof b);
  tme_status status = lower_step(&b, label, e);
  builder_free(&b);
  return status;
}

static tme_status mock_rows(lowering *l, int gr, error *e) {
  (void)gr;
  return mock_step(l, "rows", e);
}

static tme_status mock_product(lowering *l, int gr, error *e) {
  (void)gr;
  return mock_step(l, "product", e);
}

static tme_status mock_attention(lowering *l, int gr, error *e) {
  (void)l, (void)gr;
  return (fail)(e, TME_ERR_JIT, "no attention here"); /* not the macro */
}

static tme_status mock_finish(const lower_target *t, kernel *k, error *e) {
  (void)e;
  say(t, "finish", k->name);
  return TME_OK;
}

static int matrix(graph *g, int64_t rows, int64_t columns, int number) {
  op_type t = {.dtype = TME_F32, .rank = 2, .shape = {rows, columns}};
  return graph_leaf(g, &t, (int64_t[]){columns, 1}, number);
}

static void test_mock(void **unused) {
  (void)unused;
  text asked = {0};
  const mock_target t = {.base = {.product_operands = mock_operands,
                                  .rows = mock_rows,
                                  .product = mock_product,
                                  .attention = mock_attention,
                                  .finish = mock_finish},
                         .asked = &asked};
  error e = {0};
  graph *g = graph_new(1);
  assert_non_null(g);
  int y = graph_bin(g, OP_matmul, graph_un(g, OP_exp, matrix(g, 8, 16, 0)), matrix(g, 16, 4, 1));
  g->root[0] = graph_reduce(g, OP_sum, graph_un(g, OP_abs, y), 2, false);
  program *p = program_lower(g, &t.base, &e);
  if (!p) fail_msg("%s", e.text);
  assert_string_equal(asked.s,
                      "operands matmul\nrows exp\nfinish exp\nproduct matmul+abs\nfinish matmul+abs\nrows sum\n"
                      "finish sum\n");
  assert_int_equal(p->nsteps, 3);
  program_free(p);
  graph_free(g);
  text_free(&asked);
}

/* What a target cannot do, it says. */
static void test_refused(void **unused) {
  (void)unused;
  text asked = {0};
  const mock_target t = {.base = {.attention = mock_attention}, .asked = &asked};
  error e = {0};
  graph *g = graph_new(1);
  assert_non_null(g);
  int in[] = {matrix(g, 8, 16, 0), matrix(g, 8, 16, 1), matrix(g, 8, 16, 2), -1};
  g->root[0] = graph_op(g, OP_scaled_dot_product_attention, in, 4, &(op_attrs){.attention = {.scale = 0.25}});
  assert_true(g->root[0] >= 0);
  assert_null(program_lower(g, &t.base, &e));
  assert_string_equal(e.text, "no attention here");
  graph_free(g);
  text_free(&asked);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_split), cmocka_unit_test(test_mock),
                                     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
