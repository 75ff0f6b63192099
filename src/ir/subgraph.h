/* Graphs that other graphs call: functions, and what functions of functions are made of. */
#ifndef TME_SUBGRAPH_H
#define TME_SUBGRAPH_H

#include "base/pointers.h"
#include "ir/graph.h"

/* Takes the graph over, also where it fails: nothing changes it from now on. NULL with the reason. */
subgraph *subgraph_new(graph *g, error *e);
subgraph *subgraph_retain(subgraph *s);
/* Frees iteratively, however deep calls are nested. NULL is allowed. */
void subgraph_release(subgraph *s);
const graph *subgraph_graph(const subgraph *s);
/* Which no other one of this process ever has. */
uint64_t subgraph_number(const subgraph *s);
/* What a call computes once all calls in it are expanded: nodes, at most SUBGRAPH_MOST. */
enum { SUBGRAPH_MOST = 1 << 24 };
int subgraph_size(const subgraph *s);
/* The types of what it gives, its graph's roots. */
const op_type *subgraph_outputs(const subgraph *s);

/* The operands of a call: the values of the leaves, by number, then those of the run-time arguments. Each has the dtype and
 * the shape that the graph says; one that it does not read may be anything. */
tme_status subgraph_check_count(const subgraph *s, int nin, error *e);
tme_status subgraph_check_operand(const subgraph *s, int k, const op_type *given, error *e);
tme_status subgraph_check_precision(const subgraph *s, tme_dtype default_float, error *e);

/* The sub-graphs that a graph calls, and those that they call, each once, numbered in the order in which they are met. */
typedef struct subgraph_list {
  const subgraph **sub;
  int n, cap;
  pointer_map number;
} subgraph_list;
bool subgraph_list_make(subgraph_list *l, const graph *g); /* false: out of memory */
void subgraph_list_free(subgraph_list *l);

#endif
