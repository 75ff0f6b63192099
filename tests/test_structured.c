/* Structured reference kernels against long double, identities and index arithmetic. */
#include "backend/libraries.h"
#include "support/arrays.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef long double real;

static array filled(tme_dtype t, int rank, const int64_t *shape, double lo, double hi, uint64_t *seed) {
  array x = array_new(t, rank, shape);
  array_fill(&x, lo, hi, seed);
  return x;
}

static void expect_near(const char *what, double got, double want, double tolerance) {
  if (got == want || (isnan(got) && isnan(want))) return;
  if (!(fabs(got - want) <= tolerance)) fail_msg("%s: %.17g, expected %.17g +- %g", what, got, want, tolerance);
}

/* ---- reductions ---------------------------------------------------------------------------------------------------- */

/* Which element of the result an element of x belongs to. */
static int64_t row_of(const op_type *t, uint32_t axes, int64_t i) {
  int64_t row = 0, step = 1;
  for (int d = t->rank - 1; d >= 0; d--) {
    int64_t at = i % t->shape[d];
    i /= t->shape[d];
    if (axes >> d & 1) continue;
    row += at * step;
    step *= t->shape[d];
  }
  return row;
}

static real combine(int op, real a, real b) {
  switch (op) {
  case OP_sum: return a + b;
  case OP_prod: return a * b;
  case OP_min: return b < a || isnan(b) ? b : a;
  case OP_max: return b > a || isnan(b) ? b : a;
  case OP_any: return a != 0 || b != 0;
  default: return a != 0 && b != 0;
  }
}

static real neutral(int op) {
  return op == OP_prod || op == OP_all ? 1 : op == OP_min ? INFINITY : op == OP_max ? -INFINITY : 0;
}

static void check_reduction(int op, tme_dtype t, int rank, const int64_t *shape, uint64_t *seed) {
  array x = filled(t, rank, shape, op == OP_prod ? 0.9 : -9, op == OP_prod ? 1.1 : 9, seed);
  for (uint32_t axes = 0; axes < 1u << rank; axes++) {
    op_attrs a = attrs_over(op, axes, axes & 1);
    array y = array_op(op, &x, 1, &a);
    int64_t n = type_size(&x.a.type), rows = type_size(&y.a.type);
    real *want = malloc(sizeof *want * (size_t)(rows + 1)), *size = calloc((size_t)rows + 1, sizeof *size);
    for (int64_t i = 0; i < rows; i++) want[i] = neutral(op);
    for (int64_t i = 0; i < n; i++) {
      int64_t row = row_of(&x.a.type, axes, i);
      want[row] = combine(op, want[row], (real)array_real(&x, i));
      size[row] += fabsl((real)array_real(&x, i));
    }
    for (int64_t i = 0; i < rows; i++)
      expect_near(op_name(op), array_real(&y, i), (double)want[i], tme_dtype_epsilon(t) * (double)(size[i] + 1));
    for (int layout = 1; layout < LAYOUT_COUNT; layout++) { /* the order of a sum is not the memory's */
      array v = array_layout(&x, layout), z = array_op(op, &v, 1, &a);
      assert_memory_equal(z.a.data, y.a.data, y.bytes);
      array_free(&v);
      array_free(&z);
    }
    array_free(&y);
    free(want);
    free(size);
  }
  array_free(&x);
}

static void reductions(void **state) {
  (void)state;
  static const int ops[] = {OP_sum, OP_prod, OP_min, OP_max, OP_any, OP_all};
  static const tme_dtype types[] = {TME_BOOL, TME_U8, TME_I16, TME_U32, TME_I64, TME_F16, TME_BF16, TME_F32, TME_F64};
  uint64_t seed = 1;
  for (int i = 0; i < COUNT(ops); i++) {
    for (int k = 0; k < COUNT(types); k++) {
      if (types[k] == TME_BOOL && (ops[i] == OP_min || ops[i] == OP_max)) continue;
      check_reduction(ops[i], types[k], 3, (int64_t[]){5, 18, 7}, &seed);
      check_reduction(ops[i], types[k], 0, NULL, &seed);
    }
    check_reduction(ops[i], TME_F32, 1, (int64_t[]){1000}, &seed);
    check_reduction(ops[i], TME_F32, 2, (int64_t[]){300, 20}, &seed);
    if (ops[i] != OP_min && ops[i] != OP_max) check_reduction(ops[i], TME_F32, 2, (int64_t[]){0, 3}, &seed);
  }
}

