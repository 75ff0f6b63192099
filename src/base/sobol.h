/* Sobol's sequence: direction numbers. */
#ifndef TME_SOBOL_H
#define TME_SOBOL_H

#include <stdint.h>

enum { SOBOL_DIMENSIONS = 64, SOBOL_BITS = 32 };

/* Of a dimension, 0 <= dimension < SOBOL_DIMENSIONS: point i is the exclusive or of those numbers whose bits i ^ (i >> 1) has, bit
 * by bit from the lowest one on, in units of 2^-32. */
void sobol_directions(int dimension, uint32_t direction[SOBOL_BITS]);

#endif
