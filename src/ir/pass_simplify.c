/* Equal nodes once, operations that do nothing dropped, unused nodes left out. NaN, Inf and -0 stay what they are: x + 0
 * is not x for -0, x * 0 is not 0 for NaN. */
#include "base/hash.h"
#include "ir/rewrite.h"
#include <string.h>

typedef struct simplifier {
  int *table; /* open addressing: node or -1 */
  size_t mask;
} simplifier;

/* Whether node i is a constant (not a run-time argument) of value v. */
static bool is_constant(const graph *g, int i, double v) {
  const g_node *n = graph_get(g, i);
  if (n->op != OP_literal || n->leaf >= 0 || n->bits[1] != 0) return false;
  double x[2];
  literal_value(n->type.dtype, n->bits, x);
  return x[0] == v;
}

static bool same_type(const op_type *a, const op_type *b) { return a->dtype == b->dtype && type_same_shape(a, b); }

static bool identity_order(const op_list *axes) {
  for (int d = 0; d < axes->n; d++)
    if (axes->v[d] != d) return false;
  return true;
}

/* The node that node n over `in` is equal to, or -1. May add nodes. */
static int rule(graph *g, const g_node *n, const int *in, const op_attrs *attrs) {
  if (n->nin == 0 || in[0] < 0) return -1;
  const g_node *x = graph_get(g, in[0]);
  bool same = same_type(&n->type, &x->type);
  switch (n->op) {
  case OP_astype:
  case OP_broadcast_to: return same ? in[0] : -1;
  case OP_positive: return in[0];
  /* Rules ask for the values of numbers, and results must not depend on barriers. */
  case OP_barrier: return x->op == OP_literal ? in[0] : -1;
  case OP_conj: return dtype_is_complex(n->type.dtype) ? -1 : in[0];
  case OP_reshape:
    if (same) return in[0];
    return x->op == OP_reshape ? graph_reshape(g, graph_in(g, in[0], 0), n->type.rank, n->type.shape) : -1;
  case OP_transpose:
    if (identity_order(&attrs->view.axes)) return in[0];
    if (x->op == OP_transpose) {
      op_attrs both;
      attrs_copy(op_get(OP_transpose), &both, attrs);
      const op_attrs *first = graph_attrs(g, in[0]);
      for (int d = 0; d < n->type.rank; d++) both.view.axes.v[d] = first->view.axes.v[attrs->view.axes.v[d]];
      int base = graph_in(g, in[0], 0);
      return identity_order(&both.view.axes) ? base : graph_op(g, OP_transpose, &base, 1, &both);
    }
    return -1;
  case OP_negative: return x->op == OP_negative ? graph_in(g, in[0], 0) : -1;
  case OP_multiply:
    if (same && is_constant(g, in[1], 1)) return in[0];
    return is_constant(g, in[0], 1) && same_type(&n->type, &graph_get(g, in[1])->type) ? in[1] : -1;
  case OP_divide: return same && is_constant(g, in[1], 1) ? in[0] : -1;
  case OP_subtract: return same && is_constant(g, in[1], 0) ? in[0] : -1;
  case OP_pow:
    if (same && is_constant(g, in[1], 1)) return in[0];
    if (same && is_constant(g, in[1], 2)) return graph_un(g, OP_square, in[0]);
    if (same && is_constant(g, in[1], 3) && !dtype_is_float(n->type.dtype))
      return graph_bin(g, OP_multiply, graph_un(g, OP_square, in[0]), in[0]);
    return -1;
  default: return -1;
  }
}

static uint64_t hash_attrs(const graph *g, int i) {
  uint64_t words[ATTRS_MOST_WORDS];
  int count = attrs_write(op_get(graph_get(g, i)->op), graph_attrs(g, i), words);
  return hash_bytes(words, sizeof *words * (size_t)count).lo;
}

static uint64_t hash_node(const graph *g, int i) {
  const g_node *n = graph_get(g, i);
  uint64_t words[8] = {n->op,      (uint64_t)n->type.dtype, (uint64_t)n->type.rank, (uint64_t)n->leaf, n->bits[0],
                       n->bits[1], (uint64_t)n->nin,        n->op == OP_leaf};
  uint64_t h = hash_bytes(words, sizeof words).lo;
  h ^= hash_bytes(&g->in[n->first_in], (size_t)n->nin * sizeof(int)).lo;
  h = h * 31 + hash_bytes(n->type.shape, (size_t)n->type.rank * sizeof n->type.shape[0]).lo;
  return n->attrs < 0 ? h : h * 31 + hash_attrs(g, i);
}

static bool equal_nodes(const graph *g, int i, int j) {
  const g_node *a = graph_get(g, i), *b = graph_get(g, j);
  return a->op == b->op && a->nin == b->nin && a->leaf == b->leaf && a->bits[0] == b->bits[0] &&
         a->bits[1] == b->bits[1] && same_type(&a->type, &b->type) && (a->attrs < 0) == (b->attrs < 0) &&
         (a->nin == 0 || memcmp(&g->in[a->first_in], &g->in[b->first_in], (size_t)a->nin * sizeof(int)) == 0) &&
         (a->attrs < 0 || attrs_equal(op_get(a->op), graph_attrs(g, i), graph_attrs(g, j)));
}

/* The first node that is equal to i: i itself if there was none, as of barriers. */
static int first_equal(simplifier *s, const graph *g, int i) {
  if (graph_get(g, i)->op == OP_barrier) return i;
  for (size_t at = (size_t)hash_node(g, i);; at++) {
    int *t = &s->table[at & s->mask];
    if (*t < 0) *t = i;
    if (*t == i || equal_nodes(g, *t, i)) return *t;
  }
}

static int simplify_node(graph *to, const graph *from, int i, int *in, void *user) {
  simplifier *s = user;
  int x = rule(to, graph_get(from, i), in, graph_attrs(from, i));
  if (x < 0) x = graph_copy_node(to, from, i, in);
  return x < 0 || to->failed ? -1 : first_equal(s, to, x);
}

graph *pass_simplify(const graph *g, error *e) {
  size_t size = 64;
  while (size < 4 * (size_t)g->n) /* rules add at most two nodes for one */
    size *= 2;
  simplifier s = {.mask = size - 1, .table = mem_alloc(size * sizeof *s.table)};
  if (!s.table) {
    fail_memory(e, "simplify", size * sizeof *s.table);
    return NULL;
  }
  memset(s.table, 0xff, size * sizeof *s.table);
  graph *all = graph_rewrite(g, NULL, simplify_node, &s, "simplify", NULL, e);
  graph *out = all ? pass_reachable(all, e) : NULL;
  graph_free(all);
  mem_free(s.table);
  return out;
}
