/* take: elements along one axis by their numbers. */
#include "ir/graph.h"

tme_status infer_indices(op_call *c, int64_t *axis, error *e) {
  tme_dtype t = c->in[1]->dtype;
  if (!dtype_is_int(t))
    return fail(e, TME_ERR_DTYPE, "%s: indices must be integers, not %s", op_name(c->op), tme_dtype_name(t));
  return infer_axis(c, axis, c->in[0]->rank, e);
}

tme_status infer_taken(op_call *c, int64_t *axis, const char *what, op_type *out, error *e) {
  const op_type *x = c->in[0], *indices = c->in[1];
  tme_status s = infer_indices(c, axis, e);
  if (s != TME_OK) return s;
  int rank = x->rank - 1 + indices->rank;
  if (rank > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "%s: %s would have %d dimensions, more than the %d supported", op_name(c->op), what,
                rank, TME_MAX_RANK);
  out->dtype = x->dtype;
  for (int d = 0; d < *axis; d++) out->shape[out->rank++] = x->shape[d];
  for (int d = 0; d < indices->rank; d++) out->shape[out->rank++] = indices->shape[d];
  for (int d = (int)*axis + 1; d < x->rank; d++) out->shape[out->rank++] = x->shape[d];
  return TME_OK;
}

tme_status infer_take(op_call *c, op_type *out, error *e) {
  return infer_taken(c, &c->attrs->take.axis, "the result", out, e);
}

/* Gathering from what is computed element by element: the elements that are wanted are computed, out of the same elements of
 * each array, instead of all that there are. Numbers that count (iota) are the indices themselves. */

typedef struct gather {
  graph *g;
  int indices, axis, rank; /* rank: of what is gathered from */
  op_type index;           /* of the indices */
  int64_t extent;
  bool checked; /* some take is left: its indices are checked */
} gather;

enum { MOST_NODES = 64, MOST_CHEAP = 16 };

/* Whether nothing but arrays that are there, numbers and elementwise operations make the value. */
static bool is_computed(const graph *g, int i, int *nodes, bool *expensive) {
  const g_node *n = graph_get(g, i);
  if (++*nodes > MOST_NODES) return false;
  if (op_classify(n->op) == CLASS_SOURCE) return true;
  if (n->op == OP_broadcast_to) return is_computed(g, graph_in(g, i, 0), nodes, expensive);
  if (op_classify(n->op) != CLASS_MAP) return false;
  *expensive |= op_is_expensive(n->op);
  for (int k = 0; k < n->nin; k++)
    if (graph_in(g, i, k) < 0 || !is_computed(g, graph_in(g, i, k), nodes, expensive)) return false;
  return true;
}

/* The shape with dimension `a` replaced by those of the indices (`ones`: by ones). */
static op_type replaced(const gather *p, const op_type *t, int a, bool ones) {
  op_type r = {.dtype = t->dtype};
  for (int d = 0; d < a; d++) r.shape[r.rank++] = t->shape[d];
  for (int d = 0; d < p->index.rank; d++) r.shape[r.rank++] = ones ? 1 : p->index.shape[d];
  for (int d = a + 1; d < t->rank; d++) r.shape[r.rank++] = t->shape[d];
  return r;
}

static int take(gather *p, int x, int axis) {
  op_attrs attrs = {.take = {axis}};
  p->checked = true;
  return graph_op(p->g, OP_take, (int[]){x, p->indices}, 2, &attrs);
}

/* The indices, counted from the start, in front of `after` dimensions of 1. */
static int take_iota(gather *p, tme_dtype t, int after) {
  int x = take(p, graph_iota(p->g, t, 1, &p->extent, 0), 0);
  op_type shape = p->index;
  for (int d = 0; d < after; d++) shape.shape[shape.rank++] = 1;
  return graph_reshape(p->g, x, shape.rank, shape.shape);
}

/* Node i at the elements that are gathered. Dimensions are counted from the last one, as broadcasting does. */
static int gathered(gather *p, int i) {
  graph *g = p->g;
  if (i < 0) return -1;
  g_node n = *graph_get(g, i);
  int a = p->axis - (p->rank - n.type.rank);
  if (a < 0) return i;
  op_type t = replaced(p, &n.type, a, n.type.shape[a] == 1 && p->extent != 1);
  if (n.type.shape[a] != p->extent) return graph_reshape(g, i, t.rank, t.shape);
  if (n.op == OP_leaf) return take(p, i, a);
  if (n.op == OP_iota && n.leaf == a) return take_iota(p, n.type.dtype, n.type.rank - a - 1);
  if (n.op == OP_iota)
    return graph_iota(g, n.type.dtype, t.rank, t.shape, n.leaf < a ? n.leaf : n.leaf - 1 + p->index.rank);
  if (n.op == OP_broadcast_to) return graph_broadcast(g, gathered(p, graph_in(g, i, 0)), t.rank, t.shape);
  int in[3];
  for (int k = 0; k < n.nin; k++) {
    in[k] = gathered(p, graph_in(g, i, k));
    if (in[k] < 0) return -1;
  }
  op_attrs attrs;
  if (n.attrs >= 0) attrs_copy(op_get(n.op), &attrs, graph_attrs(g, i));
  n.type = t;
  return graph_copy(g, &n, in, n.attrs >= 0 ? &attrs : NULL);
}

int decompose_take(graph *g, const g_site *s) {
  const int *in = s->in;
  const op_attrs *attrs = s->attrs;
  const g_node *n = s->node;
  const op_type x = graph_get(g, in[0])->type;
  gather p = {
      .g = g, .indices = in[1], .axis = (int)attrs->take.axis, .rank = x.rank, .index = graph_get(g, in[1])->type};
  p.extent = x.shape[p.axis];
  int nodes = 0, op = graph_get(g, in[0])->op;
  bool expensive = false;
  if (op == OP_leaf || op == OP_literal || !type_size(&n->type) || type_size(&p.index) > p.extent) return REWRITE_KEEP;
  if (!is_computed(g, in[0], &nodes, &expensive) || (!s->alone && (expensive || nodes > MOST_CHEAP)))
    return REWRITE_KEEP;
  if (op == OP_iota && x.rank == 1) return REWRITE_KEEP;
  int y = gathered(&p, in[0]);
  if (y >= 0 && !p.checked) {
    /* The same everywhere, but an index out of range is an error. */
    int counted =
        graph_bin(g, OP_greater_equal, take_iota(&p, TME_I64, x.rank - p.axis - 1), graph_number(g, TME_I64, 0));
    y = graph_op(g, OP_where, (int[]){counted, y, y}, 3, NULL);
  }
  return graph_broadcast(g, y, n->type.rank, n->type.shape);
}
