/* embedding: take along the first axis. */
#include "ir/graph.h"

tme_status infer_embedding(op_call *c, op_type *out, error *e) {
  int64_t axis = 0;
  return infer_taken(c, &axis, "indices", out, e);
}

int decompose_embedding(graph *g, const g_site *s) {
  op_attrs rows = {.take = {.axis = 0}};
  return graph_op(g, OP_take, s->in, 2, &rows);
}
