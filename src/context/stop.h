/* Whether an evaluation is to stop before its next step. */
#ifndef TME_STOP_H
#define TME_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct stop_request {
  const atomic_bool *flag;   /* set by any thread; may be NULL */
  bool (*asked)(void *user); /* called by the thread that evaluates, with no lock held; may be NULL */
  void *user;
} stop_request;

bool stop_ask(const stop_request *s);
/* Whether this thread is in such a function: what it evaluates waits for it. */
bool stop_is_asking(void);

/* NULL: nobody asks for it. */
static inline bool stop_wanted(const stop_request *s) {
  if (!s) return false;
  return (s->flag && atomic_load_explicit(s->flag, memory_order_relaxed)) || (s->asked && stop_ask(s));
}

#endif
