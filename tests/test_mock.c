/* ctest: concurrency */
/* Transfers, events and cut regions, through the device that only the tests have. */
#include "base/base.h"
#include "backend/mock/mock.h"
#include "run/engine.h"
#include "run/function.h"
#include "array/node.h"
#include "support/engines.h"
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static tme_engine *engine;
static bool device_compiles; /* the device runs compiled kernels, not the reference's */

static int open_engine(void **state) {
  (void)state;
  engine = test_engine("mock");
  return engine ? 0 : -1;
}

static int close_engine(void **state) {
  (void)state;
  tme_engine_free(engine);
  return 0;
}

static void results_stay_there(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_vector(s, 4, 1), *y = tme_add(s, x, x);
  assert_int_equal(tme_eval(s, y), TME_OK);
  buffer *b = array_buffer(y);
  assert_non_null(b->device);
  assert_string_equal(b->device->name, "mock");
  /* The host cannot read it. */
  assert_memory_not_equal(b->data, ((float[]){2, 4, 6, 8}), 16);
  test_equal(s, y, (float[]){2, 4, 6, 8}, 4);
  assert_ptr_equal(tme_data(s, y), tme_data(s, y));
  test_equal(s, tme_multiply(s, y, y), (float[]){4, 16, 36, 64}, 4);
  tme_scope_free(s);
}

static void views_there(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *y = tme_negative(s, test_matrix(s, 3, 4, 0));
  assert_int_equal(tme_eval(s, y), TME_OK);
  tme_array *v = tme_slice(s, y, (int64_t[]){2, 1}, (int64_t[]){TME_NONE, 4}, (int64_t[]){-2, 2});
  assert_ptr_equal(array_buffer(v), array_buffer(y));
  test_equal(s, v, (float[]){-9, -11, -1, -3}, 4);
  test_equal(s, tme_add(s, v, v), (float[]){-18, -22, -2, -6}, 4);
  float read[4];
  assert_int_equal(tme_read(s, v, read, sizeof read), TME_OK);
  assert_memory_equal(read, ((float[]){-9, -11, -1, -3}), 16);
  tme_scope_free(s);
}

/* tanh and concatenate are not there: the graph is cut, and values go back and forth. */
static void cut_regions(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine), *t;
  tme_engine *plain = test_engine("reference");
  t = tme_scope_new(plain);
  float got[2][16];
  for (int k = 0; k < 2; k++) {
    tme_scope *q = k ? t : s;
    tme_array *x = tme_multiply(q, test_matrix(q, 2, 4, -3), tme_number(q, 0.25));
    tme_array *y = tme_tanh(q, tme_exp(q, x)), *z = tme_add(q, tme_transpose(q, y, NULL, TME_ALL), tme_number(q, 1));
    tme_array *both[] = {tme_tanh(q, tme_transpose(q, z, NULL, TME_ALL)), tme_square(q, x)};
    tme_array *all = tme_negative(q, tme_concatenate(q, both, 2, 0));
    if (!k) {
      char *shown = tme_explain(q, &all, 1, 0);
      assert_non_null(shown);
      assert_non_null(strstr(shown, "tanh is left to cpu: mock has no tanh"));
      assert_non_null(strstr(shown, "region 4"));
      tme_string_free(shown);
    }
    assert_int_equal(tme_read(q, all, got[k], sizeof got[k]), TME_OK);
  }
  for (int i = 0; i < 16; i++) assert_float_equal(got[0][i], got[1][i], 1e-6);
  tme_scope_free(s);
  tme_scope_free(t);
  tme_engine_free(plain);
}

static bool compiles(void) {
  tme_engine *e = test_engine("cpu");
  tme_jit_status st;
  tme_engine_status(e, &st);
  tme_engine_free(e);
  return st.state == TME_JIT_ACTIVE;
}

static void holds(const char *shown, const char *words) {
  if (!strstr(shown, words)) fail_msg("'%s' is not in: %s", words, shown);
}

