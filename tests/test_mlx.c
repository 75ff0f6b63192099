/* The backend over MLX, where its module was built: cache, errors, threads, fork, documentation.
 * ctest: mlx timeout=300 */
#include "run/plan.h"
#include "support/engines.h"
#include "support/mlx.h"
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* So that the test's log has the reason of a failure. */
static void say(void *user, tme_log_level level, const char *message) {
  (void)user;
  if (level <= TME_LOG_WARNING) printf("log: %s\n", message);
}

static tme_engine *open_mlx(bool compiled, size_t cache_bytes) {
  tme_options o;
  char why[600];
  tme_options_init(&o);
  o.precision = "float32";
  o.backend = "mlx";
  o.cache_dir = "";
  o.cache_bytes = cache_bytes;
  o.plan_entries = 16;
  o.log = say;
  o.jit = compiled ? 1 : -1;
  tme_engine *e = tme_engine_open(&o, why, sizeof why);
  if (!e) fail_msg("%s", why);
  return e;
}

static uint64_t resident_pages(void) {
  unsigned long long all = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "re");
  if (!f || fscanf(f, "%llu %llu", &all, &resident) != 2) fail_msg("no /proc/self/statm");
  fclose(f);
  return resident;
}

static tme_stats stats_of(tme_engine *e) {
  tme_stats s;
  tme_engine_stats(e, &s);
  return s;
}

/* gelu(x + 0.25) of n numbers in that many dimensions, checked at its end. */
static void run_ranked(tme_engine *e, int64_t n, int rank) {
  tme_scope *s = tme_scope_new(e);
  int64_t shape[TME_MAX_RANK];
  for (int d = 0; d < rank; d++) shape[d] = d < rank - 1 ? 1 : n;
  tme_array *x = tme_reshape(s, test_vector(s, n, 0), shape, rank);
  tme_array *y = tme_gelu(s, tme_add(s, x, tme_number(s, 0.25)));
  const float *v = tme_data(s, y);
  if (!v) fail_msg("%s", tme_error(s));
  double z = (double)n - 0.75, want = 0.5 * z * (1 + tanh(sqrt(2 / acos(-1)) * (z + 0.044715 * z * z * z)));
  if (!(fabs((double)v[n - 1] - want) <= 1e-5 * want)) fail_msg("%g, not %g", (double)v[n - 1], want);
  tme_scope_free(s);
}

static void run_once(tme_engine *e, int64_t n) { run_ranked(e, n, 1); }

static void status_is_active(void **state) {
  (void)state;
  tme_engine *e = open_mlx(true, 0);
  tme_jit_status st;
  tme_engine_status(e, &st);
  assert_int_equal(st.state, TME_JIT_ACTIVE);
  assert_string_equal(st.backend, "mlx");
  assert_non_null(strstr(st.target, "MLX "));
  assert_true(st.compiler_present && tme_engine_has_jit(e));
  tme_engine_free(e);
  e = open_mlx(false, 0);
  tme_engine_status(e, &st);
  assert_int_equal(st.state, TME_JIT_DISABLED);
  assert_non_null(strstr(st.reason, "uncompiled"));
  assert_false(tme_engine_has_jit(e));
  tme_engine_free(e);
}

