/* A region lowered: steps over slots. What the backends that run kernels prepare; it knows no emitter and no device. */
#ifndef TME_PROGRAM_H
#define TME_PROGRAM_H

#include "ir/graph.h"
#include "kernel/kernel.h"
#include "lower/target.h"

/* An array that lies in memory: an input of the region, or a row-major value that a step makes. */
struct slot {
  op_type type;
  int leaf;                      /* number of the region's input, or -1 */
  int node;                      /* the value's node; -1 for a packed operand */
  int64_t strides[TME_MAX_RANK]; /* in elements */
  int64_t size;                  /* elements of a value; for packed operands of the packed form */
};

typedef enum step_kind {
  STEP_KERNEL,
  STEP_LIBRARY, /* an operation that the reference, CBLAS or LAPACK does */
  STEP_BOUNDS   /* checks the indices of a take before a kernel uses them */
} step_kind;

/* A run-time argument of a kernel: word `word` of literal `literal`, or (literal -1) the constant `value`. */
typedef struct step_arg {
  int literal, word;
  int64_t value;
} step_arg;

typedef struct step {
  step_kind kind;
  kernel *kernel; /* STEP_KERNEL */
  int *bind;      /* the slot of each kernel buffer, -1 for scratch */
  int nbind;
  step_arg *args;
  int nargs;
  int node;                      /* STEP_LIBRARY: what to do; STEP_BOUNDS: the take */
  int *in, nin;                  /* STEP_LIBRARY: slots, -1 if absent; STEP_BOUNDS: the indices */
  int out[OP_MAX_OUTPUTS], nout; /* STEP_LIBRARY; -1 for an output that nobody reads */
  char label[96];                /* "matmul+add+gelu" */
} step;

typedef struct program {
  graph *g; /* decomposed and simplified */
  struct slot *slots;
  int nslots, cap_slots;
  step *steps;
  int nsteps, cap_steps;
  int *root_slot;     /* per root of the graph */
  op_type *root_type; /* likewise: the slot holds its elements, row-major, perhaps in another shape */
  text notes;         /* what was stored and why: a line each */
} program;

/* Lowers a region. NULL with the reason on failure. */
program *program_lower(const graph *region, const lower_target *t, error *e);
void program_free(program *p);
/* NULL if the node can be lowered, else the reason (static text). */
const char *program_supports(const graph *g, int node);

#endif
