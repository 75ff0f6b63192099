/* Engines, scopes, arrays and their evaluation, on the backends without a compiler. */
#include "base/base.h"
#include "support/engines.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static tme_engine *engine;

static int open_engine(void **state) {
  (void)state;
  engine = test_engine("nojit");
  return engine ? 0 : -1;
}

static int close_engine(void **state) {
  (void)state;
  tme_engine_free(engine);
  return 0;
}

static void lifecycle(void **state) {
  (void)state;
  long live = mem_live();
  for (int i = 0; i < 3; i++) {
    tme_engine *e = test_engine("reference");
    tme_scope *s = tme_scope_new(e);
    test_equal(s, tme_add(s, test_vector(s, 3, 0), tme_number(s, 1)), (float[]){1, 2, 3}, 3);
    tme_scope_free(s);
    tme_engine_free(e);
  }
  /* In any order: the engine ends with the last that was made from it. */
  tme_engine *e = test_engine("nojit");
  tme_scope *s = tme_scope_new(e);
  tme_engine_free(e);
  tme_array *a = tme_retain(tme_exp(s, test_vector(s, 2, 0)));
  tme_scope_free(s);
  assert_int_equal(tme_array_size(a), 2);
  tme_release(a);
  tme_engine_free(NULL);
  tme_scope_free(NULL);
  tme_release(NULL);
  assert_int_equal(mem_live(), live);
}

static void errors_stand(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  assert_string_equal(tme_error(s), "");
  tme_array *x = test_matrix(s, 3, 4, 0), *y = test_matrix(s, 5, 6, 0);
  tme_array *bad = tme_gelu(s, tme_add(s, tme_matmul(s, x, y), x));
  assert_null(bad);
  assert_int_equal(tme_eval(s, bad), TME_ERR_SHAPE);
  assert_null(tme_data(s, bad));
  test_error(s, TME_ERR_SHAPE, "matmul: (3, 4) x (5, 6)");
  /* An error that stands does not disturb what is right. */
  assert_null(tme_add(s, x, NULL));
  assert_int_equal(tme_eval(s, tme_add(s, x, x)), TME_OK);
  test_error(s, TME_ERR_ARGUMENT, "add: operand 'y' is NULL");
  tme_array *out[3];
  assert_int_equal(tme_svd(s, NULL, true, out), TME_ERR_ARGUMENT);
  assert_null(out[0]);
  test_error(s, TME_ERR_ARGUMENT, "svd: operand 'x' is NULL");
  tme_scope_free(s);
}

static void broken_arguments(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 3, 4, 0), *out[3];
  assert_null(tme_from(s, TME_F32, 1, (int64_t[]){-1}, NULL));
  test_error(s, TME_ERR_ARGUMENT, "negative");
  assert_null(tme_from(s, TME_F32, 2, (int64_t[]){INT64_MAX, 8}, "x"));
  test_error(s, TME_ERR_MEMORY, "from");
  assert_null(tme_from(s, (tme_dtype)99, 0, NULL, "x"));
  test_error(s, TME_ERR_ARGUMENT, "dtype");
  assert_null(tme_from(s, TME_F32, TME_MAX_RANK + 1, (int64_t[TME_MAX_RANK + 1]){0}, "x"));
  test_error(s, TME_ERR_ARGUMENT, "17 dimensions");
  assert_null(tme_softmax(s, x, (int[]){2}, 1));
  test_error(s, TME_ERR_AXIS, "axis 2");
  assert_null(tme_sum(s, x, (int[TME_MAX_RANK + 1]){0}, TME_MAX_RANK + 1, false, TME_DTYPE_NONE));
  test_error(s, TME_ERR_ARGUMENT, "17 entries");
  assert_int_equal(tme_apply(s, "nothing", NULL, 0, out), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "no operation 'nothing'");
  tme_arg args[3] = {{.kind = TME_ARG_ARRAY, .u.array = x}, {.kind = TME_ARG_FLOAT, .u.f = 1.5}};
  assert_int_equal(tme_apply(s, "softmax", args, 2, out), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "axis must be a list of whole numbers");
  assert_int_equal(tme_apply(s, "exp", args, 3, out), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "3 arguments");
  double v;
  assert_int_equal(tme_item(s, x, &v), TME_ERR_SHAPE);
  test_error(s, TME_ERR_SHAPE, "12 elements");
  char raw[4];
  assert_int_equal(tme_read(s, x, raw, sizeof raw), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "48 bytes");
  tme_engine *other = test_engine("nojit");
  tme_scope *t = tme_scope_new(other);
  assert_null(tme_add(t, x, x));
  test_error(t, TME_ERR_ARGUMENT, "another engine");
  assert_null(tme_keep(t, x));
  test_error(t, TME_ERR_ARGUMENT, "another engine");
  tme_scope_free(t);
  tme_engine_free(other);
  tme_scope_free(s);
}

