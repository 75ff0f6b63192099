/* Elementwise operations of two results are those of one, in kernels and without. (The matrix has MLX's.) */
#include "ir/graph.h"
#include "support/engines.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const char *const backends[] = {"cpu", "nojit", "reference", "mock"};

static void everywhere(test_scope_fn *f) {
  for (int i = 0; i < COUNT(backends); i++) test_in_engine(test_engine(backends[i]), f);
}

static void expect(tme_scope *s, tme_array *a, const double *want) {
  assert_non_null(a);
  const double *v = tme_data(s, tme_astype(s, a, TME_F64));
  assert_non_null(v);
  for (int64_t i = 0; i < tme_array_size(a); i++)
    if (isnan(want[i]) ? !isnan(v[i]) : v[i] != want[i] || signbit(v[i]) != signbit(want[i]))
      fail_msg("element %lld: %g, expected %g", (long long)i, v[i], want[i]);
}

static void specials(tme_scope *s) {
  static const double inf = (double)INFINITY, nan = (double)NAN;
  const double x[] = {2.75, -2.75, 3, -3, 0, -0.0, inf, -inf, nan, 0.5};
  const double parts[2][COUNT(x)] = {{0.75, -0.75, 0, -0.0, 0, -0.0, 0, -0.0, nan, 0.5},
                                     {2, -2, 3, -3, 0, -0.0, inf, -inf, nan, 0}};
  int64_t n = COUNT(x);
  for (int t = 0; t < 4; t++) {
    tme_array *out[2],
        *a = tme_astype(s, tme_from(s, TME_F64, 1, &n, x), (tme_dtype[]){TME_F64, TME_F32, TME_F16, TME_BF16}[t]);
    assert_int_equal(tme_modf(s, a, out), TME_OK);
    for (int k = 0; k < 2; k++) expect(s, out[k], parts[k]);
  }
}

/* Of integers too, of numbers, and one result without the other. */
static void quotients(tme_scope *s) {
  static const int32_t x[] = {7, -7, 7, -7, 5, INT32_MIN}, y[] = {2, 2, -2, -2, 0, -1};
  static const double q[] = {3, -4, -4, 3, 0, INT32_MIN}, r[] = {1, 1, -1, -1, 0, 0};
  static const double halves[] = {3.5, -3.5, 3.5, -3.5, 2.5};
  static const double wholes[] = {3, -4, 3, -4, 2}, rest[] = {1, 1, 1, 1, 1};
  int64_t n = COUNT(x), five = 5;
  tme_array *a = tme_from(s, TME_I32, 1, &n, x), *b = tme_from(s, TME_I32, 1, &n, y), *out[2], *again[2];
  assert_int_equal(tme_divmod(s, a, b, out), TME_OK);
  assert_int_equal(tme_divmod(s, a, b, again), TME_OK);
  expect(s, again[1], r);
  expect(s, out[0], q);
  expect(s, out[1], r);
  assert_int_equal(
      tme_divmod(s, tme_multiply(s, tme_from(s, TME_F64, 1, &five, halves), tme_number(s, 2)), tme_number(s, 2), out),
      TME_OK);
  assert_int_equal(tme_array_dtype(out[1]), TME_F64);
  expect(s, out[0], wholes);
  expect(s, out[1], rest);
  assert_int_equal(tme_modf(s, a, out), TME_OK); /* integers become floats */
  assert_int_equal(tme_array_dtype(out[0]), TME_F32);
  assert_int_equal(tme_array_dtype(out[1]), TME_F32);
}

static void test_specials(void **unused) {
  (void)unused;
  everywhere(specials);
}

static void test_quotients(void **unused) {
  (void)unused;
  everywhere(quotients);
}

static void count(const graph *g, int op, int want) {
  int n = 0;
  for (int i = 0; i < g->n; i++) n += graph_get(g, i)->op == op;
  if (n != want) fail_msg("%d of %s, expected %d", n, op_name(op), want);
}

static int result(graph *g, int x, int k) {
  op_type t = *graph_output(g, x, k);
  return graph_pick(g, x, k, &t);
}

/* What kernels compute: each result that is read, once. */
static void test_decomposed(void **unused) {
  (void)unused;
  error e = {0};
  graph *g = graph_new(2);
  op_type t = {.dtype = TME_F32, .rank = 1, .shape = {4}};
  int x = graph_leaf(g, &t, (int64_t[]){1}, 0), y = graph_leaf(g, &t, (int64_t[]){1}, 1);
  int both = graph_bin(g, OP_divmod, x, y), again = graph_bin(g, OP_divmod, x, y), parts = graph_un(g, OP_modf, x);
  assert_int_equal(graph_get(g, both)->outputs, 2);
  g->root[0] = graph_bin(g, OP_add, result(g, both, 1), result(g, again, 1));
  g->root[1] = graph_bin(g, OP_add, graph_bin(g, OP_remainder, x, y), result(g, parts, 0));
  graph *d = pass_decompose(g, NULL, &e), *r = d ? pass_simplify(d, &e) : NULL;
  if (!r) fail_msg("%s", e.text);
  count(d, OP_divmod, 0);
  count(d, OP_pick, 0);
  for (int i = 0; i < d->n; i++)
    if (graph_get(d, i)->op == OP_fraction) assert_string_equal(graph_written(d, i), "modf");
  count(r, OP_remainder, 1);
  count(r, OP_floor_divide, 0);
  count(r, OP_fraction, 1);
  count(r, OP_trunc, 0);
  graph_free(r);
  graph_free(d);
  for (long k = 1;; k++) { /* allocations fail */
    long live = mem_live();
    error failed = {0};
    mem_fail_at(k, false);
    d = pass_decompose(g, NULL, &failed);
    mem_fail_at(0, false);
    graph_free(d);
    assert_int_equal(mem_live(), live);
    if (d) break;
    assert_int_equal(failed.code, TME_ERR_MEMORY);
  }
  graph_free(g);
}

static void test_refused(void **unused) {
  (void)unused;
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  tme_array *out[2], *x = test_vector(s, 4, 1), *z = tme_astype(s, x, TME_C64);
  assert_int_equal(tme_divmod(s, x, z, out), TME_ERR_DTYPE);
  test_error(s, TME_ERR_DTYPE, "divmod: takes ");
  assert_int_equal(tme_divmod(s, x, test_vector(s, 5, 1), out), TME_ERR_SHAPE);
  test_error(s, TME_ERR_SHAPE, "divmod: shapes (4,) and (5,) do not broadcast");
  assert_true(!out[0] && !out[1]);
  tme_scope_free(s);
  tme_engine_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_specials), cmocka_unit_test(test_quotients),
                                     cmocka_unit_test(test_decomposed), cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
