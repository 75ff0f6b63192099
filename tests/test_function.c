/* tme_compile and tme_call.
 * ctest: concurrency */
#include "run/trace.h"
#include "support/engines.h"
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const int64_t square[] = {4, 4};

/* x y + x and its sum; the number and the array c are taken in. */
static tme_function *make(tme_scope *s) {
  tme_array *in[2], *out[2], *c = test_matrix(s, 4, 4, 3);
  for (int i = 0; i < 2; i++) in[i] = tme_input(s, TME_F32, 2, square);
  out[0] = tme_add(s, tme_matmul(s, in[0], in[1]), tme_multiply(s, c, tme_number(s, 0.25)));
  out[1] = tme_sum(s, out[0], NULL, TME_ALL, false, TME_DTYPE_NONE);
  return tme_compile(s, in, 2, out, 2);
}

static void expect(tme_scope *s, tme_array *x, tme_array *y, tme_array *const *got) {
  tme_array *c = test_matrix(s, 4, 4, 3), *want[2];
  want[0] = tme_add(s, tme_matmul(s, x, y), tme_multiply(s, c, tme_number(s, 0.25)));
  want[1] = tme_sum(s, want[0], NULL, TME_ALL, false, TME_DTYPE_NONE);
  assert_int_equal(tme_eval_all(s, want, 2), TME_OK);
  for (int i = 0; i < 2; i++) {
    size_t bytes = (size_t)tme_array_size(want[i]) * sizeof(float);
    assert_int_equal(tme_array_size(got[i]), tme_array_size(want[i]));
    assert_memory_equal(tme_data(s, got[i]), tme_data(s, want[i]), bytes);
  }
}

static void same_as_eval_on(const char *name) {
  tme_engine *e = test_engine(name);
  tme_scope *s = tme_scope_new(e), *t = tme_scope_new(e);
  tme_function *f = make(s);
  if (!f) fail_msg("%s: %s", name, tme_error(s));
  tme_scope_free(s); /* the function needs nothing of it */
  tme_array *x = test_matrix(t, 4, 4, 1), *y = test_matrix(t, 4, 4, 2), *out[2];
  tme_array *values[][2] = {{x, y},
                            {y, x},
                            {x, x},
                            {tme_transpose(t, x, NULL, TME_ALL), tme_flip(t, y, NULL, TME_ALL)},
                            {tme_add(t, x, y), tme_broadcast_to(t, tme_full(t, NULL, 0, 2, TME_F32), square, 2)}};
  for (int i = 0; i < COUNT(values); i++) {
    assert_int_equal(tme_call(t, f, values[i], 2, out), TME_OK);
    expect(t, values[i][0], values[i][1], out);
  }
  tme_function_free(f);
  tme_scope_free(t);
  tme_engine_free(e);
}

static void same_as_eval(void **state) {
  (void)state;
  for (int nodes = 0; nodes < 4; nodes++) { /* of a plan: the function has several */
    trace_cut_after(nodes);
    same_as_eval_on("cpu");
    same_as_eval_on("nojit");
    same_as_eval_on("reference");
    same_as_eval_on("mock");
  }
  trace_cut_after(0);
}

