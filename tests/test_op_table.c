/* Operations by number and by name, and the table from which a program knows what they take. */
#include "base/base.h"
#include "support/engines.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static tme_engine *engine;

/* The signature says what the table says, no more and no less. */
static void table_is_signature(void **state) {
  (void)state;
  for (int op = 0; op < tme_op_count(); op++) {
    const tme_op_info *info = tme_op_get(op);
    const char *s = info->signature;
    assert_int_equal(info->number, op);
    assert_ptr_equal(tme_op_find(info->name), info);
    assert_true(info->outputs > 0 && info->params > 0 && *info->doc);
    assert_null(tme_op_param(info, -1));
    assert_null(tme_op_param(info, info->params));
    for (int i = 0; i < info->params; i++) {
      const tme_param_info *p = tme_op_param(info, i);
      assert_ptr_equal(tme_op_param(info, i), p);
      char word[256];
      snprintf(word, sizeof word, "%s%s%s", i ? ", " : "", p->name, p->kind == TME_PARAM_ARRAY ? "" : ":");
      if (p->kind != TME_PARAM_ARRAY) strcat(word, p->choices ? p->choices : tme_param_kind_name(p->kind));
      if (p->optional) strcat(word, "=");
      if (strncmp(s, word, strlen(word)) != 0) fail_msg("%s: '%s' does not begin with '%s'", info->name, s, word);
      s += strlen(word);
      if (!p->optional) {
        assert_int_equal(p->value.kind, TME_ARG_ABSENT);
        continue;
      }
      char *end;
      double number = strtod(s, &end);
      if (!strncmp(s, "none", 4)) {
        assert_int_equal(p->value.kind, TME_ARG_ABSENT);
        end += 4;
      } else if (p->kind == TME_PARAM_BOOL) {
        assert_int_equal(p->value.kind, TME_ARG_INT);
        assert_int_equal(p->value.u.i, !strncmp(s, "true", 4));
        end += p->value.u.i ? 4 : 5;
      } else if (p->kind == TME_PARAM_CHOICE) {
        assert_int_equal(p->value.kind, TME_ARG_TEXT);
        size_t length = strlen(p->value.u.text);
        assert_int_equal(strncmp(s, p->value.u.text, length), 0);
        end = (char *)(uintptr_t)s + length;
      } else if (p->kind == TME_PARAM_FLOAT) {
        assert_int_equal(p->value.kind, TME_ARG_FLOAT);
        assert_true(p->value.u.f == number);
      } else {
        assert_int_equal(p->value.kind, TME_ARG_INT);
        assert_true((double)p->value.u.i == number);
      }
      s = end;
    }
    assert_string_equal(s, "");
  }
  assert_null(tme_op_get(-1));
  assert_null(tme_op_get(tme_op_count()));
  assert_null(tme_op_find(NULL));
  assert_null(tme_op_find("nothing"));
  assert_null(tme_op_param(NULL, 0));
  assert_string_equal(tme_param_kind_name((tme_param_kind)-1), "none");
  assert_string_equal(tme_param_kind_name((tme_param_kind)1000), "none");
}

enum { MOST = 16 };

/* Numbers of 4 bits in one group: words, a scale and a bias, and what is multiplied with them or quantized. */
static tme_array *of_group(tme_scope *s, const char *name, bool packed) {
  bool words = packed && !strcmp(name, "w"), one = !strcmp(name, "scales") || !strcmp(name, "biases");
  int64_t shape[] = {1, one ? 1 : words ? 8 : 64};
  return tme_full(s, shape, 2, 3, words ? TME_U32 : TME_F32);
}

/* What only some operands may be; NULL: any. */
static tme_array *special(tme_scope *s, const tme_op_info *op, const char *name) {
  static const char *const whole[] = {"seed", "data", "low", "n"};
  int64_t two = 2;
  if (!strcmp(name, "key")) return tme_random_key(s, tme_integer(s, 5));
  if (!strcmp(op->chapter, "Quantized weights")) return of_group(s, name, strcmp(op->name, "quantize") != 0);
  if (strncmp(op->name, "random_", 7)) return NULL;
  for (int i = 0; i < COUNT(whole); i++)
    if (!strcmp(name, whole[i])) return tme_integer(s, 3);
  return !strcmp(name, "cov") ? tme_eye(s, 2, 2, 0, TME_F32) : tme_full(s, &two, 1, 0.5, TME_F32);
}

