/* Graphs that are hard on the compiler: deep, wide, shared, with many operands. Each is compiled, in bounded time, and
 * gives what the reference gives. */
#include "base/base.h"
#include "support/engines.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { ROWS = 4, COLUMNS = 32 };

/* Small whole numbers, so that sums are exact in any order. */
static tme_array *matrix(tme_scope *s, int64_t rows, int64_t columns, int seed) {
  float v[1024];
  assert_true(rows * columns <= COUNT(v));
  for (int i = 0; i < rows * columns; i++) v[i] = (float)((i * 7 + seed * 5) % 5 - 2);
  return tme_from(s, TME_F32, 2, (int64_t[]){rows, columns}, v);
}

static tme_array *part(tme_scope *s, tme_array *x, int64_t start, int64_t stop, int64_t step) {
  int64_t from[] = {TME_NONE, start}, to[] = {TME_NONE, stop}, by[] = {TME_NONE, step};
  return tme_slice(s, x, from, to, by);
}

static tme_array *rolls(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++) {
    tme_array *parts[] = {part(s, x, 1, TME_NONE, TME_NONE), part(s, x, TME_NONE, 1, TME_NONE)};
    x = tme_concatenate(s, parts, 2, 1);
  }
  return x;
}

static tme_array *concatenated(tme_scope *s, tme_array *x, int n) {
  tme_array *list[500];
  for (int i = 0; i < n; i++) list[i] = i % 7 ? matrix(s, ROWS, i % 3, i) : part(s, x, 0, 0, TME_NONE);
  return tme_concatenate(s, list, n, 1);
}

static tme_array *stacked_sums(tme_scope *s, tme_array *x, int n) {
  tme_array *list[500];
  for (int i = 0; i < n; i++)
    list[i] = tme_sum(s, tme_add(s, x, tme_integer(s, i + 10)), (int[]){1}, 1, false, TME_DTYPE_NONE);
  return tme_stack(s, list, n, 0);
}

static tme_array *sum_of_many(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++) x = tme_add(s, x, matrix(s, ROWS, COLUMNS, i));
  return x;
}

static tme_array *sum_of_literals(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++) x = tme_maximum(s, tme_add(s, x, tme_number(s, i + 4)), tme_number(s, -i - 5));
  return x;
}

static tme_array *many_epilogues(tme_scope *s, tme_array *x, int n) {
  x = tme_matmul(s, x, matrix(s, COLUMNS, COLUMNS, 3));
  for (int i = 0; i < n; i++) x = tme_add(s, x, matrix(s, ROWS, COLUMNS, i));
  return x;
}

static tme_array *shared(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++) x = tme_remainder(s, tme_add(s, tme_multiply(s, x, x), x), tme_integer(s, 7));
  return x;
}

static tme_array *stencils(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++) {
    x = tme_add(s, part(s, x, 1, TME_NONE, TME_NONE), part(s, x, 0, -1, TME_NONE));
    x = tme_remainder(s, x, tme_integer(s, 5));
  }
  return x;
}

static tme_array *mirrored(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++)
    x = tme_remainder(s, tme_add(s, x, part(s, x, TME_NONE, TME_NONE, -1)), tme_integer(s, 5));
  return tme_sum(s, x, NULL, TME_ALL, false, TME_DTYPE_NONE);
}

static tme_array *pads(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++) {
    int64_t before[] = {0, i % 4 == 0}, after[] = {i % 16 == 0, 0};
    x = part(s, tme_pad(s, x, before, after, i % 3, NULL), TME_NONE, TME_NONE, -1);
  }
  return x;
}

/* Borders around nothing, of several kinds of numbers. */
static tme_array *pads_of_nothing(tme_scope *s, tme_array *x, int n) {
  tme_array *y = NULL;
  for (int i = 0; i < n; i++) {
    tme_dtype t = (tme_dtype)(i % TME_DTYPE_COUNT);
    tme_array *none = tme_astype(s, tme_multiply(s, part(s, x, 0, 0, TME_NONE), tme_integer(s, i)), t);
    none = tme_pad(s, none, (int64_t[]){0, i}, (int64_t[]){i % 2, 1}, 2, NULL);
    none = tme_astype(s, tme_real(s, none), TME_F32); /* 8 bits do not hold the sum */
    none = tme_sum(s, none, NULL, TME_ALL, false, TME_DTYPE_NONE);
    y = y ? tme_add(s, y, none) : none;
  }
  return y;
}

static tme_array *dear_rows(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++) x = tme_sin(s, x);
  return tme_round(s, tme_multiply(s, tme_max(s, x, (int[]){1}, 1, true), tme_integer(s, 64)), 0);
}

