/* Inference that the operations on random numbers have in common. */
#ifndef TME_FAMILIES_RANDOM_H
#define TME_FAMILIES_RANDOM_H

#include "ir/threefry.h"

/* Operand i, where it is given, is a key. */
tme_status infer_key(const op_call *c, int i, error *e);
/* The shape of what is drawn: the one that is given, to which the operands [from, to) broadcast, each without its last `own`
 * dimensions; or that to which they broadcast together. */
tme_status infer_drawn(op_call *c, int from, int to, int own, op_list *shape, op_type *out, error *e);
/* A floating dtype, that of floating operands in [from, to) where none is given. All of them are to be real, and are taken in
 * the dtype that it is computed in. */
tme_status infer_floating(op_call *c, int from, int to, tme_dtype *t, error *e);
/* The same, and they are taken in another dtype. */
tme_status infer_floating_in(op_call *c, int from, int to, tme_dtype *t, tme_dtype in, error *e);
/* A real dtype for counts: int64 where none is given. */
tme_status infer_counts(const op_call *c, tme_dtype *t, error *e);
/* Numbers of the standard Gumbel distribution, finite, of t = f32 or f64. */
int graph_gumbel(graph *g, g_block b, tme_dtype t);

#endif
