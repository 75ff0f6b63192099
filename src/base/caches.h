/* What is known of the processor's data caches. It decides how products are blocked and how results are written, never
 * what they are. */
#ifndef TME_CACHES_H
#define TME_CACHES_H

#include "base/base.h"

enum { CACHE_LINE = 64 };

typedef struct cache_level {
  int64_t bytes;
  int ways;
} cache_level;

/* Level 1 or 2 of this machine; where the system does not say, the smallest one that is common. */
cache_level cache_host(int level);

/* Whether `rows` pieces of `bytes` bytes, one every `stride` bytes, lie in the cache together: strides that are multiples
 * of large powers of two send all of them to a few of its sets. */
bool cache_holds(const cache_level *c, int64_t rows, int64_t bytes, int64_t stride);

/* Bytes of the last level that one processor reaches; 0 if unknown. */
int64_t cache_last_level(void);

#endif
