/* Running a program's steps on the CPU. */
#ifndef TME_RUN_H
#define TME_RUN_H

#include "backend/cpu/jit.h"
#include "backend/steps.h"
#include <stdatomic.h>

/* How the tasks of a kernel are handed out. The division never changes a result. With what a run needs of the kernel, whose
 * own memory, and the program's, it seldom touches: of a long program that is out of the cache by the next run. */
typedef struct launch {
  jit_kernel *code;
  jit_origin origin;
  int64_t tasks;
  int64_t grain; /* tasks worth handing out alone */
  int threads;   /* that can have some */
  size_t scratch_bytes;
  double ns; /* of all tasks, about */
} launch;

/* Pieces of a launch that threads take. */
static inline int64_t launch_pieces(const launch *l) { return (l->tasks + l->grain - 1) / l->grain; }

enum {
  MOST_ABREAST = 16,
  WORTH_A_THREAD = 10000, /* nanoseconds of work under which the caller's thread does it alone */
  LEAST_PIECE = 2000      /* and that a thread takes at once, at least */
};

struct executable {
  steps s;
  jit *jit;
  atomic_ullong *kernels_run; /* the backend's count */
  launch *launch;             /* per step */
};

/* A program with the code of its kernels; takes the program. NULL with the reason. */
executable *executable_load(backend *b, program *p, error *e);
void executable_free(executable *x); /* NULL is allowed */

/* Finds independent kernels of which none keeps all threads busy, and moves them next to each other. Before the dead
 * slots are found. False when out of memory. */
bool concurrent_find(executable *x, int threads);

/* Whether all work is worth all threads, in the smallest pieces: as tests want it. */
bool launch_is_finest(void);
#ifdef TME_TEST_HOOKS
void launch_finest(bool on);
#endif

tme_status plan_launch(const step *s, int threads, launch *out, error *e);
/* Runs the kernel of step i over host memory. */
tme_status run_kernel(context *c, executable *x, int i, void *const *buf, const uint64_t *args, error *e);
tme_status run_program(context *c, executable *x, run_args *a, error *e);

#endif
