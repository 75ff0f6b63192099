/* The way from a call to a compiled kernel: caches in memory and on disk, a second process, planted failures.
 * ctest: timeout=300 */
#include "backend/cpu/jit.h"
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { N = 1000 };

static float values[8 * N];
static char self[4096];

/* ---- engines and their log ---------------------------------------------------------------------------------------------- */

typedef struct journal {
  int n;
  struct {
    tme_log_level level;
    char text[300];
  } line[200];
} journal;

static void keep_line(void *user, tme_log_level level, const char *message) {
  journal *j = user;
  if (j->n == COUNT(j->line)) return;
  j->line[j->n].level = level;
  snprintf(j->line[j->n++].text, sizeof j->line[0].text, "%.290s", message);
}

static int lines_with(const journal *j, tme_log_level level, const char *word) {
  int n = 0;
  for (int i = 0; i < j->n; i++) n += j->line[i].level == level && strstr(j->line[i].text, word);
  return n;
}

static tme_engine *open_engine(const char *cache_dir, size_t cache_bytes, journal *j) {
  tme_options o;
  tme_options_init(&o);
  o.backend = "cpu";
  o.precision = "float32";
  o.cache_dir = cache_dir;
  o.cache_bytes = cache_bytes;
  o.log_level = TME_LOG_INFO;
  o.log = j ? keep_line : NULL;
  o.log_user = j;
  tme_engine *e = tme_engine_new(&o);
  assert_non_null(e);
  return e;
}

static tme_stats stats_of(tme_engine *e) {
  tme_stats s;
  tme_engine_stats(e, &s);
  return s;
}

/* The tests of compiled code need a compiler. */
static bool compiler_there(void) {
  static int there = -1;
  if (there < 0) {
    tme_engine *e = open_engine("", 0, NULL);
    tme_jit_status s;
    tme_engine_status(e, &s);
    assert_int_not_equal(s.state, TME_JIT_FAILED);
    there = s.state == TME_JIT_ACTIVE;
    tme_engine_free(e);
  }
  return there;
}

#define NEEDS_COMPILER()                                                                                               \
  do {                                                                                                                 \
    if (!compiler_there()) skip();                                                                                     \
  } while (0)

/* ---- what is evaluated ---------------------------------------------------------------------------------------------------- */

/* tanh(x * a + b) of n numbers, compared with libm. */
static bool right_chain(tme_engine *e, int64_t n, double a, double b) {
  tme_scope *s = tme_scope_new(e);
  tme_array *x = tme_wrap(s, TME_F32, 1, &n, NULL, values, NULL, NULL);
  tme_array *y = tme_tanh(s, tme_add(s, tme_multiply(s, x, tme_number(s, a)), tme_number(s, b)));
  const float *got = tme_data(s, y);
  bool right = got != NULL;
  for (int64_t i = 0; right && i < n; i++)
    right = fabs((double)got[i] - tanh((double)values[i] * a + b)) < 4e-7 * (1 + fabs(a) + fabs(b));
  if (!got) printf("  %s\n", tme_error(s));
  tme_scope_free(s);
  return right;
}

/* A signature of its own for each k: k squares under a sum. */
static bool right_sum(tme_engine *e, int k) {
  int64_t n = N;
  tme_scope *s = tme_scope_new(e);
  tme_array *y = tme_wrap(s, TME_F32, 1, &n, NULL, values, NULL, NULL);
  double want = 0, got = NAN;
  for (int64_t i = 0; i < n; i++) {
    double v = (double)values[i];
    for (int j = 0; j < k; j++) v = j % 2 ? v + (double)values[i] : v * (double)values[i];
    want += v;
  }
  tme_array *x = y;
  for (int j = 0; j < k; j++) y = j % 2 ? tme_add(s, y, x) : tme_multiply(s, y, x);
  bool right = tme_item(s, tme_sum(s, y, NULL, TME_ALL, false, TME_DTYPE_NONE), &got) == TME_OK &&
               fabs(got - want) < 1e-3 * (1 + fabs(want));
  tme_scope_free(s);
  return right;
}

