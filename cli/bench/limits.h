/* What the machine can do. */
#ifndef CLI_BENCH_LIMITS_H
#define CLI_BENCH_LIMITS_H

#include "bench/cases.h"

enum { LEVEL_L2, LEVEL_L3, LEVEL_MEMORY, LEVELS };

typedef struct bench_limits {
  int threads;
  double f32[2], f64[2], bf16[2];    /* GFLOP/s of fused multiply-adds on one thread and on all; 0: no such thing */
  double mix[2];                     /* G/s of the operations that an exponential of f32 is made of */
  double read[LEVELS], copy[LEVELS]; /* GB/s of all threads; a copied byte counts twice, as read and as written */
  double room[LEVELS];               /* bytes; of memory: infinite */
  double inside[LEVELS];             /* bytes that are well inside a level, and well outside the one before */
} bench_limits;

void limits_measure(bench_limits *l, int threads, bool quick);
/* Once more, a short piece of it, what the case is held against: others may have had the machine before. The best of all
 * measurements counts. */
void limits_again(bench_limits *l, const bench_case *k, tme_dtype dtype, double others);
/* The least time of a call: its bytes at the speed of the level that holds them, or its arithmetic, whichever is longer:
 * products at the peak of the dtype, `others`, what it computes besides them, at that of an exponential's operations.
 * Which it is in *what. */
double limits_of(const bench_limits *l, const bench_case *k, tme_dtype dtype, double others, const char **what);

#endif
