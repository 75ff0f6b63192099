/* The parts of the device that only tests have, and what they do with it. */
#ifndef TME_MOCK_H
#define TME_MOCK_H

#include "backend/backend.h"

/* What the device stores, and back. */
void mock_scramble(void *to, const void *from, size_t bytes);
/* A plain copy of all of a buffer of the device. */
buffer *mock_plain(context *c, const buffer *b, error *e);
/* Runs what the CPU's backend prepared over buffers of the device. */
tme_status mock_run_steps(backend *b, executable *x, run_args *a, error *e);

#ifdef TME_TEST_HOOKS
/* Devices that are opened from now on run compiled kernels, where compiling is allowed. */
void mock_compiled(bool on);
/* From now on the device begins no work; or goes on with it. */
void mock_hold(backend *b, bool on);
/* How many regions were given to it, and are not done. */
int mock_in_flight(backend *b);
/* The next region fails for this reason (static text), when it is its turn. */
void mock_fail_next(backend *b, const char *why);
#endif

#endif
