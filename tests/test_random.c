/* Random programs: fused = node by node, to the bit; integers and the mock backend = the reference, to the bit; floats as
 * accurate as the reference, measured against f64.
 * `test_random hashes N` prints the hashes of N programs of each kind.
 * ctest: timeout=600 */
#include "support/graphs.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static tme_engine *reference, *cpu, *mock;

/* What the mock lacks is computed by the reference's kernels, to the bit, and not compiled. */
static tme_engine *open_mock(void) {
  tme_options o;
  tme_options_init(&o);
  o.precision = "float32";
  o.backend = "mock";
  o.cache_dir = "";
  o.jit = -1;
  return tme_engine_new(&o);
}

static int open_engines(void **state) {
  (void)state;
  reference = engine_of("reference", 0);
  cpu = engine_of("cpu", 0);
  mock = open_mock();
  return reference && cpu && mock ? 0 : -1;
}

static int close_engines(void **state) {
  (void)state;
  tme_engine_free(reference);
  tme_engine_free(cpu);
  tme_engine_free(mock);
  return 0;
}

static int programs(void) {
  static const int counts[] = {[SHARE_QUICK] = 24, [SHARE_COMMIT] = 120, [SHARE_FULL] = 600};
  return counts[matrix_share()] / (sanitized() ? 8 : 1);
}

/* How often the path without JIT had to answer; 0 where there is no compiler. */
static uint64_t fallbacks(void) {
  tme_jit_status status;
  tme_engine_status(cpu, &status);
  return status.state == TME_JIT_DISABLED ? 0 : status.stats.failures + status.stats.fallbacks;
}

static bool fell_back(const random_graph *g, uint64_t seed, uint64_t before) {
  if (fallbacks() == before) return false;
  printf("program %llu fell back:\n", (unsigned long long)seed);
  graph_print_nodes(g);
  return true;
}

/* ---- to the bit ------------------------------------------------------------------------------------------------------ */

typedef struct sides {
  tme_engine *a, *b;
  bool each;   /* the first one node by node */
  bool called; /* the second one with barriers and calls */
} sides;

static bool build_second(const random_graph *g, const sides *w, tme_scope *s, tme_array **v) {
  return w->called ? graph_build_called(g, s, (uint64_t)g->n, v) : graph_build(g, s, false, false, v);
}

static bool differs(const random_graph *g, void *user) {
  const sides *w = user;
  tme_array *va[GRAPH_NODES], *vb[GRAPH_NODES];
  tme_scope *a = tme_scope_new(w->a), *b = tme_scope_new(w->b);
  bool good = graph_build(g, a, w->each, false, va) && graph_eval_roots(g, a, va) && build_second(g, w, b, vb) &&
              graph_eval_roots(g, b, vb);
  if (!good) printf("  error: %s%s\n", tme_error(a), tme_error(b));
  bool differ = !good || graph_differs(g, a, va, b, vb) >= 0;
  tme_scope_free(a);
  tme_scope_free(b);
  return differ;
}

static void show_difference(const random_graph *g, const sides *w) {
  tme_array *va[GRAPH_NODES], *vb[GRAPH_NODES];
  tme_scope *a = tme_scope_new(w->a), *b = tme_scope_new(w->b);
  int i = -1;
  if (graph_build(g, a, w->each, false, va) && build_second(g, w, b, vb) && graph_eval_roots(g, a, va) &&
      graph_eval_roots(g, b, vb))
    i = graph_differs(g, a, va, b, vb);
  for (int64_t k = 0; i >= 0 && k < tme_array_size(va[i]); k++) {
    tme_dtype t = tme_array_dtype(va[i]);
    double x[2], y[2];
    element_value(t, (const char *)tme_data(a, va[i]) + (size_t)k * tme_dtype_size(t), x);
    element_value(t, (const char *)tme_data(b, vb[i]) + (size_t)k * tme_dtype_size(t), y);
    if (!memcmp(x, y, sizeof x)) continue;
    printf("  %%%d element %lld: %.17g%+.17gi and %.17g%+.17gi\n", i, (long long)k, x[0], x[1], y[0], y[1]);
    break;
  }
  tme_scope_free(a);
  tme_scope_free(b);
}

