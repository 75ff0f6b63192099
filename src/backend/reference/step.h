/* A program's library calls and checks of indices, done by the reference. */
#ifndef TME_REFERENCE_STEP_H
#define TME_REFERENCE_STEP_H

#include "backend/steps.h"
#include "base/threads.h"

/* data: per slot, element 0 in host memory; the rest as in step_ops. */
tme_status reference_step(const program *p, int i, threads *t, char *const *data, char *const *unread,
                          step_failure *failed, error *e);

#endif
