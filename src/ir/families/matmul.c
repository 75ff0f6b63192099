/* matmul with the rules of the array API standard: vectors become matrices, batches broadcast. */
#include "ir/graph.h"
#include <string.h>

tme_status infer_matmul(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  tme_dtype t = infer_promote(c, 0, 2);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  type_shape_text(x, a);
  type_shape_text(y, b);
  if (t == TME_BOOL) return fail(e, TME_ERR_DTYPE, "matmul: takes numbers, not bool");
  if (!x->rank || !y->rank) return fail(e, TME_ERR_SHAPE, "matmul: %s x %s: both need at least one dimension", a, b);
  int64_t kx = x->shape[x->rank - 1], ky = y->shape[y->rank > 1 ? y->rank - 2 : 0];
  if (kx != ky)
    return fail(e, TME_ERR_SHAPE, "matmul: %s x %s: inner dimensions %lld and %lld differ", a, b, (long long)kx,
                (long long)ky);
  op_type bx = *x, by = *y;
  bx.rank = x->rank > 2 ? x->rank - 2 : 0;
  by.rank = y->rank > 2 ? y->rank - 2 : 0;
  if (!type_broadcast(&bx, &by, out))
    return fail(e, TME_ERR_SHAPE, "matmul: %s x %s: the batch dimensions do not broadcast", a, b);
  if (x->rank > 1) out->shape[out->rank++] = x->shape[x->rank - 2];
  if (y->rank > 1) out->shape[out->rank++] = y->shape[y->rank - 1];
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  out->dtype = t;
  return TME_OK;
}

/* Sums of nothing are 0; vectors become matrices; a product with one column is a sum over rows; narrow operands are
 * converted once, and the sum stays f32 up to the end of the epilogue. */
int decompose_matmul(graph *g, const g_site *s) {
  int a = s->in[0], b = s->in[1];
  const op_type *type = &s->node->type;
  op_type ta = g->node[a].type, tb = g->node[b].type;
  if (!ta.shape[ta.rank - 1]) return graph_broadcast(g, graph_number(g, type->dtype, 0), type->rank, type->shape);
  if (ta.rank == 1) {
    ta = (op_type){.rank = 2, .shape = {1, ta.shape[0]}};
    a = graph_reshape(g, a, 2, ta.shape);
  }
  if (tb.rank == 1) {
    tb = (op_type){.rank = 2, .shape = {tb.shape[0], 1}};
    b = graph_reshape(g, b, 2, tb.shape);
  }
  tme_dtype t = type->dtype;
  if (tb.shape[tb.rank - 1] == 1 && !dtype_is_complex(t)) {
    int64_t shape[TME_MAX_RANK]; /* (..., k, 1) as (..., 1, k) */
    memcpy(shape, tb.shape, sizeof shape);
    shape[tb.rank - 2] = 1;
    shape[tb.rank - 1] = tb.shape[tb.rank - 2];
    b = graph_reshape(g, b, tb.rank, shape);
    int x = graph_bin(g, OP_multiply, graph_wide(g, a), graph_wide(g, b));
    if (x < 0) return -1;
    x = graph_reduce(g, OP_sum, x, 1u << (g->node[x].type.rank - 1), false);
    x = graph_cast(g, x, t);
    return graph_reshape(g, x, type->rank, type->shape);
  }
  bool matrices = type->rank >= 2 && type->rank == (ta.rank > tb.rank ? ta.rank : tb.rank);
  if (matrices && dtype_is_narrow(ta.dtype))
    return graph_copy(g, s->node, (int[]){graph_wide(g, a), graph_wide(g, b)}, NULL);
  if (matrices) return REWRITE_KEEP;
  int x = graph_op(g, OP_matmul, (int[]){a, b}, 2, NULL);
  return graph_reshape(g, x, type->rank, type->shape);
}