static void keeping(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine), *t = tme_scope_new(engine);
  tme_array *a = tme_keep(t, tme_add(s, test_vector(s, 2, 1), tme_number(s, 1)));
  tme_scope_free(s);
  test_equal(t, a, (float[]){2, 3}, 2);
  tme_scope_free(t);
}

static void literals(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  int64_t big = 9007199254740993;
  tme_array *i = tme_from(s, TME_I64, 0, NULL, &big);
  tme_array *j = tme_subtract(s, i, tme_integer(s, big));
  double v = -1;
  assert_int_equal(tme_item(s, j, &v), TME_OK);
  assert_true(v == 0);
  assert_int_equal(tme_array_dtype(tme_add(s, i, tme_integer(s, 1))), TME_I64);
  /* The literal is rounded once to f64, not through the engine's f32. */
  double third = 1.0 / 3;
  tme_array *d = tme_subtract(s, tme_from(s, TME_F64, 0, NULL, &third), tme_number(s, third));
  assert_int_equal(tme_array_dtype(d), TME_F64);
  assert_int_equal(tme_item(s, d, &v), TME_OK);
  assert_true(v == 0);
  assert_int_equal(tme_item(s, tme_number(s, 2.5), &v), TME_OK);
  assert_true(v == 2.5);
  assert_int_equal(tme_item(s, tme_boolean(s, true), &v), TME_OK);
  assert_true(v == 1);
  assert_int_equal(tme_item(s, tme_astype(s, tme_number(s, 3.75), TME_I8), &v), TME_OK);
  assert_true(v == 3);
  uint16_t half = 0x3c00; /* 1 */
  tme_array *h = tme_multiply(s, tme_from(s, TME_F16, 0, NULL, &half), tme_number(s, 0.1));
  assert_int_equal(tme_array_dtype(h), TME_F16);
  assert_int_equal(tme_item(s, h, &v), TME_OK);
  assert_true(v == (double)f16_to_f32(f16_from_f64(0.1)));
  tme_scope_free(s);
}

/* A number that changes is an argument, a number such as 2 may shape the code. */
static void numbers_share_plans(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_vector(s, 4, 1);
  tme_stats before, after;
  tme_eval(s, tme_add(s, tme_multiply(s, x, tme_number(s, 7.25)), tme_full(s, NULL, 0, 9, TME_F32)));
  tme_engine_stats(engine, &before);
  for (int i = 0; i < 10; i++) {
    float v = 8 + (float)i, c = 10 + (float)i;
    tme_array *y = tme_add(s, tme_multiply(s, x, tme_number(s, (double)v)), tme_full(s, NULL, 0, (double)c, TME_F32));
    test_equal(s, y, (float[]){v + c, 2 * v + c, 3 * v + c, 4 * v + c}, 4);
  }
  tme_engine_stats(engine, &after);
  assert_int_equal(after.plan_misses, before.plan_misses);
  assert_int_equal(after.plan_hits, before.plan_hits + 10);
  assert_int_equal(after.evaluations, before.evaluations + 10);
  tme_eval(s, tme_multiply(s, x, tme_number(s, 0.0)));
  tme_eval(s, tme_multiply(s, x, tme_number(s, -0.0)));
  tme_engine_stats(engine, &after);
  assert_int_equal(after.plan_misses, before.plan_misses + 2);
  const float *zero = tme_data(s, tme_multiply(s, x, tme_number(s, -0.0)));
  assert_non_null(zero);
  assert_true(signbit(zero[0]));
  tme_scope_free(s);
}

