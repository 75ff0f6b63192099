/* The graph as the compiler sees it: an array of values in topological order, with no pointers to what the user holds.
 * Passes rewrite it; backends take it, or the part of it that is theirs. */
#ifndef TME_GRAPH_H
#define TME_GRAPH_H

#include "ops/ops.h"

typedef struct g_node {
  uint16_t op;      /* op_id */
  uint16_t outputs; /* > 1: consumers go through OP_pick nodes */
  uint8_t device;   /* 1 + the number of the backend that is to compute it; 0: whoever is preferred */
  uint16_t written; /* 1 + the operation that the user wrote, where a pass made this one of it; 0: the node's own */
  int nin;
  int first_in;     /* its inputs are g->in[first_in ...]; -1 for an absent optional array */
  op_type type;     /* of its (first) output */
  int attrs;        /* -1, or where they begin in g->attrs */
  int more;         /* outputs > 1: where in g->more the types of the further ones begin */
  int leaf;         /* OP_leaf: number of the input of the whole graph; OP_literal: number of its run-time argument or
                       -1; OP_pick: which output; OP_iota: its axis; OP_call: index into g->sub; others 0 */
  uint64_t bits[2]; /* OP_literal with leaf -1: the value, in the node's dtype */
  int strides;      /* OP_leaf: where its strides begin in g->strides */
} g_node;

/* A graph that others call: immutable, counted (subgraph.h). */
typedef struct subgraph subgraph;

typedef struct graph {
  g_node *node;
  int *in;
  char *attrs; /* of each node those that its operation has */
  op_type *more;
  int64_t *strides; /* in elements */
  int n, nin, nattrs /* bytes */, nmore, nstrides;
  int cap, cap_in, cap_attrs, cap_more, cap_strides;
  int *root; /* nodes whose values are asked for (picks for further outputs) */
  int nroots;
  subgraph **sub; /* what is called: a reference to each, once */
  int nsub, cap_sub;
  int nleaves, nargs;
  tme_dtype default_float;
  bool failed; /* an allocation failed while building */
  error err;   /* the first failed inference while building */
} graph;

graph *graph_new(int nroots);
/* Empty, with the inputs and arguments of g: for what a pass makes of it. */
graph *graph_like(const graph *g, int nroots);
/* A copy that shares the sub-graphs. */
graph *graph_clone(const graph *g);
void graph_free(graph *g);
static inline const g_node *graph_get(const graph *g, int i) { return &g->node[i]; }
static inline int graph_in(const graph *g, int i, int k) { return g->in[g->node[i].first_in + k]; }
/* NULL: it has none. No more of the structure is there than its family has: attrs_copy. */
static inline const op_attrs *graph_attrs(const graph *g, int i) {
  return g->node[i].attrs < 0 ? NULL : (const op_attrs *)(const void *)(g->attrs + g->node[i].attrs);
}
/* Of a leaf. */
static inline const int64_t *graph_strides(const graph *g, int i) { return g->strides + g->node[i].strides; }

/* Building. Each returns the new node, or -1 after a failure (g->failed or g->err); an input of -1 gives -1, unless the
 * parameter is optional. Equal nodes are not looked for: that is left to pass_simplify. Types in a graph are never
 * weak: casts are nodes. `in` must not point into the graph's own tables. */
int graph_leaf(graph *g, const op_type *t, const int64_t *strides, int number);
int graph_literal_arg(graph *g, tme_dtype t, int arg);            /* a rank-0 run-time argument */
int graph_literal(graph *g, tme_dtype t, const uint64_t bits[2]); /* a rank-0 constant */
int graph_number(graph *g, tme_dtype t, double v);                /* a rank-0 constant */
int graph_iota(graph *g, tme_dtype t, int rank, const int64_t *shape, int axis);
int graph_pick(graph *g, int x, int output, const op_type *t);
/* What the sub-graph computes of the operands: values for its leaves, by number, then for its run-time arguments. */
int graph_call(graph *g, subgraph *s, const int *in, int nin);
/* x, but what is computed from it is taken for nothing that is computed from x or from another barrier: it is computed
 * again. Costs nothing, and changes no bit. */
