/* Evaluation. */
#ifndef TME_EVAL_H
#define TME_EVAL_H

#include "array/scope.h"
#include "run/trace.h"

/* Computes the arrays, none of which is NULL. */
tme_status evaluate(tme_engine *e, tme_array *const *a, int n, const stop_request *stop, error *err);
/* The same in two parts, for asynchronous evaluation: eval_begin traces and marks; NULL with *st TME_OK: there is
 * nothing to do; with `wait` false it returns NULL and *busy where it would have to wait for another thread. */
eval_run *eval_begin(tme_engine *e, tme_array *const *a, int n, bool wait, bool *busy, tme_status *st, error *err);
/* Runs, publishes, and ends the run. Unless `wait`, results may not be ready. */
tme_status eval_finish(tme_engine *e, eval_run *r, bool wait, const stop_request *stop, error *err);
/* Traces without marking anything as running, and takes the plan if it is in the cache; `count`: as a hit or a miss. */
trace_result eval_look(tme_engine *e, eval_run *r, tme_array *const *a, int n, bool count, error *err);
/* Makes the plan of a signature that was not in the cache, and puts it there. Without room there it serves once. */
tme_status eval_plan(tme_engine *e, eval_run *r, error *err);
/* TME_ERR_NUMERIC for the failure that a computation has left in the buffer, unless failures are quiet. */
tme_status eval_failure(const tme_engine *e, const buffer *b, error *err);
/* The same if the buffer is ready and holds one. */
static inline tme_status eval_numeric(const tme_engine *e, const buffer *b, error *err) {
  return buffer_is_ready(b) && b->failure ? eval_failure(e, b, err) : TME_OK;
}
/* How often arrays were published; waits until that changes; changes it. */
uint64_t eval_published(tme_engine *e);
void eval_wait(tme_engine *e, uint64_t seen);
void eval_nudge(tme_engine *e);
/* Waits until the buffer is ready. Fails as computing it did, numerically too. */
static inline tme_status eval_wait_for(const tme_engine *e, const buffer *b, error *err) {
  tme_status s = buffer_wait(b, err);
  return s == TME_OK ? eval_numeric(e, b, err) : s;
}
/* Checks a list from the caller. */
tme_status eval_list(tme_scope *s, const char *what, tme_array *const *a, int n);

#endif
