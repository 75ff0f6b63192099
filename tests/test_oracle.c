/* Random programs of every operation, called as the matrix calls it and with arguments of their own: what each call gives
 * is what the reference gives for the same operands, within the matrix's bounds. Their operands are results of other
 * calls, so that they hold what the matrix's do not. */
#include "support/graphs.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static tme_engine *reference, *cpu, *nojit;

static int open_engines(void **state) {
  (void)state;
  reference = engine_of("reference", 0);
  cpu = engine_of("cpu", 0);
  nojit = engine_of("nojit", 0);
  return reference && cpu && nojit ? 0 : -1;
}

static int close_engines(void **state) {
  (void)state;
  tme_engine_free(reference);
  tme_engine_free(cpu);
  tme_engine_free(nojit);
  return 0;
}

/* The array's elements as the operand of a cell; false if it could not be evaluated. */
static bool operand_of(tme_scope *s, tme_array *x, operand *o) {
  *o = (operand){.dtype = tme_array_dtype(x), .rank = tme_array_rank(x)};
  memcpy(o->shape, tme_array_shape(x), sizeof *o->shape * (size_t)o->rank);
  int64_t next = (int64_t)tme_dtype_size(o->dtype);
  for (int d = o->rank - 1; d >= 0; next *= o->shape[d--]) o->strides[d] = next;
  o->data = (char *)(uintptr_t)tme_data(s, x);
  return o->data || tme_error_code(s) == TME_OK;
}

/* Whether a reduction of the operand may leave the range on the way: what comes of that is decided by the order, in which two
 * backends differ, and no bound is known. Elements are looked at by their exponents; factors of a product add theirs up. */
static bool operand_may_leave(const cell *c, const operand *x) {
  const cell_arg *given = cell_get(c, "dtype");
  tme_dtype t = dtype_real(given && given->kind == TME_ARG_INT ? (tme_dtype)given->i : x->dtype);
  if (!dtype_is_float(t)) return false;
  double count = (double)operand_size(x), most = t == TME_F64 ? 1022 : 126;
  for (int64_t i = 0; i < operand_size(x); i++) {
    double v[2];
    element_value(x->dtype, operand_at(x, i), v);
    for (int p = 0; p < 2; p++) {
      if (!isfinite(v[p]) || v[p] == 0) continue;
      double exponent = logb(v[p]), reach = 2 * fabs(exponent);
      if (c->op == OP_sum || c->op == OP_mean || c->op == OP_nansum || c->op == OP_nanmean)
        reach = exponent + log2(count) + 1;
      if (c->op == OP_prod || c->op == OP_nanprod) reach = count * fabs(exponent);
      if (reach >= most) return true;
    }
  }
  return false;
}

/* The exponent of the largest finite element. */
static double largest_exponent(const operand *x) {
  double most = -INFINITY, v[2];
  for (int64_t i = 0; i < operand_size(x); i++) {
    element_value(x->dtype, operand_at(x, i), v);
    for (int p = 0; p < 2; p++)
      if (isfinite(v[p]) && v[p] != 0) most = fmax(most, logb(v[p]));
  }
  return most;
}

/* Whether the terms of a product of matrices may leave the range: whether infinite ones of both signs meet is then decided
 * by what rounds them. */
static bool product_may_leave(const cell *c) {
  if (dtype_is_int(c->in[0].dtype) && dtype_is_int(c->in[1].dtype)) return false;
  bool wide = dtype_real(c->in[0].dtype) == TME_F64 || dtype_real(c->in[1].dtype) == TME_F64;
  double terms = log2((double)operand_size(&c->in[0]) + 1);
  return largest_exponent(&c->in[0]) + largest_exponent(&c->in[1]) + terms + 2 >= (wide ? 1022 : 126);
}

static bool may_leave_range(const cell *c) {
  op_family f = op_get(c->op)->family;
  if (f == FAMILY_matmul) return product_may_leave(c);
  bool ordered = f == FAMILY_statistics || f == FAMILY_nan_reduce || f == FAMILY_trapezoid || f == FAMILY_attention ||
                 f == FAMILY_weights || c->op == OP_sum || c->op == OP_prod,
       may = false;
  for (int k = 0; k < c->nin && ordered; k++) may |= operand_may_leave(c, &c->in[k]);
  return may;
}

/* Statistics whose divisor may be next to nothing: of weights of both signs, of numbers that hardly vary. */
static bool divides_by_a_sum(const cell *c) {
  const cell_arg *weights = cell_get(c, "weights");
  if (c->op == OP_skew || c->op == OP_kurtosis || c->op == OP_corrcoef) return true;
  return (c->op == OP_average || c->op == OP_cov) && weights->kind == TME_ARG_ARRAY;
}

/* Whether the eigenvalues of a matrix of such different magnitudes are those of one that is near: balanced for LAPACK's sums it
 * is another one (Watkins, A case where balancing is harmful, 2006). */
static bool is_badly_scaled(const cell *c) {
  if (c->op != OP_eig && c->op != OP_eigvals) return false;
  double least = INFINITY, v[2];
  for (int64_t i = 0; i < operand_size(&c->in[0]); i++) {
    element_value(c->in[0].dtype, operand_at(&c->in[0], i), v);
    for (int p = 0; p < 2; p++)
      if (isfinite(v[p]) && v[p] != 0) least = fmin(least, logb(v[p]));
  }
  return largest_exponent(&c->in[0]) - least > 40;
}

