/* scatter, slice_update, take_along_axis, put_along_axis and argwhere against the rules, element by element; what they refuse;
 * many updates of one place; more indices than memory holds. */
#include "support/engines.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static tme_engine *engine;

static int begin(void **state) {
  (void)state;
  engine = test_engine("auto");
  return engine ? 0 : -1;
}

static int end(void **state) {
  (void)state;
  tme_engine_free(engine);
  return 0;
}

static double combined(const char *mode, double old, double v) {
  if (!strcmp(mode, "set")) return v;
  if (!strcmp(mode, "add")) return old + v;
  if (!strcmp(mode, "multiply")) return old * v;
  return !strcmp(mode, "min") ? fmin(old, v) : fmax(old, v);
}

/* x (3, N, 2), indices (2, 4): small numbers, which every dtype and every order holds. */
static void by_the_rules_along(int N, tme_dtype t, const char *mode) {
  enum { A = 3, MOST = 800, B = 2, K = 8 };
  static double x[A * MOST * B], want[A * MOST * B], got[A * MOST * B];
  double u[A * K * B];
  int64_t shape[] = {A, N, B}, indices[K], places[] = {2, 4}, update[] = {A, 2, 4, B};
  for (int i = 0; i < A * N * B; i++) want[i] = x[i] = i % 3;
  for (int i = 0; i < A * K * B; i++) u[i] = (i * 7 + *mode) % 3;
  for (int i = 0; i < K; i++) indices[i] = (i * i + (int)t) % (2 * N) - N;
  for (int a = 0; a < A; a++)
    for (int k = 0; k < K; k++)
      for (int b = 0; b < B; b++) {
        double *w = &want[(a * N + (indices[k] + N) % N) * B + b];
        *w = combined(mode, *w, u[(a * K + k) * B + b]);
      }
  tme_scope *s = tme_scope_new(engine);
  tme_array *y = tme_scatter(s, tme_astype(s, tme_from(s, TME_F64, 3, shape, x), t),
                             tme_from(s, TME_I64, 2, places, indices), tme_from(s, TME_F64, 4, update, u), 1, mode);
  assert_int_equal(tme_array_dtype(y), t);
  assert_int_equal(tme_read(s, tme_astype(s, y, TME_F64), got, (size_t)(A * N * B) * sizeof *got), TME_OK);
  for (int i = 0; i < A * N * B; i++) assert_true(want[i] == got[i]);
  tme_scope_free(s);
}

/* As many elements as updates, and many more. */
static void by_the_rules(void **state) {
  (void)state;
  static const char *const modes[] = {"set", "add", "multiply", "min", "max"};
  for (tme_dtype t = TME_U8; t < TME_C64; t++)
    for (int m = 0; m < 5; m++) {
      by_the_rules_along(5, t, modes[m]);
      by_the_rules_along(800, t, modes[m]);
    }
}

static void slices_by_the_rules(void **state) {
  (void)state;
  enum { N = 7 };
  int64_t shape[] = {N, N};
  for (int64_t start = -9; start < 9; start++)
    for (int64_t stop = -9; stop < 9; stop++)
      for (int64_t step = -3; step <= 3; step++) {
        if (!step) continue;
        float x[N * N], got[N * N], want[N * N];
        for (int i = 0; i < N * N; i++) want[i] = x[i] = (float)i;
        int64_t first = start < 0 ? start + N : start, last = stop < 0 ? stop + N : stop, low = step < 0 ? -1 : 0;
        first = first < low ? low : first > N + low ? N + low : first;
        last = last < low ? low : last > N + low ? N + low : last;
        for (int64_t i = first; step > 0 ? i < last : i > last; i += step)
          for (int k = 0; k < N; k++) want[k * N + i] = -1;
        tme_scope *s = tme_scope_new(engine);
        tme_array *y =
            tme_slice_update(s, tme_from(s, TME_F32, 2, shape, x), tme_number(s, -1), (int64_t[]){TME_NONE, start},
                             (int64_t[]){TME_NONE, stop}, (int64_t[]){TME_NONE, step});
        assert_int_equal(tme_read(s, y, got, sizeof got), TME_OK);
        assert_memory_equal(got, want, sizeof got);
        tme_scope_free(s);
      }
}

