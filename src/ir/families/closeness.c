/* isclose, allclose, array_equal: two arrays compared element by element. */
#include "ir/graph.h"

tme_status infer_closeness(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  tme_dtype t = infer_promote(c, 0, 2);
  if (c->op != OP_array_equal && dtype_kind(t) <= TAKES_INT) t = TME_F64;
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  out->dtype = TME_BOOL;
  op_type both = *x;
  bool fits = type_broadcast(x, y, &both);
  if (c->op != OP_array_equal && !fits) {
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    type_shape_text(x, a);
    type_shape_text(y, b);
    return fail(e, TME_ERR_SHAPE, "%s: shapes %s and %s do not broadcast", op_name(c->op), a, b);
  }
  if (c->op != OP_isclose) return TME_OK;
  *out = both;
  out->dtype = TME_BOOL;
  return TME_OK;
}

/* |x - y| <= atol + rtol |y| of finite y; equal infinities. */
static int close_to(graph *g, int x, int y, const closeness_attrs *a) {
  int distance = graph_un(g, OP_abs, graph_bin(g, OP_subtract, x, y)), size = graph_un(g, OP_abs, y);
  if (size < 0) return -1;
  tme_dtype t = graph_get(g, size)->type.dtype;
  int most =
      graph_bin(g, OP_add, graph_number(g, t, a->atol), graph_bin(g, OP_multiply, graph_number(g, t, a->rtol), size));
  int near = graph_bin(g, OP_logical_and, graph_bin(g, OP_less_equal, distance, most), graph_un(g, OP_isfinite, y));
  return graph_bin(g, OP_logical_or, near, graph_bin(g, OP_equal, x, y));
}

int decompose_closeness(graph *g, const g_site *s) {
  const closeness_attrs *a = &s->attrs->closeness;
  int op = s->node->op, x = s->in[0], y = s->in[1];
  op_type xt = graph_get(g, x)->type, yt = graph_get(g, y)->type;
  if (op == OP_array_equal && !type_same_shape(&xt, &yt)) return graph_number(g, TME_BOOL, 0);
  if (op != OP_array_equal) {
    x = graph_wide(g, x);
    y = graph_wide(g, y);
  }
  int hit = op == OP_array_equal ? graph_bin(g, OP_equal, x, y) : close_to(g, x, y, a);
  if (a->equal_nan && dtype_kind(xt.dtype) > TAKES_INT)
    hit = graph_bin(g, OP_logical_or, hit,
                    graph_bin(g, OP_logical_and, graph_un(g, OP_isnan, x), graph_un(g, OP_isnan, y)));
  if (op == OP_isclose || hit < 0) return hit;
  return graph_reduce(g, OP_all, hit, (1u << graph_get(g, hit)->type.rank) - 1, false);
}