static void repeated_signatures_hit(void **state) {
  (void)state;
  tme_engine *e = open_mlx(true, 0);
  tme_scope *s = tme_scope_new(e);
  tme_array *x = test_vector(s, 100, 1);
  for (int i = 0; i < 20; i++) /* scalars are arguments, not entries */
    assert_int_equal(tme_eval(s, tme_exp(s, tme_multiply(s, x, tme_number(s, -1.5 - i)))), TME_OK);
  tme_stats st = stats_of(e);
  assert_int_equal(st.entries, 1);
  assert_int_equal(st.misses, 1);
  assert_int_equal(st.compilations, 1);
  assert_int_equal(st.hits, 20);
  assert_true(st.compile_ms > 0 && st.bytes > 0);
  assert_int_equal(st.failures + st.fallbacks, 0);
  assert_int_equal(tme_engine_clear_cache(e, false), TME_OK);
  assert_int_equal(stats_of(e).entries, 0);
  test_equal(s, tme_exp(s, tme_multiply(s, tme_number(s, -1.5), test_vector(s, 1, 0))), (float[]){1}, 1);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* What leaves the engine's cache leaves MLX's too. The first rank fills MLX's store of freed memory with all sizes. */
static void evicted_functions_are_freed(bool compiled, int sizes) {
  enum { RANKS = 8 };
  tme_engine *e = open_mlx(compiled, (size_t)256 << 10);
  uint64_t before = 0;
  for (int rank = 1; rank <= RANKS; rank++) {
    for (int64_t n = 2; n < 2 + sizes; n++) run_ranked(e, n, rank);
    if (rank == 1) before = resident_pages();
  }
  uint64_t after = resident_pages();
  tme_stats st = stats_of(e);
  assert_true(st.entries < 100);
  assert_int_equal(st.misses, RANKS * sizes);
  assert_int_equal(st.evictions, RANKS * sizes - (int)st.entries);
  /* Of one function MLX keeps about 20 KB: kept ones would be 40 times as much. */
  if (after > before + 1024) fail_msg("%llu pages more", (unsigned long long)(after - before));
  run_once(e, 2);
  assert_int_equal(stats_of(e).failures, 0);
  tme_engine_free(e);
}

static void eviction_uncompiled(void **state) {
  (void)state;
  evicted_functions_are_freed(false, 1250);
}

static void eviction_compiled(void **state) {
  (void)state;
  evicted_functions_are_freed(true, 13);
}

static void *evaluate_often(void *user) {
  for (int i = 0; i < 50; i++) run_once(user, 10 + i % 5);
  return NULL;
}

static void many_threads(void **state) {
  (void)state;
  tme_engine *e = open_mlx(true, 0);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&t[i], NULL, evaluate_often, e), 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  assert_int_equal(stats_of(e).failures, 0);
  tme_engine_free(e);
}

/* MLX's threads are not in the child: there the fallback answers. */
static void forked_child(void **state) {
  (void)state;
  tme_engine *e = open_mlx(true, 0);
  run_once(e, 10);
  pid_t pid = fork();
  if (!pid) {
    alarm(300);
    tme_scope *s = tme_scope_new(e);
    tme_array *known = tme_gelu(s, tme_add(s, test_vector(s, 10, 0), tme_number(s, 0.25)));
    tme_array *other = tme_add(s, test_vector(s, 3, 1), test_vector(s, 3, 1));
    const float *v = tme_data(s, known), *w = tme_data(s, other);
    char why[600];
    tme_options o;
    tme_options_init(&o);
    o.backend = "mlx";
    tme_engine *fresh = tme_engine_open(&o, why, sizeof why);
    tme_jit_status st;
    tme_engine_status(fresh, &st);
    bool good = v && w && w[2] == 6 && stats_of(e).failures == 1 && fresh && !strcmp(st.backend, "cpu");
    _exit(good ? 0 : 1);
  }
  int status = -1;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  run_once(e, 10);
  tme_engine_free(e);
}

