/* Composite operations to what kernels are made of: elementwise operations, reductions, products of matrices, views. */
#include "ir/graph.h"
#include <string.h>

/* Sums of nothing are 0; vectors become matrices; a product with one column is a sum over rows; 16-bit operands are
 * converted once, and the sum stays f32 up to the end of the epilogue. Returns -2 if nothing is to be done. */
static int decompose_matmul(graph *g, const g_node *n, int a, int b) {
  const op_type *type = &n->type;
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
    bool half = t == TME_F16 || t == TME_BF16;
    if (half) {
      a = graph_cast(g, a, TME_F32);
      b = graph_cast(g, b, TME_F32);
    }
    int x = graph_bin(g, OP_multiply, a, b);
    if (x < 0) return -1;
    x = graph_reduce(g, OP_sum, x, 1u << (g->node[x].type.rank - 1), false);
    x = graph_cast(g, x, t);
    return graph_reshape(g, x, type->rank, type->shape);
  }
  bool matrices = type->rank >= 2 && type->rank == (ta.rank > tb.rank ? ta.rank : tb.rank);
  if (matrices && (ta.dtype == TME_F16 || ta.dtype == TME_BF16))
    return graph_copy(g, n, (int[]){graph_cast(g, a, TME_F32), graph_cast(g, b, TME_F32)}, NULL);
  if (matrices) return -2;
  int x = graph_op(g, OP_matmul, (int[]){a, b}, 2, NULL);
  return graph_reshape(g, x, type->rank, type->shape);
}

/* A reduction of nothing is its neutral element; -2 if it has none (and no result either). */
static int reduce_nothing(graph *g, const g_node *n) {
  if (n->op == OP_min || n->op == OP_max) return -2;
  int one = graph_number(g, n->type.dtype, n->op == OP_prod || n->op == OP_all);
  return graph_broadcast(g, one, n->type.rank, n->type.shape);
}

/* A product of n numbers is rounded n times, in whatever order: of many, in f64, which no product of f32 can tell from
 * exact. -2 if there is nothing to be done. */
static int decompose_product(graph *g, int x, const op_attrs *attrs, const op_type *type) {
  enum { MANY = 512 };
  const op_type *t = &g->node[x].type;
  tme_dtype wide = TME_F64;
  if (t->dtype == wide || !dtype_is_float(t->dtype) || type_size(t) <= MANY * type_size(type)) return -2;
  x = graph_reduce(g, OP_prod, graph_cast(g, x, wide), attrs->axes, attrs->i[0]);
  return graph_cast(g, x, type->dtype);
}

static int decompose_node(graph *g, const g_node *n, const int *in, const op_attrs *attrs, bool split, bool alone) {
  if (n->op >= OP_PUBLIC_COUNT) return -2;
  if (n->op == OP_take) return split ? -2 : gather_computed(g, n, in, attrs, alone);
  switch (op_get(n->op)->family) {
  case FAMILY_statistics: return decompose_statistics(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_argreduce: return decompose_argreduce(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_softmax: return decompose_softmax(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_norm: return decompose_norm(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_shape: return decompose_shape(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_join: return decompose_join(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_create: return decompose_create(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_matmul: return split ? split_product(g, n, in[0], in[1]) : decompose_matmul(g, n, in[0], in[1]);
  case FAMILY_attention: return decompose_attention(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_reduce:
    if (!type_size(&g->node[in[0]].type)) return reduce_nothing(g, n);
    if (split) return split_reduction(g, n->op, in[0], attrs, &n->type);
    return n->op == OP_prod ? decompose_product(g, in[0], attrs, &n->type) : -2;
  default: return -2;
  }
}

/* How often each node is read; what is asked for counts as read by many. */
static void count_uses(const graph *g, int *uses) {
  for (int i = 0; i < g->n; i++)
    for (int k = 0; k < g->node[i].nin; k++)
      if (graph_in(g, i, k) >= 0 && uses[graph_in(g, i, k)] < INT16_MAX) uses[graph_in(g, i, k)]++;
  for (int i = 0; i < g->nroots; i++) uses[g->root[i]] = INT16_MAX;
}

/* One round: every node replaced by what it decomposes to, or copied. */
static graph *round_of(const graph *g, bool split, bool *changed, error *e) {
  graph *r = graph_like(g, g->nroots);
  int *map = mem_alloc(((size_t)g->n + 1) * sizeof *map);
  int most = 1;
  for (int i = 0; i < g->n; i++) most = g->node[i].nin > most ? g->node[i].nin : most;
  int *in = mem_alloc((size_t)most * sizeof *in);
  int *uses = mem_calloc((size_t)g->n + 1, sizeof *uses);
  bool ok = r && map && in && uses;
  *changed = false;
  if (ok) {
    count_uses(g, uses);
    for (int i = 0; i < g->n && ok; i++) {
      const g_node *n = &g->node[i];
      for (int k = 0; k < n->nin; k++) in[k] = graph_in(g, i, k) < 0 ? -1 : map[graph_in(g, i, k)];
      const op_attrs *attrs = graph_attrs(g, i);
      bool alone = n->nin && graph_in(g, i, 0) >= 0 && uses[graph_in(g, i, 0)] == 1;
      int before = r->n, x = decompose_node(r, n, in, attrs, split, alone);
      *changed |= x != -2;
      map[i] = x == -2 ? graph_copy(r, n, in, attrs) : x;
      graph_set_written(r, before, g, i);
      ok = map[i] >= 0 && !r->failed && r->err.code == TME_OK;
    }
    for (int i = 0; i < g->nroots && ok; i++) r->root[i] = map[g->root[i]];
  }
  if (!ok) {
    if (r && r->err.code != TME_OK)
      fail(e, r->err.code, "decompose: %s", r->err.text);
    else
      fail_memory(e, "decompose", (size_t)g->n * sizeof *map);
    graph_free(r);
    r = NULL;
  }
  mem_free(map);
  mem_free(in);
  mem_free(uses);
  return r;
}

graph *pass_decompose(const graph *g, error *e) {
  bool changed = true;
  graph *r = round_of(g, false, &changed, e);
  while (r && changed) { /* a composite may be made of composites */
    graph *next = round_of(r, false, &changed, e);
    graph_free(r);
    r = next;
  }
  if (!r) return NULL;
  graph *split = round_of(r, true, &changed, e);
  graph_free(r);
  return split;
}
