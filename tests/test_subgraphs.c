/* The compiler's graph: calls of sub-graphs, their expansion, and barriers. */
#include "ir/subgraph.h"
#include "lower/cpu/target.h"
#include "lower/program.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const cpu_target target = {
    .base = CPU_LOWERING, .vector_bytes = 32, .registers = 16, .l1 = {1 << 15, 8}, .l2 = {1 << 19, 8}};

static int vector(graph *g, int64_t n, int number) {
  return graph_leaf(g, &(op_type){.dtype = TME_F32, .rank = 1, .shape = {n}}, (int64_t[]){1}, number);
}

/* What (x, y, c) becomes in a graph: x y + c, and the sum of x. */
static void body(graph *g, const int in[3], int out[2]) {
  out[0] = graph_bin(g, OP_add, graph_bin(g, OP_multiply, in[0], in[1]), in[2]);
  out[1] = graph_reduce(g, OP_sum, in[0], 1, false);
}

static subgraph *two_outputs(void) {
  graph *g = graph_new(2);
  assert_non_null(g);
  body(g, (int[]){vector(g, 4, 0), vector(g, 4, 1), graph_literal_arg(g, TME_F32, 0)}, g->root);
  error e = {0};
  subgraph *s = subgraph_new(g, &e);
  if (!s) fail_msg("%s", e.text);
  return s;
}

static int output(graph *g, int call, int k) {
  op_type t = *graph_output(g, call, k);
  return graph_pick(g, call, k, &t);
}

static void count(const graph *g, int op, int want) {
  int n = 0;
  for (int i = 0; i < g->n; i++) n += graph_get(g, i)->op == op;
  if (n != want) fail_msg("%d of %s, expected %d", n, op_name(op), want);
}

/* Both graphs are the same once equal nodes are one. */
static void same_graphs(const graph *a, const graph *b) {
  error e = {0};
  graph *x = pass_simplify(a, &e), *y = pass_simplify(b, &e);
  assert_true(x && y);
  text tx = {0}, ty = {0};
  graph_print(x, &tx);
  graph_print(y, &ty);
  assert_string_equal(tx.s, ty.s);
  text_free(&tx);
  text_free(&ty);
  graph_free(x);
  graph_free(y);
}

