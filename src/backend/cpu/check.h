/* TME_CHECK=1: what compiled kernels store is compared with the reference. */
#ifndef TME_CHECK_H
#define TME_CHECK_H

#include "backend/cpu/run.h"

typedef struct checker checker;

/* Computes every value of the program on the fallback backend, and logs the operation that made the first NaN. NULL when
 * that is not possible; the run then goes unchecked, which is logged. */
checker *checker_new(context *shared, const program *p, const run_args *a);
void checker_free(checker *c);
/* Compares what step `i` stored: data[slot] is element 0 of a slot. Differences are logged as warnings. */
void checker_step(checker *c, const program *p, int i, char *const *data);

#endif
