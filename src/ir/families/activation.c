/* Activations with numbers besides their operand. */
#include "ir/graph.h"

tme_status infer_activation(op_call *c, op_type *out, error *e) {
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s != TME_OK) return s;
  *out = *c->in[0];
  out->dtype = infer_float(c, out->dtype);
  infer_want(c, 0, out->dtype);
  return TME_OK;
}

static int either(graph *g, int condition, int x, int y) {
  int in[3] = {condition, x, y};
  return graph_op(g, OP_where, in, 3, NULL);
}

static int times(graph *g, int x, double v) {
  return x < 0 ? -1 : graph_bin(g, OP_multiply, x, graph_number(g, graph_get(g, x)->type.dtype, v));
}

/* NaN is not below a number, and so stays. */
int decompose_activation(graph *g, const g_site *s) {
  const activation_attrs *a = &s->attrs->activation;
  int x = graph_wide(g, s->in[0]), y;
  if (x < 0) return -1;
  tme_dtype t = graph_get(g, x)->type.dtype;
  int zero = graph_number(g, t, 0), below = graph_bin(g, OP_less, x, zero);
  switch (s->node->op) {
  case OP_leaky_relu: y = either(g, below, times(g, x, a->negative_slope), x); break;
  case OP_elu: y = either(g, below, times(g, graph_un(g, OP_expm1, x), a->alpha), x); break;
  case OP_celu: {
    int ratio = graph_bin(g, OP_divide, x, graph_number(g, t, a->alpha));
    y = either(g, below, times(g, graph_un(g, OP_expm1, ratio), a->alpha), x);
    break;
  }
  case OP_hardshrink:
    y = either(g, graph_bin(g, OP_less_equal, graph_un(g, OP_abs, x), graph_number(g, t, a->lambd)), zero, x);
    break;
  case OP_softshrink: {
    int most = graph_number(g, t, a->lambd), least = graph_number(g, t, -a->lambd), in[3] = {x, least, most};
    y = graph_bin(g, OP_subtract, x, graph_op(g, OP_clip, in, 3, NULL));
    y = either(g, graph_bin(g, OP_less_equal, graph_un(g, OP_abs, x), most), zero, y);
    break;
  }
  case OP_threshold:
    y = either(g, graph_bin(g, OP_less_equal, x, graph_number(g, t, a->threshold)), graph_number(g, t, a->value), x);
    break;
  default: return REWRITE_KEEP;
  }
  return graph_cast(g, y, s->node->type.dtype);
}