static void views_share_memory(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 3, 4, 0);
  const char *base = tme_data(s, x);
  tme_stats before, after;
  tme_engine_stats(engine, &before);
  tme_array *row = tme_slice(s, x, (int64_t[]){1, 0}, (int64_t[]){2, 4}, (int64_t[]){1, 1});
  assert_ptr_equal(tme_data(s, row), base + 4 * sizeof(float));
  tme_array *last = tme_slice(s, x, (int64_t[]){TME_NONE, 3}, (int64_t[]){TME_NONE, TME_NONE}, (int64_t[]){-1, 1});
  test_equal(s, last, (float[]){11, 7, 3}, 3);
  test_equal(s, tme_transpose(s, x, NULL, TME_ALL), (float[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, 12);
  tme_engine_stats(engine, &after);
  assert_int_equal(after.kernels_run, before.kernels_run);
  /* A view that was made before its array was computed. */
  tme_array *y = tme_negative(s, x), *v = tme_flip(s, tme_reshape(s, y, (int64_t[]){12}, 1), NULL, TME_ALL);
  base = tme_data(s, y);
  tme_engine_stats(engine, &before);
  tme_array *z = tme_add(s, v, v);
  test_equal(s, z, (float[]){-22, -20, -18, -16, -14, -12, -10, -8, -6, -4, -2, 0}, 12);
  tme_engine_stats(engine, &after);
  assert_int_equal(after.kernels_run, before.kernels_run + 1);
  tme_scope_free(s);
}

static int released;
static void release(void *user) {
  (void)user;
  released++;
}

static void wrapping(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  float v[6] = {0, 1, 2, 3, 4, 5};
  released = 0;
  tme_array *a = tme_wrap(s, TME_F32, 1, (int64_t[]){3}, (int64_t[]){-8}, v + 5, release, NULL);
  test_equal(s, a, (float[]){5, 3, 1}, 3);
  test_equal(s, tme_add(s, a, a), (float[]){10, 6, 2}, 3);
  assert_null(tme_wrap(s, TME_F32, 1, (int64_t[]){3}, (int64_t[]){6}, v, release, NULL));
  test_error(s, TME_ERR_ARGUMENT, "stride of 6 bytes");
  assert_null(tme_wrap(s, TME_F32, 1, (int64_t[]){1}, NULL, (char *)v + 1, release, NULL));
  test_error(s, TME_ERR_ARGUMENT, "not aligned");
  tme_array *b = tme_wrap(s, TME_F32, 1, (int64_t[]){6}, NULL, v, NULL, NULL);
  assert_ptr_equal(tme_data(s, b), v);
  assert_int_equal(released, 0);
  tme_scope_free(s);
  assert_int_equal(released, 1);
}

static void empty_arrays(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = tme_zeros(s, (int64_t[]){0, 3}, 2, TME_F32);
  assert_int_equal(tme_eval(s, tme_add(s, x, tme_number(s, 1))), TME_OK);
  assert_int_equal(tme_read(s, x, NULL, 0), TME_OK);
  test_equal(s, tme_sum(s, x, (int[]){0}, 1, false, TME_DTYPE_NONE), (float[]){0, 0, 0}, 3);
  assert_non_null(tme_wrap(s, TME_F32, 1, (int64_t[]){0}, NULL, NULL, NULL, NULL));
  tme_scope_free(s);
}

static void several_roots(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_vector(s, 3, 1);
  tme_array *a = tme_add(s, x, x), *b = tme_multiply(s, a, x), *all[] = {b, a, b, x};
  tme_stats before, after;
  tme_engine_stats(engine, &before);
  assert_int_equal(tme_eval_all(s, all, 4), TME_OK);
  tme_engine_stats(engine, &after);
  assert_int_equal(after.kernels_run, before.kernels_run + 2);
  test_equal(s, a, (float[]){2, 4, 6}, 3);
  test_equal(s, b, (float[]){2, 8, 18}, 3);
  assert_int_equal(tme_eval_all(s, NULL, 0), TME_OK);
  tme_array *many[9];
  for (int i = 0; i < 9; i++) many[i] = test_vector(s, i + 1, (float)i);
  tme_array *joined = tme_concatenate(s, many, 9, 0);
  assert_int_equal(tme_eval(s, joined), TME_OK);
  assert_int_equal(tme_array_size(joined), 45);
  tme_scope_free(s);
}

static void several_outputs(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *usv[3];
  assert_int_equal(tme_svd(s, test_matrix(s, 3, 2, 1), false, usv), TME_OK);
  tme_stats before, after;
  tme_engine_stats(engine, &before);
  assert_int_equal(tme_eval(s, usv[1]), TME_OK);
  tme_array *back = tme_matmul(s, tme_multiply(s, usv[0], usv[1]), usv[2]);
  const float *v = tme_data(s, back);
  assert_string_equal(tme_error(s), "");
  for (int i = 0; i < 6; i++) assert_float_equal(v[i], (float)(i + 1), 1e-4);
  tme_engine_stats(engine, &after);
  /* svd once, the product, the matrix product */
  assert_int_equal(after.kernels_run, before.kernels_run + 3);
  tme_scope_free(s);
}

static void numbers_alone(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  double v;
  tme_array *y = tme_add(s, tme_number(s, 1.25), tme_integer(s, 2));
  assert_int_equal(tme_item(s, y, &v), TME_OK);
  assert_true(v == 3.25);
  tme_array *b = tme_broadcast_to(s, tme_number(s, 1.5), (int64_t[]){2, 2}, 2);
  test_equal(s, b, (float[]){1.5f, 1.5f, 1.5f, 1.5f}, 4);
  tme_scope_free(s);
}

static void too_large(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = tme_add(s, tme_zeros(s, (int64_t[]){(int64_t)1 << 44}, 1, TME_F64), tme_number(s, 1.5));
  assert_non_null(x);
  assert_int_equal(tme_eval(s, x), TME_ERR_MEMORY);
  test_error(s, TME_ERR_MEMORY, "out of memory");
  assert_null(tme_zeros(s, (int64_t[]){(int64_t)1 << 62}, 1, TME_F64));
  test_error(s, TME_ERR_MEMORY, "zeros");
  tme_scope_free(s);
}

/* A matrix without singular values: its results hold NaN, and whoever looks at them is told. */
static void numerical_failure(void **state) {
  (void)state;
  for (int quiet = 0; quiet < 2; quiet++) {
    tme_options o;
    tme_options_init(&o);
    o.backend = "reference";
    o.precision = "float32";
    o.quiet_numeric = quiet;
    tme_engine *e = tme_engine_new(&o);
    tme_scope *s = tme_scope_new(e);
    float v[8] = {1, 2, 3, 4, NAN, 1, 1, 1}, got[4];
    tme_array *sv = tme_svdvals(s, tme_from(s, TME_F32, 3, (int64_t[]){2, 2, 2}, v));
    tme_array *sum = tme_sum(s, sv, NULL, TME_ALL, false, TME_DTYPE_NONE);
    if (quiet) {
      assert_int_equal(tme_read(s, sv, got, sizeof got), TME_OK);
      assert_true(isnan(got[2]) && !isnan(got[0]));
      assert_int_equal(tme_eval(s, sum), TME_OK);
    } else {
      assert_int_equal(tme_eval(s, sv), TME_ERR_NUMERIC);
      test_error(s, TME_ERR_NUMERIC, "matrix 1");
      assert_null(tme_data(s, sv));
      test_error(s, TME_ERR_NUMERIC, "svd");
      assert_int_equal(tme_eval(s, sum), TME_ERR_NUMERIC);
      test_error(s, TME_ERR_NUMERIC, "matrix 1");
    }
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

static void count_line(void *user, tme_log_level level, const char *message) {
  (void)message;
  ++((int *)user)[level];
}

/* A device that is not there is a warning: not for those who want errors alone. */
static void log_levels(void **state) {
  (void)state;
  for (tme_log_level level = TME_LOG_DEFAULT; level <= TME_LOG_DEBUG; level++) {
    int lines[TME_LOG_DEBUG + 1] = {0};
    tme_options o;
    tme_options_init(&o);
    o.device = "cuda";
    o.log = count_line;
    o.log_user = lines;
    o.log_level = level;
    tme_engine_free(tme_engine_new(&o));
    assert_int_equal(lines[TME_LOG_WARNING], level != TME_LOG_ERROR);
    assert_int_equal(lines[TME_LOG_INFO], level >= TME_LOG_INFO);
  }
}

static void files(void **state) {
  (void)state;
  char folder[] = "/tmp/tme-files-XXXXXX", path[64], pair[80];
  assert_non_null(mkdtemp(folder));
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 2, 3, 0), *y = tme_transpose(s, tme_add(s, x, x), NULL, TME_ALL);
  snprintf(path, sizeof path, "%s/y.npy", folder);
  assert_int_equal(tme_save(s, path, y), TME_OK);
  for (int copy = 0; copy < 2; copy++) {
    tme_array *z = copy ? tme_load_copy(s, path) : tme_load(s, path);
    assert_string_equal(tme_error(s), "");
    test_equal(s, tme_add(s, z, tme_number(s, 1)), (float[]){1, 7, 3, 9, 5, 11}, 6);
  }
  remove(path);
  assert_null(tme_load(s, path));
  test_error(s, TME_ERR_IO, "y.npy");
  snprintf(path, sizeof path, "%s/two.npz", folder);
  assert_int_equal(tme_save_all(s, path, (const char *const[]){"a", "b"}, (tme_array *[]){x, y}, 2), TME_OK);
  assert_null(tme_load(s, path));
  test_error(s, TME_ERR_ARGUMENT, "holds 2 arrays");
  char other[64];
  snprintf(other, sizeof other, "%s/other.npy", folder);
  const tme_file both[] = {{path, (const char *const[]){"a", "b"}, (tme_array *[]){y, x}, 2},
                           {other, NULL, (tme_array *[]){x}, 1}};
  assert_int_equal(tme_save_files(s, both, 2), TME_OK);
  test_equal(s, tme_load(s, other), (float[]){0, 1, 2, 3, 4, 5}, 6);
  remove(other);
  assert_int_equal(tme_save_all(s, path, (const char *const[]){"a", "b"}, (tme_array *[]){x, y}, 2), TME_OK);
  snprintf(pair, sizeof pair, "%s:a", path);
  test_equal(s, tme_load(s, pair), (float[]){0, 1, 2, 3, 4, 5}, 6);
  assert_null(tme_load(s, NULL));
  test_error(s, TME_ERR_ARGUMENT, "load");
  for (int copy = 0; copy < 2; copy++) {
    tme_members *all = tme_load_all(s, path, copy);
    assert_non_null(all);
    assert_int_equal(all->n, 2);
    assert_string_equal(all->names[1], "b");
    tme_array *loaded = all->arrays[1];
    tme_members_free(all);
    test_equal(s, loaded, (float[]){0, 6, 2, 8, 4, 10}, 6);
  }
  assert_null(tme_load_all(s, other, false));
  test_error(s, TME_ERR_IO, "other.npy");
  assert_null(tme_load_all(s, NULL, false));
  test_error(s, TME_ERR_ARGUMENT, "load");
  tme_members_free(NULL);
  assert_int_equal(tme_save(s, NULL, x), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "save");
  tme_scope_free(s);
  remove(path);
  remove(folder);
}

static bool count_steps(void *user) {
  int *left = user;
  return (*left)-- == 0;
}

/* What a scope held is gone, and the next calls find it as new. */
static void resetting(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_scope_reset(NULL);
  tme_array *kept = tme_retain(test_vector(s, 3, 0));
  for (int i = 0; i < 3000; i++) test_vector(s, 1, 0);
  int left = 0;
  tme_scope_set_stop(s, count_steps, &left);
  assert_null(tme_add(s, NULL, kept));
  test_error(s, TME_ERR_ARGUMENT, "NULL");
  assert_null(tme_add(s, NULL, kept));
  tme_scope_reset(s);
  assert_string_equal(tme_error(s), "");
  assert_ptr_equal(tme_scope_engine(s), engine);
  test_equal(s, tme_add(s, kept, kept), (float[]){0, 2, 4}, 3);
  tme_scope_free(s);
  tme_release(kept);
}

typedef struct own_value {
  tme_scope *s;
  tme_array *running, *other;
  int calls;
} own_value;

static bool ask_for_own_value(void *user) {
  own_value *v = user;
  if (++v->calls < 3) return false;
  float first;
  assert_int_equal(tme_eval(v->s, v->running), TME_ERR_ARGUMENT);
  test_error(v->s, TME_ERR_ARGUMENT, "being computed");
  tme_event *ev = tme_eval_async(v->s, &v->running, 1);
  assert_int_equal(tme_event_wait(ev), TME_ERR_ARGUMENT);
  tme_event_free(ev);
  tme_clear_error(v->s);
  assert_int_equal(tme_read(v->s, v->other, &first, sizeof first), TME_OK);
  return false;
}

/* What is called between steps may evaluate, but not what waits for it. */
static void asking_for_itself(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine), *inner = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 8, 8, 0), *y = x;
  for (int i = 0; i < 4; i++) y = tme_matmul(s, y, x);
  own_value v = {
      .s = inner, .running = y, .other = tme_sum(s, tme_matmul(s, x, x), NULL, TME_ALL, false, TME_DTYPE_NONE)};
  tme_scope_set_stop(s, ask_for_own_value, &v);
  assert_int_equal(tme_eval(s, y), TME_OK);
  assert_true(v.calls >= 3);
  tme_scope_free(inner);
  tme_scope_free(s);
}

