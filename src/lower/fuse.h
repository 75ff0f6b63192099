/* Fusion: which values are stored in memory, and which kernel makes each of them. */
#ifndef TME_FUSE_H
#define TME_FUSE_H

#include "ir/graph.h"
#include "lower/target.h"

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
  int *member;   /* its nodes in order, the seed first; they lie in the fusion's table */
  int nmembers;
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
  int *members;        /* of all groups, one after the other */
  int *group_of;       /* per node: the group that it is a member of, or -1: inlined where it is used, or a leaf */
  dim_map *maps;       /* per member */
  const char **stored; /* per node: why it is stored, NULL if it is not */
  int *users_of;       /* the readers of node i, in order: users[users_of[i]] ... users[users_of[i + 1] - 1] */
  int *users;
} fusion;

fusion *fuse(const graph *g, const lower_target *t, error *e);
void fusion_free(fusion *f);

#endif
