/* Graphs of thousands of operations: the time that they take to plan and to run grows as they do, and those that are too
 * large for one plan are computed in several, by tme_eval and by tme_compile. */
#include "support/engines.h"
#include "support/matrix.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

/* ---- time in proportion to the graph ----------------------------------------------------------------------------- */

enum {
  SIDE = 4,
  FEW = 2000,
  MANY = 4 * FEW,
  MOST_TIMES = 8
}; /* nodes; four times as many take less than so many times */
static const int64_t square[] = {SIDE, SIDE};

/* A graph of about n operations over an input x. */
typedef tme_array *build_fn(tme_scope *s, tme_array *x, int n);

static tme_array *layer(tme_scope *s, tme_array *x, tme_array *w) {
  return tme_softmax(s, tme_relu(s, tme_add(s, tme_matmul(s, x, w), w)), (int[]){-1}, 1);
}

static tme_array *chain(tme_scope *s, tme_array *x, int n) {
  tme_array *w = x;
  for (int i = 0; i < n / 4; i++) x = layer(s, x, w);
  return x;
}

/* Every layer has weights of its own, and its result is added to what it was given. */
static tme_array *residual(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n / 5; i++) x = tme_add(s, x, layer(s, x, test_matrix(s, SIDE, SIDE, (float)i)));
  return x;
}

/* Independent branches, joined at the end. */
static tme_array *branches(tme_scope *s, tme_array *x, int n) {
  tme_array *sum = x;
  for (int i = 0; i < n / 5; i++) sum = tme_add(s, sum, layer(s, tme_multiply(s, x, tme_number(s, i)), x));
  return sum;
}

/* All products come first; what follows them element by element comes last, in the reverse order. */
static tme_array *far_epilogues(tme_scope *s, tme_array *x, int n) {
  int count = n / 3;
  tme_array **y = malloc(sizeof(tme_array *) * (size_t)count), *sum = NULL;
  assert_non_null(y);
  for (int i = 0; i < count; i++) y[i] = tme_matmul(s, i ? y[i - 1] : x, x);
  for (int i = count - 1; i >= 0; i--) sum = tme_tanh(s, sum ? tme_add(s, y[i], sum) : y[i]);
  free(y);
  return sum;
}

/* Reductions of one array along other axes than its own rows. */
static tme_array *reductions(tme_scope *s, tme_array *x, int n) {
  tme_array *sum = x;
  for (int i = 0; i < n / 3; i++) {
    tme_array *scaled = tme_multiply(s, x, tme_number(s, i));
    sum = tme_add(s, sum,
                  i % 2 ? tme_sum(s, x, &(int){0}, 1, false, TME_DTYPE_NONE) : tme_max(s, scaled, &(int){1}, 1, true));
  }
  return sum;
}

/* Calls of the library, which some backends leave to others: as many regions. */
static tme_array *library_calls(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n / 3; i++) x = tme_tanh(s, tme_add(s, x, tme_svdvals(s, x)));
  return x;
}

