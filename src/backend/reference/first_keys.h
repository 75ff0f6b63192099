/* The first elements in the order of keys, without sorting the others. */
#ifndef TME_REF_FIRST_KEYS_H
#define TME_REF_FIRST_KEYS_H

#include "backend/reference/sort_radix.h"

typedef struct first_keys {
  tme_dtype dtype;
  bool descending;
  int64_t n, step, k; /* elements of a line, from one to the next; how many are wanted, 1 to n */
  int64_t parts;      /* of a line, on all threads */
  size_t part_bytes;
} first_keys;

/* The bytes of room that a line needs on those threads (NULL: the caller's alone); SIZE_MAX if there are not so many. Sets parts. */
size_t first_keys_bytes(first_keys *f, threads *t);
/* The places of the k first, in their order; equal ones in that of the line. */
void first_keys_find(const first_keys *f, const char *line, threads *t, void *room, int64_t *place);

#endif
