/* Gathering from what is computed: the right elements, no more memory than they need, indices out of range; and what is
 * said where there is no memory. */
#include "base/base.h"
#include "support/engines.h"
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { ROWS = 6, COLUMNS = 40 };

typedef tme_array *maker(tme_scope *s, tme_array *x, tme_array *v);

static tme_array *number(tme_scope *s, double v) { return tme_number(s, v); }
static tme_array *counted(tme_scope *s) { return tme_arange(s, 0, COLUMNS, 1, TME_F32); }

static tme_array *map_of_leaves(tme_scope *s, tme_array *x, tme_array *v) {
  return tme_add(s, tme_exp(s, tme_multiply(s, x, number(s, 0.01))), v);
}
static tme_array *row_beside(tme_scope *s, tme_array *x, tme_array *v) {
  (void)x;
  return tme_add(s, v, tme_arange(s, 3, 3 + 2 * ROWS, 2, TME_F32));
}
static tme_array *arange_alone(tme_scope *s, tme_array *x, tme_array *v) {
  (void)x, (void)v;
  return tme_broadcast_to(s, tme_multiply(s, counted(s), counted(s)), (int64_t[]){ROWS, COLUMNS}, 2);
}
static tme_array *eye_and_leaf(tme_scope *s, tme_array *x, tme_array *v) {
  (void)v;
  return tme_where(s, tme_eye(s, ROWS, COLUMNS, 1, TME_BOOL), x, number(s, -1));
}
static tme_array *linspaced(tme_scope *s, tme_array *x, tme_array *v) {
  (void)v;
  return tme_subtract(s, x, tme_linspace(s, -1, 1, COLUMNS, true, TME_F32));
}
static tme_array *constant(tme_scope *s, tme_array *x, tme_array *v) {
  (void)x, (void)v;
  return tme_add(s, tme_full(s, (int64_t[]){ROWS, COLUMNS}, 2, 0.5, TME_F32), number(s, 1));
}
static tme_array *column_beside(tme_scope *s, tme_array *x, tme_array *v) {
  (void)x;
  return tme_multiply(s, tme_sin(s, v), counted(s));
}
static tme_array *summed(tme_scope *s, tme_array *x, tme_array *v) {
  return tme_add(s, tme_sum(s, x, (int[]){0}, 1, true, TME_DTYPE_NONE), v);
}
static tme_array *halves(tme_scope *s, tme_array *x, tme_array *v) {
  (void)v;
  return tme_astype(s, tme_multiply(s, tme_astype(s, x, TME_BF16), tme_astype(s, counted(s), TME_BF16)), TME_F32);
}
static tme_array *turned(tme_scope *s, tme_array *x, tme_array *v) {
  (void)v;
  return tme_multiply(s, tme_flip(s, x, NULL, TME_ALL), counted(s));
}

/* Every value along both axes by indices of several shapes, beside other readers or alone. */
static void same_as_the_reference(void **state) {
  (void)state;
  static maker *const makers[] = {map_of_leaves, arange_alone, eye_and_leaf, linspaced, constant,
                                  column_beside, summed,       halves,       turned};
  static const int64_t values[] = {0, 5, -1, 2, -6, 3};
  static const struct {
    int rank;
    int64_t shape[2];
  } indices[] = {{0, {0}}, {1, {6}}, {2, {2, 2}}, {1, {1}}, {1, {0}}, {2, {3, 1}}};
  tme_engine *e[] = {test_engine("cpu"), test_engine("reference")};
  for (int m = 0; m < COUNT(makers); m++)
    for (int i = 0; i < COUNT(indices); i++)
      for (int axis = 0; axis < 2; axis++)
        for (int more = 0; more < 2; more++) {
          float got[2][2000];
          size_t size = 0;
          for (int k = 0; k < 2; k++) {
            tme_scope *s = tme_scope_new(e[k]);
            tme_array *x = test_matrix(s, ROWS, COLUMNS, 1), *v = test_matrix(s, ROWS, 1, 2);
            tme_array *at = tme_from(s, TME_I64, indices[i].rank, indices[i].shape, values);
            tme_array *y = makers[m](s, x, v), *t = tme_take(s, y, at, axis);
            if (more) t = tme_add(s, t, tme_max(s, y, NULL, TME_ALL, false));
            if (tme_eval(s, t) != TME_OK) fail_msg("maker %d: %s", m, tme_error(s));
            size = (size_t)tme_array_size(t) * sizeof(float);
            assert_true(size <= sizeof got[k]);
            assert_int_equal(tme_read(s, t, got[k], size), TME_OK);
            tme_scope_free(s);
          }
          for (size_t n = 0; n < size / sizeof(float); n++)
            if (fabsf(got[0][n] - got[1][n]) > (makers[m] == halves ? 1e-2f : 1e-5f) * fabsf(got[1][n]))
              fail_msg("maker %d, indices %d, axis %d: %g, expected %g", m, i, axis, (double)got[0][n],
                       (double)got[1][n]);
        }
  tme_scope *s = tme_scope_new(e[0]);
  tme_array *y = row_beside(s, NULL, number(s, 0.5)),
            *at = tme_from(s, TME_I64, 1, (int64_t[]){3}, (int64_t[]){5, -6, 1});
  test_equal(s, tme_take(s, y, at, 0), (float[]){13.5, 3.5, 5.5}, 3);
  tme_scope_free(s);
  for (int k = 0; k < 2; k++) tme_engine_free(e[k]);
}

