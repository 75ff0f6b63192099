/* The kernels' expressions, interpreted, against the reference kernels' C. */
#include "kernel/expr.h"
#include "support/arrays.h"
#include "support/kernel_interp.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 600 };

static expr_value load(kernel *k, tme_dtype t, int row) {
  bool pair = dtype_is_complex(t);
  int buf = k_buf_add(k, BUF_IN, dtype_real(t), 0, SAMPLES * (pair ? 2 : 1)), at = ix_mul(k, row, pair ? 2 : 1);
  expr_value v = {k_cast(k, dtype_held(t), k_load(k, k_access_add(k, buf, at))), -1};
  if (pair) v.im = k_load(k, k_access_add(k, buf, ix_add(k, at, ix_const(k, 1))));
  return v;
}

static void store(kernel *k, tme_dtype t, int row, expr_value v) {
  bool pair = dtype_is_complex(t);
  int buf = k_buf_add(k, BUF_OUT, dtype_real(t), 0, SAMPLES * (pair ? 2 : 1)), at = ix_mul(k, row, pair ? 2 : 1);
  k_store(k, k_access_add(k, buf, at), k_cast(k, dtype_real(t), v.re));
  if (pair) k_store(k, k_access_add(k, buf, ix_add(k, at, ix_const(k, 1))), v.im);
}

/* One loop over all samples; the operation, or a cast if op is OP_astype. */
static array by_kernel(int op, tme_dtype t, const array *in, int nin, tme_dtype to) {
  kernel *k = kernel_new(op_name(op));
  assert_non_null(k);
  int axis = k_axis_add(k, SAMPLES, AXIS_PARALLEL, 1, 1), loop = k_loop(k, axis), row = ix_axis(k, axis);
  expr_value v[3], y;
  void *buf[4];
  for (int i = 0; i < nin; i++) {
    v[i] = load(k, in[i].a.type.dtype, row);
    buf[i] = in[i].a.data;
  }
  y = op == OP_astype ? expr_cast(k, v[0], t, to) : expr_emit(k, op, t, v);
  store(k, to, row, y);
  k_end(k, loop);
  error e = {0};
  array out = array_new(to, 1, (int64_t[]){SAMPLES});
  buf[nin] = out.a.data;
  if (kernel_finish(k, &e) != TME_OK || kernel_verify(k, &e) != TME_OK ||
      kernel_interp(k, buf, NULL, NULL, 0, SAMPLES, &e) != TME_OK)
    fail_msg("%s of %s: %s", op_name(op), tme_dtype_name(t), e.text);
  kernel_free(k);
  return out;
}

/* Units in the last place between two results of a dtype. */
static double distance(tme_dtype t, double a, double b) {
  if (a == b || (isnan(a) && isnan(b))) return 0;
  if (isnan(a) || isnan(b)) return HUGE_VAL;
  const dtype_info *d = dtype_get(dtype_is_float(t) ? t : TME_F64);
  int exponent;
  frexp(b, &exponent);
  return fabs(a - b) / fmax(ldexp(1, exponent - d->digits), d->least);
}

static const double specials[] = {0, -0.0, 1, -1, 2, 0.5, INFINITY, -INFINITY, NAN};

static array operand(tme_dtype t, const op_def *d, int which, uint64_t *seed) {
  array x = array_new(t, 1, (int64_t[]){SAMPLES});
  array_fill(&x, d->lo, d->hi, seed);
  for (int i = 0; t != TME_BOOL && i < COUNT(specials) * COUNT(specials); i++) {
    double v = specials[which ? i % COUNT(specials) : i / COUNT(specials)];
    if (!dtype_is_complex(t) || isfinite(v)) array_set_real(&x, i, v);
  }
  return x;
}