static void bad_functions(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu"), *other = test_engine("cpu");
  tme_scope *s = tme_scope_new(e), *o = tme_scope_new(other);
  tme_array *x = tme_input(s, TME_F32, 2, square), *z = tme_input(s, TME_F32, 2, square), *v = test_matrix(s, 4, 4, 1);
  tme_array *y = tme_add(s, x, z), *done = tme_negative(s, v), *foreign = tme_input(o, TME_F32, 2, square);
  assert_int_equal(tme_eval(s, done), TME_OK);
  assert_null(tme_input(s, TME_F32, 2, (int64_t[]){2, -1}));
  test_error(s, tme_error_code(s), "input: dimension 1 is negative");
  assert_null(tme_compile(s, &x, 1, &y, 1));
  test_error(s, tme_error_code(s), "an input that is not in the list");
  assert_null(tme_compile(s, (tme_array *[]){x, x}, 2, &y, 1));
  test_error(s, tme_error_code(s), "input 1 is given twice");
  assert_null(tme_compile(s, (tme_array *[]){x, v}, 2, &y, 1));
  test_error(s, tme_error_code(s), "input 1 has a value");
  assert_null(tme_compile(s, &x, 1, &done, 1));
  test_error(s, tme_error_code(s), "output 0 is computed already");
  assert_null(tme_compile(s, &x, 1, &x, 1));
  test_error(s, tme_error_code(s), "output 0 is an input");
  assert_null(tme_compile(s, &x, 1, NULL, 0));
  test_error(s, tme_error_code(s), "no outputs");
  assert_null(tme_compile(s, &foreign, 1, &y, 1));
  test_error(s, tme_error_code(s), "another engine");
  assert_null(tme_compile(s, (tme_array *[]){NULL}, 1, &y, 1));
  test_error(s, tme_error_code(s), "NULL");
  assert_null(tme_compile(NULL, &x, 1, &y, 1));
  tme_function_free(NULL);
  /* What depends on an input has no value; the rest has. */
  assert_int_equal(tme_eval(s, y), TME_ERR_NO_VALUE);
  test_error(s, tme_error_code(s), "an input of tme_compile has no value");
  assert_int_equal(tme_eval(s, x), TME_ERR_NO_VALUE);
  test_error(s, tme_error_code(s), "an input of tme_compile has no value");
  assert_null(tme_data(s, tme_sum(s, y, NULL, TME_ALL, false, TME_DTYPE_NONE)));
  test_error(s, tme_error_code(s), "an input of tme_compile has no value");
  tme_event *ev = tme_eval_async(s, &y, 1);
  assert_int_equal(tme_event_wait(ev), TME_ERR_NO_VALUE);
  tme_event_free(ev);
  tme_clear_error(s);
  char *said = tme_explain(s, &y, 1, 0);
  assert_non_null(said);
  tme_string_free(said);
  tme_function *f = tme_compile(s, (tme_array *[]){x, z}, 2, &y, 1);
  assert_non_null(f);
  tme_array *out = x;
  assert_int_equal(tme_call(s, f, &v, 1, &out), TME_ERR_ARGUMENT);
  assert_null(out);
  test_error(s, tme_error_code(s), "call: 1 input, the function has 2");
  assert_int_equal(tme_call(s, f, (tme_array *[]){v, test_matrix(s, 2, 4, 1)}, 2, &out), TME_ERR_SHAPE);
  test_error(s, tme_error_code(s), "call: input 1 is float32 (2, 4), the function was compiled for float32 (4, 4)");
  assert_int_equal(tme_call(s, f, (tme_array *[]){v, tme_astype(s, v, TME_F64)}, 2, &out), TME_ERR_DTYPE);
  test_error(s, tme_error_code(s), "call: input 1 is float64");
  assert_int_equal(tme_call(s, f, (tme_array *[]){v, z}, 2, &out), TME_ERR_NO_VALUE);
  test_error(s, tme_error_code(s), "an input of tme_compile has no value");
  assert_int_equal(tme_call(s, NULL, &v, 1, &out), TME_ERR_ARGUMENT);
  test_error(s, tme_error_code(s), "the function is NULL");
  tme_array *w = test_matrix(o, 4, 4, 1);
  assert_int_equal(tme_call(o, f, (tme_array *[]){w, w}, 2, &out), TME_ERR_ARGUMENT);
  test_error(o, tme_error_code(o), "belongs to another engine");
  assert_int_equal(tme_call(s, f, (tme_array *[]){v, v}, 2, &out), TME_OK);
  tme_function_free(f);
  tme_scope_free(s);
  tme_scope_free(o);
  tme_engine_free(e);
  tme_engine_free(other);
}

