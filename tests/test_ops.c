/* The table of operations and type inference: results and messages. */
#include "ops/ops.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static op_axes axis_list(int64_t axis) { return (op_axes){.given = AXES_LIST, .list = {1, {axis}}}; }

static void table(void **state) {
  (void)state;
  for (int i = 0; i < OP_PUBLIC_COUNT; i++) {
    const op_def *d = op_get(i);
    int arrays = 0, commas = 0;
    assert_int_equal(op_find(d->name), i);
    assert_string_equal(op_name(i), d->name);
    assert_true(strlen(d->doc) > 0);
    assert_in_range(d->outputs, 1, OP_MAX_OUTPUTS);
    for (const char *s = d->signature; *s; s++) commas += *s == ',';
    assert_int_equal(d->nparams, commas + 1);
    for (int p = 0; p < d->nparams; p++) {
      const op_param *q = &d->params[p];
      assert_true(strlen(q->name) > 0);
      if (q->kind > PARAM_ARRAYS) assert_true(q->offset > 0 && q->offset < d->attrs_size);
      if (q->kind == PARAM_ARRAYS) assert_int_equal(d->ninputs, -1);
      arrays += q->kind == PARAM_ARRAY || q->kind == PARAM_OPTIONAL_ARRAY;
    }
    if (d->ninputs >= 0) assert_int_equal(d->ninputs, arrays);
    if (d->family == FAMILY_elementwise) {
      assert_in_range(d->ninputs, 1, 3);
      assert_true(d->lo < d->hi && op_rule_get(d->rule)->takes);
    }
  }
  assert_int_equal(op_find("no_such_operation"), -1);
  assert_int_equal(op_find(NULL), -1);
  assert_null(op_get(-1));
  assert_null(op_get(OP_PUBLIC_COUNT));
  assert_string_equal(op_name(OP_leaf), "leaf");
  assert_string_equal(op_name(OP_pick), "pick");
}

static void signatures(void **state) {
  (void)state;
  const op_param *p = op_get(OP_scaled_dot_product_attention)->params;
  assert_int_equal(op_get(OP_scaled_dot_product_attention)->ninputs, 4);
  assert_int_equal(p[3].kind, PARAM_OPTIONAL_ARRAY);
  assert_true(p[4].kind == PARAM_FLOAT && p[4].none && isnan(p[4].value));
  assert_true(p[4].offset == offsetof(op_attrs, attention.scale) && p[3].input == 3);
  assert_true(p[5].kind == PARAM_BOOL && p[5].has_default && p[5].value == 0);
  p = op_get(OP_var)->params;
  assert_true(p[1].kind == PARAM_AXES && p[1].offset == offsetof(op_attrs, statistics.axes) && p[1].none);
  assert_true(p[2].kind == PARAM_FLOAT && p[2].value == 0 && p[2].offset == offsetof(op_attrs, statistics.correction));
  p = op_get(OP_eye)->params;
  assert_true(p[1].value == -1 && !p[0].has_default);
  assert_true(p[3].kind == PARAM_DTYPE && (tme_dtype)p[3].value == TME_DTYPE_NONE);
  p = op_get(OP_slice)->params;
  assert_true(p[3].kind == PARAM_PERDIM && p[3].offset == offsetof(op_attrs, view.step));
  p = op_get(OP_layer_norm)->params;
  assert_true(fabs(p[3].value - 1e-5) < 1e-20);
  assert_true(op_get(OP_svd)->params[1].value == 1 && op_get(OP_concatenate)->params[0].kind == PARAM_ARRAYS);
}

/* Attributes of any operation, the k-th of its kind. */
static op_attrs some_attrs(const op_def *d, int k) {
  op_attrs a = {0};
  for (int i = 0; i < d->nparams; i++) {
    void *v = attrs_at(&a, &d->params[i]);
    op_list list = {.n = k % (TME_MAX_RANK + 1)};
    for (int j = 0; j < list.n; j++) list.v[j] = j % 2 ? TME_NONE : k + j;
    switch (d->params[i].kind) {
    case PARAM_ARRAY:
    case PARAM_OPTIONAL_ARRAY:
    case PARAM_ARRAYS: break;
    case PARAM_AXIS:
    case PARAM_OPTIONAL_AXIS:
    case PARAM_INT: *(int64_t *)v = INT64_MAX - k; break;
    case PARAM_BOOL: *(bool *)v = k & 1; break;
    case PARAM_DTYPE: *(tme_dtype *)v = (tme_dtype)(k % (TME_DTYPE_COUNT + 1) - 1); break;
    case PARAM_CHOICE: *(int *)v = k; break;
    case PARAM_FLOAT: *(double *)v = k ? 0.5 * k : (double)NAN; break;
    case PARAM_NUMBER: *(op_number *)v = k ? number_of_int(-k) : (op_number){0}; break;
    case PARAM_AXES:
      *(op_axes *)v = k % 2 ? axes_from_mask((uint32_t)k) : (op_axes){.given = AXES_LIST, .list = list};
      break;
    case PARAM_INTS:
    case PARAM_PERDIM: *(op_list *)v = list; break;
    case PARAM_TEXT: snprintf(v, OP_TEXT, "%0*d", k % (OP_TEXT - 1) + 1, 0); break;
    }
  }
  return a;
}

