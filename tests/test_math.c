/* The mathematical functions made of primitives: interpreted, against the C library in long double; compiled, where the
 * LLVM module is there, against the interpreter. */
#include "backend/cpu/code.h"
#include "base/libm.h"
#include "base/special.h"
#include "kernel/math.h"
#include "emit/emit.h"
#include "support/kernel_interp.h"
#include "support/special.h"
#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 100000, CHUNK = 4096 };

typedef long double real;
typedef int unary(kernel *k, int x);
typedef int binary(kernel *k, int x, int y);
typedef int ternary(kernel *k, int x, int y, int z);

static real ldexp_ref(real x, real n) { return isnan(n) ? n : scalbnl(x, (int)fmaxl(-6000, fminl(n, 6000))); }
static real mantissa_ref(real x) {
  int exponent;
  return frexpl(x, &exponent);
}
static real lgamma_ref(real x) { return (real)lgamma((double)x); }

static real one_plus_exp_ref(real x) { return 1 + expl(x); }
static real silu_ref(real x) { return isinf(x) && x < 0 ? -0.0L : x / (1 + expl(-x)); }
static real silu2_ref(real x) { return isinf(x) && x < 0 ? -0.0L : x / (1 + exp2l(-2 * x)); }

static int silu(kernel *k, int x) { return math_over_one_plus_exp(k, x, k_un(k, K_NEG, x)); }
static int silu2(kernel *k, int x) {
  return math_over_one_plus_exp2(k, x, k_bin(k, K_MUL, x, k_const_f(k, (tme_dtype)k->inst[x].dtype, -2)));
}
static real sigmoid_ref(real x) { return 1 / (1 + expl(-x)); }

/* Allowed errors in ulp; those of f64 include the C library's where that is called. */
static const struct {
  const char *name;
  unary *make;
  real (*ref)(real);
  double f32, f64;
} unaries[] = {
    {"exp", math_exp, expl, 1.5, 1.5},
    {"exp2", math_exp2, exp2l, 1.1, 1.5},
    {"expm1", math_expm1, expm1l, 2, 2},
    {"sinh", math_sinh, sinhl, 0.6, 2.2},
    {"cosh", math_cosh, coshl, 0.6, 1.7},
    {"one_plus_exp", math_one_plus_exp, one_plus_exp_ref, 1.5, 1.5},
    {"over_one_plus_exp", silu, silu_ref, 2.5, 2.5},
    {"over_one_plus_exp2", silu2, silu2_ref, 2.5, 2.5},
    {"sigmoid", math_sigmoid, sigmoid_ref, 2.5, 2},
    {"tanh", math_tanh, tanhl, 2.5, 2},
    {"log", math_log, logl, 1, 1},
    {"log2", math_log2, log2l, 0.6, 1},
    {"log10", math_log10, log10l, 0.6, 1},
    {"log1p", math_log1p, log1pl, 1.5, 1.5},
    {"asinh", math_asinh, asinhl, 0.6, 1.5},
    {"acosh", math_acosh, acoshl, 0.6, 1.8},
    {"atanh", math_atanh, atanhl, 0.6, 1},
    {"sin", math_sin, sinl, 1.6, 1},
    {"cos", math_cos, cosl, 1.6, 1},
    {"tan", math_tan, tanl, 1, 1},
    {"asin", math_asin, asinl, 2, 1},
    {"acos", math_acos, acosl, 2, 1},
    {"atan", math_atan, atanl, 1.5, 1},
    {"erf", math_erf, erfl, 1.5, 1.5},
    {"erfc", math_erfc, erfcl, 2.6, 3},
    {"erfinv", math_erfinv, erfinv_long, 2.5, 5},
    {"cbrt", math_cbrt, cbrtl, 0.6, 0.6},
    {"lgamma", math_lgamma, lgamma_ref, 0.6, 0.6},
    {"gamma", math_gamma, tgammal, 0.6, 6},
    {"mantissa", math_mantissa, mantissa_ref, 0, 0},
};

static const struct {
  const char *name;
  binary *make;
  real (*ref)(real, real);
  double f32, f64;
} binaries[] = {
    {"pow", math_pow, powl, 0.6, 0.8},          {"atan2", math_atan2, atan2l, 0.6, 1},
    {"hypot", math_hypot, hypotl, 0.6, 1.5},    {"fmod", math_fmod, fmodl, 0.5, 0.5},
    {"ldexp", math_ldexp, ldexp_ref, 0.5, 0.5},
};

