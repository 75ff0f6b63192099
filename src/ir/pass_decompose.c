/* Composite operations to what kernels are made of: elementwise operations, reductions, products of matrices, views. */
#include "ir/rewrite.h"

op_decompose_fn *graph_decomposer(int op) {
  static op_decompose_fn *const families[FAMILY_COUNT] = {
#define DECOMPOSES_YES(name) decompose_##name
#define DECOMPOSES_NO(name) NULL
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) DECOMPOSES_##decomposes(name),
#include "ops/families.def"
  };
  return op < OP_PUBLIC_COUNT ? families[op_get(op)->family] : NULL;
}

typedef struct decomposition {
  bool (*which)(int op);
  int *uses;
  bool *outputs; /* set where one of several outputs is decomposed */
} decomposition;

/* An output of an operation of several; x: the operation, which nobody reads once all its outputs are decomposed. */
static int decompose_output(graph *g, const g_node *pick, int x, const decomposition *d) {
  const g_node n = *graph_get(g, x);
  op_decompose_fn *decompose = graph_decomposer(n.op);
  if (!decompose || n.outputs == 1 || (d->which && !d->which(n.op))) return REWRITE_KEEP;
  int *in = mem_alloc((size_t)n.nin * sizeof *in);
  if (!in) {
    g->failed = true;
    return -1;
  }
  for (int k = 0; k < n.nin; k++) in[k] = graph_in(g, x, k);
  op_attrs attrs;
  if (n.attrs >= 0) attrs_copy(op_get(n.op), &attrs, graph_attrs(g, x));
  g_site site = {.node = &n, .in = in, .attrs = n.attrs < 0 ? NULL : &attrs, .output = pick->leaf};
  int before = g->n, y = decompose(g, &site);
  graph_set_written(g, before, g, x);
  mem_free(in);
  *d->outputs = true;
  return y;
}

static int decompose_node(graph *g, const graph *from, int i, int *in, void *user) {
  const g_node *n = graph_get(from, i);
  const decomposition *d = user;
  if (n->op == OP_pick) return decompose_output(g, n, in[0], d);
  if (n->outputs > 1 || (d->which && !d->which(n->op))) return REWRITE_KEEP;
  op_decompose_fn *decompose = graph_decomposer(n->op);
  g_site site = {.node = n, .in = in, .attrs = graph_attrs(from, i)};
  site.alone = n->nin && graph_in(from, i, 0) >= 0 && d->uses[graph_in(from, i, 0)] == 1;
  return decompose ? decompose(g, &site) : REWRITE_KEEP;
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
static graph *round_of(const graph *g, bool (*which)(int op), bool *changed, bool *outputs, error *e) {
  decomposition d = {which, count_uses(g), outputs};
  graph *r = d.uses ? graph_rewrite(g, NULL, decompose_node, &d, "decompose", changed, e) : NULL;
  if (!d.uses) fail_memory(e, "decompose", (size_t)g->n * sizeof *d.uses);
  mem_free(d.uses);
  return r;
}

graph *pass_decompose(const graph *g, bool (*which)(int op), error *e) {
  bool changed = true, outputs = false;
  graph *r = round_of(g, which, &changed, &outputs, e);
  while (r && changed) { /* a composite may be made of composites */
    graph *next = round_of(r, which, &changed, &outputs, e);
    graph_free(r);
    r = next;
  }
  if (!r || !outputs) return r;
  graph *used = pass_reachable(r, e);
  graph_free(r);
  return used;
}
