/* Linear algebra by LAPACK and by the own functions, each other's oracle; failures of one matrix of a batch, and of memory. */
#include "support/arrays.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What outweighs the rest on the diagonal of (2, n, n). */
static array dominant(tme_dtype t, int64_t n, uint64_t *seed) {
  array x = array_new(t, 3, (int64_t[]){2, n, n});
  array_fill(&x, -1, 1, seed);
  for (int64_t i = 0; i < 2 * n; i++) array_set_real(&x, i / n * n * n + i % n * (n + 1), 3 * (double)n);
  return x;
}

typedef struct call {
  int op, nin;
  op_attrs a;
} call;

/* Those whose results are unique, up to rounding. */
static const call unique[] = {{OP_qr, 1, {.factor = {.mode = FACTOR_MODE_REDUCED}}},
                              {OP_lu, 1, {0}},
                              {OP_lu_factor, 1, {0}},
                              {OP_cholesky, 1, {.factor = {.upper = false}}},
                              {OP_cholesky, 1, {.factor = {.upper = true}}},
                              {OP_eigvalsh, 1, {.eigen = {.uplo = EIGEN_UPLO_L}}},
                              {OP_eigvalsh, 1, {.eigen = {.uplo = EIGEN_UPLO_U}}},
                              {OP_solve, 2, {0}},
                              {OP_solve_triangular, 2, {.solve = {.upper = false}}},
                              {OP_solve_triangular, 2, {.solve = {.upper = true, .unit_diagonal = true}}},
                              {OP_inv, 1, {0}},
                              {OP_tri_inv, 1, {.inverse = {.upper = true}}},
                              {OP_slogdet, 1, {0}},
                              {OP_svdvals, 1, {0}}};

static void same(const call *c, const array *x, const array *y, double tolerance) {
  int64_t n = type_size(&x->a.type);
  double most = 1, v[2] = {0}, w[2] = {0};
  for (int64_t i = 0; i < n; i++) {
    array_get(x, i, v);
    most = fmax(most, hypot(v[0], v[1]));
  }
  for (int64_t i = 0; i < n; i++) {
    array_get(x, i, v);
    array_get(y, i, w);
    double off = hypot(v[0] - w[0], v[1] - w[1]);
    if (!(off <= tolerance * most)) fail_msg("%s: element %d is off by %g", op_name(c->op), (int)i, off);
  }
}

static void own_and_lapack(void **state) {
  (void)state;
  static const tme_dtype types[] = {TME_F16, TME_F32, TME_F64, TME_C64, TME_C128};
  uint64_t seed = 1;
  for (int t = 0; t < COUNT(types); t++)
    for (int64_t n = 1; n < 50; n = n * 2 + 1) {
      array in[2] = {dominant(types[t], n, &seed), array_new(types[t], 2, (int64_t[]){n, 2})};
      array_fill(&in[1], -1, 1, &seed);
      for (int i = 0; i < COUNT(unique); i++) {
        array out[2][3];
        for (int lib = 0; lib < 2; lib++) array_run(unique[i].op, in, unique[i].nin, &unique[i].a, lib, out[lib], NULL);
        for (int o = 0; o < op_get(unique[i].op)->outputs; o++) {
          same(&unique[i], &out[0][o], &out[1][o], 40 * (double)n * tme_dtype_epsilon(dtype_real(types[t])));
          array_free(&out[0][o]);
          array_free(&out[1][o]);
        }
      }
      array_free(&in[0]);
      array_free(&in[1]);
    }
}

typedef struct run {
  array out[OP_MAX_OUTPUTS];
  ref_call c;
} run;

static run run_on(const call *c, const array *x, bool lib, threads *t) {
  static ref_array made[OP_MAX_OUTPUTS];
  static const ref_array *in[1];
  const op_type *type = &x->a.type;
  op_attrs a = c->a;
  op_type types[OP_MAX_OUTPUTS];
  op_call asked = {.op = c->op, .nin = 1, .in = &type, .attrs = &a, .default_float = TME_F32};
  error e = {0};
  run r;
  assert_int_equal(op_infer(&asked, types, &e), TME_OK);
  for (int o = 0; o < op_get(c->op)->outputs; o++) {
    r.out[o] = array_new(types[o].dtype, types[o].rank, types[o].shape);
    made[o] = r.out[o].a;
  }
  in[0] = &x->a;
  r.c = (ref_call){.op = c->op, .nin = 1, .in = in, .attrs = &a, .out = made, .nout = op_get(c->op)->outputs};
  r.c.libraries = lib;
  r.c.threads = t;
  assert_int_equal(reference_run(&r.c, &e), TME_OK);
  return r;
}

