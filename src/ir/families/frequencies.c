/* fftfreq, rfftfreq. */
#include "ir/graph.h"

tme_status infer_frequencies(op_call *c, op_type *out, error *e) {
  frequencies_attrs *a = &c->attrs->frequencies;
  tme_status s = infer_dtype(c, &a->dtype, c->default_float, e);
  if (s != TME_OK) return s;
  if (!dtype_is_float(a->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: makes real floating numbers, not %s", op_name(c->op), tme_dtype_name(a->dtype));
  if (a->n < 1) return fail(e, TME_ERR_ARGUMENT, "%s: n is %lld, expected 1 or more", op_name(c->op), (long long)a->n);
  out->dtype = a->dtype;
  out->rank = 1;
  out->shape[0] = c->op == OP_rfftfreq ? a->n / 2 + 1 : a->n;
  return TME_OK;
}

/* Quotients in f64, of whole numbers. */
int decompose_frequencies(graph *g, const g_site *s) {
  const frequencies_attrs *a = &s->attrs->frequencies;
  int i = graph_iota(g, TME_F64, 1, s->node->type.shape, 0);
  if (s->node->op == OP_fftfreq) {
    int in[3] = {graph_bin(g, OP_less, i, graph_number(g, TME_F64, (double)((a->n + 1) / 2))), i,
                 graph_bin(g, OP_subtract, i, graph_number(g, TME_F64, (double)a->n))};
    i = graph_op(g, OP_where, in, 3, NULL);
  }
  return graph_cast(g, graph_bin(g, OP_divide, i, graph_number(g, TME_F64, (double)a->n * a->d)), s->node->type.dtype);
}