/* Something for each parameter that must be given: of arrays first x, then `more`; and a key. */
static void plausible(tme_scope *s, const tme_op_info *op, int turn, tme_array *x, tme_array *more,
                      tme_array *const *both, tme_arg *args) {
  static const int64_t extents[][2] = {{4, 4}, {0, 1}, {1}}, borders[] = {1, 1};
  static const int entries[] = {2, 2, 1};
  int ints = 0;
  for (int i = 0; i < op->params; i++) {
    const tme_param_info *p = tme_op_param(op, i);
    args[i] = (tme_arg){.kind = TME_ARG_ABSENT};
    if (p->optional && strcmp(p->name, "key")) continue;
    tme_array *own = p->kind <= TME_PARAM_OPTIONAL_ARRAY ? special(s, op, p->name) : NULL;
    switch (p->kind) {
    case TME_PARAM_OPTIONAL_ARRAY:
    case TME_PARAM_ARRAY: args[i] = (tme_arg){.kind = TME_ARG_ARRAY, .u.array = own ? own : i ? more : x}; break;
    case TME_PARAM_ARRAYS: args[i] = (tme_arg){.kind = TME_ARG_ARRAYS, .n = 2, .u.arrays = both}; break;
    case TME_PARAM_INTS: args[i] = (tme_arg){.kind = TME_ARG_INTS, .n = entries[turn], .u.ints = extents[turn]}; break;
    case TME_PARAM_PERDIM: args[i] = (tme_arg){.kind = TME_ARG_INTS, .n = 2, .u.ints = borders}; break;
    case TME_PARAM_DTYPE: args[i] = (tme_arg){.kind = TME_ARG_INT, .u.i = TME_F64}; break;
    case TME_PARAM_INT: args[i] = (tme_arg){.kind = TME_ARG_INT, .u.i = ints++ ? 1 : 2}; break;
    case TME_PARAM_FLOAT: args[i] = (tme_arg){.kind = TME_ARG_FLOAT, .u.f = 1.5}; break;
    case TME_PARAM_TEXT: args[i] = (tme_arg){.kind = TME_ARG_TEXT, .u.text = "ij,jk->ik"}; break;
    default: args[i] = (tme_arg){.kind = TME_ARG_INT, .u.i = 1}; break;
    }
  }
}

static void same_arrays(tme_scope *s, const tme_op_info *op, tme_array *const *a, tme_array *const *b) {
  for (int i = 0; i < op->outputs; i++) {
    assert_int_equal(tme_array_dtype(a[i]), tme_array_dtype(b[i]));
    assert_int_equal(tme_array_rank(a[i]), tme_array_rank(b[i]));
    for (int d = 0; d < tme_array_rank(a[i]); d++) assert_int_equal(tme_array_shape(a[i])[d], tme_array_shape(b[i])[d]);
    size_t bytes = (size_t)tme_array_size(a[i]) * tme_dtype_size(tme_array_dtype(a[i]));
    const void *x = tme_data(s, a[i]), *y = tme_data(s, b[i]);
    if (!x || !y) fail_msg("%s: %s", op->name, tme_error(s));
    if (memcmp(x, y, bytes) != 0) fail_msg("%s: other results", op->name);
  }
}

