/* mean, var, std, logsumexp. */
#include "ir/graph.h"
#include <math.h>

tme_status infer_statistics(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  statistics_attrs *a = &c->attrs->statistics;
  if (c->op == OP_mean) {
    a->dtype = TME_DTYPE_NONE; /* as in reduce.c */
  } else {
    if (dtype_is_complex(x->dtype))
      return fail(e, TME_ERR_DTYPE, "%s: takes real numbers, not %s%s", op_name(c->op), tme_dtype_name(x->dtype),
                  c->op == OP_logsumexp ? ": complex ones have no largest one, and many logarithms" : "");
  }
  tme_status s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s != TME_OK) return s;
  out->dtype = infer_float(c, x->dtype);
  infer_want(c, 0, out->dtype);
  infer_reduced(x, a->axes.mask, a->keepdims, out);
  return TME_OK;
}

static double reduced_count(const op_type *x, uint32_t axes) {
  double n = 1;
  for (int d = 0; d < x->rank; d++)
    if (axes >> d & 1) n *= (double)x->shape[d];
  return n;
}

static int mean(graph *g, int x, uint32_t axes, bool keepdims, tme_dtype t, double n) {
  return graph_bin(g, OP_divide, graph_reduce(g, OP_sum, x, axes, keepdims), graph_number(g, t, n));
}

/* What the mean lost in rounding stands in the sum of the deviations, which is of the same pass as their squares'. */
static int variance(graph *g, int x, const statistics_attrs *a, tme_dtype t, double n) {
  int d = graph_bin(g, OP_subtract, x, mean(g, x, a->axes.mask, true, t, n));
  int squares = graph_reduce(g, OP_sum, graph_bin(g, OP_multiply, d, d), a->axes.mask, a->keepdims);
  int sum = graph_reduce(g, OP_sum, d, a->axes.mask, a->keepdims);
  squares = graph_centred(g, squares, sum, graph_bin(g, OP_divide, sum, graph_number(g, t, n)));
  return graph_bin(g, OP_divide, squares, graph_number(g, t, fmax(n - a->correction, 0)));
}

static int log_sum_exp(graph *g, int x, const statistics_attrs *a, tme_dtype t, double n, const op_type *type) {
  if (n == 0) return graph_broadcast(g, graph_number(g, t, -INFINITY), type->rank, type->shape);
  int m = graph_max_any(g, x, a->axes.mask);
  /* An infinite maximum would make x - m NaN. */
  int in[3] = {graph_un(g, OP_isfinite, m), m, graph_number(g, t, 0)};
  m = graph_op(g, OP_where, in, 3, NULL);
  int sum = graph_reduce(g, OP_sum, graph_un(g, OP_exp, graph_bin(g, OP_subtract, x, m)), a->axes.mask, a->keepdims);
  return graph_bin(g, OP_add, graph_un(g, OP_log, sum), graph_reshape(g, m, type->rank, type->shape));
}

int decompose_statistics(graph *g, const g_site *s) {
  const statistics_attrs *a = &s->attrs->statistics;
  const op_type *type = &s->node->type;
  int x = graph_wide(g, s->in[0]);
  if (x < 0) return -1;
  op_type xt = graph_get(g, x)->type;
  double n = reduced_count(&xt, a->axes.mask);
  int y;
  switch (s->node->op) {
  case OP_mean: y = mean(g, x, a->axes.mask, a->keepdims, xt.dtype, n); break;
  case OP_var: y = variance(g, x, a, xt.dtype, n); break;
  case OP_std: y = graph_un(g, OP_sqrt, variance(g, x, a, xt.dtype, n)); break;
  case OP_logsumexp: y = log_sum_exp(g, x, a, xt.dtype, n, type); break;
  default: return REWRITE_KEEP;
  }
  return graph_cast(g, y, type->dtype);
}
