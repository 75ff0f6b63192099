/* Sorting of keys, stable, on all threads where there are many. The order of equal keys is that of their places, so that the
 * result is the same however the work was shared out. */
#ifndef TME_REF_SORT_RADIX_H
#define TME_REF_SORT_RADIX_H

#include "backend/reference/keys.h"

typedef struct keyed {
  uint64_t key, place;
} keyed;

/* What a sort works with, for one line after the other. */
typedef struct radix {
  threads *threads; /* NULL: the caller's alone */
  int blocks;       /* into which long lines are cut */
  int64_t *count;
} radix;

/* The room that lines of n keys need on so many threads, in bytes: r->count is to point at it. */
size_t radix_bytes(radix *r, threads *t, int64_t n);

/* Sorts a; returns a or spare, whichever holds the result. */
uint32_t *sort_keys_32(uint32_t *a, uint32_t *spare, int64_t n, const radix *r);
uint64_t *sort_keys_64(uint64_t *a, uint64_t *spare, int64_t n, const radix *r);
keyed *sort_keyed(keyed *a, keyed *spare, int64_t n, const radix *r);

/* The bytes of room that sort_places needs for n keys; false if there are not so many. */
bool sort_places_bytes(int64_t n, size_t *bytes);
/* The places of n keys of dtype t in the order of the keys. `begins` (or NULL): 1 where an element differs from the one before
 * it in that order, as NaN always does. */
void sort_places(tme_dtype t, const void *keys, int64_t n, void *room, const radix *r, int64_t *place, uint8_t *begins);

/* The key with `rank` smaller or equal ones before it when all are sorted; *below: how many are smaller. The order of `a` is
 * lost, and `spare` is for as many. */
uint32_t select_key_32(uint32_t *a, uint32_t *spare, int64_t n, int64_t rank, int64_t *below);
uint64_t select_key_64(uint64_t *a, uint64_t *spare, int64_t n, int64_t rank, int64_t *below);

#endif
