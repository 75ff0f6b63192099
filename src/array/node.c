/* Nodes: one block of memory each, counted, released without recursion. */
#include "array/node.h"
#include "context/context.h"
#include "ir/subgraph.h"
#include <math.h>
#include <string.h>

node *node_new(tme_engine *e, int op, tme_array *const *in, int nin, const op_attrs *attrs, const op_type *types,
               int outputs) {
  size_t at_in = sizeof(node) + (size_t)outputs * sizeof(tme_array), at_attrs, bytes;
  if (!mul_size((size_t)nin, sizeof *in, &at_attrs) || !add_size(at_attrs, at_in, &at_attrs)) return NULL;
  const op_def *d = attrs ? op_get(op) : NULL;
  if (!add_size(at_attrs, d ? d->attrs_size : 0, &bytes)) return NULL;
  char *block = mem_alloc(bytes);
  if (!block) return NULL;
  node *n = (node *)(void *)block;
  memset(n, 0, at_in);
  atomic_init(&n->refs, 1);
  n->op = (uint16_t)op;
  n->outputs = (uint16_t)outputs;
  n->engine = e;
  context_retain(context_of(e));
  n->nin = nin;
  n->in = (tme_array **)(void *)(block + at_in);
  for (int i = 0; i < nin; i++) {
    n->in[i] = in[i];
    if (in[i]) node_retain(in[i]->node);
  }
  if (d) {
    n->attrs = (op_attrs *)(void *)(block + at_attrs);
    attrs_copy(d, n->attrs, attrs);
  }
  for (int i = 0; i < outputs; i++) {
    n->out[i].node = n;
    n->out[i].type = types[i];
  }
  return n;
}

node *node_literal(tme_engine *e, tme_dtype t, bool weak, op_number v) {
  op_type type = {.dtype = t, .weak = weak};
  node *n = node_new(e, OP_literal, NULL, 0, NULL, &type, 1);
  if (n) n->literal = v;
  return n;
}

node *node_retain(node *n) {
  atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
  return n;
}

/* Puts the node on the list if this was its last reference. */
static void drop(node *n, node **list) {
  if (atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1) return;
  n->next = *list;
  *list = n;
}

void node_release(node *n) {
  node *list = NULL;
  if (n) drop(n, &list);
  while (list) {
    n = list;
    list = n->next;
    for (int i = 0; i < n->nin; i++)
      if (n->in[i]) drop(n->in[i]->node, &list);
    for (int i = 0; i < n->outputs; i++) {
      buffer_release(array_buffer(&n->out[i]));
      buffer_release(atomic_load_explicit(&n->out[i].packed, memory_order_acquire));
    }
    if (n->op == OP_call) subgraph_release(n->sub);
    tme_engine *e = n->engine;
    mem_free(n);
    context_release(context_of(e));
  }
}

bool node_done(const node *n) {
  for (int i = 0; i < n->outputs; i++)
    if (!array_buffer(&n->out[i])) return false;
  return true;
}

void array_set(tme_array *a, buffer *b, int64_t offset, const int64_t *strides) {
  a->offset = offset;
  memcpy(a->strides, strides, sizeof *strides * (size_t)a->type.rank);
  atomic_store_explicit(&a->buf, b, memory_order_release);
}

bool array_view_of(int op, const tme_array *x, const op_attrs *attrs, const op_type *type, int64_t *offset,
                   int64_t strides[static TME_MAX_RANK]) {
  if (!op_view(op, &x->type, x->strides, attrs, type, offset, strides)) return false;
  *offset += x->offset;
  return true;
}
