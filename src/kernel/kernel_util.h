/* What the files of the kernel description share among themselves. */
#ifndef TME_KERNEL_UTIL_H
#define TME_KERNEL_UTIL_H

#include "kernel/kernel.h"

/* Axes at least this long have no useful upper bound (symbolic extents). */
#define AXIS_UNBOUNDED (INT64_MAX / 32)
/* Dependences are masks of axes. */
#define KERNEL_MAX_AXES 64

/* A zeroed slot at the end of a table, or -1 with k->failed set. */
int kernel_grow(kernel *k, void *table, int *n, int cap_slot, size_t size);

/* -1, with k->failed and k->refused set: what was asked for cannot be. What follows an allocation that failed is not to
 * blame. */
static inline int refuse(kernel *k) {
  if (k && !k->failed) k->failed = k->refused = true;
  return -1;
}

static inline bool op_is_prim(int op) { return op > K_READ && op < K_OP_COUNT; }
/* Operands of an instruction that are values: 0 to 3. LIBM has as many as its function. */
int inst_arity(const k_inst *in);
/* A value that depends on its operands, the loop variables and memory alone: may be moved, shared and dropped. */
static inline bool op_is_pure(int op) { return op_is_prim(op) || (op >= K_CONST && op <= K_LOAD); }
/* c + b . a of pairs of 16-bit numbers, each pair an u32 with the first one in its low half. */
static inline bool op_is_dot(uint64_t op) { return op == K_DOT_BF16 || op == K_DOT_I16; }
static inline tme_dtype dot_dtype(uint64_t op) { return op == K_DOT_BF16 ? TME_F32 : TME_I32; } /* of the sum */
static inline bool op_is_compare(int op) { return op >= K_EQ && op <= K_GE; }

/* parent[i]: the K_LOOP around instruction i, or -1. For a K_LOOP and its K_END, the loop around that loop. */
void kernel_parents(const kernel *k, int *parent);
/* True if `inner` is `outer` or lies in it; both are K_LOOP instructions or -1 for the top level. */
bool loop_within(const int *parent, int inner, int outer);

/* The values an expression takes, with the limits of its axes: tighter than lo, hi of its entry. */
void ix_range(const kernel *k, int ix, int64_t *lo, int64_t *hi);

#endif
