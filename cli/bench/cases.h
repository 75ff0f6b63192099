/* What is timed. */
#ifndef CLI_BENCH_CASES_H
#define CLI_BENCH_CASES_H

#include "cli.h"

enum {
  BENCH_INPUTS = 104,
  BENCH_OUTPUTS = 3,
  BENCH_PATH = 4096,
  /* An input of tokens: whole numbers below this. */
  BENCH_TOKENS = 30000
};

/* The uniform and the whole are those of a sweep, which its peers make, too: bench/expressions.py. */
typedef enum fill { FILL_NORMAL, FILL_TOKENS, FILL_ONES, FILL_UNIFORM, FILL_WHOLE } fill;

typedef struct bench_input {
  int rank;
  int64_t shape[4];
  fill fill;
  double scale, offset; /* of the normally distributed; of the others the span and the least */
  tme_dtype dtype;      /* of the uniform and the whole */
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
  /* A workload of a sweep: the expression that is its graph, how it was drawn, and the file of the values that it should
   * have, the largest difference from them in parts of the largest. */
  const char *text;
  json_t *drawn;
  const char *expected;
  double tolerance;
} bench_case;

/* All cases in the order of the table; the count in *n. */
bench_case *bench_cases(int *n);
int64_t bench_size(const bench_input *in);
/* The numbers of input i of set `set`, of complex ones the two parts: the same in every run. */
void bench_fill(const bench_case *k, int i, int set, double *out);

/* model.c: the inputs of the sentence model, in the order in which its graph takes them. Their number. */
int model_inputs(bench_input *in);
tme_array *model_build(tme_scope *s, tme_array *const *in);

/* expression.c: the graph of the case's expression, over inputs by the names that they were drawn with. False with a
 * problem. */
struct problem; /* expr.h */
bool expression_build(const bench_case *k, tme_scope *s, tme_array *const *in, tme_array **out, struct problem *p);

/* graphs.c: builds the case over its inputs; false with the error in the scope. */
bool bench_build(const bench_case *k, tme_scope *s, tme_array *const *in, tme_array **out);

#endif
