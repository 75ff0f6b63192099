/* Operations whose results have as many elements as values decide: without a size they are evaluated at the call. */
#ifndef TME_SIZED_H
#define TME_SIZED_H

#include "array/node.h"

/* Whether the operation has a parameter `size` for that, and it is not given. */
bool sized_is_open(const op_def *d, const op_attrs *attrs);
/* Such a call, with the operands that it was given; the results belong to the scope. */
tme_status sized_apply(tme_scope *s, int op, const tme_arg *args, int nargs, tme_array *const *in, int nin,
                       tme_array **out);

#endif
