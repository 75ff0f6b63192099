/* Asynchronous evaluation: traced in the caller's thread, run in order on one thread of the engine. */
#include "base/fork.h"
#include "run/async.h"
#include "run/eval.h"
#include "run/trace.h"
#include <signal.h>

struct tme_event {
  tme_scope *scope; /* a reference: where an error is left */
  tme_event *next;  /* the queue */
  eval_run *run;    /* NULL: traced by the worker */
  atomic_bool cancel, done;
  bool reported;
  error err;
  int n, nlate;
  tme_array **a;  /* a reference each until it is done */
  buffer *late[]; /* results that were not ready then, a reference each */
};

struct async_queue {
  pthread_t thread;
  lock *guard; /* the engine's: of what follows. It changes when there is more to do, and when something is done */
  tme_event *first, **last;
  int n;
  bool stop;
  unsigned generation; /* of fork: in a child there is no worker */
};

/* What is left to wait for. */
static void collect(tme_event *ev, tme_array *const *a, int n) {
  for (int i = 0; i < n; i++) {
    buffer *b = array_buffer(a[i]);
    if (buffer_is_ready(b))
      eval_wait_for(ev->scope->engine, b, &ev->err);
    else
      ev->late[ev->nlate++] = buffer_retain(b);
  }
}

/* One part of an evaluation. False if something is left to do; *busy: another thread is at work on what it needs. The
 * worker never waits for that as long as it has other work, which may be the very thing. */
static bool work(tme_event *ev, bool *busy) {
  tme_engine *e = ev->scope->engine;
  tme_status s = TME_OK;
  *busy = false;
  if (!ev->run) ev->run = eval_begin(e, ev->a, ev->n, false, busy, &s, &ev->err);
  if (*busy) return false;
  if (!ev->run) {
    if (s == TME_OK) collect(ev, ev->a, ev->n);
    return true;
  }
  bool partial = ev->run->partial;
  const stop_request stop = {.flag = &ev->cancel};
  s = eval_finish(e, ev->run, false, &stop, &ev->err);
  ev->run = NULL;
  if (s == TME_OK && !partial) collect(ev, ev->a, ev->n);
  return s != TME_OK || !partial;
}

static void append(async_queue *q, tme_event *ev) {
  ev->next = NULL;
  *q->last = ev;
  q->last = &ev->next;
  q->n++;
}

static void *worker(void *user) {
  async_queue *q = user;
  int in_vain = 0; /* evaluations in a row that were found busy */
  uint64_t seen = 0;
  lock_take(q->guard);
  for (;;) {
    while (!q->first && !q->stop) lock_wait(q->guard);
    tme_event *ev = q->first;
    if (!ev) break;
    q->first = ev->next;
    if (!q->first) q->last = &q->first;
    q->n--;
    lock_give(q->guard);
    tme_engine *e = ev->scope->engine;
    if (!in_vain) seen = eval_published(e);
    bool busy, done = work(ev, &busy);
    /* The event holds a scope and so the engine: these are not its last references. */
    for (int i = 0; done && i < ev->n; i++) node_release(ev->a[i]->node);
    lock_take(q->guard);
    if (done) {
      in_vain = 0;
      atomic_store_explicit(&ev->done, true, memory_order_release);
      lock_wake(q->guard);
      continue;
    }
    append(q, ev);
    in_vain = busy ? in_vain + 1 : 0;
    if (in_vain < q->n) continue;
    in_vain = 0;
    lock_give(q->guard);
    eval_wait(e, seen);
    lock_take(q->guard);
  }
  lock_give(q->guard);
  return NULL;
}

static async_queue *queue_new(tme_engine *e, error *err) {
  async_queue *q = mem_calloc(1, sizeof *q);
  if (!q) {
    fail_memory(err, "eval_async", sizeof *q);
    return NULL;
  }
  q->last = &q->first;
  q->generation = fork_generation();
  q->guard = &e->async_lock;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int failed = pthread_create(&q->thread, NULL, worker, q);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (!failed) return q;
  mem_free(q);
  fail(err, TME_ERR_MEMORY, "eval_async: no thread can be started");
  return NULL;
}

