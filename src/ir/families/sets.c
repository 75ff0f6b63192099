/* intersect1d, setdiff1d, setxor1d, union1d: the different elements of x, or of both, that are in the other one or not. How many
 * there are is found before (src/array/sized.c). */
#include "ir/graph.h"

tme_status infer_sets(op_call *c, op_type *out, error *e) {
  int64_t size = c->attrs->sets.size;
  if (size < 0)
    return fail(e, TME_ERR_ARGUMENT, "%s: size is %lld, expected 0 or more", op_name(c->op), (long long)size);
  *out = (op_type){.dtype = infer_promote(c, 0, 2), .rank = 1, .shape = {size}};
  for (int i = 0; i < 2; i++) infer_want(c, i, out->dtype);
  return TME_OK;
}

static int flat(graph *g, int x) { return graph_reshape(g, x, 1, (int64_t[]){type_size(&graph_get(g, x)->type)}); }

static int joined(graph *g, int x, int y) {
  op_attrs along = {.concatenate = {.axis = 0}};
  return graph_op(g, OP_concatenate, (int[]){x, y}, 2, &along);
}

static int is_in(graph *g, int x, int y, bool invert) {
  op_attrs a = {.isin = {.invert = invert}};
  return graph_op(g, OP_isin, (int[]){x, y}, 2, &a);
}

/* The first `size` of v where `chosen`; the first such one where there are fewer, and 0 where there is none. */
static int pick(graph *g, int v, int chosen, int64_t size) {
  op_attrs places = {.argwhere = {.size = size}}, along = {.take = {.axis = 0}},
           over = {.argreduce = {.axes = axes_from_mask(1)}};
  int at = graph_reshape(g, graph_op(g, OP_argwhere, &chosen, 1, &places), 1, &size);
  int count = graph_reduce(g, OP_sum, graph_cast(g, chosen, TME_I64), 1, false);
  int there = graph_bin(g, OP_less, graph_iota(g, TME_I64, 1, &size, 0), count);
  int first = graph_op(g, OP_argmax, &chosen, 1, &over);
  at = graph_op(g, OP_where, (int[]){there, at, first}, 3, NULL);
  int some = graph_bin(g, OP_greater, count, graph_number(g, TME_I64, 0));
  int taken = graph_op(g, OP_take, (int[]){v, at}, 2, &along);
  int y = graph_op(g, OP_where, (int[]){some, taken, graph_number(g, graph_get(g, v)->type.dtype, 0)}, 3, NULL);
  return y;
}

int decompose_sets(graph *g, const g_site *s) {
  int op = s->node->op, x = flat(g, s->in[0]), y = flat(g, s->in[1]);
  int64_t size = s->attrs->sets.size;
  int all = op == OP_union1d || op == OP_setxor1d ? joined(g, x, y) : x;
  if (all < 0 || y < 0) return -1;
  int64_t n = type_size(&graph_get(g, all)->type);
  op_attrs counted = {.unique = {.size = op == OP_union1d ? size : n}};
  if (op == OP_union1d) return graph_op(g, OP_unique_values, &all, 1, &counted);
  if (!n) return graph_broadcast(g, graph_number(g, s->node->type.dtype, 0), 1, &size);
  int u = graph_op(g, OP_unique_counts, &all, 1, &counted);
  if (u < 0) return -1;
  op_type values = *graph_output(g, u, 0), counts = *graph_output(g, u, 1);
  int v = graph_pick(g, u, 0, &values),
      some = graph_bin(g, OP_greater, graph_pick(g, u, 1, &counts), graph_number(g, TME_I64, 0));
  int chosen = is_in(g, v, y, op != OP_intersect1d);
  if (op == OP_setxor1d) chosen = graph_bin(g, OP_logical_or, chosen, is_in(g, v, x, true));
  return pick(g, v, graph_bin(g, OP_logical_and, chosen, some), size);
}
