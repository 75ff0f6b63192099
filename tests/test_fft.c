/* Discrete Fourier transforms: roots of unity, sums in long double, any order of rows and number of threads. */
#include "backend/reference/fft_rows.h"
#include "base/smooth.h"
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

static const long double pi = 3.14159265358979323846264338327950288L;

static void roots_are_exact(void **state) {
  (void)state;
  static const int64_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 12, 1000, 1 << 20, 1000003, ((int64_t)1 << 40) + 15};
  for (int i = 0; i < COUNT(lengths); i++)
    for (int k = 0; k < 1000; k++) {
      int64_t n = lengths[i],
              at = (int64_t)(((long double)k * 7919 / 1000 - (long double)(k * 7919 / 1000)) * (long double)n);
      c128 r = fft_root(at, n);
      long double angle = 2 * pi * (long double)at / (long double)n;
      assert_true(fabsl(r.re - cosl(angle)) < 1.2e-16L && fabsl(r.im + sinl(angle)) < 1.2e-16L);
    }
  assert_true(fft_root(3, 4).re == 0 && fft_root(3, 4).im == 1 && fft_root(1, 2).re == -1);
}

static void good_lengths(void **state) {
  (void)state;
  for (int64_t n = 1; n < 3000; n++) {
    int64_t want = n;
    for (;; want++) {
      int64_t rest = want;
      while (rest % 2 == 0) rest /= 2;
      while (rest % 3 == 0) rest /= 3;
      while (rest % 5 == 0) rest /= 5;
      if (rest == 1) break;
    }
    assert_int_equal(smooth_length(n), want);
  }
}

/* Of the first element of each row on, with an error of at most a few eps log2(n) of the norm. */
static void check_sums(const array *x, const array *y, int64_t n, bool inverse, double eps) {
  long double complex *root = malloc((size_t)n * sizeof *root);
  assert_non_null(root);
  for (int64_t k = 0; k < n; k++) {
    long double angle = (inverse ? 2 : -2) * pi * (long double)k / (long double)n;
    root[k] = cosl(angle) + sinl(angle) * I;
  }
  int64_t rows = type_size(&x->a.type) / n;
  for (int64_t r = 0; r < rows; r++) {
    long double norm = 0;
    for (int64_t k = 0; k < n; k++) {
      double v[2];
      array_get(x, r * n + k, v);
      norm += (long double)v[0] * v[0] + (long double)v[1] * v[1];
    }
    norm = sqrtl(norm) / (inverse ? (long double)n : 1);
    for (int64_t k = 0; k < n; k++) {
      long double complex sum = 0;
      double v[2];
      for (int64_t j = 0; j < n; j++) {
        array_get(x, r * n + j, v);
        sum += (v[0] + v[1] * (long double complex)I) * root[j * k % n];
      }
      if (inverse) sum /= (long double)n;
      array_get(y, r * n + k, v);
      long double wrong = cabsl(sum - (v[0] + v[1] * (long double complex)I));
      if (wrong > (2 + log2((double)n)) * eps * norm)
        fail_msg("n %d, row %d, element %d: %Lg of %Lg", (int)n, (int)r, (int)k, wrong, norm);
    }
  }
  free(root);
}

static void sums(void **state) {
  (void)state;
  uint64_t seed = 3;
  for (int64_t n = 1; n <= 200; n++)
    for (int turn = 0; turn < 4; turn++) {
      tme_dtype t = turn & 1 ? TME_C64 : TME_C128;
      op_attrs a = {.fft = {.n = n, .axis = 1}};
      array x = array_new(t, 2, (int64_t[]){n % 3 ? 1 : 9, n});
      array_fill(&x, -1, 1, &seed);
      array y = array_op(turn & 2 ? OP_ifft : OP_fft, &x, 1, &a);
      check_sums(&x, &y, n, turn & 2, t == TME_C64 ? FLT_EPSILON : DBL_EPSILON);
      array_free(&x);
      array_free(&y);
    }
}

/* Rows are transformed alike whatever lies beside them and however many threads there are. */
static void same_bits(void **state) {
  (void)state;
  static const int64_t lengths[] = {7, 32, 64, 67, 1000, 40000, 65536};
  uint64_t seed = 5;
  threads *pool = threads_new(3, NULL);
  assert_non_null(pool);
  for (int i = 0; i < COUNT(lengths); i++)
    for (int op = OP_fft; op <= OP_irfft; op++) {
      int64_t n = lengths[i], rows = n > 2000 ? 2 : 19;
      array x = array_new(op == OP_rfft ? TME_F32 : TME_C64, 2, (int64_t[]){rows, op == OP_irfft ? n / 2 + 1 : n});
      array_fill(&x, -1, 1, &seed);
      op_attrs a = {.fft = {.n = n, .axis = 1}};
      array want = array_op(op, &x, 1, &a), one = array_new(want.a.type.dtype, 2, want.a.type.shape);
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        array y = array_layout(&x, l);
        const ref_array *in[] = {&y.a};
        ref_call c = {.op = op, .nin = 1, .in = in, .attrs = &a, .out = &one.a, .nout = 1, .threads = pool};
        assert_int_equal(reference_run(&c, NULL), TME_OK);
        size_t bytes = (size_t)type_size(&one.a.type) * tme_dtype_size(one.a.type.dtype);
        if (memcmp(one.a.data, want.a.data, bytes)) fail_msg("%s of %d numbers, layout %d", op_name(op), (int)n, l);
        array_free(&y);
      }
      array_free(&x);
      array_free(&want);
      array_free(&one);
    }
  threads_free(pool);
}

/* Kept while there are users, and gone with the last one. */
static void plans(void **state) {
  (void)state;
  long live = mem_live();
  error e = {0};
  fft_plan *p = fft_plan_get(60, true, false, &e);
  assert_non_null(p);
  fft_plan_release(p);
  assert_int_equal(mem_live(), live);
  fft_plans_use();
  p = fft_plan_get(2 * 67, false, true, &e);
  fft_plan *again = fft_plan_get(2 * 67, false, true, &e);
  assert_ptr_equal(p, again);
  fft_plan_release(p);
  fft_plan_release(again);
  fft_plans_leave();
  assert_int_equal(mem_live(), live);
}

static void out_of_memory(void **state) {
  (void)state;
  static const int64_t lengths[] = {30, 2 * 67, 40000};
  uint64_t seed = 5;
  for (int i = 0; i < COUNT(lengths); i++) {
    int64_t n = lengths[i];
    array x = array_new(TME_F64, 1, &n), y = array_new(TME_C128, 1, (int64_t[]){n / 2 + 1});
    array_fill(&x, -1, 1, &seed);
    op_attrs a = {.fft = {.n = n}};
    const ref_array *in[] = {&x.a};
    ref_call c = {.op = OP_rfft, .nin = 1, .in = in, .attrs = &a, .out = &y.a, .nout = 1};
    long live = mem_live();
    tme_status s = TME_ERR_MEMORY;
    for (long k = 1; s != TME_OK; k++) {
      error e = {0};
      mem_fail_at(k, false);
      s = reference_run(&c, &e);
      mem_fail_at(0, false);
      assert_true(s == TME_OK || (s == TME_ERR_MEMORY && e.code == s));
      assert_int_equal(mem_live(), live);
    }
    array_free(&x);
    array_free(&y);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(roots_are_exact), cmocka_unit_test(good_lengths), cmocka_unit_test(sums),
      cmocka_unit_test(same_bits),       cmocka_unit_test(plans),        cmocka_unit_test(out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
