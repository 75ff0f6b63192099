/* Precision "mixed": the f32 operands of products and attention are rounded to bfloat16, whose range is that of f32; the
 * sums and the results stay f32. */
#include "ir/graph.h"

static bool narrows(const g_node *n, int k) {
  bool product = n->op == OP_matmul && k < 2;
  bool attention = n->op == OP_scaled_dot_product_attention && k < 3, weights = n->op == OP_attention_weights && k < 2;
  return (product || attention || weights) && n->type.dtype == TME_F32;
}

graph *pass_mixed(const graph *g, error *e) {
  graph *r = graph_like(g, g->nroots);
  int *map = mem_alloc(((size_t)g->n + 1) * sizeof *map), *in = mem_alloc(((size_t)g->nin + 1) * sizeof *in);
  bool ok = r && map && in;
  if (ok) {
    for (int i = 0; i < g->n && ok; i++) {
      const g_node *n = &g->node[i];
      for (int k = 0; k < n->nin; k++) {
        int x = graph_in(g, i, k);
        in[k] = x < 0 ? -1 : map[x];
        if (x >= 0 && narrows(n, k)) in[k] = graph_cast(r, graph_cast(r, in[k], TME_BF16), TME_F32);
      }
      map[i] = graph_copy(r, n, in, graph_attrs(g, i));
      ok = map[i] >= 0 && !r->failed && r->err.code == TME_OK;
    }
    for (int i = 0; i < g->nroots && ok; i++) r->root[i] = map[g->root[i]];
  }
  mem_free(map);
  mem_free(in);
  if (ok) return r;
  graph_free(r);
  fail_memory(e, "mixed precision", (size_t)g->n * sizeof(g_node));
  return NULL;
}