/* Returns how many programs differ. */
static int compare_programs(graph_kind kind, sides w, const char *what) {
  graph_turns turns = graph_turns_of(w.called ? programs() / 4 : programs());
  uint64_t seed;
  int failed = 0;
  while (failed < 5 && graph_next(&turns, &seed)) {
    random_graph g;
    uint64_t before = fallbacks();
    graph_make(&g, seed, kind, TME_F32, reference);
    if (differs(&g, &w)) {
      printf("%s: program %llu differs:\n", what, (unsigned long long)seed);
      graph_shrink(&g, w.b, differs, &w);
      graph_print_nodes(&g);
      show_difference(&g, &w);
      failed++;
    }
    failed += fell_back(&g, seed, before);
    graph_release(&g);
  }
  return failed;
}

static void test_fused_is_unfused(void **state) {
  (void)state;
  assert_int_equal(compare_programs(GRAPH_ANY, (sides){.a = cpu, .b = cpu, .each = true}, "fused and node by node"), 0);
}

static void test_integers_are_exact(void **state) {
  (void)state;
  assert_int_equal(compare_programs(GRAPH_INTS, (sides){.a = reference, .b = cpu}, "reference and cpu"), 0);
}

static void test_far_is_reference(void **state) {
  (void)state;
  assert_int_equal(compare_programs(GRAPH_ANY, (sides){.a = reference, .b = mock}, "reference and mock"), 0);
}

static void test_calls_change_nothing(void **state) {
  (void)state;
  tme_engine *const engines[] = {reference, cpu, mock};
  for (int i = 0; i < COUNT(engines); i++)
    assert_int_equal(
        compare_programs(GRAPH_ANY, (sides){.a = engines[i], .b = engines[i], .called = true}, "with calls"), 0);
}

/* ---- within bounds --------------------------------------------------------------------------------------------------- */

/* The largest distance between two results over the largest value; infinite where one is finite and the other is not. */
static double distance(tme_scope *sa, tme_array *a, tme_scope *sb, tme_array *b, double *size) {
  double most = 0;
  const char *x = tme_data(sa, a), *y = tme_data(sb, b);
  *size = 0;
  for (int64_t k = 0; k < tme_array_size(a); k++) {
    double u[2], v[2];
    element_value(tme_array_dtype(a), x + (size_t)k * tme_dtype_size(tme_array_dtype(a)), u);
    element_value(tme_array_dtype(b), y + (size_t)k * tme_dtype_size(tme_array_dtype(b)), v);
    if (!isfinite(u[0]) || !isfinite(v[0])) {
      if (isnan(u[0]) != isnan(v[0]) || (!isnan(u[0]) && u[0] != v[0])) return INFINITY;
      continue;
    }
    most = fmax(most, fabs(u[0] - v[0]));
    *size = fmax(*size, fabs(v[0]));
  }
  return most;
}

/* Of a root: the largest errors of the program as it is and of a plain one, and the largest value. */
typedef struct errors {
  double fused, plain, size;
} errors;

static double unit(tme_dtype t) { return t == TME_F64 ? 0 : tme_dtype_epsilon(t); }

static bool measure(const random_graph *g, tme_dtype t, errors e[static GRAPH_NODES]) {
  tme_array *exact[GRAPH_NODES], *plain[GRAPH_NODES], *fused[GRAPH_NODES];
  tme_scope *se = tme_scope_new(reference), *sp = tme_scope_new(dtype_is_narrow(t) ? cpu : reference),
            *sf = tme_scope_new(cpu);
  bool good = graph_build(g, se, false, true, exact) && graph_eval_roots(g, se, exact) &&
              graph_build(g, sp, dtype_is_narrow(t), false, plain) && graph_eval_roots(g, sp, plain) &&
              graph_build(g, sf, false, false, fused) && graph_eval_roots(g, sf, fused);
  if (!good) printf("  error: %s%s%s\n", tme_error(se), tme_error(sp), tme_error(sf));
  for (int i = 0; i < g->n && good; i++)
    if (g->node[i].root) {
      e[i].fused = distance(sf, fused[i], se, exact[i], &e[i].size);
      e[i].plain = distance(sp, plain[i], se, exact[i], &e[i].size);
    }
  tme_scope_free(se);
  tme_scope_free(sp);
  tme_scope_free(sf);
  return good;
}