static bool compare_call(const cell *c, tme_scope *r, tme_array *const *in, tme_array *const *want, tme_scope *s,
                         tme_array *const *got, char why[static 200]) {
  int outputs = op_get(c->op)->outputs;
  const void *data[OP_MAX_OUTPUTS];
  for (int o = 0; o < outputs; o++) data[o] = tme_data(s, got[o]);
  if (is_badly_scaled(c)) return true;
  if (op_has_identities(c->op)) return check_identities(c, (const tme_array *const *)got, data, why);
  if (may_leave_range(c) || divides_by_a_sum(c)) return true;
  for (int o = 0; o < outputs; o++) {
    bound b = {NULL, 0};
    const void *right = cell_bound(r, c, in, want[o], &b) ? tme_data(r, want[o]) : NULL;
    const double *absolute = right && b.array ? tme_data(r, b.array) : NULL;
    if (!right || (b.array && !absolute)) {
      snprintf(why, 200, "the reference: %.150s", tme_error(r));
      return tme_error_code(r) == TME_OK; /* no elements */
    }
    if (!compare_output(c, tme_array_dtype(want[o]), tme_array_size(want[o]), data[o], right, absolute, b.ulps, why))
      return false;
  }
  return true;
}

typedef enum verdict { RIGHT, WRONG, REFUSED } verdict;

/* Calls node `i` with the values of v, compares, and makes v[i] of its first result. */
static verdict judge(const random_graph *g, int i, tme_scope *s, tme_array **v, char why[static 200]) {
  const graph_node *n = &g->node[i];
  cell c = n->c;
  tme_scope *r = tme_scope_new(reference);
  tme_array *in[CELL_INPUTS] = {NULL}, *same[CELL_INPUTS] = {NULL}, *got[OP_MAX_OUTPUTS], *want[OP_MAX_OUTPUTS];
  bool good = true;
  for (int k = 0; k < c.nin && good; k++) {
    operand *o = &c.in[k];
    in[k] = v[n->src[k]];
    good = operand_of(s, in[k], o);
    same[k] = tme_wrap(r, o->dtype, o->rank, o->shape, o->strides, o->data, NULL, NULL);
  }
  int outputs = op_get(c.op)->outputs;
  if (good && graph_apply(s, n, in, got)) tme_eval_all(s, got, outputs);
  if (good && graph_apply(r, n, same, want)) tme_eval_all(r, want, outputs);
  bool refused = tme_error_code(s) != TME_OK && tme_error_code(s) == tme_error_code(r); /* a decomposition of NaN */
  good = good && tme_error_code(s) == TME_OK && tme_error_code(r) == TME_OK;
  if (!good) snprintf(why, 200, "error: %.90s%.90s", tme_error(s), tme_error(r));
  good = good && compare_call(&c, r, same, want, s, got, why);
  v[i] = good ? got[0] : NULL;
  tme_scope_free(r);
  return good ? RIGHT : refused ? REFUSED : WRONG;
}

/* The first call that gives something else, or -1. A program ends where both engines refuse a call. */
static int first_wrong(const random_graph *g, tme_engine *e, char why[static 200]) {
  tme_array *v[GRAPH_NODES];
  tme_scope *s = tme_scope_new(e);
  verdict found = RIGHT;
  int i = 0;
  for (; i < g->n && found == RIGHT; i++) {
    const operand *o = &g->node[i].c.in[0];
    if (g->node[i].leaf)
      v[i] = tme_wrap(s, o->dtype, o->rank, o->shape, o->strides, o->data, NULL, NULL);
    else
      found = judge(g, i, s, v, why);
  }
  tme_scope_free(s);
  return found == WRONG ? i - 1 : -1;
}

static bool has_wrong(const random_graph *g, void *user) {
  char why[200];
  return first_wrong(g, user, why) >= 0;
}

static void show(random_graph *g, uint64_t seed, tme_engine *e, int wrong) {
  char why[200] = "";
  for (int i = 0; i < g->n; i++) g->node[i].root = i == wrong;
  graph_shrink(g, e, has_wrong, e);
  wrong = first_wrong(g, e, why);
  printf("%s, TME_RANDOM_SEED=%llu, node %d: %s\n", e == cpu ? "cpu" : "nojit", (unsigned long long)seed, wrong, why);
  graph_print_nodes(g);
}

/* Programs that are compiled take ten times as long: one of ten. */
static void test_calls_are_the_reference(void **state) {
  (void)state;
  static const int counts[] = {[SHARE_QUICK] = 40, [SHARE_COMMIT] = 150, [SHARE_FULL] = 3000};
  graph_turns turns = graph_turns_of(counts[matrix_share()] / (sanitized() ? 8 : 1));
  uint64_t seed;
  int failed = 0;
  while (failed < 5 && graph_next(&turns, &seed)) {
    random_graph g;
    graph_make(&g, seed, GRAPH_EVERY, TME_F32, reference);
    for (int compiled = 0; compiled < 2; compiled++) {
      if (compiled && seed % 10) continue;
      tme_engine *e = compiled ? cpu : nojit;
      char why[200];
      int wrong = first_wrong(&g, e, why);
      if (wrong < 0) continue;
      show(&g, seed, e, wrong);
      failed++;
      break;
    }
    graph_release(&g);
  }
  assert_int_equal(failed, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls_are_the_reference)};
  return cmocka_run_group_tests(tests, open_engines, close_engines);
}