/* What the device lacks is compiled for the CPU, where there is a compiler, and what that lacks too is left to plain C. */
static void next_in_order(void **state) {
  (void)state;
  for (int jit = 1; jit >= 0; jit--) {
    tme_options o;
    tme_options_init(&o);
    o.backend = "mock";
    o.precision = "float32";
    o.cache_dir = "";
    o.jit = jit ? 1 : -1;
    tme_engine *e = tme_engine_new(&o);
    tme_scope *s = tme_scope_new(e);
    tme_array *x = tme_multiply(s, test_matrix(s, 3, 5, -7), tme_number(s, 0.25));
    tme_array *y = tme_exp(s, tme_tanh(s, tme_add(s, x, x)));
    char *shown = tme_explain(s, &y, 1, 0);
    assert_non_null(shown);
    holds(shown, jit ? "tanh is left to cpu: mock has no tanh" : "tanh is left to nojit: mock has no tanh");
    holds(shown, "region 0 on mock");
    holds(shown, jit ? "region 1 on cpu: tanh" : "region 1 on nojit: tanh");
    holds(shown, "region 2 on mock");
    if (jit) holds(shown, compiles() ? "kernel tanh" : "cpu failed, answered by nojit");
    tme_string_free(shown);
    tme_stats before, after;
    tme_engine_stats(e, &before);
    float got[15];
    assert_int_equal(tme_read(s, y, got, sizeof got), TME_OK);
    for (int i = 0; i < 15; i++) assert_float_equal(got[i], expf(tanhf((float)(i - 7) * 0.5f)), 1e-6);
    tme_engine_stats(e, &after);
    /* add and multiply (one kernel where they are compiled) and exp on the device, tanh elsewhere. */
    bool fused = jit && device_compiles;
    assert_int_equal(after.kernels_run - before.kernels_run, fused ? 3 : 4);
    assert_int_equal(after.compilations, fused ? 3 : jit && compiles());
    assert_int_equal(after.fallbacks, jit && !compiles());
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

/* The reason of each backend that was asked before the one that does it. */
static void every_reason(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  double z[4] = {0.5, 0.25, -1, 2};
  tme_array *y = tme_tanh(s, tme_from(s, TME_C128, 1, (int64_t[]){2}, z));
  char *shown = tme_explain(s, &y, 1, 0);
  assert_non_null(shown);
  holds(
      shown,
      "tanh is left to nojit: mock has no tanh, for the tests; cpu: this function of complex numbers is not compiled");
  tme_string_free(shown);
  assert_int_equal(tme_eval(s, y), TME_OK);
  tme_scope_free(s);
}

static void several_outputs(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *usv[3], *x = tme_add(s, test_matrix(s, 3, 2, 1), tme_number(s, 0.0));
  assert_int_equal(tme_svd(s, x, false, usv), TME_OK);
  tme_array *back = tme_matmul(s, tme_multiply(s, usv[0], usv[1]), usv[2]);
  test_equal(s, tme_round(s, back, 0), (float[]){1, 2, 3, 4, 5, 6}, 6);
  tme_scope_free(s);
}

static void errors_from_there(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  int64_t at = 7;
  tme_array *y = tme_take(s, test_vector(s, 3, 0), tme_from(s, TME_I64, 0, NULL, &at), 0);
  assert_int_equal(tme_eval(s, y), TME_ERR_INDEX);
  test_error(s, TME_ERR_INDEX, "take");
  tme_scope_free(s);
}

static void events(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 32, 32, 0), *y = tme_sum(s, tme_matmul(s, x, x), NULL, TME_ALL, false, TME_DTYPE_NONE);
  tme_event *ev = tme_eval_async(s, &y, 1);
  assert_int_equal(tme_event_wait(ev), TME_OK);
  assert_true(tme_event_done(ev));
  tme_event_free(ev);
  tme_scope_free(s);
}

/* ---- operations that are to run somewhere else --------------------------------------------------------------------- */

static char *shown_of(tme_scope *s, tme_array *a) {
  char *shown = tme_explain(s, &a, 1, 0);
  assert_non_null(shown);
  return shown;
}

static void asked_for(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_vector(s, 3, 1), *half = tme_number(s, 0.5), *y[2];
  /* The same expression with and without the wish: one is not taken for the other. */
  for (int i = 0; i < 4; i++) {
    assert_int_equal(tme_scope_set_device(s, i % 2 ? "cpu" : NULL), TME_OK);
    y[i % 2] = tme_add(s, x, half);
    assert_string_equal(tme_array_device(y[i % 2]), i % 2 ? "cpu" : "mock");
    if (i >= 2) continue;
    test_equal(s, y[i], (float[]){1.5f, 2.5f, 3.5f}, 3);
    assert_string_equal(tme_array_device(y[i]), i ? "cpu" : "mock");
    assert_int_equal(array_buffer(y[i])->device != NULL, !i);
  }
  /* In one graph, with the numbers in between going back and forth. */
  tme_array *low = tme_multiply(s, y[0], y[1]);
  assert_int_equal(tme_scope_set_device(s, "mock"), TME_OK);
  tme_array *all = tme_negative(s, tme_tanh(s, tme_subtract(s, low, y[0])));
  char *shown = shown_of(s, all);
  holds(shown, "add is asked for on cpu");
  holds(shown, "multiply is asked for on cpu");
  holds(shown, "tanh is asked for on mock");
  holds(shown, "tanh is left to cpu: mock has no tanh");
  holds(shown, "negative is asked for on mock");
  holds(shown, "region 5 on mock: negative");
  tme_string_free(shown);
  test_equal(s, tme_multiply(s, all, tme_number(s, 0)), (float[]){-0.0f, -0.0f, -0.0f}, 3);
  test_equal(s, all, (float[]){-0.635149f, -0.998894f, -0.9999997f}, 3);
  tme_scope_free(s);
}

/* What a pass makes of the node, and what a function was compiled of. */
static void wishes_stay(void **state) {
  (void)state;
  tme_options o;
  tme_options_init(&o);
  o.backend = "mock";
  o.precision = "mixed";
  o.cache_dir = "";
  tme_engine *e = tme_engine_new(&o);
  tme_scope *s = tme_scope_new(e);
  tme_array *x = tme_input(s, TME_F32, 2, (int64_t[]){2, 2}), *m = test_matrix(s, 2, 2, 1);
  assert_int_equal(tme_scope_set_device(s, "cpu"), TME_OK);
  tme_array *y = tme_matmul(s, x, x), *z = tme_matmul(s, m, m), *got;
  char *shown = shown_of(s, z);
  holds(shown, "plan: not in the cache, 1 region\n");
  holds(shown, "region 0 on cpu: ");
  tme_string_free(shown);
  tme_function *f = tme_compile(s, &x, 1, &y, 1);
  assert_non_null(f);
  assert_int_equal(tme_call(s, f, &m, 1, &got), TME_OK);
  assert_string_equal(tme_array_device(got), "cpu");
  test_equal(s, got, (float[]){7, 10, 15, 22}, 4);
  /* What is called runs where it asked to, or else where the call is to. */
  assert_int_equal(tme_scope_set_device(s, NULL), TME_OK);
  y = tme_exp(s, x);
  tme_function *anywhere = tme_compile(s, &x, 1, &y, 1);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(tme_scope_set_device(s, i == 1 ? "cpu" : NULL), TME_OK);
    assert_int_equal(function_apply(s, i ? anywhere : f, &m, 1, &got), TME_OK);
    shown = shown_of(s, got);
    holds(shown, i == 2 ? "region 0 on mock: exp" : i ? "region 0 on cpu: exp" : "region 0 on cpu: ");
    holds(shown, ", 1 region\n");
    tme_string_free(shown);
  }
  tme_function_free(anywhere);
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

static void no_such_device(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  assert_int_equal(tme_scope_set_device(NULL, "cpu"), TME_ERR_ARGUMENT);
  assert_int_equal(tme_scope_set_device(s, "cuda"), TME_ERR_DEVICE);
  test_error(s, TME_ERR_DEVICE,
             "scope_set_device: the engine has no device 'cuda', expected one of mock (mock), cpu (cpu), cpu (nojit)");
  assert_string_equal(tme_array_device(tme_exp(s, test_vector(s, 3, 1))), "mock");
  assert_int_equal(tme_scope_set_device(s, "nojit"), TME_OK);
  char *shown = shown_of(s, tme_exp(s, test_vector(s, 3, 1)));
  holds(shown, "exp is asked for on nojit");
  holds(shown, "region 0 on nojit: exp");
  tme_string_free(shown);
  tme_scope_free(s);
}

/* ---- a device that fails: the same call is answered without it --------------------------------------------------- */

static int failures_left;
static tme_status (*real_run)(backend *, executable *, run_args *, error *);
static executable *(*real_prepare)(backend *, const graph *, error *);

static tme_status failing_run(backend *b, executable *x, run_args *a, error *e) {
  return failures_left-- > 0 ? (fail)(e, TME_ERR_DEVICE, "planted in run") : real_run(b, x, a, e);
}

static executable *failing_prepare(backend *b, const graph *g, error *e) {
  if (failures_left-- <= 0) return real_prepare(b, g, e);
  (fail)(e, TME_ERR_JIT, "planted in prepare");
  return NULL;
}

static int count(const char *shown, const char *words) {
  int n = 0;
  for (const char *at = strstr(shown, words); at; at = strstr(at + 1, words)) n++;
  return n;
}

static void fallback(void **state) {
  (void)state;
  for (int where = 0; where < 3; where++) {
    test_log log = {.warnings = 0};
    tme_engine *e = test_engine_logged("mock", &log);
    backend *b = engine_main(e);
    real_run = b->run;
    real_prepare = b->prepare;
    if (where == 0) b->run = failing_run;
    if (where == 1) b->prepare = failing_prepare;
    if (where == 2) mock_fail_next(b, "planted in wait");
    failures_left = 1;
    tme_scope *s = tme_scope_new(e);
    tme_array *x = test_vector(s, 3, 1);
    for (int i = 0; i < 3; i++) {
      tme_array *y = tme_sqrt(s, tme_add(s, x, tme_number(s, 7.5 + i)));
      assert_int_equal(tme_eval(s, y), TME_OK);
      /* The signature keeps its fallback; the device is not tried again. */
      assert_null(array_buffer(y)->device);
    }
    assert_int_equal(count(log.text, "the mock backend failed, cpu answers: planted"), 1);
    if (compiles()) assert_int_equal(log.warnings, 1);
    static const char *const planted[] = {"planted in run", "planted in prepare", "planted in wait"};
    assert_non_null(strstr(log.text, planted[where]));
    assert_non_null(strstr(log.text, "add, sqrt"));
    tme_stats st;
    tme_engine_stats(e, &st);
    assert_int_equal(st.failures, 1 + !compiles()); /* without a compiler the next one answers */
    assert_int_equal(st.fallbacks, 3);
    /* Another signature is not concerned. */
    tme_array *z = tme_negative(s, x);
    assert_int_equal(tme_eval(s, z), TME_OK);
    assert_non_null(array_buffer(z)->device);
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

/* ---- work in flight ---------------------------------------------------------------------------------------------- */

/* The event of an evaluation that was given to the device, which is held: `regions` are with it then. */
static tme_event *start(tme_scope *s, tme_array *a, int regions) {
  tme_event *ev = tme_eval_async(s, &a, 1);
  assert_non_null(ev);
  while (mock_in_flight(engine_main(engine)) < regions) sched_yield();
  while (!array_buffer(a)) sched_yield();
  return ev;
}

/* A second evaluation is given to the device while the first one waits there, and a third that needs both. */
static void evaluations_overlap(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  backend *b = engine_main(engine);
  tme_array *x = test_vector(s, 3, 1), *y = tme_multiply(s, x, x), *z = tme_add(s, x, tme_number(s, 0.5));
  mock_hold(b, true);
  tme_event *first = start(s, y, 1), *second = start(s, z, 2);
  tme_array *sum = tme_add(s, y, z);
  tme_event *third = start(s, sum, 3);
  assert_false(tme_event_done(first) || tme_event_done(second) || tme_event_done(third));
  assert_false(buffer_is_ready(array_buffer(y)));
  assert_string_equal(tme_array_device(y), "mock");
  mock_hold(b, false);
  /* Whoever reads waits. */
  test_equal(s, sum, (float[]){2.5f, 6.5f, 12.5f}, 3);
  assert_true(tme_event_done(first) && tme_event_done(second) && tme_event_done(third));
  test_equal(s, y, (float[]){1, 4, 9}, 3);
  tme_event *events[] = {third, first, second};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(tme_event_wait(events[i]), TME_OK);
    tme_event_free(events[i]);
  }
  tme_scope_free(s);
}

static void *let_go_on(void *b) {
  mock_hold(b, false);
  return NULL;
}

/* What was still in flight is waited for by whoever needs it on the host: a read, another backend, an evaluation that waits. */
static void readers_wait(void **state) {
  (void)state;
  backend *b = engine_main(engine);
  for (int kind = 0; kind < 4; kind++) {
    tme_scope *s = tme_scope_new(engine);
    tme_array *y = tme_negative(s, test_vector(s, 3, 1)), *t = tme_tanh(s, y);
    mock_hold(b, true);
    tme_event *ev = start(s, y, 1);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, let_go_on, b), 0);
    if (kind == 0) test_equal(s, y, (float[]){-1, -2, -3}, 3);
    if (kind == 1) test_equal(s, t, (float[]){-0.7615942f, -0.9640276f, -0.9950548f}, 3);
    if (kind == 2) assert_int_equal(tme_eval(s, y), TME_OK);
    if (kind == 3) tme_event_wait(ev);
    assert_true(buffer_is_ready(array_buffer(y)));
    pthread_join(other, NULL);
    tme_event_free(ev);
    tme_scope_free(s);
  }
}