/* As words and back; words that end early, or say what cannot be, are refused. */
static void attributes(void **state) {
  (void)state;
  uint64_t words[ATTRS_MOST_WORDS], again[ATTRS_MOST_WORDS];
  for (int op = 0; op < OP_PUBLIC_COUNT; op++) {
    const op_def *d = op_get(op);
    for (int k = 0; k < 40; k++) {
      op_attrs a = some_attrs(d, k), b = {0}, c = some_attrs(d, k + 1);
      int n = attrs_write(d, &a, words);
      assert_in_range(n, 0, ATTRS_MOST_WORDS);
      assert_int_equal(attrs_read(d, words, n, &b), n);
      assert_true(attrs_equal(d, &a, &b));
      assert_int_equal(attrs_write(d, &b, again), n);
      assert_memory_equal(again, words, sizeof *words * (size_t)n);
      assert_true(!n == attrs_equal(d, &a, &c));
      for (int cut = 0; cut < n; cut++) assert_int_equal(attrs_read(d, words, cut, &b), -1);
      b.max_any = true;
      attrs_copy(d, &b, &a);
      assert_true(attrs_equal(d, &a, &b));
    }
  }
  uint64_t long_list[2 + TME_MAX_RANK] = {TME_MAX_RANK + 1}, no_list[1] = {(uint64_t)-2};
  op_attrs a;
  assert_int_equal(attrs_read(op_get(OP_reshape), long_list, COUNT(long_list), &a), -1);
  assert_int_equal(attrs_read(op_get(OP_reshape), no_list, 1, &a), -1);
}

/* ---- inference ------------------------------------------------------------------------------------------------------ */

/* "f32(3,4)"; "~" in front: weak; "-": absent. Returns what follows. */
static const char *parse_type(const char *s, op_type *t, bool *absent) {
  char dtype[16];
  int n = 0;
  memset(t, 0, sizeof *t);
  *absent = *s == '-';
  if (*absent) return s + 1;
  if (*s == '~') t->weak = true, s++;
  assert_int_equal(sscanf(s, "%15[a-z0-9](%n", dtype, &n), 1);
  t->dtype = tme_dtype_parse(dtype);
  assert_int_not_equal(t->dtype, TME_DTYPE_NONE);
  for (s += n; *s != ')';) {
    char *end;
    t->shape[t->rank++] = strtoll(s, &end, 10);
    s = end + (*end == ',');
  }
  return s + 1;
}

typedef struct outcome {
  tme_status status;
  op_type out[OP_MAX_OUTPUTS];
  op_attrs attrs;
  tme_dtype cast[8];
  error e;
} outcome;

static outcome infer(int op, const char *types, op_attrs attrs) {
  op_type t[8];
  const op_type *in[8];
  outcome r = {.attrs = attrs};
  int n = 0;
  for (const char *s = types; *s; n++) {
    bool absent;
    s = parse_type(s, &t[n], &absent);
    in[n] = absent ? NULL : &t[n];
    if (*s == ' ') s++;
  }
  op_call c = {.op = op, .nin = n, .in = in, .attrs = &r.attrs, .default_float = TME_F32, .cast = r.cast};
  if (op_get(op)->family == FAMILY_elementwise) c.attrs = NULL;
  r.status = op_infer(&c, r.out, &r.e);
  if (r.status == TME_OK && c.attrs) { /* inferring again changes nothing */
    op_attrs again = r.attrs;
    op_type out[OP_MAX_OUTPUTS];
    tme_dtype cast[8];
    c.attrs = &again;
    c.cast = cast;
    assert_int_equal(op_infer(&c, out, &r.e), TME_OK);
    assert_true(attrs_equal(op_get(op), &again, &r.attrs));
    assert_memory_equal(out, r.out, sizeof *out * (size_t)op_get(op)->outputs);
  }
  return r;
}

static void expect_type(const op_type *t, const char *want, int op) {
  op_type w;
  bool absent;
  parse_type(want, &w, &absent);
  if (t->dtype != w.dtype || !type_same_shape(t, &w) || t->weak != w.weak) {
    char shape[SHAPE_TEXT];
    type_shape_text(t, shape);
    fail_msg("%s: %s%s %s, expected %s", op_name(op), t->weak ? "~" : "", tme_dtype_name(t->dtype), shape, want);
  }
}

