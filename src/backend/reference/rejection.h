/* Numbers that are drawn by attempts. Each has a key of its own, and so bits for as many attempts as it needs: it depends on no
 * other one. Parameters are checked before. */
#ifndef TME_REF_REJECTION_H
#define TME_REF_REJECTION_H

#include "base/threefry.h"

/* Bits of a key, one after the other. */
typedef struct stream {
  random_key key;
  uint64_t next;
} stream;

/* That of element i of what a key draws. */
static inline stream stream_of(random_key key, uint64_t i) { return (stream){.key = threefry_at(key, i)}; }

/* In (0, 1). */
static inline double stream_unit(stream *s) {
  return ((double)(threefry_bits(s->key, s->next++) >> 11) + 0.5) * 0x1p-53;
}

/* The logarithm of a number of the gamma distribution of shape a > 0 and scale 1: small ones would be 0. */
double draw_log_gamma(stream *s, double a);
/* Counts of which 0 <= mean < 2^62 are expected. */
double draw_poisson(stream *s, double mean);
/* Successes in n trials, 0 <= n < 2^62 and whole, of probability 0 <= p <= 1. */
double draw_binomial(stream *s, double n, double p);

#endif
