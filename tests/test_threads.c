/* ctest: concurrency */
#include "base/threads.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define CHUNKS 1000

typedef struct work {
  threads *pool;
  int seen[CHUNKS]; /* not atomic: the sanitizer would see a missing order */
  atomic_int nested;
} work;

static void mark(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread;
  for (int64_t i = t0; i < t1; i++) ((work *)user)->seen[i]++;
}

static void mark_nested(void *user, int thread, int64_t t0, int64_t t1) {
  work *w = user;
  mark(user, thread, t0, t1);
  for (int64_t t = t0; t < t1; t++) {
    work inner = {.pool = w->pool};
    threads_for(w->pool, 7, 1, mark, &inner);
    for (int i = 0; i < 7; i++) atomic_fetch_add(&w->nested, inner.seen[i]);
  }
}

/* Pieces begin at multiples of the grain; a thread is in one piece at a time. */
typedef struct pieces {
  work w;
  int64_t grain;
  int threads;
  atomic_int inside[8], wrong;
} pieces;

static void note_piece(void *user, int thread, int64_t t0, int64_t t1) {
  pieces *p = user;
  bool ok = thread >= 0 && thread < p->threads && t0 < t1 && t0 % p->grain == 0;
  if (ok) ok = atomic_fetch_add(&p->inside[thread], 1) == 0;
  if (!ok) atomic_store(&p->wrong, 1);
  mark(&p->w, thread, t0, t1);
  if (ok) atomic_fetch_sub(&p->inside[thread], 1);
}

static void pieces_are_whole_grains(void **state) {
  (void)state;
  threads *t = threads_new(3, NULL);
  for (int64_t grain = 1; grain <= 64; grain = grain * 2 + 1)
    for (int tasks = 1; tasks <= CHUNKS; tasks = tasks * 2 + 1) {
      pieces p = {.grain = grain, .threads = 3};
      threads_for(t, tasks, grain, note_piece, &p);
      assert_int_equal(atomic_load(&p.wrong), 0);
      for (int i = 0; i < CHUNKS; i++) assert_int_equal(p.w.seen[i], i < tasks);
    }
  threads_free(t);
}

/* The workers are there before the first loop, and one of them did what it was told, once. */
static void add_up(void *a, size_t n) { atomic_fetch_add((atomic_int *)a, (int)n); }

static void started_ahead(void **state) {
  (void)state;
  atomic_int sum = 0;
  threads *t = threads_new(3, NULL), *alone = threads_new(1, NULL);
  for (int i = 0; i < 2; i++) {
    threads_start(t, add_up, &sum, 5);
    threads_start(alone, add_up, &sum, 100); /* it has no worker */
  }
  pieces p = {.grain = 1, .threads = 3};
  threads_for(t, CHUNKS, 1, note_piece, &p);
  for (int i = 0; i < CHUNKS; i++) assert_int_equal(p.w.seen[i], 1);
  threads_free(t); /* waits for the worker */
  threads_free(alone);
  assert_int_equal(atomic_load(&sum), 5);
}

/* In a long loop every thread begins with the share that has its number. */
typedef struct beginnings {
  atomic_int_fast64_t first[3];
  atomic_int begun;
} beginnings;

static void note_beginning(void *user, int thread, int64_t t0, int64_t t1) {
  (void)t1;
  beginnings *b = user;
  int_fast64_t none = -1;
  if (atomic_compare_exchange_strong(&b->first[thread], &none, t0)) atomic_fetch_add(&b->begun, 1);
  for (int i = 0; i < 60000 && atomic_load(&b->begun) < 3; i++) usleep(1000); /* until all have one, or a minute */
}

static void own_share_first(void **state) {
  (void)state;
  threads *t = threads_new(3, NULL);
  beginnings b = {.first = {-1, -1, -1}};
  threads_for(t, 300, 1, note_beginning, &b);
  for (int i = 0; i < 3; i++) assert_int_equal(atomic_load(&b.first[i]), 100 * i);
  threads_free(t);
}

