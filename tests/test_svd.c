/* The singular value decomposition: identities, by LAPACK and by rotations. */
#include "support/arrays.h"
#include <complex.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double complex at(const array *x, int64_t i) {
  union {
    double part[2];
    double complex z;
  } u;
  array_get(x, i, u.part);
  return u.z;
}

static double tolerance_of(tme_dtype t) {
  switch (dtype_real(t)) {
  case TME_F64: return 1e-13;
  case TME_F32: return 2e-5;
  case TME_F16: return 2e-2;
  default: return 1e-1;
  }
}

/* `count` vectors of length n are orthonormal: rows, or columns of a matrix with `count` columns. */
static void orthonormal(const array *x, int64_t base, int64_t n, int64_t count, bool rows, double tolerance) {
  for (int64_t p = 0; p < count; p++)
    for (int64_t q = 0; q <= p; q++) {
      double complex dot = 0;
      for (int64_t i = 0; i < n; i++) {
        int64_t ip = rows ? p * n + i : i * count + p, iq = rows ? q * n + i : i * count + q;
        dot += conj(at(x, base + ip)) * at(x, base + iq);
      }
      if (!(cabs(dot - (p == q)) < tolerance)) fail_msg("vectors %d and %d: %g", (int)p, (int)q, cabs(dot));
    }
}

static void check(const array *x, bool full, bool lib) {
  const op_type *t = &x->a.type;
  int64_t m = t->shape[t->rank - 2], n = t->shape[t->rank - 1], k = m < n ? m : n, batch = 1;
  for (int d = 0; d < t->rank - 2; d++) batch *= t->shape[d];
  int64_t columns = full ? m : k, rows = full ? n : k;
  op_attrs a = {.svd = {full}};
  array out[3], values;
  array_run(OP_svd, x, 1, &a, lib, out, NULL);
  array_run(OP_svdvals, x, 1, NULL, lib, &values, NULL);
  double tolerance = tolerance_of(t->dtype);
  for (int64_t b = 0; b < batch; b++) {
    double most = k ? array_real(&out[1], b * k) : 0, scale = most > 0 ? most : 1;
    orthonormal(&out[0], b * m * columns, m, columns, false, tolerance);
    orthonormal(&out[2], b * rows * n, n, rows, true, tolerance);
    for (int64_t i = 0; i < k; i++) {
      double s = array_real(&out[1], b * k + i);
      assert_true(s >= 0 && (i == 0 || s <= array_real(&out[1], b * k + i - 1)));
      assert_true(fabs(s - array_real(&values, b * k + i)) <= tolerance * scale);
    }
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) {
        double complex sum = 0;
        for (int64_t l = 0; l < k; l++)
          sum += at(&out[0], (b * m + i) * columns + l) * array_real(&out[1], b * k + l) *
                 at(&out[2], (b * rows + l) * n + j);
        double off = cabs(sum - at(x, (b * m + i) * n + j));
        if (!(off <= tolerance * scale)) fail_msg("(%d, %d) is off by %g of %g", (int)i, (int)j, off, scale);
      }
  }
  for (int o = 0; o < 3; o++) array_free(&out[o]);
  array_free(&values);
}

static void identities(void **state) {
  (void)state;
  static const int64_t shapes[][4] = {{2, 1, 1}, {2, 5, 5}, {2, 9, 4}, {2, 4, 9},    {2, 1, 6},    {2, 6, 1},
                                      {2, 0, 3}, {2, 3, 0}, {2, 0, 0}, {3, 3, 4, 3}, {3, 2, 3, 4}, {3, 0, 3, 4}};
  static const tme_dtype types[] = {TME_F16, TME_BF16, TME_F32, TME_F64, TME_C64, TME_C128};
  uint64_t seed = 1;
  for (int t = 0; t < COUNT(types); t++)
    for (int i = 0; i < COUNT(shapes); i++) {
      array x = array_new(types[t], (int)shapes[i][0], &shapes[i][1]);
      array_fill(&x, -1, 1, &seed);
      for (int lib = 0; lib < 2; lib++)
        for (int full = 0; full < 2; full++) {
          array v = array_layout(&x, (i + full) % LAYOUT_COUNT);
          check(&v, full, lib);
          array_free(&v);
        }
      array_free(&x);
    }
}