static outcome gives(int op, const char *types, op_attrs attrs, const char *want) {
  outcome r = infer(op, types, attrs);
  if (r.status != TME_OK) fail_msg("%s %s: %s", op_name(op), types, r.e.text);
  expect_type(&r.out[0], want, op);
  return r;
}

static void refuses(int op, const char *types, op_attrs attrs, tme_status status, const char *message) {
  outcome r = infer(op, types, attrs);
  if (r.status != status || strcmp(r.e.text, message))
    fail_msg("%s %s: status %d, \"%s\", expected \"%s\"", op_name(op), types, (int)r.status, r.e.text, message);
}

#define NONE ((op_attrs){0})
#define VALUES(...)                                                                                                    \
  {                                                                                                                    \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), { __VA_ARGS__ }                                         \
  }
#define AXES(family, ...) ((op_attrs){.family = {.axes = {.given = AXES_LIST, .list = VALUES(__VA_ARGS__)}}})
#define LIST(family, field, ...) ((op_attrs){.family = {.field = VALUES(__VA_ARGS__)}})

static void promotion(void **state) {
  (void)state;
  outcome r = gives(OP_add, "f32(3,1) f64(4)", NONE, "f64(3,4)");
  assert_true(r.cast[0] == TME_F64 && r.cast[1] == TME_DTYPE_NONE);
  gives(OP_add, "f16() bf16()", NONE, "f32()");
  gives(OP_add, "i32(2) ~f32()", NONE, "f32(2)");
  r = gives(OP_add, "f16(2) ~f32()", NONE, "f16(2)");
  assert_true(r.cast[0] == TME_DTYPE_NONE && r.cast[1] == TME_F16);
  gives(OP_add, "u8(2) ~i64()", NONE, "u8(2)");
  gives(OP_add, "bool(2) ~i64()", NONE, "i64(2)");
  gives(OP_add, "~i64() ~f32()", NONE, "~f32()");
  gives(OP_add, "~i64() ~i64()", NONE, "~i64()");
  gives(OP_add, "c64(2) f64(2)", NONE, "c128(2)");
  gives(OP_multiply, "f64(2) ~c64()", NONE, "c128(2)");
  gives(OP_multiply, "i8(2) u8(2)", NONE, "i16(2)");
  gives(OP_divide, "i32(2) i32(2)", NONE, "f32(2)");
  gives(OP_exp, "i8(2)", NONE, "f32(2)");
  gives(OP_floor, "i8(2)", NONE, "i8(2)");
  gives(OP_abs, "c128(2)", NONE, "f64(2)");
  gives(OP_complex, "f32(2) f32(2)", NONE, "c64(2)");
  gives(OP_complex, "f16(2) i32(3,1)", NONE, "c64(3,2)");
  gives(OP_complex, "bf16(2) f64()", NONE, "c128(2)");
  gives(OP_complex, "bool(2) bool(2)", NONE, "c64(2)");
  refuses(OP_complex, "c64(2) f32(2)", NONE, TME_ERR_DTYPE,
          "complex: takes real numbers, not complex64, float32 (together complex64)");
  gives(OP_equal, "bool(2) i8(2)", NONE, "bool(2)");
  gives(OP_less, "bool(2) bool(2)", NONE, "bool(2)");
  r = gives(OP_logical_and, "f32(2) c64(2)", NONE, "bool(2)");
  assert_true(r.cast[0] == TME_BOOL && r.cast[1] == TME_BOOL);
  r = gives(OP_where, "i32(2,1) f32(3) ~i64()", NONE, "f32(2,3)");
  assert_true(r.cast[0] == TME_BOOL && r.cast[1] == TME_DTYPE_NONE && r.cast[2] == TME_F32);
  gives(OP_where, "bool() ~i64() ~f32()", NONE, "~f32()");
  gives(OP_bitwise_and, "bool() u16()", NONE, "u16()");
  gives(OP_clip, "i16(3) ~i64() ~f32()", NONE, "f32(3)");
  gives(OP_clip, "i16(3) - ~i64()", NONE, "i16(3)");
  gives(OP_clip, "i16(3) f64(2,1) -", NONE, "f64(2,3)");
  gives(OP_fma, "f16(2) f32() f32()", NONE, "f32(2)");
  gives(OP_add, "f32(0,3) f32(3)", NONE, "f32(0,3)");
  refuses(OP_add, "f32(3,4) f32(5)", NONE, TME_ERR_SHAPE, "add: shapes (3, 4) and (5,) do not broadcast");
  refuses(OP_add, "bool(2) bool(2)", NONE, TME_ERR_DTYPE, "add: takes numbers, not bool, bool (together bool)");
  refuses(OP_exp2, "c64(2)", NONE, TME_ERR_DTYPE, "exp2: takes real floating numbers, not complex64");
  refuses(OP_left_shift, "i32() f32()", NONE, TME_ERR_DTYPE,
          "left_shift: takes integers, not int32, float32 (together float32)");
  refuses(OP_add, "f32(2)", NONE, TME_ERR_ARGUMENT, "add(x, y): takes 2 arrays, not 1");
}

