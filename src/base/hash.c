#include "base/hash.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

hash128 hash_bytes(const void *p, size_t n) {
  XXH128_hash_t h = XXH3_128bits(p, n);
  return (hash128){h.low64, h.high64};
}
