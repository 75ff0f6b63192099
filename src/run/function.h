/* A function of tme_compile, for who makes functions of functions. */
#ifndef TME_FUNCTION_H
#define TME_FUNCTION_H

#include "array/scope.h"
#include "base/buckets.h"
#include "run/plan.h"

/* Where a leaf of a part has its value from. */
typedef enum leaf_kind { LEAF_OWN, LEAF_INPUT, LEAF_VALUE } leaf_kind;

typedef struct leaf_source {
  leaf_kind kind;
  int number; /* of the input, or of the value */
} leaf_source;

/* One plan. */
typedef struct part {
  plan *plan;
  uint64_t *words; /* the signature of which it was made */
  subgraph **call; /* what calls in it call: a reference to each */
  int nwords, ncalls;
  int nleaves;
  array_view *leaf; /* a reference to the buffer of each that is the function's own */
  leaf_source *source;
  uint64_t *arg;
  int nargs;
  int first_value; /* its roots are the values from here on */
} part;

/* What a function computes, as it was traced, before any pass, without cuts. */
typedef struct function_graph {
  subgraph
      *graph; /* leaves: the inputs, in order, then the arrays that were taken in; arguments: the numbers that were */
  int ntaken, nargs;
  array_view *taken; /* their buffers belong to the function */
  uint64_t *arg;     /* two words each, as plans take them */
  tme_dtype *arg_dtype;
} function_graph;

struct tme_function {
  tme_engine *engine; /* a reference */
  part *part;
  int nparts, cap_parts;
  int nvalues;  /* that the parts make */
  buckets dead; /* per part: the values that none after it reads */
  int nin, nout;
  op_type *in, *out;
  int *out_value;                   /* the value that each output is */
  _Atomic(function_graph *) traced; /* NULL until someone asks for it */
};

/* The function's graph, which is read back from the words of its signatures when it is first asked for, and kept as long as the
 * function. NULL with the reason. By any thread. */
const function_graph *function_trace(tme_function *f, error *e);
void function_graph_free(function_graph *t);
/* tme_call without computing: one call of the function's graph, to be computed with what else is asked for. Inputs of
 * tme_compile may be among the inputs. */
tme_status function_apply(tme_scope *s, tme_function *f, tme_array *const *inputs, int ninputs, tme_array **outputs);

#endif
