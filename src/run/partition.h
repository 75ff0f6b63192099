/* Cutting the graph into regions, one backend each. */
#ifndef TME_PARTITION_H
#define TME_PARTITION_H

#include "backend/backend.h"

/* A convex part of the graph as a graph of its own. Its leaves, run-time arguments and roots are numbered anew. */
typedef struct region {
  int backend; /* its number in the list */
  graph *graph;
  int stage;
  int *leaf; /* per leaf: the node of the whole graph whose value it is */
  int *arg;  /* per argument: its number in the whole graph */
  int *root; /* per root: the node of the whole graph */
  int nleaves, nargs, nroots;
  int cap_leaf, cap_arg;
} region;

typedef struct partition {
  region *region; /* in an order in which they can run */
  int n;
  int *of;             /* per node: its region, -1 for leaves and literals, which belong to whoever needs them */
  const char **reason; /* per node and backend: why that backend does not do it, or NULL: it does, or was not asked */
} partition;

/* Each node goes to the first backend of the list that supports it, from the one on that it asks for. */
tme_status partition_make(const graph *g, const backend_list *backends, partition *out, error *e);
void partition_free(partition *p);
/* Whether the backend supports all of a region. */
bool region_fits(const graph *region, backend *b);

#endif
