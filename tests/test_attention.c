/* Attention looks at no value that weighs 0: keys and values that are masked or lie in the future may be anything. */
#include "support/engines.h"
#include "base/base.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { HEADS = 4, SHARED = 2, ROWS = 13, KEYS = 37, WIDTH = 5, WIDE = 19 };
typedef enum mask_kind { NO_MASK, OF_KEYS, OF_PAIRS, ADDED, MASKS } mask_kind;

static const char *const backends[] = {"cpu", "nojit", "reference", "mlx"};

/* NULL: not in this build. */
static tme_engine *engine_of(const char *backend) {
  tme_options o;
  char why[600];
  tme_options_init(&o);
  o.precision = "float32";
  o.backend = backend;
  o.cache_dir = "";
  tme_engine *e = tme_engine_open(&o, why, sizeof why);
  tme_jit_status st;
  if (!e) return NULL;
  tme_engine_status(e, &st);
  if (!strcmp(st.backend, backend)) return e;
  tme_engine_free(e);
  return NULL;
}

/* May query i look at key j? One query may look at none, which another of the same tile may. */
static bool looks(mask_kind kind, bool causal, int64_t i, int64_t j) {
  if (causal && j > i + KEYS - ROWS) return false;
  if (kind == OF_KEYS) return j % 5 != 2 && j < 30;
  if (kind == OF_PAIRS || kind == ADDED) return i != 7 && (i * 7 + j * 3) % 4 != 1;
  return true;
}

static bool seen_by_any(mask_kind kind, bool causal, int64_t j) {
  for (int64_t i = 0; i < ROWS; i++)
    if (looks(kind, causal, i, j)) return true;
  return false;
}

static float number(int64_t i) { return (float)((i * 7919 + 13) % 251) / 125 - 1; }

/* heads x rows x width numbers of that dtype; rows that are `hidden` hold `bad`. */
static tme_array *operand(tme_scope *s, tme_dtype t, int64_t heads, int64_t rows, int64_t width, const bool *hidden,
                          float bad) {
  float *v = mem_alloc((size_t)(heads * rows * width) * sizeof *v);
  assert_non_null(v);
  for (int64_t i = 0; i < heads * rows * width; i++) v[i] = hidden && hidden[i / width % rows] ? bad : number(i);
  tme_array *x = tme_from(s, TME_F32, 3, (int64_t[]){heads, rows, width}, v);
  mem_free(v);
  return tme_astype(s, x, t);
}

static tme_array *mask_of(tme_scope *s, mask_kind kind) {
  bool flags[ROWS * KEYS];
  float added[ROWS * KEYS];
  for (int64_t i = 0; i < ROWS * KEYS; i++) {
    flags[i] = looks(kind, false, i / KEYS, i % KEYS);
    added[i] = flags[i] ? number(i) : -INFINITY;
  }
  if (kind == OF_KEYS) return tme_from(s, TME_BOOL, 1, (int64_t[]){KEYS}, flags);
  if (kind == OF_PAIRS) return tme_from(s, TME_BOOL, 2, (int64_t[]){ROWS, KEYS}, flags);
  return kind == ADDED ? tme_from(s, TME_F32, 2, (int64_t[]){ROWS, KEYS}, added) : NULL;
}

typedef struct run {
  tme_scope *s;
  tme_dtype t;
  mask_kind kind;
  bool causal;
} run;

/* The result as f64, with `bad` in the rows of k and v that are hidden. */
static const double *attend(const run *r, int width, const bool *hidden_k, const bool *hidden_v, float bad) {
  tme_scope *s = r->s;
  tme_array *q = operand(s, r->t, HEADS, ROWS, width, NULL, 0);
  tme_array *k = operand(s, r->t, SHARED, KEYS, width, hidden_k, bad);
  tme_array *v = operand(s, r->t, SHARED, KEYS, WIDE, hidden_v, bad), *mask = mask_of(s, r->kind);
  if (r->kind == ADDED) mask = tme_astype(s, mask, r->t);
  tme_array *y = tme_scaled_dot_product_attention(s, q, k, v, mask, (double)NAN, r->causal);
  const double *d = tme_data(s, tme_astype(s, y, TME_F64));
  if (!d) fail_msg("%s", tme_error(s));
  return d;
}

static const double *weights(const run *r, const bool *hidden, float bad) {
  tme_scope *s = r->s;
  tme_array *q = operand(s, r->t, HEADS, ROWS, WIDTH, NULL, 0), *mask = mask_of(s, r->kind);
  tme_array *k = operand(s, r->t, SHARED, KEYS, WIDTH, hidden, bad);
  if (r->kind == ADDED) mask = tme_astype(s, mask, r->t);
  tme_array *y = tme_attention_weights(s, q, k, mask, (double)NAN, r->causal);
  const double *d = tme_data(s, tme_astype(s, y, TME_F64));
  if (!d) fail_msg("%s", tme_error(s));
  return d;
}

static void expect_same(const char *what, const run *r, const double *got, const double *want, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (memcmp(&got[i], &want[i], sizeof *got) != 0 && !(isnan(got[i]) && isnan(want[i])))
      fail_msg("%s, %s, mask %d, causal %d: element %d is %g, not %g", what, tme_dtype_name(r->t), r->kind, r->causal,
               (int)i, got[i], want[i]);
}

