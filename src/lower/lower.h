/* Lowering: groups of the graph to kernels. lower.c turns a value at an index into instructions; lower_rows.c,
 * lower_matmul.c and lower_attention.c make the loops around it. */
#ifndef TME_LOWER_H
#define TME_LOWER_H

#include "lower/fuse.h"
#include "lower/program.h"
#include "kernel/expr.h"

typedef struct lowering {
  const graph *g;
  const fusion *f;
  program *p;
  const lower_target *t;
  int *slot_of; /* per node: its slot in memory, -1 if it is not stored (yet) */
} lowering;

typedef struct memo {
  int node, guard;
  int ix[TME_MAX_RANK];
  expr_value v;
} memo;

/* One kernel being made. */
typedef struct builder builder;
struct builder {
  lowering *l;
  kernel *k;
  int *bind; /* slot of each buffer, -1 for scratch */
  int nbind, cap_bind;
  step_arg *args;
  int nargs, cap_args;
  memo *memo; /* values of the loops that are open */
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

/* Vector lanes for a kernel whose widest values have `bytes` bytes. */
int lower_lanes(const lower_target *t, size_t bytes);
/* The widest value of the kernel that differs along an axis, in bytes. */
size_t kernel_widest(const kernel *k, int axis);
/* Divisions and remainders that the kernel's accesses and index values need. */
int kernel_index_work(const kernel *k);

/* Marks the loops whose iterations are better run several at a time: lower_side.c. */
void lower_side_by_side(kernel *k);
/* Adds the finished kernel as a step; takes it. */
tme_status lower_step(builder *b, const char *label, error *e);
/* Marks the nodes that the group's kernel computes, inputs and literals that it reads included: what it stores and what
 * is inlined there. */
void lower_mark(const lowering *l, int gr, uint8_t *mark);
/* "matmul+add+gelu": the operations that the group computes. */
void lower_label(const lowering *l, int gr, char *out, size_t size);

/* One group to one or more steps. */
tme_status lower_rows(lowering *l, int gr, error *e); /* GROUP_MAP and GROUP_ROWS */
tme_status lower_matmul(lowering *l, int gr, error *e);
tme_status lower_attention(lowering *l, int gr, error *e);

/* Bands of columns of a product. */
typedef struct columns {
  int64_t first, wide, count;
  int64_t panel; /* number of the first one */
} columns;
/* Whole bands of `wide` columns, and what remains: a band of as many vectors as it takes, the last of them ending with the
 * last column. Of bands of three vectors so many that pairs remain, which keep the arithmetic units busy, as one vector does
 * not; with `balance`, where there are few bands and each is a task, an even number of them, so that two threads can have
 * as many vectors. Columns of the band before are computed again rather than lanes masked. */
void columns_cut(int64_t n, int64_t wide, int lanes, bool balance, columns out[2]);

/* An operand of a product in panels, one for each band: lower_pack.c. Its dimension kdim is summed over, cdim gives the
 * columns; the ones before the last two count the matrices. */
typedef struct packed {
  int node, kdim, cdim;
  int lanes, vectors; /* columns of a panel */
  int64_t K, N;
  bool by_rows;    /* neighbouring columns are neighbours in memory: it is read along rows, over all panels */
  tme_dtype dtype; /* of the copy */
  k_op dot;        /* K_NOP, or: what the pairs are for that it consists of, and K counts */
  int slot[2];     /* of the copy: real and imaginary part, -1 if there is none */
} packed;
/* Adds the step that copies and sets the slots. */
tme_status lower_pack(lowering *l, packed *p, error *e);
void packed_columns(const packed *p, columns out[2]);
/* Matrices of a type: its dimensions before the last two; the index of one in them; and the other way round: */
int64_t type_matrices(const op_type *t);
void packed_index(kernel *k, const op_type *t, int matrix, int *ix);
/* The number of the matrix that an operand of type t has at ix, an index of `rank` dimensions that it is broadcast to. */
int packed_matrix(kernel *k, const op_type *t, const int *ix, int rank);
expr_value packed_load(builder *b, const packed *p, int matrix, int panel, int row, int column);

/* The elements 2i and 2i + 1 of an operand along `dim` as one u32, where ix[dim] is i; ix has `rank` entries, as those of
 * builder_operand. Where the operand ends in between, that is at one i alone, the second is 0: lower_pairs.c. */
int pair_value(builder *b, k_op dot, int node, int rank, const int *ix, int dim);

/* Sums in blocks (lower_blocks.c): what is lost where before + v was rounded to `after`; the sum with all that was lost. */
int blocks_lost(kernel *k, int before, int v, int after);
int blocks_total(kernel *k, int sum, int lost);

/* A new slot for a value of the type given, `size` elements; -1 when out of memory. */
int lower_slot(lowering *l, const op_type *t, int node, int64_t size);
/* A step at the end of the program, zeroed; NULL when out of memory. */
step *lower_step_new(program *p, step_kind kind);

#endif
