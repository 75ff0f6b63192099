/* Locks that a fork finds open: it takes all of them first, so that in the child nobody holds one and what they guard is
 * whole. Each has a condition. */
#ifndef TME_LOCK_H
#define TME_LOCK_H

#include <pthread.h>

/* Who holds a lock takes only those of later ranks, and makes or ends none. Nobody who holds one calls fork_hold() or a
 * function of the caller's. */
typedef enum lock_rank {
  LOCK_GRAPH,
  LOCK_CODE,
  LOCK_INNER,
  LOCK_USERS, /* held around functions of the caller's, which may take any time: no fork waits for it */
  LOCK_RANKS
} lock_rank;

typedef struct lock {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  lock_rank rank;
  struct lock *next, *previous;
} lock;

void lock_init(lock *l, lock_rank rank);
void lock_end(lock *l); /* one that was never begun and is all zeros is allowed */

static inline void lock_take(lock *l) { pthread_mutex_lock(&l->mutex); }
static inline void lock_give(lock *l) { pthread_mutex_unlock(&l->mutex); }
/* Gives the lock, waits for lock_wake() or anything else, and takes it again. */
static inline void lock_wait(lock *l) { pthread_cond_wait(&l->changed, &l->mutex); }
static inline void lock_wake(lock *l) { pthread_cond_broadcast(&l->changed); }

/* For fork.c alone. */
void lock_take_all(void);
void lock_give_all(void);
void lock_renew_all(void); /* in the child: all open, nobody waits */

#endif
