/* Work that several threads ask for at once: the first one does it, the others wait and get what it got. */
#ifndef TME_FLIGHT_H
#define TME_FLIGHT_H

#include "base/base.h"
#include "base/lock.h"

typedef struct flight flight;
typedef flight *flights; /* those under way; begins as NULL. Guarded by the lock that is given with it */

/* Under `guard`. True: nobody is at work on this key; do it without the lock and call flight_land(). *f may be NULL, where
 * there is no memory to let others know. False: waited, and `result` and `e` are what the one who did it gave. */
bool flight_begin(flights *all, lock *guard, const void *key, size_t n, flight **f, void **result, error *e);
/* Under the lock. The number of threads that get `result` besides the caller: before the lock is given, each must own what
 * it gets. `why`: where it is NULL. */
int flight_land(flights *all, lock *guard, flight *f, void *result, const error *why);

#endif