/* Raises e[].plain to the error that one rounding of every value makes. */
static bool measure_noise(const random_graph *g, tme_dtype t, uint64_t seed, errors e[static GRAPH_NODES]) {
  tme_array *exact[GRAPH_NODES], *noisy[GRAPH_NODES];
  tme_scope *se = tme_scope_new(reference), *sn = tme_scope_new(reference);
  bool good = graph_build(g, se, false, true, exact) && graph_eval_roots(g, se, exact) &&
              graph_build_noisy(g, sn, unit(t) / 2, seed, noisy) && graph_eval_roots(g, sn, noisy);
  if (!good) printf("  error: %s%s\n", tme_error(se), tme_error(sn));
  for (int i = 0; i < g->n && good; i++)
    if (g->node[i].root) {
      double noise = distance(sn, noisy[i], se, exact[i], &e[i].size);
      if (isfinite(noise)) e[i].plain = fmax(e[i].plain, noise);
    }
  tme_scope_free(se);
  tme_scope_free(sn);
  return good;
}

/* Errors of two correct evaluations are of one order, that of the program's condition, which the node-by-node reference
 * shows: 32 times its error, and 32 roundings of the largest value where it happens to be exact. 16-bit programs are
 * fused with f32 in between, so that theirs may be no larger than those of the plain program (or than those of one rounding a
 * value, see `inaccurate`) but for one rounding of the result, doubled as both errors are measured at single elements. */
static bool too_large(const errors *e, tme_dtype t) {
  double u = unit(t);
  /* beyond the range of the dtype, or where it has no digits left, there is nothing to compare */
  if (isinf(e->plain) || e->size > 1e30 || (t == TME_F16 && e->size > 3e4)) return false;
  /* where nearly all has cancelled, rounding fewer values may by chance be worse than rounding more of them */
  double times = e->plain > e->size / 4 ? 16 : 2;
  return dtype_is_narrow(t) ? e->fused > times * e->plain + 2 * u * e->size
                            : e->fused > 32 * e->plain + 32 * u * e->size;
}

static int first_too_large(const random_graph *g, const errors e[static GRAPH_NODES], tme_dtype t) {
  for (int i = 0; i < g->n; i++)
    if (g->node[i].root && too_large(&e[i], t)) return i;
  return -1;
}

enum { MOST_DRAWS = 8 };

/* The roundings of the plain program are one draw of many, which may happen to cancel: before a program is said to be
 * inaccurate, others are drawn. */
static bool inaccurate(const random_graph *g, void *user) {
  tme_dtype t = *(tme_dtype *)user;
  errors e[GRAPH_NODES] = {0};
  bool good = measure(g, t, e);
  int at = good ? first_too_large(g, e, t) : -1;
  for (uint64_t draw = 0; draw < MOST_DRAWS && at >= 0; draw++) {
    good = good && measure_noise(g, t, draw, e);
    at = first_too_large(g, e, t);
  }
  if (at >= 0)
    printf("  %%%d: error %g, of the plain program %g, of values up to %g\n", at, e[at].fused, e[at].plain, e[at].size);
  return at >= 0 || !good;
}

static int check_accuracy(tme_dtype t) {
  graph_turns turns = graph_turns_of(programs() / 2);
  uint64_t seed;
  int failed = 0;
  while (failed < 5 && graph_next(&turns, &seed)) {
    random_graph g;
    uint64_t before = fallbacks();
    graph_make(&g, seed, GRAPH_SMOOTH, t, reference);
    if (inaccurate(&g, &t)) {
      printf("%s: program %llu is inaccurate:\n", tme_dtype_name(t), (unsigned long long)seed);
      graph_shrink(&g, reference, inaccurate, &t);
      graph_print_nodes(&g);
      failed++;
    }
    failed += fell_back(&g, seed, before);
    graph_release(&g);
  }
  return failed;
}

