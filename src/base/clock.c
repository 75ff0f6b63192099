#include "base/base.h"
#include <time.h>

double now_ms(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) return 0;
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}