static const double specials[] = {0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, INFINITY, -INFINITY, NAN, 0x1p-149,
                                  -0x1p-149, 0x1p-126, 0x1p-1074, 1e-40, 4.5, -4.5, 0x1p24, 0x1p53, -0x1p24 - 1,
                                  FLT_MAX, -FLT_MAX, DBL_MAX, 0.625, 0.9277, 9.2, 88.7228, -87.4, -91.16, -99, -108,
                                  -720, -745, -103.97, 709.78, -745.1, 0.25, -0.25, 10, 100,
                                  /* near multiples of pi/2, the last nearest of all f32 */
                                  0x1.921fb6p+0, 0x1.921fb6p+1, -0x1.2d97c8p+2, 0x1.921fb6p+20, 0x1.921fb6p+27,
                                  106667408, 0x1.fffffep+27, 0x1p28, 16367173 * 0x1p72,
                                  /* and of f64 below 2^40 */
                                  0x1.921fb54442d18p+0, 0x1.921fb54442d18p+1, 0x1.6c6cbc45dc8dep+5,
                                  -0x1.b951f1572eba5p+23, 0x1.fffffffffffffp+39, 0x1p40};

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void put(tme_dtype t, void *a, int i, double v) {
  if (t == TME_F32)
    ((float *)a)[i] = (float)v;
  else
    ((double *)a)[i] = v;
}

static double get(tme_dtype t, const void *a, int i) {
  return t == TME_F32 ? (double)((const float *)a)[i] : ((const double *)a)[i];
}

