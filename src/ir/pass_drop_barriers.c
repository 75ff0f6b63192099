/* Barriers to what they keep apart. */
#include "ir/rewrite.h"

static int drop(graph *to, const graph *from, int i, int *in, void *unused) {
  (void)to, (void)unused;
  return graph_get(from, i)->op == OP_barrier ? in[0] : REWRITE_KEEP;
}

graph *pass_drop_barriers(const graph *g, error *e) { return graph_rewrite(g, NULL, drop, NULL, "barriers", NULL, e); }
