/* Numbers sorted into buckets: what belongs to a key is found without looking at the rest. */
#ifndef TME_BUCKETS_H
#define TME_BUCKETS_H

#include "base/base.h"

typedef struct buckets {
  int *first; /* per key: where its numbers begin in `item`; and the end of all */
  int *item;
} buckets;

/* The numbers 0 ... n - 1 by key[i], in order within a bucket; those whose key is not in 0 ... keys - 1 are in none. False
 * when out of memory; may be freed either way. */
bool buckets_make(buckets *b, const int *key, int n, int keys);
void buckets_free(buckets *b);

#endif