static void check(int op, tme_dtype t, uint64_t *seed) {
  const op_def *d = op_get(op);
  array in[3] = {{.block = NULL}};
  for (int i = 0; i < d->ninputs; i++) in[i] = operand(d->rule == RULE_WHERE && i == 0 ? TME_BOOL : t, d, i, seed);
  array want = array_op(op, in, d->ninputs, NULL);
  tme_dtype result = want.a.type.dtype, real = dtype_real(result);
  array got = by_kernel(op, t, in, d->ninputs, result);
  double allowed = dtype_is_float(real) ? fmax(d->ulp + 0.5, 1) : 0;
  if (dtype_is_narrow(t)) allowed = 1;
  for (int64_t i = 0; i < SAMPLES; i++) {
    double v[2], w[2];
    array_get(&got, i, v);
    array_get(&want, i, w);
    if (dtype_is_complex(t) && dtype_is_float(real)) {
      double size = hypot(w[0], w[1]), off = hypot(v[0] - w[0], v[1] - w[1]);
      double eps = real == TME_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
      if (off <= 8 * eps * size || !isfinite(size)) continue;
      fail_msg("%s of %s: %g%+gi, expected %g%+gi", d->name, tme_dtype_name(t), v[0], v[1], w[0], w[1]);
    }
    bool zeros = v[0] == 0 && w[0] == 0 && v[1] == 0 && w[1] == 0 && op != OP_maximum && op != OP_minimum &&
                 op != OP_clip && op != OP_relu;
    for (int part = 0; part < 2; part++)
      if (distance(real, v[part], w[part]) > allowed || (zeros && !signbit(v[part]) != !signbit(w[part])))
        fail_msg("%s of %s, sample %d (%g, %g), part %d: %.17g, expected %.17g", d->name, tme_dtype_name(t), (int)i,
                 array_real(&in[0], i), d->ninputs > 1 ? array_real(&in[1], i) : 0, part, v[part], w[part]);
  }
  for (int i = 0; i < d->ninputs; i++) array_free(&in[i]);
  array_free(&want);
  array_free(&got);
}

static void operations(void **state) {
  (void)state;
  uint64_t seed = 1;
  for (int op = 0; op < OP_PUBLIC_COUNT; op++)
    for (int t = 0; t < TME_DTYPE_COUNT; t++)
      if (op_get(op)->family == FAMILY_elementwise && !op_supports(op, (tme_dtype)t)) check(op, (tme_dtype)t, &seed);
}

/* What is not supported is known, and says why. */
static void unsupported(void **state) {
  (void)state;
  for (int op = 0; op < OP_PUBLIC_COUNT; op++) {
    const op_def *d = op_get(op);
    if (d->family != FAMILY_elementwise) continue;
    for (int t = 0; t < TME_DTYPE_COUNT; t++) {
      const char *why = supports_elementwise(op, (tme_dtype)t);
      bool takes = op_rule_get(d->rule)->takes & dtype_kind((tme_dtype)t);
      if (!takes) assert_non_null(why);
      if (takes && dtype_is_float((tme_dtype)t) && op != OP_nextafter) assert_null(why);
    }
  }
  assert_non_null(supports_elementwise(OP_pow, TME_I32));
  assert_non_null(supports_elementwise(OP_nextafter, TME_F16));
  assert_non_null(supports_elementwise(OP_tanh, TME_C64));
  assert_null(supports_elementwise(OP_nextafter, TME_F32));
  assert_null(supports_elementwise(OP_divide, TME_C128));
}

