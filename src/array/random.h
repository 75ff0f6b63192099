/* Calls that draw numbers. */
#ifndef TME_ARRAY_RANDOM_H
#define TME_ARRAY_RANDOM_H

#include "array/scope.h"

/* The operands of a call as inference wants them: the next key of the engine's stream where none is given, the numbers below a
 * whole one that is given in place of an array. They belong to `between`. Parameters that are numbers are checked. */
tme_status random_operands(tme_scope *s, tme_scope *between, const op_def *d, tme_array **in, const op_attrs *attrs);

#endif