static void casts(void **state) {
  (void)state;
  gives(OP_astype, "f32(2)", (op_attrs){.cast = {TME_I8}}, "i8(2)");
  gives(OP_astype, "c64(2)", (op_attrs){.cast = {TME_BOOL}}, "bool(2)");
  refuses(OP_astype, "c64(2)", ((op_attrs){.cast = {TME_F32}}), TME_ERR_DTYPE,
          "astype: complex64 to float32 would drop the imaginary part; take real() or abs() first");
  refuses(OP_astype, "f32(2)", ((op_attrs){.cast = {99}}), TME_ERR_ARGUMENT, "astype: there is no dtype number 99");
}

static void reductions(void **state) {
  (void)state;
  outcome r = gives(OP_sum, "i8(3,4)", NONE, "i64()");
  assert_int_equal(r.cast[0], TME_I64);
  gives(OP_sum, "u8(3,4)", AXES(reduce, -1), "u64(3)");
  gives(OP_prod, "bool(3)", NONE, "i64()");
  gives(OP_sum, "f16(3)", NONE, "f16()");
  gives(OP_sum, "f32()", NONE, "f32()");
  r = gives(OP_max, "f32(3,4,5)", AXES(reduce, 2, 0), "f32(4)");
  assert_true(r.attrs.reduce.axes.mask == 5 && r.attrs.reduce.axes.given == AXES_MASK);
  op_attrs keep = AXES(reduce, 1);
  keep.reduce.keepdims = true;
  gives(OP_any, "f32(3,4)", keep, "bool(3,1)");
  gives(OP_sum, "f32(0,3)", AXES(reduce, 0), "f32(3)");
  gives(OP_max, "f32(0,3)", AXES(reduce, 1), "f32(0)");
  op_attrs empty = {.reduce = {.axes.given = AXES_LIST}};
  gives(OP_sum, "f32(3)", empty, "f32(3)");
  refuses(OP_max, "f32(0,3)", AXES(reduce, 0), TME_ERR_SHAPE, "max: axis 0 of shape (0, 3) has no elements");
  refuses(OP_argmin, "f32(0)", NONE, TME_ERR_SHAPE, "argmin: axis 0 of shape (0,) has no elements");
  refuses(OP_min, "c64(2)", NONE, TME_ERR_DTYPE, "min: takes real numbers or booleans, not complex64");
  refuses(OP_sum, "f32(3)", AXES(reduce, 1), TME_ERR_AXIS,
          "sum: axis 1 is out of range for 1 dimension (expected -1 to 0)");
  refuses(OP_sum, "f32()", AXES(reduce, 0), TME_ERR_AXIS, "sum: axis 0 is out of range: the array has no axes");
  refuses(OP_sum, "f32(3,4)", AXES(reduce, 1, -1), TME_ERR_ARGUMENT, "sum: axis -1 is given twice");
  refuses(OP_argmax, "f32(3,4)", AXES(argreduce, 0, 1), TME_ERR_ARGUMENT, "argmax: takes one axis or none, not 2");
  gives(OP_argmax, "f32(3,4)", AXES(argreduce, 0), "i64(4)");
  gives(OP_argmax, "i8(3,4)", NONE, "i64()");
  gives(OP_max, "bool(3,4)", AXES(reduce, 0), "bool(4)");
  gives(OP_argmin, "bool(3,4)", NONE, "i64()");
  gives(OP_mean, "i32(3,4)", NONE, "f32()");
  gives(OP_mean, "c64(3)", NONE, "c64()");
  refuses(OP_var, "c64(3)", NONE, TME_ERR_DTYPE, "var: takes real numbers, not complex64");
  refuses(OP_logsumexp, "c64(3)", NONE, TME_ERR_DTYPE,
          "logsumexp: takes real numbers, not complex64: complex ones have no largest one, and many logarithms");
  gives(OP_softmax, "i32(3,4)", (op_attrs){.softmax = {axis_list(-1)}}, "f32(3,4)");
  refuses(OP_softmax, "f32()", ((op_attrs){.softmax = {axis_list(-1)}}), TME_ERR_AXIS,
          "softmax: axis -1 is out of range: the array has no axes");
}