/* The result has the bits that it has with numbers in the hidden rows. */
static void check_hidden(const run *r) {
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  bool hidden[KEYS];
  for (int64_t j = 0; j < KEYS; j++) hidden[j] = !seen_by_any(r->kind, r->causal, j);
  for (int i = 0; i < (r->t == TME_F32 ? COUNT(bad) : 1); i++) {
    expect_same("keys", r, attend(r, WIDTH, hidden, NULL, bad[i]), attend(r, WIDTH, NULL, NULL, 0),
                HEADS * ROWS * WIDE);
    expect_same("values", r, attend(r, WIDTH, NULL, hidden, bad[i]), attend(r, WIDTH, NULL, NULL, 0),
                HEADS * ROWS * WIDE);
    expect_same("keys without width", r, attend(r, 0, NULL, hidden, bad[i]), attend(r, 0, NULL, NULL, 0),
                HEADS * ROWS * WIDE);
    expect_same("weights", r, weights(r, hidden, bad[i]), weights(r, NULL, 0), HEADS * ROWS * KEYS);
  }
}

/* A value that some queries may look at and others may not is seen by those alone. */
static void check_partly_hidden(const run *r, int64_t step) {
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  for (int64_t key = 0; key < KEYS; key += step)
    for (int b = 0; b < COUNT(bad); b++) {
      bool hidden[KEYS] = {false};
      hidden[key] = true;
      const double *got = attend(r, WIDTH, NULL, hidden, bad[b]), *clean = attend(r, WIDTH, NULL, NULL, 0);
      for (int64_t i = 0; i < HEADS * ROWS * WIDE; i++) {
        double bound = (double)bad[b], want = looks(r->kind, r->causal, i / WIDE % ROWS, key) ? bound : clean[i];
        if (memcmp(&got[i], &want, sizeof want) != 0 && !(isnan(got[i]) && isnan(want)))
          fail_msg("%s, mask %d, causal %d: %g at key %d makes %g of element %d, not %g", tme_dtype_name(r->t), r->kind,
                   r->causal, bound, (int)key, got[i], (int)i, want);
      }
    }
}

static void hidden_rows(void **state) {
  (void)state;
  static const tme_dtype types[] = {TME_F32, TME_F16, TME_BF16, TME_F64};
  int met = 0;
  for (int b = 0; b < COUNT(backends); b++) {
    tme_engine *e = engine_of(backends[b]);
    if (!e) continue;
    bool mlx = !strcmp(backends[b], "mlx"); /* which takes its time */
    met++;
    for (int t = 0; t < (mlx ? 1 : COUNT(types)); t++)
      for (int kind = 0; kind < MASKS; kind++)
        for (int causal = 0; causal < 2; causal++) {
          if (mlx && (kind != ADDED || !causal)) continue;
          run r = {tme_scope_new(e), types[t], (mask_kind)kind, causal};
          if (!mlx) check_hidden(&r);
          if (types[t] == TME_F32) check_partly_hidden(&r, mlx ? KEYS : 6);
          tme_scope_free(r.s);
        }
    tme_engine_free(e);
  }
  assert_true(met >= 2);
}

/* Weights that underflow are 0 as well. */
static void underflow(void **state) {
  (void)state;
  for (int b = 0; b < 3; b++) {
    tme_engine *e = engine_of(backends[b]);
    if (!e) continue;
    tme_scope *s = tme_scope_new(e);
    tme_array *q = tme_from(s, TME_F32, 2, (int64_t[]){2, 1}, (float[]){1000, -1000});
    tme_array *k = tme_from(s, TME_F32, 2, (int64_t[]){2, 1}, (float[]){1, -1});
    tme_array *v = tme_from(s, TME_F32, 2, (int64_t[]){2, 2}, (float[]){3, 4, NAN, INFINITY});
    const float *y = tme_data(s, tme_scaled_dot_product_attention(s, q, k, v, NULL, 1, false));
    assert_non_null(y);
    assert_true(y[0] == 3 && y[1] == 4 && isnan(y[2]) && isinf(y[3]));
    tme_scope_free(s);
    tme_engine_free(e);
  }
}

/* No keys: NaN, as for a query that may look at none. */
static void no_keys(void **state) {
  (void)state;
  for (int b = 0; b < COUNT(backends); b++) {
    tme_engine *e = engine_of(backends[b]);
    if (!e) continue;
    for (int64_t keys = 0; keys < 2; keys++) {
      tme_scope *s = tme_scope_new(e);
      tme_array *q = operand(s, TME_F32, 1, 3, WIDTH, NULL, 0), *k = operand(s, TME_F32, 1, keys, WIDTH, NULL, 0);
      tme_array *v = operand(s, TME_F32, 1, keys, WIDE, NULL, 0);
      const float *y = tme_data(s, tme_scaled_dot_product_attention(s, q, k, v, NULL, (double)NAN, true));
      if (!y) fail_msg("%s: %s", backends[b], tme_error(s));
      for (int64_t i = 0; i < 3 * WIDE; i++) /* key 0 is the past of the last query alone */
        if (isnan(y[i]) != (i < (3 - keys) * WIDE)) fail_msg("%s, %d keys: %g", backends[b], (int)keys, (double)y[i]);
      tme_scope_free(s);
    }
    tme_engine_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(hidden_rows), cmocka_unit_test(underflow),
                                     cmocka_unit_test(no_keys)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
