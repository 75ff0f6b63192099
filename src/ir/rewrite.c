/* A new graph, node by node, in the order of the old one. */
#include "ir/rewrite.h"

static int most_inputs(const graph *g) {
  int most = 1;
  for (int i = 0; i < g->n; i++) most = g->node[i].nin > most ? g->node[i].nin : most;
  return most;
}

static int rewrite_node(graph *to, const graph *from, int i, const int *map, int *in, rewrite_rule *rule, void *user,
                        bool *changed) {
  const g_node *n = graph_get(from, i);
  int before = to->n;
  for (int k = 0; k < n->nin; k++) in[k] = graph_in(from, i, k) < 0 ? -1 : map[graph_in(from, i, k)];
  int x = rule(to, from, i, in, user);
  if (x == REWRITE_KEEP)
    x = graph_copy_node(to, from, i, in);
  else if (changed)
    *changed = true;
  graph_set_written(to, before, from, i);
  return to->failed || to->err.code != TME_OK ? -1 : x;
}

bool graph_rewrite_nodes(graph *to, const graph *from, const uint8_t *wanted, rewrite_rule *rule, void *user, int *map,
                         bool *changed) {
  int *in = mem_alloc((size_t)most_inputs(from) * sizeof *in);
  bool ok = in != NULL;
  if (changed) *changed = false;
  for (int i = 0; i < from->n && ok; i++) {
    if (wanted && !wanted[i]) continue;
    map[i] = rewrite_node(to, from, i, map, in, rule, user, changed);
    ok = map[i] >= 0;
  }
  mem_free(in);
  return ok;
}

graph *graph_rewrite(const graph *g, const uint8_t *wanted, rewrite_rule *rule, void *user, const char *name,
                     bool *changed, error *e) {
  graph *to = graph_like(g, g->nroots);
  int *map = mem_alloc(((size_t)g->n + 1) * sizeof *map);
  bool ok = to && map && graph_rewrite_nodes(to, g, wanted, rule, user, map, changed);
  for (int i = 0; i < g->nroots && ok; i++) to->root[i] = map[g->root[i]];
  mem_free(map);
  if (ok) return to;
  if (to && to->err.code != TME_OK)
    fail(e, to->err.code, "%s: %s", name, to->err.text);
  else
    fail_memory(e, name, (size_t)g->n * sizeof(g_node));
  graph_free(to);
  return NULL;
}
