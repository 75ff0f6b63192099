/* The machine that kernels are made for, as lowering sees it. */
#ifndef TME_TARGET_H
#define TME_TARGET_H

#include "base/caches.h"
#include "lower/cpu/tuned.h"

/* The order of sums follows from the registers and dots alone; caches decide the order of tasks, what is copied before it
 * is used and how results are written, and so do the choices that were timed. Never threads. */
typedef struct lower_target {
  int vector_bytes; /* of one register */
  int registers;    /* vector registers */
  cache_level l1, l2;
  int64_t last_level;          /* bytes, 0 if unknown */
  bool dot_bf16, dot_i16;      /* instructions for K_DOT_BF16, K_DOT_I16 */
  const tuned_products *tuned; /* how products are made; NULL: as their shapes suggest, and none is noted */
} lower_target;

#endif
