/* A stack for work whose depth follows the graph: compilation. Callers have what their thread was given, some of them
 * 64 KiB. A thread of its own takes a while to start: a virtual processor that sleeps must be woken by its host first. */
#include "base/stack.h"
#include <fenv.h>
#include <signal.h>
#include <stdint.h>
#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

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

#if defined(__linux__)
/* The process's first stack begins with the name that AT_EXECFN points to, and grows down to its limit, which may have been
 * raised since: but 128 MB below it are left free in any case. (pthread_getattr_np reads all of /proc/self/maps.) */
static uintptr_t first_stack(uintptr_t *end) {
  enum { MOST = 8 << 20 };
  struct rlimit limit;
  *end = (uintptr_t)getauxval(AT_EXECFN);
  if (!*end || getrlimit(RLIMIT_STACK, &limit) != 0) return *end;
  return *end - (limit.rlim_cur < MOST ? (uintptr_t)limit.rlim_cur : (uintptr_t)MOST);
}

static uintptr_t thread_stack(uintptr_t *end) {
  pthread_attr_t attr;
  void *start = NULL;
  size_t bytes = 0;
  if (pthread_getattr_np(pthread_self(), &attr) == 0) {
    if (pthread_attr_getstack(&attr, &start, &bytes) != 0) bytes = 0;
    pthread_attr_destroy(&attr);
  }
  *end = (uintptr_t)start + bytes;
  return (uintptr_t)start;
}

size_t stack_left(void) {
  uintptr_t at = (uintptr_t)__builtin_frame_address(0), end;
  uintptr_t start = gettid() == getpid() ? first_stack(&end) : thread_stack(&end);
  return at > start && at < end ? at - start : 0;
}
#else
size_t stack_left(void) { return 0; }
#endif

void stack_call(size_t bytes, void (*fn)(void *user), void *user) {
  task t = {fn, user};
  pthread_t thread;
  fenv_t modes;
  if (stack_left() >= bytes && fegetenv(&modes) == 0) {
    run(&t);
    fesetenv(&modes);
  } else if (stack_thread(&thread, run, &t)) {
    pthread_join(thread, NULL);
  } else {
    fn(user);
  }
}
