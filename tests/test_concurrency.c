/* ctest: concurrency */
/* Several threads, one engine: shared graphs, asynchronous evaluation, cancelling. */
#include "base/base.h"
#include "support/engines.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 60, LENGTH = 1000 };

static const char *const backends[] = {"nojit", "mock", "auto"};

static void run_threads(void *(*fn)(void *), void *user) {
  pthread_t id[THREADS];
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&id[i], NULL, fn, user), 0);
  for (int i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(id[i], &result);
    assert_null(result);
  }
}

typedef struct shared {
  tme_engine *engine;
  tme_array *y, *z; /* retained; y is an input of z */
} shared;

/* Returns NULL if all went well. */
static void *evaluate_shared(void *user) {
  shared *sh = user;
  tme_scope *s = tme_scope_new(sh->engine);
  const float *z = tme_data(s, sh->z), *y = tme_data(s, sh->y);
  bool ok = z && y;
  for (int i = 0; ok && i < LENGTH; i++) ok = y[i] == 2 * (float)i && z[i] == 4 * (float)i;
  /* What hangs on shared arrays, each thread for itself. */
  tme_array *mine = tme_sum(s, tme_add(s, sh->z, sh->y), NULL, TME_ALL, false, TME_DTYPE_NONE);
  double sum = 0;
  ok = ok && tme_item(s, mine, &sum) == TME_OK && sum == 6.0 * (double)LENGTH * (double)(LENGTH - 1) / 2;
  tme_scope_free(s);
  return ok ? NULL : "wrong";
}

static void one_array_by_many(void **state) {
  (void)state;
  for (int b = 0; b < COUNT(backends); b++) {
    tme_engine *e = test_engine(backends[b]);
    for (int round = 0; round < ROUNDS; round++) {
      tme_scope *s = tme_scope_new(e);
      tme_array *x = test_vector(s, LENGTH, 0);
      shared sh = {.engine = e, .y = tme_retain(tme_add(s, x, x))};
      sh.z = tme_retain(tme_add(s, sh.y, sh.y));
      tme_scope_free(s);
      run_threads(evaluate_shared, &sh);
      tme_release(sh.y);
      tme_release(sh.z);
    }
    tme_engine_free(e);
  }
}

static atomic_int evaluated;

static void *evaluate_one(void *user) {
  shared *sh = user;
  tme_scope *s = tme_scope_new(sh->engine);
  tme_status st = tme_eval(s, sh->z);
  atomic_fetch_add(&evaluated, st == TME_OK);
  tme_scope_free(s);
  return NULL;
}

static void computed_once(void **state) {
  (void)state;
  tme_engine *e = test_engine("nojit");
  for (int round = 0; round < ROUNDS; round++) {
    tme_scope *s = tme_scope_new(e);
    tme_array *x = test_matrix(s, 64, 64, 0);
    shared sh = {.engine = e, .z = tme_retain(tme_matmul(s, x, x))};
    tme_stats before, after;
    tme_engine_stats(e, &before);
    run_threads(evaluate_one, &sh);
    tme_engine_stats(e, &after);
    assert_int_equal(after.kernels_run, before.kernels_run + 1);
    tme_release(sh.z);
    tme_scope_free(s);
  }
  assert_int_equal(atomic_load(&evaluated), THREADS * ROUNDS);
  tme_engine_free(e);
}

/* Graphs of their own through one plan cache that is too small, while the pool and the caches are cleared. */
static void *evaluate_own(void *user) {
  tme_engine *e = user;
  void *result = NULL;
  for (int round = 0; round < ROUNDS * 4; round++) {
    int64_t n = 1 + (round * 7 + (int)((uintptr_t)&result >> 12 & 255)) % 13;
    tme_scope *s = tme_scope_new(e);
    tme_array *x = test_vector(s, n, 1);
    const float *v = tme_data(s, tme_multiply(s, tme_add(s, x, x), tme_number(s, (double)round)));
    for (int i = 0; i < n; i++)
      if (!v || v[i] != 2 * (float)(i + 1) * (float)round) result = "wrong";
    if (round % 50 == 0) tme_engine_clear_cache(e, false);
    if (round % 40 == 0) tme_engine_trim(e);
    tme_scope_free(s);
  }
  return result;
}

static void small_caches(void **state) {
  (void)state;
  tme_options o;
  tme_options_init(&o);
  o.precision = "float32";
  o.plan_entries = 3;
  o.cache_dir = "";
  for (int b = 0; b < COUNT(backends); b++) {
    o.backend = backends[b];
    tme_engine *e = tme_engine_new(&o);
    run_threads(evaluate_own, e);
    tme_engine_free(e);
  }
}