/* Evaluations and calls ask between their steps. */
static void stopping(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 8, 8, 0), *y = x, *in = tme_input(s, TME_F32, 2, (int64_t[]){8, 8}), *z = in, *out;
  for (int i = 0; i < 4; i++) {
    y = tme_matmul(s, y, x);
    z = tme_matmul(s, z, x);
  }
  tme_function *f = tme_compile(s, &in, 1, &z, 1);
  assert_non_null(f);
  for (int k = 0; k < 4; k++) {
    int left = k;
    tme_scope_set_stop(s, count_steps, &left);
    assert_int_equal(tme_eval(s, y), TME_ERR_CANCELLED);
    test_error(s, TME_ERR_CANCELLED, "cancelled");
    left = k;
    assert_int_equal(tme_call(s, f, &x, 1, &out), TME_ERR_CANCELLED);
    test_error(s, TME_ERR_CANCELLED, "cancelled");
    assert_null(out);
  }
  tme_scope_set_stop(s, NULL, NULL);
  assert_int_equal(tme_call(s, f, &x, 1, &out), TME_OK);
  float value[64];
  assert_int_equal(tme_read(s, y, value, sizeof value), TME_OK);
  test_equal(s, out, value, 64);
  tme_function_free(f);
  tme_scope_free(s);
}

