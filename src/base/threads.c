/* A parallel for whose caller never waits for a thread that has not begun. The library's loops are short, and a process
 * is seldom alone on its machine: pthreadpool and OpenMP wait for every worker at the end of a loop, which costs a time
 * slice (milliseconds) whenever one of them is not scheduled. Here a loop is closed as soon as its tasks are taken, and
 * only those workers are waited for that hold some. */
#include "base/threads.h"
#include "base/fork.h"
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum {
  SPIN = 2000,       /* looks at the next loop before a worker sleeps: some 20 microseconds */
  WAIT_SPIN = 20000, /* looks at the last worker before the caller gives way to other threads */
  SHARE = 2,         /* a piece is this part of a thread's share of what is left */
  OPEN = 1 << 16     /* of the gate: the loop takes workers; below: the workers inside; above: the loop's number */
};

/* The workers and the loop that they share. */
typedef struct team {
  int workers;
  struct member *member; /* the workers */
  atomic_uint_fast64_t gate;
  atomic_int_fast64_t next; /* the first task that nobody has taken */
  int64_t tasks, grain;
  threads_fn *fn;
  void *user;
  atomic_int sleepers;
  atomic_bool stop;
  pthread_mutex_t lock; /* for sleeping only */
  pthread_cond_t wake;
} team;

struct member {
  team *t;
  pthread_t id;
  int number; /* from 1 on: the caller is 0 */
};

struct threads {
  int count;
  /* 2 * generation of fork + 1 while somebody uses the team. A word of another generation says nothing: its holder may
   * be a thread that only the parent has. */
  atomic_uint owner;
  team *team;   /* of the owner word's generation; NULL: not started */
  bool refused; /* no thread could be started in this generation */
};

static void pause_cpu(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* ---- workers -------------------------------------------------------------------------------------------------------- */

static void run_pieces(team *t, int number) {
  int64_t t0 = atomic_load_explicit(&t->next, memory_order_relaxed), tasks = t->tasks, grain = t->grain;
  while (t0 < tasks) {
    int64_t n = (tasks - t0) / ((int64_t)SHARE * (t->workers + 1)) / grain * grain, left = tasks - t0;
    if (n < grain) n = grain;
    if (n > left) n = left;
    if (!atomic_compare_exchange_weak_explicit(&t->next, &t0, t0 + n, memory_order_relaxed, memory_order_relaxed))
      continue;
    t->fn(t->user, number, t0, t0 + n);
    t0 = atomic_load_explicit(&t->next, memory_order_relaxed);
  }
}

/* Enters the open loop, if it is not number `done`, which the worker has seen already. */
static bool enter(team *t, uint64_t done) {
  uint64_t g = atomic_load(&t->gate);
  while ((g & OPEN) && g / (2 * OPEN) != done)
    if (atomic_compare_exchange_weak(&t->gate, &g, g + 1)) return true;
  return false;
}

static bool has_work(team *t, uint64_t done) {
  uint64_t g = atomic_load(&t->gate);
  return atomic_load(&t->stop) || ((g & OPEN) && g / (2 * OPEN) != done);
}

static void sleep_until_work(team *t, uint64_t done) {
  pthread_mutex_lock(&t->lock);
  atomic_fetch_add(&t->sleepers, 1); /* before the last look: whoever opens a loop after it sees a sleeper */
  while (!has_work(t, done)) pthread_cond_wait(&t->wake, &t->lock);
  atomic_fetch_sub(&t->sleepers, 1);
  pthread_mutex_unlock(&t->lock);
}

static void *worker(void *user) {
  const struct member *m = user;
  team *t = m->t;
  uint64_t done = 0;
  while (!atomic_load(&t->stop)) {
    if (enter(t, done)) {
      done = atomic_load(&t->gate) / (2 * OPEN);
      run_pieces(t, m->number);
      atomic_fetch_sub(&t->gate, 1);
    }
    int spins = 0;
    while (spins < SPIN && !has_work(t, done)) {
      pause_cpu();
      spins++;
    }
    if (spins == SPIN) sleep_until_work(t, done);
  }
  return NULL;
}

static void wake_sleepers(team *t) {
  if (atomic_load(&t->sleepers) == 0) return;
  pthread_mutex_lock(&t->lock);
  pthread_cond_broadcast(&t->wake);
  pthread_mutex_unlock(&t->lock);
}

/* ---- the team --------------------------------------------------------------------------------------------------------- */

static void team_free(team *t) {
  atomic_store(&t->stop, true);
  wake_sleepers(t);
  for (int i = 0; i < t->workers; i++) pthread_join(t->member[i].id, NULL);
  pthread_cond_destroy(&t->wake);
  pthread_mutex_destroy(&t->lock);
  mem_free(t->member);
  mem_free(t);
}

/* As many workers as can be started, up to n; NULL if none can. */
static team *team_new(int n) {
  team *t = mem_calloc(1, sizeof *t);
  if (!t) return NULL;
  t->member = mem_calloc((size_t)n, sizeof *t->member);
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->wake, NULL);
  for (int i = 0; t->member && i < n; i++) {
    t->member[i] = (struct member){.t = t, .number = i + 1};
    if (pthread_create(&t->member[i].id, NULL, worker, &t->member[i]) != 0) break;
    t->workers++;
  }
  if (t->workers) return t;
  team_free(t);
  return NULL;
}

