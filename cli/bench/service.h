/* This program in the place of another library, in a process of its own: serve.c, routines.c. */
#ifndef CLI_BENCH_SERVICE_H
#define CLI_BENCH_SERVICE_H

#include "cli.h"

/* After others used the machine a call does not count, unless it lasts so long that their traces are nothing. */
enum { BENCH_LONG_MS = 100 };

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

#endif