/* tanh(x) sigmoid(x) - exp(x) of all values: long enough to be compiled in two tiers. */
static bool long_map(tme_engine *e, float out[8 * N]) {
  int64_t n = 8 * N;
  tme_scope *s = tme_scope_new(e);
  tme_array *x = tme_wrap(s, TME_F32, 1, &n, NULL, values, NULL, NULL);
  tme_array *y = tme_subtract(s, tme_multiply(s, tme_tanh(s, x), tme_sigmoid(s, x)), tme_exp(s, x));
  bool done = tme_read(s, y, out, 8 * N * sizeof *out) == TME_OK;
  tme_scope_free(s);
  return done;
}

/* ---- rows with NaN, whose maximum passes it over ------------------------------------------------------------------------- */

enum { ROWS = 64, WIDE = 45 };

/* op: softmax, log_softmax, logsumexp, the attention of rows to each other. */
static void row_function(tme_engine *e, int op, const float *x, float *out, size_t n) {
  tme_scope *s = tme_scope_new(e);
  tme_array *a = tme_wrap(s, TME_F32, 2, (int64_t[]){ROWS, WIDE}, NULL, (void *)(uintptr_t)x, NULL, NULL);
  tme_array *y = op == 0   ? tme_softmax(s, a, (int[]){1}, 1)
                 : op == 1 ? tme_log_softmax(s, a, (int[]){1}, 1)
                 : op == 2 ? tme_logsumexp(s, a, (int[]){1}, 1, false)
                           : tme_scaled_dot_product_attention(s, a, a, a, NULL, 0.01, false);
  if (tme_read(s, y, out, n * sizeof *out) != TME_OK) fail_msg("%s", tme_error(s));
  tme_scope_free(s);
}

static void test_rows_with_nan(void **state) {
  (void)state;
  NEEDS_COMPILER();
  static const float special[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 1e-40f, 3e38f, -3e38f};
  static float x[ROWS * WIDE], got[ROWS * WIDE], want[ROWS * WIDE];
  tme_options o;
  tme_options_init(&o);
  o.backend = "reference";
  o.precision = "float32";
  tme_engine *compiled = open_engine("", 0, NULL), *reference = tme_engine_new(&o);
  assert_non_null(reference);
  unsigned seed = 1;
  for (int op = 0; op < 4; op++) {
    for (int i = 0; i < ROWS * WIDE; i++) {
      seed = seed * 1664525 + 1013904223;
      int row = i / WIDE, rare = (int)(seed >> 16) % 20;
      x[i] = (float)((int)(seed >> 20) % 200 - 100) * 0.05f;
      /* Attention mixes all rows, most of them ordinary, and products that overflow depend on the order of the sum. */
      if (rare == 0 && (op < 3 || row == 5)) x[i] = special[(seed >> 8) % (op < 3 ? COUNT(special) : 3)];
      if (row == 3 && op < 3) x[i] = -INFINITY;
      if (row == 4 && op < 3) x[i] = NAN;
    }
    size_t n = op == 2 ? ROWS : ROWS * WIDE;
    row_function(compiled, op, x, got, n);
    row_function(reference, op, x, want, n);
    for (size_t i = 0; i < n; i++) {
      bool same =
          isnan(want[i]) ? isnan(got[i]) : got[i] == want[i] || fabsf(got[i] - want[i]) < 2e-5f * (1 + fabsf(want[i]));
      if (!same) fail_msg("function %d, element %zu: %g instead of %g", op, i, (double)got[i], (double)want[i]);
    }
  }
  tme_engine_free(compiled);
  tme_engine_free(reference);
}

