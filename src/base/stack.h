/* Work that needs more stack than a caller may have. */
#ifndef TME_STACK_H
#define TME_STACK_H

#include <pthread.h>
#include <stdbool.h>

/* Calls fn(user) on a thread with a large stack, in the default floating-point environment and with all signals
 * blocked, and waits; on the caller's own stack where no thread can be started. */
void stack_call(void (*fn)(void *user), void *user);

/* Starts a thread with a large stack and all signals blocked, to be joined; false if it cannot be. */
bool stack_thread(pthread_t *thread, void *(*fn)(void *user), void *user);

#endif
