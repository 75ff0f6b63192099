/* Lowering: groups of the graph to kernels. lower.c turns a value at an index into instructions; the target's functions
 * make the loops around it. */
#ifndef TME_LOWER_H
#define TME_LOWER_H

#include "kernel/expr.h"
#include "lower/fuse.h"
#include "lower/program.h"

struct lowering {
  const graph *g;
  const fusion *f;
  program *p;
  const lower_target *t;
  int *slot_of; /* per node: its slot in memory, -1 if it is not stored (yet) */
  /* The group being lowered: what its kernel computes, inputs and literals that it reads included, in order (what it stores
   * and what is inlined there); and behind that what other groups made of their operands. */
  int *node;
  int nnodes, nknown;
  int *place; /* per node: where it stands in `node`, -1 if it does not */
};

typedef struct built_value {
  int node, guard;
  int ix[TME_MAX_RANK];
  expr_value v;
} built_value;

/* One kernel being made. */
typedef struct builder builder;
struct builder {
  lowering *l;
  kernel *k;
  int *bind; /* slot of each buffer, -1 for scratch */
  int nbind, cap_bind;
  step_arg *args;
  int nargs, cap_args;
  built_value *memo; /* values of the loops that are open */
  int nmemo, cap_memo;
  /* Nodes that the kernel makes itself, not from its operands: accumulators, cached rows. Returns true and the value. */
  bool (*special)(builder *b, int node, const int *ix, int guard, expr_value *out);
  void *user;
  int group;           /* the group that the kernel computes: its members are not loaded; -1 for none */
  const char *failure; /* why the kernel cannot be made (static text) */
};

bool builder_init(builder *b, lowering *l, const char *name);
void builder_free(builder *b); /* with the kernel, if it was not taken */

/* The value of `node` at the index `ix` (one expression per dimension); loads are done where `guard` holds (-1: always).
 * Complex values are two; 16-bit floats are held as f32. */
expr_value builder_value(builder *b, int node, const int *ix, int guard);
/* The same for an operand that is broadcast to `rank` dimensions: ix has `rank` entries. */
expr_value builder_operand(builder *b, int node, int rank, const int *ix, int guard);
/* Stores a value of the node's dtype at its index, row-major, in the node's slot. */
void builder_store(builder *b, int node, const int *ix, expr_value v);
/* The buffer of a slot; bound once. */
int builder_buffer(builder *b, int slot, k_buf_role role);
/* A scratch buffer of `size` elements. */
int builder_scratch(builder *b, tme_dtype t, int64_t size);
/* The number of the run-time argument that is word `word` of a literal, or a constant. */
int builder_arg(builder *b, int literal, int word, int64_t value);
/* Values made from here on are forgotten by builder_forget(mark): they lie in a loop that ends. */
static inline int builder_mark(const builder *b) { return b->nmemo; }
static inline void builder_forget(builder *b, int mark) { b->nmemo = mark; }

/* Adds the finished kernel as a step; takes it. */
tme_status lower_step(builder *b, const char *label, error *e);
/* Finds the group's nodes. */
void lower_nodes(lowering *l, int gr);
/* "matmul+add+gelu": the operations that the group being lowered computes. */
void lower_label(const lowering *l, char *out, size_t size);

/* A new slot for a value of the type given, `size` elements; -1 when out of memory. */
int lower_slot(lowering *l, const op_type *t, int node, int64_t size);
/* A step at the end of the program, zeroed; NULL when out of memory. */
step *lower_step_new(program *p, step_kind kind);

#endif
