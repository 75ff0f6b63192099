/* Work that nobody waits for, done one piece after the other on a thread of its own. */
#ifndef TME_BACKGROUND_H
#define TME_BACKGROUND_H

#include "base/base.h"

typedef struct background background;
typedef void background_fn(void *user, void *item);

/* Each item is given to `work` on the thread, which is started by the first one and has a large stack, or to `drop` if
 * there is no thread to be had or the queue is freed. `work` runs in fork_hold(): no fork begins meanwhile, and nothing once
 * fork_end() was called. NULL if out of memory. */
background *background_new(background_fn *work, background_fn *drop, void *user, error *e);
void background_add(background *l, void *item);
/* Items may still begin for so long; waits for the last one that has. */
void background_free(background *l, double patience_ms);

#endif
