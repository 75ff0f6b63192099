/* How far a result may be from the reference's.
 *
 * Both results are made of the same exact operands by roundings of relative size u = eps/2. Two sums of n terms, each in
 * an order of its own, differ by at most 2 lambda sqrt(n) u sum|x| but for a probability below 2 n exp(-lambda^2 / 2) if
 * roundings are independent (Higham and Mary, 2019); lambda = 4 gives W(n) = 4 sqrt(n) + 4 epsilons of sum|x|. 16-bit
 * floats are summed in f32, so that eps is f32's; compare_output adds one unit of the 16-bit result.
 *
 *   elementwise     the row's ulp is the distance from the exact value: twice that between two results; rows with 0 agree
 *                   to the bit. Functions of complex numbers: 8 epsilons of the modulus more, for their formulas differ.
 *   sum, mean       W(n) eps sum|x|, mean: over n
 *   prod            2 n eps |result|: every factor rounds once
 *   var             W eps var + (W eps mean|x|)^2 n / (n - correction): an error of the mean moves squares by its square
 *   std             the bound of var over the result, or its square root where that is less
 *   logsumexp       (W + 8) eps + 4 eps |result| + 4 eps max|x|: the sum's relative error (exp: 2 ulp), the final addition
 *   softmax         (W + 12) eps |result|: exp, sum, quotient
 *   log_softmax     the same of logsumexp
 *   layer_norm      W eps (mean|x| / s + |x - mean| / s) |weight| + 4 eps (|result| + |bias|), s = sqrt(var + eps)
 *   rms_norm        (W + 12) eps |result|
 *   group_norm, instance_norm, batch_norm, rope, sinusoidal_positions, glu, losses
 *                   so many eps, of operands as the cells have them: see bound_neural
 *   matmul          W(K) eps |x| |y|; complex: four real products, twice as much
 *   dot, einsum, .. W(n) eps of the same products of magnitudes, for each operand, n: elements of the largest one; trace, vander
 *                   too
 *   cross           64 eps: two products of numbers below 2
 *   logspace, ..    16 ulps: exponentials
 *   attention       scores move by d = W(d) eps |scale| max|q_i| max|k_j| + 2 eps max|score|, each weight by 2 d + (W(m) + 12)
 *                   eps of itself, the result by twice that times max|v|; attention_weights: the weights
 *   dct, dst        64 eps max|result|: the roots of unity are functions, of which transforms are made
 *   hanning, ...    16 eps, kaiser: |beta| eps more
 *   average         (W + 8) eps (|result| + 1) 2 m, of numbers up to m and weights of 0.5 to 2
 *   moments         order (2 m)^order W eps, of numbers up to m; cov: 64 W eps (|result| + 1) m^2; skew, kurtosis and
 *                   corrcoef, of numbers up to 2: 256 W eps (|result| + 1)
 *   random          32 eps (|result| + 1 + the parameters): functions of the same bits, of 2 ulp each
 *   multivariate normal  16 sqrt(eps n) (|result| + 1 + |mean|): a root of singular values, the small ones of which are inexact
 *   convolution,    W(K) eps of the same of the magnitudes, K terms in a window; complex: twice as much
 *   avg_pool        the same, K elements in a window
 *   nansum, nanprod those of sum and prod; nanmean, nanvar: W eps max|x| and W eps max|x|^2 4, nanstd the root of it
 *   trapezoid       W eps of the sum of the areas' magnitudes
 *   float_power     12 units of the last place, as pow has of complex numbers
 *   activations     8 units of the last place: expm1 and what is made of it
 *   scans           none: one kernel computes them on all backends
 *   min, max, max_pool, any, all, argmin, argmax, shapes, windows, joins, take, astype, creation: none
 *   factors, equations and functions of well-conditioned matrices: 40 (n + 4) eps of the largest element, or of 1
 *   norms of vectors and matrices: (W + 20) eps of the largest element times the square root of their number
 *   eigenvalues     check_eigen: backward stable within 40 n eps of the norm
 *   svd             check_svd: a decomposition backward stable within 40 max(m, n) eps of the norm */
#include "support/matrix.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- bounds as graphs of the reference ---------------------------------------------------------------------------------- */

static double walk(double n) { return 4 * sqrt(n) + 4; }

static tme_array *wide(tme_scope *s, tme_array *x) {
  tme_array *real = dtype_is_complex(tme_array_dtype(x)) ? tme_abs(s, x) : x;
  return tme_abs(s, tme_astype(s, real, TME_F64));
}

