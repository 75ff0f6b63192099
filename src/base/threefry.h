/* Threefry-2x32 of 20 rounds (Salmon, Moraes, Dror & Shaw, 2011): 64 bits that are a function of a key and a counter of 64
 * bits each, and of nothing else. ir/threefry.c says the same in operations. */
#ifndef TME_THREEFRY_H
#define TME_THREEFRY_H

#include <stdint.h>

enum { THREEFRY_ROUNDS = 20 };
static const int threefry_rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
#define THREEFRY_PARITY UINT32_C(0x1BD11BDA)

typedef struct random_key {
  uint32_t word[2];
} random_key;

static inline random_key threefry(random_key key, uint32_t hi, uint32_t lo) {
  const uint32_t k[3] = {key.word[0], key.word[1], key.word[0] ^ key.word[1] ^ THREEFRY_PARITY};
  uint32_t x = hi + k[0], y = lo + k[1];
  for (int r = 0; r < THREEFRY_ROUNDS; r++) {
    int by = threefry_rotations[r % 8];
    x += y;
    y = (y << by | y >> (32 - by)) ^ x;
    if (r % 4 == 3) {
      int n = r / 4 + 1;
      x += k[n % 3];
      y += k[(n + 1) % 3] + (uint32_t)n;
    }
  }
  return (random_key){{x, y}};
}

/* The block of a counter. */
static inline random_key threefry_at(random_key key, uint64_t counter) {
  return threefry(key, (uint32_t)(counter >> 32), (uint32_t)counter);
}
static inline uint64_t threefry_bits(random_key key, uint64_t counter) {
  random_key block = threefry_at(key, counter);
  return (uint64_t)block.word[0] << 32 | block.word[1];
}

#endif