/* Whatever fails, and wherever: no output is left as it was, half of them set, or set to what is gone. */
static void outputs_of_failures(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu"), *other = test_engine("cpu");
  tme_scope *s = tme_scope_new(e), *o = tme_scope_new(other);
  tme_function *f = make(s);
  tme_array *v = test_matrix(s, 4, 4, 1), *small = test_matrix(s, 2, 4, 1), *foreign = test_matrix(o, 4, 4, 1);
  tme_array *input = tme_input(s, TME_F32, 2, square), *none = NULL;
  const struct {
    tme_scope *s;
    tme_array *in[2], *const *list;
    int n;
  } rejected[] = {
      {s, {v}, .n = 1},           {s, {v, v}, .n = 1000},  {s, {v, v}, .n = -1},
      {s, .list = &none, .n = 0}, {s, {v, NULL}, .n = 2},  {s, {v, small}, .n = 2},
      {s, {v, foreign}, .n = 2},  {s, {v, input}, .n = 2}, {o, {foreign, foreign}, .n = 2},
      {NULL, {v, v}, .n = 2},
  };
  for (int i = 0; i < COUNT(rejected); i++) {
    tme_array *out[3] = {v, v, v};
    tme_array *const *list = rejected[i].list ? rejected[i].list : rejected[i].in;
    assert_int_not_equal(tme_call(rejected[i].s, f, list, rejected[i].n, out), TME_OK);
    if (out[0] || out[1]) fail_msg("rejected inputs %d leave outputs", i);
    assert_ptr_equal(out[2], v);
    tme_clear_error(s);
    tme_clear_error(o);
  }
  tme_array *out[2] = {v, v};
  assert_int_equal(tme_call(s, f, NULL, 2, out), TME_ERR_ARGUMENT);
  assert_true(!out[0] && !out[1]);
  tme_clear_error(s);
  /* The state of a recurrence: the list of results is that of the inputs. */
  tme_array *state_of[2] = {v, v};
  assert_int_equal(tme_call(s, f, state_of, 2, state_of), TME_OK);
  expect(s, v, v, state_of);
  tme_function_free(f);
  tme_scope_free(s);
  tme_scope_free(o);
  tme_engine_free(e);
  tme_engine_free(other);
}

