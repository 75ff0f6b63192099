/* The benchmark: cases, who runs them, what comes out. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli.h"
#include <stdio.h>
#include <sys/types.h>

enum {
  BENCH_INPUTS = 104,
  BENCH_OUTPUTS = 3,
  BENCH_PEERS = 10,
  BENCH_SAMPLES = 4096,
  BENCH_PATH = 4096,
  BENCH_HASH = 17,
  /* After others used the machine a call does not count, unless it lasts so long that their traces are nothing. */
  BENCH_LONG_MS = 100,
  /* An input of tokens: whole numbers below this. */
  BENCH_TOKENS = 30000
};

/* ---- bench_cases.c: what is timed --------------------------------------------------------------------------------*/

typedef enum fill { FILL_NORMAL, FILL_TOKENS, FILL_ONES } fill;

typedef struct bench_input {
  int rank;
  int64_t shape[4];
  fill fill;
  double scale, offset; /* of the normally distributed */
  const char *name;     /* not NULL: the array of that name in the case's file */
  bool transposed;      /* it lies there as (output, input) */
  bool cut;             /* its first axis is that of the result */
} bench_input;

typedef enum moment { EVERY_CALL, FIRST_CALL_COLD, FIRST_CALL_WARM } moment;

typedef struct bench_case {
  const char *op;
  char shape[32];  /* "1024x1024" */
  tme_dtype dtype; /* TME_DTYPE_NONE: the one that was asked for */
  moment moment;
  bool basic, quick, headline; /* which tables have it */
  const char *file;            /* of the inputs that have a name */
  /* The error is measured on so many indices of the cut inputs' first axis; 0: on all. A plain C product in f64 takes
   * too long else. */
  int64_t checked;
  int ninputs, noutputs;
  const bench_input *in;
  bool products;     /* the operations are multiply-adds, to be held against the peak of these */
  double operations; /* that the mathematics needs, a transcendental function counting as one */
  double elements;   /* of inputs and results */
} bench_case;

/* All cases in the order of the table; the count in *n. */
bench_case *bench_cases(int *n);
int64_t bench_size(const bench_input *in);
/* The numbers of input i of set `set`: the same in every run. */
void bench_fill(const bench_case *k, int i, int set, double *out);

/* bench_model.c: the inputs of the sentence model, in the order in which its graph takes them. Their number. */
int model_inputs(bench_input *in);
tme_array *model_build(tme_scope *s, tme_array *const *in);

/* bench_graphs.c: builds the case over its inputs; false with the error in the scope. */
bool bench_build(const bench_case *k, tme_scope *s, tme_array *const *in, tme_array **out);

/* ---- bench_own.c: an engine as a contestant ----------------------------------------------------------------------*/

typedef struct own {
  tme_engine *engine;
  tme_scope *scope; /* of the inputs */
  const bench_case *k;
  tme_array *in[2][BENCH_INPUTS]; /* two sets that take turns */
  int set;
  tme_function *function; /* NULL: every call builds its graph */
} own;

/* The inputs, once. False after the message. */
bool own_prepare(own *o, const cli *c, tme_engine *e, const bench_case *k, tme_dtype dtype);
/* What is called often is compiled as a user would: once, over inputs without values. False after the message. */
bool own_compile(own *o, const cli *c);
/* What its kernels compute besides the multiply-adds of products, as `tme explain` counts it; -1 after the message. */
double own_operations(own *o, const cli *c);
/* Some calls: each a new scope, and the operation in it. Milliseconds a call; negative after the message. */
double own_calls(own *o, const cli *c, int calls);
/* max |x - reference| / max |reference|, the reference in f64 on `plain`. Negative after the message. */
double own_error(own *o, const cli *c, tme_engine *plain);
/* XXH64, in hexadecimal, of the dtypes, shapes and contiguous elements of all outputs over the first set of inputs. False
 * after the message. */
bool own_hash(own *o, const cli *c, char hash[static BENCH_HASH]);
void own_free(own *o);