/* Everything but the event is gone when the device begins. */
static void freed_in_flight(void **state) {
  (void)state;
  backend *b = engine_main(engine);
  tme_scope *s = tme_scope_new(engine);
  mock_hold(b, true);
  tme_event *ev = start(s, tme_exp(s, tme_add(s, test_vector(s, 5, 0), tme_number(s, 0.125))), 1);
  tme_scope_free(s);
  assert_int_equal(tme_engine_clear_cache(engine, false), TME_OK);
  mock_hold(b, false);
  tme_event_free(ev);
}

/* The same without the engine between: nothing waits before the device is closed. */
static void closed_in_flight(void **state) {
  (void)state;
  tme_engine *e = test_engine("mock");
  backend *b = engine_main(e);
  graph *g = graph_new(1);
  op_type t = {.dtype = TME_F32, .rank = 1, .shape = {4}};
  g->root[0] = graph_un(g, OP_exp, graph_leaf(g, &t, (int64_t[]){1}, 0));
  error err = {.code = TME_OK};
  executable *x = b->prepare(b, g, &err);
  assert_non_null(x);
  array_view in = {.dtype = TME_F32, .rank = 1, .shape = {4}, .strides = {1}}, out = in;
  buffer *host = pool_get(e->context.pool, 16);
  memset(host->data, 0, 16);
  in.buf = b->alloc(b, 16, &err);
  mock_hold(b, true);
  assert_int_equal(b->upload(b, in.buf, host, 0, 16, &err), TME_OK);
  buffer_release(host);
  run_args a = {.in = &in, .out = &out};
  assert_int_equal(b->run(b, x, &a, &err), TME_OK);
  assert_false(buffer_is_ready(out.buf));
  assert_int_equal(mock_in_flight(b), 1);
  buffer_release(in.buf);
  buffer_release(out.buf);
  b->free_executable(b, x);
  graph_free(g);
  tme_engine_free(e);
}