static tme_array *times(tme_scope *s, tme_array *x, double v) { return tme_multiply(s, x, tme_number(s, v)); }

static tme_array *plus(tme_scope *s, tme_array *x, double v) { return tme_add(s, x, tme_number(s, v)); }

/* The parameters of a reduction: its axes, and how many elements make up one result. */
typedef struct reduced {
  int axes[TME_MAX_RANK], n;
  bool keepdims;
  double count;
} reduced;

static reduced reduced_of(const cell *c) {
  const cell_arg *axis = cell_get(c, "axis"), *keep = cell_get(c, "keepdims");
  const operand *x = &c->in[0];
  reduced r = {.n = TME_ALL, .keepdims = keep && keep->i, .count = 1};
  bool last = axis->kind == TME_ARG_ABSENT && op_get(c->op)->family == FAMILY_softmax;
  if (axis->kind == TME_ARG_INTS) r.n = axis->n;
  if (axis->kind == TME_ARG_INT || last) r.n = 1;
  for (int k = 0; k < r.n; k++) {
    int64_t d = last ? -1 : axis->kind == TME_ARG_INT ? axis->i : axis->ints[k];
    if (d < 0) d += x->rank;
    r.axes[k] = (int)d;
    r.count *= (double)x->shape[d];
  }
  if (r.n == TME_ALL) r.count = (double)operand_size(x);
  return r;
}

static tme_array *sum_of(tme_scope *s, tme_array *x, const reduced *r) {
  return tme_sum(s, x, r->axes, r->n, r->keepdims, TME_DTYPE_NONE);
}

static tme_array *bound_variance(tme_scope *s, const cell *c, tme_array *x, tme_array *want, double eps) {
  reduced r = reduced_of(c);
  double correction = cell_get(c, "correction")->f, w = walk(r.count) * eps;
  tme_array *m = times(s, tme_mean(s, wide(s, x), r.axes, r.n, r.keepdims, TME_DTYPE_NONE), w);
  tme_array *v = tme_astype(s, want, TME_F64);
  bool root = c->op == OP_std;
  tme_array *b = tme_add(s, times(s, root ? tme_square(s, v) : v, w),
                         times(s, tme_square(s, m), r.count / fmax(r.count - correction, 1)));
  if (!root) return b;
  tme_array *zero = tme_number(s, 0);
  tme_array *over = tme_divide(s, b, tme_where(s, tme_greater(s, v, zero), v, tme_number(s, 1)));
  return plus(s, tme_where(s, tme_greater(s, v, zero), tme_minimum(s, over, tme_sqrt(s, b)), tme_sqrt(s, b)), 0);
}

static tme_array *bound_logsumexp(tme_scope *s, const cell *c, tme_array *x, tme_array *want, double eps) {
  reduced r = reduced_of(c);
  tme_array *b = plus(s, times(s, wide(s, want), 4 * eps), (walk(r.count) + 8) * eps);
  if (r.count == 0) return b;
  return tme_add(s, b, times(s, tme_max(s, wide(s, x), r.axes, r.n, r.keepdims), 4 * eps));
}

static tme_array *bound_reduction(tme_scope *s, const cell *c, tme_array *x, tme_array *want, double eps) {
  reduced r = reduced_of(c);
  double parts = dtype_is_complex(tme_array_dtype(want)) ? 2 : 1;
  switch (c->op) {
  case OP_sum: return times(s, sum_of(s, wide(s, x), &r), walk(r.count) * eps);
  case OP_mean: return times(s, sum_of(s, wide(s, x), &r), (walk(r.count) + 2) * eps / fmax(r.count, 1));
  case OP_prod: return times(s, wide(s, want), 2 * parts * parts * (r.count + 1) * eps);
  case OP_var:
  case OP_std: return bound_variance(s, c, x, want, eps);
  case OP_logsumexp: return bound_logsumexp(s, c, x, want, eps);
  default: return NULL;
  }
}

static tme_array *bound_softmax(tme_scope *s, const cell *c, tme_array *x, tme_array *want, double eps) {
  reduced r = reduced_of(c);
  double w = (walk(r.count) + 12) * eps;
  if (c->op == OP_softmax) return times(s, wide(s, want), w);
  tme_array *b = plus(s, times(s, wide(s, want), 4 * eps), w);
  return r.count > 0 ? tme_add(s, b, times(s, tme_max(s, wide(s, x), r.axes, r.n, true), 4 * eps)) : b;
}

