#include "support/engines.h"
#include "base/base.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void log_to(void *user, tme_log_level level, const char *message) {
  test_log *l = user;
  size_t n = strlen(l->text);
  snprintf(l->text + n, sizeof l->text - n, "%s\n", message);
  l->warnings += level == TME_LOG_WARNING;
}

tme_engine *test_engine_logged(const char *backend, test_log *log) {
  tme_options o;
  tme_options_init(&o);
  o.backend = backend;
  o.precision = "float32";
  o.cache_dir = "";
  o.log = log ? log_to : NULL;
  o.log_user = log;
  o.log_level = TME_LOG_INFO;
  return tme_engine_new(&o);
}

tme_engine *test_engine(const char *backend) { return test_engine_logged(backend, NULL); }

tme_array *test_matrix(tme_scope *s, int64_t rows, int64_t columns, float start) {
  float *v = mem_alloc((size_t)(rows * columns) * sizeof *v);
  if (!v) return NULL;
  for (int64_t i = 0; i < rows * columns; i++) v[i] = start + (float)i;
  tme_array *a = tme_from(s, TME_F32, 2, (int64_t[]){rows, columns}, v);
  mem_free(v);
  return a;
}

void test_in_engine(tme_engine *e, test_scope_fn *f) {
  tme_scope *s = tme_scope_new(e);
  assert_non_null(s);
  f(s);
  assert_string_equal(tme_error(s), "");
  tme_scope_free(s);
  tme_engine_free(e);
}

tme_array *test_vector(tme_scope *s, int64_t n, float start) {
  return tme_reshape(s, test_matrix(s, 1, n, start), (int64_t[]){n}, 1);
}

void test_equal(tme_scope *s, tme_array *a, const float *want, int64_t n) {
  const float *got = tme_data(s, a);
  assert_string_equal(tme_error(s), "");
  assert_non_null(got);
  assert_int_equal(tme_array_dtype(a), TME_F32);
  assert_int_equal(tme_array_size(a), n);
  for (int64_t i = 0; i < n; i++) assert_float_equal(got[i], want[i], 1e-5);
}

void test_error(tme_scope *s, tme_status code, const char *words) {
  assert_int_equal(tme_error_code(s), code);
  if (!strstr(tme_error(s), words)) fail_msg("'%s' does not hold '%s'", tme_error(s), words);
  tme_clear_error(s);
}

bool test_scalars(tme_scope *s, tme_array *const *a, const double *want, int n, bool *failed) {
  for (int i = 0; i < n; i++) {
    double got;
    if (tme_item(s, a[i], &got) != TME_OK) {
      *failed = true;
      return tme_error_code(s) != TME_OK && *tme_error(s);
    }
    if (got == want[i]) continue;
    printf("result %d is %g, not %g\n", i, got, want[i]);
    return false;
  }
  return true;
}

void test_each_allocation_fails(tme_engine *e, test_scenario_fn *scenario) {
  enum { LEAST = 200, MOST = 20000 };
  bool failed = true, again;
  assert_true(scenario(e, &failed) && !failed);
  for (long k = 1; k < MOST && (failed || k <= LEAST); k++) {
    mem_fail_at(k, false);
    bool ok = scenario(e, &failed);
    mem_fail_at(0, false);
    if (!ok) fail_msg("wrong with allocation %ld failing", k);
    ok = scenario(e, &again) && !again; /* what is kept between calls is there by now */
    if (!ok) fail_msg("wrong after allocation %ld failed", k);
  }
}
