/* Reductions of what is not NaN: NaN becomes what changes nothing, and what is left is counted. */
#include "ir/graph.h"
#include <math.h>

static bool is_extreme(int op) {
  return op == OP_nanmin || op == OP_nanmax || op == OP_nanargmin || op == OP_nanargmax;
}

tme_status infer_nan_reduce(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  nan_reduce_attrs *a = &c->attrs->nan_reduce;
  bool place = c->op == OP_nanargmin || c->op == OP_nanargmax, sum = c->op == OP_nansum || c->op == OP_nanprod;
  tme_dtype t = x->dtype;
  tme_status s = TME_OK;
  if (!sum) s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers or booleans", e);
  if (s != TME_OK) return s;
  if (place && a->axes.given == AXES_LIST && a->axes.list.n >= 0 && a->axes.list.n != 1)
    return fail(e, TME_ERR_ARGUMENT, "%s: takes one axis or none, not %d", op_name(c->op), a->axes.list.n);
  s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s == TME_OK && is_extreme(c->op)) s = infer_not_empty(c, a->axes.mask, e);
  if (s != TME_OK) return s;
  if (sum) t = infer_sum(t);
  if (!sum && !is_extreme(c->op)) t = infer_float(c, t);
  infer_want(c, 0, t);
  out->dtype = place ? TME_I64 : t;
  infer_reduced(x, a->axes.mask, a->keepdims, out);
  return TME_OK;
}

static int either(graph *g, int condition, int x, int y) {
  int in[3] = {condition, x, y};
  return graph_op(g, OP_where, in, 3, NULL);
}

static bool has_nan(tme_dtype t) { return dtype_is_float(t) || dtype_is_complex(t); }

/* The extreme element; NaN where all are. */
static int extreme(graph *g, int x, bool least, uint32_t axes, bool keepdims) {
  tme_dtype t = graph_get(g, x)->type.dtype;
  int op = least ? OP_min : OP_max;
  if (!has_nan(t)) return graph_reduce(g, op, x, axes, keepdims);
  int none = graph_un(g, OP_isnan, x), end = graph_number(g, t, least ? (double)INFINITY : -(double)INFINITY);
  int m = graph_reduce(g, op, either(g, none, end, x), axes, keepdims);
  return either(g, graph_reduce(g, OP_all, none, axes, keepdims), graph_number(g, t, NAN), m);
}

/* The sum of the elements that are not `none`, over how many they are less `correction`. */
static int mean(graph *g, int x, int none, double correction, uint32_t axes, bool keepdims) {
  tme_dtype t = graph_get(g, x)->type.dtype;
  int zero = graph_number(g, t, 0);
  int sum = graph_reduce(g, OP_sum, either(g, none, zero, x), axes, keepdims);
  int n = graph_reduce(g, OP_sum, graph_cast(g, graph_un(g, OP_logical_not, none), t), axes, keepdims);
  if (correction != 0) n = graph_bin(g, OP_maximum, graph_bin(g, OP_subtract, n, graph_number(g, t, correction)), zero);
  return graph_bin(g, OP_divide, sum, n);
}

static int variance(graph *g, int x, const nan_reduce_attrs *a) {
  int none = graph_un(g, OP_isnan, x);
  int d = graph_bin(g, OP_subtract, x, mean(g, x, none, 0, a->axes.mask, true));
  return mean(g, graph_bin(g, OP_multiply, d, d), none, a->correction, a->axes.mask, a->keepdims);
}

int decompose_nan_reduce(graph *g, const g_site *s) {
  const nan_reduce_attrs *a = &s->attrs->nan_reduce;
  int op = s->node->op, x = s->in[0], y;
  uint32_t axes = a->axes.mask;
  tme_dtype t = graph_get(g, x)->type.dtype;
  switch (op) {
  case OP_nansum:
  case OP_nanprod:
    if (has_nan(t)) x = either(g, graph_un(g, OP_isnan, x), graph_number(g, t, op == OP_nanprod), x);
    return graph_reduce(g, op == OP_nansum ? OP_sum : OP_prod, x, axes, a->keepdims);
  case OP_nanmin:
  case OP_nanmax: return extreme(g, x, op == OP_nanmin, axes, a->keepdims);
  case OP_nanargmin:
  case OP_nanargmax: {
    op_attrs place = {.argreduce = {a->axes, a->keepdims}};
    int hit = graph_bin(g, OP_equal, x, extreme(g, x, op == OP_nanargmin, axes, true));
    return graph_op(g, OP_argmax, &hit, 1, &place);
  }
  default: break;
  }
  x = graph_wide(g, x);
  if (x < 0) return -1;
  y = op == OP_nanmean ? mean(g, x, graph_un(g, OP_isnan, x), 0, axes, a->keepdims) : variance(g, x, a);
  return graph_cast(g, op == OP_nanstd ? graph_un(g, OP_sqrt, y) : y, s->node->type.dtype);
}