static void long_chain(void **state) {
  (void)state;
  enum { N = 1000000 };
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = tme_retain(test_vector(s, 1, 0));
  tme_scope_free(s);
  for (int i = 0; i < N; i++) {
    s = tme_scope_new(engine);
    tme_array *y = tme_retain(tme_add(s, x, tme_number(s, 1)));
    tme_release(x);
    tme_scope_free(s);
    x = y;
  }
  s = tme_scope_new(engine);
  tme_array *unused = tme_negative(s, x);
  assert_non_null(unused);
  double v = 0;
  assert_int_equal(tme_item(s, x, &v), TME_OK);
  assert_true(v == (double)N);
  tme_release(x);
  tme_scope_free(s);
  /* And one that is never evaluated. */
  s = tme_scope_new(engine);
  x = test_vector(s, 1, 0);
  for (int i = 0; i < N; i++) x = tme_negative(s, x);
  tme_scope_free(s);
}

static void bounded_plans(void **state) {
  (void)state;
  tme_options o;
  tme_options_init(&o);
  o.backend = "nojit";
  o.plan_entries = 2;
  tme_engine *e = tme_engine_new(&o);
  tme_scope *s = tme_scope_new(e);
  for (int turn = 0; turn < 2; turn++)
    for (int n = 1; n <= 3; n++) assert_int_equal(tme_eval(s, tme_exp(s, test_vector(s, n, 0))), TME_OK);
  tme_stats st;
  tme_engine_stats(e, &st);
  assert_int_equal(st.plan_entries, 2);
  assert_int_equal(st.plan_misses, 6);
  assert_int_equal(st.plan_evictions, 4);
  assert_int_equal(tme_engine_clear_cache(e, false), TME_OK);
  tme_engine_stats(e, &st);
  assert_int_equal(st.plan_entries, 0);
  tme_scope_free(s);
  tme_engine_free(e);
}

