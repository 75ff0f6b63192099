/* dropout: elements are kept by random numbers, and those that are kept stand for all. */
#include "ir/families/random.h"
#include <string.h>

tme_status infer_dropout(op_call *c, op_type *out, error *e) {
  double rate = c->attrs->dropout.rate;
  tme_status s = infer_key(c, 1, e);
  if (s == TME_OK) s = infer_takes(c, TAKES_INT | TAKES_FLOAT | TAKES_COMPLEX, "numbers", e);
  if (s != TME_OK) return s;
  if (!(rate >= 0 && rate <= 1)) return fail(e, TME_ERR_ARGUMENT, "dropout: rate is %g, expected 0 to 1", rate);
  *out = *c->in[0];
  out->dtype = infer_float(c, out->dtype);
  infer_want(c, 0, out->dtype);
  return TME_OK;
}

int decompose_dropout(graph *g, const g_site *s) {
  double rate = s->attrs->dropout.rate;
  const op_type *type = &s->node->type;
  int x = graph_wide(g, s->in[0]);
  if (rate == 0 || x < 0) return rate == 0 ? s->in[0] : -1;
  tme_dtype t = graph_get(g, x)->type.dtype;
  int nothing = graph_number(g, t, 0);
  if (rate == 1) return graph_broadcast(g, graph_cast(g, nothing, type->dtype), type->rank, type->shape);
  op_attrs drawn = {.random = {.shape.n = type->rank}};
  memcpy(drawn.random.shape.v, type->shape, sizeof type->shape);
  int kept = graph_op(g, OP_random_bernoulli, (int[]){graph_number(g, dtype_real(t), 1 - rate), s->in[1]}, 2, &drawn);
  int scaled = graph_bin(g, OP_multiply, x, graph_number(g, t, 1 / (1 - rate)));
  return graph_cast(g, graph_op(g, OP_where, (int[]){kept, scaled, nothing}, 3, NULL), type->dtype);
}
