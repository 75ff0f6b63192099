/* Elementwise operations of two results: two operations of one. */
#include "ir/graph.h"

tme_status infer_several(op_call *c, op_type *out, error *e) {
  tme_status s = infer_elementwise(c, out, e);
  out[1] = out[0];
  for (int k = 0; k < 2; k++) out[k].dtype = infer_given(op_get(op_of_result(c->op, k))->rule, out[k].dtype);
  return s;
}

int decompose_several(graph *g, const g_site *s) {
  return graph_op(g, op_of_result(s->node->op, s->output), s->in, s->node->nin, NULL);
}
