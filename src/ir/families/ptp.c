/* ptp: from peak to peak. */
#include "ir/graph.h"

tme_status infer_ptp(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  ptp_attrs *a = &c->attrs->ptp;
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s == TME_OK) s = infer_not_empty(c, a->axes.mask, e);
  if (s != TME_OK) return s;
  out->dtype = x->dtype;
  infer_reduced(x, a->axes.mask, a->keepdims, out);
  return TME_OK;
}

int decompose_ptp(graph *g, const g_site *s) {
  const ptp_attrs *a = &s->attrs->ptp;
  int most = graph_reduce(g, OP_max, s->in[0], a->axes.mask, a->keepdims);
  return graph_bin(g, OP_subtract, most, graph_reduce(g, OP_min, s->in[0], a->axes.mask, a->keepdims));
}
