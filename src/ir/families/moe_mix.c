/* moe_mix: one product over the experts' weights one below the other; on its left stands each example as often as there are
 * experts, times what they weigh. */
#include "ir/graph.h"

enum { WEIGHTS = 1, EXPERTS = 2, INDICES = 3 };

static tme_status wrong_shapes(const op_call *c, const char *why, error *e) {
  char shape[3][SHAPE_TEXT];
  for (int i = 0; i < 3; i++) type_shape_text(c->in[i], shape[i]);
  return fail(e, TME_ERR_SHAPE, "moe_mix: x %s, weights %s, experts %s: %s", shape[0], shape[WEIGHTS], shape[EXPERTS],
              why);
}

tme_status infer_moe_mix(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *weights = c->in[WEIGHTS], *experts = c->in[EXPERTS], *indices = c->in[INDICES];
  tme_dtype t = infer_float(c, infer_promote(c, 0, INDICES));
  if (!dtype_is_float(t)) return fail(e, TME_ERR_DTYPE, "moe_mix: takes real numbers, not %s", tme_dtype_name(t));
  if (indices && !dtype_is_int(indices->dtype))
    return fail(e, TME_ERR_DTYPE, "moe_mix: indices must be integers, not %s", tme_dtype_name(indices->dtype));
  if (x->rank < 1 || weights->rank != x->rank)
    return wrong_shapes(c, "weights have an entry for each choice where x has its last axis", e);
  for (int d = 0; d + 1 < x->rank; d++)
    if (x->shape[d] != weights->shape[d]) return wrong_shapes(c, "x and the weights differ before the last axis", e);
  if (experts->rank != 3 || experts->shape[1] != x->shape[x->rank - 1])
    return wrong_shapes(c, "experts are matrices with as many rows as x has columns", e);
  if (!experts->shape[0]) return wrong_shapes(c, "there are no experts", e);
  if (indices && !type_same_shape(weights, indices))
    return wrong_shapes(c, "the indices have another shape than the weights", e);
  if (!indices && weights->shape[x->rank - 1] != experts->shape[0])
    return wrong_shapes(c, "there is not a weight for each expert, and no indices are given", e);
  *out = *x;
  out->dtype = t;
  out->shape[x->rank - 1] = experts->shape[2];
  for (int i = 0; i < INDICES; i++) infer_want(c, i, t);
  return TME_OK;
}

/* What each expert weighs, (rows, experts, 1). What counts is gathered from, so that indices are checked, and counted from the
 * end where they are negative. */
static int gates(graph *g, int weights, int indices, int64_t rows, int64_t count) {
  if (weights < 0) return -1;
  op_type t = graph_get(g, weights)->type;
  int64_t k = t.shape[t.rank - 1];
  if (indices < 0) return graph_reshape(g, weights, 3, (int64_t[]){rows, count, 1});
  op_attrs first = {.take = {.axis = 0}};
  int at = graph_op(g, OP_take, (int[]){graph_iota(g, TME_I64, 1, &count, 0), indices}, 2, &first);
  int here = graph_bin(g, OP_equal, graph_reshape(g, at, 3, (int64_t[]){rows, 1, k}),
                       graph_iota(g, TME_I64, 3, (int64_t[]){1, count, 1}, 1));
  weights = graph_reshape(g, weights, 3, (int64_t[]){rows, 1, k});
  int each = graph_op(g, OP_where, (int[]){here, weights, graph_number(g, t.dtype, 0)}, 3, NULL);
  return graph_reduce(g, OP_sum, each, 1u << 2, true);
}

int decompose_moe_mix(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int x = graph_wide(g, s->in[0]), weights = graph_wide(g, s->in[WEIGHTS]), experts = graph_wide(g, s->in[EXPERTS]);
  if (x < 0 || experts < 0) return -1;
  op_type tx = graph_get(g, x)->type, te = graph_get(g, experts)->type;
  int64_t n = te.shape[1], count = te.shape[0], rows = 1;
  for (int d = 0; d + 1 < tx.rank; d++) rows *= tx.shape[d];
  int left = graph_bin(g, OP_multiply, gates(g, weights, s->in[INDICES], rows, count),
                       graph_reshape(g, x, 3, (int64_t[]){rows, 1, n}));
  left = graph_reshape(g, left, 2, (int64_t[]){rows, count * n});
  int y = graph_bin(g, OP_matmul, left, graph_reshape(g, experts, 2, (int64_t[]){count * n, te.shape[2]}));
  return graph_reshape(g, graph_cast(g, y, type->dtype), type->rank, type->shape);
}
