/* An engine as a contestant. */
#ifndef CLI_BENCH_OWN_H
#define CLI_BENCH_OWN_H

#include "bench/cases.h"

enum { BENCH_HASH = 17 };

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
/* The same from the values in the case's file, of a workload. */
bool own_difference(own *o, const cli *c, double *error);
/* XXH64, in hexadecimal, of the dtypes, shapes and contiguous elements of all outputs over the first set of inputs. False
 * after the message. */
bool own_hash(own *o, const cli *c, char hash[static BENCH_HASH]);
void own_free(own *o);

#endif