static graph *expanded(const graph *g) {
  error e = {0};
  graph *r = pass_inline(g, NULL, NULL, &e);
  if (!r) fail_msg("%s", e.text);
  count(r, OP_call, 0);
  count(r, OP_pick, 0);
  assert_int_equal(r->nsub, 0);
  assert_int_equal(r->nleaves, g->nleaves);
  assert_int_equal(r->nargs, g->nargs);
  return r;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/* f(x, y, 2) and f(first, y, an argument), with and without calls. */
static void test_calls(void **unused) {
  (void)unused;
  subgraph *f = two_outputs();
  graph *g = graph_new(2), *h = graph_new(2);
  int x = vector(g, 4, 0), y = vector(g, 4, 1);
  int a = graph_call(g, f, (int[]){x, y, graph_number(g, TME_F32, 2)}, 3);
  assert_true(a >= 0);
  assert_int_equal(graph_get(g, a)->outputs, 2);
  assert_int_equal(graph_output(g, a, 0)->rank, 1);
  assert_int_equal(graph_output(g, a, 1)->rank, 0);
  int b = graph_call(g, f, (int[]){output(g, a, 0), y, graph_literal_arg(g, TME_F32, 0)}, 3);
  g->root[0] = output(g, b, 0);
  g->root[1] = graph_bin(g, OP_add, output(g, a, 1), output(g, b, 1));
  assert_int_equal(g->nsub, 1);
  subgraph_release(f); /* the graph has its own reference */
  int out[2], again[2];
  int u = vector(h, 4, 0), v = vector(h, 4, 1);
  body(h, (int[]){u, v, graph_number(h, TME_F32, 2)}, out);
  body(h, (int[]){out[0], v, graph_literal_arg(h, TME_F32, 0)}, again);
  h->root[0] = again[0];
  h->root[1] = graph_bin(h, OP_add, out[1], again[1]);
  graph *r = expanded(g);
  same_graphs(r, h);
  graph_free(r);
  graph_free(h);
  graph_free(g);
}

/* Only what is asked for is left of what is called. */
static void test_unused_outputs(void **unused) {
  (void)unused;
  subgraph *f = two_outputs();
  graph *g = graph_new(1);
  int call = graph_call(g, f, (int[]){vector(g, 4, 0), vector(g, 4, 1), graph_number(g, TME_F32, 2)}, 3);
  g->root[0] = output(g, call, 1);
  graph *r = expanded(g);
  count(r, OP_multiply, 0);
  count(r, OP_sum, 1);
  graph_free(r);
  graph_free(g);
  subgraph_release(f);
}

/* What a graph gives at once may be an operand, an argument, or an operand twice. */
static void test_outputs_that_are_operands(void **unused) {
  (void)unused;
  graph *f = graph_new(4), *g = graph_new(4);
  error e = {0};
  f->root[0] = f->root[1] = vector(f, 4, 1);
  f->root[2] = graph_literal_arg(f, TME_F32, 0);
  f->root[3] = graph_number(f, TME_F32, 7);
  subgraph *s = subgraph_new(f, &e);
  int x = vector(g, 4, 0), none = graph_number(g, TME_BOOL, 1); /* operand 0 is read by nobody */
  int call = graph_call(g, s, (int[]){none, x, graph_number(g, TME_F32, 5)}, 3);
  for (int i = 0; i < 4; i++) g->root[i] = output(g, call, i);
  graph *r = expanded(g);
  assert_int_equal(r->root[0], r->root[1]);
  assert_int_equal(graph_get(r, r->root[0])->op, OP_leaf);
  assert_int_equal(graph_get(r, r->root[0])->leaf, 0);
  for (int i = 2; i < 4; i++) assert_int_equal(graph_get(r, r->root[i])->op, OP_literal);
  graph_free(r);
  graph_free(g);
  subgraph_release(s);
}

/* Equal calls are one; of other operands, or of another sub-graph, they are not. */
static void test_equal_calls(void **unused) {
  (void)unused;
  subgraph *f = two_outputs(), *h = two_outputs();
  assert_int_not_equal(subgraph_number(f), subgraph_number(h));
  graph *g = graph_new(4);
  int x = vector(g, 4, 0), y = vector(g, 4, 1), c = graph_number(g, TME_F32, 2);
  g->root[0] = output(g, graph_call(g, f, (int[]){x, y, c}, 3), 0);
  g->root[1] = output(g, graph_call(g, f, (int[]){x, y, c}, 3), 0);
  g->root[2] = output(g, graph_call(g, f, (int[]){y, x, c}, 3), 0);
  g->root[3] = output(g, graph_call(g, h, (int[]){x, y, c}, 3), 0);
  error e = {0};
  graph *r = pass_simplify(g, &e);
  assert_non_null(r);
  count(r, OP_call, 3);
  assert_int_equal(r->root[0], r->root[1]);
  assert_int_equal(r->nsub, 2);
  graph_free(r);
  graph_free(g);
  subgraph_release(f);
  subgraph_release(h);
}

/* f(f(x)) of a graph that calls another one twice. */
static subgraph *calls_twice(subgraph *f) {
  graph *g = graph_new(1);
  int y = vector(g, 4, 1), c = graph_number(g, TME_F32, 2);
  int first = output(g, graph_call(g, f, (int[]){vector(g, 4, 0), y, c}, 3), 0);
  g->root[0] = output(g, graph_call(g, f, (int[]){first, y, c}, 3), 0);
  error e = {0};
  subgraph *s = subgraph_new(g, &e);
  assert_non_null(s);
  return s;
}

static bool keeps_outer(const graph *g, int call, void *user) {
  (void)call;
  return g == user;
}

static void test_nested(void **unused) {
  (void)unused;
  subgraph *f = two_outputs(), *twice = calls_twice(f);
  error e = {0};
  graph *g = graph_new(1), *h = graph_new(1);
  int x = vector(g, 4, 0);
  g->root[0] = graph_call(g, twice, (int[]){x, graph_call(g, twice, (int[]){x, x}, 2)}, 2);
  int u = vector(h, 4, 0), c = graph_number(h, TME_F32, 2), out[2], inner = u;
  for (int i = 0; i < 2; i++) {
    body(h, (int[]){inner, u, c}, out);
    inner = out[0];
  }
  int y = inner;
  inner = u;
  for (int i = 0; i < 2; i++) {
    body(h, (int[]){inner, y, c}, out);
    inner = out[0];
  }
  h->root[0] = inner;
  graph *r = expanded(g);
  same_graphs(r, h);
  graph_free(r);
  /* What is kept stays a call, with all that it calls. */
  r = pass_inline(g, keeps_outer, g, &e);
  count(r, OP_call, 2);
  assert_int_equal(r->nsub, 1);
  assert_ptr_equal(r->sub[0], twice);
  graph *all = expanded(r);
  same_graphs(all, h);
  graph_free(all);
  graph_free(r);
  graph_free(h);
  graph_free(g);
  subgraph_release(twice);
  subgraph_release(f);
}

static void refused(graph *g, int x, tme_status code, const char *words) {
  assert_int_equal(x, -1);
  assert_int_equal(g->err.code, code);
  assert_string_equal(g->err.text, words);
  g->err = (error){0};
}

static void test_wrong_operands(void **unused) {
  (void)unused;
  subgraph *f = two_outputs();
  graph *g = graph_new(1);
  int x = vector(g, 4, 0), five = vector(g, 5, 1), c = graph_number(g, TME_F32, 2), whole = graph_number(g, TME_I32, 2);
  refused(g, graph_call(g, f, (int[]){x, x}, 2), TME_ERR_ARGUMENT,
          "call: 2 operands, the sub-graph takes 3: 2 inputs and 1 number");
  refused(g, graph_call(g, f, (int[]){x, five, c}, 3), TME_ERR_SHAPE,
          "call: operand 1 is float32 (5,), the sub-graph takes float32 (4,)");
  refused(g, graph_call(g, f, (int[]){x, x, whole}, 3), TME_ERR_DTYPE,
          "call: operand 2 is int32 (), the sub-graph takes float32 ()");
  assert_int_equal(graph_call(g, f, (int[]){x, -1, c}, 3), -1);
  assert_int_equal(g->err.code, TME_OK);
  g->default_float = TME_F16;
  refused(g, graph_call(g, f, (int[]){x, x, c}, 3), TME_ERR_ARGUMENT,
          "call: the sub-graph was made for precision float32, the graph for float16");
  graph_free(g);
  subgraph_release(f);
  error e = {0};
  assert_null(subgraph_new(graph_new(0), &e));
  assert_string_equal(e.text, "sub-graph: 0 outputs, expected 1 to 65535");
  e = (error){0};
  g = graph_new(1);
  vector(g, 4, 0);
  g->root[0] = vector(g, 5, 0);
  assert_null(subgraph_new(g, &e));
  assert_string_equal(e.text, "sub-graph: operand 0 has two types");
}

/* f(x) = f'(x) + 1 of the graph f' one level down, `times` of it. */
static subgraph *level(subgraph *below, int times, error *e) {
  graph *g = graph_new(1);
  assert_non_null(g);
  int x = vector(g, 4, 0);
  for (int i = 0; i < times && below; i++) x = graph_call(g, below, &x, 1);
  g->root[0] = graph_bin(g, OP_add, x, graph_number(g, TME_F32, 1));
  return subgraph_new(g, e);
}

/* No stack is needed, however deep. */
static void test_deep(void **unused) {
  (void)unused;
  enum { LEVELS = 20000 };
  error e = {0};
  subgraph *s = NULL;
  for (int i = 0; i < LEVELS; i++) {
    subgraph *up = level(s, 1, &e);
    if (!up) fail_msg("%s", e.text);
    subgraph_release(s);
    s = up;
  }
  graph *g = graph_new(1);
  int x = vector(g, 4, 0);
  g->root[0] = graph_call(g, s, &x, 1);
  subgraph_release(s);
  graph *r = expanded(g);
  count(r, OP_add, LEVELS);
  text t = {0};
  graph_print(g, &t);
  assert_non_null(strstr(t.s, "graph 19999\n"));
  text_free(&t);
  graph_free(r);
  graph_free(g);
}

/* Calls that double what is computed from level to level are refused before they fill the memory. */
static void test_too_many(void **unused) {
  (void)unused;
  error e = {0};
  subgraph *s = level(NULL, 0, &e);
  int levels = 1;
  for (; levels < 100; levels++) {
    subgraph *up = level(s, 2, &e);
    if (!up) break;
    subgraph_release(s);
    s = up;
  }
  assert_in_range(levels, 10, 24);
  assert_string_equal(e.text, "sub-graph: its calls expand to more than 16777216 operations");
  assert_int_equal(e.code, TME_ERR_UNSUPPORTED);
  /* So is a graph that calls often enough what is allowed by itself. */
  graph *g = graph_new(1);
  int x = vector(g, 4, 0);
  for (int i = 0; i < 8; i++) x = graph_call(g, s, &x, 1);
  g->root[0] = x;
  if (subgraph_size(s) > SUBGRAPH_MOST / 8) {
    e = (error){0};
    assert_null(pass_inline(g, NULL, NULL, &e));
    assert_string_equal(e.text, "inline: the calls expand to more than 16777216 operations");
  }
  graph_free(g);
  subgraph_release(s);
}

static void test_texts(void **unused) {
  (void)unused;
  subgraph *f = two_outputs(), *twice = calls_twice(f);
  graph *g = graph_new(1);
  int x = vector(g, 4, 0);
  g->root[0] = graph_barrier(g, graph_call(g, twice, (int[]){x, x}, 2));
  text t = {0};
  graph_print(g, &t);
  assert_string_equal(t.s, "%0 = leaf float32 (4,) 0 strides (1)\n"
                           "%1 = call float32 (4,) of graph 0 %0 %0\n"
                           "%2 = barrier float32 (4,) %1\n"
                           "roots %2\n"
                           "graph 0\n"
                           "%0 = leaf float32 (4,) 1 strides (1)\n"
                           "%1 = literal float32 () 2\n"
                           "%2 = leaf float32 (4,) 0 strides (1)\n"
                           "%3 = call float32 (4,) of graph 1 %2 %0 %1\n"
                           "%4 = pick float32 (4,) 0 %3\n"
                           "%5 = call float32 (4,) of graph 1 %4 %0 %1\n"
                           "%6 = pick float32 (4,) 0 %5\n"
                           "roots %6\n"
                           "graph 1\n"
                           "%0 = leaf float32 (4,) 0 strides (1)\n"
                           "%1 = leaf float32 (4,) 1 strides (1)\n"
                           "%2 = literal float32 () argument 0\n"
                           "%3 = multiply float32 (4,) %0 %1\n"
                           "%4 = add float32 (4,) %3 %2\n"
                           "%5 = sum float32 () axis=(0) keepdims=false dtype=none %0\n"
                           "roots %4 %5\n");
  text_free(&t);
  graph_dot(g, &t);
  const char *const words[] = {"label=\"call of graph 0", "subgraph cluster_0 {", "subgraph cluster_1 {",
                               "g1n3 -> g1n4;",           "g1n5 -> g1r1;",        "n2 -> r0;"};
  for (int i = 0; i < COUNT(words); i++)
    if (!strstr(t.s, words[i])) fail_msg("'%s' is not in\n%s", words[i], t.s);
  text_free(&t);
  graph_free(g);
  subgraph_release(twice);
  subgraph_release(f);
}

/* ---- barriers ---------------------------------------------------------------------------------------------------- */

/* Two of exp(x) behind barriers of their own, two that are not. */
static graph *with_barriers(void) {
  graph *g = graph_new(1);
  int x = vector(g, 4, 0), sum = graph_un(g, OP_exp, x);
  sum = graph_bin(g, OP_add, sum, graph_un(g, OP_exp, x));
  for (int i = 0; i < 2; i++) sum = graph_bin(g, OP_add, sum, graph_un(g, OP_exp, graph_barrier(g, x)));
  g->root[0] = sum;
  return g;
}

static void test_not_merged(void **unused) {
  (void)unused;
  error e = {0};
  graph *g = with_barriers(), *r = pass_simplify(g, &e), *again = pass_simplify(r, &e),
        *plain = pass_drop_barriers(again, &e);
  count(g, OP_exp, 4);
  count(r, OP_exp, 3);
  count(again, OP_exp, 3);
  count(again, OP_barrier, 2);
  count(plain, OP_exp, 3);
  count(plain, OP_barrier, 0);
  assert_int_equal(graph_get(plain, plain->root[0])->op, OP_add);
  graph_free(plain);
  graph_free(again);
  graph_free(r);
  graph_free(g);
}

/* No rule looks behind one, but for a number, whose value decides what rules do. */
static void test_not_seen_through(void **unused) {
  (void)unused;
  error e = {0};
  graph *g = graph_new(3);
  int x = vector(g, 4, 0);
  g->root[0] = graph_un(g, OP_negative, graph_barrier(g, graph_un(g, OP_negative, x)));
  g->root[1] = graph_bin(g, OP_pow, x, graph_barrier(g, graph_number(g, TME_F32, 2)));
  g->root[2] = graph_barrier(g, x);
  graph *r = pass_simplify(g, &e);
  count(r, OP_negative, 2);
  count(r, OP_barrier, 2);
  assert_int_equal(graph_get(r, r->root[1])->op, OP_square);
  graph_free(r);
  graph_free(g);
}

static program *lowered(graph *g) {
  error e = {0};
  program *p = program_lower(g, &target.base, &e);
  if (!p) fail_msg("%s", e.text);
  graph_free(g);
  return p;
}

/* Kernels compute twice what barriers keep apart, and nothing more. */
static void test_computed_again(void **unused) {
  (void)unused;
  program *p = lowered(with_barriers());
  count(p->g, OP_exp, 3);
  count(p->g, OP_barrier, 0);
  assert_int_equal(p->nsteps, 1);
  program_free(p);
  for (int k = 0; k < 2; k++) { /* a product that is read by another one, and by one far away */
    graph *g = graph_new(2);
    op_type t = {.dtype = TME_F32, .rank = 2, .shape = {32, 32}};
    int x = graph_leaf(g, &t, (int64_t[]){32, 1}, 0), w = graph_leaf(g, &t, (int64_t[]){32, 1}, 1);
    int y = graph_bin(g, OP_matmul, x, w), z = graph_bin(g, OP_matmul, k ? graph_barrier(g, x) : x, w);
    g->root[0] = graph_bin(g, OP_matmul, y, y);
    g->root[1] = graph_bin(g, OP_matmul, g->root[0], z);
    p = lowered(g);
    count(p->g, OP_matmul, 3 + k);
    int products = 0;
    for (int i = 0; i < p->nsteps; i++) products += strstr(p->steps[i].label, "matmul") != NULL;
    assert_int_equal(products, 3 + k);
    program_free(p);
  }
}

/* A barrier in what is called is one for every call that is not equal to another one. */
static void test_in_calls(void **unused) {
  (void)unused;
  error e = {0};
  graph *f = graph_new(1), *g = graph_new(1);
  f->root[0] = graph_un(f, OP_exp, graph_barrier(f, vector(f, 4, 0)));
  subgraph *s = subgraph_new(f, &e);
  int x = vector(g, 4, 0);
  g->root[0] = graph_bin(g, OP_add, graph_call(g, s, &x, 1),
                         graph_bin(g, OP_add, graph_call(g, s, &x, 1), graph_un(g, OP_exp, x)));
  graph *all = expanded(g), *r = pass_simplify(all, &e);
  count(r, OP_exp, 3);
  graph_free(r);
  graph_free(all);
  r = pass_simplify(g, &e); /* equal calls are one before they are expanded */
  all = expanded(r);
  count(all, OP_exp, 2);
  graph_free(r);
  graph_free(all);
  graph_free(g);
  subgraph_release(s);
}

/* ---- failing allocations ----------------------------------------------------------------------------------------- */

static bool scenario(error *e) {
  graph *f = graph_new(2);
  if (!f) return false;
  body(f, (int[]){vector(f, 4, 0), vector(f, 4, 1), graph_literal_arg(f, TME_F32, 0)}, f->root);
  if (f->failed) {
    graph_free(f);
    return false;
  }
  subgraph *s = subgraph_new(f, e);
  if (!s) {
    assert_int_equal(e->code, TME_ERR_MEMORY);
    return false;
  }
  graph *g = graph_new(1), *all = NULL, *simple = NULL, *plain = NULL;
  text t = {0};
  bool ok = g != NULL;
  if (ok) {
    int x = vector(g, 4, 0), c = graph_number(g, TME_F32, 2), call = graph_call(g, s, (int[]){x, x, c}, 3);
    int y = call < 0 ? -1 : graph_barrier(g, output(g, call, 0));
    int again = y < 0 ? -1 : graph_call(g, s, (int[]){y, x, c}, 3);
    g->root[0] = again < 0 ? -1 : graph_bin(g, OP_add, output(g, again, 0), output(g, again, 1));
    ok = g->root[0] >= 0;
    assert_true(ok || g->failed);
  }
  all = ok ? pass_inline(g, NULL, NULL, e) : NULL;
  simple = all ? pass_simplify(all, e) : NULL;
  plain = simple ? pass_drop_barriers(simple, e) : NULL;
  if (ok && !plain) assert_int_equal(e->code, TME_ERR_MEMORY);
  if (plain) {
    count(plain, OP_multiply, 2);
    graph_print(g, &t);
  }
  ok = plain && !t.failed;
  text_free(&t);
  graph_free(plain);
  graph_free(simple);
  graph_free(all);
  graph_free(g);
  subgraph_release(s);
  return ok;
}

static void test_allocations_fail(void **unused) {
  (void)unused;
  for (int forever = 0; forever < 2; forever++)
    for (long k = 1;; k++) {
      error e = {0};
      long live = mem_live();
      mem_fail_at(k, forever);
      bool ok = scenario(&e);
      mem_fail_at(0, false);
      assert_int_equal(mem_live(), live);
      if (ok) break;
      assert_true(k < 1000);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls),
                                     cmocka_unit_test(test_unused_outputs),
                                     cmocka_unit_test(test_equal_calls),
                                     cmocka_unit_test(test_outputs_that_are_operands),
                                     cmocka_unit_test(test_nested),
                                     cmocka_unit_test(test_wrong_operands),
                                     cmocka_unit_test(test_deep),
                                     cmocka_unit_test(test_too_many),
                                     cmocka_unit_test(test_texts),
                                     cmocka_unit_test(test_not_merged),
                                     cmocka_unit_test(test_not_seen_through),
                                     cmocka_unit_test(test_computed_again),
                                     cmocka_unit_test(test_in_calls),
                                     cmocka_unit_test(test_allocations_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
