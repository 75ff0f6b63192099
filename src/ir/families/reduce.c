/* sum, prod, min, max, any, all. The operand is cast to the dtype of the result first. */
#include "ir/graph.h"

tme_status infer_reduce(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  reduce_attrs *a = &c->attrs->reduce;
  tme_status s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s != TME_OK) return s;
  tme_dtype t = x->dtype;
  if (c->op == OP_any || c->op == OP_all) {
    t = TME_BOOL;
  } else if (c->op == OP_sum || c->op == OP_prod) {
    t = infer_sum(t);
    a->dtype = TME_DTYPE_NONE; /* that of a call is taken care of before: src/array/compose.c */
  } else {
    s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers or booleans", e);
    if (s != TME_OK) return s;
    s = infer_not_empty(c, a->axes.mask, e);
    if (s != TME_OK) return s;
  }
  infer_want(c, 0, t);
  out->dtype = t;
  infer_reduced(x, a->axes.mask, a->keepdims, out);
  return TME_OK;
}

/* A reduction of nothing is its neutral element; REWRITE_KEEP if it has none (and no result either). */
static int reduce_nothing(graph *g, const g_node *n) {
  if (n->op == OP_min || n->op == OP_max) return REWRITE_KEEP;
  int one = graph_number(g, n->type.dtype, n->op == OP_prod || n->op == OP_all);
  return graph_broadcast(g, one, n->type.rank, n->type.shape);
}

/* A product of n numbers is rounded n times, in whatever order: of many, in f64, which no product of f32 can tell from
 * exact. REWRITE_KEEP if there is nothing to be done. */
static int long_product(graph *g, int x, const reduce_attrs *a, const op_type *type) {
  enum { MANY = 512 };
  const op_type *t = &g->node[x].type;
  tme_dtype wide = TME_F64;
  if (t->dtype == wide || !dtype_is_float(t->dtype) || type_size(t) <= MANY * type_size(type)) return REWRITE_KEEP;
  x = graph_reduce(g, OP_prod, graph_cast(g, x, wide), a->axes.mask, a->keepdims);
  return graph_cast(g, x, type->dtype);
}

int decompose_reduce(graph *g, const g_site *s) {
  const g_node *n = s->node;
  if (!type_size(&g->node[s->in[0]].type)) return reduce_nothing(g, n);
  return n->op == OP_prod ? long_product(g, s->in[0], &s->attrs->reduce, &n->type) : REWRITE_KEEP;
}
