/* tril, triu, tri, identity: what lies on which side of a diagonal. */
#include "ir/graph.h"

/* A diagonal that far out is empty, and row + k must not overflow. */
static void limit(int64_t *k) {
  int64_t far = INT64_MAX / 4;
  *k = *k > far ? far : *k < -far ? -far : *k;
}

tme_status infer_triangle(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  if (x->rank < 2)
    return fail(e, TME_ERR_SHAPE, "%s: the array has %d dimension%s, expected at least 2", op_name(c->op), x->rank,
                PLURAL(x->rank));
  limit(&c->attrs->triangle.k);
  *out = *x;
  return TME_OK;
}

static tme_status infer_square(op_call *c, int64_t rows, int64_t columns, tme_dtype *t, op_type *out, error *e) {
  tme_status s = infer_dtype(c, t, c->default_float, e);
  if (s != TME_OK) return s;
  if (rows < 0 || columns < 0)
    return fail(e, TME_ERR_ARGUMENT, "%s: %lld rows and %lld columns, expected 0 or more", op_name(c->op),
                (long long)rows, (long long)columns);
  *out = (op_type){.dtype = *t, .rank = 2, .shape = {rows, columns}};
  return TME_OK;
}

tme_status infer_tri(op_call *c, op_type *out, error *e) {
  tri_attrs *a = &c->attrs->tri;
  if (a->columns == -1) a->columns = a->rows;
  limit(&a->k);
  return infer_square(c, a->rows, a->columns, &a->dtype, out, e);
}

tme_status infer_identity(op_call *c, op_type *out, error *e) {
  return infer_square(c, c->attrs->identity.n, c->attrs->identity.n, &c->attrs->identity.dtype, out, e);
}

/* Of the matrix in the last two axes: compares row + k with the column. */
static int compare(graph *g, int op, const op_type *type, int64_t k) {
  const int64_t *shape = &type->shape[type->rank - 2];
  int row = graph_iota(g, TME_I64, 2, shape, 0), column = graph_iota(g, TME_I64, 2, shape, 1);
  return graph_bin(g, op, graph_bin(g, OP_add, row, graph_number(g, TME_I64, (double)k)), column);
}

int decompose_triangle(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int op = s->node->op == OP_tril ? OP_greater_equal : OP_less_equal;
  int in[3] = {compare(g, op, type, s->attrs->triangle.k), s->in[0], graph_number(g, type->dtype, 0)};
  return graph_op(g, OP_where, in, 3, NULL);
}

int decompose_tri(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  return graph_cast(g, compare(g, OP_greater_equal, type, s->attrs->tri.k), type->dtype);
}

int decompose_identity(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  return graph_cast(g, compare(g, OP_equal, type, 0), type->dtype);
}
