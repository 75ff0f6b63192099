/* The loops behind ref_elementwise: one per operation and dtype, made from ops.def by elementwise_loops.inc. */
#ifndef TME_ELEMENTWISE_H
#define TME_ELEMENTWISE_H

#include "ops/ops.h"

/* out[i] = f(x[i * sx], y[i * sy], z[i * sz]); out is contiguous. */
typedef void ew_loop(int64_t n, void *out, const void *x, const void *y, const void *z, int64_t sx, int64_t sy,
                     int64_t sz);

/* OP_PUBLIC_COUNT loops each, NULL where the operation does not take the dtype. */
extern ew_loop *const ew_bool[],
    *const ew_u8[], *const ew_u16[], *const ew_u32[], *const ew_u64[], *const ew_i8[],
                                                                           *const ew_i16[],
                                                                               *const ew_i32[],
                                                                                   *const ew_i64[],
                                                                                       *const ew_f32[],
                                                                                           *const ew_f64[],
                                                                                               *const ew_c64[],
                                                                                                   *const ew_c128[];

#endif
