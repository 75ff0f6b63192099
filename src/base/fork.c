#include "base/fork.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_uint generation, count;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool holds; /* this thread does, and may fork all the same */
static atomic_int waiting;       /* forks: they go first */

/* Counted before the fork, so that no thread of the parent can act on the old count once the child exists. */
static void before(void) {
  atomic_fetch_add(&waiting, 1);
  if (!holds) pthread_mutex_lock(&held);
  atomic_fetch_sub(&waiting, 1);
  atomic_fetch_add(&count, 1);
}

/* in the child likewise */
static void let_go(void) {
  if (!holds) pthread_mutex_unlock(&held);
}

static void in_child(void) {
  let_go();
  atomic_store(&waiting, 0); /* of threads that are not here */
  atomic_fetch_add(&generation, 1);
}

/* Out of memory leaves forks unnoticed: the child then has the guarantees of any threaded program, none. */
static void install(void) { (void)pthread_atfork(before, let_go, in_child); }

void fork_hold(void) {
  pthread_once(&once, install);
  while (atomic_load(&waiting)) sched_yield();
  pthread_mutex_lock(&held);
  holds = true;
}

void fork_release(void) {
  holds = false;
  pthread_mutex_unlock(&held);
}

unsigned fork_generation(void) {
  pthread_once(&once, install);
  return atomic_load_explicit(&generation, memory_order_relaxed);
}

unsigned fork_count(void) {
  pthread_once(&once, install);
  return atomic_load(&count);
}
