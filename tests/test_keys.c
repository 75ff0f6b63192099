/* Random bits: the generator's known answers, keys, the engine's stream, and the same numbers everywhere.
 * ctest: concurrency */
#include "base/threefry.h"
#include "support/matrix.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const backends[] = {"cpu", "nojit", "reference"};

static tme_array *key_of(tme_scope *s, uint64_t seed) { return tme_random_key(s, tme_unsigned(s, seed)); }

/* As the authors give them, in the file kat_vectors of Random123. */
static const struct {
  uint32_t counter[2], key[2], block[2];
} answers[] = {
    {{0, 0}, {0, 0}, {0x6b200159, 0x99ba4efe}},
    {{0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x1cb996fc, 0xbb002be7}},
    {{0x243f6a88, 0x85a308d3}, {0x13198a2e, 0x03707344}, {0xc4923a9c, 0x483df7a0}},
};

static void test_known_answers(void **state) {
  (void)state;
  for (int b = 0; b < COUNT(backends); b++) {
    tme_engine *e = engine_of(backends[b], 1);
    tme_scope *s = tme_scope_new(e);
    for (int i = 0; i < COUNT(answers); i++) {
      random_key key = {{answers[i].key[0], answers[i].key[1]}};
      random_key block = threefry(key, answers[i].counter[0], answers[i].counter[1]);
      assert_memory_equal(block.word, answers[i].block, sizeof block.word);
      int64_t two = 2;
      uint64_t counter = (uint64_t)answers[i].counter[0] << 32 | answers[i].counter[1];
      tme_array *folded = tme_random_fold_in(s, tme_from(s, TME_U32, 1, &two, key.word), tme_unsigned(s, counter));
      assert_memory_equal(tme_data(s, folded), answers[i].block, sizeof block.word);
    }
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

/* Element i of bits is made of the block of counter i, as is key i of a split. */
static void test_blocks(void **state) {
  (void)state;
  tme_engine *e = engine_of("cpu", 2);
  tme_scope *s = tme_scope_new(e);
  enum { N = 1000 };
  int64_t n = N;
  random_key key = {{7, UINT32_C(4000000000)}};
  tme_array *k = key_of(s, (uint64_t)7 << 32 | UINT32_C(4000000000));
  const uint32_t *bits = tme_data(s, tme_random_bits(s, &n, 1, 4, k));
  const uint64_t *wide = tme_data(s, tme_random_bits(s, &n, 1, 8, k));
  const uint8_t *narrow = tme_data(s, tme_random_bits(s, &n, 1, 1, k));
  const uint32_t *keys = tme_data(s, tme_random_split(s, k, N));
  for (int i = 0; i < N; i++) {
    random_key block = threefry_at(key, (uint64_t)i);
    assert_int_equal(bits[i], block.word[0] ^ block.word[1]);
    assert_int_equal(narrow[i], (uint8_t)bits[i]);
    assert_true(wide[i] == threefry_bits(key, (uint64_t)i));
    assert_memory_equal(keys + 2 * i, block.word, sizeof block.word);
  }
  tme_scope_free(s);
  tme_engine_free(e);
}

/* What is computed of bits alone, and by functions of C: on every backend and any number of threads to the bit. */
static int draw_all(tme_scope *s, tme_array **out) {
  static const int64_t shape[] = {301, 17};
  tme_array *k = key_of(s, 11), *half = tme_number(s, 0.5), *five = tme_number(s, 5);
  out[0] = tme_random_bits(s, shape, 2, 8, k);
  out[1] = tme_random_uniform(s, NULL, NULL, shape, 2, TME_F64, k);
  out[2] = tme_random_uniform(s, half, five, shape, 2, TME_F32, k);
  out[3] = tme_random_integers(s, tme_integer(s, -9), tme_integer(s, 1000), shape, 2, TME_I64, k);
  out[4] = tme_random_gamma(s, half, shape, 2, NULL, TME_F64, k);
  out[5] = tme_random_poisson(s, five, shape, 2, TME_I64, k);
  out[6] = tme_random_binomial(s, tme_integer(s, 90), half, shape, 2, TME_I64, k);
  out[7] = tme_random_indices(s, 5000, NULL, -1, false, NULL, k);
  out[8] = tme_random_choice(s, tme_integer(s, 77), shape, 2, true, NULL, 0, k);
  out[9] = tme_random_indices(s, 77, shape, 2, true, NULL, k);
  return 10;
}

static void test_same_numbers(void **state) {
  (void)state;
  tme_engine *first = engine_of("reference", 1);
  tme_scope *s = tme_scope_new(first);
  tme_array *want[16], *got[16];
  int n = draw_all(s, want);
  for (int b = 0; b < 2 * COUNT(backends); b++) {
    tme_engine *e = engine_of(backends[b / 2], b % 2 ? 3 : 1);
    tme_scope *own = tme_scope_new(e);
    draw_all(own, got);
    for (int i = 0; i < n; i++) {
      const void *w = tme_data(s, want[i]), *g = tme_data(own, got[i]);
      if (!w || !g) fail_msg("%s%s", tme_error(s), tme_error(own));
      size_t bytes = (size_t)tme_array_size(want[i]) * tme_dtype_size(tme_array_dtype(want[i]));
      if (memcmp(w, g, bytes)) fail_msg("draw %d differs on %s", i, backends[b / 2]);
    }
    tme_scope_free(own);
    tme_engine_free(e);
  }
  /* Places that come again are integers. */
  assert_memory_equal(tme_data(s, want[8]), tme_data(s, want[9]), 301 * 17 * sizeof(int64_t));
  tme_scope_free(s);
  tme_engine_free(first);
}

/* ---- the engine's stream ------------------------------------------------------------------------------------------------ */

static uint32_t next_of(tme_scope *s) { return *(const uint32_t *)tme_data(s, tme_random_bits(s, NULL, 0, 4, NULL)); }

static uint32_t expected(uint64_t seed, uint64_t i) {
  random_key k = threefry_at((random_key){{(uint32_t)(seed >> 32), (uint32_t)seed}}, i), block = threefry_at(k, 0);
  return block.word[0] ^ block.word[1];
}

static void test_stream(void **state) {
  (void)state;
  tme_engine *e = engine_of("cpu", 1);
  tme_scope *s = tme_scope_new(e);
  for (uint64_t i = 0; i < 5; i++) assert_int_equal(next_of(s), expected(0, i));
  tme_seed(e, UINT64_C(0x123456789abcdef0));
  for (uint64_t i = 0; i < 5; i++) assert_int_equal(next_of(s), expected(UINT64_C(0x123456789abcdef0), i));
  tme_seed(NULL, 1);
  tme_scope_free(s);
  tme_engine_free(e);
}

/* A function draws anew with each call; what has a key draws the same. */
static void test_functions(void **state) {
  (void)state;
  tme_engine *e = engine_of("cpu", 1);
  tme_scope *s = tme_scope_new(e);
  int64_t n = 3;
  tme_array *x = tme_input(s, TME_U32, 1, &n), *out[2], *got[2];
  out[0] = tme_bitwise_xor(s, x, tme_random_bits(s, &n, 1, 4, NULL));
  out[1] = tme_bitwise_xor(s, x, tme_random_bits(s, &n, 1, 4, key_of(s, 5)));
  tme_function *f = tme_compile(s, &x, 1, out, 2);
  assert_non_null(f);
  tme_seed(e, 3);
  tme_array *zeros = tme_zeros(s, &n, 1, TME_U32);
  uint32_t same[3];
  for (uint64_t i = 0; i < 4; i++) {
    assert_int_equal(tme_call(s, f, &zeros, 1, got), TME_OK);
    const uint32_t *v = tme_data(s, got[0]);
    assert_int_equal(v[0], expected(3, i));
    const uint32_t *k = tme_data(s, got[1]);
    if (i) assert_memory_equal(k, same, sizeof same);
    memcpy(same, k, sizeof same);
  }
  tme_function_free(f);
  tme_scope_free(s);
  tme_engine_free(e);
}

typedef struct drawer {
  tme_engine *e;
  uint32_t got[50];
} drawer;

static void *draw_some(void *p) {
  drawer *d = p;
  tme_scope *s = tme_scope_new(d->e);
  for (int i = 0; i < COUNT(d->got); i++) d->got[i] = next_of(s);
  tme_scope_free(s);
  return NULL;
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* Each key is taken once. */
static void test_threads(void **state) {
  (void)state;
  enum { THREADS = 4, EACH = 50 };
  static drawer drawers[THREADS];
  tme_engine *e = engine_of("reference", 1);
  pthread_t thread[THREADS];
  uint32_t all[THREADS * EACH], want[THREADS * EACH];
  for (int t = 0; t < THREADS; t++) {
    drawers[t].e = e;
    assert_int_equal(pthread_create(&thread[t], NULL, draw_some, &drawers[t]), 0);
  }
  for (int t = 0; t < THREADS; t++) {
    pthread_join(thread[t], NULL);
    memcpy(all + t * EACH, drawers[t].got, sizeof drawers[t].got);
  }
  for (int i = 0; i < THREADS * EACH; i++) want[i] = expected(0, (uint64_t)i);
  qsort(all, THREADS * EACH, sizeof *all, compare);
  qsort(want, THREADS * EACH, sizeof *want, compare);
  assert_memory_equal(all, want, sizeof all);
  tme_engine_free(e);
}

/* Allocations that fail, one after the other: the numbers are right or there is an error, and nothing is lost. */
static void test_faults(void **state) {
  (void)state;
  static const int64_t shape[] = {3, 5};
  uint64_t want[15] = {0};
  long live = mem_live();
  bool failed = true;
  for (long k = 0; failed; k++) {
    tme_engine *e = engine_of("nojit", 1);
    tme_scope *s = tme_scope_new(e);
    mem_fail_at(k, false);
    tme_array *p = tme_full(s, shape + 1, 1, 0.2, TME_F64),
              *key = tme_random_split(s, tme_random_bits(s, (int64_t[]){2}, 1, 4, NULL), 2);
    tme_array *all[] = {
        tme_random_choice(s, tme_integer(s, 9), shape, 2, true, NULL, 0, NULL),
        tme_random_choice(s, tme_integer(s, 5), shape + 1, 1, false, p, 0, NULL),
        tme_random_permutation(s, tme_integer(s, 5), 0, NULL),
        tme_random_multinomial(s, tme_integer(s, 5), p, shape, 1, TME_I64, NULL),
        tme_random_sobol(s, 5, 3, tme_random_bits(s, (int64_t[]){2}, 1, 4, NULL), TME_F64),
        tme_random_gamma(s, p, shape, 2, NULL, TME_F64, NULL),
        tme_random_bits(s, shape, 2, 8, NULL),
    };
    failed = tme_eval_all(s, all, COUNT(all)) != TME_OK || !key;
    const uint64_t *got = failed ? NULL : tme_data(s, all[COUNT(all) - 1]);
    mem_fail_at(0, false);
    if (!got) failed = true;
    if (failed) assert_true(tme_error_code(s) != TME_OK && *tme_error(s));
    if (!k && got) memcpy(want, got, sizeof want);
    if (!k) failed = true;
    if (got) assert_memory_equal(got, want, sizeof want);
    tme_scope_free(s);
    tme_engine_free(e);
    assert_int_equal(mem_live(), live);
  }
}

/* ---- whole numbers beyond doubles ------------------------------------------------------------------------------------------ */

static void test_wide_integers(void **state) {
  (void)state;
  tme_engine *e = engine_of("cpu", 1);
  tme_scope *s = tme_scope_new(e);
  int64_t n = 4000;
  tme_array *k = key_of(s, 1), *low = tme_integer(s, INT64_MIN), *high = tme_integer(s, INT64_MAX);
  const int64_t *v = tme_data(s, tme_random_integers(s, low, high, &n, 1, TME_I64, k));
  int below = 0, small = 0;
  for (int i = 0; i < n; i++) {
    below += v[i] < 0;
    small += v[i] >= INT64_MIN / 2 && v[i] < INT64_MAX / 2;
    assert_true(v[i] < INT64_MAX);
  }
  assert_in_range(below, 1850, 2150);
  assert_in_range(small, 1850, 2150);
  const uint64_t *u = tme_data(
      s, tme_random_integers(s, tme_unsigned(s, UINT64_MAX - 3), tme_unsigned(s, UINT64_MAX), &n, 1, TME_U64, k));
  int count[3] = {0};
  for (int i = 0; i < n; i++) {
    assert_in_range(u[i], UINT64_MAX - 3, UINT64_MAX - 1);
    count[UINT64_MAX - 1 - u[i]]++;
  }
  for (int i = 0; i < 3; i++) assert_in_range(count[i], 1200, 1470);
  const uint32_t *all =
      tme_data(s, tme_random_integers(s, tme_integer(s, 0), tme_integer(s, INT64_C(1) << 32), &n, 1, TME_U32, k));
  uint32_t ored = 0;
  for (int i = 0; i < n; i++) ored |= all[i];
  assert_int_equal(ored, UINT32_MAX);
  tme_scope_free(s);
  tme_engine_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_answers), cmocka_unit_test(test_blocks),        cmocka_unit_test(test_same_numbers),
      cmocka_unit_test(test_stream),        cmocka_unit_test(test_functions),     cmocka_unit_test(test_threads),
      cmocka_unit_test(test_faults),        cmocka_unit_test(test_wide_integers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
