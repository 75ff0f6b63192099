/* Strides, and the operations whose results are their operand in other strides. */
#ifndef TME_VIEWS_H
#define TME_VIEWS_H

#include "ops/ops.h"

/* Row-major strides in elements; extents of 0 count as 1. */
void type_strides(const op_type *t, int64_t strides[AT_LEAST(TME_MAX_RANK)]);
/* Row-major in its elements; extents of 1 have any stride. */
bool strides_contiguous(const op_type *t, const int64_t *strides);
/* The strides of x where it is broadcast to `to`: 0 where it is repeated. */
void strides_broadcast(const op_type *to, const op_type *x, const int64_t *strides, int64_t *out);

/* One dimension of extent n sliced by Python's rules; returns the extent of the result. A bound that is TME_NONE was not
 * given; the step is not 0. Equal slices become equal: of no element 0, 0 and step 1, of one step 1; else `stop` is next to
 * the last element, TME_NONE before element 0. */
int64_t slice_extent(int64_t n, int64_t *start, int64_t *stop, int64_t *step);

/* The axes of x, in their order in the result of moveaxis, swapaxes or matrix_transpose. */
void strided_order(int op, const op_attrs *attrs, int rank, int order[AT_LEAST(TME_MAX_RANK)]);
/* The result of a row of the family strided out of x with these strides; of as_strided they are x's row-major ones. */
void strided_view(int op, const op_type *x, const int64_t *strides, const op_attrs *attrs, const op_type *type,
                  int64_t *offset, int64_t *out);

/* Whether results of `op` may be strided views of its operand. */
bool op_is_view(int op);

/* If `op` applied to an array x with these strides is a strided view of it: its offset and strides, in elements. False if
 * it must be computed (a reshape that does not fit the strides, pad, concatenate, all that is no view). */
bool op_view(int op, const op_type *x, const int64_t *strides, const op_attrs *attrs, const op_type *type,
             int64_t *offset, int64_t *out);

#endif
