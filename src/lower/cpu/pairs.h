/* Products that are summed by pairs: where a processor multiplies two pairs of 16-bit numbers and adds both products to a
 * sum of 32 bits at once, operands of up to 16 bits are read as such pairs, of neighbours along k. */
#ifndef TME_PAIRS_H
#define TME_PAIRS_H

#include "ir/graph.h"
#include "lower/target.h"

/* Whether the product at `node` is one of them. It follows from dtypes, shapes and the processor alone. */
bool pairs_pay(const graph *g, int node, const lower_target *t);
/* The node whose value the pairs of an operand are made of: conversions and views are done as they are. */
int pairs_base(const graph *g, int operand);

#endif
