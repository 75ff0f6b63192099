#include "base/fork.h"
#include "base/lock.h"
#include <stdlib.h>

static atomic_uint generation, count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The gate: many threads are inside, or one forks. Forks go first, and then those who waited meanwhile: neither a storm of
 * forks nor one of compilations keeps the others out. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int inside, queued, let_in, forks, in_libraries;
static bool ending, lost;       /* lost: see fork_library_lost() */
static _Thread_local int depth; /* of this thread's holds: it may fork or exit all the same */

/* Counted when all locks are held, so that nobody acts on the old count once the child exists. */
static void before(void) {
  pthread_mutex_lock(&gate);
  forks++;
  while (let_in || inside > !!depth) pthread_cond_wait(&changed, &gate);
  lock_take_all();
  atomic_fetch_add(&count, 1);
}

static void in_parent(void) {
  lock_give_all();
  forks--;
  let_in = queued;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&gate);
}

/* Who was waiting or inside is not here. */
static void in_child(void) {
  lock_renew_all();
  inside = !!depth;
  lost = lost || in_libraries;
  queued = let_in = forks = in_libraries = 0;
  pthread_cond_init(&changed, NULL);
  pthread_mutex_init(&gate, NULL);
  atomic_fetch_add(&generation, 1);
}

/* Out of memory leaves forks and the end unnoticed: then there are the guarantees of any threaded program, none. */
static void install(void) {
  (void)pthread_atfork(before, in_parent, in_child);
  (void)atexit(fork_end);
}

void fork_watch(void) { pthread_once(&once, install); }

static void wait_for_turn(void) {
  queued++;
  while (forks && !let_in) pthread_cond_wait(&changed, &gate);
  queued--;
  if (!let_in) return;
  let_in--;
  pthread_cond_broadcast(&changed);
}

bool fork_hold(void) {
  fork_watch();
  if (!depth) {
    pthread_mutex_lock(&gate);
    if (forks) wait_for_turn();
    bool refused = ending;
    inside += !refused;
    pthread_mutex_unlock(&gate);
    if (refused) return false;
  }
  depth++;
  return true;
}

void fork_release(void) {
  if (--depth) return;
  pthread_mutex_lock(&gate);
  inside--;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&gate);
}

int fork_holders(void) {
  pthread_mutex_lock(&gate);
  int n = inside;
  pthread_mutex_unlock(&gate);
  return n;
}

bool fork_use_library(void) {
  fork_watch();
  pthread_mutex_lock(&gate);
  bool used = !ending;
  in_libraries += used;
  pthread_mutex_unlock(&gate);
  return used;
}

void fork_leave_library(void) {
  pthread_mutex_lock(&gate);
  in_libraries--;
  if (ending) pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&gate);
}

bool fork_library_lost(void) { return lost; }

void fork_end(void) {
  pthread_mutex_lock(&gate);
  ending = true;
  while (inside > !!depth || in_libraries) pthread_cond_wait(&changed, &gate);
  pthread_mutex_unlock(&gate);
}

void fork_expect_end(atomic_uint *calls) {
  unsigned n = atomic_fetch_add(calls, 1) + 1;
  if ((n & (n - 1)) == 0) (void)atexit(fork_end);
}

unsigned fork_generation(void) {
  fork_watch();
  return atomic_load_explicit(&generation, memory_order_relaxed);
}

unsigned fork_count(void) {
  fork_watch();
  return atomic_load(&count);
}
