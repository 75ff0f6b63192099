/* Arrays and the graph behind them.
 *
 * A node is one application of an operation; its outputs are the arrays. The node and its arrays are one block of
 * memory with one reference count: holding an array holds its node, and a node holds its inputs until all its outputs
 * are computed. An array is computed when its buffer is set (release order); then it is a strided view into it.
 */
#ifndef TME_NODE_H
#define TME_NODE_H

#include "memory/buffer.h"
#include "ops/views.h"
#include <stdatomic.h>

typedef struct node node;

struct tme_array {
  node *node;
  op_type type;
  _Atomic(buffer *) buf;         /* NULL until computed; its reference belongs to the node */
  _Atomic(buffer *) packed;      /* a row-major copy on the host that tme_data made, or NULL */
  int64_t offset;                /* elements from the start of the buffer */
  int64_t strides[TME_MAX_RANK]; /* in elements */
  /* Under the engine's graph lock: */
  uint64_t mark;    /* what a traversal knows of it: epoch << 24 | number */
  unsigned running; /* fork_generation() + 1 of the process that computes it: its children have not that thread */
};

struct node {
  atomic_int refs;
  uint16_t op;
  uint16_t outputs;
  uint8_t device; /* 1 + the number of the engine's backend that is to compute it; 0: the engine's choice */
  int nin;
  tme_engine *engine; /* a reference */
  tme_array **in;     /* NULL entries for absent optional arrays; nin is 0 once all outputs are computed */
  op_attrs *attrs;    /* no more of it than those of the operation */
  union {
    op_number literal;    /* OP_literal: as the caller gave it, whatever dtype it takes later */
    struct subgraph *sub; /* OP_call: a reference */
  };
  union {
    uint64_t mark; /* of a node with several outputs, as in tme_array */
    node *next;    /* work list of node_release: nobody holds the node any more */
  };
  tme_array out[];
};

/* A node with room for `nin` inputs (each is retained), a copy of attrs (or none), outputs of `types`. NULL when out of
 * memory. One reference, the caller's. */
node *node_new(tme_engine *e, int op, tme_array *const *in, int nin, const op_attrs *attrs, const op_type *types,
               int outputs);
/* A literal of rank 0; `weak`: untyped. */
node *node_literal(tme_engine *e, tme_dtype t, bool weak, op_number v);
node *node_retain(node *n);
/* Frees iteratively: chains of millions of nodes need no stack. NULL is allowed. Not under the graph lock: memory of
 * the caller's is given back by the caller's function. */
void node_release(node *n);
/* True once all outputs are computed. */
bool node_done(const node *n);

static inline buffer *array_buffer(const tme_array *a) { return atomic_load_explicit(&a->buf, memory_order_acquire); }
/* Sets the computed value; takes over the reference to `b`. */
void array_set(tme_array *a, buffer *b, int64_t offset, const int64_t *strides);
/* If `op` applied to the computed array x is a strided view, where it lies in x's buffer. */
bool array_view_of(int op, const tme_array *x, const op_attrs *attrs, const op_type *type, int64_t *offset,
                   int64_t strides[static TME_MAX_RANK]);

#endif
