/* Indexing: random indices against the rules element by element, views, what is computed when, errors, no memory. */
#include "array/scope.h"
#include "support/arrays.h"
#include "support/engines.h"
#include "support/index_model.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SLICE(a, b, c) ((tme_index){TME_INDEX_SLICE, a, b, c, NULL})
#define WHOLE SLICE(TME_NONE, TME_NONE, TME_NONE)
#define AT(i) ((tme_index){.kind = TME_INDEX_INT, .start = i})
#define NEW_AXIS ((tme_index){.kind = TME_INDEX_NEW_AXIS})
#define ELLIPSIS ((tme_index){.kind = TME_INDEX_ELLIPSIS})
#define BY(a) ((tme_index){.kind = TME_INDEX_ARRAY, .array = a})
#define PUT(s, x, values, mode, ...)                                                                                   \
  tme_put(s, x, (tme_index[]){__VA_ARGS__}, COUNT(((tme_index[]){__VA_ARGS__})), values, TME_PUT_##mode)
#define GET(s, x, ...) tme_get(s, x, (tme_index[]){__VA_ARGS__}, COUNT(((tme_index[]){__VA_ARGS__})))

static tme_array *ints(tme_scope *s, int64_t n, const int64_t *v) { return tme_from(s, TME_I64, 1, &n, v); }

/* Numbers that count from 0. */
static tme_array *numbered(tme_scope *s, int rank, const int64_t *shape) {
  int64_t n = 1;
  for (int d = 0; d < rank; d++) n *= shape[d];
  return tme_reshape(s, tme_arange(s, 0, (double)n, 1, TME_I32), shape, rank);
}

static void assert_elements(tme_scope *s, tme_array *a, const int32_t *want, int64_t n) {
  const int32_t *got = tme_data(s, a);
  assert_string_equal(tme_error(s), "");
  assert_non_null(got);
  assert_int_equal(tme_array_size(a), n);
  for (int64_t i = 0; i < n; i++) assert_int_equal(got[i], want[i]);
}

static void assert_shape(const tme_array *a, int rank, const int64_t *shape) {
  assert_non_null(a);
  assert_int_equal(tme_array_rank(a), rank);
  for (int d = 0; d < rank; d++) assert_int_equal(tme_array_shape(a)[d], shape[d]);
}

/* How many random cases are to be tried. */
static int cases(int full) {
  const char *share = getenv("TME_MATRIX");
  return share && !strcmp(share, "full") ? full : full / 10;
}

typedef struct attempt {
  model_index index;
  model_result want;
  bool accepted;
  int rank;
  int64_t shape[8], size;
} attempt;

static void attempt_random(attempt *t, uint64_t *seed) {
  t->rank = (int)(random_bits(seed) % 6);
  t->size = 1;
  for (int d = 0; d < t->rank; d++)
    t->size *= t->shape[d] = (int64_t)(random_bits(seed) % 20 ? 1 + random_bits(seed) % 4 : 0);
  model_random(&t->index, t->rank, t->shape, seed);
  t->accepted = model_apply(&t->index, t->rank, t->shape, &t->want);
}

static void attempt_fail(const attempt *t, const char *what, const char *backend, const char *why) {
  char source[2000] = "", shape[200] = "";
  for (int d = 0; d < t->rank; d++)
    snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%lld,", (long long)t->shape[d]);
  model_text(&t->index, source, sizeof source);
  fail_msg("%s: %s: (%s)%s %s", backend, what, shape, source, why);
}

/* Read by tme_get as the rules say, of computed arrays and of those that are not. */
static void reads_by_the_rules(void **state) {
  (void)state;
  static const struct {
    const char *backend;
    int cases;
  } runs[] = {{"reference", 40000}, {"cpu", 1000}};
  for (int b = 0; b < COUNT(runs); b++) {
    tme_engine *e = test_engine(runs[b].backend);
    uint64_t seed = 7;
    int refused = 0;
    for (int k = 0; k < cases(runs[b].cases); k++) {
      attempt t;
      attempt_random(&t, &seed);
      tme_scope *s = tme_scope_new(e);
      tme_array *x = numbered(s, t.rank, t.shape);
      if (k % 3) assert_int_equal(tme_eval(s, x), TME_OK);
      tme_index ix[MODEL_ENTRIES];
      model_entries(s, &t.index, ix);
      int before = s->n;
      tme_array *y = tme_get(s, x, ix, t.index.n);
      if (s->n != before + (y != NULL)) attempt_fail(&t, "left something in the scope", runs[b].backend, "");
      const int32_t *got = y ? tme_data(s, y) : NULL;
      bool may_fail = !t.accepted || !t.want.size;
      if (!got && (!may_fail || tme_error_code(s) == TME_OK))
        attempt_fail(&t, "refused", runs[b].backend, tme_error(s));
      if (got && !t.accepted) attempt_fail(&t, "not refused", runs[b].backend, "");
      refused += !got;
      if (got) {
        bool right = tme_array_rank(y) == t.want.rank && tme_array_dtype(y) == TME_I32;
        for (int d = 0; right && d < t.want.rank; d++) right = tme_array_shape(y)[d] == t.want.shape[d];
        for (int64_t i = 0; right && i < t.want.size && i < MODEL_ELEMENTS; i++) right = got[i] == t.want.from[i];
        if (!right) attempt_fail(&t, "wrong", runs[b].backend, "");
      }
      tme_scope_free(s);
    }
    if (!b) assert_true(refused > cases(runs[b].cases) / 20);
    tme_engine_free(e);
  }
}

typedef struct operands {
  int rank;
  int64_t shape[2 * TME_MAX_RANK];
  int32_t elements[MODEL_ELEMENTS];
  bool fits;
} operands;

/* Values that broadcast to the result, or do not. */
static void random_values(const model_result *to, operands *v, uint64_t *seed) {
  int left_out = random_bits(seed) % 3 ? 0 : (int)(random_bits(seed) % (uint64_t)(to->rank + 1)),
      more = random_bits(seed) % 8 == 0;
  v->rank = to->rank - left_out;
  v->fits = true;
  int64_t size = 1;
  for (int d = 0; d < v->rank; d++) {
    int64_t n = to->shape[left_out + d];
    v->shape[d] = random_bits(seed) % 5 ? n : 1;
    if (random_bits(seed) % 30 == 0) {
      v->fits = false;
      v->shape[d] = n < 2 ? 3 : n + 1;
    }
    size *= v->shape[d];
  }
  for (int d = v->rank; more && d > 0; d--) v->shape[d] = v->shape[d - 1];
  if (more) v->shape[0] = 1, v->rank++;
  for (int64_t i = 0; i < size && i < MODEL_ELEMENTS; i++) v->elements[i] = (int32_t)(random_bits(seed) % 100) - 50;
}

/* The value for element i of the result. */
static int32_t value_at(const model_result *to, const operands *v, int64_t i) {
  int64_t number = 0, step = 1;
  for (int d = to->rank - 1, k = v->rank - 1; d >= 0 && k >= 0; i /= to->shape[d--], k--) {
    number += (v->shape[k] == 1 ? 0 : i % to->shape[d]) * step;
    step *= v->shape[k];
  }
  return v->elements[number];
}

static int32_t put_one(tme_put_mode mode, int32_t old, int32_t v) {
  switch (mode) {
  case TME_PUT_ADD: return old + v;
  case TME_PUT_MULTIPLY: return (int32_t)((uint32_t)old * (uint32_t)v);
  case TME_PUT_MIN: return v < old ? v : old;
  case TME_PUT_MAX: return v > old ? v : old;
  default: return v;
  }
}

/* Element e, after the values in their order. */
static int32_t after_put(const attempt *t, const operands *v, tme_put_mode mode, int64_t e) {
  int32_t x = (int32_t)e;
  for (int64_t i = 0; i < t->want.size; i++)
    if (t->want.from[i] == e) x = put_one(mode, x, value_at(&t->want, v, i));
  return x;
}

/* Written by tme_put as the rules say, in all modes. */
static void writes_by_the_rules(void **state) {
  (void)state;
  static const struct {
    const char *backend;
    int cases;
  } runs[] = {{"reference", 40000}, {"cpu", 1000}};
  for (int b = 0; b < COUNT(runs); b++) {
    tme_engine *e = test_engine(runs[b].backend);
    uint64_t seed = 8;
    int refused = 0, wrong_values = 0;
    for (int k = 0; k < cases(runs[b].cases); k++) {
      attempt t;
      operands v;
      attempt_random(&t, &seed);
      if (t.accepted && t.want.size > MODEL_ELEMENTS) continue;
      if (!t.accepted) t.want.rank = 0;
      random_values(&t.want, &v, &seed);
      tme_put_mode mode = (tme_put_mode)(random_bits(&seed) % 5);
      tme_scope *s = tme_scope_new(e);
      tme_array *x = numbered(s, t.rank, t.shape), *values = tme_from(s, TME_I32, v.rank, v.shape, v.elements);
      if (!v.rank && k % 2) values = tme_integer(s, v.elements[0]);
      if (k % 3) assert_int_equal(tme_eval(s, x), TME_OK);
      tme_index ix[MODEL_ENTRIES];
      model_entries(s, &t.index, ix);
      int before = s->n;
      tme_array *y = tme_put(s, x, ix, t.index.n, values, mode);
      if (s->n != before + (y != NULL)) attempt_fail(&t, "left something in the scope", runs[b].backend, "");
      const int32_t *got = y ? tme_data(s, y) : NULL;
      bool may_fail = !t.accepted || !t.want.size || !v.fits;
      if (!got && (!may_fail || tme_error_code(s) == TME_OK))
        attempt_fail(&t, "refused", runs[b].backend, tme_error(s));
      if (got && (!t.accepted || !v.fits)) attempt_fail(&t, "not refused", runs[b].backend, "");
      refused += !got;
      if (t.accepted && !v.fits && t.want.size) {
        wrong_values++;
        test_error(s, TME_ERR_SHAPE, "do not broadcast");
      }
      if (got) {
        bool right = tme_array_rank(y) == t.rank && tme_array_dtype(y) == TME_I32;
        for (int d = 0; right && d < t.rank; d++) right = tme_array_shape(y)[d] == t.shape[d];
        for (int64_t i = 0; right && i < t.size; i++) right = got[i] == after_put(&t, &v, mode, i);
        if (!right) attempt_fail(&t, "wrong", runs[b].backend, "");
      }
      tme_scope_free(s);
    }
    if (!b) assert_true(refused > cases(runs[b].cases) / 20 && wrong_values > cases(runs[b].cases) / 100);
    tme_engine_free(e);
  }
}

/* Of a computed array its buffer is shared, by one node; the same array where nothing is cut off. */
static void slices_are_views(void **state) {
  (void)state;
  tme_engine *e = test_engine("nojit");
  tme_scope *s = tme_scope_new(e);
  tme_array *x = numbered(s, 3, (int64_t[]){4, 5, 6});
  const char *data = tme_data(s, x);
  long live = mem_live();
  tme_array *y = GET(s, x, AT(-1));
  assert_true(mem_live() <= live + 1);
  assert_shape(y, 2, (int64_t[]){5, 6});
  assert_true((const char *)tme_data(s, y) == data + (size_t)3 * 30 * sizeof(int32_t));
  y = GET(s, x, AT(1), NEW_AXIS, SLICE(2, 4, TME_NONE), ELLIPSIS, AT(3));
  assert_true(tme_has_value(y));
  assert_shape(y, 2, (int64_t[]){1, 2});
  assert_elements(s, y, (int32_t[]){45, 51}, 2);
  y = GET(s, x, SLICE(TME_NONE, TME_NONE, -3), AT(0), SLICE(TME_NONE, 1, -2));
  assert_true(tme_has_value(y));
  assert_elements(s, y, (int32_t[]){95, 93, 5, 3}, 4);
  assert_ptr_equal(GET(s, x, WHOLE, ELLIPSIS), x);
  assert_ptr_equal(tme_get(s, x, NULL, 0), x);
  tme_array *n = tme_number(s, 2);
  assert_ptr_equal(tme_get(s, n, NULL, 0), n);
  y = tme_add(s, GET(s, n, NEW_AXIS, NEW_AXIS), x);
  assert_int_equal(tme_array_rank(y), 3);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* Numbers in arrays are found when they are used, or at once where they are known. */
static void numbers_out_of_range(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  tme_array *x = numbered(s, 2, (int64_t[]){3, 5}), *zero = tme_zeros(s, (int64_t[]){2}, 1, TME_I64);
  assert_null(GET(s, x, WHOLE, AT(7)));
  test_error(s, TME_ERR_INDEX, "index 7 is out of bounds for axis 1 with size 5");
  assert_null(GET(s, x, ELLIPSIS, BY(ints(s, 2, (int64_t[]){4, -6}))));
  test_error(s, TME_ERR_INDEX, "index -6 is out of bounds for axis 1 with size 5");
  assert_null(GET(s, x, BY(tme_from(s, TME_U64, 0, NULL, &(uint64_t){UINT64_MAX}))));
  test_error(s, TME_ERR_INDEX, "index 18446744073709551615 is out of bounds for axis 0 with size 3");
  tme_array *late = tme_add(s, zero, tme_integer(s, 5));
  tme_array *y = GET(s, x, WHOLE, BY(late)), *z = GET(s, x, BY(zero), BY(late));
  assert_non_null(y);
  assert_non_null(z);
  assert_int_equal(tme_eval(s, y), TME_ERR_INDEX);
  test_error(s, TME_ERR_INDEX, "index 5 at position 0 is out of range");
  assert_int_equal(tme_eval(s, z), TME_ERR_INDEX);
  test_error(s, TME_ERR_INDEX, "index 5 at position 0 is out of range");
  tme_scope_free(s);
  tme_engine_free(e);
}

static void refusals(void **state) {
  (void)state;
  tme_engine *e = test_engine("nojit"), *other = test_engine("nojit");
  tme_scope *s = tme_scope_new(e), *o = tme_scope_new(other);
  tme_array *x = numbered(s, 2, (int64_t[]){3, 5});
  tme_array *mask = tme_greater(s, GET(s, x, WHOLE, AT(0)), tme_integer(s, 3)), *two = ints(s, 2, (int64_t[]){0, 1});
  tme_index many[65];
  for (int i = 0; i < COUNT(many); i++) many[i] = NEW_AXIS;
#define REFUSED(call, code, words)                                                                                     \
  assert_null(call);                                                                                                   \
  test_error(s, code, words)
  REFUSED(GET(s, x, AT(0), WHOLE, AT(0)), TME_ERR_INDEX,
          "too many indices for array: array is 2-dimensional, but 3 were indexed");
  REFUSED(GET(s, x, AT(-4)), TME_ERR_INDEX, "index -4 is out of bounds for axis 0 with size 3");
  REFUSED(GET(s, x, ELLIPSIS, AT(0), ELLIPSIS), TME_ERR_INDEX, "a single ellipsis");
  REFUSED(GET(s, x, SLICE(0, 1, 0)), TME_ERR_ARGUMENT, "step cannot be zero");
  REFUSED(
      GET(s, x, WHOLE, BY(mask)), TME_ERR_INDEX,
      "boolean index did not match indexed array along axis 1; size of axis is 5 but size of corresponding boolean axis is 3");
  REFUSED(GET(s, x, BY(two), BY(ints(s, 3, (int64_t[]){0, 1, 2}))), TME_ERR_INDEX,
          "broadcast together with shapes (2,) (3,)");
  REFUSED(GET(s, x, BY(tme_ones(s, NULL, 0, TME_F32))), TME_ERR_DTYPE, "integers or booleans, not float32");
  REFUSED(GET(s, x, BY(NULL)), TME_ERR_ARGUMENT, "the array is NULL");
  REFUSED(GET(s, NULL, AT(0)), TME_ERR_ARGUMENT, "the array is NULL");
  REFUSED(GET(s, x, BY(tme_ones(o, NULL, 0, TME_I64))), TME_ERR_ARGUMENT, "another engine");
  REFUSED(GET(s, tme_ones(o, NULL, 0, TME_I64), NEW_AXIS), TME_ERR_ARGUMENT, "another engine");
  REFUSED(GET(s, x, ((tme_index){.kind = (tme_index_kind)17})), TME_ERR_ARGUMENT, "no kind number 17");
  REFUSED(tme_get(s, x, NULL, 2), TME_ERR_ARGUMENT, "missing");
  REFUSED(tme_get(s, x, many, -1), TME_ERR_ARGUMENT, "missing");
  REFUSED(tme_get(s, x, many, COUNT(many)), TME_ERR_INDEX, "65, at most 64");
  REFUSED(tme_get(s, x, many, 15), TME_ERR_SHAPE, "17 dimensions, more than the 16 supported");
#undef REFUSED
  assert_null(tme_get(NULL, x, many, 1));
  tme_scope_free(o);
  tme_scope_free(s);
  tme_engine_free(other);
  tme_engine_free(e);
}

/* Sixteen axes, and as many elements as can be counted. */
static void limits(void **state) {
  (void)state;
  tme_engine *e = test_engine("nojit");
  tme_scope *s = tme_scope_new(e);
  int64_t twos[TME_MAX_RANK], ones[TME_MAX_RANK];
  tme_index ix[TME_MAX_RANK + 1];
  for (int d = 0; d < TME_MAX_RANK; d++) twos[d] = 2, ones[d] = 1;
  tme_array *x = numbered(s, TME_MAX_RANK, twos), *last = ints(s, 1, (int64_t[]){-1});
  for (int d = 0; d < TME_MAX_RANK; d++) ix[d] = d % 2 ? AT(1) : BY(last);
  assert_elements(s, tme_get(s, x, ix, TME_MAX_RANK), (int32_t[]){65535}, 1);
  for (int d = 0; d < TME_MAX_RANK; d++) ix[d] = d % 3 ? BY(last) : SLICE(TME_NONE, 1, TME_NONE);
  tme_array *y = tme_get(s, x, ix, TME_MAX_RANK);
  assert_elements(s, y, (int32_t[]){65535 - 0x8000 - 0x1000 - 0x200 - 0x40 - 8 - 1}, 1);
  ix[TME_MAX_RANK] = BY(tme_boolean(s, true));
  assert_shape(tme_get(s, x, ix, TME_MAX_RANK + 1), 7, ones);
  assert_null(GET(s, x, BY(tme_boolean(s, true))));
  test_error(s, TME_ERR_SHAPE, "17 dimensions");
  tme_array *mask = tme_less(s, x, tme_integer(s, 2));
  assert_elements(s, GET(s, x, BY(mask)), (int32_t[]){0, 1}, 2);
  /* A number repeated 2^60 times: a few of them, and more than there can be. */
  int64_t huge[] = {1 << 20, 1 << 20, 1 << 20};
  tme_array *wide = tme_broadcast_to(s, tme_from(s, TME_I32, 0, NULL, &(int32_t){5}), huge, 3);
  y = GET(s, wide, SLICE(TME_NONE, 1, TME_NONE), BY(last), BY(last));
  assert_elements(s, y, (int32_t[]){5}, 1);
  tme_array *most = tme_broadcast_to(s, last, (int64_t[]){1 << 20, 1 << 20}, 2);
  assert_null(GET(s, wide, BY(most)));
  test_error(s, TME_ERR_MEMORY, "more bytes than can be addressed");
  /* No elements, along axes of many. */
  tme_array *none = tme_zeros(s, (int64_t[]){1 << 30, 0, 1 << 30}, 3, TME_I32);
  assert_shape(GET(s, none, BY(last), WHOLE, BY(last)), 2, (int64_t[]){1, 0});
  assert_shape(GET(s, none, SLICE(1, TME_NONE, 2), NEW_AXIS, WHOLE, AT(-1)), 3, (int64_t[]){(1 << 29), 1, 0});
  tme_scope_free(s);
  tme_engine_free(e);
}

static void puts_refused(void **state) {
  (void)state;
  tme_engine *e = test_engine("nojit"), *other = test_engine("nojit");
  tme_scope *s = tme_scope_new(e), *o = tme_scope_new(other);
  tme_array *x = numbered(s, 2, (int64_t[]){3, 5}), *v = ints(s, 2, (int64_t[]){1, 2}), *one = tme_integer(s, 1);
  tme_array *mask = tme_greater(s, x, tme_integer(s, 11)), *small = tme_astype(s, x, TME_U8);
  assert_null(PUT(s, x, v, SET, AT(0)));
  test_error(s, TME_ERR_SHAPE, "put: values of shape (2,) do not broadcast to shape (5,), which the index gives");
  assert_null(PUT(s, x, v, SET, BY(mask)));
  test_error(s, TME_ERR_SHAPE, "put: values of shape (2,) do not broadcast to shape (3,)");
  assert_null(PUT(s, x, tme_ones(s, (int64_t[]){2, 1, 5}, 3, TME_I32), SET, AT(0)));
  test_error(s, TME_ERR_SHAPE, "(2, 1, 5)");
  assert_null(PUT(s, x, one, SET, AT(3)));
  test_error(s, TME_ERR_INDEX, "index 3 is out of bounds for axis 0 with size 3");
  assert_null(PUT(s, small, tme_integer(s, 300), ADD, AT(0)));
  test_error(s, TME_ERR_ARGUMENT, "put: 300 does not fit in uint8");
  assert_null(PUT(s, small, tme_number(s, 2.5), SET, BY(mask)));
  test_error(s, TME_ERR_ARGUMENT, "put: 2.5 does not fit in uint8");
  assert_null(PUT(s, x, tme_untyped(s, tme_from(s, TME_C128, 0, NULL, (double[]){1, 2})), SET, AT(0)));
  test_error(s, TME_ERR_DTYPE, "put: values of complex128 do not go into int32");
  assert_null(PUT(s, x, NULL, SET, AT(0)));
  test_error(s, TME_ERR_ARGUMENT, "put: the values are NULL");
  assert_null(PUT(s, NULL, one, SET, AT(0)));
  test_error(s, TME_ERR_ARGUMENT, "the array is NULL");
  assert_null(PUT(s, x, tme_integer(o, 1), SET, AT(0)));
  test_error(s, TME_ERR_ARGUMENT, "another engine");
  assert_null(tme_put(s, x, (tme_index[]){AT(0)}, 1, one, (tme_put_mode)5));
  test_error(s, TME_ERR_ARGUMENT, "no such mode");
  assert_null(tme_put(NULL, x, NULL, 0, one, TME_PUT_SET));
  tme_scope_free(o);
  tme_scope_free(s);
  tme_engine_free(other);
  tme_engine_free(e);
}

/* The dtype stays, whatever the values are. */
static void values_are_converted(void **state) {
  (void)state;
  tme_engine *e = test_engine("nojit");
  tme_scope *s = tme_scope_new(e);
  tme_array *x = test_vector(s, 4, 0);
  test_equal(s, PUT(s, x, ints(s, 2, (int64_t[]){7, 8}), SET, SLICE(1, 3, TME_NONE)), (float[]){0, 7, 8, 3}, 4);
  test_equal(s, PUT(s, x, tme_number(s, 0.5), MULTIPLY, BY(ints(s, 2, (int64_t[]){-1, 1}))),
             (float[]){0, 0.5f, 2, 1.5f}, 4);
  test_equal(s, PUT(s, x, tme_integer(s, 9), SET, ELLIPSIS), (float[]){9, 9, 9, 9}, 4);
  test_equal(s,
             PUT(s, x, tme_from(s, TME_F64, 0, NULL, &(double){2.25}), MIN, BY(tme_greater(s, x, tme_integer(s, 1)))),
             (float[]){0, 1, 2, 2.25f}, 4);
  tme_array *b = tme_greater(s, x, tme_integer(s, 1));
  tme_array *y = PUT(s, b, tme_integer(s, 3), SET, AT(0));
  assert_int_equal(tme_array_dtype(y), TME_BOOL);
  assert_true(*(const bool *)tme_data(s, y));
  for (int mode = TME_PUT_ADD; mode <= TME_PUT_MAX; mode++) { /* of bools, whichever way they are put */
    tme_array *two = ints(s, 2, (int64_t[]){1, 2}), *no = tme_boolean(s, false);
    tme_array *a = tme_put(s, b, (tme_index[]){BY(two)}, 1, no, (tme_put_mode)mode);
    tme_array *c = tme_put(s, b, (tme_index[]){SLICE(1, 3, TME_NONE)}, 1, no, (tme_put_mode)mode);
    assert_memory_equal(tme_data(s, a), tme_data(s, c), 4);
    assert_int_equal(((const bool *)tme_data(s, a))[2], mode == TME_PUT_ADD || mode == TME_PUT_MAX);
  }
  y = PUT(s, numbered(s, 1, (int64_t[]){2}), tme_from(s, TME_F32, 0, NULL, &(float){2.75f}), SET, AT(1));
  assert_elements(s, y, (int32_t[]){0, 2}, 2);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* Traced: nothing is evaluated, and masks need to be. */
static void in_functions(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  tme_array *x = tme_input(s, TME_I32, 2, (int64_t[]){3, 4}), *i = tme_input(s, TME_I64, 1, (int64_t[]){2});
  tme_array *known = tme_from(s, TME_BOOL, 1, (int64_t[]){3}, (bool[]){true, false, true});
  assert_null(GET(s, x, BY(tme_greater(s, x, tme_integer(s, 3)))));
  test_error(s, TME_ERR_NO_VALUE, "mask");
  tme_array *in[] = {x, i}, *out[4];
  out[0] = GET(s, x, BY(i), SLICE(TME_NONE, TME_NONE, -2));
  out[1] = GET(s, x, BY(known), AT(1));
  out[2] = GET(s, x, BY(i), BY(i));
  out[3] = GET(s, x, AT(2), NEW_AXIS, SLICE(1, TME_NONE, TME_NONE));
  tme_function *f = tme_compile(s, in, 2, out, 4);
  assert_string_equal(tme_error(s), "");
  for (int round = 0; round < 2; round++) {
    tme_array *args[] = {numbered(s, 2, (int64_t[]){3, 4}), ints(s, 2, round ? (int64_t[]){0, -1} : (int64_t[]){2, 1})},
              *y[4];
    assert_int_equal(tme_call(s, f, args, 2, y), TME_OK);
    assert_elements(s, y[0], round ? (int32_t[]){3, 1, 11, 9} : (int32_t[]){11, 9, 7, 5}, 4);
    assert_elements(s, y[1], (int32_t[]){1, 9}, 2);
    assert_elements(s, y[2], round ? (int32_t[]){0, 11} : (int32_t[]){10, 5}, 2);
    assert_elements(s, y[3], (int32_t[]){9, 10, 11}, 3);
  }
  tme_array *args[] = {numbered(s, 2, (int64_t[]){3, 4}), ints(s, 2, (int64_t[]){0, 3})}, *y[4];
  assert_int_equal(tme_call(s, f, args, 2, y), TME_ERR_INDEX);
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* A mask needs no value where all that it names gets the same. */
static void puts_in_functions(void **state) {
  (void)state;
  tme_engine *e = test_engine("cpu");
  tme_scope *s = tme_scope_new(e);
  tme_array *x = tme_input(s, TME_I32, 2, (int64_t[]){2, 3}), *v = tme_input(s, TME_I32, 1, (int64_t[]){3});
  tme_array *i = tme_input(s, TME_I64, 1, (int64_t[]){2});
  tme_array *mask = tme_greater(s, x, tme_integer(s, 3)),
            *column = tme_greater(s, GET(s, x, WHOLE, AT(0)), tme_integer(s, 0));
  assert_null(PUT(s, x, v, SET, BY(mask)));
  test_error(s, TME_ERR_NO_VALUE, "mask");
  tme_array *in[] = {x, v, i}, *out[6];
  out[0] = PUT(s, x, tme_integer(s, 0), SET, BY(mask));
  out[1] = PUT(s, x, v, ADD, BY(column));
  out[2] = PUT(s, x, GET(s, v, AT(0)), SET, SLICE(TME_NONE, TME_NONE, -1), BY(GET(s, column, ELLIPSIS, AT(0))),
               SLICE(1, TME_NONE, TME_NONE));
  out[3] = PUT(s, x, tme_integer(s, 5), ADD, BY(i), BY(i));
  out[4] = PUT(s, x, v, MAX, AT(1));
  out[5] = PUT(s, x, GET(s, v, NEW_AXIS, SLICE(0, 2, TME_NONE)), MULTIPLY, ELLIPSIS, BY(i));
  tme_function *f = tme_compile(s, in, 3, out, 6);
  assert_string_equal(tme_error(s), "");
  tme_array *args[] = {numbered(s, 2, (int64_t[]){2, 3}), tme_astype(s, ints(s, 3, (int64_t[]){10, 20, -3}), TME_I32),
                       ints(s, 2, (int64_t[]){1, 1})},
            *y[6];
  for (int round = 0; round < 2; round++) {
    assert_int_equal(tme_call(s, f, args, 3, y), TME_OK);
    assert_elements(s, y[0], (int32_t[]){0, 1, 2, 3, 0, 0}, 6);
    assert_elements(s, y[1], (int32_t[]){0, 1, 2, 13, 24, 2}, 6);
    assert_elements(s, y[2], (int32_t[]){0, 1, 2, 3, 4, 5}, 6);
    assert_elements(s, y[3], (int32_t[]){0, 1, 2, 3, 14, 5}, 6);
    assert_elements(s, y[4], (int32_t[]){0, 1, 2, 10, 20, 5}, 6);
    assert_elements(s, y[5], (int32_t[]){0, 200, 2, 3, 800, 5}, 6);
  }
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* False if an answer is wrong; an error is an answer. */
static bool scenario(tme_engine *e, bool *failed) {
  static const int32_t want[6][8] = {{18, 20, 22, 24, 17, 19, 21, 23},
                                     {21, 22, 23, 24},
                                     {15, 16, 11, 12},
                                     {3, 14, 3, 16},
                                     {13, 9, 15, 9},
                                     {13, 14, 15, -1}};
  static const int64_t size[6] = {8, 4, 4, 4, 4, 4};
  tme_scope *s = tme_scope_new(e);
  *failed = true;
  if (!s) return true;
  tme_array *x = tme_add(s, numbered(s, 3, (int64_t[]){3, 4, 2}), tme_integer(s, 1));
  tme_array *i = ints(s, 2, (int64_t[]){2, -1}), *j = ints(s, 2, (int64_t[]){1, 0}), *all[6];
  all[0] = i && j ? GET(s, x, BY(i), WHOLE, BY(j)) : NULL;
  all[1] = all[0] ? GET(s, x, BY(tme_greater(s, x, tme_integer(s, 20)))) : NULL;
  all[2] = GET(s, x, AT(1), NEW_AXIS, SLICE(TME_NONE, TME_NONE, -2));
  tme_array *y = GET(s, x, AT(1), SLICE(2, TME_NONE, TME_NONE)), *three = tme_integer(s, 3); /* 13, 14, 15, 16 */
  all[3] = PUT(s, y, three, SET, WHOLE, AT(0));
  all[4] = j ? PUT(s, y, tme_integer(s, 9), MIN, BY(j), BY(ints(s, 1, (int64_t[]){1}))) : NULL;
  all[5] = y ? PUT(s, y, tme_integer(s, -1), SET, BY(tme_greater(s, y, tme_integer(s, 15)))) : NULL;
  bool ok = true, bad = false;
  for (int k = 0; k < 6; k++) {
    const int32_t *got = all[k] ? tme_data(s, all[k]) : NULL;
    bad |= !got;
    if (got) ok = ok && tme_array_size(all[k]) == size[k] && !memcmp(got, want[k], (size_t)size[k] * sizeof *got);
  }
  *failed = bad;
  ok = ok && bad == (tme_error_code(s) != TME_OK);
  tme_scope_free(s);
  return ok;
}

/* Allocations that fail, one after the other, and all from one on. */
static void without_memory(void **state) {
  (void)state;
  for (int forever = 0; forever < 2; forever++) {
    tme_engine *e = test_engine("nojit");
    bool failed = true;
    assert_true(scenario(e, &failed) && !failed);
    tme_engine_clear_cache(e, false);
    tme_engine_trim(e);
    long live = mem_live();
    for (long k = 1; failed || k < 40; k++) {
      assert_true(k < 5000);
      mem_fail_at(k, forever);
      bool ok = scenario(e, &failed);
      mem_fail_at(0, false);
      if (!ok) fail_msg("wrong with allocation %ld failing", k);
      tme_engine_clear_cache(e, false);
      tme_engine_trim(e);
      if (mem_live() > live) fail_msg("%ld allocations lost with allocation %ld failing", mem_live() - live, k);
    }
    tme_engine_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_by_the_rules),
      cmocka_unit_test(writes_by_the_rules),
      cmocka_unit_test(slices_are_views),
      cmocka_unit_test(numbers_out_of_range),
      cmocka_unit_test(refusals),
      cmocka_unit_test(puts_refused),
      cmocka_unit_test(values_are_converted),
      cmocka_unit_test(puts_in_functions),
      cmocka_unit_test(limits),
      cmocka_unit_test(in_functions),
      cmocka_unit_test(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