static void pool_is_bounded(void **state) {
  (void)state;
  tme_options o;
  tme_options_init(&o);
  o.backend = "nojit";
  o.pool_bytes = 1 << 20;
  tme_engine *e = tme_engine_new(&o);
  for (int64_t n = 1; n <= 1 << 21; n *= 2) {
    tme_scope *s = tme_scope_new(e);
    assert_int_equal(tme_eval(s, tme_ones(s, &n, 1, TME_F32)), TME_OK);
    tme_scope_free(s);
  }
  tme_stats st;
  tme_engine_stats(e, &st);
  assert_int_equal(st.pool_bytes_used, 0);
  assert_true(st.pool_bytes_kept <= 1 << 20);
  assert_true(st.pool_peak >= 4 << 21);
  tme_engine_trim(e);
  tme_engine_stats(e, &st);
  assert_int_equal(st.pool_bytes_kept, 0);
  tme_engine_free(e);
}

static void refuse(const tme_options *o, const char *words) {
  char why[500];
  tme_engine *e = tme_engine_open(o, why, sizeof why);
  assert_null(e);
  if (!strstr(why, words)) fail_msg("'%s' does not hold '%s'", why, words);
}

static void options(void **state) {
  (void)state;
  tme_options o;
  tme_options_init(&o);
  o.precision = "float8";
  refuse(&o, "precision 'float8' is unknown, expected one of float16");
  tme_options_init(&o);
  o.device = "toaster";
  refuse(&o, "toaster");
  tme_options_init(&o);
  o.threads = -1;
  refuse(&o, "threads -1");
  static const char *const broken[][2] = {
      {"TME_PRECISION", "f8"}, {"TME_THREADS", "0"},          {"TME_THREADS", "two"},     {"TME_POOL_BYTES", "-1"},
      {"TME_DEBUG", "6"},      {"TME_JIT", "maybe"},          {"TME_CACHE_BYTES", "12Q"}, {"TME_CHECK", "x"},
      {"TME_LOG", "loud"},     {"TME_PLAN_ENTRIES", "1e400"}, {"TME_DISK_BYTES", "*"},    {"TME_TUNE", "2"}};
  for (int i = 0; i < COUNT(broken); i++) {
    setenv(broken[i][0], broken[i][1], 1);
    refuse(NULL, broken[i][0]);
    unsetenv(broken[i][0]);
  }
  /* Defaults, variables over them, options over those. */
  tme_options_init(&o);
  o.backend = "nojit";
  tme_engine *e = tme_engine_new(&o);
  assert_int_equal(tme_engine_default_dtype(e), TME_F16);
  tme_engine_free(e);
  setenv("TME_PRECISION", "float64", 1);
  setenv("TME_THREADS", "3", 1);
  e = tme_engine_new(&o);
  assert_int_equal(tme_engine_default_dtype(e), TME_F64);
  assert_int_equal(tme_engine_threads(e), 3);
  tme_engine_free(e);
  setenv("TME_PRECISION", "not looked at", 1);
  o.precision = "mixed";
  e = tme_engine_new(&o);
  assert_int_equal(tme_engine_default_dtype(e), TME_F32);
  tme_engine_free(e);
  unsetenv("TME_PRECISION");
  unsetenv("TME_THREADS");
  test_log log = {.warnings = 0};
  setenv("TME_DEVICE", "cuda", 1);
  e = test_engine_logged("nojit", &log);
  assert_non_null(e);
  assert_non_null(strstr(log.text, "the device cuda is not there"));
  assert_int_equal(log.warnings, 1);
  tme_engine_free(e);
  unsetenv("TME_DEVICE");
}

