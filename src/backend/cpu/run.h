/* Running a program's steps on the CPU. */
#ifndef TME_RUN_H
#define TME_RUN_H

#include "backend/cpu/jit.h"
#include <stdatomic.h>

/* How the tasks of a kernel are handed out. The division never changes a result. */
typedef struct launch {
  jit_kernel *code;
  jit_origin origin;
  int64_t tasks;
  int64_t grain; /* tasks worth handing out alone */
  int threads;   /* that can have some */
} launch;

struct executable {
  program *p;
  atomic_ullong *kernels_run; /* the backend's count */
  launch *launch;             /* per step */
  int *last_use;              /* per slot: the step after which its memory is free */
};

tme_status plan_launch(const step *s, int threads, launch *out, error *e);
tme_status run_program(tme_engine *e, executable *x, run_args *a, error *err);

#endif
