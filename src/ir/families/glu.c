/* glu: one half of x gates the other. */
#include "ir/graph.h"

tme_status infer_glu(op_call *c, op_type *out, error *e) {
  int64_t *axis = &c->attrs->glu.axis;
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = infer_axis(c, axis, c->in[0]->rank, e);
  if (s != TME_OK) return s;
  *out = *c->in[0];
  if (out->shape[*axis] % 2)
    return fail(e, TME_ERR_SHAPE, "glu: axis %d has %lld elements, expected an even number", (int)*axis,
                (long long)out->shape[*axis]);
  out->shape[*axis] /= 2;
  out->dtype = infer_float(c, out->dtype);
  infer_want(c, 0, out->dtype);
  return TME_OK;
}

int decompose_glu(graph *g, const g_site *s) {
  int axis = (int)s->attrs->glu.axis, x = graph_wide(g, s->in[0]);
  int64_t half = s->node->type.shape[axis];
  int y = graph_bin(g, OP_multiply, graph_part(g, x, axis, 0, half),
                    graph_un(g, OP_sigmoid, graph_part(g, x, axis, half, 2 * half)));
  return graph_cast(g, y, s->node->type.dtype);
}
