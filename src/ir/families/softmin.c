/* softmin: the softmax of -x. */
#include "ir/graph.h"

tme_status infer_softmin(op_call *c, op_type *out, error *e) {
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = infer_axes(c, &c->attrs->softmin.axes, c->in[0]->rank, false, e);
  if (s != TME_OK) return s;
  *out = *c->in[0];
  out->dtype = infer_float(c, out->dtype);
  infer_want(c, 0, out->dtype);
  return TME_OK;
}

int decompose_softmin(graph *g, const g_site *s) {
  op_attrs along = {.softmax = {.axes = s->attrs->softmin.axes}};
  int x = graph_un(g, OP_negative, s->in[0]);
  return graph_op(g, OP_softmax, &x, 1, &along);
}
