#include "base/fork.h"
#include <pthread.h>
#include <stdatomic.h>

static atomic_uint generation, count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Counted before the fork, so that no thread of the parent can act on the old count once the child exists. */
static void before(void) { atomic_fetch_add(&count, 1); }
static void in_child(void) { atomic_fetch_add(&generation, 1); }

/* Out of memory leaves forks unnoticed: the child then has the guarantees of any threaded program, none. */
static void install(void) { (void)pthread_atfork(before, NULL, in_child); }

unsigned fork_generation(void) {
  pthread_once(&once, install);
  return atomic_load_explicit(&generation, memory_order_relaxed);
}

unsigned fork_count(void) {
  pthread_once(&once, install);
  return atomic_load(&count);
}
