/* isreal, iscomplex: whether the imaginary part, of which real numbers have none, is 0. */
#include "ir/graph.h"

tme_status infer_imaginary(op_call *c, op_type *out, error *e) {
  (void)e;
  *out = *c->in[0];
  out->dtype = TME_BOOL;
  return TME_OK;
}

int decompose_imaginary(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  bool real = s->node->op == OP_isreal;
  tme_dtype t = graph_get(g, s->in[0])->type.dtype;
  if (!dtype_is_complex(t)) return graph_broadcast(g, graph_number(g, TME_BOOL, real), type->rank, type->shape);
  int zero = graph_number(g, dtype_real(t), 0);
  return graph_bin(g, real ? OP_equal : OP_not_equal, graph_un(g, OP_imag, s->in[0]), zero);
}