static tme_array *bound_norm(tme_scope *s, const cell *c, tme_array *const *in, tme_array *want, double eps) {
  int last = -1;
  const operand *o = &c->in[0];
  double w = (walk((double)o->shape[o->rank - 1]) + 12) * eps;
  tme_array *y = wide(s, want);
  if (c->op == OP_rms_norm) return times(s, y, w);
  tme_array *x = tme_astype(s, in[0], TME_F64), *m = tme_mean(s, x, &last, 1, true, TME_DTYPE_NONE);
  const cell_arg *weight = cell_get(c, "weight"), *bias = cell_get(c, "bias"), *e = cell_get(c, "eps");
  tme_array *spread = tme_sqrt(s, plus(s, tme_var(s, x, &last, 1, 0, true), e->kind == TME_ARG_FLOAT ? e->f : 1e-5));
  tme_array *size =
      tme_add(s, tme_mean(s, tme_abs(s, x), &last, 1, true, TME_DTYPE_NONE), tme_abs(s, tme_subtract(s, x, m)));
  tme_array *b = times(s, tme_divide(s, size, spread), w);
  if (weight->kind == TME_ARG_ARRAY) b = tme_multiply(s, b, wide(s, in[weight->first]));
  if (bias->kind == TME_ARG_ARRAY) y = tme_add(s, y, wide(s, in[bias->first]));
  return tme_add(s, b, times(s, y, 4 * eps));
}

static tme_array *bound_matmul(tme_scope *s, const cell *c, tme_array *const *in, tme_array *want, double eps) {
  const operand *x = &c->in[0];
  double k = (double)x->shape[x->rank - 1], parts = dtype_is_complex(tme_array_dtype(want)) ? 2 : 1;
  return times(s, tme_matmul(s, wide(s, in[0]), wide(s, in[1])), parts * walk(k) * eps);
}

/* Sums of products of so many operands: the operation itself on their magnitudes, of which no sum has more terms than these
 * have elements. */
static tme_array *bound_products(tme_scope *s, const cell *c, tme_array *const *in, tme_array *want, double eps) {
  tme_array *size[CELL_INPUTS], *out;
  double terms = 1, parts = dtype_is_complex(tme_array_dtype(want)) ? 2 : 1;
  op_family f = op_get(c->op)->family;
  bool picks = f == FAMILY_gather_mm || f == FAMILY_qmm; /* by indices, which have no magnitudes */
  for (int i = 0; i < c->nin; i++) {
    tme_dtype t = c->in[i].dtype;
    size[i] = dtype_kind(t) >= TAKES_FLOAT || (dtype_is_signed(t) && !picks) ? wide(s, in[i]) : in[i];
    terms = fmax(terms, (double)operand_size(&c->in[i]));
  }
  if (cell_apply(s, c, size, &out) != TME_OK) return NULL;
  return times(s, wide(s, out), c->nin * parts * walk(terms) * eps);
}

/* ---- windows ----------------------------------------------------------------------------------------------------------------- */

/* The operation on the operands' magnitudes, times a factor. */
static tme_array *of_magnitudes(tme_scope *s, const cell *c, tme_array *const *in, double factor) {
  tme_array *size[CELL_INPUTS], *out[OP_MAX_OUTPUTS] = {NULL};
  for (int i = 0; i < c->nin; i++) size[i] = wide(s, in[i]);
  return cell_apply(s, c, size, out) == TME_OK ? times(s, out[0], factor) : NULL;
}

static tme_array *bound_convolution(tme_scope *s, const cell *c, tme_array *const *in, tme_array *want, double eps) {
  const operand *w = &c->in[1];
  double parts = dtype_is_complex(tme_array_dtype(want)) ? 2 : 1,
         terms = (double)(operand_size(w) / (w->shape[0] ? w->shape[0] : 1));
  if (cell_get(c, "output_padding")) terms = (double)operand_size(w);
  return of_magnitudes(s, c, in, parts * walk(terms) * eps);
}

static tme_array *bound_pooling(tme_scope *s, const cell *c, tme_array *const *in, double eps) {
  bool mean = c->op == OP_avg_pool || c->op == OP_adaptive_avg_pool;
  return of_magnitudes(s, c, in, mean ? (walk((double)operand_size(&c->in[0])) + 4) * eps : 0);
}

