/* Evaluation: trace and look up under the graph lock, compile and run without it, publish under it. */
#include "run/eval.h"
#include "base/grow.h"
#include "base/threads.h"
#include "run/plan.h"
#include "run/trace.h"

uint64_t eval_published(tme_engine *e) {
  lock_take(&e->graph);
  uint64_t n = e->published;
  lock_give(&e->graph);
  return n;
}

void eval_wait(tme_engine *e, uint64_t seen) {
  lock_take(&e->graph);
  e->waiters++;
  while (e->published == seen) lock_wait(&e->graph);
  e->waiters--;
  lock_give(&e->graph);
}

/* Under the lock. */
static void wake_others(tme_engine *e) {
  e->published++;
  if (e->waiters) lock_wake(&e->graph);
}

void eval_nudge(tme_engine *e) {
  lock_take(&e->graph);
  wake_others(e);
  lock_give(&e->graph);
}

/* Traces, and takes the plan from the cache if it is there. `wait`: for another thread that is at work on what is needed.
 * `count`: as a hit or a miss. */
static trace_result trace_and_find(tme_engine *e, eval_run *r, tme_array *const *a, int n, bool mark, bool wait,
                                   bool count, error *err) {
  lock_take(&e->graph);
  trace_result t;
  while ((t = trace(e, r, a, n, mark, err)) == TRACE_BUSY && (wait || stop_is_asking())) {
    /* It may wait for itself. */
    if (stop_is_asking()) {
      fail(
          err, TME_ERR_ARGUMENT,
          "eval: a function called between the steps of an evaluation, such as a signal handler, asked for a value that is "
          "being computed");
      t = TRACE_FAILED;
      break;
    }
    uint64_t seen = e->published;
    lock_give(&e->graph);
    run_drop(r);
    eval_wait(e, seen);
    lock_take(&e->graph);
  }
  if (t == TRACE_READY) {
    size_t bytes = (size_t)r->nsig * sizeof *r->sig;
    r->plan = count ? lru_get(e->plans, r->sig, bytes) : lru_peek(e->plans, r->sig, bytes);
    if (r->plan) plan_retain(r->plan);
  }
  lock_give(&e->graph);
  return t;
}

eval_run *eval_begin(tme_engine *e, tme_array *const *a, int n, bool wait, bool *busy, tme_status *st, error *err) {
  eval_run *r = run_take(e);
  *st = r ? TME_OK : fail_memory(err, "eval", sizeof *r);
  if (!r) return NULL;
  trace_result t = trace_and_find(e, r, a, n, true, wait, true, err);
  if (t == TRACE_READY) return r;
  if (t == TRACE_FAILED) *st = err->code;
  if (busy) *busy = t == TRACE_BUSY;
  run_give(e, r);
  return NULL;
}

trace_result eval_look(tme_engine *e, eval_run *r, tme_array *const *a, int n, bool count, error *err) {
  return trace_and_find(e, r, a, n, false, true, count, err);
}

tme_status eval_plan(tme_engine *e, eval_run *r, error *err) {
  double t = now_ms();
  signature s = signature_of(r);
  r->plan = plan_new(e, &s, err);
  if (!r->plan) return err->code;
  size_t bytes = sizeof *r->plan + (size_t)r->nsig * 64 + (size_t)r->nodes * sizeof(g_node);
  plan_retain(r->plan);
  lock_take(&e->graph);
  tme_status st = lru_put(e->plans, r->sig, (size_t)r->nsig * sizeof *r->sig, r->plan, bytes, NULL);
  lock_give(&e->graph);
  if (st != TME_OK) plan_release(NULL, r->plan);
  if (context_debug(&e->context, 1))
    context_log(&e->context, TME_LOG_DEBUG, "plan: %d operation%s, %d region%s, made in %.3f ms", r->nodes,
                PLURAL(r->nodes), r->plan->nsteps, PLURAL(r->plan->nsteps), now_ms() - t);
  return TME_OK;
}

tme_status eval_failure(const tme_engine *e, const buffer *b, error *err) {
  if (e->context.config.quiet_numeric) return TME_OK;
  return fail(err, TME_ERR_NUMERIC, "%s: matrix %lld of the batch: %s", b->failed_op ? b->failed_op : "eval",
              (long long)b->failed_matrix, b->failure);
}

/* Before the first large result workers start while the plan is made, and one of them meets its first huge page, which the
 * system clears. (Not more of them: the address space is locked meanwhile.) Views need no pages. */