static void products(void **state) {
  (void)state;
  gives(OP_matmul, "f32(3,4) f32(4,5)", NONE, "f32(3,5)");
  gives(OP_matmul, "f32(4) f32(4)", NONE, "f32()");
  gives(OP_matmul, "f32(4) f32(2,4,5)", NONE, "f32(2,5)");
  gives(OP_matmul, "f32(7,1,3,4) f32(2,4,6)", NONE, "f32(7,2,3,6)");
  gives(OP_matmul, "f32(2,3,4) f32(4)", NONE, "f32(2,3)");
  gives(OP_matmul, "f32(3,0) f32(0,5)", NONE, "f32(3,5)");
  outcome r = gives(OP_matmul, "i8(3,4) f64(4,5)", NONE, "f64(3,5)");
  assert_int_equal(r.cast[0], TME_F64);
  refuses(OP_matmul, "f32(3,4) f32(5,6)", NONE, TME_ERR_SHAPE,
          "matmul: (3, 4) x (5, 6): inner dimensions 4 and 5 differ");
  refuses(OP_matmul, "f32(2,3,4) f32(3,4,6)", NONE, TME_ERR_SHAPE,
          "matmul: (2, 3, 4) x (3, 4, 6): the batch dimensions do not broadcast");
  refuses(OP_matmul, "f32() f32(4)", NONE, TME_ERR_SHAPE, "matmul: () x (4,): both need at least one dimension");
  refuses(OP_matmul, "bool(2,2) bool(2,2)", NONE, TME_ERR_DTYPE, "matmul: takes numbers, not bool");

  r = infer(OP_svd, "f16(5,3,4)", (op_attrs){.svd = {1}});
  expect_type(&r.out[0], "f16(5,3,3)", OP_svd);
  expect_type(&r.out[1], "f16(5,3)", OP_svd);
  expect_type(&r.out[2], "f16(5,4,4)", OP_svd);
  r = infer(OP_svd, "c64(4,3)", (op_attrs){.svd = {0}});
  expect_type(&r.out[0], "c64(4,3)", OP_svd);
  expect_type(&r.out[1], "f32(3)", OP_svd);
  expect_type(&r.out[2], "c64(3,3)", OP_svd);
  gives(OP_svdvals, "i32(4,3)", NONE, "f32(3)");
  refuses(OP_svd, "f32(4)", NONE, TME_ERR_SHAPE, "svd: takes matrices, not an array of shape (4,)");

  op_attrs none = {.attention = {.scale = NAN}}, weights = {.weights = {.scale = NAN}};
  r = gives(OP_scaled_dot_product_attention, "f32(2,8,5,16) f32(2,8,7,16) f32(2,8,7,3) -", none, "f32(2,8,5,3)");
  assert_true(fabs(r.attrs.attention.scale - 0.25) < 1e-15);
  gives(OP_scaled_dot_product_attention, "f32(2,8,5,16) f32(2,2,7,16) f32(2,2,7,3) bool(5,7)", none, "f32(2,8,5,3)");
  gives(OP_scaled_dot_product_attention, "f16(5,16) f32(7,16) f32(7,3) f16(7)", none, "f32(5,3)");
  refuses(OP_scaled_dot_product_attention, "f32(5,16) f32(7,15) f32(7,3) -", none, TME_ERR_SHAPE,
          "scaled_dot_product_attention: q (5, 16), k (7, 15), v (7, 3): the last dimensions of q and k differ");
  refuses(OP_scaled_dot_product_attention, "f32(5,16) f32(7,16) f32(7,3) f32(2,5,7)", none, TME_ERR_SHAPE,
          "scaled_dot_product_attention: the mask (2, 5, 7) does not broadcast to the scores (5, 7)");
  refuses(OP_scaled_dot_product_attention, "f32(5,16) f32(7,16) f32(7,3) i32(5,7)", none, TME_ERR_DTYPE,
          "scaled_dot_product_attention: the mask must be bool or floating, not int32");
  refuses(
      OP_scaled_dot_product_attention, "f32(3,5,16) f32(2,7,16) f32(2,7,3) -", none, TME_ERR_SHAPE,
      "scaled_dot_product_attention: q (3, 5, 16), k (2, 7, 16), v (2, 7, 3): the batch dimensions do not broadcast");
  r = gives(OP_attention_weights, "f32(2,8,5,16) f32(2,2,7,16) f16(2,1,5,7)", weights, "f32(2,8,5,7)");
  assert_true(fabs(r.attrs.weights.scale - 0.25) < 1e-15);
  refuses(OP_attention_weights, "f32(5,16) f32(7,15) -", weights, TME_ERR_SHAPE,
          "attention_weights: q (5, 16), k (7, 15): the last dimensions of q and k differ");
  refuses(OP_attention_weights, "f32(5,16) f32(7,16) bool(5,6)", weights, TME_ERR_SHAPE,
          "attention_weights: the mask (5, 6) does not broadcast to the scores (5, 7)");
  op_attrs eps = {.norm = {1e-5}};
  gives(OP_layer_norm, "f16(2,8) f32(8) -", eps, "f32(2,8)");
  refuses(OP_layer_norm, "f32(2,8) f32(7) -", eps, TME_ERR_SHAPE, "layer_norm: weight has shape (7,), expected (8,)");
  refuses(OP_rms_norm, "f32() -", eps, TME_ERR_SHAPE, "rms_norm: x needs at least one dimension");
}

