/* Memory that is given back all at once. */
#ifndef CLI_ARENA_H
#define CLI_ARENA_H

#include <stddef.h>

typedef struct arena {
  struct arena_block *blocks;
} arena;

/* Zeroed memory for `n` objects of `size` bytes; NULL when there is none. */
void *arena_alloc(arena *a, size_t n, size_t size);
void arena_free(arena *a);

#endif
