/* Sums in blocks: an accumulator takes so many terms, and the sums of the blocks are added with what these additions lose kept
 * beside. */
#ifndef TME_BLOCKS_H
#define TME_BLOCKS_H

#include "kernel/kernel.h"

/* What is lost where before + v was rounded to `after`; the sum with all that was lost. */
int blocks_lost(kernel *k, int before, int v, int after);
int blocks_total(kernel *k, int sum, int lost);

#endif
