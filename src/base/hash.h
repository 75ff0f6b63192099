#ifndef TME_HASH_H
#define TME_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct hash128 {
  uint64_t lo, hi;
} hash128;

/* XXH3-128: not for secrets; whoever must not mistake two keys compares them. */
hash128 hash_bytes(const void *p, size_t n);

#endif
