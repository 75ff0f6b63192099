/* trapezoid: the sum of the means of neighbours times their distances. */
#include "ir/graph.h"

tme_status infer_trapezoid(op_call *c, op_type *out, error *e) {
  const op_type *y = c->in[0], *x = c->in[1];
  trapezoid_attrs *a = &c->attrs->trapezoid;
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT | TAKES_COMPLEX, "numbers", e);
  if (s == TME_OK) s = infer_axis(c, &a->axis, y->rank, e);
  if (s != TME_OK) return s;
  op_type both = *y;
  bool vector = x && x->rank == 1;
  bool fits =
      !x || (vector ? x->shape[0] == y->shape[a->axis] : type_broadcast(y, x, &both) && type_same_shape(y, &both));
  if (!fits) {
    char p[SHAPE_TEXT], q[SHAPE_TEXT];
    type_shape_text(x, p);
    type_shape_text(y, q);
    return fail(e, TME_ERR_SHAPE, "trapezoid: x of shape %s does not fit y of shape %s along axis %lld", p, q,
                (long long)a->axis);
  }
  out->dtype = infer_float(c, infer_promote(c, 0, 2));
  infer_want(c, 0, out->dtype);
  infer_want(c, 1, out->dtype);
  infer_reduced(y, 1u << a->axis, false, out);
  return TME_OK;
}

/* Of neighbours along the axis, of which there are n. */
static int of_neighbours(graph *g, int op, int x, int axis, int64_t n) {
  return graph_bin(g, op, graph_part(g, x, axis, 1, n), graph_part(g, x, axis, 0, n - 1));
}

int decompose_trapezoid(graph *g, const g_site *s) {
  const trapezoid_attrs *a = &s->attrs->trapezoid;
  int y = graph_wide(g, s->in[0]), x = s->in[1] < 0 ? -1 : graph_wide(g, s->in[1]), axis = (int)a->axis;
  if (y < 0) return -1;
  op_type t = graph_get(g, y)->type;
  int64_t n = t.shape[axis];
  if (!n) return graph_reduce(g, OP_sum, s->in[0], 1u << axis, false);
  int width = graph_number(g, t.dtype, a->dx);
  if (x >= 0) {
    op_type line = t;
    for (int d = 0; d < t.rank; d++) line.shape[d] = d == axis ? n : 1;
    bool vector = graph_get(g, x)->type.rank == 1;
    x = vector ? graph_reshape(g, x, line.rank, line.shape) : graph_broadcast(g, x, t.rank, t.shape);
    width = of_neighbours(g, OP_subtract, x, axis, n);
  }
  int area = graph_bin(g, OP_multiply, width, of_neighbours(g, OP_add, y, axis, n));
  int sum = graph_reduce(g, OP_sum, area, 1u << axis, false);
  return graph_cast(g, graph_bin(g, OP_multiply, sum, graph_number(g, t.dtype, 0.5)), s->node->type.dtype);
}