/* Not given, left out, absent and given as the table has it are one; so are the name and the number. */
static void defaults_are_what_stands(void **state) {
  (void)state;
  static const struct {
    tme_dtype dtype;
    int rank;
    int64_t shape[5];
    tme_dtype vectors; /* what stands behind the first operand; TME_DTYPE_NONE: the same again */
  } operands[] = {{TME_F32, 2, {4, 4}, TME_DTYPE_NONE},
                  {TME_I64, 2, {4, 4}, TME_DTYPE_NONE},
                  {TME_BOOL, 2, {4, 4}, TME_DTYPE_NONE},
                  {TME_F32, 1, {16}, TME_DTYPE_NONE},
                  {TME_BOOL, 1, {16}, TME_DTYPE_NONE},
                  {TME_F32, 3, {1, 4, 4}, TME_DTYPE_NONE},
                  {TME_F32, 4, {1, 4, 4, 1}, TME_DTYPE_NONE},
                  {TME_F32, 5, {1, 4, 2, 2, 1}, TME_DTYPE_NONE},
                  {TME_F32, 3, {2, 2, 2}, TME_DTYPE_NONE},
                  {TME_F32, 2, {4, 4}, TME_F32},
                  {TME_F32, 2, {4, 4}, TME_I64},
                  {TME_F32, 2, {4, 3}, TME_DTYPE_NONE},
                  {TME_F32, 2, {1, 16}, TME_DTYPE_NONE}};
  for (int op = 0; op < tme_op_count(); op++) {
    const tme_op_info *info = tme_op_get(op);
    tme_scope *s = tme_scope_new(engine);
    tme_arg args[MOST];
    tme_array *out[MOST], *again[MOST];
    assert_true(info->params <= MOST && info->outputs <= MOST);
    bool done = false;
    for (int turn = 0; turn < 3 * COUNT(operands) && !done; turn++) {
      int k = turn / 3;
      tme_array *x = tme_remainder(s, test_matrix(s, 4, 4, 0), tme_integer(s, 4));
      x = tme_as_strided(s, x, operands[k].shape, operands[k].rank, NULL, TME_ALL, 0);
      x = tme_astype(s, x, operands[k].dtype);
      if (operands[k].rank == 1) x = tme_sort(s, x, 0, false); /* as what is searched in is */
      /* positive definite, as what has a root is, and without zeros */
      if (operands[k].vectors != TME_DTYPE_NONE) {
        tme_array *square = tme_matmul(s, tme_transpose(s, x, NULL, TME_ALL), x), *one = tme_eye(s, 4, 4, 0, TME_F32);
        x = tme_add(s, tme_add(s, square, one), tme_integer(s, 1));
      }
      tme_array *both[] = {x, x}, *more = x;
      if (operands[k].vectors != TME_DTYPE_NONE)
        more = tme_astype(s, tme_remainder(s, tme_take(s, x, tme_integer(s, 0), 0), tme_integer(s, 4)),
                          operands[k].vectors);
      plausible(s, info, turn % 3, x, more, both, args);
      tme_clear_error(s);
      done = tme_apply_op(s, op, args, info->params, out) == TME_OK && tme_eval_all(s, out, info->outputs) == TME_OK;
      if (!done) continue;
      int given = info->params;
      while (given > 0 && args[given - 1].kind == TME_ARG_ABSENT) given--;
      assert_int_equal(tme_apply(s, info->name, args, given, again), TME_OK);
      same_arrays(s, info, out, again);
      for (int i = 0; i < info->params; i++)
        if (args[i].kind == TME_ARG_ABSENT) args[i] = tme_op_param(info, i)->value;
      if (tme_apply_op(s, op, args, info->params, again) != TME_OK) fail_msg("%s: %s", info->name, tme_error(s));
      same_arrays(s, info, out, again);
    }
    if (!done) fail_msg("%s: %s", info->name, tme_error(s));
    tme_scope_free(s);
  }
}

