/* Fusion: which values are stored in memory, and which kernel makes each of them. */
#ifndef TME_FUSE_H
#define TME_FUSE_H

#include "compile/graph.h"
#include "compile/target.h"

typedef enum group_kind {
  GROUP_MAP,    /* elementwise over one shape */
  GROUP_ROWS,   /* reductions of one shape over the same axes, and what follows them element by element */
  GROUP_MATMUL, /* a product and its epilogue */
  GROUP_ATTENTION,
  GROUP_LIBRARY
} group_kind;

typedef struct group {
  group_kind kind;
  int seed;      /* the product, a reduction, or the value itself */
  op_type full;  /* its iteration space: of a reduction the shape of its input */
  uint32_t axes; /* reduced axes of `full` */
} group;

/* Where a value's dimensions lie in its group's iteration space: map[d] is the dimension of `full`, -1 for an extent of 1. */
typedef struct dim_map {
  int8_t map[TME_MAX_RANK];
} dim_map;

typedef struct fusion {
  int n; /* nodes */
  group *groups;
  int ngroups, cap_groups;
  int *order;          /* groups in an order that respects what they load */
  int *group_of;       /* per node: the group that it is a member of, or -1: inlined where it is used, or a leaf */
  dim_map *maps;       /* per member */
  const char **stored; /* per node: why it is stored, NULL if it is not */
} fusion;

fusion *fuse(const graph *g, const lower_target *t, error *e);
void fusion_free(fusion *f);

/* What the compiler makes of an operation after decomposition. */
typedef enum node_class {
  CLASS_SOURCE, /* leaf, literal, iota */
  CLASS_MAP,    /* elementwise, astype */
  CLASS_VIEW,   /* index arithmetic */
  CLASS_REDUCE,
  CLASS_MATMUL,
  CLASS_ATTENTION,
  CLASS_TAKE,
  CLASS_PICK,
  CLASS_LIBRARY,
  CLASS_COMPOSITE /* must have been decomposed */
} node_class;
node_class node_classify(int op);

/* What the take `n` of a computed value becomes, in pass_decompose: -2 if it stays. `alone`: nothing else reads the value,
 * so that dear elements are computed once, if at all. */
int gather_computed(graph *g, const g_node *n, const int *in, const op_attrs *attrs, bool alone);

#endif
