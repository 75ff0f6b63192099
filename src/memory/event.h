/* Completion of work on a device: what a buffer waits for whose elements are still being computed. */
#ifndef TME_EVENT_H
#define TME_EVENT_H

#include "base/base.h"
#include <stdatomic.h>

typedef struct event event;
/* Each kind begins with this. All functions may be called by any thread, and `wait` any number of times. */
struct event {
  atomic_int refs;
  bool inherited;                /* the work failed only because what it reads had failed; set before it is done */
  bool (*done)(const event *ev); /* whether `wait` would return at once */
  tme_status (*wait)(event *ev, error *e); /* until the work is done; how it ended */
  void (*free)(event *ev);
};

static inline event *event_retain(event *ev) {
  atomic_fetch_add_explicit(&ev->refs, 1, memory_order_relaxed);
  return ev;
}

/* NULL is allowed. */
static inline void event_release(event *ev) {
  if (ev && atomic_fetch_sub_explicit(&ev->refs, 1, memory_order_acq_rel) == 1) ev->free(ev);
}

#endif