static void errors_of_values(void **state) {
  (void)state;
  tme_engine *e = open_mlx(false, 0);
  tme_scope *s = tme_scope_new(e);
  int64_t three[] = {3}, index[] = {0, -4, 1};
  tme_array *x = test_vector(s, 3, 1);
  tme_array *y = tme_take(s, x, tme_from(s, TME_I64, 1, three, index), 0);
  assert_int_equal(tme_eval(s, y), TME_ERR_INDEX);
  test_error(s, TME_ERR_INDEX, "take: index -4 at position 1 is out of range for axis 0 with extent 3");
  index[1] = -3;
  test_equal(s, tme_take(s, x, tme_from(s, TME_I64, 1, three, index), 0), (float[]){1, 1, 2}, 3);

  /* The second matrix of two is broken; what does not depend on it is not. */
  float m[] = {1, 2, 3, 4, 1, NAN, 3, 4};
  int64_t shape[] = {2, 2, 2};
  tme_array *values = tme_svdvals(s, tme_from(s, TME_F32, 3, shape, m));
  assert_int_equal(tme_eval(s, tme_add(s, values, tme_number(s, 1))), TME_ERR_NUMERIC);
  test_error(s, TME_ERR_NUMERIC, "matrix 1 of the batch: the matrix holds NaN or infinity");
  assert_int_equal(stats_of(e).failures, 0);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* What MLX lacks is compiled for the CPU, where compiling is allowed. */
static void reasons(bool compiled, const char *left) {
  tme_engine *e = open_mlx(compiled, 0);
  tme_scope *s = tme_scope_new(e);
  tme_array *x = test_vector(s, 3, 1), *y = tme_exp(s, tme_lgamma(s, x));
  char *said = tme_explain(s, &y, 1, 0);
  assert_non_null(said);
  assert_non_null(strstr(said, left));
  assert_non_null(strstr(said, "one function of MLX"));
  assert_non_null(strstr(said, "inputs are used where they lie"));
  tme_string_free(said);
  test_equal(s, y, (float[]){1, 1, 2}, 3);
  tme_scope_free(s);
  tme_engine_free(e);
}

static void reasons_in_explain(void **state) {
  (void)state;
  reasons(false, "lgamma is left to nojit: MLX has no lgamma");
  reasons(true, "lgamma is left to cpu: MLX has no lgamma");
}

/* Memory of the caller is read where it lies, until the arrays made from it are gone. */
static int released;
static void note_release(void *user) {
  (void)user;
  released++;
}

static void wrapped_memory(void **state) {
  (void)state;
  tme_engine *e = open_mlx(false, 0);
  static float data[4096];
  for (int i = 0; i < 4096; i++) data[i] = (float)i;
  int64_t shape[] = {64, 64}, columns[] = {4, 256}, backwards[] = {-256, -4};
  tme_scope *s = tme_scope_new(e);
  tme_array *x = tme_wrap(s, TME_F32, 2, shape, NULL, data, note_release, NULL);
  tme_array *t = tme_wrap(s, TME_F32, 2, shape, columns, data, note_release, NULL);
  tme_array *r = tme_wrap(s, TME_F32, 2, shape, backwards, data + 4095, note_release, NULL);
  tme_array *y = tme_add(s, tme_add(s, x, t), r);
  const float *v = tme_data(s, y);
  assert_non_null(v);
  for (int i = 0; i < 64; i++)
    for (int j = 0; j < 64; j++) assert_true(v[64 * i + j] == (float)(64 * i + j + 64 * j + i + 4095 - 64 * i - j));
  assert_int_equal(released, 0);
  tme_scope_free(s);
  tme_engine_free(e);
  assert_int_equal(released, 3);
}

/* Every deviation that the tests allow is in the documentation, in these words. */
static void deviations_are_documented(void **state) {
  (void)state;
  char path[600], *page = calloc(1, 1 << 17);
  const char *source = getenv("TME_SOURCE_DIR");
  snprintf(path, sizeof path, "%.500s/docs/mlx-backend.md", source ? source : ".");
  FILE *f = fopen(path, "re");
  assert_non_null(f);
  assert_true(fread(page, 1, (1 << 17) - 1, f) > 0);
  fclose(f);
  for (int i = 0; i < mlx_deviation_count; i++)
    if (!strstr(page, mlx_deviations[i].reason)) fail_msg("not in %s: %s", path, mlx_deviations[i].reason);
  free(page);
}

int main(void) {
  if (access(TME_TEST_MODULE_DIR "/libtme-mlx.so", R_OK)) {
    printf("the module of MLX was not built: skipped\n");
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(status_is_active),    cmocka_unit_test(repeated_signatures_hit),
      cmocka_unit_test(eviction_uncompiled), cmocka_unit_test(eviction_compiled),
      cmocka_unit_test(many_threads),        cmocka_unit_test(forked_child),
      cmocka_unit_test(errors_of_values),    cmocka_unit_test(reasons_in_explain),
      cmocka_unit_test(wrapped_memory),      cmocka_unit_test(deviations_are_documented),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
