/* Arrays for tests of operations: random contents, layouts, the reference kernels with inference and casts. */
#ifndef TME_TEST_ARRAYS_H
#define TME_TEST_ARRAYS_H

#include "backend/reference/reference.h"
#include "ir/graph.h"

typedef struct array {
  ref_array a;
  char *block; /* the memory, with guard bytes around it */
  size_t bytes;
} array;

/* Row-major zeros. Aborts the test when out of memory. */
array array_new(tme_dtype t, int rank, const int64_t *shape);
void array_free(array *x); /* checks the guard bytes */

/* Numbers in [lo, hi), whole ones for integers; 0 or 1 for bool. */
void array_fill(array *x, double lo, double hi, uint64_t *seed);
uint64_t random_bits(uint64_t *seed);
double random_real(uint64_t *seed); /* in [0, 1) */

/* Element i in row-major order, as real and imaginary part. */
void array_get(const array *x, int64_t i, double v[2]);
double array_real(const array *x, int64_t i);
void array_set_real(array *x, int64_t i, double v);

/* The same elements laid out in another way. */
enum { LAYOUT_CONTIGUOUS, LAYOUT_REVERSED, LAYOUT_COLUMNS, LAYOUT_STRIDED, LAYOUT_COUNT };
array array_layout(const array *x, int layout);

/* Infers, casts and runs the reference; fails the test on an error, unless `e` is given. */
tme_status array_run(int op, const array *in, int nin, const op_attrs *attrs, bool libraries, array *out, error *e);
/* The attributes of a reduction (sum, mean, argmin and their kin). */
op_attrs attrs_over(int op, uint32_t axes, bool keepdims);
array array_op(int op, const array *in, int nin, const op_attrs *attrs);

/* The value of node `root` by the reference, node by node. */
array array_graph(const graph *g, int root, const array *leaves);

#endif
