/* Composite operations to what kernels are made of: elementwise operations, reductions, products of matrices, views. */
#include "ir/rewrite.h"
#include <string.h>

/* Sums of nothing are 0; vectors become matrices; a product with one column is a sum over rows; 16-bit operands are
 * converted once, and the sum stays f32 up to the end of the epilogue. REWRITE_KEEP if nothing is to be done. */
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
  if (matrices) return REWRITE_KEEP;
  int x = graph_op(g, OP_matmul, (int[]){a, b}, 2, NULL);
  return graph_reshape(g, x, type->rank, type->shape);
}

/* A reduction of nothing is its neutral element; REWRITE_KEEP if it has none (and no result either). */
static int reduce_nothing(graph *g, const g_node *n) {
  if (n->op == OP_min || n->op == OP_max) return REWRITE_KEEP;
  int one = graph_number(g, n->type.dtype, n->op == OP_prod || n->op == OP_all);
  return graph_broadcast(g, one, n->type.rank, n->type.shape);
}

/* A product of n numbers is rounded n times, in whatever order: of many, in f64, which no product of f32 can tell from
 * exact. REWRITE_KEEP if there is nothing to be done. */
static int decompose_product(graph *g, int x, const op_attrs *attrs, const op_type *type) {
  enum { MANY = 512 };
  const op_type *t = &g->node[x].type;
  tme_dtype wide = TME_F64;
  if (t->dtype == wide || !dtype_is_float(t->dtype) || type_size(t) <= MANY * type_size(type)) return REWRITE_KEEP;
  x = graph_reduce(g, OP_prod, graph_cast(g, x, wide), attrs->axes, attrs->i[0]);
  return graph_cast(g, x, type->dtype);
}

static int decompose_node(graph *g, const graph *from, int i, int *in, void *user) {
  const g_node *n = graph_get(from, i);
  const op_attrs *attrs = graph_attrs(from, i);
  const int *uses = user;
  if (n->op >= OP_PUBLIC_COUNT) return REWRITE_KEEP;
  if (n->op == OP_take) return gather_computed(g, n, in, attrs, uses[graph_in(from, i, 0)] == 1);
  switch (op_get(n->op)->family) {
  case FAMILY_statistics: return decompose_statistics(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_argreduce: return decompose_argreduce(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_softmax: return decompose_softmax(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_norm: return decompose_norm(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_shape: return decompose_shape(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_join: return decompose_join(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_create: return decompose_create(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_matmul: return decompose_matmul(g, n, in[0], in[1]);
  case FAMILY_attention: return decompose_attention(g, n->op, in, n->nin, attrs, &n->type);
  case FAMILY_reduce:
    if (!type_size(&g->node[in[0]].type)) return reduce_nothing(g, n);
    return n->op == OP_prod ? decompose_product(g, in[0], attrs, &n->type) : REWRITE_KEEP;
  default: return REWRITE_KEEP;
  }
}

/* How often each node is read; what is asked for counts as read by many. NULL when out of memory. */
static int *count_uses(const graph *g) {
  int *uses = mem_calloc((size_t)g->n + 1, sizeof *uses);
  if (!uses) return NULL;
  for (int i = 0; i < g->n; i++)
    for (int k = 0; k < g->node[i].nin; k++)
      if (graph_in(g, i, k) >= 0 && uses[graph_in(g, i, k)] < INT16_MAX) uses[graph_in(g, i, k)]++;
  for (int i = 0; i < g->nroots; i++) uses[g->root[i]] = INT16_MAX;
  return uses;
}

/* One round: every node replaced by what it decomposes to, or copied. */
static graph *round_of(const graph *g, bool *changed, error *e) {
  int *uses = count_uses(g);
  graph *r = uses ? graph_rewrite(g, NULL, decompose_node, uses, "decompose", changed, e) : NULL;
  if (!uses) fail_memory(e, "decompose", (size_t)g->n * sizeof *uses);
  mem_free(uses);
  return r;
}

graph *pass_decompose(const graph *g, error *e) {
  bool changed = true;
  graph *r = round_of(g, &changed, e);
  while (r && changed) { /* a composite may be made of composites */
    graph *next = round_of(r, &changed, e);
    graph_free(r);
    r = next;
  }
  return r;
}
