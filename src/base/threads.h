/* Work spread over the processors: a parallel for on a pool of threads. */
#ifndef TME_THREADS_H
#define TME_THREADS_H

#include "base/base.h"

typedef struct threads threads;

/* A pool of n threads that compute, the caller of threads_for included; n <= 0: threads_default(). Starts none yet. */
threads *threads_new(int n, error *e);
/* Ends the workers. Nobody may be in threads_for. NULL is allowed. */
void threads_free(threads *t);
int threads_count(const threads *t); /* without a pool 1 */

/* Runs the tasks [t0, t1) on thread number `thread`, 0 <= thread < threads_count(). */
typedef void threads_fn(void *user, int thread, int64_t t0, int64_t t1);

/* Calls fn for pieces of [0, tasks), each task once, in any order, and returns when all are done. From any thread. Pieces
 * begin at multiples of `grain` >= 1 and get shorter, so that nobody waits long for the last one. Each thread begins with
 * a share of its own, the same one in every loop, and ends with what others have not begun (affinity scheduling: Markatos
 * & LeBlanc, 1994): its caches have what it wrote, and new pages are met by one thread each. Without a
 * pool (NULL) they run on the caller's thread. The workers start at the first call with more tasks than a grain, with the default floating-point environment and all signals blocked. Tasks run
 * on the caller's thread alone when the pool is at work for another caller, in a nested call, and when no thread can be
 * started: so results must not depend on which thread runs a task. A child of fork() starts its own workers. */
void threads_for(threads *t, int64_t tasks, int64_t grain, threads_fn *fn, void *user);

/* Starts the workers, if they are not there, for a loop that will come. The first of them calls `first`(a, n) before it
 * looks for it; nobody waits for that. */
bool threads_will_start(const threads *t); /* as far as is known without waiting; not again in a child of fork() */
typedef void threads_first_fn(void *a, size_t n);
void threads_start(threads *t, threads_first_fn *first, void *a, size_t n);

/* The processors this process may use: its affinity mask and its cgroup's quota. At least 1. */
int threads_default(void);
/* The quota alone, rounded up, of the process whose /proc/self/cgroup is `membership`, with the cgroup file systems
 * under `root` (/sys/fs/cgroup); 0 if there is none. */
int threads_quota(const char *membership, const char *root);

#endif
