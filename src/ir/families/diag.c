/* diag, diagflat: a vector to a diagonal and back; trace, the sum of one. */
#include "ir/graph.h"

tme_status infer_diag(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  int64_t *k = &c->attrs->diag.k, n = c->op == OP_diagflat ? type_size(x) : x->shape[0];
  out->dtype = x->dtype;
  if (c->op == OP_diag && x->rank == 2) {
    int64_t rows = x->shape[0], columns = x->shape[1];
    if (*k <= -rows || *k >= columns) *k = columns; /* none */
    rows += *k < 0 ? *k : 0;
    columns -= *k > 0 ? *k : 0;
    out->rank = 1;
    out->shape[0] = rows < columns ? rows : columns;
    return TME_OK;
  }
  if (c->op == OP_diag && x->rank != 1)
    return fail(e, TME_ERR_SHAPE, "diag: takes a vector or a matrix, not an array of %d dimension%s", x->rank,
                PLURAL(x->rank));
  int64_t away = *k < 0 ? -(*k + 1) : *k, extent; /* of INT64_MIN too */
  if (__builtin_add_overflow(n, away, &extent) || __builtin_add_overflow(extent, *k < 0, &extent))
    return fail(e, TME_ERR_MEMORY, "%s: the extent overflows", op_name(c->op));
  out->rank = 2;
  out->shape[0] = out->shape[1] = extent;
  return TME_OK;
}

/* The vector, as far down or to the right as the diagonal is, along rows or columns: zeros but where they meet it. */
static int spread(graph *g, int x, int64_t k, const op_type *type) {
  int64_t n = type->shape[0], length = graph_get(g, x)->type.shape[0];
  op_attrs border = {.view = {.before.n = 1, .after.n = 1, .value = number_of_int(0)}};
  border.view.after.v[0] = n - length;
  int y = graph_op(g, OP_pad, &x, 1, &border);
  /* To the right of the middle the row says which element it is, else the column. */
  y = graph_reshape(g, y, 2, k > 0 ? (int64_t[]){n, 1} : (int64_t[]){1, n});
  int row = graph_iota(g, TME_I64, 2, type->shape, 0), column = graph_iota(g, TME_I64, 2, type->shape, 1);
  int hit = graph_bin(g, OP_equal, graph_bin(g, OP_add, row, graph_number(g, TME_I64, (double)k)), column);
  return graph_op(g, OP_where, (int[]){hit, y, graph_number(g, type->dtype, 0)}, 3, NULL);
}

int decompose_diag(graph *g, const g_site *s) {
  int64_t k = s->attrs->diag.k, n = type_size(&graph_get(g, s->in[0])->type);
  if (s->node->type.rank == 1) {
    op_attrs a = {.strided = {.offset = k, .axis1 = 0, .axis2 = 1}};
    return graph_op(g, OP_diagonal, s->in, 1, &a);
  }
  return spread(g, graph_reshape(g, s->in[0], 1, &n), k, &s->node->type);
}

tme_status infer_trace(op_call *c, op_type *out, error *e) {
  trace_attrs *a = &c->attrs->trace;
  op_attrs attrs = {.strided = {.offset = a->offset, .axis1 = a->axis1, .axis2 = a->axis2}};
  op_call inner = *c;
  inner.attrs = &attrs;
  tme_status s = infer_diagonal(&inner, out, e);
  if (s != TME_OK) return s;
  a->offset = attrs.strided.offset;
  a->axis1 = attrs.strided.axis1;
  a->axis2 = attrs.strided.axis2;
  out->rank--;
  tme_dtype t = c->in[0]->dtype;
  if (t == TME_BOOL || dtype_is_int(t)) t = dtype_is_int(t) && !dtype_is_signed(t) ? TME_U64 : TME_I64;
  s = infer_dtype(c, &a->dtype, t, e);
  out->dtype = a->dtype;
  return s;
}

int decompose_trace(graph *g, const g_site *s) {
  const trace_attrs *a = &s->attrs->trace;
  op_attrs at = {.strided = {.offset = a->offset, .axis1 = a->axis1, .axis2 = a->axis2}};
  int x = graph_op(g, OP_diagonal, s->in, 1, &at);
  if (x < 0) return -1;
  x = graph_wide(g, graph_cast(g, x, a->dtype));
  if (x < 0) return -1;
  return graph_cast(g, graph_reduce(g, OP_sum, x, 1u << (graph_get(g, x)->type.rank - 1), false), a->dtype);
}
