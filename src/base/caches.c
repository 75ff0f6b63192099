#include "base/caches.h"
#include <unistd.h>

cache_level cache_host(void) {
  cache_level c = {256 << 10, 8};
#ifdef _SC_LEVEL2_CACHE_SIZE
  long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE), ways = sysconf(_SC_LEVEL2_CACHE_ASSOC);
  if (bytes > c.bytes && bytes <= 64 << 20) c.bytes = bytes;
  if (ways > 0 && ways <= 64) c.ways = (int)ways;
#endif
  return c;
}

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

bool cache_holds(const cache_level *c, int64_t rows, int64_t bytes, int64_t stride) {
  stride = stride < 0 ? -stride : stride;
  int64_t sets = c->bytes / (CACHE_LINE * c->ways), lines = ceil_div(bytes, CACHE_LINE) + (bytes % CACHE_LINE != 0);
  int64_t used = sets;
  if (stride % CACHE_LINE == 0) {
    used = sets / common_divisor(sets, stride / CACHE_LINE) * lines;
    if (used > sets) used = sets;
  }
  return rows <= used * c->ways * 3 / 4 / lines; /* other data needs room, too */
}
