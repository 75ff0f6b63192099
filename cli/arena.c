#include "arena.h"
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct arena_block {
  struct arena_block *next;
  size_t used, size;
  alignas(max_align_t) unsigned char bytes[];
} arena_block;

void *arena_alloc(arena *a, size_t n, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2) return NULL;
  bytes = (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
  arena_block *b = a->blocks;
  if (!b || b->size - b->used < bytes) {
    size_t room = bytes > 8192 ? bytes : 8192;
    b = calloc(1, sizeof *b + room);
    if (!b) return NULL;
    b->size = room;
    b->next = a->blocks;
    a->blocks = b;
  }
  void *p = b->bytes + b->used;
  b->used += bytes;
  return p;
}

void arena_free(arena *a) {
  while (a->blocks) {
    arena_block *next = a->blocks->next;
    free(a->blocks);
    a->blocks = next;
  }
}
