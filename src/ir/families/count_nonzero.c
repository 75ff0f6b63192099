/* count_nonzero: a sum of booleans. */
#include "ir/graph.h"

tme_status infer_count_nonzero(op_call *c, op_type *out, error *e) {
  count_nonzero_attrs *a = &c->attrs->count_nonzero;
  tme_status s = infer_axes(c, &a->axes, c->in[0]->rank, false, e);
  out->dtype = TME_I64;
  if (s == TME_OK) infer_reduced(c->in[0], a->axes.mask, a->keepdims, out);
  return s;
}

int decompose_count_nonzero(graph *g, const g_site *s) {
  const count_nonzero_attrs *a = &s->attrs->count_nonzero;
  return graph_reduce(g, OP_sum, graph_cast(g, s->in[0], TME_BOOL), a->axes.mask, a->keepdims);
}
