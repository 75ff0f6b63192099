/* Losses: one for each element or each row, and perhaps their mean or sum, in one kernel. */
#include "ir/graph.h"
#include <math.h>

/* What a row of the list is made along: each element for itself, or an axis that the result does not have. */
static bool of_rows(int op) {
  switch (op) {
  case OP_cross_entropy:
  case OP_nll_loss:
  case OP_kl_div_loss:
  case OP_cosine_similarity:
  case OP_triplet_loss: return true;
  default: return false;
  }
}

/* Targets (operand 1) that are classes, whole numbers: they are as x is, but for the axis. */
static bool of_classes(int op, const op_type *targets) {
  return op == OP_nll_loss || (op == OP_cross_entropy && dtype_is_int(targets->dtype));
}

/* ---- inference --------------------------------------------------------------------------------------------------------- */

static tme_status wrong_shapes(const op_call *c, const char *why, error *e) {
  char x[SHAPE_TEXT], y[SHAPE_TEXT];
  type_shape_text(c->in[0], x);
  type_shape_text(c->in[1], y);
  return fail(e, TME_ERR_SHAPE, "%s: %s and %s: %s", op_name(c->op), x, y, why);
}

static tme_status check_numbers(const op_call *c, error *e) {
  const losses_attrs *a = &c->attrs->losses;
  if (c->op == OP_smooth_l1_loss && !(a->beta >= 0))
    return fail(e, TME_ERR_ARGUMENT, "smooth_l1_loss: beta is %g, expected 0 or more", a->beta);
  if (c->op == OP_huber_loss && !(a->delta > 0))
    return fail(e, TME_ERR_ARGUMENT, "huber_loss: delta is %g, expected more than 0", a->delta);
  if (c->op == OP_cross_entropy && !(a->label_smoothing >= 0 && a->label_smoothing < 1))
    return fail(e, TME_ERR_ARGUMENT, "cross_entropy: label_smoothing is %g, expected 0 to less than 1",
                a->label_smoothing);
  if (c->op == OP_triplet_loss && !(a->p > 0))
    return fail(e, TME_ERR_ARGUMENT, "triplet_loss: p is %g, expected more than 0", a->p);
  bool eps = c->op == OP_triplet_loss || c->op == OP_cosine_similarity || c->op == OP_gaussian_nll_loss;
  if (eps && !(a->eps >= 0))
    return fail(e, TME_ERR_ARGUMENT, "%s: eps is %g, expected 0 or more", op_name(c->op), a->eps);
  return TME_OK;
}

/* The operands' common dtype; classes keep theirs. */
static tme_status take_dtype(op_call *c, op_type *out, error *e) {
  bool classes = of_classes(c->op, c->in[1]);
  tme_dtype t = c->in[0]->dtype;
  if (c->op == OP_nll_loss && !dtype_is_int(c->in[1]->dtype))
    return fail(e, TME_ERR_DTYPE, "nll_loss: targets are %s, expected whole numbers", tme_dtype_name(c->in[1]->dtype));
  t = infer_float(c, classes ? infer_promote(c, 0, 1) : infer_promote(c, 0, c->nin));
  if (!dtype_is_float(t))
    return fail(e, TME_ERR_DTYPE, "%s: takes real numbers, not %s", op_name(c->op), tme_dtype_name(t));
  for (int i = 0; i < c->nin; i++)
    if (i != 1 || !classes) infer_want(c, i, t);
  out->dtype = t;
  return TME_OK;
}

static void drop_axis(op_type *t, int64_t axis) {
  for (int d = (int)axis; d + 1 < t->rank; d++) t->shape[d] = t->shape[d + 1];
  t->rank--;
}

/* The losses before they are reduced. */
static tme_status infer_each(op_call *c, op_type *out, error *e) {
  losses_attrs *a = &c->attrs->losses;
  bool classes = of_classes(c->op, c->in[1]);
  op_type all = *c->in[0], both = all;
  int last = c->op == OP_cross_entropy || c->op == OP_nll_loss ? 1 : c->nin;
  for (int i = 1; i < last; i++) {
    if (!c->in[i]) continue;
    if (!type_broadcast(&all, c->in[i], &both)) return wrong_shapes(c, "the operands do not broadcast", e);
    all = both;
  }
  if (of_rows(c->op)) {
    tme_status s = infer_axis(c, &a->axis, all.rank, e);
    if (s != TME_OK) return s;
    if ((c->op == OP_cross_entropy || c->op == OP_nll_loss) && !all.shape[a->axis])
      return wrong_shapes(c, "there are no classes", e);
    if (c->op == OP_cross_entropy && !classes && !type_same_shape(&all, c->in[1]))
      return wrong_shapes(c, "targets that are probabilities have the shape of the logits", e);
    drop_axis(&all, a->axis);
    if (classes && !type_same_shape(&all, c->in[1]))
      return wrong_shapes(c, "targets that are classes have the shape of the rest, without the axis", e);
    if (c->op == OP_cross_entropy && c->in[2] &&
        (!type_broadcast(&all, c->in[2], &both) || !type_same_shape(&all, &both)))
      return wrong_shapes(c, "the weights do not broadcast to the losses, one for each row", e);
  }
  all.dtype = out->dtype;
  *out = all;
  return TME_OK;
}

