/* The engine's fields, for src/engine and src/run alone. */
#ifndef TME_ENGINE_H
#define TME_ENGINE_H

#include "backend/backend.h"
#include "base/lock.h"
#include "cache/lru.h"

typedef struct async_queue async_queue; /* run/async.c */
typedef struct eval_run eval_run;       /* run/trace.h */

/* As in tme_jit_status; all empty if every wish was met. */
typedef struct engine_wish {
  char wanted[64], got[64], reason[512];
} engine_wish;

struct tme_engine {
  context context; /* first: context_of */
  backend_list backends;
  char main_why[512]; /* why the first of them does not compile, if it does not */
  engine_wish wish;   /* what was asked for by name and is not there */

  /* The graph lock: what hangs on what, which arrays are being computed, the plan cache. It changes when arrays were
   * published, or given up. */
  lock graph;
  int waiters;
  uint64_t published; /* how often that happened */
  uint64_t epoch;     /* number of the latest traversal */
  lru *plans;

  lock async_lock;
  async_queue *async; /* NULL until the first asynchronous evaluation */

  _Atomic(eval_run *) runs[8]; /* memory of earlier evaluations */
  atomic_ullong evaluations, fallbacks, failures;
  atomic_bool jit_used, jit_missed; /* its first success, its first failure for good were logged */
};

/* The backend that is asked first. */
static inline backend *engine_main(const tme_engine *e) { return e->backends.at[0]; }

/* Opens the backends. An error only where a wish that must be met is not (wishes.c). */
tme_status backends_open(tme_engine *e, error *err);

#endif
