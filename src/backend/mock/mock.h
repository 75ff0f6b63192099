/* What tests do with the device that only they have. */
#ifndef TME_MOCK_H
#define TME_MOCK_H

#include "backend/backend.h"

#ifdef TME_TEST_HOOKS
/* From now on the device begins no work; or goes on with it. */
void mock_hold(backend *b, bool on);
/* How many regions were given to it, and are not done. */
int mock_in_flight(backend *b);
/* The next region fails for this reason (static text), when it is its turn. */
void mock_fail_next(backend *b, const char *why);
#endif

#endif