/* Rank deficient, zero, huge, tiny and graded matrices. */
static void hard(void **state) {
  (void)state;
  uint64_t seed = 2;
  static const double scales[] = {1, 0, 1e300, 1e-300, 1e-310};
  for (int type = 0; type < 2; type++)
    for (int i = 0; i < COUNT(scales); i++)
      for (int wide = 0; wide < 2; wide++) {
        int64_t shape[2] = {wide ? 6 : 10, wide ? 10 : 6};
        array x = array_new(type ? TME_C128 : TME_F64, 2, shape);
        double u[10], v[10];
        for (int k = 0; k < 10; k++) u[k] = random_real(&seed), v[k] = random_real(&seed);
        for (int64_t k = 0; k < 60; k++) /* rank 1 */
          array_set_real(&x, k, scales[i] * u[k / shape[1]] * v[k % shape[1]]);
        bool exact = scales[i] == 0 || scales[i] > 1e-305; /* denormal numbers are of any rank */
        if (exact) check(&x, true, false);
        op_attrs a = {.svd = {false}};
        array out[3];
        array_run(OP_svd, &x, 1, &a, false, out, NULL);
        for (int64_t k = 1; k < 6; k++)
          assert_true(array_real(&out[1], k) <= (exact ? 1e-14 : 1e-10) * array_real(&out[1], 0));
        for (int o = 0; o < 3; o++) array_free(&out[o]);
        array_free(&x);
      }
  array graded = array_new(TME_F64, 2, (int64_t[]){8, 8});
  for (int64_t k = 0; k < 64; k++)
    array_set_real(&graded, k, (random_real(&seed) - 0.5) * pow(10, -2.0 * (double)(k % 8)));
  check(&graded, true, false);
  array_free(&graded);
  array eye = array_new(TME_F32, 2, (int64_t[]){4, 4});
  for (int64_t k = 0; k < 4; k++) array_set_real(&eye, 5 * k, -2);
  check(&eye, true, false);
  check(&eye, true, true);
  array_free(&eye);
}

/* A matrix with NaN fails alone. */
static void failures(void **state) {
  (void)state;
  uint64_t seed = 3;
  for (int lib = 0; lib < 2; lib++) {
    array x = array_new(TME_F32, 3, (int64_t[]){3, 2, 2}), out[3];
    array_fill(&x, 1, 2, &seed);
    array_set_real(&x, 5, NAN);
    ref_array made[3];
    const ref_array *in[1] = {&x.a};
    op_attrs a = {.svd = {true}};
    op_type types[3];
    const op_type *type = &x.a.type;
    error e = {0};
    op_call c = {.op = OP_svd, .nin = 1, .in = &type, .attrs = &a, .default_float = TME_F32};
    assert_int_equal(op_infer(&c, types, &e), TME_OK);
    for (int o = 0; o < 3; o++) {
      out[o] = array_new(types[o].dtype, types[o].rank, types[o].shape);
      made[o] = out[o].a;
    }
    ref_call call = {.op = OP_svd, .nin = 1, .in = in, .attrs = &a, .out = made, .nout = 3, .libraries = lib};
    assert_int_equal(reference_run(&call, &e), TME_OK);
    assert_non_null(call.failure);
    assert_int_equal(call.failed_matrix, 1);
    for (int64_t i = 0; i < 12; i++) assert_int_equal(isnan(array_real(&out[0], i)) != 0, i / 4 == 1);
    for (int64_t i = 0; i < 6; i++) assert_int_equal(isnan(array_real(&out[1], i)) != 0, i / 2 == 1);
    for (int o = 0; o < 3; o++) array_free(&out[o]);
    array_free(&x);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(identities), cmocka_unit_test(hard), cmocka_unit_test(failures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
