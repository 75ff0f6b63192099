#include "context/keys.h"
#include "base/threefry.h"
#include <string.h>

void keys_seed(key_stream *k, uint64_t seed) {
  lock_take(&k->lock);
  k->seed = seed;
  k->next = 0;
  lock_give(&k->lock);
}

buffer *keys_next(key_stream *k, pool *p) {
  random_key key;
  buffer *b = pool_get(p, sizeof key);
  if (!b) return NULL;
  lock_take(&k->lock);
  uint64_t seed = k->seed, i = k->next++;
  lock_give(&k->lock);
  key = threefry_at((random_key){{(uint32_t)(seed >> 32), (uint32_t)seed}}, i);
  memcpy(b->data, &key, sizeof key);
  b->drawn = true;
  return b;
}