static void test_as_accurate_as_the_reference(void **state) {
  (void)state;
  assert_int_equal(check_accuracy(TME_F32), 0);
}

static void test_half_is_no_worse_fused(void **state) {
  (void)state;
  assert_int_equal(check_accuracy(TME_F16), 0);
  assert_int_equal(check_accuracy(TME_BF16), 0);
}

/* ---- simplification keeps NaN, infinities and -0 ------------------------------------------------------------------------ */

static tme_array *same_add(tme_scope *s, tme_array *x) { return tme_add(s, x, tme_number(s, 0)); }
static tme_array *same_add_minus(tme_scope *s, tme_array *x) { return tme_add(s, x, tme_number(s, -0.0)); }
static tme_array *same_sub(tme_scope *s, tme_array *x) { return tme_subtract(s, x, tme_number(s, 0)); }
static tme_array *same_mul(tme_scope *s, tme_array *x) { return tme_multiply(s, x, tme_number(s, 1)); }
static tme_array *same_div(tme_scope *s, tme_array *x) { return tme_divide(s, x, tme_number(s, 1)); }
static tme_array *same_pow(tme_scope *s, tme_array *x) { return tme_pow(s, x, tme_number(s, 1)); }
static tme_array *zero_mul(tme_scope *s, tme_array *x) { return tme_multiply(s, x, tme_number(s, 0)); }
static tme_array *zero_sub(tme_scope *s, tme_array *x) { return tme_subtract(s, x, x); }
static tme_array *one_div(tme_scope *s, tme_array *x) { return tme_divide(s, x, x); }
static tme_array *minus(tme_scope *s, tme_array *x) { return tme_subtract(s, tme_number(s, 0), x); }
static tme_array *minus_twice(tme_scope *s, tme_array *x) { return tme_negative(s, tme_negative(s, x)); }
static tme_array *minus_one(tme_scope *s, tme_array *x) { return tme_multiply(s, x, tme_number(s, -1)); }
static tme_array *pow_zero(tme_scope *s, tme_array *x) { return tme_pow(s, x, tme_number(s, 0)); }
static tme_array *pow_half(tme_scope *s, tme_array *x) { return tme_pow(s, x, tme_number(s, 0.5)); }
static tme_array *pow_two(tme_scope *s, tme_array *x) { return tme_pow(s, x, tme_number(s, 2)); }
static tme_array *self_equal(tme_scope *s, tme_array *x) { return tme_equal(s, x, x); }
static tme_array *self_where(tme_scope *s, tme_array *x) { return tme_where(s, tme_isnan(s, x), x, x); }
static tme_array *self_max(tme_scope *s, tme_array *x) { return tme_maximum(s, x, x); }

