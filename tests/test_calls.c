/* Calls of functions and barriers among a caller's operations, on every backend: the bits are those of the operations
 * written out.
 * ctest: concurrency */
#include "array/call.h"
#include "run/function.h"
#include "run/trace.h"
#include "support/engines.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *const backends[] = {"cpu", "nojit", "reference", "mock"};
static const int64_t square[] = {4, 4};

/* `compiled`: MLX's functions, too, half a second for each plan. */
static void everywhere(test_scope_fn *f, bool compiled) {
  for (int i = 0; i < COUNT(backends); i++) test_in_engine(test_engine(backends[i]), f);
  setenv("TME_MLX_COMPILE", compiled ? "1" : "0", 1);
  test_in_engine(test_engine("mlx"), f); /* another one answers where there is no MLX */
  unsetenv("TME_MLX_COMPILE");
}

static void same(tme_scope *s, tme_array *const *got, tme_array *const *want, int n) {
  assert_int_equal(tme_eval_all(s, want, n), TME_OK);
  if (tme_eval_all(s, got, n) != TME_OK) fail_msg("%s", tme_error(s));
  for (int i = 0; i < n; i++) {
    assert_int_equal(tme_array_dtype(got[i]), tme_array_dtype(want[i]));
    assert_int_equal(tme_array_size(got[i]), tme_array_size(want[i]));
    assert_memory_equal(tme_data(s, got[i]), tme_data(s, want[i]),
                        (size_t)tme_array_size(want[i]) * tme_dtype_size(tme_array_dtype(want[i])));
  }
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

/* tanh(x y + 0.25 c) and its sum; the number and the array c are taken in. */
static void body(tme_scope *s, tme_array *x, tme_array *y, tme_array **out) {
  tme_array *c = test_matrix(s, 4, 4, 3);
  tme_array *scaled = tme_multiply(s, tme_transpose(s, c, NULL, TME_ALL), tme_number(s, 0.3));
  out[0] = tme_tanh(s, tme_multiply(s, tme_add(s, tme_matmul(s, x, y), scaled), tme_number(s, 0.5)));
  out[1] = tme_sum(s, out[0], NULL, TME_ALL, false, TME_DTYPE_NONE);
}

static tme_function *make(tme_scope *s) {
  tme_array *in[2], *out[2];
  for (int i = 0; i < 2; i++) in[i] = tme_input(s, TME_F32, 2, square);
  body(s, in[0], in[1], out);
  tme_function *f = tme_compile(s, in, 2, out, 2);
  if (!f) fail_msg("%s", tme_error(s));
  return f;
}

static tme_array *small(tme_scope *s, float start) {
  return tme_multiply(s, test_matrix(s, 4, 4, start), tme_number(s, 0.01));
}

/* f(x, y), f of what it gives, and what is computed from both. */
static void calls(tme_scope *s) {
  tme_function *f = make(s);
  tme_array *x = small(s, 1), *y = small(s, 2), *a[2], *b[2], *c[2], *d[2];
  assert_int_equal(function_apply(s, f, (tme_array *[]){x, y}, 2, a), TME_OK);
  assert_int_equal(function_apply(s, f, (tme_array *[]){a[0], x}, 2, b), TME_OK);
  body(s, x, y, c);
  body(s, c[0], x, d);
  tme_array *got[] = {tme_add(s, b[0], a[1]), b[1]}, *want[] = {tme_add(s, d[0], c[1]), d[1]};
  same(s, got, want, 2);
  same(s, a, c, 2); /* asked for later */
  same(s, &b[0], &d[0], 1);
  tme_function_free(f);
}

static void test_calls(void **unused) {
  (void)unused;
  for (int nodes = 0; nodes < 4; nodes++) { /* of a plan: the function is made of several, its graph is whole */
    trace_cut_after(nodes);
    everywhere(calls, false);
  }
  trace_cut_after(0);
}

/* A function of functions. */
static void functions_of_functions(tme_scope *s) {
  tme_function *f = make(s);
  tme_array *in = tme_input(s, TME_F32, 2, square), *a[2], *b[2], *c[2], *d[2], *out, *x = small(s, 1);
  assert_int_equal(function_apply(s, f, (tme_array *[]){in, in}, 2, a), TME_OK);
  assert_int_equal(function_apply(s, f, (tme_array *[]){a[0], in}, 2, b), TME_OK);
  out = tme_add(s, b[0], a[1]);
  tme_function *h = tme_compile(s, &in, 1, &out, 1);
  if (!h) fail_msg("%s", tme_error(s));
  tme_function_free(f); /* the other one keeps what it needs of it */
  body(s, x, x, c);
  body(s, c[0], x, d);
  tme_array *want = tme_add(s, d[0], c[1]), *got, *later;
  assert_int_equal(tme_call(s, h, &x, 1, &got), TME_OK);
  same(s, &got, &want, 1);
  error e = {0};
  const function_graph *t = function_trace(h, &e);
  assert_non_null(t);
  assert_true(graph_has(subgraph_graph(t->graph), OP_call)); /* as it was traced */
  assert_int_equal(function_apply(s, h, &x, 1, &later), TME_OK);
  same(s, &later, &want, 1);
  tme_function_free(h);
}

static void test_functions_of_functions(void **unused) {
  (void)unused;
  for (int nodes = 0; nodes < 4; nodes++) {
    trace_cut_after(nodes);
    everywhere(functions_of_functions, false);
  }
  trace_cut_after(0);
}

/* The graph of a function says what it takes. */
static void test_graph(void **unused) {
  (void)unused;
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  tme_function *f = make(s);
  error err = {0};
  const function_graph *t = function_trace(f, &err);
  assert_ptr_equal(function_trace(f, &err), t);
  const graph *g = subgraph_graph(t->graph);
  assert_int_equal(g->nleaves, 3);
  assert_int_equal(g->nroots, 2);
  assert_int_equal(t->ntaken, 1);
  assert_int_equal(t->nargs, 1); /* 0.5 shapes the code, 0.3 does not */
  assert_int_equal(t->arg_dtype[0], TME_F32);
  assert_int_equal(t->taken[0].rank, 2);
  assert_false(graph_has(g, OP_call));
  assert_true(graph_has(g, OP_tanh));
  assert_int_equal(subgraph_outputs(t->graph)[0].rank, 2);
  assert_int_equal(subgraph_outputs(t->graph)[1].rank, 0);
  assert_int_equal(function_apply(s, f, NULL, 0, (tme_array *[2]){NULL}), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "call: 0 inputs, the function has 2");
  tme_array *x = test_matrix(s, 4, 4, 1), *wide = test_matrix(s, 4, 5, 1), *out[2];
  assert_int_equal(function_apply(s, f, (tme_array *[]){x, wide}, 2, out), TME_ERR_SHAPE);
  test_error(s, TME_ERR_SHAPE, "call: operand 1 is float32 (4, 5), the sub-graph takes float32 (4, 4)");
  assert_true(!out[0] && !out[1]);
  tme_engine *other = test_engine("cpu");
  tme_scope *o = tme_scope_new(other);
  assert_int_equal(function_apply(o, f, (tme_array *[]){x, x}, 2, out), TME_ERR_ARGUMENT);
  test_error(o, TME_ERR_ARGUMENT, "belongs to another engine");
  tme_scope_free(o);
  tme_engine_free(other);
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* Numbers of every dtype that are taken in come out as they were. */
static void test_numbers(void **unused) {
  (void)unused;
  static const struct {
    tme_dtype t;
    double v;
  } rows[] = {{TME_F16, 0.1},   {TME_BF16, -3.7}, {TME_F32, -0.0}, {TME_F64, 1e300}, {TME_I8, -100},
              {TME_U16, 65000}, {TME_I32, -7},    {TME_C64, 0.7},  {TME_F64, 0.1},   {TME_F32, 1e-42}};
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  int64_t n = 3;
  for (int i = 0; i <= COUNT(rows) + 1; i++) {
    bool whole = i >= COUNT(rows); /* beyond what a double holds */
    tme_dtype t = i == COUNT(rows) ? TME_I64 : whole ? TME_U64 : rows[i].t;
    tme_array *number = !whole         ? tme_number(s, rows[i].v)
                        : t == TME_I64 ? tme_integer(s, INT64_MIN + 1)
                                       : tme_unsigned(s, UINT64_MAX - 1);
    tme_array *in = tme_input(s, t, 1, &n), *out = tme_add(s, in, number);
    tme_array *x = tme_zeros(s, &n, 1, t), *want = tme_add(s, x, number), *got;
    tme_function *f = tme_compile(s, &in, 1, &out, 1);
    if (!f) fail_msg("%s", tme_error(s));
    assert_int_equal(function_apply(s, f, &x, 1, &got), TME_OK);
    same(s, &got, &want, 1);
    tme_function_free(f);
  }
  tme_scope_free(s);
  tme_engine_free(e);
}

typedef struct shared {
  tme_engine *e;
  tme_function *f;
} shared;

static void *trace_and_call(void *user) {
  const shared *h = user;
  tme_scope *s = tme_scope_new(h->e);
  tme_array *x = small(s, 1), *got[2], *want[2];
  bool ok = function_apply(s, h->f, (tme_array *[]){x, x}, 2, got) == TME_OK;
  body(s, x, x, want);
  if (ok) same(s, got, want, 2);
  tme_scope_free(s);
  return ok ? NULL : user;
}

/* Whoever asks first makes the function's graph. */
static void test_threads(void **unused) {
  (void)unused;
  shared h = {.e = test_engine("cpu")};
  tme_scope *s = tme_scope_new(h.e);
  h.f = make(s);
  pthread_t id[4];
  for (int i = 0; i < COUNT(id); i++) assert_int_equal(pthread_create(&id[i], NULL, trace_and_call, &h), 0);
  for (int i = 0; i < COUNT(id); i++) {
    void *bad = NULL;
    pthread_join(id[i], &bad);
    assert_null(bad);
  }
  tme_function_free(h.f);
  tme_scope_free(s);
  tme_engine_free(h.e);
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static tme_function *scaled_by(tme_scope *s, bool minus) {
  tme_array *in = tme_input(s, TME_F32, 2, square), *out = minus ? tme_negative(s, in) : tme_abs(s, in);
  tme_function *f = tme_compile(s, &in, 1, &out, 1);
  assert_non_null(f);
  return f;
}

static uint64_t plans_found(tme_engine *e, uint64_t *made) {
  tme_stats st;
  tme_engine_stats(e, &st);
  if (made) *made = st.plan_misses;
  return st.plan_hits;
}

/* Calls that differ in what they call alone have plans of their own; the same call has the same one. */
static void test_plans(void **unused) {
  (void)unused;
  tme_engine *e = test_engine("nojit");
  tme_scope *s = tme_scope_new(e);
  tme_function *f[2] = {scaled_by(s, false), scaled_by(s, true)};
  tme_array *x = test_matrix(s, 4, 4, -3), *got, *want[2] = {tme_abs(s, x), tme_negative(s, x)};
  for (int round = 0; round < 3; round++)
    for (int k = 0; k < 2; k++) {
      uint64_t before = plans_found(e, NULL);
      assert_int_equal(function_apply(s, f[k], &x, 1, &got), TME_OK);
      same(s, &got, &want[k], 1);
      if (round) assert_true(plans_found(e, NULL) > before);
    }
  for (int k = 0; k < 2; k++) tme_function_free(f[k]);
  /* What takes the memory of one that is gone is not taken for it. */
  for (int i = 0; i < 50; i++) {
    tme_function *h = scaled_by(s, i % 2);
    assert_int_equal(function_apply(s, h, &x, 1, &got), TME_OK);
    tme_function_free(h);
    same(s, &got, &want[i % 2], 1);
  }
  tme_scope_free(s);
  tme_engine_free(e);
}

/* ---- barriers ---------------------------------------------------------------------------------------------------- */

static void barriers(tme_scope *s) {
  tme_array *x = small(s, 1), *y = tme_exp(s, x), *sum = tme_sum(s, y, NULL, TME_ALL, false, TME_DTYPE_NONE);
  tme_array *again = tme_exp(s, array_barrier(s, x));
  tme_array *got[] = {tme_multiply(s, again, sum), array_barrier(s, array_barrier(s, tme_tanh(s, again))),
                      array_barrier(s, tme_number(s, 0.25)), array_barrier(s, x)};
  tme_array *want[] = {tme_multiply(s, y, sum), tme_tanh(s, y), tme_add(s, tme_number(s, 0.25), tme_number(s, 0)), x};
  same(s, got, want, COUNT(want));
  assert_true(tme_is_untyped(got[2]));
}

static void test_barriers(void **unused) {
  (void)unused;
  everywhere(barriers, true);
}

/* Functions that are the operand, and a barrier in front of one that a backend leaves to another one. */
static void barriers_in_functions(tme_scope *s) {
  tme_array *in = tme_input(s, TME_F32, 2, square), *out[3], *got[3], *x = small(s, 1), *want[3];
  out[0] = array_barrier(s, in);
  out[1] = tme_svdvals(s, array_barrier(s, in));
  out[2] = tme_tanh(s, array_barrier(s, tme_tanh(s, in)));
  tme_function *f = tme_compile(s, &in, 1, out, 3);
  if (!f) fail_msg("%s", tme_error(s));
  assert_int_equal(tme_call(s, f, &x, 1, got), TME_OK);
  want[0] = x;
  want[1] = tme_svdvals(s, x);
  want[2] = tme_tanh(s, tme_tanh(s, x));
  same(s, got, want, 3);
  tme_function_free(f);
}

static void test_barriers_in_functions(void **unused) {
  (void)unused;
  everywhere(barriers_in_functions, false);
}

static int times(const char *said, const char *word) {
  int n = 0;
  for (const char *at = said; (at = strstr(at, word)); at++) n++;
  return n;
}

/* What is computed twice, where it would be kept. */
static void test_explained(void **unused) {
  (void)unused;
  tme_engine *e = test_engine("cpu");
  for (int k = 0; k < 2; k++) {
    tme_scope *s = tme_scope_new(e);
    tme_array *x = test_matrix(s, 32, 32, 1), *y = tme_matmul(s, x, x), *far = tme_matmul(s, y, y);
    tme_array *out = tme_matmul(s, far, tme_matmul(s, k ? array_barrier(s, x) : x, x));
    char *said = tme_explain(s, &out, 1, 0);
    assert_non_null(said);
    if (strstr(said, "on cpu: ")) assert_int_equal(times(said, "kernel matmul"), 3 + k);
    if (k) assert_non_null(strstr(said, "= barrier float32 (32, 32) %0\n"));
    tme_string_free(said);
    tme_scope_free(s);
  }
  tme_scope *s = tme_scope_new(e);
  tme_function *f = make(s);
  tme_array *x = small(s, 1), *out[2];
  assert_int_equal(function_apply(s, f, (tme_array *[]){x, x}, 2, out), TME_OK);
  char *said = tme_explain(s, out, 1, 0);
  const char *const words[] = {"of graph 0", "\ngraph 0\n", "\nwithout calls:\n", "tanh"};
  for (int i = 0; i < COUNT(words); i++)
    if (!said || !strstr(said, words[i])) fail_msg("'%s' is not in\n%s", words[i], said);
  tme_string_free(said);
  said = tme_explain(s, out, 1, TME_EXPLAIN_DOT);
  assert_non_null(strstr(said, "subgraph cluster_0 {"));
  tme_string_free(said);
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

static void test_refused(void **unused) {
  (void)unused;
  tme_engine *e = test_engine("cpu"), *other = test_engine("cpu");
  tme_scope *s = tme_scope_new(e), *o = tme_scope_new(other);
  assert_null(array_barrier(s, NULL));
  test_error(s, TME_ERR_ARGUMENT, "barrier: the array is NULL");
  assert_null(array_barrier(s, test_matrix(o, 2, 2, 1)));
  test_error(s, TME_ERR_ARGUMENT, "barrier: the array belongs to another engine");
  tme_function *f = scaled_by(s, true);
  tme_array *foreign = test_matrix(o, 4, 4, 1), *none = NULL, *out;
  assert_int_equal(function_apply(s, f, &none, 1, &out), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "call: operand 0 is NULL");
  assert_int_equal(function_apply(s, f, &foreign, 1, &out), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "call: operand 0 belongs to another engine");
  tme_function_free(f);
  tme_scope_free(s);
  tme_scope_free(o);
  tme_engine_free(e);
  tme_engine_free(other);
}

/* ---- failing allocations ----------------------------------------------------------------------------------------- */

/* Right; or false, and an error that is in the scope. */
static bool scenario(tme_engine *e) {
  tme_scope *s = tme_scope_new(e);
  if (!s) return false;
  tme_array *in = tme_input(s, TME_F32, 2, square), *x = test_matrix(s, 4, 4, -3), *a[2] = {NULL}, *b[2] = {NULL};
  tme_array *out[2] = {tme_add(s, tme_abs(s, in), tme_multiply(s, x, tme_number(s, 0.3))), NULL};
  out[1] = tme_sum(s, out[0], NULL, TME_ALL, false, TME_DTYPE_NONE);
  tme_function *f = in && x && out[0] && out[1] ? tme_compile(s, &in, 1, out, 2) : NULL;
  bool ok = f && function_apply(s, f, &x, 1, a) == TME_OK &&
            function_apply(s, f, (tme_array *[]){array_barrier(s, a[0])}, 1, b) == TME_OK;
  tme_array *y = ok ? tme_add(s, b[0], a[1]) : NULL;
  ok = y && tme_eval(s, y) == TME_OK;
  if (ok) {
    double v = 0;
    tme_array *first = tme_slice(s, y, (int64_t[]){0, 0}, (int64_t[]){1, 1}, NULL);
    ok = first && tme_item(s, first, &v) == TME_OK;
    /* |-3| - 0.9 = 2.1, and again 2.1 - 0.9; the sum of |x| + 0.3 x over -3 ... 12 is 84 + 21.6 */
    if (ok && !(v > 106.79 && v < 106.81)) fail_msg("%g", v);
  }
  if (!ok) assert_int_not_equal(tme_error_code(s), TME_OK);
  tme_function_free(f);
  tme_scope_free(s);
  return ok;
}

static void fail_everywhere(const char *name, bool forever) {
  long live = mem_live();
  for (long k = 1;; k++) {
    mem_fail_at(k, forever);
    tme_engine *e = test_engine(name);
    bool good = e && scenario(e);
    mem_fail_at(0, false);
    bool again = !e || scenario(e); /* the engine is as good as before */
    tme_engine_free(e);
    if (!again) fail_msg("%s: wrong after allocation %ld failed", name, k);
    if (mem_live() != live) fail_msg("%s: %ld allocations lost after number %ld failed", name, mem_live() - live, k);
    if (good && k > 100) break;
    assert_true(k < 20000);
  }
}

static void test_allocations_fail(void **unused) {
  (void)unused;
  for (int forever = 0; forever < 2; forever++) {
    fail_everywhere("nojit", forever);
    fail_everywhere("mock", forever);
    trace_cut_after(2);
    fail_everywhere("reference", forever);
    trace_cut_after(0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_calls),           cmocka_unit_test(test_functions_of_functions),
      cmocka_unit_test(test_graph),           cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_plans),           cmocka_unit_test(test_barriers),
      cmocka_unit_test(test_refused),         cmocka_unit_test(test_barriers_in_functions),
      cmocka_unit_test(test_threads),         cmocka_unit_test(test_explained),
      cmocka_unit_test(test_allocations_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
