/* softmax, log_softmax over axes. */
#include "ir/graph.h"

tme_status infer_softmax(op_call *c, op_type *out, error *e) {
  tme_status s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = infer_axes(c, &c->attrs->softmax.axes, c->in[0]->rank, false, e);
  if (s != TME_OK) return s;
  *out = *c->in[0];
  out->dtype = infer_float(c, out->dtype);
  infer_want(c, 0, out->dtype);
  return TME_OK;
}

int decompose_softmax(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  uint32_t axes = s->attrs->softmax.axes.mask;
  if (!type_size(type)) return s->in[0];
  int x = graph_wide(g, s->in[0]);
  int d = graph_bin(g, OP_subtract, x, graph_max_any(g, x, axes));
  int p = graph_un(g, OP_exp, d);
  int sum = graph_reduce(g, OP_sum, p, axes, true);
  if (s->node->op == OP_softmax) { /* one division a row */
    int scale = graph_bin(g, OP_divide, graph_number(g, graph_get(g, x)->type.dtype, 1), sum);
    return graph_cast(g, graph_bin(g, OP_multiply, p, scale), type->dtype);
  }
  int y = graph_bin(g, OP_subtract, d, graph_un(g, OP_log, sum));
  return graph_cast(g, y, type->dtype);
}
