/* A sweep: what was drawn, and what came of it. */
#ifndef CLI_BENCH_SWEEP_H
#define CLI_BENCH_SWEEP_H

#include "bench/bench.h"

enum { SWEEP_INPUTS = 6 };

typedef struct workload {
  long index;      /* among those of the seed */
  json_t *drawn;   /* as bench/workloads.py says */
  char label[800]; /* "x.T @ y; x float32 3x4, y float32 3x5" */
  bench_case k;
  bench_input in[SWEEP_INPUTS];
  bench_row row;
  bool failed;
  json_t *left_out; /* why, by the names of the peers */
} workload;

typedef struct sweep {
  bench *b;
  worker drawer;
  workload **all;
  int n, room;
  double seconds;
} sweep;

/* sweep_report.c */
void report_sweep(const sweep *w);
bool report_sweep_json(const sweep *w);

#endif