/* Bit for bit, as is the arithmetic of complex numbers. */
static void exactly_equal(void **state) {
  (void)state;
  static const int ops[] = {OP_add, OP_subtract, OP_multiply, OP_divide, OP_abs, OP_sign};
  uint64_t seed = 2;
  for (int type = TME_C64; type <= TME_C128; type++)
    for (int i = 0; i < COUNT(ops); i++) {
      const op_def *d = op_get(ops[i]);
      array in[2] = {operand((tme_dtype)type, d, 0, &seed), operand((tme_dtype)type, d, 1, &seed)};
      array want = array_op(ops[i], in, d->ninputs, NULL);
      array got = by_kernel(ops[i], (tme_dtype)type, in, d->ninputs, want.a.type.dtype);
      for (int64_t k = 0; k < SAMPLES; k++) {
        double v[2], w[2];
        array_get(&got, k, v);
        array_get(&want, k, w);
        for (int part = 0; part < 2; part++)
          if (v[part] != w[part] && !(isnan(v[part]) && isnan(w[part])))
            fail_msg("%s: %a, expected %a", d->name, v[part], w[part]);
      }
      array_free(&in[0]);
      array_free(&in[1]);
      array_free(&want);
      array_free(&got);
    }
}

static void casts(void **state) {
  (void)state;
  uint64_t seed = 3;
  for (int from = 0; from < TME_DTYPE_COUNT; from++)
    for (int to = 0; to < TME_DTYPE_COUNT; to++) {
      if (dtype_is_complex((tme_dtype)from) && !dtype_is_complex((tme_dtype)to) && to != TME_BOOL) continue;
      if (dtype_no_kernels((tme_dtype)from) || dtype_no_kernels((tme_dtype)to)) continue;
      array x = array_new((tme_dtype)from, 1, (int64_t[]){SAMPLES});
      array_fill(&x, -1000, 1000, &seed);
      static const double edges[] = {0,        1,         -1,      127,    128,    255,    256,     65519,
                                     65520,    0x1p31,    -0x1p31, 0x1p32, 0x1p63, 0x1p64, -0x1p63, 1e300,
                                     INFINITY, -INFINITY, NAN,     0.5,    -0.5,   1e-5,   1e-45,   3e38};
      for (int i = 0; i < COUNT(edges); i++) array_set_real(&x, i, edges[i]);
      op_attrs a = {.cast = {to}};
      array want = array_op(OP_astype, &x, 1, &a), got = by_kernel(OP_astype, (tme_dtype)from, &x, 1, (tme_dtype)to);
      for (int64_t i = 0; i < SAMPLES; i++) {
        double v[2], w[2];
        array_get(&got, i, v);
        array_get(&want, i, w);
        if (v[0] != w[0] && !(isnan(v[0]) && isnan(w[0])))
          fail_msg("%s %g to %s: %.17g, expected %.17g", tme_dtype_name((tme_dtype)from), array_real(&x, i),
                   tme_dtype_name((tme_dtype)to), v[0], w[0]);
      }
      array_free(&x);
      array_free(&want);
      array_free(&got);
    }
}

static void constants(void **state) {
  (void)state;
  for (int t = 0; t < TME_DTYPE_COUNT; t++) {
    if (dtype_no_kernels((tme_dtype)t)) continue;
    kernel *k = kernel_new("constant");
    int axis = k_axis_add(k, SAMPLES, AXIS_PARALLEL, 1, 1), loop = k_loop(k, axis);
    uint64_t bits[2];
    literal_bits((tme_dtype)t, 1, bits);
    store(k, (tme_dtype)t, ix_axis(k, axis), expr_const(k, (tme_dtype)t, bits));
    k_end(k, loop);
    array out = array_new((tme_dtype)t, 1, (int64_t[]){SAMPLES});
    void *buf[1] = {out.a.data};
    error e = {0};
    assert_int_equal(kernel_finish(k, &e), TME_OK);
    assert_int_equal(kernel_interp(k, buf, NULL, NULL, 0, SAMPLES, &e), TME_OK);
    double v[2];
    array_get(&out, 5, v);
    assert_true(v[0] == 1 && v[1] == 0);
    kernel_free(k);
    array_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(operations), cmocka_unit_test(unsupported),
                                     cmocka_unit_test(exactly_equal), cmocka_unit_test(casts),
                                     cmocka_unit_test(constants)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
