/* The benchmark: cases, who runs them, what comes out. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli.h"
#include <sys/types.h>

enum { BENCH_INPUTS = 3, BENCH_OUTPUTS = 3, BENCH_PEERS = 8, BENCH_SAMPLES = 4096 };

/* ---- bench_cases.c: what is timed --------------------------------------------------------------------------------*/

typedef struct bench_input {
  int rank;
  int64_t shape[4];
} bench_input;

typedef struct bench_case {
  const char *op;
  char shape[32]; /* "1024x1024" */
  int64_t n;      /* extent of the square ones */
  bool quick, headline;
  /* Rows of the result that the error is measured on; 0: all. A plain C product in f64 takes too long else. */
  int64_t checked_rows;
  int ninputs, noutputs;
  bench_input in[BENCH_INPUTS];
} bench_case;

/* All cases in the order of the table; the count in *n. */
const bench_case *bench_cases(int *n);
/* Builds the case over its inputs; false with the error in the scope. */
bool bench_build(const bench_case *k, tme_scope *s, tme_array *const *in, tme_array **out);
int64_t bench_size(const bench_input *in);
/* The numbers of input i of set `set`: normally distributed, the same in every run. */
void bench_fill(const bench_case *k, int i, int set, double *out);

/* ---- bench_own.c: an engine as a contestant ----------------------------------------------------------------------*/

typedef struct own {
  tme_engine *engine;
  tme_scope *scope; /* of the inputs */
  const bench_case *k;
  tme_array *in[2][BENCH_INPUTS]; /* two sets that take turns */
  int set;
} own;

/* The inputs, once. False after the message. */
bool own_prepare(own *o, const cli *c, tme_engine *e, const bench_case *k, tme_dtype dtype);
/* One call: a new scope, the operation, its evaluation. Milliseconds; negative after the message. */
double own_call(own *o, const cli *c);
/* max |x - reference| / max |reference|, the reference in f64 on `plain`. Negative after the message. */
double own_error(own *o, const cli *c, tme_engine *plain);
void own_free(own *o);

/* ---- bench_worker.c: another library in a process of its own -----------------------------------------------------*/

typedef struct worker {
  char name[24], about[64];
  pid_t pid;
  int to, from; /* pipes; pid 0: not there */
  char *line;
  size_t used, room;
} worker;

/* Starts `argv`, which serves lines of JSON as bench/peers.py says. False after the message. */
bool worker_start(worker *w, const cli *c, const char *name, char *const *argv);
/* Makes it ready for the case; false if it can't do it. */
bool worker_prepare(worker *w, const cli *c, const bench_case *k, tme_dtype dtype);
/* Appends samples (ms) taken for about budget_ms; the new count. */
int worker_run(worker *w, const cli *c, double budget_ms, double *samples, int n);
void worker_stop(worker *w);

/* bench_cblas.c: serves the same lines with the system's CBLAS. */
int serve_cblas(int threads);

/* ---- bench_report.c, bench_plot.c: what comes out ----------------------------------------------------------------*/

typedef struct bench_row {
  const bench_case *k;
  tme_dtype dtype;
  double ms_plain, ms_jit, error; /* NAN where there is none */
  double ms_peer[BENCH_PEERS];
} bench_row;

typedef struct bench_table {
  const char *plain; /* what the first column is */
  const char *peers[BENCH_PEERS];
  int npeers;
  bench_row *rows;
  int nrows;
} bench_table;

void report_header(const bench_table *t);
void report_row(const bench_table *t, const bench_row *r);
bool report_json(const bench_table *t);
/* Bars on a logarithmic scale. False with errno. */
bool report_plot(const bench_table *t, const char *path);

#endif
