/* layer_norm, rms_norm along the last axis. */
#include "ir/normalized.h"

tme_status infer_norm(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  tme_dtype t = infer_float(c, infer_promote(c, 0, c->nin));
  if (!dtype_is_float(t))
    return fail(e, TME_ERR_DTYPE, "%s: takes real numbers, not %s", op_name(c->op), tme_dtype_name(t));
  if (x->rank == 0) return fail(e, TME_ERR_SHAPE, "%s: x needs at least one dimension", op_name(c->op));
  if (!(c->attrs->norm.eps >= 0))
    return fail(e, TME_ERR_ARGUMENT, "%s: eps is %g, expected 0 or more", op_name(c->op), c->attrs->norm.eps);
  int64_t n = x->shape[x->rank - 1];
  for (int i = 0; i < c->nin; i++) {
    if (!c->in[i]) continue;
    infer_want(c, i, t);
    if (i == 0 || (c->in[i]->rank == 1 && c->in[i]->shape[0] == n)) continue;
    char shape[SHAPE_TEXT];
    type_shape_text(c->in[i], shape);
    return fail(e, TME_ERR_SHAPE, "%s: %s has shape %s, expected (%lld,)", op_name(c->op), i == 1 ? "weight" : "bias",
                shape, (long long)n);
  }
  *out = *x;
  out->dtype = t;
  return TME_OK;
}

int decompose_norm(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  const int *in = s->in;
  int nin = s->node->nin, x = graph_wide(g, in[0]);
  if (x < 0) return -1;
  tme_dtype t = graph_get(g, x)->type.dtype;
  int y = graph_normalized(g, x, 1u << (type->rank - 1), s->attrs->norm.eps, s->node->op == OP_layer_norm);
  if (nin > 1 && in[1] >= 0) y = graph_bin(g, OP_multiply, y, graph_cast(g, in[1], t));
  if (nin > 2 && in[2] >= 0) y = graph_bin(g, OP_add, y, graph_cast(g, in[2], t));
  return graph_cast(g, y, type->dtype);
}