static void shapes(void **state) {
  (void)state;
  outcome r = gives(OP_reshape, "f32(3,4)", LIST(view, shape, 2, -1), "f32(2,6)");
  assert_int_equal(r.attrs.view.shape.v[1], 6);
  gives(OP_reshape, "f32(0,4)", LIST(view, shape, 4, 0), "f32(4,0)");
  gives(OP_reshape, "f32(1)", (op_attrs){0}, "f32()");
  refuses(OP_reshape, "f32(3,4)", LIST(view, shape, 5, -1), TME_ERR_SHAPE,
          "reshape: (3, 4) has 12 elements, which shape (5, -1) cannot hold");
  refuses(OP_reshape, "f32(3,4)", LIST(view, shape, -1, -1), TME_ERR_ARGUMENT,
          "reshape: shape (-1, -1) leaves more than one extent open");
  refuses(OP_reshape, "f32(3,4)", LIST(view, shape, -3, -4), TME_ERR_ARGUMENT,
          "reshape: dimension -3 in shape (-3, -4) is negative");
  refuses(OP_reshape, "f32(3,4)", LIST(view, shape, INT64_MAX, 12), TME_ERR_SHAPE,
          "reshape: (3, 4) has 12 elements, which shape (9223372036854775807, 12) cannot hold");
  refuses(OP_reshape, "f32(2)", ((op_attrs){.view = {.shape = {TME_MAX_RANK + 1, {1}}}}), TME_ERR_ARGUMENT,
          "reshape: 17 dimensions, more than the 16 supported");
  gives(OP_transpose, "f32(3,4,5)", (op_attrs){.view = {.axes.n = -1}}, "f32(5,4,3)");
  r = gives(OP_transpose, "f32(3,4,5)", LIST(view, axes, 0, -1, 1), "f32(3,5,4)");
  assert_int_equal(r.attrs.view.axes.v[1], 2);
  refuses(OP_transpose, "f32(3,4)", LIST(view, axes, 0, 0), TME_ERR_ARGUMENT,
          "transpose: axis 0 is given twice for 2 dimensions");
  refuses(OP_transpose, "f32(3,4)", LIST(view, axes, 0), TME_ERR_ARGUMENT,
          "transpose: 1 axis for an array of 2 dimensions");
  gives(OP_broadcast_to, "f32(3,1)", LIST(view, shape, 2, 3, 4), "f32(2,3,4)");
  refuses(OP_broadcast_to, "f32(3)", LIST(view, shape, 4, 5), TME_ERR_SHAPE,
          "broadcast_to: shape (3,) does not broadcast to (4, 5)");
  refuses(OP_broadcast_to, "f32()", LIST(view, shape, (int64_t)1 << 40, (int64_t)1 << 40), TME_ERR_MEMORY,
          "broadcast_to: shape (1099511627776, 1099511627776) of float32 has more bytes than can be addressed");
  r = gives(OP_squeeze, "f32(1,3,1)", NONE, "f32(3)");
  assert_int_equal(r.attrs.dims.axes.mask, 5);
  gives(OP_squeeze, "f32(1,3,1)", AXES(dims, -1), "f32(1,3)");
  gives(OP_squeeze, "f32(3)", NONE, "f32(3)");
  refuses(OP_squeeze, "f32(1,3)", AXES(dims, 1), TME_ERR_SHAPE,
          "squeeze: axis 1 of shape (1, 3) has extent 3, expected 1");
  gives(OP_expand_dims, "f32(3)", (op_attrs){.dims = {.axes = axis_list(-1)}}, "f32(3,1)");
  refuses(OP_expand_dims, "f32(3)", ((op_attrs){.dims = {.axes = axis_list(2)}}), TME_ERR_AXIS,
          "expand_dims: axis 2 is out of range for 2 dimensions (expected -2 to 1)");
  gives(OP_flip, "f32(3,4)", NONE, "f32(3,4)");
  op_attrs pad = {.view = {.before = {2, {1, 2}}, .after = {2, {0, 3}}}};
  gives(OP_pad, "f32(3,4)", pad, "f32(4,9)");
  pad.view.before.v[0] = -1;
  refuses(OP_pad, "f32(3,4)", pad, TME_ERR_ARGUMENT, "pad: -1 elements before dimension 0, expected 0 or more");
  gives(OP_concatenate, "f32(3,4) f64(2,4)", (op_attrs){.concatenate = {0}}, "f64(5,4)");
  refuses(OP_concatenate, "f32(3,4) f64(2,5)", ((op_attrs){.concatenate = {0}}), TME_ERR_SHAPE,
          "concatenate: array 1 of shape (2, 5) does not fit (3, 4) along axis 0");
  gives(OP_stack, "f32() f32() i8()", (op_attrs){.stack = {0}}, "f32(3)");
  gives(OP_stack, "f32(2,3) f32(2,3)", (op_attrs){.stack = {-1}}, "f32(2,3,2)");
  gives(OP_take, "f32(5,6,7) u8(2,3)", (op_attrs){.take = {1}}, "f32(5,2,3,7)");
  gives(OP_take, "f32(5,6) i64()", (op_attrs){.take = {-1}}, "f32(5)");
  refuses(OP_take, "f32(5) f32(2)", ((op_attrs){.take = {0}}), TME_ERR_DTYPE,
          "take: indices must be integers, not float32");
}