/* A million times 1 to one element of each narrow float, and of f32. */
static void many_updates(void **state) {
  (void)state;
  enum { N = 60000 };
  tme_scope *s = tme_scope_new(engine);
  int64_t n = N, one = 1;
  float value;
  tme_array *zero = tme_zeros(s, &n, 1, TME_I64), *x = tme_zeros(s, &one, 1, TME_F16);
  tme_array *y = tme_scatter(s, x, zero, tme_number(s, 1), 0, "add");
  assert_int_equal(tme_read(s, tme_astype(s, y, TME_F32), &value, sizeof value), TME_OK);
  assert_true(value == (float)N);
  y = tme_scatter(s, tme_full(s, &one, 1, 16777216, TME_F32), zero, tme_number(s, 1), 0, "add");
  assert_int_equal(tme_read(s, y, &value, sizeof value), TME_OK);
  assert_true(value == 16777216 + (float)N);
  tme_scope_free(s);
}

static void refused(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  int64_t two[] = {2, 3}, at[] = {0, 7};
  tme_array *x = test_matrix(s, 3, 3, 0), *i = tme_from(s, TME_I64, 1, (int64_t[]){2}, at), *one = tme_number(s, 1);
  assert_null(tme_scatter(s, x, one, one, 0, "set"));
  test_error(s, TME_ERR_DTYPE, "scatter: indices must be integers");
  assert_null(tme_scatter(s, x, i, one, 2, "set"));
  test_error(s, TME_ERR_AXIS, "scatter: axis 2 is out of range");
  assert_null(tme_scatter(s, x, i, one, 0, "divide"));
  test_error(s, TME_ERR_ARGUMENT, "scatter: mode is 'divide', expected one of set|add|multiply|min|max");
  assert_null(tme_scatter(s, x, i, tme_zeros(s, (int64_t[]){3, 3}, 2, TME_F32), 0, "set"));
  test_error(s, TME_ERR_SHAPE,
             "scatter: updates of shape (3, 3) do not broadcast to the elements that they replace, (2, 3)");
  assert_null(tme_scatter(s, tme_zeros(s, two, 2, TME_U8), i, tme_integer(s, 300), 0, "set"));
  test_error(s, TME_ERR_ARGUMENT, "scatter: 300 does not fit in uint8");
  assert_null(tme_scatter(s, x, i, tme_zeros(s, two, 2, TME_C64), 0, "set"));
  test_error(s, TME_ERR_DTYPE, "scatter: updates of complex64 do not go into float32");
  assert_null(tme_scatter(s, tme_zeros(s, two, 2, TME_C64), i, one, 0, "max"));
  test_error(s, TME_ERR_DTYPE, "no order");
  assert_int_equal(tme_eval(s, tme_scatter(s, x, i, one, 0, "set")), TME_ERR_INDEX);
  test_error(s, TME_ERR_INDEX, "scatter: index 7 at position 1 is out of range for axis 0 with extent 3");
  assert_null(tme_slice_update(s, x, one, NULL, NULL, (int64_t[]){1, 0}));
  test_error(s, TME_ERR_ARGUMENT, "slice_update: the step of dimension 1 is 0");
  assert_null(tme_slice_update(s, x, tme_zeros(s, two, 2, TME_F32), NULL, NULL, NULL));
  test_error(s, TME_ERR_SHAPE, "slice_update: updates of shape (2, 3)");
  tme_scope_free(s);
}