static void prepare_run(tme_engine *e, const eval_run *r) {
  enum { HUGE_PAGE = 2 << 20 };
  const tme_array *a = r->root[r->nroots - 1];
  if (!engine_main(e)->pooled || !threads_will_start(e->context.threads) || a->node->op >= OP_PUBLIC_COUNT) return;
  op_family f = op_get(a->node->op)->family;
  size_t bytes = (size_t)type_size(&a->type) * tme_dtype_size(a->type.dtype);
  if (op_is_view(a->node->op) || f == FAMILY_create || bytes < HUGE_PAGE) return;
  void *start = pool_expect(e->context.pool, bytes);
  if (start) threads_start(e->context.threads, pool_populate, start, HUGE_PAGE);
}

static tme_status run_planned(tme_engine *e, eval_run *r, bool wait, const stop_request *stop, error *err) {
  for (int i = 0; i < r->nleaves; i++)
    if (eval_numeric(e, r->leaf[i].buf, err) != TME_OK) return err->code;
  if (stop_wanted(stop)) return fail(err, TME_ERR_CANCELLED, "eval: cancelled");
  if (!r->plan) {
    prepare_run(e, r);
    tme_status s = eval_plan(e, r, err);
    if (s != TME_OK) return s;
  }
  if (!grow(&r->slot, &r->cap_slot, r->plan->nslots, sizeof *r->slot))
    return fail_memory(err, "eval", (size_t)r->plan->nslots * sizeof *r->slot);
  plan_call c = {.leaf = r->leaf, .arg = r->arg, .out = r->out, .slot = r->slot, .stop = stop, .wait = wait};
  return plan_run(r->plan, &c, err);
}

/* The roots get their values, or may be computed by others. */
static void publish(tme_engine *e, eval_run *r, bool computed) {
  lock_take(&e->graph);
  for (int i = 0; i < r->nroots; i++) {
    tme_array *a = r->root[i];
    if (computed) {
      array_set(a, r->out[i].buf, r->out[i].offset, r->out[i].strides);
      if (node_done(a->node)) run_let_go(r, a->node);
    }
    a->running = 0;
  }
  wake_others(e);
  lock_give(&e->graph);
}

tme_status eval_finish(tme_engine *e, eval_run *r, bool wait, const stop_request *stop, error *err) {
  double t = context_debug(&e->context, 1) ? now_ms() : 0;
  bool cached = r->plan;
  tme_status s = run_planned(e, r, wait, stop, err);
  publish(e, r, s == TME_OK);
  atomic_fetch_add_explicit(&e->evaluations, 1, memory_order_relaxed);
  if (context_debug(&e->context, 1))
    context_log(&e->context, TME_LOG_DEBUG, "eval: %d operation%s, plan %s, %.3f ms", r->nodes, PLURAL(r->nodes),
                cached ? "cached" : "new", now_ms() - t);
  plan_release(NULL, r->plan);
  r->plan = NULL;
  run_give(e, r);
  return s;
}

tme_status evaluate(tme_engine *e, tme_array *const *a, int n, const stop_request *stop, error *err) {
  bool again = false;
  for (int i = 0; i < n; i++) again |= !array_buffer(a[i]);
  while (again) {
    tme_status s;
    eval_run *r = eval_begin(e, a, n, true, NULL, &s, err);
    again = r && r->partial;
    if (r) s = eval_finish(e, r, true, stop, err);
    if (s != TME_OK) return s;
  }
  for (int i = 0; i < n; i++) {
    tme_status s = eval_wait_for(e, array_buffer(a[i]), err);
    if (s != TME_OK) return s;
  }
  return TME_OK;
}

tme_status eval_list(tme_scope *s, const char *what, tme_array *const *a, int n) {
  if (!s) return TME_ERR_ARGUMENT;
  if (n < 0 || (n && !a)) return fail(&s->err, TME_ERR_ARGUMENT, "%s: the list of arrays is NULL", what);
  for (int i = 0; i < n; i++) {
    if (!a[i]) return fail(&s->err, TME_ERR_ARGUMENT, "%s: the array is NULL", what);
    if (a[i]->node->engine != s->engine)
      return fail(&s->err, TME_ERR_ARGUMENT, "%s: the array belongs to another engine", what);
  }
  if (context_is_logging(&s->engine->context))
    return fail(&s->err, TME_ERR_ARGUMENT, "%s: called by the engine's own log callback, which may not evaluate", what);
  return TME_OK;
}

tme_status tme_eval_all(tme_scope *s, tme_array *const *a, int n) {
  tme_status st = eval_list(s, "eval", a, n);
  if (st != TME_OK) return st;
  error err;
  err.code = TME_OK;
  st = evaluate(s->engine, a, n, &s->stop, &err);
  return st == TME_OK ? st : scope_fail(s, &err);
}

tme_status tme_eval(tme_scope *s, tme_array *a) { return tme_eval_all(s, &a, 1); }