/* Threads inherit the signal mask and, on Linux, the floating-point modes of the one that starts them. */
static void start(threads *t) {
  sigset_t all, old;
  fenv_t modes;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0) return;
  if (fegetenv(&modes) == 0) {
    if (fesetenv(FE_DFL_ENV) == 0) t->team = team_new(t->count - 1);
    fesetenv(&modes);
  }
  t->refused = !t->team;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void run_loop(team *t, int64_t tasks, int64_t grain, threads_fn *fn, void *user) {
  t->fn = fn;
  t->user = user;
  t->tasks = tasks;
  t->grain = grain;
  atomic_store_explicit(&t->next, 0, memory_order_relaxed);
  uint64_t number = atomic_load_explicit(&t->gate, memory_order_relaxed) / (2 * OPEN) + 1;
  atomic_store(&t->gate, number * (2 * OPEN) | OPEN);
  wake_sleepers(t);
  run_pieces(t, 0);
  uint64_t inside = atomic_fetch_and(&t->gate, ~(uint64_t)OPEN) & (OPEN - 1);
  for (int spins = 0; inside; spins++) {
    if (spins < WAIT_SPIN)
      pause_cpu();
    else
      sched_yield();
    inside = atomic_load(&t->gate) & (OPEN - 1);
  }
}

/* ---- the interface ---------------------------------------------------------------------------------------------------- */

threads *threads_new(int n, error *e) {
  threads *t = mem_calloc(1, sizeof *t);
  if (!t) {
    fail_memory(e, "threads", sizeof *t);
    return NULL;
  }
  t->count = n > 0 ? n : threads_default();
  atomic_init(&t->owner, 2 * fork_generation());
  return t;
}

void threads_free(threads *t) {
  if (!t) return;
  /* The parent's team: its threads do not exist here, so it can only be left behind. */
  bool ours = atomic_load(&t->owner) / 2 == fork_generation() % (UINT32_MAX / 2 + 1);
  if (ours && t->team) team_free(t->team);
  mem_free(t);
}

int threads_count(const threads *t) { return t->count; }

/* True if the team is the caller's until release(). */
static bool acquire(threads *t) {
  unsigned free_word = 2 * fork_generation(), seen = atomic_load_explicit(&t->owner, memory_order_relaxed);
  if (seen == (free_word | 1)) return false;
  if (!atomic_compare_exchange_strong_explicit(&t->owner, &seen, free_word | 1, memory_order_acquire,
                                               memory_order_relaxed))
    return false;
  if (seen != free_word) { /* a fork ago */
    t->team = NULL;
    t->refused = false;
  }
  if (!t->team && !t->refused) start(t);
  return true;
}

static void release(threads *t) { atomic_fetch_and_explicit(&t->owner, ~1u, memory_order_release); }

void threads_for(threads *t, int64_t tasks, int64_t grain, threads_fn *fn, void *user) {
  if (tasks <= grain || t->count <= 1 || !acquire(t)) {
    if (tasks > 0) fn(user, 0, 0, tasks);
    return;
  }
  if (t->team)
    run_loop(t->team, tasks, grain, fn, user);
  else
    fn(user, 0, 0, tasks);
  release(t);
}