/* One slice of range(n) against Python's rules, computed the slow way. */
static void check_slice(int64_t n, int64_t start, int64_t stop, int64_t step) {
  char type[32];
  snprintf(type, sizeof type, "f32(%lld)", (long long)n);
  op_attrs a = {.view = {.start = {1, {start}}, .stop = {1, {stop}}, .step = {1, {step}}}};
  outcome r = infer(OP_slice, type, a);
  assert_int_equal(r.status, TME_OK);
  int64_t by = step == TME_NONE ? 1 : step, want[16], count = 0;
  int64_t from = start == TME_NONE ? (by > 0 ? 0 : n - 1) : start < 0 ? start + n : start;
  int64_t to = stop == TME_NONE ? (by > 0 ? n : -1) : stop < 0 ? stop + n : stop;
  int64_t lo = by > 0 ? 0 : -1, hi = by > 0 ? n : n - 1;
  from = from < lo ? lo : from > hi ? hi : from;
  to = to < lo ? lo : to > hi ? hi : to;
  for (int64_t i = from; by > 0 ? i < to : i > to; i += by) want[count++] = i;
  assert_int_equal(r.out[0].shape[0], count);
  const view_attrs *found = &r.attrs.view;
  for (int64_t i = 0; i < count; i++) assert_int_equal(found->start.v[0] + i * found->step.v[0], want[i]);
}

static void slices(void **state) {
  (void)state;
  static const int64_t bounds[] = {TME_NONE, -9, -4, -3, -2, -1, 0, 1, 2, 3, 4, 9};
  static const int64_t steps[] = {TME_NONE, 1, 2, 3, 7, -1, -2, -3, -7};
  for (int64_t n = 0; n < 5; n++)
    for (int i = 0; i < COUNT(bounds); i++)
      for (int j = 0; j < COUNT(bounds); j++)
        for (int k = 0; k < COUNT(steps); k++) check_slice(n, bounds[i], bounds[j], steps[k]);
  op_attrs far = {.view = {.start = {1, {INT64_MAX}}, .stop = {1, {INT64_MIN + 1}}, .step = {1, {INT64_MIN + 1}}}};
  op_attrs still = {.view = {.start.n = -1, .stop.n = -1, .step = {1, {0}}}};
  op_attrs two = {.view = {.start = {2, {0}}, .stop.n = -1, .step.n = -1}};
  gives(OP_slice, "f32(4)", far, "f32(1)");
  refuses(OP_slice, "f32(4)", still, TME_ERR_ARGUMENT, "slice: the step of dimension 0 is 0");
  refuses(OP_slice, "f32(4)", two, TME_ERR_ARGUMENT, "slice: 2 entries for an array of 1 dimension");
}

static op_number given(double v) { return isnan(v) ? (op_number){0} : number_of_double(v); }

static op_attrs numbers(double a, double b, double c, tme_dtype t) {
  return (op_attrs){.create = {.start = given(a), .stop = given(b), .step = given(c), .dtype = t}};
}