tme_status infer_losses(op_call *c, op_type *out, error *e) {
  tme_status s = take_dtype(c, out, e);
  if (s == TME_OK) s = check_numbers(c, e);
  if (s == TME_OK) s = infer_each(c, out, e);
  if (c->attrs->losses.reduction != LOSSES_REDUCTION_NONE) out->rank = 0;
  return s;
}

/* ---- what they are made of ---------------------------------------------------------------------------------------------- */

typedef struct loss {
  graph *g;
  tme_dtype t;
  const losses_attrs *a;
} loss;

static int number(const loss *l, double v) { return graph_number(l->g, l->t, v); }
static int add(const loss *l, int x, int y) { return graph_bin(l->g, OP_add, x, y); }
static int sub(const loss *l, int x, int y) { return graph_bin(l->g, OP_subtract, x, y); }
static int mul(const loss *l, int x, int y) { return graph_bin(l->g, OP_multiply, x, y); }
static int times(const loss *l, int x, double v) { return v == 1 ? x : mul(l, x, number(l, v)); }
static int un(const loss *l, int op, int x) { return graph_un(l->g, op, x); }
static int where(const loss *l, int condition, int x, int y) {
  return graph_op(l->g, OP_where, (int[]){condition, x, y}, 3, NULL);
}
static int sum(const loss *l, int x) { return graph_reduce(l->g, OP_sum, x, 1u << l->a->axis, false); }
static int at_least(const loss *l, int x, double v) { return graph_bin(l->g, OP_maximum, x, number(l, v)); }

/* d^2 / 2 near 0, a straight line beyond `edge`. */
static int rounded(const loss *l, int d, double edge, double square, double slope) {
  int near = times(l, mul(l, d, d), square), far = times(l, sub(l, d, number(l, 0.5 * edge)), slope);
  return edge == 0 ? far : where(l, graph_bin(l->g, OP_less, d, number(l, edge)), near, far);
}

static int gaussian(const loss *l, int x, int y, int var) {
  int v = at_least(l, var, l->a->eps), d = sub(l, y, x);
  int sum = add(l, un(l, OP_log, v), graph_bin(l->g, OP_divide, mul(l, d, d), v));
  int half = times(l, sum, 0.5);
  return l->a->full ? add(l, half, number(l, 0.5 * log(2 * 3.14159265358979323846))) : half;
}

static int binary(const loss *l, int x, int t, int weights) {
  int y;
  if (l->a->with_logits) {
    y = sub(l, un(l, OP_softplus, x), mul(l, x, t));
  } else {
    int yes = at_least(l, un(l, OP_log, x), -100), no = at_least(l, un(l, OP_log1p, un(l, OP_negative, x)), -100);
    y = un(l, OP_negative, add(l, mul(l, t, yes), mul(l, sub(l, number(l, 1), t), no)));
  }
  return weights < 0 ? y : mul(l, y, weights);
}

/* x at the targets along the axis: a comparison for each element, so that x is read once. Gathering from what counts checks
 * the targets, and makes those that count from the end what they stand for. */
static int at_classes(const loss *l, int x, int targets) {
  if (x < 0 || targets < 0) return -1;
  graph *g = l->g;
  op_type type = graph_get(g, x)->type, one = type;
  int axis = (int)l->a->axis;
  op_attrs first = {.take = {.axis = 0}};
  int counts = graph_iota(g, TME_I64, 1, &type.shape[axis], 0);
  int place = graph_op(g, OP_take, (int[]){counts, targets}, 2, &first);
  one.shape[axis] = 1;
  int here = graph_bin(g, OP_equal, graph_reshape(g, place, one.rank, one.shape),
                       graph_iota(g, TME_I64, type.rank, type.shape, axis));
  return sum(l, where(l, here, x, number(l, 0)));
}

static int entropy(const loss *l, int x, int targets, int weights, bool classes) {
  if (x < 0) return -1;
  graph *g = l->g;
  int axis = (int)l->a->axis, y;
  double smooth = l->a->label_smoothing, n = (double)graph_get(g, x)->type.shape[axis];
  op_attrs along = {.softmax = {.axes = axes_from_mask(1u << axis)}};
  int p = graph_op(g, OP_log_softmax, &x, 1, &along);
  if (classes) {
    y = times(l, at_classes(l, p, targets), smooth - 1);
    if (smooth > 0) y = sub(l, y, times(l, sum(l, p), smooth / n));
  } else { /* what weighs nothing is not looked at */
    int t = times(l, targets, 1 - smooth);
    if (smooth > 0) t = add(l, t, number(l, smooth / n));
    int none = graph_bin(g, OP_equal, t, number(l, 0));
    y = un(l, OP_negative, sum(l, where(l, none, number(l, 0), mul(l, t, p))));
  }
  return weights < 0 ? y : mul(l, y, weights);
}

