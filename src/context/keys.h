/* The engine's stream of keys, for what is drawn without one. */
#ifndef TME_KEYS_H
#define TME_KEYS_H

#include "base/lock.h"
#include "memory/buffer.h"

typedef struct key_stream {
  lock lock;
  uint64_t seed, next;
} key_stream;

/* From the beginning: key i is row i of what random_split makes of random_key(seed). */
void keys_seed(key_stream *k, uint64_t seed);
/* The next one in a block of its own, which says that it came from the stream: a function that takes it in takes the next one with
 * each call. NULL when out of memory. */
buffer *keys_next(key_stream *k, pool *p);

#endif
