/* Calls of operations that become other ones at once. */
#ifndef TME_COMPOSE_H
#define TME_COMPOSE_H

#include "array/node.h"

/* clip without one of its bounds (in[1], in[2]) or both: the operation that it is, with what is left of the lists. */
int compose_clip(tme_array **in, tme_dtype *cast, int *nin);
/* round to decimals other than 0; the result belongs to the scope. */
tme_status compose_round(tme_scope *s, tme_array *x, int64_t decimals, tme_array **out);
/* pad with what x holds: in a mode other than constant. */
tme_status compose_pad(tme_scope *s, tme_array *x, const op_attrs *attrs, tme_array **out);

#endif