/* Processor time, as others have the machine, too: of the process, which may plan on another thread, or of this thread. */
static double cpu_ms(clockid_t clock) {
  struct timespec t;
  assert_int_equal(clock_gettime(clock, &t), 0);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Lowers the least times so far of planning and of calling, with the code in the cache. The cache of plans holds one. */
static void measure(tme_engine *e, build_fn *build, int n, double *plan, double *call) {
  enum { PLANS = 3, CALLS = 5 };
  for (int i = 0; i <= PLANS; i++) {
    tme_scope *s = tme_scope_new(e);
    tme_array *x = tme_input(s, TME_F32, 2, square), *y = build(s, x, n), *value = test_matrix(s, SIDE, SIDE, 1);
    double begin = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
    tme_function *f = tme_compile(s, &x, 1, &y, 1);
    double ms = cpu_ms(CLOCK_PROCESS_CPUTIME_ID) - begin;
    if (!f) fail_msg("%s", tme_error(s));
    if (i && ms < *plan) *plan = ms;
    for (int k = 0; k < CALLS; k++) {
      tme_array *out;
      begin = cpu_ms(CLOCK_THREAD_CPUTIME_ID);
      assert_int_equal(tme_call(s, f, &value, 1, &out), TME_OK);
      ms = cpu_ms(CLOCK_THREAD_CPUTIME_ID) - begin;
      if (k && ms < *call) *call = ms;
    }
    tme_function_free(f);
    assert_int_equal(tme_eval(s, tme_negative(s, value)), TME_OK); /* its plan takes the place of this one */
    tme_scope_free(s);
  }
}

/* More than in proportion, and more than so many ms. */
static bool too_long(const double ms[2], double little) { return ms[1] > (double)MOST_TIMES * ms[0] && ms[1] > little; }

static void in_proportion(void **state) {
  (void)state;
  static const struct {
    const char *name, *backend;
    build_fn *build;
  } graphs[] = {{"chain", "cpu", chain},           {"residual", "cpu", residual},
                {"branches", "cpu", branches},     {"epilogues", "cpu", far_epilogues},
                {"reductions", "cpu", reductions}, {"library calls", "cpu", library_calls},
                {"regions", "mock", library_calls}};
  for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
    tme_options o;
    tme_options_init(&o);
    o.backend = graphs[i].backend;
    o.cache_dir = "";
    o.threads = 1;
    o.plan_entries = 1;
    tme_engine *e = tme_engine_new(&o);
    assert_non_null(e);
    double plan[2] = {1e30, 1e30}, call[2] = {1e30, 1e30};
    /* Whoever has the caches meanwhile makes what is linear look worse, and never what is not look better. */
    int less = sanitized() ? 4 : 1; /* times */
    for (int tries = 0; tries < 3 && (!tries || too_long(plan, 100) || too_long(call, (double)MANY * 1e-3)); tries++)
      for (int k = 0; k < 2; k++) measure(e, graphs[i].build, (k ? MANY : FEW) / less, &plan[k], &call[k]);
    print_message("%-13s planned in %6.1f and %6.1f ms, called in %6.3f and %6.3f ms\n", graphs[i].name, plan[0],
                  plan[1], call[0], call[1]);
    if (too_long(plan, 100)) /* less may be page faults alone */
      fail_msg("%s: four times the graph takes %.1f times as long to plan", graphs[i].name, plan[1] / plan[0]);
    /* The tables of the shorter graph fit the second cache: a call of the longer one may wait for the third. */
    if (too_long(call, (double)MANY * 1e-3))
      fail_msg("%s: four times the graph takes %.1f times as long to call", graphs[i].name, call[1] / call[0]);
    tme_engine_free(e);
  }
}

/* ---- graphs too large for one plan ------------------------------------------------------------------------------- */

enum { STEPS = 6000, SIZE = 6 }; /* 24000 operations: two plans */

/* In integers, so that the values are exact: h = 3 h + x - before, the elements in turn reversed. `early` is a value that
 * the first plan makes, and the last one reads. */
static void recurrence(tme_scope *s, tme_array *x, tme_array *constant, tme_array *out[3]) {
  tme_array *h = x, *before = constant, *early = NULL;
  for (int i = 0; i < STEPS; i++) {
    tme_array *next = tme_subtract(s, tme_add(s, tme_multiply(s, h, tme_integer(s, 3)), x), before);
    before = h;
    h = i % 2 ? tme_flip(s, next, NULL, TME_ALL) : tme_bitwise_xor(s, next, constant);
    if (i == 100) early = h;
  }
  out[0] = tme_add(s, h, early);
  out[1] = early;
  out[2] = tme_flip(s, tme_reshape(s, h, (int64_t[]){2, SIZE / 2}, 2), (int[]){1}, 1);
}