static tme_array *chained(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++) {
    tme_array *rows = tme_max(s, x, (int[]){1}, 1, true), *columns = tme_min(s, x, (int[]){0}, 1, true);
    x = tme_remainder(s, tme_add(s, tme_multiply(s, x, rows), columns), tme_integer(s, 5));
  }
  return x;
}

static tme_array *products(tme_scope *s, tme_array *x, int n) {
  for (int i = 0; i < n; i++) {
    tme_array *square = tme_matmul(s, tme_transpose(s, x, NULL, TME_ALL), x);
    tme_array *sums = tme_sum(s, x, (int[]){0}, 1, true, TME_DTYPE_NONE);
    x = tme_remainder(s, tme_add(s, tme_matmul(s, x, square), sums), tme_integer(s, 3));
  }
  return x;
}

typedef struct graph_case {
  const char *name;
  tme_array *(*make)(tme_scope *s, tme_array *x, int n);
  int n;
} graph_case;

static const graph_case cases[] = {
    {"rolls", rolls, 24},
    {"a concatenation of many", concatenated, 500},
    {"many sums of one value", stacked_sums, 100},
    {"a sum of many arrays", sum_of_many, 300},
    {"many literals", sum_of_literals, 200},
    {"a product with many operands behind it", many_epilogues, 100},
    {"a value used twice, again and again", shared, 200},
    {"stencils", stencils, 24},
    {"mirrored sums", mirrored, 24},
    {"pads", pads, 300},
    {"borders around nothing", pads_of_nothing, 2 * TME_DTYPE_COUNT},
    {"sines before a reduction", dear_rows, 60},
    {"reductions along both axes, chained", chained, 60},
    {"products and sums, chained", products, 20},
};

static float *evaluated(tme_engine *e, const graph_case *c, int64_t *size) {
  tme_scope *s = tme_scope_new(e);
  tme_array *y = c->make(s, matrix(s, ROWS, COLUMNS, 1), c->n);
  const float *data = tme_data(s, y);
  if (!data) fail_msg("%s: %s", c->name, tme_error(s));
  *size = tme_array_size(y);
  float *copy = mem_alloc((size_t)*size * sizeof *copy + 1);
  assert_non_null(copy);
  memcpy(copy, data, (size_t)*size * sizeof *copy);
  tme_scope_free(s);
  return copy;
}

/* No compilation takes this much processor time: without bounds some of these take minutes. */
static const double longest_ms = 20000;

static double cpu_ms(void) { return (double)clock() * 1e3 / CLOCKS_PER_SEC; }

static void hard_graphs(void **state) {
  (void)state;
  tme_engine *reference = test_engine("reference");
  for (int i = 0; i < COUNT(cases); i++) {
    test_log log = {.warnings = 0};
    tme_engine *e = test_engine_logged("cpu", &log);
    int64_t size, expected_size;
    double begin = cpu_ms();
    float *got = evaluated(e, &cases[i], &size), *want = evaluated(reference, &cases[i], &expected_size);
    double ms = cpu_ms() - begin;
    assert_int_equal(size, expected_size);
    for (int64_t k = 0; k < size; k++)
      if (got[k] != want[k] && !(got[k] != got[k] && want[k] != want[k]))
        fail_msg("%s: element %lld is %g, expected %g", cases[i].name, (long long)k, (double)got[k], (double)want[k]);
    if (ms > longest_ms) fail_msg("%s: %.0f ms", cases[i].name, ms);
    if (tme_engine_has_jit(e) && log.warnings) fail_msg("%s: %s", cases[i].name, log.text);
    mem_free(got);
    mem_free(want);
    tme_engine_free(e);
  }
  tme_engine_free(reference);
}

/* ---- little stack ------------------------------------------------------------------------------------------------ */

static void *evaluate_deep(void *given) {
  tme_engine *e = given;
  tme_scope *s = tme_scope_new(e);
  tme_array *x = matrix(s, ROWS, COLUMNS, 1);
  int64_t before[] = {0, 0}, after[] = {0, 1};
  for (int i = 0; i < 500; i++) x = part(s, tme_pad(s, x, before, after, 1, NULL), 1, TME_NONE, TME_NONE);
  for (int i = 0; i < 1500; i++) x = tme_add(s, x, tme_integer(s, 1));
  bool ok = tme_eval(s, x) == TME_OK;
  tme_scope_free(s);
  return ok ? given : NULL;
}

static void little_stack(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu");
  pthread_attr_t attr;
  pthread_t thread;
  void *result = NULL;
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstacksize(&attr, 128 << 10), 0);
  assert_int_equal(pthread_create(&thread, &attr, evaluate_deep, e), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  pthread_attr_destroy(&attr);
  assert_ptr_equal(result, e);
  tme_engine_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hard_graphs),
      cmocka_unit_test(little_stack),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