/* Planned once, with values of other kinds around them. */
static void in_functions(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  int64_t n = 4;
  tme_array *in[] = {tme_input(s, TME_F32, 1, &n), tme_input(s, TME_I64, 1, (int64_t[]){2})};
  tme_array *y = tme_scatter(s, tme_add(s, in[0], tme_number(s, 1)), in[1], tme_number(s, 10), 0, "add");
  tme_array *z = tme_multiply(s, tme_slice_update(s, y, in[0], NULL, NULL, (int64_t[]){-1}), tme_number(s, 2));
  tme_function *f = tme_compile(s, in, 2, (tme_array *[]){y, z}, 2);
  assert_non_null(f);
  tme_array *out[2], *x = test_vector(s, 4, 0);
  assert_int_equal(
      tme_call(s, f, (tme_array *[]){x, tme_from(s, TME_I64, 1, (int64_t[]){2}, (int64_t[]){1, -1})}, 2, out), TME_OK);
  test_equal(s, out[0], (float[]){1, 12, 3, 14}, 4);
  test_equal(s, out[1], (float[]){6, 4, 2, 0}, 4);
  assert_int_equal(
      tme_call(s, f, (tme_array *[]){x, tme_from(s, TME_I64, 1, (int64_t[]){2}, (int64_t[]){1, 4})}, 2, out),
      TME_ERR_INDEX);
  tme_function_free(f);
  tme_scope_free(s);
}

/* x (3, 5), numbers (3, 4) along either axis. */
static void along_axes(void **state) {
  (void)state;
  enum { A = 3, N = 5, K = 4 };
  static const char *const modes[] = {"set", "add", "multiply", "min", "max"};
  double x[A * N], u[A * K], got[A * N], want[A * N], taken[A * K];
  int64_t at[A * K], shape[] = {A, N}, few[] = {A, K};
  for (int i = 0; i < A * N; i++) x[i] = i % 7;
  for (int i = 0; i < A * K; i++) at[i] = i * i % (2 * N) - N;
  for (int i = 0; i < A * K; i++) u[i] = i % 5;
  for (int turned = 0; turned < 2; turned++)
    for (int m = 0; m < 5; m++) {
      tme_scope *s = tme_scope_new(engine);
      tme_array *a = tme_from(s, TME_F64, 2, shape, x), *i = tme_from(s, TME_I64, 2, few, at),
                *v = tme_from(s, TME_F64, 2, few, u);
      if (turned) {
        a = tme_transpose(s, a, NULL, TME_ALL);
        i = tme_transpose(s, i, NULL, TME_ALL);
        v = tme_transpose(s, v, NULL, TME_ALL);
      }
      tme_array *y = tme_take_along_axis(s, a, i, turned ? 0 : -1),
                *z = tme_put_along_axis(s, a, i, v, turned ? 0 : 1, modes[m]);
      if (turned) {
        y = tme_transpose(s, y, NULL, TME_ALL);
        z = tme_transpose(s, z, NULL, TME_ALL);
      }
      assert_int_equal(tme_read(s, y, taken, sizeof taken), TME_OK);
      assert_int_equal(tme_read(s, z, got, sizeof got), TME_OK);
      memcpy(want, x, sizeof want);
      for (int r = 0; r < A; r++)
        for (int k = 0; k < K; k++) {
          int64_t to = r * N + (at[r * K + k] + N) % N;
          assert_true(taken[r * K + k] == x[to]);
          want[to] = combined(modes[m], want[to], u[r * K + k]);
        }
      assert_memory_equal(got, want, sizeof got);
      tme_scope_free(s);
    }
  tme_scope *s = tme_scope_new(engine);
  tme_array *a = tme_from(s, TME_F64, 2, shape, x);
  assert_null(tme_take_along_axis(s, a, tme_from(s, TME_I64, 2, (int64_t[]){2, 2}, at), 1));
  test_error(s, TME_ERR_SHAPE,
             "take_along_axis: indices of shape (2, 2) do not fit an array of shape (3, 5) along all axes but 1");
  at[0] = N;
  assert_int_equal(tme_eval(s, tme_take_along_axis(s, a, tme_from(s, TME_I64, 2, few, at), 1)), TME_ERR_INDEX);
  test_error(s, TME_ERR_INDEX, "take_along_axis: index 5 at position 0 is out of range for axis 1 with extent 5");
  tme_scope_free(s);
}