static void each_task_runs_once(void **state) {
  (void)state;
  for (int n = 1; n <= 5; n++) {
    threads *t = threads_new(n, NULL);
    assert_non_null(t);
    assert_int_equal(threads_count(t), n);
    for (int tasks = 0; tasks <= CHUNKS; tasks = tasks * 3 + 1) {
      work w = {.pool = t};
      for (int round = 1; round <= 3; round++) {
        threads_for(t, tasks, 1, mark, &w);
        for (int i = 0; i < CHUNKS; i++) assert_int_equal(w.seen[i], i < tasks ? round : 0);
      }
    }
    threads_free(t);
  }
  threads_free(NULL);
}

static void nested_calls_run_inline(void **state) {
  (void)state;
  threads *t = threads_new(3, NULL);
  work w = {.pool = t};
  threads_for(t, 50, 1, mark_nested, &w);
  for (int i = 0; i < 50; i++) assert_int_equal(w.seen[i], 1);
  assert_int_equal(atomic_load(&w.nested), 350);
  threads_free(t);
}

static void *caller(void *user) {
  threads *t = user;
  for (int round = 0; round < 200; round++) {
    work w = {.pool = t};
    threads_for(t, 20, 1, mark, &w);
    for (int i = 0; i < 20; i++)
      if (w.seen[i] != 1) return user;
  }
  return NULL;
}

static void several_callers(void **state) {
  (void)state;
  threads *t = threads_new(3, NULL);
  pthread_t ids[4];
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&ids[i], NULL, caller, t), 0);
  for (int i = 0; i < 4; i++) {
    void *wrong;
    assert_int_equal(pthread_join(ids[i], &wrong), 0);
    assert_null(wrong);
  }
  threads_free(t);
}

static int in_child(int (*fn)(threads *t), threads *t) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    alarm(300);
    _exit(fn(t));
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int use_and_free(threads *t) {
  bool ok = caller(t) == NULL;
  threads_free(t);
  return ok ? 0 : 1;
}

static int only_free(threads *t) {
  threads_free(t);
  return 0;
}

static int fork_again(threads *t) { return caller(t) == NULL ? in_child(use_and_free, t) : 1; }

static void child_after_fork(void **state) {
  (void)state;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  skip(); /* the sanitizers' run-time libraries have locks of their own, which a thread that begins holds at the fork */
#endif
  threads *t = threads_new(2, NULL);
  assert_int_equal(in_child(use_and_free, t), 0); /* not started */
  assert_null(caller(t));
  assert_int_equal(in_child(use_and_free, t), 0);
  assert_int_equal(in_child(only_free, t), 0);
  assert_int_equal(in_child(fork_again, t), 0);
  assert_null(caller(t));
  threads_free(t);
}

typedef struct held {
  threads *pool;
  atomic_int running, leave;
} held;

static void hold(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread, (void)t0, (void)t1;
  held *h = user;
  atomic_fetch_add(&h->running, 1);
  while (!atomic_load(&h->leave)) usleep(100);
}

static void *holder(void *user) {
  held *h = user;
  threads_for(h->pool, 2, 1, hold, h);
  return NULL;
}

/* Neither another thread nor a child made meanwhile waits for it. */
static void busy_pool(void **state) {
  (void)state;
  held h = {.pool = threads_new(2, NULL)};
  pthread_t id;
  assert_int_equal(pthread_create(&id, NULL, holder, &h), 0);
  while (atomic_load(&h.running) < 2) usleep(100);
  assert_null(caller(h.pool));
#ifndef __SANITIZE_THREAD__
  assert_int_equal(in_child(use_and_free, h.pool), 0);
#endif
  atomic_store(&h.leave, 1);
  pthread_join(id, NULL);
  threads_free(h.pool);
}

static void mask_of_worker(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread, (void)t0, (void)t1;
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  if (sigismember(&now, SIGUSR1)) atomic_fetch_add((atomic_int *)user, 1);
  usleep(20000);
}

static void workers_take_no_signals(void **state) {
  (void)state;
  threads *t = threads_new(2, NULL);
  atomic_int blocked = 0;
  threads_for(t, 2, 1, mask_of_worker, &blocked);
  assert_true(atomic_load(&blocked) <= 1); /* the caller's own mask is as it was */
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  assert_false(sigismember(&now, SIGUSR1));
  threads_free(t);
}