static int cosine(const loss *l, int x, int y) {
  int size = mul(l, un(l, OP_sqrt, sum(l, mul(l, x, x))), un(l, OP_sqrt, sum(l, mul(l, y, y))));
  return graph_bin(l->g, OP_divide, sum(l, mul(l, x, y)), at_least(l, size, l->a->eps));
}

static int distance(const loss *l, int x, int y) {
  double p = l->a->p;
  int d = sub(l, x, y), power = p == 2 ? mul(l, d, d) : un(l, OP_abs, d);
  if (p != 2 && p != 1) power = graph_bin(l->g, OP_pow, power, number(l, p));
  power = add(l, sum(l, power), number(l, l->a->eps));
  return p == 1 ? power : p == 2 ? un(l, OP_sqrt, power) : graph_bin(l->g, OP_pow, power, number(l, 1 / p));
}

/* Of operands in one dtype, but for classes. */
static int each(const loss *l, int op, const int *in, bool classes) {
  const losses_attrs *a = l->a;
  int d = classes || op == OP_cross_entropy ? -1 : sub(l, in[0], in[1]);
  switch (op) {
  case OP_l1_loss: return un(l, OP_abs, d);
  case OP_mse_loss: return mul(l, d, d);
  case OP_smooth_l1_loss: return rounded(l, un(l, OP_abs, d), a->beta, a->beta > 0 ? 0.5 / a->beta : 0, 1);
  case OP_huber_loss: return rounded(l, un(l, OP_abs, d), a->delta, 0.5, a->delta);
  /* |d| + log1p(exp(-2 |d|)) - log 2 loses what small differences have */
  case OP_log_cosh_loss: {
    int size = un(l, OP_abs, d), half = un(l, OP_expm1, times(l, size, -2));
    int far = add(l, size, un(l, OP_log1p, times(l, half, 0.5))), s = un(l, OP_sinh, times(l, size, 0.5));
    int near = un(l, OP_log1p, times(l, mul(l, s, s), 2));
    return where(l, graph_bin(l->g, OP_less, size, number(l, 1)), near, far);
  }
  case OP_hinge_loss: return at_least(l, sub(l, number(l, 1), mul(l, in[0], in[1])), 0);
  case OP_margin_ranking_loss: return at_least(l, sub(l, number(l, a->margin), mul(l, in[2], d)), 0);
  case OP_gaussian_nll_loss: return gaussian(l, in[0], in[1], in[2]);
  case OP_binary_cross_entropy: return binary(l, in[0], in[1], in[2]);
  case OP_cross_entropy: return entropy(l, in[0], in[1], in[2], classes);
  case OP_nll_loss: return un(l, OP_negative, at_classes(l, in[0], in[1]));
  case OP_kl_div_loss: return sum(l, mul(l, un(l, OP_exp, in[1]), sub(l, in[1], in[0])));
  case OP_cosine_similarity: return cosine(l, in[0], in[1]);
  default: /* triplet_loss */
    return at_least(l, add(l, sub(l, distance(l, in[0], in[1]), distance(l, in[0], in[2])), number(l, a->margin)), 0);
  }
}

/* So that an axis is the same one of all operands. */
static void make_alike(graph *g, int *in, int n) {
  op_type all = graph_get(g, in[0])->type, both = all;
  for (int i = 1; i < n; i++)
    if (in[i] >= 0 && type_broadcast(&all, &graph_get(g, in[i])->type, &both)) all = both;
  for (int i = 0; i < n; i++) in[i] = graph_broadcast(g, in[i], all.rank, all.shape);
}

int decompose_losses(graph *g, const g_site *s) {
  int in[3] = {-1, -1, -1}, op = s->node->op;
  bool classes = s->in[1] >= 0 && of_classes(op, &graph_get(g, s->in[1])->type);
  for (int i = 0; i < s->node->nin; i++) in[i] = i == 1 && classes ? s->in[i] : graph_wide(g, s->in[i]);
  if (in[0] < 0) return -1;
  if (of_rows(op) && op != OP_cross_entropy && !classes) make_alike(g, in, s->node->nin);
  loss l = {g, graph_get(g, in[0])->type.dtype, &s->attrs->losses};
  int y = each(&l, op, in, classes);
  if (y < 0) return -1;
  op_type type = graph_get(g, y)->type;
  if (l.a->reduction != LOSSES_REDUCTION_NONE) y = graph_reduce(g, OP_sum, y, (1u << type.rank) - 1, false);
  if (l.a->reduction == LOSSES_REDUCTION_MEAN) y = graph_bin(g, OP_divide, y, number(&l, (double)type_size(&type)));
  return graph_cast(g, y, s->node->type.dtype);
}
