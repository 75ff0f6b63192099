/* sinusoidal_positions: those of Vaswani et al., "Attention is all you need", 2017. */
#include "ir/graph.h"
#include <math.h>

tme_status infer_sinusoidal_positions(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  const sinusoidal_positions_attrs *a = &c->attrs->sinusoidal_positions;
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s != TME_OK) return s;
  if (x->rank == TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "sinusoidal_positions: the positions have %d dimensions already, the most supported",
                x->rank);
  if (a->dims < 2 || a->dims % 2)
    return fail(e, TME_ERR_ARGUMENT, "sinusoidal_positions: dims is %lld, expected an even number from 2 on",
                (long long)a->dims);
  if (!(a->base > 0) || isinf(a->base))
    return fail(e, TME_ERR_ARGUMENT, "sinusoidal_positions: base is %g, expected more than 0", a->base);
  *out = *x;
  out->dtype = infer_float(c, x->dtype);
  out->shape[out->rank++] = a->dims;
  infer_want(c, 0, out->dtype);
  return TME_OK;
}

int decompose_sinusoidal_positions(graph *g, const g_site *s) {
  const sinusoidal_positions_attrs *a = &s->attrs->sinusoidal_positions;
  op_type type = s->node->type;
  int x = graph_wide(g, s->in[0]), last = type.rank - 1;
  if (x < 0) return -1;
  tme_dtype t = graph_get(g, x)->type.dtype;
  int64_t half = a->dims / 2;
  type.shape[last] = 1;
  int i = graph_iota(g, t, 1, &half, 0);
  int turn = graph_un(g, OP_exp, graph_bin(g, OP_multiply, i, graph_number(g, t, -log(a->base) / (double)half)));
  int angle = graph_bin(g, OP_multiply, graph_reshape(g, x, type.rank, type.shape), turn);
  int part[2] = {graph_un(g, OP_sin, angle), graph_un(g, OP_cos, angle)};
  op_attrs stacked = {.stack = {.axis = last + 1}}, joined = {.concatenate = {.axis = last}};
  int y = a->halves ? graph_op(g, OP_concatenate, part, 2, &joined) : graph_op(g, OP_stack, part, 2, &stacked);
  return graph_cast(g, graph_reshape(g, y, type.rank, s->node->type.shape), type.dtype);
}