static void reductions_of_specials(void **state) {
  (void)state;
  uint64_t seed = 2;
  array x = filled(TME_F32, 1, (int64_t[]){500}, -1, 1, &seed);
  array_set_real(&x, 321, NAN);
  op_attrs all = attrs_over(OP_max, 1, false);
  for (int op = OP_min; op <= OP_max; op++) {
    array y = array_op(op, &x, 1, &all);
    assert_true(isnan(array_real(&y, 0)));
    array_free(&y);
  }
  array_free(&x);
  /* complex sums and products */
  array z = filled(TME_C64, 2, (int64_t[]){40, 3}, -1, 1, &seed);
  op_attrs first = attrs_over(OP_sum, 1, false), mean = attrs_over(OP_mean, 1, false);
  array s = array_op(OP_sum, &z, 1, &first), p = array_op(OP_prod, &z, 1, &first), m = array_op(OP_mean, &z, 1, &mean);
  for (int64_t j = 0; j < 3; j++) {
    double sum[2] = {0, 0}, product[2] = {1, 0}, v[2];
    for (int64_t i = 0; i < 40; i++) {
      array_get(&z, i * 3 + j, v);
      double re = product[0] * v[0] - product[1] * v[1];
      product[1] = product[0] * v[1] + product[1] * v[0];
      product[0] = re;
      sum[0] += v[0];
      sum[1] += v[1];
    }
    array_get(&s, j, v);
    expect_near("sum", v[0], sum[0], 1e-5);
    expect_near("sum", v[1], sum[1], 1e-5);
    array_get(&p, j, v);
    expect_near("prod", v[0], product[0], 1e-6);
    expect_near("prod", v[1], product[1], 1e-6);
    array_get(&m, j, v);
    expect_near("mean", v[0], sum[0] / 40, 1e-6);
    expect_near("mean", v[1], sum[1] / 40, 1e-6);
  }
  array_free(&z);
  array_free(&s);
  array_free(&p);
  array_free(&m);
}

/* A sum of many numbers stays accurate. */
static void long_sums(void **state) {
  (void)state;
  int64_t n = 1000000;
  array x = array_new(TME_F32, 1, &n);
  for (int64_t i = 0; i < n; i++) array_set_real(&x, i, 0.1);
  op_attrs all = attrs_over(OP_sum, 1, false);
  array y = array_op(OP_sum, &x, 1, &all);
  expect_near("sum", array_real(&y, 0), (double)0.1f * (double)n, 0.1);
  array_free(&x);
  array_free(&y);
}

static void statistics(void **state) {
  (void)state;
  static const tme_dtype types[] = {TME_F16, TME_BF16, TME_F32, TME_F64, TME_I32, TME_BOOL};
  uint64_t seed = 3;
  int64_t shape[2] = {30, 40};
  for (int k = 0; k < COUNT(types); k++) {
    array x = filled(types[k], 2, shape, -4, 4, &seed);
    for (int axis = 0; axis < 2; axis++) {
      op_attrs a = attrs_over(OP_var, 1u << axis, false), corrected = a;
      corrected.statistics.correction = 1;
      array mean = array_op(OP_mean, &x, 1, &a), var = array_op(OP_var, &x, 1, &corrected);
      array std = array_op(OP_std, &x, 1, &a), lse = array_op(OP_logsumexp, &x, 1, &a);
      double tolerance = 20 * (tme_dtype_epsilon(mean.a.type.dtype) + 1e-18);
      for (int64_t i = 0; i < shape[1 - axis]; i++) {
        real sum = 0, square = 0, exps = 0, n = (real)shape[axis];
        for (int64_t j = 0; j < shape[axis]; j++) {
          real v = (real)array_real(&x, axis ? i * shape[1] + j : j * shape[1] + i);
          sum += v;
          exps += expl(v);
        }
        for (int64_t j = 0; j < shape[axis]; j++) {
          real v = (real)array_real(&x, axis ? i * shape[1] + j : j * shape[1] + i) - sum / n;
          square += v * v;
        }
        expect_near("mean", array_real(&mean, i), (double)(sum / n), tolerance);
        expect_near("var", array_real(&var, i), (double)(square / (n - 1)), tolerance);
        expect_near("std", array_real(&std, i), (double)sqrtl(square / n), tolerance);
        expect_near("logsumexp", array_real(&lse, i), (double)logl(exps), tolerance);
      }
      array_free(&mean);
      array_free(&var);
      array_free(&std);
      array_free(&lse);
    }
    array_free(&x);
  }
  static const double rows[][3] = {{-INFINITY, -INFINITY, -INFINITY}, {INFINITY, 0, INFINITY}, {1000, 1000, 0}};
  for (int i = 0; i < COUNT(rows); i++) {
    array x = array_new(TME_F64, 1, (int64_t[]){2});
    array_set_real(&x, 0, rows[i][0]);
    array_set_real(&x, 1, rows[i][1]);
    op_attrs a = attrs_over(OP_logsumexp, 1, false);
    array y = array_op(OP_logsumexp, &x, 1, &a);
    expect_near("logsumexp", array_real(&y, 0), i == 2 ? 1000 + log(2.0) : rows[i][2], 1e-12);
    array_free(&x);
    array_free(&y);
  }
  array none = array_new(TME_F32, 1, (int64_t[]){0});
  op_attrs a = attrs_over(OP_mean, 1, false);
  array mean = array_op(OP_mean, &none, 1, &a), lse = array_op(OP_logsumexp, &none, 1, &a);
  assert_true(isnan(array_real(&mean, 0)) && array_real(&lse, 0) == -INFINITY);
  array_free(&none);
  array_free(&mean);
  array_free(&lse);
}

