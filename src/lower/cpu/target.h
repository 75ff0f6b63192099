/* A CPU, as kernels are made for it. */
#ifndef TME_CPU_TARGET_H
#define TME_CPU_TARGET_H

#include "base/caches.h"
#include "lower/cpu/tuned.h"
#include "lower/target.h"

/* The order of sums follows from the registers and dots alone; caches decide the order of tasks, what is copied before it
 * is used and how results are written, and so do the choices that were timed. Never threads. */
typedef struct cpu_target {
  lower_target base; /* CPU_LOWERING */
  int vector_bytes;  /* of one register */
  int registers;     /* vector registers */
  cache_level l1, l2;
  int64_t last_level;          /* bytes, 0 if unknown */
  bool dot_bf16, dot_i16;      /* instructions for K_DOT_BF16, K_DOT_I16 */
  const tuned_products *tuned; /* how products are made; NULL: as their shapes suggest */
  tuned_products *met;         /* NULL, or where those are noted that can be made in several ways */
} cpu_target;

/* The CPU of a lowering, or of what begins it. */
static inline const cpu_target *cpu_of(const lower_target *t) { return (const cpu_target *)t; }

graph *cpu_split(const graph *g, error *e);
void cpu_product_operands(const lower_target *t, const graph *g, int node, int out[2]);
tme_status cpu_rows(lowering *l, int gr, error *e);
tme_status cpu_product(lowering *l, int gr, error *e);
tme_status cpu_attention(lowering *l, int gr, error *e);
tme_status cpu_finish(const lower_target *t, struct kernel *k, error *e);

#define CPU_LOWERING                                                                                                   \
  {                                                                                                                    \
    .split = cpu_split, .product_operands = cpu_product_operands, .rows = cpu_rows, .product = cpu_product,            \
    .attention = cpu_attention, .finish = cpu_finish                                                                   \
  }

#endif
