/* Rewriting a graph by a rule: the part that passes share. */
#ifndef TME_REWRITE_H
#define TME_REWRITE_H

#include "ir/graph.h"

/* What the node i of `from` becomes in `to`, to which it may add nodes: a node of `to`; REWRITE_KEEP, where it is copied; -1
 * after a failure. Its inputs there are `in`, which the rule may change before it keeps the node. */
typedef int rewrite_rule(graph *to, const graph *from, int i, int *in, void *user);

/* A new graph; nodes of which `wanted` (NULL: all are) is 0 are left out. Notes what the new nodes were made of. `changed`,
 * if it is not NULL: whether the rule did not keep some node. NULL on failure, which is called that of `name`. */
graph *graph_rewrite(const graph *g, const uint8_t *wanted, rewrite_rule *rule, void *user, const char *name,
                     bool *changed, error *e);
/* The same into an empty graph, whose roots are left to the caller: `map` gets what each node has become. False on failure. */
bool graph_rewrite_nodes(graph *to, const graph *from, const uint8_t *wanted, rewrite_rule *rule, void *user, int *map,
                         bool *changed);

#endif
