/* Lengths of transforms that are fast. */
#ifndef TME_SMOOTH_H
#define TME_SMOOTH_H

#include <stdint.h>

/* The least product of 2, 3 and 5 that is not below n. */
static inline int64_t smooth_length(int64_t n) {
  int64_t best = INT64_MAX;
  for (int64_t five = 1; five < best; five *= 5)
    for (int64_t three = five; three < best; three *= 3) {
      int64_t length = three;
      while (length < n) length *= 2;
      if (length < best) best = length;
      if (three >= n) break;
    }
  return best;
}

#endif
