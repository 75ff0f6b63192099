/* What is asked of kernels as a whole. */
#ifndef TME_MEASURE_H
#define TME_MEASURE_H

#include "kernel/kernel.h"
#include "lower/cpu/target.h"

/* Vector lanes for a kernel whose widest values have `bytes` bytes. */
int cpu_lanes(const cpu_target *t, size_t bytes);
/* The widest value of the kernel that differs along an axis, in bytes. */
size_t kernel_widest(const kernel *k, int axis);
/* Divisions and remainders that the kernel's accesses and index values need. */
int kernel_index_work(const kernel *k);
/* Sets what a task costs, in nanoseconds, and its arithmetic. */
void kernel_measure(kernel *k, const cpu_target *t);

/* Marks the loops whose iterations are better run several at a time: jam.c. */
void kernel_unroll_and_jam(kernel *k);

#endif