/* A sum without its axis is a view of the sum; its rows are cut into chunks, the last of which is not whole. */
static void test_view_of_sums_in_chunks(void **state) {
  (void)state;
  NEEDS_COMPILER();
  enum { OUTER = 2, SUMMED = 3, INNER = 8193 };
  static float x[OUTER * SUMMED * INNER], got[OUTER * INNER];
  for (int i = 0; i < COUNT(x); i++) x[i] = (float)(i % 23) * 0.25f - 2;
  tme_engine *e = open_engine("", 0, NULL);
  tme_scope *s = tme_scope_new(e);
  tme_array *a = tme_wrap(s, TME_F32, 3, (int64_t[]){OUTER, SUMMED, INNER}, NULL, x, NULL, NULL);
  tme_array *y = tme_logsumexp(s, a, (int[]){1}, 1, false);
  if (tme_read(s, y, got, sizeof got) != TME_OK) fail_msg("%s", tme_error(s));
  for (int i = 0; i < OUTER * INNER; i++) {
    double sum = 0;
    for (int j = 0; j < SUMMED; j++) sum += exp((double)x[(i / INNER * SUMMED + j) * INNER + i % INNER]);
    if (fabs((double)got[i] - log(sum)) > 1e-5) fail_msg("element %d: %g instead of %g", i, (double)got[i], log(sum));
  }
  assert_int_equal(stats_of(e).fallbacks, 0);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* ---- the cache in memory ---------------------------------------------------------------------------------------------------- */

static void test_second_call_hits(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine("", 0, NULL);
  assert_int_equal(stats_of(e).compilations, 0);
  assert_true(right_chain(e, N, 1.5, 0.25));
  tme_stats first = stats_of(e);
  assert_true(first.compilations > 0 && first.entries == first.compilations && first.bytes > 0);
  assert_true(first.compile_ms > 0);
  assert_int_equal(first.plan_misses, 1);
  assert_true(right_chain(e, N, 1.5, 0.25));
  tme_stats second = stats_of(e);
  assert_int_equal(second.compilations, first.compilations);
  assert_int_equal(second.plan_hits, first.plan_hits + 1);
  assert_int_equal(second.plan_misses, first.plan_misses);
  assert_int_equal(second.kernels_run, 2 * first.kernels_run);
  tme_engine_free(e);
}

static void test_changing_scalar_compiles_nothing(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine("", 0, NULL);
  assert_true(right_chain(e, N, 1.5, 0.25));
  tme_stats first = stats_of(e);
  for (int i = 0; i < 50; i++) assert_true(right_chain(e, N, 0.31 + 0.013 * i, 1.27 - 0.021 * i));
  tme_stats then = stats_of(e);
  assert_int_equal(then.compilations, first.compilations);
  assert_int_equal(then.entries, first.entries);
  assert_int_equal(then.plan_entries, first.plan_entries);
  tme_engine_free(e);
}

static void test_shapes_share_a_kernel(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine("", 0, NULL);
  assert_true(right_chain(e, N, 1.5, 0.25));
  tme_stats first = stats_of(e);
  for (int64_t n = 2; n < 8 * N; n = n * 3 / 2 + 1) assert_true(right_chain(e, n, 1.5, 0.25));
  tme_stats then = stats_of(e);
  assert_int_equal(then.compilations, first.compilations);
  assert_int_equal(then.entries, first.entries);
  assert_true(then.hits > first.hits);
  tme_engine_free(e);
}

typedef struct worker {
  tme_engine *e;
  int from, wrong;
} worker;

static void *evaluate_many(void *user) {
  worker *w = user;
  for (int round = 0; round < 3; round++)
    for (int k = 1; k <= 16; k++) w->wrong += !right_sum(w->e, 1 + (w->from + k) % 16);
  return NULL;
}

/* Kernels are dropped while others, or they themselves, run. */
static void test_eviction(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *probe = open_engine("", 0, NULL);
  assert_true(right_sum(probe, 3));
  size_t one = stats_of(probe).bytes, bound = 4 * one;
  tme_engine_free(probe);
  tme_engine *e = open_engine("", bound, NULL);
  for (int k = 1; k <= 16; k++) {
    assert_true(right_sum(e, k));
    assert_true(stats_of(e).bytes <= bound);
  }
  assert_true(stats_of(e).evictions > 0);
  assert_true(stats_of(e).entries < 16);
  worker w[2] = {{e, 0, 0}, {e, 7, 0}};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, evaluate_many, &w[1]), 0);
  evaluate_many(&w[0]);
  pthread_join(thread, NULL);
  assert_int_equal(w[0].wrong + w[1].wrong, 0);
  assert_true(stats_of(e).bytes <= bound);
  assert_int_equal(stats_of(e).failures, 0);
  tme_engine_free(e);
}