static void free_run(run *r) {
  for (int o = 0; o < r->c.nout; o++) array_free(&r->out[o]);
}

/* The first matrix that fails is named whatever thread meets it; the others have the bits that they have without threads. */
static void failures(void **state) {
  (void)state;
  enum { MATRICES = 60, N = 18 };
  static const call calls[] = {{OP_inv, 1, {0}},  {OP_cholesky, 1, {.factor = {.upper = false}}},
                               {OP_qr, 1, {0}},   {OP_eigh, 1, {.eigen = {.uplo = EIGEN_UPLO_L}}},
                               {OP_expm, 1, {0}}, {OP_svd, 1, {.svd = {.full_matrices = true}}}};
  uint64_t seed = 2;
  array x = array_new(TME_F64, 3, (int64_t[]){MATRICES, N, N});
  array_fill(&x, -1, 1, &seed);
  for (int64_t i = 0; i < MATRICES * N; i++)
    array_set_real(&x, i / N * N * N + i % N * (N + 1), i / N % 20 == 7 ? NAN : 40);
  threads *four = threads_new(4, NULL);
  for (int i = 0; i < COUNT(calls); i++)
    for (int lib = 0; lib < 2; lib++) {
      run one = run_on(&calls[i], &x, lib, NULL), many = run_on(&calls[i], &x, lib, four);
      for (int k = 0; k < 2; k++) {
        assert_non_null((k ? &many : &one)->c.failure);
        assert_int_equal((k ? &many : &one)->c.failed_matrix, 7);
      }
      for (int o = 0; o < one.c.nout; o++) {
        int64_t n = type_size(&one.out[o].a.type);
        assert_memory_equal(one.out[o].a.data, many.out[o].a.data, (size_t)n * sizeof(double));
        for (int64_t k = 0; k < n; k++)
          assert_int_equal(isnan(array_real(&one.out[o], k)) != 0, k / (n / MATRICES) % 20 == 7);
      }
      free_run(&one);
      free_run(&many);
    }
  threads_free(four);
  array_free(&x);
}

static void without_memory(void **state) {
  (void)state;
  static const call others[] = {{OP_eigh, 1, {.eigen = {.uplo = EIGEN_UPLO_L}}},
                                {OP_eig, 1, {0}},
                                {OP_eigvals, 1, {0}},
                                {OP_expm, 1, {0}},
                                {OP_svd, 1, {.svd = {.full_matrices = true}}}};
  uint64_t seed = 3;
  for (int t = 0; t < 2; t++) {
    array in[2] = {dominant(t ? TME_C64 : TME_F32, 18, &seed), array_new(t ? TME_C64 : TME_F32, 1, (int64_t[]){18})};
    for (int i = 0; i < COUNT(unique) + COUNT(others); i++)
      for (int lib = 0; lib < 2; lib++) {
        const call *c = i < COUNT(unique) ? &unique[i] : &others[i - COUNT(unique)];
        tme_status s = TME_ERR_MEMORY;
        for (long k = 1; s == TME_ERR_MEMORY; k++) {
          array out[OP_MAX_OUTPUTS] = {{.block = NULL}};
          error e;
          long live = mem_live();
          mem_fail_at(k, false);
          s = array_run(c->op, in, c->nin, &c->a, lib, out, &e);
          mem_fail_at(0, false);
          assert_int_equal(mem_live(), live);
          if (k == 1) assert_int_equal(s, TME_ERR_MEMORY);
          if (s != TME_OK) assert_non_null(strstr(e.text, "out of memory"));
          for (int o = 0; o < OP_MAX_OUTPUTS; o++) array_free(&out[o]);
        }
        assert_int_equal(s, TME_OK);
      }
    array_free(&in[0]);
    array_free(&in[1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(own_and_lapack), cmocka_unit_test(failures),
                                     cmocka_unit_test(without_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
