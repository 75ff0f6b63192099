/* Contractions and joins: allocations that fail one after the other. The tests of Python compare with NumPy. */
#include "base/base.h"
#include "support/engines.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { MANY = 20 /* more than a call has room for without an allocation */ };

/* The sums of the results: false if an answer is wrong; an error is an answer. */
static bool sums_are(tme_scope *s, tme_array **results, const double *want, int n, bool *failed) {
  for (int i = 0; i < n; i++) results[i] = tme_sum(s, results[i], NULL, TME_ALL, false, TME_DTYPE_NONE);
  return test_scalars(s, results, want, n, failed);
}

static bool contractions(tme_engine *e, bool *failed) {
  tme_scope *s = tme_scope_new(e);
  *failed = !s;
  if (!s) return true;
  const int32_t numbers[] = {1, 0, 1};
  tme_array *x = test_matrix(s, 3, 4, 1), *y = test_matrix(s, 4, 2, 1), *z = test_matrix(s, 2, 3, 1);
  tme_array *chain[] = {x, y, z}, *xs[] = {x, x}, *ys[] = {y, y}, *square = tme_matmul(s, tme_matmul(s, x, y), z);
  tme_array *at = tme_from(s, TME_I32, 1, (int64_t[]){3}, numbers);
  tme_array *results[] = {tme_einsum(s, chain, 3, "ij,jk,kl->il"),
                          tme_einsum(s, &square, 1, "ii->i"),
                          tme_einsum(s, xs, 2, "ij,ij"),
                          tme_einsum(s, (tme_array *[]){x, tme_stack(s, ys, 2, 0)}, 2, "ij,bjk->bik"),
                          tme_tensordot(s, x, y, 1, NULL, TME_ALL, NULL, TME_ALL),
                          tme_inner(s, x, x),
                          tme_vecdot(s, x, x, 0),
                          tme_kron(s, y, z),
                          tme_addmm(s, tme_number(s, 1), x, y, 2, 3),
                          tme_gather_mm(s, at ? x : NULL /* they may be left out */, tme_stack(s, ys, 2, 0), NULL, at),
                          tme_multi_dot(s, chain, 3)};
  static const double want[] = {8352, 3072, 650, 1524, 762, 1566, 650, 756, 1542, 2286, 8352};
  bool ok = sums_are(s, results, want, COUNT(results), failed);
  tme_scope_free(s);
  return ok;
}

static bool joins(tme_engine *e, bool *failed) {
  tme_scope *s = tme_scope_new(e);
  *failed = !s;
  if (!s) return true;
  tme_array *x = test_matrix(s, 3, 4, 1), *whole = tme_astype(s, x, TME_I16), *v = test_vector(s, 4, 1);
  tme_array *many[MANY], *mixed[] = {x, whole, x}, *vectors[] = {v, v};
  for (int i = 0; i < MANY; i++) many[i] = i % 2 ? x : tme_negative(s, tme_add(s, x, x));
  tme_array *row = tme_concatenate(s, many, MANY, 1);
  tme_array *results[] = {row,
                          tme_concatenate(s, mixed, 3, -1),
                          tme_stack(s, many, MANY, 1),
                          tme_stack(s, mixed, 3, -1),
                          tme_hstack(s, mixed, 3),
                          tme_vstack(s, vectors, 2),
                          tme_dstack(s, vectors, 2),
                          tme_column_stack(s, vectors, 2),
                          tme_slice(s, row, NULL, (int64_t[]){3, 4}, NULL),
                          tme_slice(s, row, (int64_t[]){0, 4}, NULL, NULL),
                          tme_gradient(s, x, v, 1, 1, 2)};
  static const double want[] = {-780, 234, -780, 234, 234, 20, 20, 20, -156, -624, 12};
  bool ok = sums_are(s, results, want, COUNT(results), failed);
  tme_scope_free(s);
  return ok;
}

static void one_fails(test_scenario_fn *scenario) {
  static const char *const backends[] = {"reference", "nojit"};
  for (int i = 0; i < COUNT(backends); i++) {
    long live = mem_live();
    tme_engine *e = test_engine(backends[i]);
    test_each_allocation_fails(e, scenario);
    tme_engine_free(e);
    assert_int_equal(mem_live(), live);
  }
}

static void within_contractions(void **state) {
  (void)state;
  one_fails(contractions);
}

static void within_joins(void **state) {
  (void)state;
  one_fails(joins);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(within_contractions), cmocka_unit_test(within_joins)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
