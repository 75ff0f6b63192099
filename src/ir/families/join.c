/* concatenate, stack: all arrays are promoted to one dtype. */
#include "ir/graph.h"

static int64_t *axis_of(const op_call *c) {
  return c->op == OP_stack ? &c->attrs->stack.axis : &c->attrs->concatenate.axis;
}

static tme_status misfit(const op_call *c, int i, error *e) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  type_shape_text(c->in[0], a);
  type_shape_text(c->in[i], b);
  if (c->op == OP_stack) return fail(e, TME_ERR_SHAPE, "stack: array %d has shape %s, the first one %s", i, b, a);
  return fail(e, TME_ERR_SHAPE, "concatenate: array %d of shape %s does not fit %s along axis %lld", i, b, a,
              (long long)*axis_of(c));
}

static tme_status infer(op_call *c, op_type *out, error *e) {
  bool stack = c->op == OP_stack;
  for (int i = 0; i < c->nin; i++)
    if (!c->in[i]) return fail(e, TME_ERR_ARGUMENT, "%s: array %d is missing", op_name(c->op), i);
  const op_type *first = c->in[0];
  if (stack && first->rank == TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "stack: the arrays have %d dimensions already, the most supported", TME_MAX_RANK);
  if (!stack && !first->rank) return fail(e, TME_ERR_SHAPE, "concatenate: arrays without dimensions; use stack");
  tme_status s = infer_axis(c, axis_of(c), first->rank + stack, e);
  if (s != TME_OK) return s;
  int axis = (int)*axis_of(c);
  int64_t total = 0;
  for (int i = 0; i < c->nin; i++) {
    const op_type *x = c->in[i];
    if (x->rank != first->rank) return misfit(c, i, e);
    for (int d = 0; d < x->rank; d++)
      if (x->shape[d] != first->shape[d] && (stack || d != axis)) return misfit(c, i, e);
    if (__builtin_add_overflow(total, stack ? 1 : x->shape[axis], &total))
      return fail(e, TME_ERR_MEMORY, "%s: the extent of axis %d overflows", op_name(c->op), axis);
  }
  out->dtype = infer_promote(c, 0, c->nin);
  for (int i = 0; i < c->nin; i++) infer_want(c, i, out->dtype);
  out->rank = first->rank + stack;
  for (int d = 0; d < out->rank; d++) out->shape[d] = d == axis ? total : first->shape[d - (stack && d > axis)];
  return TME_OK;
}

tme_status infer_concatenate(op_call *c, op_type *out, error *e) { return infer(c, out, e); }
tme_status infer_stack(op_call *c, op_type *out, error *e) { return infer(c, out, e); }

/* A kernel that reads a part of many asks at every element which one it is. */
enum { MOST_PARTS = 16 };

/* Many parts: joined in lists of at most MOST_PARTS, and those again, until one list is left. */
static int join_lists(graph *g, const int *in, int nin, const op_attrs *attrs) {
  int lists = (nin + MOST_PARTS - 1) / MOST_PARTS;
  int *list = mem_alloc(sizeof *list * (size_t)lists);
  if (!list) {
    g->failed = true;
    return -1;
  }
  for (int i = 0; i < lists; i++) {
    int first = i * MOST_PARTS, n = nin - first < MOST_PARTS ? nin - first : MOST_PARTS;
    list[i] = graph_op(g, OP_concatenate, in + first, n, attrs);
  }
  int y = graph_op(g, OP_concatenate, list, lists, attrs);
  mem_free(list);
  return y;
}

int decompose_concatenate(graph *g, const g_site *s) {
  return s->node->nin > MOST_PARTS ? join_lists(g, s->in, s->node->nin, s->attrs) : REWRITE_KEEP;
}

int decompose_stack(graph *g, const g_site *s) {
  int nin = s->node->nin;
  int *rows = mem_alloc(sizeof *rows * (size_t)nin);
  if (!rows) {
    g->failed = true;
    return -1;
  }
  op_type row = s->node->type;
  op_attrs along = {.concatenate = {s->attrs->stack.axis}};
  row.shape[s->attrs->stack.axis] = 1;
  for (int i = 0; i < nin; i++) rows[i] = graph_reshape(g, s->in[i], row.rank, row.shape);
  int y = graph_op(g, OP_concatenate, rows, nin, &along);
  mem_free(rows);
  return y;
}