/* ---- neural networks: one number for the whole result ------------------------------------------------------------------------- */

bool op_has_domain(int op) {
  switch (op_get(op)->family) {
  case FAMILY_channel_norm:
  case FAMILY_rope:
  case FAMILY_sinusoidal_positions:
  case FAMILY_glu:
  case FAMILY_moe_mix:
  case FAMILY_losses:
  case FAMILY_trapezoid:
  case FAMILY_cross:
  case FAMILY_geometric: return true;
  default: return false;
  }
}

/* Operands are at most 2 (var and eps at least 0.6 together, or eps 0.125; positions at most 40, whose angles move by as much), so
 * that no term is larger than about 16; a loss of n elements is a sum of as many. */
static tme_array *bound_neural(tme_scope *s, const cell *c, tme_array *want, double eps) {
  double n = (double)operand_size(&c->in[0]), units = 64;
  const cell_arg *reduction = cell_get(c, "reduction");
  switch (op_get(c->op)->family) {
  case FAMILY_channel_norm: units = 24 * (walk(n) + 12); break;
  case FAMILY_rope: units = 1000; break;
  case FAMILY_moe_mix: units = 128 * walk(32); break; /* two experts, eight columns, of four experts in the sum */
  case FAMILY_losses:
    units = 16 * (walk(n) + 64) * (reduction->kind == TME_ARG_TEXT && !strcmp(reduction->word, "sum") ? n : 1);
    break;
  default: break;
  }
  return plus(s, times(s, wide(s, want), 0), units * eps);
}

/* `nansum` etc. of the magnitudes, in f64. */
static tme_array *bound_nan(tme_scope *s, const cell *c, tme_array *x, tme_array *want, double eps) {
  reduced r = reduced_of(c);
  if (c->op == OP_nansum) return times(s, tme_nansum(s, wide(s, x), r.axes, r.n, r.keepdims), walk(r.count) * eps);
  if (c->op == OP_nanprod) return times(s, wide(s, want), 8 * (r.count + 1) * eps);
  if (r.count == 0 || (c->op != OP_nanmean && c->op != OP_nanvar && c->op != OP_nanstd)) return NULL;
  tme_array *most = tme_nanmax(s, wide(s, x), r.axes, r.n, r.keepdims);
  if (c->op == OP_nanmean) return times(s, most, (walk(r.count) + 2) * eps);
  tme_array *b = times(s, tme_square(s, most), 4 * (walk(r.count) + 2) * eps * fmax(r.count, 2) / fmax(r.count - 1, 1));
  return c->op == OP_nanstd ? tme_sqrt(s, b) : b;
}

static tme_array *bound_trapezoid(tme_scope *s, const cell *c, tme_array *const *in, double eps) {
  const operand *y = &c->in[0];
  int axis = (int)cell_get(c, "axis")->i;
  const cell_arg *x = cell_get(c, "x");
  double n = (double)y->shape[axis], width = x->kind == TME_ARG_ARRAY ? 16 : 1;
  return times(s, tme_sum(s, wide(s, in[0]), &axis, 1, false, TME_DTYPE_NONE), width * 4 * (walk(n) + 4) * eps);
}

/* ---- attention: one number for the whole result -------------------------------------------------------------------------- */

/* The largest norm of a row along the last axis, and the largest magnitude. */
static void measure(const operand *o, double *row, double *most) {
  int64_t n = operand_size(o), d = o->rank ? o->shape[o->rank - 1] : 1;
  *row = *most = 0;
  for (int64_t i = 0; i < n; i += d) {
    double sum = 0, v[2];
    for (int64_t k = 0; k < d; k++) {
      element_value(o->dtype, operand_at(o, i + k), v);
      if (!isfinite(v[0])) continue;
      sum += v[0] * v[0];
      *most = fmax(*most, fabs(v[0]));
    }
    *row = fmax(*row, sqrt(sum));
  }
}