static void asynchronous(void **state) {
  (void)state;
  for (int b = 0; b < COUNT(backends); b++) {
    tme_engine *e = test_engine(backends[b]);
    for (int round = 0; round < ROUNDS; round++) {
      tme_scope *s = tme_scope_new(e);
      tme_array *x = test_vector(s, LENGTH, 0);
      tme_array *y = tme_add(s, x, x), *z = tme_add(s, y, x);
      tme_event *first = tme_eval_async(s, &y, 1), *second = tme_eval_async(s, &z, 1);
      assert_non_null(first);
      assert_non_null(second);
      double v = 0;
      assert_int_equal(tme_item(s, tme_max(s, y, NULL, TME_ALL, false), &v), TME_OK);
      assert_true(v == 2.0 * (LENGTH - 1));
      assert_int_equal(tme_event_wait(second), TME_OK);
      assert_true(tme_event_done(first));
      assert_int_equal(tme_event_wait(second), TME_OK);
      const float *d = tme_data(s, z);
      assert_non_null(d);
      assert_true(d[LENGTH - 1] == 3 * (float)(LENGTH - 1));
      tme_event_free(first);
      tme_event_free(second);
      /* Nothing to do: done at once. */
      first = tme_eval_async(s, &z, 1);
      assert_true(tme_event_done(first));
      tme_event_free(first);
      tme_scope_free(s);
    }
    tme_engine_free(e);
  }
}

/* An asynchronous evaluation that another thread holds up does not hold up the one that it needs itself. */
static void held_up(void **state) {
  (void)state;
  tme_engine *e = test_engine("nojit");
  for (int round = 0; round < ROUNDS; round++) {
    tme_scope *s = tme_scope_new(e);
    tme_array *x = test_matrix(s, 96, 96, 0), *slow = tme_matmul(s, tme_matmul(s, x, x), x);
    tme_array *r = tme_add(s, x, x), *z = tme_add(s, slow, r), *more = tme_negative(s, z);
    shared sh = {.engine = e, .z = slow};
    pthread_t id;
    assert_int_equal(pthread_create(&id, NULL, evaluate_one, &sh), 0);
    tme_event *ev[] = {tme_eval_async(s, &z, 1), tme_eval_async(s, &more, 1), tme_eval_async(s, &r, 1)};
    for (int i = 0; i < COUNT(ev); i++) {
      assert_int_equal(tme_event_wait(ev[i]), TME_OK);
      tme_event_free(ev[i]);
    }
    pthread_join(id, NULL);
    assert_non_null(tme_data(s, more));
    tme_scope_free(s);
  }
  tme_engine_free(e);
}

static void event_outlives_scope(void **state) {
  (void)state;
  long live = mem_live();
  tme_engine *e = test_engine("nojit");
  tme_scope *s = tme_scope_new(e);
  tme_array *x = test_matrix(s, 64, 64, 0);
  tme_array *y = tme_matmul(s, tme_matmul(s, x, x), x);
  tme_event *ev = tme_eval_async(s, &y, 1);
  tme_scope_free(s);
  tme_engine_free(e);
  assert_int_equal(tme_event_wait(ev), TME_OK);
  tme_event_free(ev);
  tme_event_free(NULL);
  assert_int_equal(mem_live(), live);
}

static void cancelling(void **state) {
  (void)state;
  for (int b = 0; b < 2; b++) {
    tme_engine *e = test_engine(backends[b]);
    int stopped = 0;
    for (int round = 0; round < 200 && !stopped; round++) {
      tme_scope *s = tme_scope_new(e);
      tme_array *x = test_matrix(s, 48, 48, 0), *y = x;
      for (int i = 0; i < 40; i++) y = tme_multiply(s, tme_matmul(s, y, x), tme_number(s, 1e-5));
      tme_event *ev = tme_eval_async(s, &y, 1);
      tme_event_cancel(ev);
      tme_status st = tme_event_wait(ev);
      assert_true(st == TME_OK || st == TME_ERR_CANCELLED);
      if (st == TME_ERR_CANCELLED) {
        stopped++;
        test_error(s, TME_ERR_CANCELLED, "cancelled");
      }
      /* It can be evaluated again. */
      assert_int_equal(tme_eval(s, y), TME_OK);
      tme_event_free(ev);
      tme_scope_free(s);
    }
    assert_true(stopped > 0);
    tme_engine_free(e);
  }
}

static void *many_engines(void *user) {
  (void)user;
  for (int i = 0; i < 20; i++) {
    tme_engine *e = test_engine("nojit");
    tme_scope *s = tme_scope_new(e);
    double v;
    if (tme_item(s, tme_add(s, test_vector(s, 1, 1), tme_number(s, 1)), &v) != TME_OK || v != 2) return "wrong";
    tme_scope_free(s);
    tme_engine_free(e);
  }
  return NULL;
}

static void engines_do_not_mix(void **state) {
  (void)state;
  run_threads(many_engines, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_array_by_many), cmocka_unit_test(computed_once),
      cmocka_unit_test(small_caches),      cmocka_unit_test(asynchronous),
      cmocka_unit_test(held_up),           cmocka_unit_test(event_outlives_scope),
      cmocka_unit_test(cancelling),        cmocka_unit_test(engines_do_not_mix),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
