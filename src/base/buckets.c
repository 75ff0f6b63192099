#include "base/buckets.h"

bool buckets_make(buckets *b, const int *key, int n, int keys) {
  b->first = mem_calloc((size_t)keys + 2, sizeof *b->first);
  b->item = mem_alloc((size_t)n * sizeof *b->item);
  if (!b->first || !b->item) return false;
  /* counted two places up, so that filling the buckets leaves every start where it belongs */
  for (int i = 0; i < n; i++)
    if (key[i] >= 0 && key[i] < keys) b->first[key[i] + 2]++;
  for (int k = 0; k < keys; k++) b->first[k + 2] += b->first[k + 1];
  for (int i = 0; i < n; i++)
    if (key[i] >= 0 && key[i] < keys) b->item[b->first[key[i] + 1]++] = i;
  return true;
}

void buckets_free(buckets *b) {
  mem_free(b->first);
  mem_free(b->item);
  *b = (buckets){0};
}