/* A failure that shows when the result is out already reaches everybody who needs it, by the name of its operations; from
 * then on the next backend does them. */
static void late_failure(void **state) {
  (void)state;
  test_log log = {.warnings = 0};
  tme_engine *e = test_engine_logged("mock", &log), *shared = engine;
  backend *b = engine_main(e);
  engine = e;
  tme_scope *s = tme_scope_new(e);
  tme_array *x = test_vector(s, 3, 1), *y = tme_sqrt(s, tme_multiply(s, x, x)), *z = tme_negative(s, y);
  tme_array *far = tme_tanh(s, y);
  mock_hold(b, true);
  mock_fail_next(b, "planted");
  tme_event *ev = start(s, y, 1), *next = start(s, z, 2);
  mock_hold(b, false);
  static const char why[] = "multiply, sqrt: the mock backend failed: planted";
  assert_int_equal(tme_event_wait(ev), TME_ERR_DEVICE);
  test_error(s, TME_ERR_DEVICE, why);
  assert_int_equal(tme_event_wait(next), TME_ERR_DEVICE);
  test_error(s, TME_ERR_DEVICE, why);
  float got[3];
  tme_array *readers[] = {y, z, far};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(tme_read(s, readers[i], got, sizeof got), TME_ERR_DEVICE);
    test_error(s, TME_ERR_DEVICE, why);
  }
  tme_event_free(ev);
  tme_event_free(next);
  /* It is the failed region's backend that is given up, not that of its readers. */
  tme_stats st;
  tme_engine_stats(e, &st);
  if (compiles()) assert_int_equal(st.failures, 1);
  assert_int_equal(count(log.text, "the mock backend failed, cpu answers: planted"), 1);
  tme_array *again = tme_sqrt(s, tme_multiply(s, x, x)), *more = tme_negative(s, again);
  test_equal(s, more, (float[]){-1, -2, -3}, 3);
  test_equal(s, again, (float[]){1, 2, 3}, 3);
  assert_null(array_buffer(again)->device);
  tme_scope_free(s);
  tme_engine_free(e);
  engine = shared;
}