static int without_threads(threads *t) {
  struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_NPROC, &none) != 0) return 2;
  if (getuid() == 0 && setuid(65534) != 0) return 2; /* root is not limited */
  return use_and_free(t);
}

static void no_thread_can_start(void **state) {
  (void)state;
#ifdef __SANITIZE_THREAD__
  skip();
#endif
  threads *t = threads_new(4, NULL);
  assert_int_equal(in_child(without_threads, t), 0);
  threads_free(t);
}

static void failing_allocations(void **state) {
  (void)state;
  long before = mem_live();
  error e = {0};
  mem_fail_at(1, false);
  assert_null(threads_new(2, &e));
  assert_int_equal(e.code, TME_ERR_MEMORY);
  threads *t = threads_new(3, NULL);
  mem_fail_at(1, true);
  assert_null(caller(t)); /* answers on one thread */
  mem_fail_at(0, false);
  threads_free(t);
  assert_int_equal(mem_live(), before);
}

static void put(const char *root, const char *path, const char *content) {
  char full[512];
  snprintf(full, sizeof full, "%s/%s", root, path);
  for (char *p = full + 1; (p = strchr(p, '/')); p++) {
    *p = 0;
    mkdir(full, 0700);
    *p = '/';
  }
  FILE *f = fopen(full, "w");
  assert_non_null(f);
  assert_true(fputs(content, f) >= 0);
  assert_int_equal(fclose(f), 0);
}

static int quota(const char *root) {
  char membership[512];
  snprintf(membership, sizeof membership, "%s/self", root);
  return threads_quota(membership, root);
}

static void quotas(void **state) {
  (void)state;
  char root[] = "/tmp/tme-test-XXXXXX";
  assert_non_null(mkdtemp(root));
  assert_int_equal(quota(root), 0);
  put(root, "self", "0::/a/b\n");
  assert_int_equal(quota(root), 0);
  put(root, "a/b/cpu.max", "max 100000\n");
  assert_int_equal(quota(root), 0);
  put(root, "a/cpu.max", "350000 100000\n");
  assert_int_equal(quota(root), 4);
  put(root, "a/b/cpu.max", "150000 100000\n");
  assert_int_equal(quota(root), 2);
  put(root, "self", "0::/not/seen/from/here\n"); /* a container: only the root is there */
  put(root, "cpu.max", "50000 100000\n");
  assert_int_equal(quota(root), 1);
  put(root, "cpu.max", "rubbish\n");
  assert_int_equal(quota(root), 0);
  put(root, "self", "5:cpuset:/x\n4:cpu,cpuacct:/y\n0::/\n");
  put(root, "cpu,cpuacct/y/cpu.cfs_quota_us", "-1\n");
  put(root, "cpu,cpuacct/y/cpu.cfs_period_us", "100000\n");
  assert_int_equal(quota(root), 0);
  put(root, "cpu,cpuacct/y/cpu.cfs_quota_us", "250000\n");
  assert_int_equal(quota(root), 3);
  put(root, "cpu,cpuacct/y/cpu.cfs_period_us", "0\n");
  assert_int_equal(quota(root), 0);
  char command[600];
  snprintf(command, sizeof command, "rm -r '%s'", root);
  assert_int_equal(system(command), 0);
  assert_true(threads_default() >= 1);
  threads *t = threads_new(0, NULL);
  assert_int_equal(threads_count(t), threads_default());
  threads_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_task_runs_once),     cmocka_unit_test(pieces_are_whole_grains),
      cmocka_unit_test(nested_calls_run_inline), cmocka_unit_test(several_callers),
      cmocka_unit_test(child_after_fork),        cmocka_unit_test(busy_pool),
      cmocka_unit_test(workers_take_no_signals), cmocka_unit_test(no_thread_can_start),
      cmocka_unit_test(failing_allocations),     cmocka_unit_test(quotas),
      cmocka_unit_test(started_ahead),           cmocka_unit_test(own_share_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