/* Every kind of argument in every place: an answer or an error that names operation and parameter. */
static void wrong_kinds(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 4, 4, 0), *both[] = {x, x}, *none[] = {x, NULL};
  static const int64_t ints[] = {4, 4};
  const tme_arg wrong[] = {
      {.kind = TME_ARG_ABSENT},
      {.kind = TME_ARG_ARRAY},
      {.kind = TME_ARG_ARRAY, .u.array = x},
      {.kind = TME_ARG_ARRAYS, .n = 2, .u.arrays = both},
      {.kind = TME_ARG_ARRAYS, .n = 2, .u.arrays = none},
      {.kind = TME_ARG_ARRAYS, .n = -1, .u.arrays = both},
      {.kind = TME_ARG_ARRAYS, .n = 9},
      {.kind = TME_ARG_ARRAYS, .n = INT32_MAX},
      {.kind = TME_ARG_INT, .u.i = INT64_MIN},
      {.kind = TME_ARG_INT, .u.i = INT64_MAX},
      {.kind = TME_ARG_INTS, .n = 2, .u.ints = ints},
      {.kind = TME_ARG_INTS, .n = 2},
      {.kind = TME_ARG_INTS, .n = -5, .u.ints = ints},
      {.kind = TME_ARG_INTS, .n = INT32_MAX, .u.ints = ints},
      {.kind = TME_ARG_FLOAT, .u.f = NAN},
      {.kind = TME_ARG_FLOAT, .u.f = -1e300},
      {.kind = TME_ARG_UINT, .u.u = UINT64_MAX},
      {.kind = (tme_arg_kind)-1},
      {.kind = (tme_arg_kind)77},
  };
  for (int op = 0; op < tme_op_count(); op++) {
    const tme_op_info *info = tme_op_get(op);
    for (int i = 0; i < info->params; i++) {
      for (int w = 0; w < COUNT(wrong); w++) {
        tme_arg args[MOST];
        tme_array *out[MOST];
        for (int o = 0; o < info->outputs; o++) out[o] = x;
        plausible(s, info, 0, x, x, both, args);
        args[i] = wrong[w];
        tme_status st = tme_apply_op(s, op, args, info->params, out);
        for (int o = 0; o < info->outputs; o++) assert_true((st == TME_OK) == (out[o] != NULL));
        assert_int_equal(tme_error_code(s), st);
        if (wrong[w].kind == TME_ARG_ARRAYS) assert_int_not_equal(st, TME_ERR_MEMORY); /* a list is looked at first */
        if (st != TME_OK && !strstr(tme_error(s), info->name)) fail_msg("%s: %s", info->name, tme_error(s));
        if ((int)wrong[w].kind < 0 || (int)wrong[w].kind > TME_ARG_UINT) {
          assert_int_equal(st, TME_ERR_ARGUMENT);
          assert_non_null(strstr(tme_error(s), tme_op_param(info, i)->name));
        }
        tme_clear_error(s);
      }
    }
  }
  tme_scope_free(s);
}

static void by_number(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *out = (tme_array *)s;
  for (int k = 0; k < 4; k++) {
    static const int none[] = {-1, INT32_MIN, INT32_MAX, 0};
    assert_int_equal(tme_apply_op(s, k < 3 ? none[k] : tme_op_count(), NULL, 0, &out), TME_ERR_ARGUMENT);
    assert_null(out);
    test_error(s, TME_ERR_ARGUMENT, "there is no operation number");
  }
  int sum = tme_op_find("sum")->number;
  assert_int_equal(tme_apply_op(NULL, sum, NULL, 0, &out), TME_ERR_ARGUMENT);
  assert_int_equal(tme_apply_op(s, sum, NULL, 1, &out), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "sum: the arguments are missing");
  assert_int_equal(tme_apply_op(s, sum, NULL, 0, &out), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "sum: operand 'x' is NULL");
  /* The first error stands. */
  assert_int_equal(tme_apply_op(s, -1, NULL, 0, NULL), TME_ERR_ARGUMENT);
  assert_int_equal(tme_apply_op(s, sum, NULL, 0, &out), TME_ERR_ARGUMENT);
  test_error(s, TME_ERR_ARGUMENT, "number -1");
  /* All of 64 bits where a value is taken, and a number where a number is. */
  tme_arg full[] = {
      {.kind = TME_ARG_INTS}, {.kind = TME_ARG_UINT, .u.u = UINT64_MAX}, {.kind = TME_ARG_INT, .u.i = TME_U64}};
  assert_int_equal(tme_apply(s, "full", full, 3, &out), TME_OK);
  assert_true(*(const uint64_t *)tme_data(s, out) == UINT64_MAX);
  tme_arg line[] = {{.kind = TME_ARG_INT, .u.i = 0},
                    {.kind = TME_ARG_UINT, .u.u = UINT64_C(1) << 63},
                    {.kind = TME_ARG_INT, .u.i = 2},
                    {.kind = TME_ARG_ABSENT},
                    {.kind = TME_ARG_INT, .u.i = TME_F32}};
  assert_int_equal(tme_apply(s, "linspace", line, 5, &out), TME_OK);
  assert_true(((const float *)tme_data(s, out))[1] == 0x1p63f);
  tme_scope_free(s);
}

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table_is_signature),
      cmocka_unit_test(defaults_are_what_stands),
      cmocka_unit_test(wrong_kinds),
      cmocka_unit_test(by_number),
  };
  return cmocka_run_group_tests(tests, open_engine, close_engine);
}