static void expected(const uint64_t *x, const uint64_t *constant, uint64_t out[3][SIZE]) {
  uint64_t h[SIZE], before[SIZE], early[SIZE] = {0}, next[SIZE];
  memcpy(h, x, sizeof h);
  memcpy(before, constant, sizeof before);
  for (int i = 0; i < STEPS; i++) {
    for (int k = 0; k < SIZE; k++) next[k] = 3 * h[k] + x[k] - before[k];
    memcpy(before, h, sizeof before);
    for (int k = 0; k < SIZE; k++) h[k] = i % 2 ? next[SIZE - 1 - k] : next[k] ^ constant[k];
    if (i == 100) memcpy(early, h, sizeof early);
  }
  for (int k = 0; k < SIZE; k++) {
    out[0][k] = h[k] + early[k];
    out[1][k] = early[k];
    out[2][k] = h[k / 3 * 3 + 2 - k % 3];
  }
}

static void fill_row(uint64_t *v, uint64_t start) {
  for (uint64_t k = 0; k < SIZE; k++) v[k] = start + k * k;
}

static tme_array *integers(tme_scope *s, const uint64_t *v) { return tme_from(s, TME_U64, 1, (int64_t[]){SIZE}, v); }

static void check(tme_scope *s, tme_array *const *got, uint64_t want[3][SIZE]) {
  for (int i = 0; i < 3; i++) {
    const void *data = tme_data(s, got[i]);
    if (!data) fail_msg("%s", tme_error(s));
    assert_memory_equal(data, want[i], sizeof want[i]);
  }
}

static void several_plans_on(const char *backend) {
  tme_engine *e = test_engine(backend);
  tme_scope *s = tme_scope_new(e);
  uint64_t x[SIZE], constant[SIZE], want[3][SIZE];
  fill_row(constant, 7);
  tme_array *in = tme_input(s, TME_U64, 1, (int64_t[]){SIZE}), *out[3];
  recurrence(s, in, integers(s, constant), out);
  tme_function *f = tme_compile(s, &in, 1, out, 3);
  if (!f) fail_msg("%s", tme_error(s));
  tme_scope_free(s);
  s = tme_scope_new(e);
  tme_array *value = NULL;
  for (uint64_t i = 0; i < 3; i++) {
    fill_row(x, i);
    expected(x, constant, want);
    value = integers(s, x);
    assert_int_equal(tme_call(s, f, &value, 1, out), TME_OK);
    check(s, out, want);
  }
  recurrence(s, value, integers(s, constant), out);
  assert_int_equal(tme_eval_all(s, out, 3), TME_OK);
  check(s, out, want);
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

static void several_plans(void **state) {
  (void)state;
  several_plans_on("cpu");
  several_plans_on("nojit");
  several_plans_on("mock");
}

/* Of many results each plan makes as many as it can. */
static void many_results(void **state) {
  (void)state;
  enum { RESULTS = 24000 };
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  tme_array *in = tme_input(s, TME_F32, 1, (int64_t[]){2}), *x = test_vector(s, 2, 1);
  tme_array **y = malloc(2 * RESULTS * sizeof(tme_array *));
  assert_non_null(y);
  for (int compiled = 0; compiled < 2; compiled++) {
    for (int i = 0; i < RESULTS; i++)
      y[i] = tme_multiply(s, tme_add(s, compiled ? in : x, tme_number(s, i)), tme_integer(s, 2));
    tme_stats before, after;
    tme_engine_stats(e, &before);
    if (compiled) {
      tme_function *f = tme_compile(s, &in, 1, y, RESULTS);
      if (!f) fail_msg("%s", tme_error(s));
      assert_int_equal(tme_call(s, f, &x, 1, y), TME_OK);
      tme_function_free(f);
    } else {
      assert_int_equal(tme_eval_all(s, y, RESULTS), TME_OK);
    }
    tme_engine_stats(e, &after);
    assert_in_range(after.plan_misses - before.plan_misses + after.plan_hits - before.plan_hits, 3, 4);
    for (int i = 0; i < RESULTS; i++) {
      const float *v = tme_data(s, y[i]);
      if (v[0] != (float)(2 * (i + 1)) || v[1] != (float)(2 * (i + 2))) fail_msg("result %d: %g %g", i, v[0], v[1]);
    }
  }
  free(y);
  tme_scope_free(s);
  tme_engine_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(in_proportion), cmocka_unit_test(several_plans),
                                     cmocka_unit_test(many_results)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
