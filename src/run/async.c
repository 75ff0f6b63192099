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
  int n;
  tme_array *a[]; /* a reference each */
};

struct async_queue {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t more, ready;
  tme_event *first, **last;
  int n;
  bool stop;
  unsigned generation; /* of fork: in a child there is no worker */
};

/* One part of an evaluation. False if something is left to do; *busy: another thread is at work on what it needs. The
 * worker never waits for that as long as it has other work, which may be the very thing. */
static bool work(tme_event *ev, bool *busy) {
  tme_engine *e = ev->scope->engine;
  tme_status s = TME_OK;
  *busy = false;
  if (!ev->run) ev->run = eval_begin(e, ev->a, ev->n, false, busy, &s, &ev->err);
  if (*busy) return false;
  if (!ev->run) {
    if (s == TME_OK) eval_check(e, ev->a, ev->n, &ev->err);
    return true;
  }
  bool partial = ev->run->partial;
  s = eval_finish(e, ev->run, &ev->cancel, &ev->err);
  ev->run = NULL;
  if (s == TME_OK && !partial) eval_check(e, ev->a, ev->n, &ev->err);
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
  pthread_mutex_lock(&q->lock);
  for (;;) {
    while (!q->first && !q->stop) pthread_cond_wait(&q->more, &q->lock);
    tme_event *ev = q->first;
    if (!ev) break;
    q->first = ev->next;
    if (!q->first) q->last = &q->first;
    q->n--;
    pthread_mutex_unlock(&q->lock);
    tme_engine *e = ev->scope->engine;
    if (!in_vain) seen = eval_published(e);
    bool busy, done = work(ev, &busy);
    /* The event holds a scope and so the engine: these are not its last references. */
    for (int i = 0; done && i < ev->n; i++) node_release(ev->a[i]->node);
    pthread_mutex_lock(&q->lock);
    if (done) {
      in_vain = 0;
      atomic_store_explicit(&ev->done, true, memory_order_release);
      pthread_cond_broadcast(&q->ready);
      continue;
    }
    append(q, ev);
    in_vain = busy ? in_vain + 1 : 0;
    if (in_vain < q->n) continue;
    in_vain = 0;
    pthread_mutex_unlock(&q->lock);
    eval_wait(e, seen);
    pthread_mutex_lock(&q->lock);
  }
  pthread_mutex_unlock(&q->lock);
  return NULL;
}

static void queue_free(async_queue *q) {
  pthread_mutex_destroy(&q->lock);
  pthread_cond_destroy(&q->more);
  pthread_cond_destroy(&q->ready);
  mem_free(q);
}

static async_queue *queue_new(error *err) {
  async_queue *q = mem_calloc(1, sizeof *q);
  if (!q) {
    fail_memory(err, "eval_async", sizeof *q);
    return NULL;
  }
  q->last = &q->first;
  q->generation = fork_generation();
  pthread_mutex_init(&q->lock, NULL);
  pthread_cond_init(&q->more, NULL);
  pthread_cond_init(&q->ready, NULL);
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int failed = pthread_create(&q->thread, NULL, worker, q);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (!failed) return q;
  queue_free(q);
  fail(err, TME_ERR_MEMORY, "eval_async: no thread can be started");
  return NULL;
}

static async_queue *queue_of(tme_engine *e, error *err) {
  pthread_mutex_lock(&e->async_lock);
  async_queue *q = e->async;
  if (!q || q->generation != fork_generation()) q = e->async = queue_new(err);
  pthread_mutex_unlock(&e->async_lock);
  return q;
}

void async_end(tme_engine *e) {
  async_queue *q = e->async;
  if (!q) return;
  e->async = NULL;
  if (q->generation != fork_generation()) { /* the parent's: its lock may be held by a thread that is not here */
    mem_free(q);
    return;
  }
  pthread_mutex_lock(&q->lock);
  q->stop = true;
  pthread_cond_signal(&q->more);
  pthread_mutex_unlock(&q->lock);
  pthread_join(q->thread, NULL);
  queue_free(q);
}

static void submit(async_queue *q, tme_event *ev) {
  tme_engine *e = ev->scope->engine;
  pthread_mutex_lock(&q->lock);
  append(q, ev);
  pthread_cond_signal(&q->more);
  pthread_mutex_unlock(&q->lock);
  /* The worker may be waiting for another thread: there is other work now. */
  eval_nudge(e);
}

tme_event *tme_eval_async(tme_scope *s, tme_array *const *a, int n) {
  if (eval_list(s, "eval_async", a, n) != TME_OK) return NULL;
  error err = {.code = TME_OK};
  tme_event *ev = mem_calloc(1, sizeof *ev + (size_t)n * sizeof *a);
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
    if (st == TME_OK) eval_check(s->engine, a, n, &ev->err);
    atomic_store(&ev->done, true);
    return ev;
  }
  ev->n = n;
  for (int i = 0; i < n; i++) {
    ev->a[i] = a[i];
    node_retain(a[i]->node);
  }
  submit(q, ev);
  return ev;
}

bool tme_event_done(const tme_event *ev) { return !ev || atomic_load_explicit(&ev->done, memory_order_acquire); }

/* Waits without leaving the error in the scope. */
static void wait_for(tme_event *ev) {
  if (tme_event_done(ev)) return;
  async_queue *q = ev->scope->engine->async;
  if (q->generation != fork_generation()) {
    /* The thread that would have done it belongs to the parent process. */
    fail(&ev->err, TME_ERR_CANCELLED, "eval_async: a fork ended the evaluation");
    atomic_store(&ev->done, true);
    return;
  }
  pthread_mutex_lock(&q->lock);
  while (!atomic_load(&ev->done)) pthread_cond_wait(&q->ready, &q->lock);
  pthread_mutex_unlock(&q->lock);
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
  scope_release(ev->scope);
  mem_free(ev);
}
