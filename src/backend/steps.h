/* Running a program's steps, for every backend that has kernels: when slots get memory and give it back, what a step works on,
 * which results inherit a failure. What allocates and computes is the backend's. */
#ifndef TME_STEPS_H
#define TME_STEPS_H

#include "backend/backend.h"
#include "base/buckets.h"
#include "lower/program.h"

/* A program as it is run. */
typedef struct steps {
  program *p;
  size_t *bytes;   /* per slot: its memory; SIZE_MAX: too much */
  buckets dead;    /* per step: the slots whose memory is free after it */
  int *concurrent; /* per step: how many kernels, from it on, are launched together */
} steps;

/* Takes the program, also on failure; kernels are launched one by one. False when out of memory. */
bool steps_make(steps *s, program *p);
/* Once the order of the steps stands, and before they run. False when out of memory. */
bool steps_find_dead(steps *s);
void steps_free(steps *s);

/* What one run holds. */
typedef struct step_run {
  const steps *s;
  const struct step_ops *ops;
  void *user; /* the backend's */
  run_args *a;
  buffer **buf; /* per slot: of a value that lies in memory now */
  char **data;  /* per slot: its element 0 */
} step_run;

/* A numerical failure that a library call found: text is static, NULL if there is none. */
typedef struct step_failure {
  const char *text;
  int64_t matrix;
} step_failure;

/* What a backend does. */
typedef struct step_ops {
  /* Memory for a slot; NULL when there is none. */
  buffer *(*alloc)(step_run *r, size_t bytes);
  /* Runs the kernels of n steps from i on, none of which depends on another. Tables of their buffers and arguments, one
   * kernel's after the other's. */
  tme_status (*launch)(step_run *r, int i, int n, void **buf, const uint64_t *args, error *e);
  /* Runs step i, a library call or a check of indices. `unread`: per output without a slot, its memory. */
  tme_status (*call)(step_run *r, int i, char *const *unread, step_failure *failed, error *e);
  /* After each step, where each is launched by itself; NULL: steps may be launched together. */
  void (*after)(step_run *r, int i);
  bool inputs_may_fail; /* inputs may hold the marks of numerical failures */
} step_ops;

tme_status steps_run(const steps *s, const step_ops *ops, void *user, run_args *a, error *e);

#endif
