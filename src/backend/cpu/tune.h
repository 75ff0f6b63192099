/* TME_TUNE: the ways to make a product are timed once for each class of products, on scratch operands, and the choice is
 * kept in memory and on disk. No way changes a bit of a result. */
#ifndef TME_TUNE_H
#define TME_TUNE_H

#include "backend/cpu/jit.h"

typedef struct tuner tuner;

/* NULL with the reason. The backend's engine and JIT are used later, not now. */
tuner *tuner_new(backend *b, jit *j, error *e);
void tuner_free(tuner *t);  /* NULL is allowed */
void tuner_clear(tuner *t); /* forgets what it has in memory; NULL is allowed */
/* program_lower with the fastest way for each product; finds it out where neither memory nor disk has it. */
program *tuner_lower(tuner *t, const graph *region, error *e);

#ifdef TME_TEST_HOOKS
/* From now on nothing is timed: this is the choice; -1: timed again. */
void tuner_plant_choice(int choice);
#endif

#endif