static void test_simplification_keeps_specials(void **state) {
  (void)state;
  static const struct {
    const char *name;
    tme_array *(*make)(tme_scope *, tme_array *);
  } rules[] = {{"x + 0", same_add},   {"x + -0", same_add_minus}, {"x - 0", same_sub},    {"x * 1", same_mul},
               {"x / 1", same_div},   {"x ** 1", same_pow},       {"x * 0", zero_mul},    {"x - x", zero_sub},
               {"x / x", one_div},    {"0 - x", minus},           {"-(-x)", minus_twice}, {"x * -1", minus_one},
               {"x ** 0", pow_zero},  {"x ** 0.5", pow_half},     {"x ** 2", pow_two},    {"x == x", self_equal},
               {"where", self_where}, {"max(x, x)", self_max}};
  static const float special[] = {0.0f,        -0.0f,        NAN,     INFINITY, -INFINITY, 1.0f,  -1.0f,
                                  FLT_MIN / 4, -FLT_MIN / 4, FLT_MAX, -FLT_MAX, 0.5f,      -2.5f, 3.0f};
  int64_t n = COUNT(special);
  for (int i = 0; i < COUNT(rules); i++)
    for (tme_dtype t = TME_F16; t <= TME_F64; t++) {
      tme_scope *a = tme_scope_new(reference), *b = tme_scope_new(cpu);
      tme_array *x = tme_astype(a, tme_from(a, TME_F32, 1, &n, special), t);
      tme_array *y = tme_astype(b, tme_from(b, TME_F32, 1, &n, special), t);
      assert_int_equal(tme_eval(a, x), TME_OK);
      assert_int_equal(tme_eval(b, y), TME_OK);
      x = rules[i].make(a, x);
      y = rules[i].make(b, y);
      const char *want = tme_data(a, x), *got = tme_data(b, y);
      assert_non_null(want);
      assert_non_null(got);
      cell c;
      char why[200];
      cell_init(&c, OP_add, true);
      /* a power is within its row's ulps of the exact one */
      double ulps = strstr(rules[i].name, "**") ? 2 * op_get(OP_pow)->ulp : 0;
      if (!compare_output(&c, tme_array_dtype(x), n, got, want, NULL, ulps, why))
        fail_msg("%s, %s: %s", rules[i].name, tme_dtype_name(t), why);
      tme_scope_free(a);
      tme_scope_free(b);
    }
}

/* ---- programs that went wrong in the past ------------------------------------------------------------------------------- */

static tme_array *arange(tme_scope *s, tme_dtype t, int n, const int64_t *shape, int rank) {
  return tme_reshape(s, tme_arange(s, 0, n, 1, t), shape, rank);
}

/* The heads of q are shared by groups, those of v are in groups of another size. */
static tme_array *groups_of_v(tme_scope *s) {
  tme_array *q = arange(s, TME_F32, 16, (int64_t[]){16, 1, 1}, 3), *k = arange(s, TME_F32, 16, (int64_t[]){16, 1}, 2);
  tme_array *v = arange(s, TME_F32, 192, (int64_t[]){2, 16, 6}, 3);
  return tme_scaled_dot_product_attention(s, tme_sin(s, q), tme_cos(s, k), tme_sin(s, v), NULL, 1, false);
}

/* Columns that are cut into pieces, through a reshape that no piece is a whole row of. */
static tme_array *columns_through_reshape(tme_scope *s) {
  tme_array *x = tme_square(s, arange(s, TME_U64, 8 * 17 * 17, (int64_t[]){8, 17, 17}, 3));
  tme_array *padded = tme_pad(s, x, (int64_t[]){2, 2, 0}, (int64_t[]){1, 1, 1}, 0, NULL);
  tme_array *two = tme_reshape(s, padded, (int64_t[]){2, -1}, 2);
  tme_array *all[] = {tme_prod(s, tme_sign(s, two), (int[]){0}, 1, false, TME_DTYPE_NONE), two,
                      tme_sum(s, padded, (int[]){2}, 1, true, TME_DTYPE_NONE)};
  return tme_eval_all(s, all, COUNT(all)) == TME_OK ? all[0] : NULL;
}

/* Which zero it is depends on the order of the operands alone. */
static tme_array *signs_of_clipped(tme_scope *s) {
  tme_array *x = tme_subtract(s, arange(s, TME_F32, 9, (int64_t[]){9}, 1), tme_number(s, 4));
  tme_array *edge = tme_multiply(s, x, tme_number(s, -0.0)), *zero = tme_imag(s, x);
  tme_array *least = tme_maximum(s, tme_number(s, 0), edge), *most = tme_minimum(s, edge, tme_number(s, 0));
  tme_array *all[] = {tme_clip(s, zero, edge, tme_abs(s, x)), least, most, tme_relu(s, edge)};
  return tme_signbit(s, tme_stack(s, all, COUNT(all), 0));
}

