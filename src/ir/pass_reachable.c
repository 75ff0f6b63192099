/* What the roots need. */
#include "ir/rewrite.h"

static int keep(graph *to, const graph *from, int i, int *in, void *unused) {
  (void)to, (void)from, (void)i, (void)in, (void)unused;
  return REWRITE_KEEP;
}

graph *pass_reachable(const graph *g, error *e) {
  uint8_t *used = mem_calloc((size_t)g->n + 1, 1);
  if (!used) {
    fail_memory(e, "plan", (size_t)g->n);
    return NULL;
  }
  for (int i = 0; i < g->nroots; i++) used[g->root[i]] = 1;
  for (int i = g->n - 1; i >= 0; i--)
    for (int k = 0; used[i] && k < g->node[i].nin; k++)
      if (graph_in(g, i, k) >= 0) used[graph_in(g, i, k)] = 1;
  graph *r = graph_rewrite(g, used, keep, NULL, "plan", NULL, e);
  mem_free(used);
  return r;
}
