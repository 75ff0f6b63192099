/* Calls of operations that become other ones at once. */
#ifndef TME_COMPOSE_H
#define TME_COMPOSE_H

#include "array/node.h"

/* clip without one of its bounds (in[1], in[2]) or both: the operation that it is, with what is left of the lists. */
int compose_clip(tme_array **in, tme_dtype *cast, int *nin);
/* round to decimals other than 0; the result belongs to the scope. */
tme_status compose_round(tme_scope *s, tme_array *x, int64_t decimals, tme_array **out);
/* linspace in an integer dtype: the largest whole numbers that are not above it. */
tme_status compose_linspace(tme_scope *s, const op_attrs *attrs, tme_array **out);
/* pad with what x holds: in a mode other than constant. */
tme_status compose_pad(tme_scope *s, tme_array *x, const op_attrs *attrs, tme_array **out);
/* var and std of complex numbers: the squares of the distances are those of both parts. `args` are the call's. */
tme_status compose_variance(tme_scope *s, int op, tme_array *x, const tme_arg *args, int nargs, tme_array **out);
/* sum, prod and mean in a dtype, which is their last parameter: args are those of the call. */
bool compose_has_dtype(int op, const op_attrs *attrs);
tme_status compose_in_dtype(tme_scope *s, int op, tme_array *x, const op_attrs *attrs, const tme_arg *args, int nargs,
                            tme_array **out);

#endif
