#include "base/background.h"
#include "base/fork.h"
#include "base/grow.h"
#include "base/lock.h"
#include "base/stack.h"
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

struct background {
  background_fn *work, *drop;
  void *user;
  lock lock; /* guards all below */
  void **item;
  int n, cap;
  bool running, started; /* the thread takes items; it is to be joined */
  double last_ms;        /* when the last item may begin */
  pthread_t thread;
  unsigned generation; /* of fork, in which the thread was started */
};

background *background_new(background_fn *work, background_fn *drop, void *user, error *e) {
  background *l = mem_calloc(1, sizeof *l);
  if (!l) {
    fail_memory(e, "background", sizeof *l);
    return NULL;
  }
  *l = (background){.work = work, .drop = drop, .user = user, .generation = fork_generation(), .last_ms = INFINITY};
  lock_init(&l->lock, LOCK_INNER);
  return l;
}

/* The first item, or NULL: then the thread ends. */
static void *take(background *l) {
  lock_take(&l->lock);
  void *first = l->n && now_ms() < l->last_ms ? l->item[0] : NULL;
  if (first)
    memmove(l->item, l->item + 1, (size_t)--l->n * sizeof *l->item);
  else
    l->running = false;
  lock_give(&l->lock);
  return first;
}

/* Taken and worked on in one hold: a child finds every item in the queue or done, and the lock open. */
static bool work_on_one(background *l) {
  if (!fork_hold()) return false;
  void *item = take(l);
  if (item) l->work(l->user, item);
  fork_release();
  return item != NULL;
}

static void *run(void *user) {
  fesetenv(FE_DFL_ENV);
  while (work_on_one(user)) {
  }
  return NULL;
}

/* The lock is held. */
static bool put(background *l, void *item) {
  if (!grow(&l->item, &l->cap, l->n + 1, sizeof *l->item)) return false;
  l->item[l->n++] = item;
  return true;
}

/* The lock is held. The thread of a process that forked this one is not here. */
static bool start(background *l) {
  if (l->generation != fork_generation()) {
    l->running = l->started = false;
    l->generation = fork_generation();
  }
  if (l->running) return true;
  if (l->started) pthread_join(l->thread, NULL); /* it is about to end */
  l->running = l->started = stack_thread(&l->thread, run, l);
  return l->running;
}

void background_add(background *l, void *item) {
  lock_take(&l->lock);
  bool taken = put(l, item);
  if (taken && !start(l)) {
    l->n--;
    taken = false;
  }
  lock_give(&l->lock);
  if (!taken) l->drop(l->user, item);
}

void background_free(background *l, double patience_ms) {
  if (!l) return;
  lock_take(&l->lock);
  l->last_ms = now_ms() + patience_ms;
  bool join = l->started && l->generation == fork_generation();
  lock_give(&l->lock);
  if (join) pthread_join(l->thread, NULL);
  for (int i = 0; i < l->n; i++) l->drop(l->user, l->item[i]);
  lock_end(&l->lock);
  mem_free(l->item);
  mem_free(l);
}
