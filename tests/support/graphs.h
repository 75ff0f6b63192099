/* Random programs of operations, as data: built on any engine, evaluated as a whole or node by node, shrunk. */
#ifndef TME_TEST_GRAPHS_H
#define TME_TEST_GRAPHS_H

#include "support/matrix.h"

enum { GRAPH_NODES = 56 };

typedef enum graph_kind {
  GRAPH_ANY,   /* all operations on f32, f64, integers, bool and complex numbers: where rounding is to the bit */
  GRAPH_EVERY, /* and every other one, with the arguments and the dtypes that the matrix calls it with */
  GRAPH_INTS,  /* whole numbers only: exact on every backend */
  GRAPH_SMOOTH /* one floating dtype, operations that small errors move little */
} graph_kind;

typedef struct graph_node {
  bool leaf; /* the value of c.in[0] */
  bool root; /* asked for */
  cell c;
  int src[CELL_INPUTS]; /* the nodes that the call's arrays are */
} graph_node;

typedef struct random_graph {
  int n;
  graph_node node[GRAPH_NODES];
} random_graph;

/* The programs that a test makes: `count` of them, beginning at the matrix's seed. TME_RANDOM_SEED=n: that one alone;
 * TME_RANDOM_SECONDS=t: as many as there is time for. */
typedef struct graph_turns {
  uint64_t seed;
  int left;
  double until; /* by the clock, if there is such a limit */
} graph_turns;
graph_turns graph_turns_of(int count);
bool graph_next(graph_turns *t, uint64_t *seed);

/* The same seed gives the same program. `scratch`: any engine, for type inference. */
void graph_make(random_graph *g, uint64_t seed, graph_kind kind, tme_dtype t, tme_engine *scratch);
void graph_release(random_graph *g);
void graph_print_nodes(const random_graph *g);

/* Builds all nodes in the scope; `each`: evaluates each one before the next; `wide`: leaves as f64. False after an error,
 * which is in the scope. */
bool graph_build(const random_graph *g, tme_scope *s, bool each, bool wide, tme_array **v);
/* The same with barriers in places, and with parts of it as calls of functions. */
bool graph_build_called(const random_graph *g, tme_scope *s, uint64_t seed, tme_array **v);
/* The same with the leaves as f64, and every floating value that a call gives larger or smaller by `noise` of it, all its
 * elements alike, as if it had been rounded. */
bool graph_build_noisy(const random_graph *g, tme_scope *s, double noise, uint64_t seed, tme_array **v);
/* The call of one node with arrays of the scope; sets all its outputs. */
bool graph_apply(tme_scope *s, const graph_node *n, tme_array *const *in, tme_array **out);
bool graph_eval_roots(const random_graph *g, tme_scope *s, tme_array **v);
/* The first root whose bits differ (NaNs are equal), or -1. */
int graph_differs(const random_graph *g, tme_scope *a, tme_array **va, tme_scope *b, tme_array **vb);

/* graph_hash.c, for comparing versions. The hash of the program itself: operations, leaves and types, not what it gives. */
uint64_t graph_hash_program(const random_graph *g, tme_array *const *v);
/* The hash of the roots' values, all NaNs being equal. False after an error, which is in the scope. */
bool graph_hash_roots(const random_graph *g, tme_scope *s, tme_array **v, uint64_t *hash);

/* Drops nodes as long as `fails` holds: what no root needs, and nodes whose value (of engine `e`) can be given instead. */
typedef bool graph_check(const random_graph *g, void *user);
void graph_shrink(random_graph *g, tme_engine *e, graph_check *fails, void *user);

#endif
