/* Long work: without the GIL, and with an eye on signals. */
#include "ext.h"
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { FEW_STEPS = 3 };

/* Between steps, by the thread that waits. What has few of them has no time for a look at the clock. */
static bool interrupted(void *user) {
  const double period = 0.05;
  waiting *w = user;
  if (w->asked < FEW_STEPS) {
    w->asked++;
    return false;
  }
  double t = now();
  if (w->next == 0) w->next = t + period;
  if (t < w->next) return false;
  w->next = t + period;
  PyEval_RestoreThread(w->thread);
  bool stop = PyErr_CheckSignals() != 0;
  w->thread = PyEval_SaveThread();
  return stop;
}

void wait_begin(waiting *w, tme_scope *s) {
  w->s = s;
  w->next = 0;
  w->asked = 0;
  tme_scope_set_stop(s, interrupted, w);
  w->thread = PyEval_SaveThread();
}

void wait_end(waiting *w) {
  PyEval_RestoreThread(w->thread);
  tme_scope_set_stop(w->s, NULL, NULL);
}