static void creation(void **state) {
  (void)state;
  op_attrs shape = LIST(create, shape, 3, 2);
  shape.create.dtype = TME_DTYPE_NONE;
  gives(OP_zeros, "", shape, "f32(3,2)");
  shape.create.dtype = TME_I8;
  gives(OP_full, "", shape, "i8(3,2)");
  shape.create.shape.v[0] = -3;
  refuses(OP_zeros, "", shape, TME_ERR_ARGUMENT, "zeros: dimension -3 in shape (-3, 2) is negative");
  shape.create.shape.v[0] = INT64_MAX;
  refuses(OP_ones, "", shape, TME_ERR_MEMORY,
          "ones: shape (9223372036854775807, 2) of int8 has more bytes than can be addressed");
  gives(OP_arange, "", numbers(5, NAN, 1, TME_DTYPE_NONE), "i64(5)");
  gives(OP_arange, "", numbers(5, 0, -2, TME_DTYPE_NONE), "i64(3)");
  gives(OP_arange, "", numbers(0, 1, 0.1, TME_DTYPE_NONE), "f32(10)");
  gives(OP_arange, "", numbers(5, 2, 1, TME_DTYPE_NONE), "i64(0)");
  gives(OP_arange, "", numbers(0x1p60, 0x1p60 + 0x1p20, 0x1p10, TME_F64), "f64(1024)");
  refuses(OP_arange, "", numbers(0, 1, 0, TME_DTYPE_NONE), TME_ERR_ARGUMENT,
          "arange: start 0, stop 1, step 0: expected finite numbers and a step other than 0");
  refuses(OP_arange, "", numbers(0, 1e300, 1, TME_F64), TME_ERR_MEMORY,
          "arange: start 0, stop 1e+300, step 1: more elements than can be addressed");
  refuses(OP_arange, "", numbers(0, 3, 0.5, TME_I32), TME_ERR_ARGUMENT,
          "arange: start 0, stop 3, step 0.5: expected whole numbers for int32");
  refuses(OP_arange, "", numbers(0, 3, 1, TME_BOOL), TME_ERR_DTYPE, "arange: makes real numbers, not bool");
  op_attrs line = {.create = {.stop = number_of_int(1), .num = 7, .endpoint = true, .dtype = TME_DTYPE_NONE}};
  gives(OP_linspace, "", line, "f32(7)");
  line.create.num = -1;
  refuses(OP_linspace, "", line, TME_ERR_ARGUMENT, "linspace: num is -1, expected 0 or more");
  gives(OP_eye, "", (op_attrs){.create = {.rows = 3, .columns = -1, .k = 0, .dtype = TME_DTYPE_NONE}}, "f32(3,3)");
  gives(OP_eye, "", (op_attrs){.create = {.rows = 3, .columns = 4, .k = INT64_MIN, .dtype = TME_BOOL}}, "bool(3,4)");
  refuses(OP_eye, "", ((op_attrs){.create = {.rows = -2, .columns = -1, .k = 0, .dtype = TME_DTYPE_NONE}}),
          TME_ERR_ARGUMENT, "eye: -2 rows and -2 columns, expected 0 or more");
}

static void literals(void **state) {
  (void)state;
  for (int t = 0; t < TME_DTYPE_COUNT; t++) {
    uint64_t bits[2];
    double v[2];
    literal_bits((tme_dtype)t, 1, bits);
    literal_value((tme_dtype)t, bits, v);
    assert_true(v[0] == 1 && v[1] == 0);
    if (!dtype_is_signed((tme_dtype)t)) continue;
    literal_bits((tme_dtype)t, -3, bits);
    literal_value((tme_dtype)t, bits, v);
    assert_true(v[0] == -3);
  }
  static const struct {
    tme_dtype t;
    double v;
    uint64_t bits;
  } rows[] = {
      {TME_I8, 300, 127},          {TME_I8, -300, 128},        {TME_U8, -1, 0},
      {TME_U8, 256, 255},          {TME_I64, 1e30, INT64_MAX}, {TME_I64, -1e30, (uint64_t)1 << 63},
      {TME_U64, 1e30, UINT64_MAX}, {TME_I32, (double)NAN, 0},  {TME_F16, 1, 0x3c00},
      {TME_BF16, 1, 0x3f80},       {TME_F32, -2, 0xc0000000},  {TME_BOOL, 0.5, 1},
  };
  for (int i = 0; i < COUNT(rows); i++) {
    uint64_t bits[2];
    literal_bits(rows[i].t, rows[i].v, bits);
    assert_int_equal(bits[0], rows[i].bits);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table),  cmocka_unit_test(signatures), cmocka_unit_test(attributes), cmocka_unit_test(promotion),
      cmocka_unit_test(casts),  cmocka_unit_test(reductions), cmocka_unit_test(products),   cmocka_unit_test(shapes),
      cmocka_unit_test(slices), cmocka_unit_test(creation),   cmocka_unit_test(literals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
