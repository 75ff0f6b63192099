/* Moments about the mean. */
#include "ir/graph.h"

tme_status infer_moments(op_call *c, op_type *out, error *e) {
  moments_attrs *a = &c->attrs->moments;
  const op_type *x = c->in[0];
  tme_status s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s != TME_OK) return s;
  if (c->op == OP_moment && (a->order < 0 || a->order > 16))
    return fail(e, TME_ERR_ARGUMENT, "%s: the order is %lld, expected 0 to 16", op_name(c->op), (long long)a->order);
  out->dtype = infer_float(c, x->dtype);
  infer_want(c, 0, out->dtype);
  infer_reduced(x, a->axes.mask, a->keepdims, out);
  return TME_OK;
}

static int mean(graph *g, int x, const moments_attrs *a, bool keepdims) {
  op_attrs over = {.statistics = {.axes = a->axes, .keepdims = keepdims}};
  return graph_op(g, OP_mean, &x, 1, &over);
}

/* x^n, n > 0. */
static int power(graph *g, int x, int64_t n) {
  int y = -1;
  for (; n; n >>= 1) {
    if (n & 1) y = y < 0 ? x : graph_bin(g, OP_multiply, y, x);
    if (n > 1) x = graph_bin(g, OP_multiply, x, x);
  }
  return y;
}

int decompose_moments(graph *g, const g_site *s) {
  const moments_attrs *a = &s->attrs->moments;
  const op_type *type = &s->node->type;
  int x = graph_wide(g, s->in[0]);
  if (x < 0) return -1;
  tme_dtype t = graph_get(g, x)->type.dtype;
  int d = graph_bin(g, OP_subtract, x, mean(g, x, a, true)), op = s->node->op;
  int64_t order = op == OP_skew ? 3 : op == OP_kurtosis ? 4 : a->order;
  int y = order ? mean(g, power(g, d, order), a, a->keepdims)
                : graph_broadcast(g, graph_number(g, t, 1), type->rank, type->shape);
  if (op != OP_moment) {
    int square = mean(g, power(g, d, 2), a, a->keepdims);
    int size = op == OP_skew ? graph_bin(g, OP_multiply, square, graph_un(g, OP_sqrt, square)) : power(g, square, 2);
    y = graph_bin(g, OP_divide, y, size);
    if (op == OP_kurtosis) y = graph_bin(g, OP_subtract, y, graph_number(g, t, 3));
  }
  return graph_cast(g, y, type->dtype);
}
