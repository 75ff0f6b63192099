/* Where work with a deep stack runs. */
#include "base/stack.h"
#include "support/matrix.h"
#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <cmocka.h>

typedef struct seen {
  pthread_t thread;
  size_t left;
  int rounding;
} seen;

static void look(void *user) { *(seen *)user = (seen){pthread_self(), stack_left(), fegetround()}; }

static void *look_from_thread(void *user) {
  look(user);
  return NULL;
}

static void what_is_left(void **state) {
  (void)state;
  enum { SMALL = 256 << 10, MOST = 8 << 20 };
  seen first, small;
  pthread_attr_t attr;
  pthread_t thread;
  look(&first);
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstacksize(&attr, SMALL), 0);
  assert_int_equal(pthread_create(&thread, &attr, look_from_thread, &small), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  pthread_attr_destroy(&attr);
#ifdef __linux__
  assert_in_range(first.left, 1, MOST);
  assert_in_range(small.left, 1, SMALL);
#endif
  assert_true(first.left <= MOST && small.left <= SMALL);
}

/* On the caller's stack if that is enough; in the default modes either way, and the caller keeps its own. */
static void here_or_there(void **state) {
  (void)state;
  seen s;
  assert_int_equal(fesetround(FE_UPWARD), 0);
  stack_call(SIZE_MAX, look, &s);
  assert_false(pthread_equal(s.thread, pthread_self()));
  assert_int_equal(s.rounding, FE_TONEAREST);
  assert_true(s.left == 0 || s.left > (size_t)8 << 20);
  assert_int_equal(fegetround(), FE_UPWARD);
  stack_call(1, look, &s);
#ifdef __linux__
  assert_true(pthread_equal(s.thread, pthread_self()));
#endif
  assert_int_equal(s.rounding, FE_TONEAREST);
  assert_int_equal(fegetround(), FE_UPWARD);
  fesetround(FE_TONEAREST);
}

/* ---- a stack that nobody knows ------------------------------------------------------------------------------------------ */

static ucontext_t caller, routine;
static seen in_routine, called;
static char routine_stack[128 << 10];

static void coroutine(void) {
  look(&in_routine);
  stack_call(1, look, &called);
}

static void from_a_coroutine(void **state) {
  (void)state;
  if (sanitized()) skip(); /* they know no other stacks */
  assert_int_equal(getcontext(&routine), 0);
  routine.uc_stack.ss_sp = routine_stack;
  routine.uc_stack.ss_size = sizeof routine_stack;
  routine.uc_link = &caller;
  makecontext(&routine, coroutine, 0);
  assert_int_equal(swapcontext(&caller, &routine), 0);
  assert_int_equal(in_routine.left, 0);
  assert_false(pthread_equal(called.thread, pthread_self()));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_left),
      cmocka_unit_test(here_or_there),
      cmocka_unit_test(from_a_coroutine),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