/* A third any bits, a third of moderate size, a third near 1. */
static double sample(tme_dtype t) {
  uint64_t r = next();
  double unit = (double)(next() >> 11) * 0x1p-53 * (r & 8 ? -1 : 1);
  if (r % 3 == 0) {
    uint64_t bits = next();
    float f;
    double d;
    memcpy(&f, &bits, sizeof f);
    memcpy(&d, &bits, sizeof d);
    return t == TME_F32 ? (double)f : d;
  }
  return r % 3 == 1 ? unit * 20 : ldexp(unit, (int)(r >> 32) % 12 - 8);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static double ulps(tme_dtype t, double got, real ref) {
  int digits = t == TME_F32 ? 24 : 53, least = t == TME_F32 ? -149 : -1074, e;
  if (isnan(ref)) return isnan(got) ? 0 : INFINITY;
  if (isnan(got)) return INFINITY;
  if (ref == 0) return got == 0 && !signbit(got) == !signbit(ref) ? 0 : INFINITY;
  if (isinf(ref)) return got == (double)ref ? 0 : INFINITY;
  if (isinf(got)) { /* as if it were the number after the largest */
    real beyond = ldexpl(1, t == TME_F32 ? 128 : 1024);
    if (!signbit(got) != !signbit(ref)) return INFINITY;
    return fabsl(ref) >= beyond ? 0 : (double)((beyond - fabsl(ref)) / ldexpl(1, t == TME_F32 ? 104 : 971));
  }
  frexpl(ref, &e);
  e = e - digits < least ? least : e - digits;
  return fabs((double)((got - ref) / ldexpl(1, e)));
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static kernel *build(tme_dtype t, unary *f1, binary *f2, ternary *f3) {
  kernel *k = kernel_new("math");
  int i = k_axis_add(k, CHUNK, AXIS_PARALLEL | AXIS_VECTOR, 16, 1), ix = ix_axis(k, i);
  int a = k_buf_add(k, BUF_IN, t, 0, CHUNK), b = k_buf_add(k, BUF_IN, t, 0, CHUNK);
  int d = k_buf_add(k, BUF_IN, t, 0, CHUNK), o = k_buf_add(k, BUF_OUT, t, 0, CHUNK), l = k_loop(k, i);
  int x = k_load(k, k_access_add(k, a, ix)), y = k_load(k, k_access_add(k, b, ix));
  int z = k_load(k, k_access_add(k, d, ix));
  k_store(k, k_access_add(k, o, ix), f1 ? f1(k, x) : f2 ? f2(k, x, y) : f3(k, x, y, z));
  k_end(k, l);
  error e = {0};
  if (kernel_finish(k, &e) != TME_OK || kernel_verify(k, &e) != TME_OK) fail_msg("%s", e.text);
  return k;
}

static const emit_module *module; /* NULL without LLVM */
static code_arena *arena;
static emit_target target; /* the processor at hand, or what every one of its kind has */

static bool fuses(void) { return strncmp(target.triple, "x86_64", 6) != 0 || strstr(target.features, "+fma,") != NULL; }

static int open_module(void **unused) {
  (void)unused;
  const char *path = getenv("TME_TEST_LLVM_MODULE");
  void *h = dlopen(path ? path : TME_TEST_MODULE_DIR "/libtme-llvm.so", RTLD_NOW | RTLD_LOCAL);
  module = h ? dlsym(h, "tme_llvm_module") : NULL;
  return 0;
}

/* NULL without the module. */
static code *compile(const kernel *k) {
  emit_object o = {0};
  error e = {0};
  if (!module) return NULL;
  if (module->compile(k, &target, &o, &e) != TME_OK) fail_msg("%s", e.text);
  arena = code_arena_new(&e); /* memory of its own: emulators of processors keep what was there before */
  code *c = arena ? code_load(arena, o.bytes, o.size, "kernel", &e) : NULL;
  module->free_bytes(o.bytes);
  if (!c) fail_msg("%s", e.text);
  return c;
}

static void discard(code *c) {
  if (!c) return;
  code_free(c);
  code_arena_free(arena);
}

static void run(const code *c, void *x, void *y, void *z, void *out) {
  void *buf[] = {x, y, z, out}, *entry = code_entry(c);
  kernel_fn *f;
  memcpy(&f, &entry, sizeof f);
  f(buf, NULL, NULL, libm_table, 0, CHUNK);
}

/* The same bits as interpreted, but for those of NaN. */
static void check_compiled(const code *c, tme_dtype t, void *x, void *y, void *interpreted) {
  static double out[CHUNK];
  run(c, x, y, x, out);
  for (int i = 0; i < CHUNK; i++) {
    double a = get(t, interpreted, i), b = get(t, out, i);
    if (!(isnan(a) && isnan(b)) && (a != b || !signbit(a) != !signbit(b)))
      fail_msg("at %a, %a: compiled %a, interpreted %a", get(t, x, i), get(t, y, i), b, a);
  }
}

typedef struct worst {
  double ulp, x, y, got, want;
} worst;

/* One chunk; the first entries are special values (for two operands their pairs). */
static void chunk(const kernel *k, const code *c, tme_dtype t, unary *f1, real (*r1)(real), real (*r2)(real, real),
                  int first, worst *w) {
  static double x[CHUNK], y[CHUNK], out[CHUNK];
  int n = COUNT(specials);
  for (int i = 0; i < CHUNK; i++) {
    bool special = first + i < (f1 ? n : n * n);
    put(t, x, i, special ? specials[(first + i) % n] : sample(t));
    put(t, y, i, special ? specials[(first + i) / n % n] : sample(t));
  }
  error e = {0};
  void *buf[] = {x, y, x, out};
  if (kernel_interp(k, buf, NULL, NULL, 0, CHUNK, &e) != TME_OK) fail_msg("%s", e.text);
  if (c) check_compiled(c, t, x, y, out);
  for (int i = 0; i < CHUNK; i++) {
    double a = get(t, x, i), b = get(t, y, i), got = get(t, out, i);
    real want = f1 ? r1(a) : r2(a, b);
    double u = ulps(t, got, want);
    if (u > w->ulp) *w = (worst){u, a, b, got, (double)want};
  }
}

static int check(const char *name, tme_dtype t, unary *f1, binary *f2, real (*r1)(real), real (*r2)(real, real),
                 double allowed) {
  kernel *k = build(t, f1, f2, NULL);
  code *c = compile(k);
  worst w = {.ulp = -1};
  int samples = fuses() ? SAMPLES : SAMPLES / 4;
  for (int first = 0; first < samples; first += CHUNK) chunk(k, c, t, f1, r1, r2, first, &w);
  if (w.ulp > allowed)
    print_error("%s %s: %.3f ulp at %a, %a (%g, %g): %a instead of %a\n", name, tme_dtype_name(t), w.ulp, w.x, w.y, w.x,
                w.y, w.got, w.want);
  else
    print_message("%-7s %s %.3f ulp%s, %d instructions\n", name, tme_dtype_name(t), w.ulp, fuses() ? "" : " unfused",
                  k->ninst);
  discard(c);
  kernel_free(k);
  return w.ulp > allowed;
}

static void test_unary(void **unused) {
  (void)unused;
  int bad = 0;
  for (int i = 0; i < COUNT(unaries); i++) {
    bad += check(unaries[i].name, TME_F32, unaries[i].make, NULL, unaries[i].ref, NULL, unaries[i].f32);
    bad += check(unaries[i].name, TME_F64, unaries[i].make, NULL, unaries[i].ref, NULL, unaries[i].f64);
  }
  assert_int_equal(bad, 0);
}

static void test_binary(void **unused) {
  (void)unused;
  int bad = 0;
  for (int i = 0; i < COUNT(binaries); i++) {
    bad += check(binaries[i].name, TME_F32, NULL, binaries[i].make, NULL, binaries[i].ref, binaries[i].f32);
    bad += check(binaries[i].name, TME_F64, NULL, binaries[i].make, NULL, binaries[i].ref, binaries[i].f64);
  }
  assert_int_equal(bad, 0);
}

/* That of the reference. */
static void test_cube_root(void **unused) {
  (void)unused;
  for (int i = 0; i < SAMPLES; i++) {
    double x = i < COUNT(specials) ? specials[i] : sample(TME_F64), got = cube_root(x);
    if (!(ulps(TME_F64, got, cbrtl(x)) < 0.51)) fail_msg("cube_root(%a) = %a", x, got);
  }
}

static int any_bits(kernel *k, int x, int y, int z) { return k_fma_once(k, x, y, z); }

/* What rounding twice shows in: sums that cancel, or that lie beside the middle of two numbers. */
static void fma_operands(tme_dtype t, int i, double v[3]) {
  int digits = t == TME_F32 ? 24 : 53;
  for (int j = 0; j < 3; j++) v[j] = sample(t);
  double p = v[0] * v[1], ulp = ldexp(1, -digits);
  if (i % 4 == 1) v[2] = -p;
  if (i % 4 == 2) v[2] = ldexp(p, digits) * (i % 8 < 4 ? 1 : -1);
  if (i % 4 == 3) { /* 1 + ulp/2, and something far below */
    v[0] = 1 + ulp * 2, v[1] = 0.5 * ulp;
    v[2] = i % 8 < 4 ? 1 : 1 + 2 * ulp;
  }
}

static void test_fma_once(void **unused) {
  (void)unused;
  for (int f64 = 0; f64 < 2; f64++) {
    tme_dtype t = f64 ? TME_F64 : TME_F32;
    static double in[3][CHUNK], out[CHUNK];
    kernel *k = build(t, NULL, NULL, any_bits);
    code *c = compile(k);
    for (int round = 0; c && round < 10; round++) {
      for (int i = 0; i < CHUNK; i++) {
        double v[3];
        fma_operands(t, i, v);
        for (int j = 0; j < 3; j++) put(t, in[j], i, round ? v[j] : specials[(size_t)next() % COUNT(specials)]);
      }
      run(c, in[0], in[1], in[2], out);
      for (int i = 0; i < CHUNK; i++) {
        double x = get(t, in[0], i), y = get(t, in[1], i), z = get(t, in[2], i), got = get(t, out, i);
        double want = f64 ? fma(x, y, z) : (double)fmaf((float)x, (float)y, (float)z);
        if (!(isnan(got) && isnan(want)) && (got != want || !signbit(got) != !signbit(want)))
          fail_msg("fma(%a, %a, %a) = %a in %s, not %a", x, y, z, want, tme_dtype_name(t), got);
      }
    }
    discard(c);
    kernel_free(k);
  }
}

/* A failed operand gives a failed value, never a crash. */
static void test_failed(void **unused) {
  (void)unused;
  kernel *k = kernel_new("failed");
  assert_int_equal(math_sin(k, -1), -1);
  assert_true(k->failed);
  assert_int_equal(math_pow(NULL, 0, 0), -1);
  kernel_free(k);
}

static int on_host(void **unused) {
  (void)unused;
  emit_host_target(&target);
  kernel_interp_fuses = fuses();
  return 0;
}

/* Without an instruction for fma, which old processors lack. */
static int on_oldest(void **unused) {
  (void)unused;
  emit_host_target(&target);
  if (!strncmp(target.triple, "x86_64", 6)) target = (emit_target){"x86_64-unknown-linux-gnu", "x86-64", "", 16};
  kernel_interp_fuses = fuses();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_unary, on_host),
                                     cmocka_unit_test_setup(test_binary, on_host),
                                     cmocka_unit_test_setup(test_fma_once, on_host),
                                     cmocka_unit_test_setup(test_unary, on_oldest),
                                     cmocka_unit_test_setup(test_binary, on_oldest),
                                     cmocka_unit_test_setup(test_fma_once, on_oldest),
                                     cmocka_unit_test(test_cube_root),
                                     cmocka_unit_test_setup(test_failed, on_host)};
  return cmocka_run_group_tests(tests, open_module, NULL);
}