static void argreductions(void **state) {
  (void)state;
  uint64_t seed = 4;
  static const tme_dtype types[] = {TME_U8, TME_I32, TME_U64, TME_F16, TME_F32, TME_F64};
  for (int k = 0; k < COUNT(types); k++) {
    int64_t shape[3] = {4, 9, 3};
    array x = filled(types[k], 3, shape, 0, 20, &seed), y, v = array_layout(&x, LAYOUT_REVERSED);
    for (int op = OP_argmin; op <= OP_argmax; op++) {
      op_attrs axis = attrs_over(op, 2, false), none = {0};
      y = array_op(op, &v, 1, &axis);
      for (int64_t i = 0; i < 12; i++) {
        int64_t best = 0;
        for (int64_t j = 1; j < 9; j++) {
          double a = array_real(&x, i / 3 * 27 + j * 3 + i % 3), b = array_real(&x, i / 3 * 27 + best * 3 + i % 3);
          if (op == OP_argmin ? a < b : a > b) best = j;
        }
        assert_true(array_real(&y, i) == (double)best);
      }
      array_free(&y);
      y = array_op(op, &v, 1, &none);
      int64_t best = 0;
      for (int64_t j = 1; j < 108; j++)
        if (op == OP_argmin ? array_real(&x, j) < array_real(&x, best) : array_real(&x, j) > array_real(&x, best))
          best = j;
      assert_true(array_real(&y, 0) == (double)best);
      array_free(&y);
    }
    if (dtype_is_float(types[k])) {
      op_attrs none = {0};
      array_set_real(&x, 50, NAN);
      array_set_real(&x, 60, NAN);
      y = array_op(OP_argmax, &x, 1, &none);
      assert_true(array_real(&y, 0) == 50);
      array_free(&y);
    }
    array_free(&x);
    array_free(&v);
  }
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static void softmaxes(void **state) {
  (void)state;
  static const tme_dtype types[] = {TME_F16, TME_BF16, TME_F32, TME_F64};
  uint64_t seed = 5;
  int64_t shape[3] = {3, 20, 5};
  for (int k = 0; k < COUNT(types); k++) {
    array x = filled(types[k], 3, shape, -9, 9, &seed), v = array_layout(&x, LAYOUT_STRIDED);
    op_attrs a = {.softmax = {axes_from_mask(2)}};
    array p = array_op(OP_softmax, &v, 1, &a), l = array_op(OP_log_softmax, &x, 1, &a);
    double eps = tme_dtype_epsilon(types[k]);
    for (int64_t i = 0; i < 15; i++) {
      real sum = 0;
      int64_t first = i / 5 * 100 + i % 5;
      for (int64_t j = 0; j < 20; j++) sum += expl((real)array_real(&x, first + j * 5));
      for (int64_t j = 0; j < 20; j++) {
        real e = (real)array_real(&x, first + j * 5);
        expect_near("softmax", array_real(&p, first + j * 5), (double)(expl(e) / sum), 8 * eps);
        expect_near("log_softmax", array_real(&l, first + j * 5), (double)(e - logl(sum)), 40 * eps);
      }
    }
    array_free(&x);
    array_free(&v);
    array_free(&p);
    array_free(&l);
  }
}

static void norms(void **state) {
  (void)state;
  static const tme_dtype types[] = {TME_F16, TME_BF16, TME_F32, TME_F64};
  uint64_t seed = 6;
  int64_t shape[2] = {7, 50};
  for (int k = 0; k < COUNT(types); k++) {
    array in[3] = {filled(types[k], 2, shape, -3, 5, &seed), filled(types[k], 1, &shape[1], 0.5, 2, &seed),
                   filled(types[k], 1, &shape[1], -1, 1, &seed)};
    op_attrs a = {.norm = {1e-5}};
    array full = array_op(OP_layer_norm, in, 3, &a), rms = array_op(OP_rms_norm, in, 2, &a);
    array plain_in[3] = {in[0], {.block = NULL}, {.block = NULL}};
    array plain = array_op(OP_layer_norm, plain_in, 3, &a);
    double eps = 10 * tme_dtype_epsilon(types[k]);
    for (int64_t i = 0; i < 7; i++) {
      real mean = 0, var = 0, square = 0;
      for (int64_t j = 0; j < 50; j++) mean += (real)array_real(&in[0], i * 50 + j) / 50;
      for (int64_t j = 0; j < 50; j++) {
        real v = (real)array_real(&in[0], i * 50 + j);
        var += (v - mean) * (v - mean) / 50;
        square += v * v / 50;
      }
      for (int64_t j = 0; j < 50; j++) {
        real v = (real)array_real(&in[0], i * 50 + j), w = (real)array_real(&in[1], j), b = (real)array_real(&in[2], j);
        real n = (v - mean) / sqrtl(var + 1e-5L);
        expect_near("layer_norm", array_real(&plain, i * 50 + j), (double)n, eps);
        expect_near("layer_norm", array_real(&full, i * 50 + j), (double)(n * w + b), 4 * eps);
        expect_near("rms_norm", array_real(&rms, i * 50 + j), (double)(v / sqrtl(square + 1e-5L) * w), 4 * eps);
      }
    }
    for (int i = 0; i < 3; i++) array_free(&in[i]);
    array_free(&full);
    array_free(&rms);
    array_free(&plain);
  }
}

/* ---- products -------------------------------------------------------------------------------------------------------- */

static void check_product(tme_dtype t, const int64_t *a, const int64_t *b, int64_t batch, int64_t m, int64_t n,
                          int64_t k, int layout, bool lib, uint64_t *seed) {
  array in[2] = {filled(t, (int)a[0], a + 1, -3, 3, seed), filled(t, (int)b[0], b + 1, -3, 3, seed)};
  array laid[2] = {array_layout(&in[0], layout), array_layout(&in[1], (layout + 1) % LAYOUT_COUNT)};
  array y;
  array_run(OP_matmul, laid, 2, NULL, lib, &y, NULL);
  int64_t matrices_a = type_size(&in[0].a.type) / (m * k), matrices_b = type_size(&in[1].a.type) / (n * k);
  assert_int_equal(type_size(&y.a.type), batch * m * n);
  for (int64_t i = 0; i < batch * m * n; i++) {
    int64_t matrix = i / (m * n), row = i / n % m, column = i % n;
    real re = 0, im = 0, size = 0;
    for (int64_t l = 0; l < k; l++) {
      double p[2], q[2];
      array_get(&in[0], (matrix % matrices_a * m + row) * k + l, p);
      array_get(&in[1], (matrix % matrices_b * k + l) * n + column, q);
      re += (real)p[0] * (real)q[0] - (real)p[1] * (real)q[1];
      im += (real)p[0] * (real)q[1] + (real)p[1] * (real)q[0];
      size += fabsl((real)p[0] * (real)q[0]) + 1;
    }
    double got[2];
    array_get(&y, i, got);
    double tolerance = (double)size * tme_dtype_epsilon(dtype_wide(t)) + fabs((double)re) * tme_dtype_epsilon(t);
    if (t == TME_U8) re = (real)((int64_t)re & 255);
    if (t == TME_I8) re = (real)(int8_t)(int64_t)re;
    expect_near("matmul", got[0], (double)re, 3 * tolerance);
    expect_near("matmul", got[1], (double)im, 3 * tolerance);
  }
  for (int i = 0; i < 2; i++) {
    array_free(&in[i]);
    array_free(&laid[i]);
  }
  array_free(&y);
}

static void matmuls(void **state) {
  (void)state;
  uint64_t seed = 7;
  for (int t = TME_U8; t < TME_DTYPE_COUNT; t++)
    for (int layout = 0; layout < LAYOUT_COUNT; layout++)
      for (int lib = 0; lib < 2; lib++) {
        tme_dtype type = (tme_dtype)t;
        check_product(type, (int64_t[]){2, 7, 30}, (int64_t[]){2, 30, 9}, 1, 7, 9, 30, layout, lib, &seed);
        check_product(type, (int64_t[]){3, 2, 3, 4}, (int64_t[]){2, 4, 5}, 2, 3, 5, 4, layout, lib, &seed);
        check_product(type, (int64_t[]){2, 3, 4}, (int64_t[]){3, 2, 4, 5}, 2, 3, 5, 4, layout, lib, &seed);
        check_product(type, (int64_t[]){1, 6}, (int64_t[]){1, 6}, 1, 1, 1, 6, layout, lib, &seed);
        check_product(type, (int64_t[]){1, 6}, (int64_t[]){2, 6, 5}, 1, 1, 5, 6, layout, lib, &seed);
        check_product(type, (int64_t[]){3, 2, 3, 6}, (int64_t[]){1, 6}, 2, 3, 1, 6, layout, lib, &seed);
        check_product(type, (int64_t[]){2, 5, 1}, (int64_t[]){2, 1, 5}, 1, 5, 5, 1, layout, lib, &seed);
      }
  /* nothing to sum */
  array in[2] = {array_new(TME_F32, 2, (int64_t[]){2, 0}), array_new(TME_F32, 2, (int64_t[]){0, 3})};
  for (int lib = 0; lib < 2; lib++) {
    array y;
    array_run(OP_matmul, in, 2, NULL, lib, &y, NULL);
    for (int64_t i = 0; i < 6; i++) assert_true(array_real(&y, i) == 0);
    array_free(&y);
  }
  array_free(&in[0]);
  array_free(&in[1]);
}

/* One query's result and weights against the formula. */
static void check_query(const array *in, const array *y, const array *w, const op_attrs *a, int64_t hq, int64_t hk,
                        int64_t n, int64_t m, int64_t d, int64_t e, int64_t head, int64_t i, double tolerance) {
  real score[32], sum = 0, most = -INFINITY;
  int64_t kv = head / (hq / hk);
  for (int64_t j = 0; j < m; j++) {
    score[j] = 0;
    for (int64_t l = 0; l < d; l++)
      score[j] += (real)array_real(&in[0], (head * n + i) * d + l) * (real)array_real(&in[1], (kv * m + j) * d + l);
    score[j] *= (real)a->attention.scale;
    if (in[3].block && in[3].a.type.dtype == TME_BOOL && array_real(&in[3], i * m + j) == 0) score[j] = -INFINITY;
    if (in[3].block && in[3].a.type.dtype != TME_BOOL) score[j] += (real)array_real(&in[3], i * m + j);
    if (a->attention.causal && j > i + m - n) score[j] = -INFINITY;
    most = score[j] > most ? score[j] : most;
  }
  for (int64_t j = 0; j < m; j++) sum += score[j] = expl(score[j] - most);
  for (int64_t j = 0; j < m; j++)
    expect_near("weights", array_real(w, (head * n + i) * m + j), (double)(score[j] / sum), tolerance);
  for (int64_t l = 0; l < e; l++) {
    real want = 0;
    for (int64_t j = 0; j < m; j++) want += score[j] / sum * (real)array_real(&in[2], (kv * m + j) * e + l);
    expect_near("attention", array_real(y, (head * n + i) * e + l), (double)want, tolerance);
  }
}

static void attentions(void **state) {
  (void)state;
  static const tme_dtype types[] = {TME_F16, TME_BF16, TME_F32, TME_F64};
  uint64_t seed = 8;
  enum { HQ = 4, N = 5, M = 9, D = 6, E = 3 };
  for (int t = 0; t < COUNT(types); t++)
    for (int hk = 1; hk <= HQ; hk *= 2)
      for (int mask = 0; mask < 3; mask++)
        for (int causal = 0; causal < 2; causal++) {
          array in[4] = {filled(types[t], 3, (int64_t[]){HQ, N, D}, -1, 1, &seed),
                         filled(types[t], 3, (int64_t[]){hk, M, D}, -1, 1, &seed),
                         filled(types[t], 3, (int64_t[]){hk, M, E}, -1, 1, &seed),
                         {.block = NULL}};
          if (mask) in[3] = filled(mask == 1 ? TME_BOOL : types[t], 2, (int64_t[]){N, M}, -1, 1, &seed);
          /* the last query may look at no key: NaN */
          for (int64_t i = 0; mask == 1 && i < N - 1; i++) array_set_real(&in[3], i * M, 1);
          for (int64_t j = 0; mask == 1 && j < M; j++) array_set_real(&in[3], (N - 1) * M + j, 0);
          op_attrs a = {.attention = {causal ? 0.5 : (double)NAN, causal}};
          op_attrs b = {.weights = {causal ? 0.5 : (double)NAN, causal}};
          array y = array_op(OP_scaled_dot_product_attention, in, 4, &a);
          array w = array_op(OP_attention_weights, (array[]){in[0], in[1], in[3]}, 3, &b);
          if (!causal) a.attention.scale = 1 / sqrt((double)D);
          for (int64_t head = 0; head < HQ; head++)
            for (int64_t i = 0; i < N; i++)
              check_query(in, &y, &w, &a, HQ, hk, N, M, D, E, head, i, 8 * tme_dtype_epsilon(types[t]));
          for (int i = 0; i < 4; i++) array_free(&in[i]);
          array_free(&y);
          array_free(&w);
        }
}

/* ---- views ----------------------------------------------------------------------------------------------------------- */

/* The copy that the kernel makes equals the view, from any layout. */
static array both_ways(int op, const array *x, const op_attrs *attrs) {
  array y = array_op(op, x, 1, attrs);
  for (int layout = 0; layout < LAYOUT_COUNT; layout++) {
    array v = array_layout(x, layout), z = array_op(op, &v, 1, attrs);
    const op_type *in = &v.a.type;
    op_type type;
    op_attrs a = *attrs;
    error e = {0};
    op_call c = {.op = op, .nin = 1, .in = &in, .attrs = &a, .default_float = TME_F32};
    assert_int_equal(op_infer(&c, &type, &e), TME_OK);
    assert_memory_equal(z.a.data, y.a.data, y.bytes);
    array view = {.block = v.block};
    if (reference_view(op, &v.a, &a, &type, &view.a)) {
      assert_true(type_same_shape(&view.a.type, &y.a.type));
      for (int64_t i = 0; i < type_size(&type); i++) assert_true(array_real(&view, i) == array_real(&y, i));
    } else {
      assert_true(op == OP_pad || (op == OP_reshape && layout != LAYOUT_CONTIGUOUS));
    }
    array_free(&v);
    array_free(&z);
  }
  return y;
}

static void views(void **state) {
  (void)state;
  array x = array_new(TME_I32, 3, (int64_t[]){2, 3, 4});
  for (int64_t i = 0; i < 24; i++) array_set_real(&x, i, (double)i);
  op_attrs a = {.view = {.axes = {3, {2, 0, 1}}}};
  array y = both_ways(OP_transpose, &x, &a);
  for (int64_t i = 0; i < 24; i++) assert_true(array_real(&y, i) == (double)(i % 3 * 4 + i / 3 % 2 * 12 + i / 6));
  array_free(&y);

  static const int64_t shapes[][6] = {{1, 24},      {2, 6, 4},           {4, 2, 1, 3, 4},
                                      {3, 4, 3, 2}, {5, 1, 2, 1, 12, 1}, {3, 2, -1, 6}};
  for (int i = 0; i < COUNT(shapes); i++) {
    op_attrs r = {.view = {.shape.n = (int)shapes[i][0]}};
    memcpy(r.view.shape.v, &shapes[i][1], sizeof(int64_t) * (size_t)shapes[i][0]);
    y = both_ways(OP_reshape, &x, &r);
    for (int64_t k = 0; k < 24; k++) assert_true(array_real(&y, k) == (double)k);
    array_free(&y);
  }
  op_attrs s = {
      .view = {.start = {3, {1, TME_NONE, TME_NONE}}, .stop = {3, {TME_NONE, TME_NONE, 0}}, .step = {3, {1, -2, -1}}}};
  y = both_ways(OP_slice, &x, &s); /* x[1:, ::-2, :0:-1] */
  assert_true(type_size(&y.a.type) == 6);
  for (int64_t i = 0; i < 6; i++) assert_true(array_real(&y, i) == (double)(12 + (2 - i / 3 * 2) * 4 + 3 - i % 3));
  array_free(&y);
  op_attrs f = {.dims = {.axes = axes_from_mask(5)}};
  y = both_ways(OP_flip, &x, &f);
  for (int64_t i = 0; i < 24; i++)
    assert_true(array_real(&y, i) == (double)((1 - i / 12) * 12 + i / 4 % 3 * 4 + 3 - i % 4));
  array_free(&y);
  op_attrs p = {.view = {.before = {3, {0, 1, 2}}, .after = {3, {1, 0, 0}}, .value = number_of_int(-7)}};
  y = both_ways(OP_pad, &x, &p);
  for (int64_t i = 0; i < 3 * 4 * 6; i++) {
    int64_t at[3] = {i / 24, i / 6 % 4 - 1, i % 6 - 2};
    bool inside = at[0] < 2 && at[1] >= 0 && at[2] >= 0;
    assert_true(array_real(&y, i) == (inside ? (double)(at[0] * 12 + at[1] * 4 + at[2]) : -7));
  }
  array_free(&y);
  op_attrs e = {.dims = {.axes = axes_from_mask(2)}};
  y = both_ways(OP_expand_dims, &x, &e);
  op_attrs q = {0};
  array z = both_ways(OP_squeeze, &y, &q);
  assert_true(y.a.type.rank == 4 && z.a.type.rank == 3);
  array_free(&y);
  array_free(&z);
  array row = array_new(TME_F64, 2, (int64_t[]){3, 1});
  array_set_real(&row, 1, 5);
  op_attrs b = {.view = {.shape = {3, {2, 3, 2}}}};
  y = both_ways(OP_broadcast_to, &row, &b);
  for (int64_t i = 0; i < 12; i++) assert_true(array_real(&y, i) == (i / 2 % 3 == 1 ? 5 : 0));
  array_free(&y);
  array_free(&row);
  array_free(&x);
}

static void joins(void **state) {
  (void)state;
  uint64_t seed = 9;
  array in[3] = {filled(TME_F32, 2, (int64_t[]){2, 3}, 0, 9, &seed), filled(TME_F64, 2, (int64_t[]){2, 1}, 0, 9, &seed),
                 filled(TME_I8, 2, (int64_t[]){2, 0}, 0, 9, &seed)};
  op_attrs a = {.concatenate = {1}};
  array y = array_op(OP_concatenate, in, 3, &a);
  assert_true(y.a.type.dtype == TME_F64 && y.a.type.shape[1] == 4);
  for (int64_t i = 0; i < 8; i++)
    assert_true(array_real(&y, i) == (i % 4 < 3 ? array_real(&in[0], i / 4 * 3 + i % 4) : array_real(&in[1], i / 4)));
  array_free(&y);
  array laid[2] = {array_layout(&in[0], LAYOUT_COLUMNS), array_layout(&in[0], LAYOUT_REVERSED)};
  for (int axis = 0; axis < 3; axis++) {
    op_attrs s = {.stack = {axis}};
    y = array_op(OP_stack, laid, 2, &s);
    for (int64_t i = 0; i < 12; i++) {
      int64_t of = axis == 0 ? i % 6 : axis == 1 ? i / 6 * 3 + i % 3 : i / 2;
      assert_true(array_real(&y, i) == array_real(&in[0], of));
    }
    array_free(&y);
  }
  for (int i = 0; i < 3; i++) array_free(&in[i]);
  array_free(&laid[0]);
  array_free(&laid[1]);
}

static void takes(void **state) {
  (void)state;
  uint64_t seed = 10;
  array in[2] = {filled(TME_C128, 3, (int64_t[]){3, 5, 2}, 0, 9, &seed), array_new(TME_I16, 2, (int64_t[]){2, 2})};
  static const int index[] = {4, -1, 0, -5};
  for (int i = 0; i < 4; i++) array_set_real(&in[1], i, index[i]);
  op_attrs a = {.take = {-2}};
  array y = array_op(OP_take, in, 2, &a);
  for (int64_t i = 0; i < 24; i++) {
    int64_t from = index[i / 2 % 4] < 0 ? index[i / 2 % 4] + 5 : index[i / 2 % 4];
    assert_true(array_real(&y, i) == array_real(&in[0], i / 8 * 10 + from * 2 + i % 2));
  }
  array_free(&y);
  array_set_real(&in[1], 3, 7);
  error e;
  assert_int_equal(array_run(OP_take, in, 2, &a, false, &y, &e), TME_ERR_INDEX);
  assert_string_equal(e.text, "take: index 7 at position 3 is out of range for axis 1 with extent 5");
  array_free(&y);
  array_free(&in[0]);
  array_free(&in[1]);
}

static void creation(void **state) {
  (void)state;
  static const tme_dtype types[] = {TME_BOOL, TME_U8, TME_I64, TME_F16, TME_F32, TME_F64, TME_C64};
  for (int t = 0; t < COUNT(types); t++) {
    op_attrs shape = {.create = {.shape = {2, {3, 2}}, .dtype = types[t], .value = number_of_int(1)}};
    array zeros = array_op(OP_zeros, NULL, 0, &shape), ones = array_op(OP_ones, NULL, 0, &shape);
    array full = array_op(OP_full, NULL, 0, &shape);
    op_attrs e = {.create = {.rows = 3, .columns = 5, .k = 1, .dtype = types[t]}};
    array eye = array_op(OP_eye, NULL, 0, &e);
    e.create.k = -2;
    array low = array_op(OP_eye, NULL, 0, &e);
    for (int64_t i = 0; i < 6; i++)
      assert_true(array_real(&zeros, i) == 0 && array_real(&ones, i) == 1 && array_real(&full, i) == 1);
    for (int64_t i = 0; i < 15; i++) {
      assert_true(array_real(&eye, i) == (i / 5 + 1 == i % 5));
      assert_true(array_real(&low, i) == (i / 5 - 2 == i % 5));
    }
    array_free(&zeros);
    array_free(&ones);
    array_free(&full);
    array_free(&eye);
    array_free(&low);
  }
  op_attrs ints = {.create = {.start = number_of_int(10), .stop = number_of_int(-5), .step = number_of_int(-3)}};
  op_attrs reals = {.create = {.start = number_of_int(0), .stop = number_of_int(1), .step = number_of_double(0.1)}};
  ints.create.dtype = TME_I32;
  reals.create.dtype = TME_F64;
  array a = array_op(OP_arange, NULL, 0, &ints), b = array_op(OP_arange, NULL, 0, &reals);
  for (int64_t i = 0; i < 5; i++) assert_true(array_real(&a, i) == (double)(10 - 3 * i));
  for (int64_t i = 0; i < 10; i++) assert_true(array_real(&b, i) == (double)i * 0.1);
  op_attrs line = {.create = {.start = number_of_int(-1), .stop = number_of_double(0.7), .num = 11, .endpoint = true}};
  op_attrs open = {.create = {.start = number_of_int(0), .stop = number_of_int(1), .num = 4, .dtype = TME_F32}};
  line.create.dtype = TME_F64;
  array l = array_op(OP_linspace, NULL, 0, &line), o = array_op(OP_linspace, NULL, 0, &open);
  assert_true(array_real(&l, 0) == -1 && array_real(&l, 10) == 0.7 && array_real(&o, 3) == 0.75);
  array_free(&a);
  array_free(&b);
  array_free(&l);
  array_free(&o);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

/* Every kernel that allocates reports when it cannot, and leaves nothing behind. */
static void without_memory(void **state) {
  (void)state;
  uint64_t seed = 11;
  array in[4] = {filled(TME_F16, 2, (int64_t[]){6, 6}, 1, 2, &seed),
                 filled(TME_F16, 2, (int64_t[]){6, 6}, 1, 2, &seed),
                 filled(TME_F16, 2, (int64_t[]){6, 6}, 1, 2, &seed),
                 {.block = NULL}};
  array indices = array_new(TME_I32, 1, (int64_t[]){3}), row = filled(TME_F16, 1, (int64_t[]){6}, 1, 2, &seed);
  array take_in[2] = {in[0], indices}, norm_in[3] = {in[0], row, row};
  const struct {
    int op, nin;
    const array *in;
    op_attrs a;
  } calls[] = {{OP_mean, 1, in, attrs_over(OP_mean, 1, false)},
               {OP_softmax, 1, in, {.softmax = {axes_from_mask(1)}}},
               {OP_layer_norm, 3, norm_in, {.norm = {1}}},
               {OP_matmul, 2, in, {0}},
               {OP_take, 2, take_in, {.take = {0}}},
               {OP_svd, 1, in, {.svd = {true}}},
               {OP_scaled_dot_product_attention, 4, in, {.attention = {.scale = 1}}},
               {OP_attention_weights, 3, &in[1], {.weights = {.scale = 1}}}};
  for (int i = 0; i < COUNT(calls); i++)
    for (int lib = 0; lib < 2; lib++) {
      tme_status s = TME_ERR_MEMORY;
      for (long k = 1; s == TME_ERR_MEMORY; k++) {
        array out[3] = {{.block = NULL}};
        error e;
        long live = mem_live();
        mem_fail_at(k, false);
        s = array_run(calls[i].op, calls[i].in, calls[i].nin, &calls[i].a, lib, out, &e);
        mem_fail_at(0, false);
        assert_int_equal(mem_live(), live);
        if (k == 1) assert_int_equal(s, TME_ERR_MEMORY);
        if (s != TME_OK) assert_non_null(strstr(e.text, "out of memory"));
        for (int o = 0; o < 3; o++) array_free(&out[o]);
      }
      assert_int_equal(s, TME_OK);
    }
  for (int i = 0; i < 3; i++) array_free(&in[i]);
  array_free(&indices);
  array_free(&row);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reductions),    cmocka_unit_test(reductions_of_specials),
      cmocka_unit_test(long_sums),     cmocka_unit_test(statistics),
      cmocka_unit_test(argreductions), cmocka_unit_test(softmaxes),
      cmocka_unit_test(norms),         cmocka_unit_test(matmuls),
      cmocka_unit_test(attentions),    cmocka_unit_test(views),
      cmocka_unit_test(joins),         cmocka_unit_test(takes),
      cmocka_unit_test(creation),      cmocka_unit_test(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
