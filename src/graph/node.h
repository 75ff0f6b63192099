/* Arrays and the graph behind them.
 *
 * A node is one application of an operation; its outputs are the arrays. The node and its arrays are one block of
 * memory with one reference count: holding an array holds its node, and a node holds its inputs until it is computed. An
 * array is computed when its buffer is set (release order); then it is a strided view into that buffer.
 */
#ifndef TME_NODE_H
#define TME_NODE_H

#include "ops/ops.h"
#include "run/buffer.h"
#include <stdatomic.h>

typedef struct node node;

struct tme_array {
  node *node;
  op_type type;
  _Atomic(buffer *) buf;          /* NULL until computed; its reference belongs to the node */
  int64_t offset;                 /* elements from the start of the buffer */
  int64_t strides[TME_MAX_RANK];  /* in elements */
};

struct node {
  atomic_int refs;
  uint16_t op;
  uint8_t outputs;
  uint8_t special; /* OP_literal: 0, or its value is one that may shape the code (see literal_special) */
  int nin;
  atomic_uint state; /* NODE_* */
  tme_engine *engine;
  tme_array **in; /* NULL entries for absent optional arrays; all NULL'ed when computed */
  op_attrs *attrs;
  uint64_t bits[2]; /* OP_literal: the value (bits in its dtype; complex: two) */
  uint64_t mark;    /* OP traversal under the engine's graph lock: epoch << 32 | number */
  node *next;       /* work list of node_release */
  const char *file; /* debug builds: where the caller made it */
  int line;
  tme_array out[];
};

enum { NODE_NEW, NODE_RUNNING, NODE_DONE };

/* A node with room for `nin` inputs (their references are taken), a copy of attrs (or none), outputs of `types`. NULL
 * when out of memory. One reference, the caller's. */
node *node_new(tme_engine *e, int op, tme_array *const *in, int nin, const op_attrs *attrs, const op_type *types,
               int outputs);
node *node_retain(node *n);
/* Frees iteratively: chains of millions of nodes need no stack. */
void node_release(node *n);
/* Drops the inputs, once the node is computed. The caller holds the graph lock. */
void node_drop_inputs(node *n);

static inline buffer *array_buffer(const tme_array *a) { return atomic_load_explicit(&a->buf, memory_order_acquire); }
/* Sets the computed value; takes over the reference to `b`. */
void array_set(tme_array *a, buffer *b, int64_t offset, const int64_t *strides);
bool array_contiguous(const tme_array *a);
/* Row-major strides in elements. */
void type_strides(const op_type *t, int64_t strides[static TME_MAX_RANK]);

#endif