static void status(void **state) {
  (void)state;
  tme_jit_status st;
  tme_engine_status(engine, &st);
  assert_int_equal(st.state, TME_JIT_DISABLED);
  assert_string_equal(st.backend, "nojit");
  assert_string_equal(st.precision, "float32");
  assert_true(*st.reason);
  assert_false(tme_engine_has_jit(engine));
  tme_options o;
  tme_options_init(&o);
  o.jit = -1;
  tme_engine *e = tme_engine_new(&o);
  tme_engine_status(e, &st);
  assert_int_equal(st.state, TME_JIT_DISABLED);
  assert_non_null(strstr(st.reason, "option jit"));
  tme_engine_free(e);
}

static void explanations(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *y = tme_softmax(s, test_matrix(s, 2, 3, 0), (int[]){-1}, 1);
  char *t = tme_explain(s, &y, 1, 0);
  assert_non_null(t);
  assert_non_null(strstr(t, "softmax"));
  assert_non_null(strstr(t, "not in the cache"));
  tme_string_free(t);
  t = tme_explain(s, &y, 1, TME_EXPLAIN_DOT);
  assert_non_null(t);
  assert_int_equal(strncmp(t, "digraph", 7), 0);
  tme_string_free(t);
  tme_eval(s, y);
  t = tme_explain(s, &y, 1, 0);
  assert_non_null(strstr(t, "nothing to do"));
  tme_string_free(t);
  y = tme_softmax(s, test_matrix(s, 2, 3, 1), (int[]){-1}, 1);
  t = tme_explain(s, &y, 1, 0);
  assert_non_null(strstr(t, "plan: in the cache"));
  tme_string_free(t);
  assert_null(tme_explain(s, (tme_array *[]){NULL}, 1, 0));
  test_error(s, TME_ERR_ARGUMENT, "explain");
  tme_scope_free(s);
}

static void operations_by_name(void **state) {
  (void)state;
  assert_true(tme_op_count() > 80);
  assert_null(tme_op_get(-1));
  assert_null(tme_op_get(tme_op_count()));
  assert_null(tme_op_find("nothing"));
  assert_int_equal(tme_op_find("svd")->outputs, 3);
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 2, 3, 0), *out;
  tme_arg args[3] = {{.kind = TME_ARG_ARRAY, .u.array = x},
                     {.kind = TME_ARG_INTS, .n = 1, .u.ints = (int64_t[]){-1}},
                     {.kind = TME_ARG_INT, .u.i = 1}};
  assert_int_equal(tme_apply(s, "sum", args, 3, &out), TME_OK);
  test_equal(s, out, (float[]){3, 12}, 2);
  assert_int_equal(tme_array_rank(out), 2);
  tme_scope_free(s);
}

/* A callback that uses its own engine is told so, and nothing waits for ever. */
typedef struct curious {
  tme_engine *engine, *other;
  int calls, refused, computed;
} curious;

static void evaluate_in_log(void *user, tme_log_level level, const char *message) {
  curious *c = user;
  (void)level;
  (void)message;
  c->calls++;
  if (!c->engine) return;
  tme_scope *s = tme_scope_new(c->engine), *o = tme_scope_new(c->other);
  tme_array *x = tme_exp(s, test_vector(s, 8, 0));
  c->refused += tme_eval(s, x) == TME_ERR_ARGUMENT && strstr(tme_error(s), "log callback") &&
                !tme_eval_async(s, &x, 1) && !tme_data(s, x) && !tme_compile(s, NULL, 0, &x, 1) &&
                tme_engine_clear_cache(c->engine, false) == TME_ERR_ARGUMENT;
  tme_stats stats;
  tme_engine_stats(c->engine, &stats);
  tme_jit_status status;
  tme_engine_status(c->engine, &status);
  if (status.state != TME_JIT_FAILED) c->refused--;
  c->computed += tme_eval(o, tme_exp(o, test_vector(o, 8, 0))) == TME_OK;
  tme_scope_free(s);
  tme_scope_free(o);
}

