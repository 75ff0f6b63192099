/* A bounded cache in memory: key bytes -> pointer, the least recently used goes first. Not locked: callers lock. */
#ifndef TME_LRU_H
#define TME_LRU_H

#include "base/base.h"

typedef struct lru lru;

typedef struct lru_stats {
  uint64_t entries, bytes, hits, misses, evictions; /* evictions: for a bound, not by lru_put, _remove or _clear */
} lru_stats;

/* `drop` is called for each value that leaves the cache, whatever the reason; it must not use the cache. A bound of 0
 * entries is none. Bytes count the keys and the cache's own memory too. */
lru *lru_new(size_t max_bytes, size_t max_entries, void (*drop)(void *user, void *value), void *user, error *e);
void lru_free(lru *c); /* drops all; NULL is allowed */

/* The value, now the most recently used; NULL, and a miss is counted. */
void *lru_get(lru *c, const void *key, size_t key_size);
/* The same without counting or moving. */
void *lru_peek(const lru *c, const void *key, size_t key_size);
/* Takes over `value` (not NULL, `bytes` large) and copies the key; an older value of the key is dropped. The value may
 * be dropped before this returns, if it is larger than the bound. On failure it stays the caller's. */
tme_status lru_put(lru *c, const void *key, size_t key_size, void *value, size_t bytes, error *e);
bool lru_remove(lru *c, const void *key, size_t key_size);
void lru_clear(lru *c);
lru_stats lru_stats_of(const lru *c);

#endif
