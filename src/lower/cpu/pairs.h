/* Products that are summed by pairs: where a processor multiplies two pairs of 16-bit numbers and adds both products to a
 * sum of 32 bits at once, operands of up to 16 bits are read as such pairs, of neighbours along k. */
#ifndef TME_PAIRS_H
#define TME_PAIRS_H

#include "lower/cpu/target.h"
#include "lower/lower.h"

/* K_DOT_BF16 or K_DOT_I16 where sums over pairs pay for the product at `node`, else K_NOP. It follows from dtypes, shapes and
 * the processor alone. */
k_op pairs_dot(const graph *g, int node, const cpu_target *t);
/* The node whose value the pairs of an operand are made of: conversions and views are done as they are. */
int pairs_base(const graph *g, int operand);

/* The elements 2i and 2i + 1 of an operand along `dim` as one u32, where ix[dim] is i; ix has `rank` entries, as those of
 * builder_operand. Where the operand ends in between, that is at one i alone, the second is 0. */
int pair_value(builder *b, k_op dot, int node, int rank, const int *ix, int dim);

#endif
