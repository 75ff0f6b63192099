/* What fork() and exit() do to this process. Threads do not survive a fork, and shared mappings are shared from then on. */
#ifndef TME_FORK_H
#define TME_FORK_H

#include <stdatomic.h>
#include <stdbool.h>

/* Both count from the first call on, or from fork_watch(). While a lock of base/lock.h is held, neither changes. */
unsigned fork_generation(void); /* changes in the child alone */
unsigned fork_count(void);      /* changes in parent and child */
void fork_watch(void);

/* No fork begins between these two: one in another thread waits, and so does fork_end(). For work under locks that are not
 * the library's own, which calls nothing that may wait for who forks: no function of the caller's. False, and then nothing
 * is to be released, once fork_end() was called. Calls may nest. */
bool fork_hold(void);
void fork_release(void);
int fork_holders(void); /* threads that hold now */

/* For calls into libraries that take themselves down as the process ends: fork_end() waits for them, a fork does not. The
 * child of a process that was in such a call must not use the library: its locks may be held. */
bool fork_use_library(void);
void fork_leave_library(void);
bool fork_library_lost(void);

/* Runs as the process ends: from now on nothing is held or used; waits for who does. */
void fork_end(void);
/* After every use of a library: what it sets up is taken down last to first, and fork_end() has to come before. It is
 * registered again at the 1st, 2nd, 4th, 8th... call. */
void fork_expect_end(atomic_uint *calls);

#endif
