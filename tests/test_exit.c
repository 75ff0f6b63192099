/* The process ends while threads of the library compile and compute.
 * ctest: concurrency timeout=300 */
#include "base/base.h"
#include "support/engines.h"
#include "support/patterns.h"
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define SELF "/proc/self/exe"

/* ---- what the processes do: each ends with 0 --------------------------------------------------------------------------- */

static tme_engine *engine;

static void submit(tme_scope *s, unsigned seed, int n) {
  for (int i = 0; i < n; i++) {
    tme_array *x = test_vector(s, 100, 1), *y = test_vector(s, 100, -3);
    tme_array *a = pattern_of(s, seed + (unsigned)i, x, y);
    tme_eval_async(s, &a, 1);
  }
}

/* An asynchronous evaluation is compiled, and perhaps others after it. */
static int leave_queue(unsigned seed) {
  engine = test_engine(getenv("TME_BACKEND") ? getenv("TME_BACKEND") : "auto");
  submit(tme_scope_new(engine), seed, 5);
  return 0;
}

static void *evaluate_on(void *user) {
  for (unsigned i = 0;; i++)
    if (!pattern_right(engine, (unsigned)(uintptr_t)user + i, 100)) _exit(9);
  return NULL;
}

/* The caller's own threads do. */
static int leave_threads(unsigned seed) {
  pthread_t id;
  engine = test_engine("auto");
  for (unsigned i = 0; i < 3; i++)
    if (pthread_create(&id, NULL, evaluate_on, (void *)(uintptr_t)(seed + 1000 * i)) != 0) return 3;
  return 0;
}

static void evaluate_at_exit(void) {
  if (!pattern_right(engine, 12345, 100)) _exit(9);
  tme_engine_free(engine);
}

/* What the caller does as the process ends still gets its values. */
static int evaluate_late(unsigned seed) {
  if (atexit(evaluate_at_exit) != 0) return 3;
  return leave_queue(seed);
}

static void *decompose(void *user) {
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 300, 300, 0);
  for (;;) {
    tme_array *values = tme_svdvals(s, tme_sin(s, x));
    if (tme_eval(s, values) != TME_OK) _exit(9);
  }
  return user;
}

/* BLAS and LAPACK are at work. */
static int leave_libraries(unsigned seed) {
  pthread_t id;
  (void)seed;
  engine = test_engine("nojit");
  return pthread_create(&id, NULL, decompose, NULL) ? 3 : 0;
}

/* A program that has opened the library at run time closes it meanwhile. */
static int unload(unsigned seed) {
  char path[1000];
  const char *build = getenv("TME_BUILD_DIR");
  snprintf(path, sizeof path, "%s/lib/libtme.so", build ? build : "build");
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return 77;
#define IMPORT(name)                                                                                                   \
  __typeof__(name) *f_##name;                                                                                          \
  memcpy(&f_##name, &(void *){dlsym(library, #name)}, sizeof f_##name)
  IMPORT(tme_options_init);
  IMPORT(tme_engine_new);
  IMPORT(tme_scope_new);
  IMPORT(tme_full);
  IMPORT(tme_subtract);
  IMPORT(tme_eval_async);
  tme_options o;
  f_tme_options_init(&o);
  o.cache_dir = "";
  tme_scope *s = f_tme_scope_new(f_tme_engine_new(&o));
  tme_array *x = f_tme_full(s, (int64_t[]){100}, 1, 2, TME_F32), *y = f_tme_full(s, (int64_t[]){100}, 1, 3, TME_F32);
  for (unsigned i = 0; i < 8; i++) x = seed >> i & 1 ? f_tme_subtract(s, x, y) : f_tme_subtract(s, y, x);
  if (!f_tme_eval_async(s, &x, 1)) return 3;
  dlclose(library);
  usleep(20000);
  return 0;
}

/* ---- how they end ------------------------------------------------------------------------------------------------------ */

static const struct mode {
  const char *name;
  int (*fn)(unsigned seed);
} modes[] = {{"queue", leave_queue},
             {"threads", leave_threads},
             {"late", evaluate_late},
             {"libraries", leave_libraries},
             {"unload", unload}};

/* Ends so many microseconds after the work was begun. */
static int run_mode(const char *name, const char *delay) {
  alarm(60);
  for (int i = 0; i < COUNT(modes); i++) {
    if (strcmp(name, modes[i].name) != 0) continue;
    int code = modes[i].fn((unsigned)atoi(delay) * 7);
    usleep((useconds_t)atoi(delay));
    return code;
  }
  return 2;
}

/* At other moments in every run: opening the compiler takes some 20 ms, a compilation 5. */
static void ends_well(const char *name) {
  const char *share = getenv("TME_MATRIX");
  int runs = share && !strcmp(share, "full") ? 300 : 15, most = 60000;
  for (int i = 0; i < runs; i++) {
    char delay[20];
    snprintf(delay, sizeof delay, "%d", (int)((int64_t)most * i / runs) + (int)(getpid() % 1000));
    pid_t pid = fork();
    if (!pid) {
      setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* they leave everything as it is */
      execl(SELF, SELF, name, delay, (char *)NULL);
      _exit(127);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
    if (status) fail_msg("%s after %s us: status %#x", name, delay, (unsigned)status);
  }
}

#define ENDS(name)                                                                                                     \
  static void test_##name(void **state) {                                                                              \
    (void)state;                                                                                                       \
    ends_well(#name);                                                                                                  \
  }
ENDS(queue)
ENDS(threads)
ENDS(late)
ENDS(libraries)
ENDS(unload)

int main(int argc, char **argv) {
  if (argc == 3) return run_mode(argv[1], argv[2]);
#ifdef __SANITIZE_THREAD__
  return 77; /* the sanitizer calls threads that nobody joined an error */
#endif
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_queue),     cmocka_unit_test(test_threads), cmocka_unit_test(test_late),
      cmocka_unit_test(test_libraries), cmocka_unit_test(test_unload),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
