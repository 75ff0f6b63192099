/* Work spread over the processors: a parallel for on a pool of threads. */
#ifndef TME_THREADS_H
#define TME_THREADS_H

#include "base/base.h"

typedef struct threads threads;

/* A pool of n threads that compute, the caller of threads_for included; n <= 0: threads_default(). Starts none yet. */
threads *threads_new(int n, error *e);
/* Ends the workers. Nobody may be in threads_for. NULL is allowed. */
void threads_free(threads *t);
int threads_count(const threads *t);

/* Calls fn(user, 0..chunks-1), each once, in any order, and returns when all are done. From any thread. The workers
 * start at the first call with more than one chunk, with the default floating-point environment and all signals
 * blocked. Chunks run on the caller's thread alone when the pool is at work for another caller, in a nested call, and
 * when no thread can be started: so results must not depend on which thread runs a chunk. A child of fork() starts its
 * own workers. */
void threads_for(threads *t, int chunks, void (*fn)(void *user, int chunk), void *user);

/* The processors this process may use: its affinity mask and its cgroup's quota. At least 1. */
int threads_default(void);
/* The quota alone, rounded up, of the process whose /proc/self/cgroup is `membership`, with the cgroup file systems
 * under `root` (/sys/fs/cgroup); 0 if there is none. */
int threads_quota(const char *membership, const char *root);

#endif
