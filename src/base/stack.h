/* Work that needs more stack than a caller may have. */
#ifndef TME_STACK_H
#define TME_STACK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Calls fn(user) in the default floating-point environment: on the caller's stack where that has `bytes` left for sure,
 * else on a thread with a large one and all signals blocked, and waits; where no thread can be started, on the caller's
 * again, in its environment. */
void stack_call(size_t bytes, void (*fn)(void *user), void *user);

/* Bytes of stack that the calling thread has left; 0 where that cannot be told: in a coroutine, unless its stack is part of
 * the thread's. */
size_t stack_left(void);

/* Starts a thread with a large stack and all signals blocked, to be joined; false if it cannot be. */
bool stack_thread(pthread_t *thread, void *(*fn)(void *user), void *user);

#endif