static tme_array *bound_attention(tme_scope *s, const cell *c, tme_array *want, double eps) {
  const operand *q = &c->in[0], *k = &c->in[1];
  const cell_arg *values = cell_get(c, "v"); /* without them the weights are the result */
  double qrow, krow, most, v = 0, mask = 0, row, d = (double)q->shape[q->rank - 1], m = (double)k->shape[k->rank - 2];
  const cell_arg *scale = cell_get(c, "scale"), *given = cell_get(c, "mask");
  measure(q, &qrow, &most);
  measure(k, &krow, &most);
  if (values) measure(&c->in[values->first], &row, &v);
  if (given->kind == TME_ARG_ARRAY && c->in[given->first].dtype != TME_BOOL) measure(&c->in[given->first], &row, &mask);
  double score = qrow * krow * fabs(scale->kind == TME_ARG_FLOAT ? scale->f : 1 / sqrt(fmax(d, 1)));
  double moved = walk(d) * eps * score + 2 * eps * (score + mask);
  double weight = 2 * moved + (walk(m) + 12) * eps;
  return plus(s, times(s, wide(s, want), values ? 0 : weight), 2 * weight * v);
}

/* ---- matrices: one number for the whole result ---------------------------------------------------------------------------- */

bool op_is_conditioned(int op) {
  switch (op_get(op)->family) {
  case FAMILY_factor:
  case FAMILY_solve:
  case FAMILY_inverse:
  case FAMILY_determinant:
  case FAMILY_expm:
  case FAMILY_cholesky_inv:
  case FAMILY_pinv:
  case FAMILY_matrix_rank:
  case FAMILY_lstsq:
  case FAMILY_cond:
  case FAMILY_matrix_power:
  case FAMILY_multi_dot:
  case FAMILY_vector_norm:
  case FAMILY_matrix_norm: return true;
  default: return false;
  }
}

static tme_array *bound_conditioned(tme_scope *s, const cell *c, tme_array *want, double eps) {
  const operand *x = &c->in[0];
  op_family f = op_get(c->op)->family;
  if (!tme_array_size(want)) return times(s, wide(s, want), 0);
  if (f == FAMILY_vector_norm || f == FAMILY_matrix_norm) {
    double row, most, n = (double)operand_size(x);
    measure(x, &row, &most);
    return plus(s, times(s, wide(s, want), (walk(n) + 20) * eps), 2 * (walk(n) + 20) * eps * sqrt(n) * most);
  }
  double n = 0;
  for (int d = x->rank > 2 ? x->rank - 2 : 0; d < x->rank; d++) n = fmax(n, (double)x->shape[d]);
  tme_array *most = tme_max(s, wide(s, want), NULL, TME_ALL, false);
  return plus(s, times(s, tme_maximum(s, most, tme_number(s, 1)), 40 * (n + 4) * eps), 0);
}

/* Of all elements the same: so much of the largest one. */
static tme_array *bound_largest(tme_scope *s, tme_array *want, double v) {
  tme_array *zero = tme_zeros(s, (int64_t[]){1}, 1, TME_F64), *all = tme_reshape(s, wide(s, want), (int64_t[]){-1}, 1);
  return times(s, tme_max(s, tme_concatenate(s, (tme_array *[]){zero, all}, 2, 0), NULL, TME_ALL, false), v);
}

static double window_bound(const cell *c) {
  const cell_arg *beta = cell_get(c, "beta");
  return 16 + (beta ? fabs(beta->f) : 0);
}

/* ---- statistics -------------------------------------------------------------------------------------------------------------- */

static tme_array *bound_statistics(tme_scope *s, const cell *c, tme_array *want, double eps) {
  const cell_arg *order = cell_get(c, "order");
  double n = walk((double)operand_size(&c->in[0])) + 8, factor = 256, most = 2, row, largest;
  for (int i = 0; i < c->nin; i++) {
    measure(&c->in[i], &row, &largest);
    most = fmax(most, largest);
  }
  if (order) factor = (double)(order->i + 1) * pow(2 * most, (double)order->i);
  if (c->op == OP_average) factor = 2 * most;
  if (c->op == OP_cov) factor = 64 * most * most;
  return times(s, plus(s, wide(s, want), 1), factor * n * eps);
}

/* ---- random numbers --------------------------------------------------------------------------------------------------------- */

/* Together, all operands but the key. */
static tme_array *bound_drawn(tme_scope *s, const cell *c, tme_array *const *in, tme_array *want, int params,
                              double eps) {
  tme_array *b = plus(s, wide(s, want), 1);
  for (int i = 0; i < params; i++)
    if (c->in[i].dtype != TME_U32) b = tme_add(s, b, wide(s, in[i]));
  return times(s, b, eps);
}

/* ---- the row's own bound --------------------------------------------------------------------------------------------------- */

/* The expressions as written: what is in a row decides what can be promised of it. */
static const char *const expressions[OP_PUBLIC_COUNT] = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc) [OP_##name] = #expression,
#include "ops/ops.def"
};