static void test_clear(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine("", 0, NULL);
  assert_true(right_sum(e, 2));
  uint64_t compiled = stats_of(e).compilations;
  assert_int_equal(tme_engine_clear_cache(e, false), TME_OK);
  assert_int_equal(stats_of(e).entries, 0);
  assert_int_equal(stats_of(e).bytes, 0);
  assert_int_equal(stats_of(e).plan_entries, 0);
  assert_true(right_sum(e, 2));
  assert_int_equal(stats_of(e).compilations, 2 * compiled);
  tme_engine_free(e);
}

static void test_first_use_is_logged_once(void **state) {
  (void)state;
  NEEDS_COMPILER();
  journal j = {0};
  tme_engine *e = open_engine("", 0, &j);
  assert_int_equal(lines_with(&j, TME_LOG_INFO, "JIT"), 0);
  for (int k = 1; k < 5; k++) assert_true(right_sum(e, k));
  assert_int_equal(lines_with(&j, TME_LOG_INFO, "compiles for"), 1);
  assert_int_equal(lines_with(&j, TME_LOG_INFO, "is in use"), 1);
  assert_int_equal(lines_with(&j, TME_LOG_WARNING, ""), 0);
  tme_engine_free(e);
}

/* ---- the cache on disk ---------------------------------------------------------------------------------------------------- */

static char folder[4200];

static int make_folder(void **state) {
  (void)state;
  const char *tmp = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/tme-jit-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  return mkdtemp(folder) ? 0 : -1;
}

static int each_file(const char *dir, void (*f)(const char *path)) {
  int n = 0;
  char path[9000];
  DIR *d = opendir(dir);
  for (struct dirent *x; d && (x = readdir(d));) {
    if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, "..")) continue;
    snprintf(path, sizeof path, "%s/%s", dir, x->d_name);
    struct stat st;
    if (lstat(path, &st)) continue;
    if (S_ISDIR(st.st_mode)) {
      n += each_file(path, f);
    } else {
      f(path);
      n++;
    }
  }
  if (d) closedir(d);
  return n;
}

static void remove_file(const char *path) { unlink(path); }

static void remove_folders(const char *dir) {
  char path[9000];
  DIR *d = opendir(dir);
  for (struct dirent *x; d && (x = readdir(d));) {
    if (x->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", dir, x->d_name);
    remove_folders(path);
  }
  if (d) closedir(d);
  rmdir(dir);
}

static int drop_folder(void **state) {
  (void)state;
  each_file(folder, remove_file);
  remove_folders(folder);
  return 0;
}

static void spoil_file(const char *path) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) return;
  struct stat st;
  if (!fstat(fd, &st) && st.st_size > 8)
    for (off_t at = st.st_size / 2; at < st.st_size; at += 3)
      if (pwrite(fd, "x", 1, at) != 1) break;
  close(fd);
}

static bool evaluates(tme_engine *e) { return right_chain(e, N, 1.5, 0.25) && right_sum(e, 3); }

/* What the second process does: exit code 0 if it compiled nothing and opened no compiler. */
static int repeat(const char *dir) {
  tme_engine *e = open_engine(dir, 0, NULL);
  if (!evaluates(e)) return 2;
  tme_stats s = stats_of(e);
  if (s.compilations || !s.disk_hits || s.failures || s.fallbacks) return 3;
  FILE *f = fopen("/proc/self/maps", "re");
  char line[1000];
  int code = f ? 0 : 4;
  while (f && fgets(line, sizeof line, f))
    if (strstr(line, "LLVM") || strstr(line, "llvm")) code = 5;
  if (f) fclose(f);
  tme_engine_free(e);
  return code;
}

