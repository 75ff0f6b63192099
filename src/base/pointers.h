/* Numbers of pointers. */
#ifndef TME_POINTERS_H
#define TME_POINTERS_H

#include "base/base.h"

typedef struct pointer_map {
  const void **key; /* open addressing: NULL where there is none */
  int *value;
  int n, cap; /* cap: 0 or a power of two */
} pointer_map;

/* Gives the pointer, which is not NULL, a number >= 0; one that it has stays. False when out of memory. */
bool pointer_map_add(pointer_map *m, const void *key, int value);
/* Its number, or -1. */
int pointer_map_get(const pointer_map *m, const void *key);
void pointer_map_free(pointer_map *m);

#endif
