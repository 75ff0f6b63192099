/* Products that can be made in several ways, of which none changes a bit: which way is taken is data that lowering is given
 * (TME_TUNE; backend/cpu/tune.c finds it out). */
#ifndef TME_TUNED_H
#define TME_TUNED_H

#include "base/base.h"

/* All that the ways of a product are compared for; plain bytes. */
typedef struct product_class {
  int64_t batches, M, N, K;
  int32_t dtype, left_dtype, right_dtype; /* of the product's operands, and of what is converted to them */
  int32_t transposed;                     /* neighbouring columns of the right operand are no neighbours in memory */
} product_class;

typedef struct tuned_product {
  product_class c;
  int choice; /* 0: as the shape alone suggests */
} tuned_product;

typedef struct tuned_products {
  tuned_product *list;
  int n, cap;
} tuned_products;

/* NULL if the class is not among them. */
const tuned_product *tuned_find(const tuned_products *t, const product_class *c);
/* False when out of memory. */
bool tuned_add(tuned_products *t, const product_class *c, int choice);
void tuned_free(tuned_products *t);

/* Choices are 0 to product_choices(registers) - 1. */
int product_choices(int registers);

#endif
