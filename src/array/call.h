/* Nodes that no public function makes: what functions of functions put between a caller's operations. */
#ifndef TME_CALL_H
#define TME_CALL_H

#include "array/scope.h"
#include "ir/subgraph.h"

/* What the sub-graph computes of the operands (graph_call): `out` receives as many arrays as it has outputs, NULL on failure.
 * They belong to the scope. */
tme_status array_call(tme_scope *s, subgraph *f, tme_array *const *in, int nin, tme_array **out);
/* The same value, computed again by what is computed from it (graph_barrier). */
tme_array *array_barrier(tme_scope *s, tme_array *x);

#endif