static void test_programs_of_the_past(void **state) {
  (void)state;
  tme_array *(*const program[])(tme_scope *) = {groups_of_v, columns_through_reshape, signs_of_clipped};
  for (int i = 0; i < COUNT(program); i++) {
    tme_scope *sa = tme_scope_new(reference), *sb = tme_scope_new(cpu);
    tme_array *a = program[i](sa), *b = program[i](sb);
    double size;
    if (!tme_data(sa, a) || !tme_data(sb, b)) fail_msg("%s%s", tme_error(sa), tme_error(sb));
    assert_true(distance(sa, a, sb, b, &size) <= (tme_array_dtype(a) == TME_F32 ? 1e-6 : 0));
    assert_true(size > 0);
    tme_scope_free(sa);
    tme_scope_free(sb);
  }
}

/* All of the above through compiled kernels, where there is a compiler. */
static void test_nothing_fell_back(void **state) {
  (void)state;
  tme_jit_status status;
  tme_engine_status(cpu, &status);
  if (status.state == TME_JIT_DISABLED) skip();
  assert_int_equal(status.state, TME_JIT_ACTIVE);
  assert_int_equal(status.stats.failures, 0);
  assert_int_equal(status.stats.fallbacks, 0);
}

/* ---- hashes, for comparing versions (tests/same_bits) --------------------------------------------------------------------- */

/* A line for the program and one for each engine: "HASH random KIND SEED OF". False after an error was printed. */
static bool print_hashes_of(const char *kind, uint64_t seed, const random_graph *g) {
  struct {
    const char *name;
    tme_engine *engine;
  } by[] = {{"reference", reference}, {"cpu", cpu}, {"device", mock}};
  bool good = true;
  for (int i = 0; i < COUNT(by) && good; i++) {
    tme_array *v[GRAPH_NODES];
    tme_scope *s = tme_scope_new(by[i].engine);
    uint64_t hash = 0;
    good = graph_build(g, s, false, false, v) && graph_eval_roots(g, s, v) && graph_hash_roots(g, s, v, &hash);
    if (!good) fprintf(stderr, "%s %llu: %s\n", kind, (unsigned long long)seed, tme_error(s));
    if (good && i == 0)
      printf("%016llx random %s %llu program\n", (unsigned long long)graph_hash_program(g, v), kind,
             (unsigned long long)seed);
    if (good)
      printf("%016llx random %s %llu %s\n", (unsigned long long)hash, kind, (unsigned long long)seed, by[i].name);
    tme_scope_free(s);
  }
  return good;
}

/* `count` programs of each kind, from seed 0 on. Returns the exit code. */
static int print_hashes(int count) {
  static const struct {
    const char *name;
    graph_kind kind;
    tme_dtype dtype;
  } kinds[] = {{"any", GRAPH_ANY, TME_F32},
               {"integers", GRAPH_INTS, TME_F32},
               {"float32", GRAPH_SMOOTH, TME_F32},
               {"float16", GRAPH_SMOOTH, TME_F16},
               {"bfloat16", GRAPH_SMOOTH, TME_BF16}};
  bool good = open_engines(NULL) == 0;
  for (int k = 0; k < COUNT(kinds); k++)
    for (int seed = 0; seed < count && good; seed++) {
      random_graph g;
      graph_make(&g, (uint64_t)seed, kinds[k].kind, kinds[k].dtype, reference);
      good = print_hashes_of(kinds[k].name, (uint64_t)seed, &g);
      graph_release(&g);
    }
  good = good && fallbacks() == 0;
  if (!good) fprintf(stderr, "no hashes, or not those of compiled kernels\n");
  close_engines(NULL);
  return good ? 0 : 1;
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "hashes")) return print_hashes(atoi(argv[2]));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_simplification_keeps_specials),
      cmocka_unit_test(test_integers_are_exact),
      cmocka_unit_test(test_far_is_reference),
      cmocka_unit_test(test_fused_is_unfused),
      cmocka_unit_test(test_calls_change_nothing),
      cmocka_unit_test(test_as_accurate_as_the_reference),
      cmocka_unit_test(test_half_is_no_worse_fused),
      cmocka_unit_test(test_programs_of_the_past),
      cmocka_unit_test(test_nothing_fell_back),
  };
  return cmocka_run_group_tests(tests, open_engines, close_engines);
}
