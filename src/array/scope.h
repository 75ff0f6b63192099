/* Where results live and where the first error is kept. */
#ifndef TME_SCOPE_H
#define TME_SCOPE_H

#include "array/node.h"
#include "context/context.h"

struct tme_scope {
  tme_engine *engine;
  atomic_int refs; /* the caller's, and one per event that may leave an error here */
  stop_request stop;
  uint8_t device; /* of the nodes that are made, as theirs */
  int n, cap;
  tme_array **array; /* one reference each */
  error err;
};

/* Room for n further arrays, so that adding them cannot fail. */
bool scope_reserve(tme_scope *s, int n);
/* The node, which is to run where the scope's operations are; NULL for NULL. */
static inline node *scope_node(const tme_scope *s, node *n) {
  if (n) n->device = s->device;
  return n;
}
/* Takes over the caller's reference. There must be room. */
static inline tme_array *scope_add(tme_scope *s, tme_array *a) { return s->array[s->n++] = a; }
/* One array on a new node (NULL: out of memory, reported for `what`), into the scope. */
tme_array *scope_take(tme_scope *s, node *n, const char *what);
/* Keeps the error unless there is one already; returns its own code. */
tme_status scope_fail(tme_scope *s, const error *e);
/* A scope for what lies between a call and its result, which stays out of the caller's; it runs where the caller's does. NULL
 * with an error there. */
tme_scope *scope_between(tme_scope *s, const char *what);
/* Ends it: the result, or the error if there is none, becomes the caller's. */
tme_array *scope_result(tme_scope *s, tme_scope *between, tme_array *a);
/* The code for a NULL array: of the error that stands, or a new one. */
tme_status scope_null(tme_scope *s, const char *what);
tme_scope *scope_retain(tme_scope *s);
void scope_release(tme_scope *s);

#endif