static int run_child(const char *what) {
  pid_t pid = fork();
  if (!pid) {
    execl(self, self, what, folder, (char *)NULL);
    _exit(127);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_second_process_opens_no_compiler(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine(folder, 0, NULL);
  assert_true(evaluates(e));
  assert_true(stats_of(e).compilations > 0);
  assert_true(stats_of(e).disk_misses > 0);
  tme_engine_free(e);
  assert_int_equal(run_child("repeat"), 0);
}

/* ---- the second tier ----------------------------------------------------------------------------------------------------------- */

static float quick[8 * N], full[8 * N];

enum { WORTH_IT = 500 /* calls */ };

static bool long_map_stays(tme_engine *e, int calls) {
  bool same = true;
  for (int i = 0; i < calls && same; i++) same = long_map(e, full) && !memcmp(quick, full, sizeof quick);
  return same;
}

static void test_code_in_full(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine(folder, 0, NULL);
  assert_true(long_map(e, quick));
  for (int i = 0; i < 8 * N; i++) {
    double v = (double)values[i], want = tanh(v) / (1 + exp(-v)) - exp(v);
    assert_true(fabs((double)quick[i] - want) < 1e-6 * (1 + fabs(want)));
  }
  assert_int_equal(stats_of(e).compilations, 1);
  for (int i = 0; i < 20000 && stats_of(e).compilations < 2; i++) {
    assert_true(long_map_stays(e, 10));
    usleep(10000);
  }
  assert_int_equal(stats_of(e).compilations, 2);
  assert_true(long_map_stays(e, WORTH_IT));
  assert_int_equal(stats_of(e).compilations, 2);
  assert_int_equal(stats_of(e).fallbacks, 0);
  tme_engine_free(e);
  e = open_engine(folder, 0, NULL); /* starts with what is there */
  assert_true(long_map_stays(e, WORTH_IT));
  assert_int_equal(stats_of(e).compilations, 0);
  assert_int_equal(stats_of(e).disk_hits, 1);
  tme_engine_free(e);
}

/* An engine that ends has written what it was asked for. */
static void test_full_code_at_the_end(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine(folder, 0, NULL);
  assert_true(long_map(e, quick) && long_map_stays(e, WORTH_IT));
  tme_engine_free(e);
  e = open_engine(folder, 0, NULL);
  assert_true(long_map_stays(e, WORTH_IT));
  assert_int_equal(stats_of(e).compilations, 0);
  tme_engine_free(e);
}

static void test_no_code_in_full(void **state) {
  (void)state;
  NEEDS_COMPILER();
  journal j = {0};
  tme_engine *e = open_engine("", 0, &j);
  assert_true(long_map(e, quick));
  jit_plant_failure(JIT_FAIL_COMPILE);
  assert_true(long_map_stays(e, WORTH_IT));
  tme_stats s = stats_of(e);
  assert_true(s.compilations == 1 && !s.failures && !s.fallbacks);
  for (int i = 0; i < 100000 && !lines_with(&j, TME_LOG_INFO, "stays as it was compiled first"); i++) {
    usleep(1000);
    assert_true(long_map_stays(e, 1));
  }
  jit_plant_failure(JIT_FAIL_NEVER);
  assert_true(long_map_stays(e, 10));
  assert_int_equal(lines_with(&j, TME_LOG_INFO, "stays as it was compiled first"), 1);
  assert_int_equal(stats_of(e).compilations, 1);
  tme_engine_free(e);
}

/* The code that was first on disk stays: a process that finds all its code opens no compiler. */
static int use_quick(const char *dir) {
  tme_engine *e = open_engine(dir, 0, NULL);
  bool right = long_map(e, quick) && long_map_stays(e, WORTH_IT);
  bool compiled = stats_of(e).compilations != 0;
  tme_engine_free(e);
  return !right ? 2 : compiled ? 3 : 0;
}

static void test_quick_code_from_disk(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine(folder, 0, NULL);
  assert_true(long_map(e, quick));
  tme_engine_free(e);
  assert_int_equal(run_child("quick"), 0);
}

static tme_engine *left_open;

/* Compiles, and ends after a while without a word to the engine. */
static int end_early(const char *delay) {
  left_open = open_engine("", 0, NULL);
  if (!long_map(left_open, quick) || !long_map_stays(left_open, 60)) return 2;
  usleep((useconds_t)atoi(delay));
  return 0;
}

static void test_end_while_compiling(void **state) {
  (void)state;
  NEEDS_COMPILER();
#ifdef __SANITIZE_THREAD__
  skip(); /* the sanitizer calls threads that nobody joined an error */
#endif
  for (int i = 0; i < 20; i++) {
    snprintf(folder, sizeof folder, "%d", 500 * i);
    assert_int_equal(run_child("end"), 0);
  }
}

/* A child of a process that is compiling can compile. */
static void test_fork_while_compiling(void **state) {
  (void)state;
  NEEDS_COMPILER();
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  skip(); /* the one allows no threads after a fork of a threaded process, the other's allocator may be locked then */
#endif
  for (int calls = 40; calls < WORTH_IT; calls += 20) {
    tme_engine *e = open_engine("", 0, NULL);
    assert_true(long_map(e, quick) && long_map_stays(e, calls));
    pid_t pid = fork();
    if (!pid) {
      alarm(300);
      bool right = right_sum(e, 6) && long_map_stays(e, WORTH_IT);
      tme_engine_free(e);
      _exit(right ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(long_map_stays(e, 10));
    tme_engine_free(e);
  }
}

static void test_damaged_files_are_replaced(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine(folder, 0, NULL);
  assert_true(evaluates(e));
  uint64_t compiled = stats_of(e).compilations;
  tme_engine_free(e);
  assert_true(each_file(folder, spoil_file) > 0);
  e = open_engine(folder, 0, NULL);
  assert_true(evaluates(e));
  assert_int_equal(stats_of(e).compilations, compiled);
  assert_int_equal(stats_of(e).disk_hits, 0);
  assert_int_equal(stats_of(e).failures, 0);
  tme_engine_free(e);
  assert_int_equal(run_child("repeat"), 0);
}

static void test_clear_disk(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine(folder, 0, NULL);
  assert_true(evaluates(e));
  tme_engine_free(e);
  e = open_engine(folder, 0, NULL);
  assert_true(evaluates(e));
  assert_int_equal(stats_of(e).compilations, 0);
  assert_int_equal(tme_engine_clear_cache(e, true), TME_OK);
  assert_true(evaluates(e));
  assert_true(stats_of(e).compilations > 0);
  tme_engine_free(e);
}

/* A folder below a regular file can be made by nobody, not even by root. */
static void test_broken_folder(void **state) {
  (void)state;
  NEEDS_COMPILER();
  char file[4300], below[4400];
  snprintf(file, sizeof file, "%s/file", folder);
  snprintf(below, sizeof below, "%s/cache", file);
  FILE *f = fopen(file, "we");
  assert_non_null(f);
  fclose(f);
  const char *const dirs[] = {below, file};
  for (int i = 0; i < COUNT(dirs); i++) {
    journal j = {0};
    tme_engine *e = open_engine(dirs[i], 0, &j);
    assert_true(evaluates(e));
    assert_true(evaluates(e));
    assert_int_equal(lines_with(&j, TME_LOG_WARNING, "no cache on disk"), 1);
    assert_int_equal(stats_of(e).failures, 0);
    assert_int_equal(stats_of(e).disk_hits, 0);
    tme_engine_free(e);
  }
}

/* ---- planted failures ----------------------------------------------------------------------------------------------------- */

static int unplant(void **state) {
  (void)state;
  jit_plant_failure(JIT_FAIL_NEVER);
  return 0;
}

static void test_no_compiler(void **state) {
  (void)state;
  journal j = {0};
  jit_plant_failure(JIT_FAIL_OPEN);
  tme_engine *e = open_engine("", 0, &j);
  tme_jit_status s;
  tme_engine_status(e, &s);
  assert_int_equal(s.state, TME_JIT_DISABLED);
  assert_true(s.reason[0] != 0);
  assert_false(s.compiler_present);
  for (int i = 0; i < 10; i++) assert_true(evaluates(e));
  assert_int_equal(stats_of(e).compilations, 0);
  assert_true(stats_of(e).fallbacks > 0);
  assert_int_equal(lines_with(&j, TME_LOG_WARNING, "computed without JIT"), 1);
  tme_engine_free(e);
}

/* Answered, counted, said once, and not tried again for the same signature. */
static void check_failure(int where) {
  journal j = {0};
  tme_engine *e = open_engine("", 0, &j);
  jit_plant_failure(where);
  assert_true(right_sum(e, 4));
  tme_stats s = stats_of(e);
  assert_int_equal(s.failures, 1);
  assert_int_equal(s.fallbacks, 1);
  jit_plant_failure(JIT_FAIL_NEVER);
  for (int i = 0; i < 100; i++) assert_true(right_sum(e, 4));
  tme_stats then = stats_of(e);
  assert_int_equal(then.compilations, s.compilations);
  assert_int_equal(then.failures, 1);
  assert_int_equal(then.fallbacks, 101);
  assert_int_equal(lines_with(&j, TME_LOG_WARNING, "planted failure"), 1);
  /* another signature is compiled */
  assert_true(right_sum(e, 5));
  assert_true(stats_of(e).compilations > then.compilations);
  assert_int_equal(stats_of(e).fallbacks, 101);
  tme_engine_free(e);
}

static void test_failure_at_compile(void **state) {
  (void)state;
  NEEDS_COMPILER();
  check_failure(JIT_FAIL_COMPILE);
}

static void test_failure_at_load(void **state) {
  (void)state;
  NEEDS_COMPILER();
  check_failure(JIT_FAIL_LOAD);
}

static void test_failure_at_run(void **state) {
  (void)state;
  NEEDS_COMPILER();
  check_failure(JIT_FAIL_RUN);
}

static void test_status(void **state) {
  (void)state;
  NEEDS_COMPILER();
  tme_engine *e = open_engine("", 0, NULL);
  assert_true(tme_engine_has_jit(e));
  assert_int_equal(stats_of(e).compilations, 0);
  tme_jit_status s;
  tme_engine_status(e, &s);
  assert_int_equal(s.state, TME_JIT_ACTIVE);
  assert_true(s.compiler_present);
  assert_string_equal(s.reason, "");
  assert_string_equal(s.backend, "cpu");
  assert_true(s.target[0] != 0);
  /* around the cache: the test's kernel is not kept, and compiled again each time */
  assert_int_equal(s.stats.entries, 0);
  uint64_t once = s.stats.compilations;
  tme_engine_status(e, &s);
  assert_int_equal(s.stats.compilations, once + 1);
  jit_plant_failure(JIT_FAIL_COMPILE);
  tme_engine_status(e, &s);
  assert_int_equal(s.state, TME_JIT_FAILED);
  assert_non_null(strstr(s.reason, "planted"));
  tme_engine_free(e);
}

int main(int argc, char **argv) {
  for (int i = 0; i < COUNT(values); i++) values[i] = (float)(((i * 7919) % 2001) - 1000) * 1e-3f;
  if (argc == 3 && !strcmp(argv[1], "repeat")) return repeat(argv[2]);
  if (argc == 3 && !strcmp(argv[1], "quick")) return use_quick(argv[2]);
  if (argc == 3 && !strcmp(argv[1], "end")) return end_early(argv[2]);
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_with_nan),
      cmocka_unit_test(test_view_of_sums_in_chunks),
      cmocka_unit_test(test_second_call_hits),
      cmocka_unit_test(test_changing_scalar_compiles_nothing),
      cmocka_unit_test(test_shapes_share_a_kernel),
      cmocka_unit_test(test_eviction),
      cmocka_unit_test(test_clear),
      cmocka_unit_test(test_first_use_is_logged_once),
      cmocka_unit_test_setup_teardown(test_second_process_opens_no_compiler, make_folder, drop_folder),
      cmocka_unit_test_setup_teardown(test_code_in_full, make_folder, drop_folder),
      cmocka_unit_test_setup_teardown(test_full_code_at_the_end, make_folder, drop_folder),
      cmocka_unit_test_teardown(test_no_code_in_full, unplant),
      cmocka_unit_test_setup_teardown(test_quick_code_from_disk, make_folder, drop_folder),
      cmocka_unit_test(test_end_while_compiling),
      cmocka_unit_test(test_fork_while_compiling),
      cmocka_unit_test_setup_teardown(test_damaged_files_are_replaced, make_folder, drop_folder),
      cmocka_unit_test_setup_teardown(test_clear_disk, make_folder, drop_folder),
      cmocka_unit_test_setup_teardown(test_broken_folder, make_folder, drop_folder),
      cmocka_unit_test_teardown(test_no_compiler, unplant),
      cmocka_unit_test_teardown(test_failure_at_compile, unplant),
      cmocka_unit_test_teardown(test_failure_at_load, unplant),
      cmocka_unit_test_teardown(test_failure_at_run, unplant),
      cmocka_unit_test_teardown(test_status, unplant),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
