#include "base/caches.h"
#include "base/fd.h"
#include <stdio.h>
#include <unistd.h>

cache_level cache_host(int level) {
  cache_level c = {(level == 1 ? 32 : 256) << 10, 8};
#ifdef _SC_LEVEL2_CACHE_SIZE
  long bytes = sysconf(level == 1 ? _SC_LEVEL1_DCACHE_SIZE : _SC_LEVEL2_CACHE_SIZE);
  long ways = sysconf(level == 1 ? _SC_LEVEL1_DCACHE_ASSOC : _SC_LEVEL2_CACHE_ASSOC);
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
  int64_t sets = c->bytes / (CACHE_LINE * c->ways), lines = ceil_div(bytes, CACHE_LINE);
  if (bytes % CACHE_LINE != 0 || stride % CACHE_LINE != 0) lines++;
  int64_t used = sets;
  if (stride % CACHE_LINE == 0) {
    used = sets / common_divisor(sets, stride / CACHE_LINE) * lines;
    if (used > sets) used = sets;
  }
  return rows <= used * c->ways * 3 / 4 / lines; /* other data needs room, too */
}

/* The system knows which processors share a cache; what the processor itself tells is in some virtual machines the sum
 * over all of them. */
static int64_t level_bytes(int index) {
  char path[80];
  long long n = 0;
  char unit = 0;
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
  FILE *f = fd_reader(path);
  if (!f) return 0;
  int got = fscanf(f, "%15lld%c", &n, &unit);
  fclose(f);
  if (got < 1 || n <= 0 || n > 1 << 30) return 0;
  return (int64_t)n << (unit == 'K' ? 10 : unit == 'M' ? 20 : 0);
}

int64_t cache_last_level(void) {
  for (int index = 3; index >= 2; index--) {
    int64_t n = level_bytes(index);
    if (n) return n;
  }
#ifdef _SC_LEVEL3_CACHE_SIZE
  long n = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (n > 0) return n;
#endif
  return 0;
}
