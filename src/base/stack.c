/* A stack of its own for work whose depth follows the graph: compilation. Callers have what their thread was given,
 * some of them 64 KiB. */
#include "base/stack.h"
#include <fenv.h>
#include <signal.h>
#include <stddef.h>

enum { STACK_BYTES = 16 << 20 };

typedef struct task {
  void (*fn)(void *user);
  void *user;
} task;

static void *run(void *given) {
  const task *t = given;
  fesetenv(FE_DFL_ENV);
  t->fn(t->user);
  return NULL;
}

bool stack_thread(pthread_t *thread, void *(*fn)(void *user), void *user) {
  pthread_attr_t attr;
  sigset_t all, old;
  bool started = false;
  if (pthread_attr_init(&attr) != 0) return false;
  sigfillset(&all);
  if (pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 && pthread_sigmask(SIG_SETMASK, &all, &old) == 0) {
    started = pthread_create(thread, &attr, fn, user) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
  }
  pthread_attr_destroy(&attr);
  return started;
}

void stack_call(void (*fn)(void *user), void *user) {
  task t = {fn, user};
  pthread_t thread;
  if (stack_thread(&thread, run, &t))
    pthread_join(thread, NULL);
  else
    fn(user);
}
