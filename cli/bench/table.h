/* The table: what was measured of each row. */
#ifndef CLI_BENCH_TABLE_H
#define CLI_BENCH_TABLE_H

#include "bench/limits.h"
#include "bench/own.h"
#include "bench/worker.h"

enum { BENCH_PEERS = 10 };

/* Median and quartiles in ms, NAN where there is none. */
typedef struct timing {
  double ms, low, high;
  int samples;
} timing;

typedef struct bench_row {
  const bench_case *k;
  tme_dtype dtype;
  timing plain, jit, peer[BENCH_PEERS];
  char hash[BENCH_HASH]; /* of the result; empty where there is none */
  double error;          /* NAN where there is none */
  double others;         /* what its kernels compute besides products */
  double limit_ms;       /* NAN: the limits say nothing about it */
  const char *limit;
} bench_row;

typedef struct bench_table {
  const char *plain; /* what the first column is */
  worker peers[BENCH_PEERS];
  int npeers;
  bench_limits limits; /* zeros with --hash */
  bench_row *rows;
  int nrows;
} bench_table;

#endif