static void outputs_of_numeric_failures(void **state) {
  (void)state;
  tme_options o;
  tme_options_init(&o);
  o.cache_dir = "";
  for (int quiet = 0; quiet < 2; quiet++) {
    o.quiet_numeric = quiet;
    tme_engine *e = tme_engine_new(&o);
    tme_scope *s = tme_scope_new(e);
    tme_array *x = tme_input(s, TME_F32, 2, square), *two[3];
    assert_int_equal(tme_svd(s, x, false, two), TME_OK);
    two[2] = tme_add(s, x, x);
    tme_function *f = tme_compile(s, &x, 1, two, 3);
    assert_non_null(f);
    tme_array *bad = tme_full(s, square, 2, NAN, TME_F32), *good = test_matrix(s, 4, 4, 1), *out[3] = {bad, bad, bad};
    assert_int_equal(tme_call(s, f, &bad, 1, out), quiet ? TME_OK : TME_ERR_NUMERIC);
    for (int i = 0; i < 3; i++) assert_true(quiet ? out[i] && out[i] != bad : !out[i]);
    tme_clear_error(s);
    assert_int_equal(tme_call(s, f, &good, 1, out), TME_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(tme_eval(s, out[i]), TME_OK);
    tme_function_free(f);
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

/* tme_apply and the operations with several outputs. */
static void outputs_of_operations(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  tme_array *v = test_vector(s, 4, 1), *m = test_matrix(s, 4, 4, 1), *out[3];
  const tme_arg good = {.kind = TME_ARG_ARRAY, .u.array = m}, bad = {.kind = TME_ARG_ARRAY, .u.array = v};
  const struct {
    tme_scope *s;
    const char *op;
    const tme_arg *args;
    int nargs, outputs;
  } rows[] = {{s, "svd", &bad, 1, 3},      {s, "svd", &good, -1, 3}, {s, "svd", NULL, 1, 3},
              {s, "svd", NULL, 0, 3},      {s, "svd", &good, 99, 3}, {NULL, "svd", &good, 1, 3},
              {s, "nothing", &good, 1, 1}, {s, NULL, &good, 1, 1},   {NULL, "add", &good, 1, 1},
              {s, "add", &good, 1, 1}};
  for (int i = 0; i < COUNT(rows); i++) {
    for (int k = 0; k < 3; k++) out[k] = v;
    assert_int_not_equal(tme_apply(rows[i].s, rows[i].op, rows[i].args, rows[i].nargs, out), TME_OK);
    for (int k = 0; k < 3; k++)
      if ((out[k] == NULL) != (k < rows[i].outputs)) fail_msg("row %d, output %d", i, k);
    tme_clear_error(s);
  }
  for (int k = 0; k < 3; k++) out[k] = v;
  assert_int_equal(tme_svd(NULL, m, false, out), TME_ERR_ARGUMENT);
  assert_true(!out[0] && !out[1] && !out[2]);
  assert_int_equal(tme_apply(s, "svd", &good, 1, NULL), TME_ERR_ARGUMENT);
  tme_scope_free(s);
  tme_engine_free(e);
}

typedef struct shared {
  tme_engine *e;
  tme_function *f;
} shared;

static void *call_often(void *user) {
  const shared *h = user;
  for (int i = 0; i < 200; i++) {
    tme_scope *s = tme_scope_new(h->e);
    tme_array *x = test_matrix(s, 4, 4, (float)(1 + i % 3)), *out[2];
    if (tme_call(s, h->f, (tme_array *[]){x, x}, 2, out) != TME_OK) return (void *)1;
    if (i % 50 == 0) expect(s, x, x, out);
    tme_scope_free(s);
  }
  return NULL;
}

static void from_several_threads(void **state) {
  (void)state;
  shared h = {.e = test_engine("cpu")};
  tme_scope *s = tme_scope_new(h.e);
  h.f = make(s);
  pthread_t id[4];
  for (int i = 0; i < COUNT(id); i++) assert_int_equal(pthread_create(&id[i], NULL, call_often, &h), 0);
  for (int i = 0; i < COUNT(id); i++) {
    void *bad = NULL;
    pthread_join(id[i], &bad);
    assert_null(bad);
  }
  tme_function_free(h.f);
  tme_scope_free(s);
  tme_engine_free(h.e);
}

/* The code may be dropped from the caches between calls. */
static void without_caches(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  tme_function *f = make(s);
  tme_array *x = test_matrix(s, 4, 4, 1), *out[2];
  assert_int_equal(tme_engine_clear_cache(e, false), TME_OK);
  assert_int_equal(tme_call(s, f, (tme_array *[]){x, x}, 2, out), TME_OK);
  expect(s, x, x, out);
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

static void allocations_fail_in(int nodes_of_a_plan) {
  trace_cut_after(nodes_of_a_plan);
  tme_engine *e = test_engine("nojit");
  tme_scope *warm = tme_scope_new(e);
  tme_function_free(make(warm));
  tme_scope_free(warm);
  tme_engine_clear_cache(e, false);
  for (long k = 1;; k++) {
    long live = mem_live();
    mem_fail_at(k, false);
    tme_scope *s = tme_scope_new(e);
    tme_function *f = s ? make(s) : NULL;
    tme_array *x = test_matrix(s, 4, 4, 1), *out[2] = {x, x};
    bool called = f && x, ok = called && tme_call(s, f, (tme_array *[]){x, x}, 2, out) == TME_OK;
    mem_fail_at(0, false);
    if (ok) expect(s, x, x, out);
    if (called && !ok && (out[0] || out[1])) fail_msg("outputs are left after allocation %ld failed", k);
    if (!ok && s && (!f || x)) assert_int_not_equal(tme_error_code(s), TME_OK);
    tme_function_free(f);
    tme_scope_free(s);
    tme_engine_clear_cache(e, false);
    tme_engine_trim(e);
    if (mem_live() > live + 24) fail_msg("%ld allocations more after allocation %ld failed", mem_live() - live, k);
    if (ok && k > 200) break;
  }
  tme_engine_free(e);
  assert_int_equal(mem_live(), 0);
  trace_cut_after(0);
}

static void allocations_fail(void **state) {
  (void)state;
  allocations_fail_in(0);
  allocations_fail_in(2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_as_eval),          cmocka_unit_test(bad_functions),
      cmocka_unit_test(outputs_of_failures),   cmocka_unit_test(outputs_of_numeric_failures),
      cmocka_unit_test(outputs_of_operations), cmocka_unit_test(from_several_threads),
      cmocka_unit_test(without_caches),        cmocka_unit_test(allocations_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
