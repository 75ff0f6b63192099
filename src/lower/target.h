/* What kernels are made for, as the rest of lowering sees it: a table of functions. A target of a kind (lower/cpu/target.h)
 * begins with one, and has what those functions know of the machine after it. */
#ifndef TME_TARGET_H
#define TME_TARGET_H

#include "ir/graph.h"

struct kernel;
typedef struct lowering lowering;
typedef struct lower_target lower_target;

struct lower_target {
  /* The decomposed graph with long sums and products in steps: a new one. NULL where they stay as they are. */
  graph *(*split)(const graph *g, error *e);
  /* The nodes that are to be in memory, for the product `node` to read: its operands, or what they are computed from. */
  void (*product_operands)(const lower_target *t, const graph *g, int node, int out[2]);
  /* One group to one or more steps. */
  tme_status (*rows)(lowering *l, int gr, error *e); /* GROUP_MAP and GROUP_ROWS */
  tme_status (*product)(lowering *l, int gr, error *e);
  tme_status (*attention)(lowering *l, int gr, error *e);
  /* The last look at a kernel, which is then complete and sound (kernel_finish), its cost known. */
  tme_status (*finish)(const lower_target *t, struct kernel *k, error *e);
};

#endif
