/* flatnonzero: argwhere of the elements in one row. */
#include "ir/graph.h"

tme_status infer_flatnonzero(op_call *c, op_type *out, error *e) {
  int64_t size = c->attrs->flatnonzero.size;
  if (size < 0) return fail(e, TME_ERR_ARGUMENT, "flatnonzero: size is %lld, expected 0 or more", (long long)size);
  *out = (op_type){.dtype = TME_I64, .rank = 1, .shape = {size}};
  return TME_OK;
}

int decompose_flatnonzero(graph *g, const g_site *s) {
  int64_t size = s->attrs->flatnonzero.size, n = type_size(&graph_get(g, s->in[0])->type);
  op_attrs places = {.argwhere = {.size = size}};
  int x = graph_reshape(g, s->in[0], 1, &n);
  return graph_reshape(g, graph_op(g, OP_argwhere, &x, 1, &places), 1, &size);
}
