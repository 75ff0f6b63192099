/* How large a kernel grows by a value: so that no kernel takes long to compile or reads more arrays than fit a call. */
#ifndef TME_FUSE_SIZE_H
#define TME_FUSE_SIZE_H

#include "lower/fuse.h"

/* Nodes that read at most this many arrays and literals count as if they read them all directly. */
#define FEW_ARRAYS 4

typedef struct fuse_size {
  const graph *g;
  int *own;    /* per node: instructions of its own at one index */
  int *all;    /* with all that it is computed from */
  int *arrays; /* arrays and literals that it is computed from, those that lie below several times counted so */
} fuse_size;

/* False when out of memory. */
bool fuse_size_init(fuse_size *s, const graph *g, const char *const *stored);
void fuse_size_free(fuse_size *s);
/* Adds up sizes without overflow. */
static inline int size_add(int a, int b) { return a > INT32_MAX / 2 - b ? INT32_MAX / 2 : a + b; }

/* At how many different indices one kernel computes a value: a view above it shifts the index, so that a tree of views
 * and sums over one value multiplies what is below. */
typedef struct index_sets {
  int *set;   /* per node: a number for the set of its indices; 0: the kernel's own */
  int *count; /* its size, at most */
  int *seen;  /* per set: the node that was looked at last */
} index_sets;

bool index_sets_init(index_sets *x, int n);
void index_sets_free(index_sets *x);
/* Node i has the kernel's own index: it is stored, or a member of a group. */
void index_sets_own(index_sets *x, int i);
/* Node i is computed inside its readers, whose sets are known. */
void index_sets_inlined(index_sets *x, const graph *g, int i, const int *users, int nusers);

#endif
