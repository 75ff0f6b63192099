/* A plan: prepared regions in order, and which values go from one to another. Immutable but for who computes them: where a
 * backend fails, the next of the engine's list that supports the region answers. */
#ifndef TME_PLAN_H
#define TME_PLAN_H

#include "base/buckets.h"
#include "run/engine.h"
#include "run/partition.h"
#include "run/trace.h"

typedef struct plan_step {
  region region;
  _Atomic(executable *) exe[MOST_BACKENDS]; /* per backend, once it was needed */
  atomic_int backend; /* who computes it: the region's, or one behind it where that failed for good */
  int *in, *out;      /* slots of its leaves and roots */
  array_view *result; /* per root: dtype, shape and row-major strides */
  bool direct;        /* takes the plan's leaves and arguments, gives its roots, in that order */
  char title[96];     /* its operations, for messages */
} plan_step;

typedef struct plan {
  atomic_int refs;
  tme_engine *engine;
  int nleaves, nargs, nslots, nroots, nsteps;
  plan_step *step;
  int *root;    /* slot of each root */
  buckets dead; /* per step: the slots that it is the last to read */
} plan;

/* What was traced, cut and prepared. A region that its backend cannot prepare goes to the next one. */
plan *plan_new(tme_engine *e, const signature *s, error *err);
void plan_retain(plan *p);
void plan_release(void *unused, void *p);
/* Prepares the step for backend `number`. NULL with the reason. */
executable *plan_prepare(plan *p, plan_step *s, int number, error *e);
/* The step's executable for it, made when it is first asked for. */
static inline executable *plan_executable(plan *p, plan_step *s, int number, error *e) {
  executable *x = atomic_load_explicit(&s->exe[number], memory_order_acquire);
  return x ? x : plan_prepare(p, s, number, e);
}
/* Whether another backend may do what backend `from` could not. */
bool plan_has_next(const plan *p, int from, tme_status s);
/* Backend `from`, which is not the last one, failed: logs and counts it, and says who answers. `for_good`: from now on, and
 * once. */
int plan_next(plan *p, plan_step *s, int from, bool for_good, const error *why);

typedef struct plan_call {
  const array_view *leaf;
  const uint64_t *arg;
  array_view *out;  /* one reference to each buffer is the caller's */
  array_view *slot; /* room for nslots */
  const stop_request *stop;
  bool wait; /* until all results are ready: a device that fails before that is answered for by the next backend */
} plan_call;
tme_status plan_run(plan *p, const plan_call *c, error *e);

#endif