static void places(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  float x[] = {0, 1, 0, NAN, -0.0F, 2};
  tme_array *a = tme_from(s, TME_F32, 2, (int64_t[]){2, 3}, x), *in = tme_input(s, TME_F32, 2, (int64_t[]){2, 3}), *out;
  test_equal(s, tme_astype(s, tme_argwhere(s, a, -1), TME_F32), (float[]){0, 1, 1, 0, 1, 2}, 6);
  test_equal(s, tme_astype(s, tme_argwhere(s, a, 2), TME_F32), (float[]){0, 1, 1, 0}, 4);
  test_equal(s, tme_astype(s, tme_argwhere(s, a, 4), TME_F32), (float[]){0, 1, 1, 0, 1, 2, 0, 0}, 8);
  assert_int_equal(tme_array_shape(tme_argwhere(s, tme_boolean(s, true), -1))[0], 1);
  assert_null(tme_argwhere(s, in, -1));
  test_error(s, TME_ERR_NO_VALUE, "give size");
  tme_array *y = tme_argwhere(s, in, 3);
  tme_function *f = tme_compile(s, &in, 1, &y, 1);
  assert_int_equal(tme_call(s, f, &a, 1, &out), TME_OK);
  test_equal(s, tme_astype(s, out, TME_F32), (float[]){0, 1, 1, 0, 1, 2}, 6);
  tme_function_free(f);
  tme_scope_free(s);
}

/* Counted are the elements that x has, not those that an intermediate result of more digits would have. */
static void places_of_computed(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  float x[] = {1e-7F, 1, 2}, y[] = {0.1F, 1, 0};
  int64_t n = 3;
  tme_array *a = tme_astype(s, tme_from(s, TME_F32, 1, &n, x), TME_F16),
            *b = tme_astype(s, tme_from(s, TME_F32, 1, &n, y), TME_F16),
            *i = tme_argwhere(s, tme_multiply(s, a, b), -1);
  assert_int_equal(tme_array_shape(i)[0], 1);
  test_equal(s, tme_astype(s, i, TME_F32), (float[]){1}, 1);
  tme_scope_free(s);
}

/* The indices are one byte, repeated. */
static void huge(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  int64_t n = 3, many = (int64_t)1 << 62, few[] = {3, (int64_t)1 << 40};
  tme_array *x = tme_zeros(s, &n, 1, TME_U8), *one = tme_full(s, NULL, 0, 1, TME_U8);
  tme_array *i = tme_broadcast_to(s, tme_from(s, TME_U8, 0, NULL, (uint8_t[]){0}), &many, 1);
  assert_int_equal(tme_eval(s, tme_scatter(s, x, i, one, 0, "set")), TME_ERR_MEMORY);
  test_error(s, TME_ERR_MEMORY, "scatter: out of memory");
  assert_int_equal(tme_eval(s, tme_put_along_axis(s, x, i, one, 0, "add")), TME_ERR_MEMORY);
  test_error(s, TME_ERR_MEMORY, "put_along_axis: out of memory");
  assert_null(tme_scatter(s, tme_broadcast_to(s, one, few, 2), i, one, 0, "set"));
  test_error(s, TME_ERR_MEMORY, "scatter: shape (4611686018427387904, 1099511627776) of uint8 has more bytes");
  tme_scope_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(by_the_rules), cmocka_unit_test(slices_by_the_rules), cmocka_unit_test(many_updates),
      cmocka_unit_test(refused),      cmocka_unit_test(in_functions),        cmocka_unit_test(along_axes),
      cmocka_unit_test(places),       cmocka_unit_test(places_of_computed),  cmocka_unit_test(huge)};
  return cmocka_run_group_tests(tests, begin, end);
}