static bool uses(int op, const char *primitive) { return expressions[op] && strstr(expressions[op], primitive); }

bool op_any_zero(int op) { return op_get(op)->family == FAMILY_reduce || uses(op, "MIN(") || uses(op, "MAX("); }

static double elementwise_ulps(const cell *c, tme_dtype t) {
  double ulp = op_get(c->op)->ulp;
  if (dtype_is_complex(c->in[c->nin - 1].dtype)) return ulp > 0 || uses(c->op, "SQRT(") ? 2 * ulp + 8 : 0;
  if (dtype_is_narrow(t)) return ulp > 0;
  return 2 * ulp;
}

bool cell_bound(tme_scope *s, const cell *c, tme_array *const *in, tme_array *want, bound *out) {
  tme_dtype t = tme_array_dtype(want);
  if (!dtype_is_float(dtype_real(t))) return true;
  double eps = dtype_epsilon(t);
  switch (op_get(c->op)->family) {
  case FAMILY_elementwise: out->ulps = elementwise_ulps(c, t); return true;
  case FAMILY_reduce:
  case FAMILY_statistics: out->array = bound_reduction(s, c, in[0], want, eps); break;
  case FAMILY_nan_reduce: out->array = bound_nan(s, c, in[0], want, eps); break;
  case FAMILY_trapezoid: out->array = bound_trapezoid(s, c, in, eps); break;
  case FAMILY_activation: out->ulps = 8; return true;
  case FAMILY_float_power: out->ulps = 12; return true;
  case FAMILY_softmax: out->array = bound_softmax(s, c, in[0], want, eps); break;
  case FAMILY_norm: out->array = bound_norm(s, c, in, want, eps); break;
  case FAMILY_matmul: out->array = bound_matmul(s, c, in, want, eps); break;
  case FAMILY_convolution: out->array = bound_convolution(s, c, in, want, eps); break;
  case FAMILY_pooling:
  case FAMILY_adaptive_pooling: out->array = bound_pooling(s, c, in, eps); break;
  case FAMILY_channel_norm:
  case FAMILY_rope:
  case FAMILY_sinusoidal_positions:
  case FAMILY_glu:
  case FAMILY_moe_mix:
  case FAMILY_losses: out->array = bound_neural(s, c, want, eps); break;
  case FAMILY_softmin: out->array = times(s, wide(s, want), (walk((double)operand_size(&c->in[0])) + 12) * eps); break;
  case FAMILY_dot:
  case FAMILY_inner:
  case FAMILY_outer:
  case FAMILY_vecdot:
  case FAMILY_vdot:
  case FAMILY_tensordot:
  case FAMILY_kron:
  case FAMILY_einsum:
  case FAMILY_addmm:
  case FAMILY_gather_mm:
  case FAMILY_block_masked_mm:
  case FAMILY_qmm:
  case FAMILY_trace:
  case FAMILY_vander: out->array = bound_products(s, c, in, want, eps); break;
  /* two products of numbers of the operands' bounds */
  case FAMILY_cross: out->array = plus(s, times(s, wide(s, want), 0), 64 * eps); break;
  case FAMILY_geometric: out->ulps = 16; return true;
  case FAMILY_attention:
  case FAMILY_weights: out->array = bound_attention(s, c, want, eps); break;
  case FAMILY_average:
  case FAMILY_moments:
  case FAMILY_covariance: out->array = bound_statistics(s, c, want, eps); break;
  case FAMILY_random:
    if (c->op == OP_random_uniform) return true;
    out->array = bound_drawn(s, c, in, want, c->nin, 32 * eps);
    break;
  case FAMILY_random_multivariate_normal:
    out->array = bound_drawn(s, c, in, want, 1, 16 * sqrt(eps * (double)c->in[0].shape[c->in[0].rank - 1]));
    break;
  case FAMILY_dct: out->array = bound_largest(s, want, 64 * eps); break;
  case FAMILY_window: out->array = plus(s, times(s, wide(s, want), 0), window_bound(c) * eps); break;
  default:
    if (!op_is_conditioned(c->op)) return true;
    out->array = bound_conditioned(s, c, want, eps);
  }
  if (!out->array) return tme_error_code(s) == TME_OK;
  int rank = tme_array_rank(want);
  out->array = tme_broadcast_to(s, out->array, tme_array_shape(want), rank);
  return out->array != NULL;
}