/* ---- bench_worker.c: another library in a process of its own -----------------------------------------------------*/

typedef struct worker {
  char name[24], about[BENCH_PATH];
  bool compiles; /* its first call is slow: a row of its own */
  bool routine;  /* a routine that writes to memory it is given, not a library of arrays */
  pid_t pid;
  int to, from; /* pipes; pid 0: not there */
  char *line;
  size_t used, room;
  double first_ms; /* of the case it was prepared for */
  char row[80];    /* that case */
  char said[400];  /* the last reason for a row that it is left out of */
} worker;

/* Starts `argv`, which serves lines of JSON as bench/peers.py says. False after the message. */
bool worker_start(worker *w, const cli *c, const char *name, char *const *argv);
/* Makes it ready for the case; false if it can't do it. */
bool worker_prepare(worker *w, const cli *c, const bench_case *k, tme_dtype dtype);
/* Appends samples (ms) taken for about budget_ms; the new count. */
int worker_run(worker *w, const cli *c, double budget_ms, double *samples, int n);
void worker_stop(worker *w);

/* ---- bench_serve.c, bench_routines.c: this program as such a process -----------------------------------------------*/

typedef struct service {
  char ready[200]; /* what it is, or why it can't */
  bool ok;
  void *state;
  bool (*prepare)(void *state, const json_t *question);
  /* Milliseconds a call, two sets of inputs taking turns; negative: failed. */
  double (*calls)(void *state, int calls);
  void (*end)(void *state);
} service;

/* How many calls make a sample, if one takes so long: a clock is too coarse for short ones. */
int batch_of(double ms);
/* Products of "cblas", "onednn" or "libxsmm"; false for other names. */
bool routines_open(service *s, const char *name, int threads);
/* Serves "tme", which is this engine in a new process, or one of the routines. */
int serve(cli *c, const char *name);

/* ---- bench_limits.c: what the machine can do ---------------------------------------------------------------------*/

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

/* ---- bench_time.c: a row of the table ------------------------------------------------------------------------------*/

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

typedef struct bench {
  cli *c;
  bool quick, headline, all, hash, json, cblas, plain;
  const char *only, *vs, *python, *plot, *file, *serve;
  tme_dtype dtype;
  tme_engine *reference, *before; /* the errors' and the first column's: the same, but for MLX */
  char self[BENCH_PATH], script[BENCH_PATH + 32], names[200], threads[16];
  bench_table table;
  int failures;
} bench;

/* False if the row could not be made; its message was given. */
bool measure_row(bench *b, const bench_case *k, bench_row *row);
/* In its place with --hash: one call, nothing is timed. */
bool hash_row(bench *b, const bench_case *k, bench_row *row);
/* bench_first.c: the first call in new processes. */
bool measure_first(bench *b, const bench_case *k, bench_row *row);
timing summary(double *samples, int n);

/* cmd_bench.c: how to start contestant `name`, with a NULL at the end. */
enum { PEER_WORDS = 10 };
void peer_command(bench *b, const char *name, char **argv);

/* ---- bench_report.c, bench_plot.c, bench_roofline.c: what comes out ------------------------------------------------*/

double bench_bytes(const bench_row *r);
/* The fastest library of arrays, whose place is in *peer; -1 and NAN if there is none. */
double best_peer(const bench_table *t, const bench_row *r, int *peer);
void report_header(const bench_table *t);
void report_row(const bench_table *t, const bench_row *r);
void report_hash(const bench_row *r);
/* The limits, which are known best when all is done. */
void report_limits(const bench_table *t);
/* The share of the limit that a row reaches. NAN: none, or one that cannot be, above 110 %: then *why says so. */
double limit_share(const bench_row *r, const char **why);
bool report_json(const bench_table *t);
/* Bars on a logarithmic scale, and a roofline. False with errno. */
bool report_plot(const bench_table *t, const char *path);
/* The roofline as SVG, its top at y. */
void draw_roofline(FILE *f, const bench_table *t, int y);

#endif
