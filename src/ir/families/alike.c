/* zeros_like, ones_like, full_like: of x nothing is read but its type. */
#include "ir/graph.h"

tme_status infer_alike(op_call *c, op_type *out, error *e) {
  alike_attrs *a = &c->attrs->alike;
  *out = *c->in[0];
  tme_status s = infer_dtype(c, &a->dtype, out->dtype, e);
  if (s != TME_OK) return s;
  out->dtype = a->dtype;
  if (c->op == OP_full_like && !number_fits(&a->value, out->dtype))
    return number_misfit("full_like", &a->value, out->dtype, e);
  return TME_OK;
}

int decompose_alike(graph *g, const g_site *s) {
  int op = s->node->op == OP_zeros_like ? OP_zeros : s->node->op == OP_ones_like ? OP_ones : OP_full;
  const op_type *type = &s->node->type;
  op_attrs a = {.create = {.shape.n = type->rank, .value = s->attrs->alike.value, .dtype = type->dtype}};
  for (int d = 0; d < type->rank; d++) a.create.shape.v[d] = type->shape[d];
  return graph_op(g, op, NULL, 0, &a);
}
