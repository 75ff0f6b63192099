#include "base/threads.h"
#include "base/fork.h"
#include <fenv.h>
#include <pthread.h>
#include <pthreadpool.h>
#include <signal.h>
#include <stdatomic.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZE_THREAD 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define SANITIZE_THREAD 1
#endif

/* pthreadpool is not instrumented, so the sanitizer has to be told of its order: start before each chunk before end. */
#ifdef SANITIZE_THREAD
#include <sanitizer/tsan_interface.h>
#define HAPPENS_BEFORE(p) __tsan_release(p)
#define HAPPENS_AFTER(p) __tsan_acquire(p)
#else
#define HAPPENS_BEFORE(p) ((void)(p))
#define HAPPENS_AFTER(p) ((void)(p))
#endif

struct threads {
  int count;
  /* 2 * generation of fork + 1 while somebody uses the pool. A word of another generation says nothing: its holder may
   * be a thread that only the parent has. */
  atomic_uint owner;
  pthreadpool_t pool; /* of the owner word's generation; NULL: not started */
  bool refused;       /* no thread could be started in this generation */
};

typedef struct job {
  void (*fn)(void *user, int chunk);
  void *user;
  char start, end; /* their addresses name the two edges */
} job;

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
  /* The parent's pool: its threads do not exist here, so it can only be left behind. */
  bool ours = atomic_load(&t->owner) / 2 == fork_generation() % (UINT32_MAX / 2 + 1);
  if (ours && t->pool) pthreadpool_destroy(t->pool);
  mem_free(t);
}

int threads_count(const threads *t) { return t->count; }

static void *wait_for_gate(void *gate) {
  pthread_mutex_lock(gate);
  pthread_mutex_unlock(gate);
  return NULL;
}

/* How many of n further threads can be alive at once. pthreadpool_create would wait for ever for one that cannot. */
static int startable(int n) {
  pthread_t *ids = mem_calloc((size_t)n, sizeof *ids);
  if (!ids) return 0;
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  int started = 0;
  pthread_mutex_lock(&gate);
  while (started < n && pthread_create(&ids[started], NULL, wait_for_gate, &gate) == 0) started++;
  pthread_mutex_unlock(&gate);
  for (int i = 0; i < started; i++) pthread_join(ids[i], NULL);
  pthread_mutex_destroy(&gate);
  mem_free(ids);
  return started;
}

/* Threads inherit the signal mask and, on Linux, the floating-point modes of the one that starts them. */
static void start(threads *t) {
  sigset_t all, old;
  fenv_t modes;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0) return;
  if (fegetenv(&modes) == 0) {
    if (fesetenv(FE_DFL_ENV) == 0) {
      int n = startable(t->count - 1);
      if (n > 0) t->pool = pthreadpool_create((size_t)n + 1);
    }
    fesetenv(&modes);
  }
  t->refused = !t->pool;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* True if the pool is the caller's until release(). */
static bool acquire(threads *t) {
  unsigned free_word = 2 * fork_generation(), seen = atomic_load_explicit(&t->owner, memory_order_relaxed);
  if (seen == (free_word | 1)) return false;
  if (!atomic_compare_exchange_strong_explicit(&t->owner, &seen, free_word | 1, memory_order_acquire,
                                               memory_order_relaxed))
    return false;
  if (seen != free_word) { /* a fork ago */
    t->pool = NULL;
    t->refused = false;
  }
  if (!t->pool && !t->refused) start(t);
  return true;
}

static void release(threads *t) { atomic_fetch_and_explicit(&t->owner, ~1u, memory_order_release); }

static void run_chunk(void *user, size_t chunk) {
  job *j = user;
  HAPPENS_AFTER(&j->start);
  j->fn(j->user, (int)chunk);
  HAPPENS_BEFORE(&j->end);
}

static void run_inline(int chunks, void (*fn)(void *user, int chunk), void *user) {
  for (int i = 0; i < chunks; i++) fn(user, i);
}

void threads_for(threads *t, int chunks, void (*fn)(void *user, int chunk), void *user) {
  if (chunks <= 1 || t->count <= 1 || !acquire(t)) {
    run_inline(chunks, fn, user);
    return;
  }
  if (t->pool) {
    job j = {.fn = fn, .user = user};
    HAPPENS_BEFORE(&j.start);
    pthreadpool_parallelize_1d(t->pool, run_chunk, &j, (size_t)chunks, 0);
    HAPPENS_AFTER(&j.end);
  } else {
    run_inline(chunks, fn, user);
  }
  release(t);
}
