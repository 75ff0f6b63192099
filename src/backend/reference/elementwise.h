/* The loops behind ref_elementwise: one per operation and dtype, made from ops.def by elementwise_loops.inc. */
#ifndef TME_ELEMENTWISE_H
#define TME_ELEMENTWISE_H

#include "ops/ops.h"

/* out[i] = f(x[i * sx], y[i * sy], z[i * sz]); out is contiguous. */
typedef void ew_loop(int64_t n, void *out, const void *x, const void *y, const void *z, int64_t sx, int64_t sy,
                     int64_t sz);

/* OP_PUBLIC_COUNT loops each, NULL where the operation does not take the dtype; none of narrow floats. */
#define DTYPE(ID, id, ...) extern ew_loop *const ew_##id[];
#include "base/dtypes.def"

#endif
