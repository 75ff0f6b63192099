/* The second-level data cache of a processor, which decides how products are blocked, never what they give. */
#ifndef TME_CACHES_H
#define TME_CACHES_H

#include "base/base.h"

enum { CACHE_LINE = 64 };

typedef struct cache_level {
  int64_t bytes;
  int ways;
} cache_level;

/* This machine's; where the system does not say, the smallest one that is common. */
cache_level cache_host(void);

/* Whether `rows` pieces of `bytes` bytes, one every `stride` bytes, lie in the cache together: strides that are multiples
 * of large powers of two send all of them to a few of its sets. */
bool cache_holds(const cache_level *c, int64_t rows, int64_t bytes, int64_t stride);

#endif
