/* Work that several threads ask for at once is done once.
 * ctest: concurrency timeout=120 */
#include "cache/flight.h"
#include "support/engines.h"
#include "support/patterns.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { THREADS = 4, KEYS = 50 };

static void run_threads(void *(*fn)(void *), void *user) {
  pthread_t id[THREADS];
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&id[i], NULL, fn, user), 0);
  for (int i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(id[i], &result);
    assert_null(result);
  }
}

/* ---- alone ----------------------------------------------------------------------------------------------------------- */

/* A cache of numbers: 0 is not made yet. Every third number cannot be made. */
typedef struct made {
  lock lock;
  flights making;
  int number[KEYS], failed[KEYS];
  atomic_int times, got, together, most;
} made;

static int make(made *m, int key) {
  int now = atomic_fetch_add(&m->together, 1) + 1, most = atomic_load(&m->most);
  while (now > most && !atomic_compare_exchange_weak(&m->most, &most, now)) continue;
  atomic_fetch_add(&m->times, 1);
  usleep(500);
  atomic_fetch_sub(&m->together, 1);
  return key % 3 == 2 ? 0 : key + 1;
}

static void *ask_for_all(void *user) {
  made *m = user;
  for (int key = 0; key < KEYS; key++) {
    flight *f;
    void *result = NULL;
    error e = {0};
    lock_take(&m->lock);
    bool known = m->number[key] || m->failed[key];
    bool mine = !known && flight_begin(&m->making, &m->lock, &key, sizeof key, &f, &result, &e);
    lock_give(&m->lock);
    if (mine) {
      int number = make(m, key);
      lock_take(&m->lock);
      m->number[key] = number;
      m->failed[key] = !number;
      error why = {0};
      if (!number) (fail)(&why, TME_ERR_JIT, "no number %d", key);
      atomic_fetch_add(&m->got, flight_land(&m->making, &m->lock, f, number ? &m->number[key] : NULL, &why));
      lock_give(&m->lock);
    } else if (!known) {
      atomic_fetch_sub(&m->got, 1);
      bool right =
          result ? *(int *)result == key + 1 : key % 3 == 2 && e.code == TME_ERR_JIT && strstr(e.text, "no number");
      if (!right) return "wrong";
    }
  }
  return NULL;
}

static void *ask_for_own(void *user) {
  static atomic_int next;
  made *m = user;
  int key = atomic_fetch_add(&next, 1);
  flight *f;
  void *result;
  lock_take(&m->lock);
  bool mine = flight_begin(&m->making, &m->lock, &key, sizeof key, &f, &result, NULL);
  lock_give(&m->lock);
  if (!mine) return "not alone";
  for (int i = 0; i < 2000 && atomic_load(&m->most) < THREADS; i++) make(m, key); /* until all are at it, or a second */
  lock_take(&m->lock);
  int others = flight_land(&m->making, &m->lock, f, NULL, NULL);
  lock_give(&m->lock);
  return others ? "others" : NULL;
}

static void once_for_all(void **state) {
  (void)state;
  long before = mem_live();
  made m = {0};
  lock_init(&m.lock, LOCK_INNER);
  run_threads(ask_for_all, &m);
  assert_int_equal(atomic_load(&m.times), KEYS);
  assert_int_equal(atomic_load(&m.got), 0); /* as many were told of as waited */
  atomic_store(&m.most, 0);
  run_threads(ask_for_own, &m);
  assert_int_equal(atomic_load(&m.most), THREADS);
  assert_null(m.making);
  lock_end(&m.lock);
  assert_int_equal(mem_live(), before);
}

/* Without memory to tell others everybody works for himself. */
static void failing_allocation(void **state) {
  (void)state;
  made m = {0};
  flight *f;
  void *result;
  lock_init(&m.lock, LOCK_INNER);
  lock_take(&m.lock);
  mem_fail_at(1, false);
  assert_true(flight_begin(&m.making, &m.lock, "key", 3, &f, &result, NULL));
  mem_fail_at(0, false);
  assert_null(f);
  assert_true(flight_begin(&m.making, &m.lock, "key", 3, &f, &result, NULL));
  assert_int_equal(flight_land(&m.making, &m.lock, f, NULL, NULL), 0);
  assert_int_equal(flight_land(&m.making, &m.lock, NULL, NULL, NULL), 0);
  lock_give(&m.lock);
  lock_end(&m.lock);
}

/* ---- kernels --------------------------------------------------------------------------------------------------------- */

static atomic_uint patterns;

static void *evaluate_all(void *user) {
  for (unsigned i = 0; i < KEYS; i++)
    if (!pattern_right(user, atomic_load(&patterns) + i * 97, 30)) return "wrong";
  return NULL;
}

static void compiled_once(void **state) {
  (void)state;
  tme_engine *e = test_engine("auto");
  if (!tme_engine_has_jit(e)) skip();
  tme_stats stats;
  for (unsigned round = 1; round <= 2; round++) {
    atomic_store(&patterns, round * 10000);
    run_threads(evaluate_all, e);
    tme_engine_stats(e, &stats);
    if (!tme_engine_has_jit(e)) skip(); /* there is no compiler */
    assert_int_equal(stats.compilations, KEYS * round);
    assert_int_equal(stats.failures, 0);
  }
  tme_engine_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(once_for_all),
      cmocka_unit_test(failing_allocation),
      cmocka_unit_test(compiled_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
