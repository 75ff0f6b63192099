/* A run of the benchmark: time.c, first.c, sweep.c. */
#ifndef CLI_BENCH_BENCH_H
#define CLI_BENCH_BENCH_H

#include "bench/table.h"

typedef struct bench {
  cli *c;
  bool quick, headline, all, hash, json, cblas, plain, sweep, dtype_asked;
  const char *only, *vs, *python, *plot, *file, *serve;
  double minutes; /* of a sweep; 0: no limit */
  long count;     /* of its workloads; 0: no limit */
  tme_dtype dtype;
  tme_engine *reference, *before; /* the errors' and the first column's: the same, but for MLX */
  char self[BENCH_PATH], script[BENCH_PATH + 40], drawer[BENCH_PATH + 40], names[200], threads[16];
  bench_table table;
  int failures;
} bench;

/* False if the row could not be made; its message was given. */
bool measure_row(bench *b, const bench_case *k, bench_row *row);
/* In its place with --hash: one call, nothing is timed. */
bool hash_row(bench *b, const bench_case *k, bench_row *row);
/* first.c: the first call in new processes. */
bool measure_first(bench *b, const bench_case *k, bench_row *row);
/* A workload of a sweep, its values checked; false after the message. */
bool measure_workload(bench *b, const bench_case *k, bench_row *row);
timing summary(double *samples, int n);
/* sweep.c: draws workloads and times them. An exit code. */
int run_sweep(bench *b);

/* cmd_bench.c: how to start contestant `name`, with a NULL at the end. */
enum { PEER_WORDS = 10 };
void peer_command(bench *b, const char *name, char **argv);
/* Starts it; false after the message. */
bool start_peer(bench *b, worker *w, const char *name);

#endif
