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
    assert_true(refused > cases(runs[b].cases) / 20);
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

/* False if an answer is wrong; an error is an answer. */
static bool scenario(tme_engine *e, bool *failed) {
  static const int32_t want[3][8] = {{18, 20, 22, 24, 17, 19, 21, 23}, {21, 22, 23, 24}, {15, 16, 11, 12}};
  static const int64_t size[3] = {8, 4, 4};
  tme_scope *s = tme_scope_new(e);
  *failed = true;
  if (!s) return true;
  tme_array *x = tme_add(s, numbered(s, 3, (int64_t[]){3, 4, 2}), tme_integer(s, 1));
  tme_array *i = ints(s, 2, (int64_t[]){2, -1}), *j = ints(s, 2, (int64_t[]){1, 0}), *all[3];
  all[0] = i && j ? GET(s, x, BY(i), WHOLE, BY(j)) : NULL;
  all[1] = all[0] ? GET(s, x, BY(tme_greater(s, x, tme_integer(s, 20)))) : NULL;
  all[2] = GET(s, x, AT(1), NEW_AXIS, SLICE(TME_NONE, TME_NONE, -2));
  bool ok = true, bad = false;
  for (int k = 0; k < 3; k++) {
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
      cmocka_unit_test(reads_by_the_rules), cmocka_unit_test(slices_are_views), cmocka_unit_test(numbers_out_of_range),
      cmocka_unit_test(refusals),           cmocka_unit_test(limits),           cmocka_unit_test(in_functions),
      cmocka_unit_test(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
