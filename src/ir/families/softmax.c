/* softmax, log_softmax along one axis. */
#include "ir/graph.h"

tme_status infer_softmax(op_call *c, op_type *out, error *e) {
  tme_status s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = infer_axis(c, &c->attrs->softmax.axis, c->in[0]->rank, e);
  if (s != TME_OK) return s;
  *out = *c->in[0];
  out->dtype = infer_float(c, out->dtype);
  infer_want(c, 0, out->dtype);
  return TME_OK;
}

int decompose_softmax(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int64_t along = s->attrs->softmax.axis;
  if (!type->shape[along]) return s->in[0];
  int x = graph_wide(g, s->in[0]);
  uint32_t axis = 1u << along;
  int d = graph_bin(g, OP_subtract, x, graph_max_any(g, x, axis));
  int p = graph_un(g, OP_exp, d);
  int sum = graph_reduce(g, OP_sum, p, axis, true);
  if (s->node->op == OP_softmax) { /* one division a row */
    int scale = graph_bin(g, OP_divide, graph_number(g, graph_get(g, x)->type.dtype, 1), sum);
    return graph_cast(g, graph_bin(g, OP_multiply, p, scale), type->dtype);
  }
  int y = graph_bin(g, OP_subtract, d, graph_un(g, OP_log, sum));
  return graph_cast(g, y, type->dtype);
}
