/* A parallel for whose caller never waits for a thread that has not begun. The library's loops are short, and a process
 * is seldom alone on its machine: pthreadpool and OpenMP wait for every worker at the end of a loop, which costs a time
 * slice (milliseconds) whenever one of them is not scheduled. Here a loop is closed as soon as its tasks are taken, and
 * only those workers are waited for that hold some. */
#include "base/threads.h"
#include "base/caches.h"
#include "base/fork.h"
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

enum {
  SPIN = 2000,       /* looks at the next loop before a worker sleeps: some 20 microseconds */
  WAIT_SPIN = 20000, /* looks at the last worker before the caller gives way to other threads */
  PART = 2,          /* a thread takes this part of what is left for it */
  SHARED_FROM = 8,   /* grains a thread: a shorter loop is one share, as looking at several takes longer */
  OPEN = 1 << 16     /* of the gate: the loop takes workers; below: the workers inside; above: the loop's number */
};

/* Where threads may run. */
typedef struct placement {
  pthread_attr_t attr; /* of new ones */
#ifdef __linux__
  bool known;
  cpu_set_t all; /* that their creator may run on */
#endif
} placement;

/* Tasks of the loop, for all threads or for one to begin with: [next, end) are those that nobody has taken. */
typedef struct share {
  atomic_int_fast64_t next;
  int64_t end;
  char pad[CACHE_LINE - 2 * sizeof(int64_t)]; /* two threads should not write to one line */
} share;

/* The workers and the loop that they share. */
typedef struct team {
  int workers;
  struct member *member; /* the workers */
  share *share;          /* room for the caller's and theirs */
  int shares;            /* of the loop: 1 or all */
  placement place;
  threads_first_fn *first; /* for the first worker to begin with, or NULL */
  void *first_a;
  size_t first_n;
  atomic_uint_fast64_t gate;
  int64_t grain;
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
  team *team;        /* of the owner word's generation; NULL: not started */
  bool refused;      /* no thread could be started in this generation */
  atomic_bool begun; /* it was tried, in some generation */
};

static void pause_cpu(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* ---- where workers begin --------------------------------------------------------------------------------------------- */

/* Some kernels leave a new thread on its creator's processor, which is busy, until the next tick: milliseconds. So it
 * begins on any other, and may run on all from then on. Not where system calls are filtered: a filter that does not know
 * this one may end the process. False if out of memory. */
static bool placement_init(placement *p) {
  if (pthread_attr_init(&p->attr) != 0) return false;
#ifdef __linux__
  cpu_set_t others;
  int here = sched_getcpu();
  p->known = prctl(PR_GET_SECCOMP) == 0 && here >= 0 && here < CPU_SETSIZE &&
             sched_getaffinity(0, sizeof p->all, &p->all) == 0;
  if (!p->known) return true;
  others = p->all;
  CPU_CLR((size_t)here, &others);
  p->known = CPU_COUNT(&others) > 0 && pthread_attr_setaffinity_np(&p->attr, sizeof others, &others) == 0;
#endif
  return true;
}

static void run_anywhere(const placement *p) {
#ifdef __linux__
  if (p->known) sched_setaffinity(0, sizeof p->all, &p->all);
#else
  (void)p;
#endif
}

/* ---- workers -------------------------------------------------------------------------------------------------------- */

static void run_share(team *t, share *s, int number) {
  int64_t part = PART * (int64_t)((t->workers + 1) / t->shares);
  int64_t t0 = atomic_load_explicit(&s->next, memory_order_relaxed), end = s->end, grain = t->grain;
  while (t0 < end) {
    int64_t n = (end - t0) / part / grain * grain, left = end - t0;
    if (n < grain) n = grain;
    if (n > left) n = left;
    if (!atomic_compare_exchange_weak_explicit(&s->next, &t0, t0 + n, memory_order_relaxed, memory_order_relaxed))
      continue;
    t->fn(t->user, number, t0, t0 + n);
    t0 = atomic_load_explicit(&s->next, memory_order_relaxed);
  }
}

/* A thread's own share, then what the others have not taken of theirs. */
static void run_pieces(team *t, int number) {
  for (int i = 0; i < t->shares; i++) run_share(t, &t->share[(number + i) % t->shares], number);
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
  run_anywhere(&t->place);
  if (m->number == 1 && t->first) t->first(t->first_a, t->first_n);
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
  mem_free(t->share);
  mem_free(t->member);
  mem_free(t);
}

/* As many workers as can be started, up to n; NULL if none can. */
static team *team_new(int n, threads_first_fn *first, void *first_a, size_t first_n) {
  team *t = mem_calloc(1, sizeof *t);
  if (!t) return NULL;
  t->first = first;
  t->first_a = first_a;
  t->first_n = first_n;
  t->member = mem_calloc((size_t)n, sizeof *t->member);
  t->share = mem_calloc((size_t)n + 1, sizeof *t->share);
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->wake, NULL);
  bool ready = t->member && t->share && placement_init(&t->place);
  for (int i = 0; ready && i < n; i++) {
    t->member[i] = (struct member){.t = t, .number = i + 1};
    pthread_t *id = &t->member[i].id;
    bool placed = pthread_create(id, &t->place.attr, worker, &t->member[i]) == 0;
    if (!placed && pthread_create(id, NULL, worker, &t->member[i]) != 0) break;
    t->workers++;
  }
  if (ready) pthread_attr_destroy(&t->place.attr);
  if (t->workers) return t;
  team_free(t);
  return NULL;
}

