#include "base/grow.h"
#include <string.h>

bool grow(void *table, int *cap, int n, size_t size) {
  enum { LEAST = 16 };
  if (n <= *cap) return true;
  if (n > INT32_MAX / 2) return false;
  int more = n * 2 < LEAST ? LEAST : n * 2;
  size_t bytes;
  void *old; /* no T * may be written through a void ** */
  memcpy(&old, table, sizeof old);
  void *p = mul_size((size_t)more, size, &bytes) ? mem_realloc(old, bytes) : NULL;
  if (!p) return false;
  memcpy(table, &p, sizeof p);
  *cap = more;
  return true;
}