static void log_callback_that_evaluates(void **state) {
  (void)state;
  curious c = {.other = test_engine("cpu")};
  tme_options o;
  tme_options_init(&o);
  o.cache_dir = "";
  o.log = evaluate_in_log;
  o.log_user = &c;
  o.log_level = TME_LOG_DEBUG;
  setenv("TME_DEBUG", "1", 1);
  c.engine = tme_engine_new(&o);
  unsetenv("TME_DEBUG");
  tme_scope *s = tme_scope_new(c.engine);
  c.calls = 0;
  tme_array *x = tme_exp(s, test_vector(s, 8, 0));
  assert_int_equal(tme_eval(s, x), TME_OK);
  assert_true(c.calls > 0);
  assert_int_equal(c.refused, c.calls);
  assert_int_equal(c.computed, c.calls);
  tme_array *y = tme_sin(s, x);
  tme_event *ev = tme_eval_async(s, &y, 1);
  assert_int_equal(tme_event_wait(ev), TME_OK);
  tme_event_free(ev);
  assert_int_equal(c.refused, c.calls);
  tme_engine *e = c.engine;
  c.engine = NULL;
  tme_scope_free(s);
  tme_engine_free(e);
  tme_engine_free(c.other);
}

static void bad_lists_of_files(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_vector(s, 2, 0);
  assert_int_equal(tme_save_files(s, NULL, -1), TME_ERR_ARGUMENT);
  test_error(s, tme_error_code(s), "save: -1 files");
  assert_int_equal(tme_save_files(s, NULL, 1), TME_ERR_ARGUMENT);
  test_error(s, tme_error_code(s), "the list of files is NULL");
  assert_int_equal(tme_save_files(s, &(tme_file){"x.npy", NULL, &x, -1}, 1), TME_ERR_ARGUMENT);
  test_error(s, tme_error_code(s), "save");
  assert_int_equal(tme_save_files(s, NULL, 0), TME_OK);
  assert_int_equal(tme_eval_all(s, &x, -1), TME_ERR_ARGUMENT);
  test_error(s, tme_error_code(s), "eval");
  tme_scope_free(s);
}

static void tracing(void **state) {
  (void)state;
  char path[] = "/tmp/tme-profile-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  setenv("TME_PROFILE", path, 1);
  tme_engine *e = test_engine("nojit");
  unsetenv("TME_PROFILE");
  tme_scope *s = tme_scope_new(e);
  tme_eval(s, tme_exp(s, test_vector(s, 8, 0)));
  tme_scope_free(s);
  tme_engine_free(e);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  char json[2000];
  json[fread(json, 1, sizeof json - 1, f)] = 0;
  fclose(f);
  assert_non_null(strstr(json, "\"traceEvents\""));
  assert_non_null(strstr(json, "\"name\":\"exp\""));
  remove(path);
}

/* A reshape of what is computed beside it needs no kernel and no memory of its own. */
static void reshapes_share_memory(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  tme_array *y = tme_add(s, test_matrix(s, 3, 4, 0), tme_integer(s, 1));
  tme_array *all[] = {y, tme_reshape(s, y, (int64_t[]){2, 6}, 2),
                      tme_reshape(s, tme_transpose(s, y, NULL, TME_ALL), (int64_t[]){12}, 1)};
  assert_int_equal(tme_eval_all(s, all, 3), TME_OK);
  assert_int_equal(tme_array_rank(all[1]), 2);
  assert_int_equal(tme_array_shape(all[1])[1], 6);
  tme_stats stats;
  tme_engine_stats(e, &stats);
  if (!stats.fallbacks) { /* without a compiler each operation stands alone */
    assert_ptr_equal(tme_data(s, all[0]), tme_data(s, all[1]));
    assert_int_equal(stats.kernels_run, 2);
  }
  test_equal(s, all[1], (float[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 12);
  test_equal(s, all[2], (float[]){1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12}, 12);
  tme_scope_free(s);
  tme_engine_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reshapes_share_memory),
      cmocka_unit_test(log_callback_that_evaluates),
      cmocka_unit_test(bad_lists_of_files),
      cmocka_unit_test(lifecycle),
      cmocka_unit_test(errors_stand),
      cmocka_unit_test(broken_arguments),
      cmocka_unit_test(keeping),
      cmocka_unit_test(literals),
      cmocka_unit_test(numbers_share_plans),
      cmocka_unit_test(views_share_memory),
      cmocka_unit_test(wrapping),
      cmocka_unit_test(empty_arrays),
      cmocka_unit_test(several_roots),
      cmocka_unit_test(several_outputs),
      cmocka_unit_test(numbers_alone),
      cmocka_unit_test(too_large),
      cmocka_unit_test(numerical_failure),
      cmocka_unit_test(log_levels),
      cmocka_unit_test(files),
      cmocka_unit_test(stopping),
      cmocka_unit_test(asking_for_itself),
      cmocka_unit_test(resetting),
      cmocka_unit_test(long_chain),
      cmocka_unit_test(bounded_plans),
      cmocka_unit_test(pool_is_bounded),
      cmocka_unit_test(options),
      cmocka_unit_test(status),
      cmocka_unit_test(explanations),
      cmocka_unit_test(operations_by_name),
      cmocka_unit_test(tracing),
  };
  return cmocka_run_group_tests(tests, open_engine, close_engine);
}