/* Threads inherit the signal mask and, on Linux, the floating-point modes of the one that starts them. */
static void start(threads *t, threads_first_fn *first, void *a, size_t n) {
  sigset_t all, old;
  fenv_t modes;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0) return;
  if (fegetenv(&modes) == 0) {
    if (fesetenv(FE_DFL_ENV) == 0) t->team = team_new(t->count - 1, first, a, n);
    fesetenv(&modes);
  }
  t->refused = !t->team;
  atomic_store_explicit(&t->begun, true, memory_order_relaxed);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Each share has as many whole grains as any other, but for one. */
static void share_out(team *t, int64_t tasks) {
  int64_t grains = tasks / t->grain + (tasks % t->grain != 0), n = t->workers + 1;
  if (grains < SHARED_FROM * n) n = 1;
  t->shares = (int)n;
  int64_t each = grains / n, more = grains % n;
  for (int64_t i = 0, first = 0; i < n; i++) {
    int64_t end = i + 1 < n ? first + (each + (i < more)) * t->grain : tasks;
    if (end > tasks) end = tasks; /* the last grain may not be whole */
    t->share[i].end = end;
    atomic_store_explicit(&t->share[i].next, first, memory_order_relaxed);
    first = end;
  }
}

static void run_loop(team *t, int64_t tasks, int64_t grain, threads_fn *fn, void *user) {
  t->fn = fn;
  t->user = user;
  t->grain = grain;
  share_out(t, tasks);
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

int threads_count(const threads *t) { return t ? t->count : 1; }

/* True if the team, which may have to be started, is the caller's until release(). */
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
  return true;
}

static void release(threads *t) { atomic_fetch_and_explicit(&t->owner, ~1u, memory_order_release); }

bool threads_will_start(const threads *t) {
  return t->count > 1 && !atomic_load_explicit(&t->begun, memory_order_relaxed);
}

void threads_start(threads *t, threads_first_fn *first, void *a, size_t n) {
  if (t->count <= 1 || !acquire(t)) return;
  if (!t->team && !t->refused) start(t, first, a, n);
  release(t);
}

void threads_for(threads *t, int64_t tasks, int64_t grain, threads_fn *fn, void *user) {
  if (!t || tasks <= grain || t->count <= 1 || !acquire(t)) {
    if (tasks > 0) fn(user, 0, 0, tasks);
    return;
  }
  if (!t->team && !t->refused) start(t, NULL, NULL, 0);
  if (t->team)
    run_loop(t->team, tasks, grain, fn, user);
  else
    fn(user, 0, 0, tasks);
  release(t);
}
