/* The queue whose work nobody waits for.
 * ctest: concurrency timeout=120 */
#include "base/fork.h"
#include "base/background.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { MOST = 100 };

/* What became of the items, which are the numbers from 1 on. */
typedef struct record {
  atomic_int worked, dropped, out_of_order;
  atomic_bool hold; /* work waits while it is set */
} record;

static void work(void *user, void *item) {
  record *r = user;
  while (atomic_load(&r->hold)) usleep(100);
  int before = atomic_fetch_add(&r->worked, 1);
  if ((int)(intptr_t)item != before + 1) atomic_fetch_add(&r->out_of_order, 1);
}

static void drop(void *user, void *item) {
  (void)item;
  atomic_fetch_add(&((record *)user)->dropped, 1);
}

static void add(background *l, int n) {
  for (int i = 1; i <= n; i++) background_add(l, (void *)(intptr_t)i);
}

static void wait_for(const record *r, int worked) {
  for (int i = 0; i < 1000000 && atomic_load(&r->worked) < worked; i++) usleep(100);
  assert_int_equal(atomic_load(&r->worked), worked);
}

static void in_turn(void **state) {
  (void)state;
  record r = {0};
  background *l = background_new(work, drop, &r, NULL);
  assert_non_null(l);
  add(l, MOST);
  wait_for(&r, MOST);
  atomic_store(&r.worked, 0);
  add(l, 3); /* by another thread, or the same */
  wait_for(&r, 3);
  background_free(l, 0);
  assert_int_equal(atomic_load(&r.out_of_order), 0);
  assert_int_equal(atomic_load(&r.dropped), 0);
  background_free(NULL, 0);
}

static void *let_go(void *user) {
  usleep(50000);
  atomic_store(&((record *)user)->hold, false);
  return NULL;
}

/* What has begun is ended, the rest is dropped or, with patience, done. */
static void freed_early(void **state) {
  (void)state;
  for (int patient = 0; patient < 2; patient++) {
    record r = {0};
    pthread_t helper;
    atomic_store(&r.hold, true);
    background *l = background_new(work, drop, &r, NULL);
    add(l, 5);
    assert_int_equal(pthread_create(&helper, NULL, let_go, &r), 0);
    background_free(l, patient ? 60000 : 0);
    pthread_join(helper, NULL);
    int worked = atomic_load(&r.worked);
    assert_int_equal(worked + atomic_load(&r.dropped), 5);
    assert_true(patient ? worked == 5 : worked <= 1);
  }
}

static void failing_allocations(void **state) {
  (void)state;
  long before = mem_live();
  error e = {0};
  record r = {0};
  mem_fail_at(1, false);
  assert_null(background_new(work, drop, &r, &e));
  assert_int_equal(e.code, TME_ERR_MEMORY);
  background *l = background_new(work, drop, &r, NULL);
  mem_fail_at(1, false);
  add(l, 1);
  mem_fail_at(0, false);
  assert_int_equal(atomic_load(&r.dropped), 1);
  add(l, 1);
  wait_for(&r, 1);
  background_free(l, 0);
  assert_int_equal(mem_live(), before);
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
static int in_child(int (*fn)(void)) {
  pid_t pid = fork();
  if (!pid) {
    alarm(300);
    _exit(fn());
  }
  int status = -1;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int without_threads(void) {
  struct rlimit none = {0, 0};
  record r = {0};
  background *l = background_new(work, drop, &r, NULL);
  if (!l || setrlimit(RLIMIT_NPROC, &none) != 0) return 2;
  if (getuid() == 0 && setuid(65534) != 0) return 2; /* root is not limited */
  add(l, 3);
  int dropped = atomic_load(&r.dropped);
  background_free(l, 0);
  return dropped == 3 && atomic_load(&r.worked) == 0 ? 0 : 1;
}

static record shared;
static background *inherited;

/* A child finds what was queued, works on it with the next item, and frees the queue. */
static int go_on(void) {
  int before = atomic_load(&shared.worked);
  background_add(inherited, (void *)(intptr_t)1);
  for (int i = 0; i < 1000000 && atomic_load(&shared.worked) <= before; i++) usleep(100);
  background_free(inherited, 0);
  return atomic_load(&shared.worked) > before ? 0 : 1;
}

static int only_free(void) {
  background_free(inherited, 0);
  return 0;
}

static void children(void **state) {
  (void)state;
  assert_int_equal(in_child(without_threads), 0);
  inherited = background_new(work, drop, &shared, NULL);
  assert_int_equal(in_child(only_free), 0);
  for (int i = 0; i < 50; i++) {
    add(inherited, 1 + i % 3);
    assert_int_equal(in_child(i % 2 ? go_on : only_free), 0);
  }
  background_free(inherited, 60000);
}

static int ended(void) {
  record r = {0};
  background *l = background_new(work, drop, &r, NULL);
  add(l, 1);
  fork_end();
  int worked = atomic_load(&r.worked);
  add(l, 5);
  usleep(20000);
  bool still = atomic_load(&r.worked) == worked;
  background_free(l, 60000);
  return still && atomic_load(&r.worked) == worked ? 0 : 1;
}

static void end_of_the_process(void **state) {
  (void)state;
  assert_int_equal(in_child(ended), 0);
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(in_turn),
    cmocka_unit_test(freed_early),
    cmocka_unit_test(failing_allocations),
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    cmocka_unit_test(children),
    cmocka_unit_test(end_of_the_process),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
