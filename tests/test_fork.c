/* Children of a process whose threads compile and compute: they can do all that their parent could, and disturb nothing
 * that it does. `test_fork SECONDS` forks for so long.
 * ctest: timeout=600 */
#include "base/base.h"
#include "support/engines.h"
#include "support/matrix.h"
#include "support/patterns.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { KNOWN = 24, COMPILERS = 3, LENGTH = 50, CHILDREN = 4, LONGEST = 120 /* seconds that a child may take */ };

static double seconds; /* of the storm; 0: as many forks as `forks` */
static int forks;

/* Waits; fails if the child did not end with 0. */
static void expect_good(pid_t pid) {
  int status = -1;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (WIFSIGNALED(status)) fail_msg("a child %s", WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status)));
  if (status) fail_msg("a child ended with %d", WEXITSTATUS(status));
}

static pid_t start_child(int (*fn)(unsigned seed), unsigned seed) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    alarm(LONGEST);
    _exit(fn(seed));
  }
  return pid;
}

/* ---- the storm --------------------------------------------------------------------------------------------------------- */

static tme_engine *engine;
static atomic_uint next_pattern;
static atomic_bool stop, wrong;

static unsigned new_pattern(void) { return atomic_fetch_add(&next_pattern, 1) * 2654435761u; }

static bool known_right(void) {
  for (unsigned i = 0; i < KNOWN; i++)
    if (!pattern_right(engine, i * 77, LENGTH)) return false;
  return true;
}

/* What another thread of the engine does meanwhile. */
static bool asynchronous_right(unsigned number) {
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_vector(s, LENGTH, 1), *y = test_vector(s, LENGTH, -3), *a = pattern_of(s, number, x, y);
  tme_event *event = tme_eval_async(s, &a, 1);
  bool right = tme_event_wait(event) == TME_OK && *(const float *)tme_data(s, a) == pattern_value(number, 1, -3);
  tme_event_free(event);
  tme_scope_free(s);
  return right;
}

static void *compile_on(void *user) {
  int number = (int)(uintptr_t)user;
  for (int i = 0; !atomic_load(&stop); i++) {
    bool right = number ? pattern_right(engine, new_pattern(), LENGTH) : asynchronous_right(new_pattern());
    if (!right || !known_right()) atomic_store(&wrong, true);
    if (i % 50 == 49) tme_engine_clear_cache(engine, false);
  }
  return NULL;
}

static bool new_engine_right(unsigned number) {
  tme_engine *e = test_engine("auto");
  bool right = e && pattern_right(e, number, LENGTH);
  tme_engine_free(e);
  return right;
}

/* The engine's own code, that of the parent, that of a new engine, and its end. */
static int use_everything(unsigned seed) {
  if (!known_right()) return 2;
  for (unsigned i = 0; i < 3; i++)
    if (!pattern_right(engine, (seed * 3 + i) * 2246822519u, LENGTH)) return 3;
  if (!asynchronous_right(seed * 3266489917u)) return 4;
  if (!new_engine_right(seed * 668265263u)) return 5;
  if (!known_right()) return 6;
  if (seed % 2) tme_engine_free(engine);
  return 0;
}

static void storm(void **state) {
  (void)state;
  if (sanitized()) skip(); /* their run-time libraries have locks of their own */
  char folder[] = "/tmp/tme-test-XXXXXX", command[100];
  assert_non_null(mkdtemp(folder));
  tme_options o;
  tme_options_init(&o);
  o.precision = "float32";
  o.cache_dir = folder;
  engine = tme_engine_new(&o);
  pthread_t id[COMPILERS];
  pid_t child[CHILDREN] = {0};
  assert_true(known_right());
  for (int i = 0; i < COMPILERS; i++)
    assert_int_equal(pthread_create(&id[i], NULL, compile_on, (void *)(uintptr_t)i), 0);
  double end = now_ms() + seconds * 1e3;
  for (int i = 0; seconds > 0 ? now_ms() < end : i < forks; i++) {
    pid_t *slot = &child[i % CHILDREN];
    if (*slot) expect_good(*slot);
    *slot = start_child(use_everything, (unsigned)i);
    assert_false(atomic_load(&wrong));
  }
  for (int i = 0; i < CHILDREN; i++)
    if (child[i]) expect_good(child[i]);
  atomic_store(&stop, true);
  for (int i = 0; i < COMPILERS; i++) pthread_join(id[i], NULL);
  assert_false(atomic_load(&wrong));
  assert_true(known_right());
  tme_stats stats;
  tme_engine_stats(engine, &stats);
  if (tme_engine_has_jit(engine)) assert_int_equal(stats.fallbacks + stats.failures, 0);
  tme_engine_free(engine);
  snprintf(command, sizeof command, "rm -r '%s'", folder);
  assert_int_equal(system(command), 0);
}