static void a_few_of_very_many(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  const int64_t many = 5000000000, shape[] = {3};
  /* Whether a compiler is there is known once one was looked for. */
  if (tme_eval(s, tme_sin(s, tme_arange(s, 0, 8, 1, TME_F32))) != TME_OK || !tme_engine_has_jit(e)) {
    tme_scope_free(s);
    tme_engine_free(e);
    skip();
  }
  tme_array *at = tme_from(s, TME_I64, 1, shape, (int64_t[]){many - 2, 7, -1}),
            *count = tme_arange(s, 0, 5e9, 1, TME_I64);
  tme_array *all[] = {tme_take(s, count, at, 0), tme_take(s, tme_multiply(s, count, tme_integer(s, 3)), at, 0),
                      tme_take(s, tme_zeros(s, &many, 1, TME_I64), at, 0)};
  static const int64_t want[3][3] = {{4999999998, 7, 4999999999}, {14999999994, 21, 14999999997}, {0, 0, 0}};
  if (tme_eval_all(s, all, 3) != TME_OK) fail_msg("%s", tme_error(s));
  for (int i = 0; i < 3; i++) assert_memory_equal(tme_data(s, all[i]), want[i], sizeof want[i]);
  tme_stats stats;
  tme_engine_stats(e, &stats);
  assert_true(stats.pool_peak < 1 << 20);
  assert_int_equal(stats.fallbacks, 0);
  /* Indices are checked, whatever is left of what they index. */
  tme_array *wrong = tme_from(s, TME_I64, 1, shape, (int64_t[]){0, many, 1});
  tme_array *bad[] = {tme_take(s, count, wrong, 0), tme_take(s, tme_sin(s, tme_astype(s, count, TME_F64)), wrong, 0),
                      tme_take(s, tme_zeros(s, &many, 1, TME_I64), wrong, 0)};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(tme_eval(s, bad[i]), TME_ERR_INDEX);
    test_error(s, TME_ERR_INDEX, "take: index 5000000000 at position 1 is out of range");
  }
  tme_scope_free(s);
  tme_engine_free(e);
}

/* Out of memory: by the name of what was written. */
static void names_of_what_was_written(void **state) {
  (void)state;
  static const char *const backends[] = {"cpu", "nojit"};
  const int64_t huge = (int64_t)1 << 46;
  for (int b = 0; b < COUNT(backends); b++) {
    tme_engine *e = test_engine(backends[b]);
    tme_scope *s = tme_scope_new(e);
    const struct {
      tme_array *a;
      const char *name;
    } rows[] = {{tme_zeros(s, &huge, 1, TME_F32), "zeros: out of memory"},
                {tme_ones(s, &huge, 1, TME_F32), "ones: out of memory"},
                {tme_full(s, &huge, 1, 3, TME_F32), "full: out of memory"},
                {tme_arange(s, 0, 7e13, 1, TME_F32), "arange: out of memory"},
                {tme_linspace(s, 0, 1, huge, true, TME_F32), "linspace: out of memory"},
                {tme_eye(s, (int64_t)1 << 23, (int64_t)1 << 23, 0, TME_F32), "eye: out of memory"}};
    for (int i = 0; i < COUNT(rows); i++) {
      assert_int_equal(tme_eval(s, tme_flip(s, rows[i].a, NULL, 0)), TME_ERR_MEMORY);
      tme_clear_error(s);
      assert_int_equal(tme_eval(s, rows[i].a), TME_ERR_MEMORY);
      test_error(s, TME_ERR_MEMORY, rows[i].name);
    }
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_the_reference), cmocka_unit_test(a_few_of_very_many),
                                     cmocka_unit_test(names_of_what_was_written)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
