/* Another library in a process of its own. */
#ifndef CLI_BENCH_WORKER_H
#define CLI_BENCH_WORKER_H

#include "bench/cases.h"
#include <sys/types.h>

/* That a contestant has of a row, at most. */
enum { BENCH_SAMPLES = 4096 };

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
  double about_ms; /* and of a later call */
  bool quiet;      /* reasons are kept, not said */
  char said[400];  /* the last reason for a row that it is left out of */
} worker;

/* Starts `argv`, which serves lines of JSON as bench/peers.py says. False after the message. */
bool worker_start(worker *w, const cli *c, const char *name, char *const *argv);
/* Makes it ready for the case; false if it can't do it. */
bool worker_prepare(worker *w, const cli *c, const bench_case *k, tme_dtype dtype);
/* Sends an object, which is consumed. Its answer, or NULL after the message: then it is not there any more. */
json_t *worker_ask(worker *w, const cli *c, json_t *question);
/* Appends samples (ms) taken for about budget_ms; the new count. */
int worker_run(worker *w, const cli *c, double budget_ms, double *samples, int n);
void worker_stop(worker *w);

#endif