/* ---- one thing at a time ------------------------------------------------------------------------------------------------- */

static tme_scope *shared_scope;
static tme_array *shared;
static atomic_bool begun, go_on;

static void *evaluate_shared(void *user) {
  atomic_store(&begun, true);
  tme_eval(shared_scope, shared);
  return user;
}

static int evaluate_it_too(unsigned seed) {
  (void)seed;
  double sum = 0;
  tme_scope *s = tme_scope_new(engine);
  if (tme_item(s, tme_sum(s, shared, NULL, TME_ALL, false, TME_DTYPE_NONE), &sum) != TME_OK || sum != 600.0 * 600 * 600)
    return 2;
  tme_scope_free(s);
  return 0;
}

/* An array that a thread of the parent is computing: the child computes it itself. */
static void half_computed(void **state) {
  (void)state;
  if (sanitized()) skip();
  engine = test_engine("reference");
  shared_scope = tme_scope_new(engine);
  tme_array *ones = tme_full(shared_scope, (int64_t[]){600, 600}, 2, 1, TME_F32);
  shared = tme_matmul(shared_scope, ones, ones);
  pthread_t id;
  assert_int_equal(pthread_create(&id, NULL, evaluate_shared, NULL), 0);
  while (!atomic_load(&begun)) usleep(100);
  usleep(20000);
  pid_t pid = start_child(evaluate_it_too, 0);
  expect_good(pid);
  pthread_join(id, NULL);
  tme_scope_free(shared_scope);
  tme_engine_free(engine);
}

static void log_slowly(void *user, tme_log_level level, const char *message) {
  (void)user, (void)level, (void)message;
  atomic_store(&begun, true);
  while (!atomic_load(&go_on)) usleep(1000);
}

static void *evaluate_logged(void *user) { return pattern_right(engine, new_pattern(), LENGTH) ? user : NULL; }

static int evaluate_and_log(unsigned seed) {
  atomic_store(&go_on, true);
  return pattern_right(engine, seed, LENGTH) ? 0 : 2;
}

/* Forks do not wait for the caller's own functions, which may wait for who forks. */
static void callback_at_work(void **state) {
  (void)state;
  if (sanitized()) skip();
  tme_options o;
  tme_options_init(&o);
  o.log = log_slowly;
  o.log_level = TME_LOG_INFO;
  o.cache_dir = "";
  atomic_store(&go_on, true);
  engine = tme_engine_new(&o);
  atomic_store(&go_on, false);
  atomic_store(&begun, false);
  pthread_t id;
  void *right;
  assert_int_equal(pthread_create(&id, NULL, evaluate_logged, engine), 0);
  while (!atomic_load(&begun)) usleep(100);
  expect_good(start_child(evaluate_and_log, 4711));
  atomic_store(&go_on, true);
  pthread_join(id, &right);
  assert_non_null(right);
  tme_engine_free(engine);
}

/* Children of a process that has forked often: the parent has as many descriptors open as before. */
static int do_nothing(unsigned seed) {
  (void)seed;
  return 0;
}

static int descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 1024; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static void nothing_piles_up(void **state) {
  (void)state;
  if (sanitized()) skip();
  engine = test_engine("auto");
  assert_true(known_right());
  int before = descriptors();
  for (unsigned i = 0; i < 20; i++) {
    expect_good(start_child(do_nothing, i));
    assert_true(pattern_right(engine, new_pattern(), LENGTH));
  }
  assert_in_range(descriptors(), 0, before + 1);
  assert_true(known_right());
  tme_engine_free(engine);
}

int main(int argc, char **argv) {
  const char *turn = getenv("TME_MATRIX");
  forks = turn && !strcmp(turn, "full") ? 1000 : turn && !strcmp(turn, "quick") ? 16 : 40;
  if (argc > 1) seconds = atof(argv[1]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(half_computed),
      cmocka_unit_test(callback_at_work),
      cmocka_unit_test(nothing_piles_up),
      cmocka_unit_test(storm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