int graph_barrier(graph *g, int x);
/* Any operation of ops.def: infers, and casts operands as the API does. attrs may be NULL: all defaults are zero. */
int graph_op(graph *g, int op, const int *in, int nin, const op_attrs *attrs);
/* The type of an output of a node. */
static inline const op_type *graph_output(const graph *g, int i, int output) {
  return output ? &g->more[g->node[i].more + output - 1] : &g->node[i].type;
}
/* Node i of another graph, over the operands `in` here. */
int graph_copy_node(graph *g, const graph *from, int i, const int *in);
/* A node with one output that is known to be right: no inference. */
int graph_copy(graph *g, const g_node *n, const int *in, const op_attrs *attrs);
/* The nodes from `first` on that ask for no device are to run on this one. */
void graph_set_device(graph *g, int first, int device);
/* Notes for the nodes from `first` on, which say nothing else, that they were made of a node of another graph, and are to run
 * where that was. */
void graph_set_written(graph *g, int first, const graph *from, int node);
/* The name of the operation that the user wrote. */
const char *graph_written(const graph *g, int node);
/* Short forms for decompositions. */
int graph_un(graph *g, int op, int x);
int graph_bin(graph *g, int op, int x, int y);
int graph_cast(graph *g, int x, tme_dtype t);
int graph_wide(graph *g, int x); /* a 16-bit float cast to f32, others as they are */
int graph_reduce(graph *g, int op, int x, uint32_t axes, bool keepdims);
/* The largest element, axes kept, for those who meet a NaN in x by another way: the result may lack it. */
int graph_max_any(graph *g, int x, uint32_t axes);
/* The sum of squared deviations about the mean, of those about a rounded mean: their squares' sum less what that mean lost
 * in rounding, which stands in the deviations' own `sum` (`left` each). */
int graph_centred(graph *g, int squares, int sum, int left);
int graph_reshape(graph *g, int x, int rank, const int64_t *shape);
int graph_broadcast(graph *g, int x, int rank, const int64_t *shape);
int graph_part(graph *g, int x, int axis, int64_t from, int64_t to); /* x[..., from:to, ...] of one dimension */
/* The conjugate of x with its last two axes changed over. */
int graph_adjoint(graph *g, int x);
/* The identity in each matrix of a shape. */
int graph_identity(graph *g, tme_dtype t, int rank, const int64_t *shape);

/* The graph for people. */
void graph_print(const graph *g, text *out);
void graph_dot(const graph *g, text *out);

/* ---- passes: each makes a new graph; NULL on failure ------------------------------------------------------------- */

/* Rounds the operands of products to bfloat16: precision "mixed", before the graph is cut into regions. */
graph *pass_mixed(const graph *g, error *e);
/* Composite operations (src/ir/families) to elementwise ones, reductions, products and views: all, or those that `which` asks
 * for. */
graph *pass_decompose(const graph *g, bool (*which)(int op), error *e);
/* Calls to copies of what they call, and of what is called there: all, or those that `keep` (NULL: none are) does not keep. What
 * no root needs is left out. */
typedef bool inline_keep(const graph *g, int call, void *user);
graph *pass_inline(const graph *g, inline_keep *keep, void *user, error *e);
/* Without what no root needs. */
graph *pass_reachable(const graph *g, error *e);
/* Equal nodes once; x*1, casts to the same dtype, views of views, pow with small literals; unused nodes dropped. Keeps
 * NaN, Inf and -0. */
graph *pass_simplify(const graph *g, error *e);
/* Barriers to their operands: after the last pass that looks for equal nodes. */
graph *pass_drop_barriers(const graph *g, error *e);
bool graph_has(const graph *g, int op);

/* What a rule of rewriting says of a node that stays as it is: rewrite.h. */
enum { REWRITE_KEEP = -2 };

/* Appends nodes to g that compute what the node does and returns the (first) result; REWRITE_KEEP if nothing is to be
 * done. One per
 * family that decomposes operations, or some of their cases (src/ir/families). */
typedef struct g_site {
  const g_node *node; /* node and attrs are not of the graph that is added to */
  const int *in;      /* the operands there */
  const op_attrs *attrs;
  int output; /* which one is wanted, of an operation of several: they are decomposed one by one, where they are read */
  bool alone; /* nothing else reads the first operand */
} g_site;
typedef int op_decompose_fn(graph *g, const g_site *s);
op_decompose_fn *graph_decomposer(int op); /* NULL: the family has none */
#define DECOMPOSES_YES(name) op_decompose_fn decompose_##name;
#define DECOMPOSES_NO(name)
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) DECOMPOSES_##decomposes(name)
#include "ops/families.def"
#undef DECOMPOSES_YES
#undef DECOMPOSES_NO

#endif