/* What the operation itself finds wrong with its operands is told in its own words. */
static void errors_in_flight(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_event *ev[2];
  tme_array *x = tme_from(s, TME_I64, 0, NULL, &(int64_t){9}), *y = tme_take(s, test_vector(s, 3, 0), x, 0);
  tme_array *z = tme_negative(s, y);
  mock_hold(engine_main(engine), true);
  ev[0] = start(s, y, 1);
  ev[1] = start(s, z, 2);
  mock_hold(engine_main(engine), false);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(tme_event_wait(ev[i]), TME_ERR_INDEX);
    test_error(s, TME_ERR_INDEX, "take");
    tme_event_free(ev[i]);
  }
  tme_scope_free(s);
}

/* A run of compiled kernels in which one allocation fails is right or an error, and loses nothing. */
static void allocations_of_a_run_fail(void **state) {
  (void)state;
  tme_engine *e = test_engine("mock");
  tme_scope *s = tme_scope_new(e);
  tme_array *x = tme_input(s, TME_F32, 2, (int64_t[]){3, 3}), *m = test_matrix(s, 3, 3, 0);
  tme_array *at = tme_from(s, TME_I64, 1, (int64_t[]){2}, (int64_t[]){2, 0});
  tme_array *rows = tme_take(s, tme_matmul(s, x, tme_add(s, x, tme_number(s, 0.5))), at, 0);
  tme_array *out[] = {tme_sum(s, rows, (int[]){1}, 1, false, TME_DTYPE_NONE),
                      tme_concatenate(s, (tme_array *[]){rows, x}, 2, 0)},
            *got[2];
  tme_function *f = tme_compile(s, &x, 1, out, 2);
  assert_non_null(f);
  int failed = 0;
  for (long k = 1, right = 0; right < 3 && k < 1000; k++) {
    tme_scope *t = tme_scope_new(e);
    tme_clear_error(t);
    mem_fail_at(k, false);
    tme_status st = tme_call(t, f, &m, 1, got);
    mem_fail_at(0, false);
    right = st == TME_OK ? right + 1 : 0;
    failed += st != TME_OK;
    if (st == TME_OK) test_equal(t, got[0], (float[]){301.5f, 58.5f}, 2);
    if (st != TME_OK) assert_int_equal(st, TME_ERR_MEMORY);
    tme_scope_free(t);
  }
  assert_true(failed > 0);
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(results_stay_there),
      cmocka_unit_test(views_there),
      cmocka_unit_test(cut_regions),
      cmocka_unit_test(next_in_order),
      cmocka_unit_test(every_reason),
      cmocka_unit_test(several_outputs),
      cmocka_unit_test(errors_from_there),
      cmocka_unit_test(events),
      cmocka_unit_test(asked_for),
      cmocka_unit_test(wishes_stay),
      cmocka_unit_test(no_such_device),
      cmocka_unit_test(fallback),
      cmocka_unit_test(evaluations_overlap),
      cmocka_unit_test(readers_wait),
      cmocka_unit_test(freed_in_flight),
      cmocka_unit_test(closed_in_flight),
      cmocka_unit_test(late_failure),
      cmocka_unit_test(errors_in_flight),
      cmocka_unit_test(allocations_of_a_run_fail),
  };
  int failed = cmocka_run_group_tests(tests, open_engine, close_engine);
  if (!compiles()) return failed;
  mock_compiled(device_compiles = true);
  return failed + cmocka_run_group_tests_name("compiled kernels", tests, open_engine, close_engine);
}
