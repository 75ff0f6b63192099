/* hstack, vstack, dstack, column_stack: concatenate, of arrays that get the axis first if they lack it. */
#include "ir/graph.h"

/* The shape of an array as it is joined. */
static op_type raised(int op, const op_type *x) {
  op_type t = {.dtype = x->dtype, .weak = x->weak};
  int rank = op == OP_hstack ? 1 : op == OP_dstack ? 3 : 2, missing = x->rank < rank ? rank - x->rank : 0;
  /* Of a vector: a row, but a column of column_stack; of dstack (1, n, 1). */
  int behind = missing && x->rank && (op == OP_dstack || op == OP_column_stack);
  for (int d = 0; d < missing - behind; d++) t.shape[t.rank++] = 1;
  for (int d = 0; d < x->rank; d++) t.shape[t.rank++] = x->shape[d];
  if (behind) t.shape[t.rank++] = 1;
  return t;
}

static int axis_of(int op, int rank) { return op == OP_vstack ? 0 : op == OP_dstack ? 2 : rank > 1; }

tme_status infer_side_by_side(op_call *c, op_type *out, error *e) {
  int64_t total = 0;
  for (int i = 0; i < c->nin; i++) {
    if (!c->in[i]) return fail(e, TME_ERR_ARGUMENT, "%s: array %d is missing", op_name(c->op), i);
    op_type t = raised(c->op, c->in[i]);
    if (!i) *out = t;
    int axis = axis_of(c->op, out->rank);
    bool fits = t.rank == out->rank;
    for (int d = 0; d < t.rank && fits; d++) fits = d == axis || t.shape[d] == out->shape[d];
    if (!fits) {
      char a[SHAPE_TEXT], b[SHAPE_TEXT];
      type_shape_text(c->in[0], a);
      type_shape_text(c->in[i], b);
      return fail(e, TME_ERR_SHAPE, "%s: array %d of shape %s does not fit %s along axis %d", op_name(c->op), i, b, a,
                  axis);
    }
    if (__builtin_add_overflow(total, t.shape[axis], &total))
      return fail(e, TME_ERR_MEMORY, "%s: the extent of axis %d overflows", op_name(c->op), axis);
  }
  out->shape[axis_of(c->op, out->rank)] = total;
  out->dtype = infer_promote(c, 0, c->nin);
  for (int i = 0; i < c->nin; i++) infer_want(c, i, out->dtype);
  return TME_OK;
}

int decompose_side_by_side(graph *g, const g_site *s) {
  int nin = s->node->nin, y = -1;
  int *in = mem_alloc(sizeof *in * (size_t)nin);
  if (!in) {
    g->failed = true;
    return -1;
  }
  for (int i = 0; i < nin; i++) {
    op_type t = raised(s->node->op, &graph_get(g, s->in[i])->type);
    in[i] = graph_reshape(g, s->in[i], t.rank, t.shape);
  }
  op_attrs along = {.concatenate = {.axis = axis_of(s->node->op, s->node->type.rank)}};
  y = graph_op(g, OP_concatenate, in, nin, &along);
  mem_free(in);
  return y;
}
