/* Runs kernel descriptions one instruction at a time: the oracle of passes and emitters. */
#ifndef TME_TEST_KERNEL_INTERP_H
#define TME_TEST_KERNEL_INTERP_H

#include "kernel/kernel.h"

/* Whether K_FMA rounds once, as on most processors; else twice. */
extern bool kernel_interp_fuses;

/* Runs the tasks [t0, t1) as a kernel_fn would; buf[i] is buffer i; scratch buffers lie in `scratch`, their entries
 * are not read. Lanes run one after the other. An access outside [lo, hi) of its buffer ends the run with
 * TME_ERR_ARGUMENT. */
tme_status kernel_interp(const kernel *k, void *const *buf, const uint64_t *args, void *scratch, int64_t t0, int64_t t1,
                         error *e);

#endif