static async_queue *queue_of(tme_engine *e, error *err) {
  lock_take(&e->async_lock);
  async_queue *q = e->async;
  if (!q || q->generation != fork_generation()) q = e->async = queue_new(e, err);
  lock_give(&e->async_lock);
  return q;
}

void async_end(tme_engine *e) {
  async_queue *q = e->async;
  if (!q) return;
  e->async = NULL;
  if (q->generation == fork_generation()) { /* else its thread is the parent's */
    lock_take(q->guard);
    q->stop = true;
    lock_wake(q->guard);
    lock_give(q->guard);
    pthread_join(q->thread, NULL);
  }
  mem_free(q);
}

static void submit(async_queue *q, tme_event *ev) {
  tme_engine *e = ev->scope->engine;
  lock_take(q->guard);
  append(q, ev);
  lock_wake(q->guard);
  lock_give(q->guard);
  /* The worker may be waiting for another thread: there is other work now. */
  eval_nudge(e);
}

tme_event *tme_eval_async(tme_scope *s, tme_array *const *a, int n) {
  if (eval_list(s, "eval_async", a, n) != TME_OK) return NULL;
  error err = {.code = TME_OK};
  tme_event *ev = mem_calloc(1, sizeof *ev + (size_t)n * (sizeof *ev->late + sizeof *a));
  async_queue *q = ev ? queue_of(s->engine, &err) : NULL;
  if (!q) {
    if (!ev) fail_memory(&err, "eval_async", sizeof *ev);
    scope_fail(s, &err);
    mem_free(ev);
    return NULL;
  }
  tme_status st;
  bool busy = false;
  ev->run = eval_begin(s->engine, a, n, false, &busy, &st, &ev->err);
  ev->scope = scope_retain(s);
  if (!ev->run && !busy) {
    if (st == TME_OK) collect(ev, a, n);
    atomic_store(&ev->done, true);
    return ev;
  }
  ev->n = n;
  ev->a = (tme_array **)(void *)(ev->late + n);
  for (int i = 0; i < n; i++) {
    ev->a[i] = a[i];
    node_retain(a[i]->node);
  }
  submit(q, ev);
  return ev;
}

static bool is_started(const tme_event *ev) { return atomic_load_explicit(&ev->done, memory_order_acquire); }

bool tme_event_done(const tme_event *ev) {
  if (ev && !is_started(ev)) return false;
  for (int i = 0; ev && i < ev->nlate; i++)
    if (!buffer_is_ready(ev->late[i])) return false;
  return true;
}

static void wait_for_worker(tme_event *ev) {
  if (is_started(ev)) return;
  async_queue *q = ev->scope->engine->async;
  if (q->generation != fork_generation()) {
    /* The thread that would have done it belongs to the parent process. */
    ev->nlate = 0;
    fail(&ev->err, TME_ERR_CANCELLED, "eval_async: a fork ended the evaluation");
    atomic_store(&ev->done, true);
    return;
  }
  lock_take(q->guard);
  while (!atomic_load(&ev->done)) lock_wait(q->guard);
  lock_give(q->guard);
}

/* Waits without leaving the error in the scope. */
static void wait_for(tme_event *ev) {
  wait_for_worker(ev);
  for (int i = 0; i < ev->nlate; i++) eval_wait_for(ev->scope->engine, ev->late[i], &ev->err);
}

tme_status tme_event_wait(tme_event *ev) {
  if (!ev) return TME_ERR_ARGUMENT;
  wait_for(ev);
  if (ev->err.code != TME_OK && !ev->reported) scope_fail(ev->scope, &ev->err);
  ev->reported = true;
  return ev->err.code;
}

void tme_event_cancel(tme_event *ev) {
  if (ev) atomic_store(&ev->cancel, true);
}

void tme_event_free(tme_event *ev) {
  if (!ev) return;
  wait_for(ev);
  for (int i = 0; i < ev->nlate; i++) buffer_release(ev->late[i]);
  scope_release(ev->scope);
  mem_free(ev);
}
