/* From the arrays that are asked for to a signature: what is to be computed, written down as words. The compiler's
 * graph is read back from the words (signature.c), so the nodes themselves are needed only under the graph lock. */
#ifndef TME_TRACE_H
#define TME_TRACE_H

#include "array/node.h"
#include "base/pointers.h"
#include "ir/subgraph.h"
#include "run/engine.h"

typedef struct trace_frame {
  tme_array *a;
  int next; /* input to look at next */
} trace_frame;

/* One evaluation: what tracing found, and the memory for it, used again by later ones. */
struct eval_run {
  struct plan *plan; /* a reference, or NULL: not in the cache */
  uint64_t *sig;
  array_view *leaf;  /* each holds a reference to its buffer; of an `input` it is NULL */
  tme_array **input; /* per leaf: the input of tme_compile that it is, or what a part before makes; or NULL */
  uint64_t *arg;     /* values of the literals that are arguments, two words each, bits in dtype_held */
  tme_array **root;  /* uncomputed arrays */
  array_view *out;   /* per root */
  array_view *slot;  /* for the plan */
  trace_frame *stack;
  subgraph **call; /* what each call in the words calls: a reference */
  node **drop;     /* references to give back without the lock */
  int nsig, ncalls, nleaves, nargs, nroots, depth, ndrop;
  int cap_sig, cap_call, cap_leaf, cap_input, cap_arg, cap_root, cap_out, cap_slot, cap_stack, cap_drop;
  int values, nodes; /* numbered values; operations among them, those of calls included */
  uint64_t epoch;
  unsigned process;        /* what `running` of an array is, while this one computes it */
  const pointer_map *made; /* arrays that have their values from a part of a function before this one; or NULL */
  bool has_input;          /* an input of tme_compile was met */
  bool partial;            /* the graph is too large for one plan: the roots are part of what was asked for */
};

typedef enum trace_result {
  TRACE_NOTHING, /* all are computed */
  TRACE_READY,
  TRACE_BUSY, /* another thread computes something of it */
  TRACE_FAILED
} trace_result;

/* Under the graph lock. On TRACE_READY the roots are marked as running. `mark` false (explain, compile): they are not, and
 * inputs of tme_compile may be met. */
trace_result trace(tme_engine *e, eval_run *r, tme_array *const *a, int n, bool mark, error *err);

/* Memory for an evaluation. run_give lets go of what the run holds: not under the lock. */
eval_run *run_take(tme_engine *e);
void run_give(tme_engine *e, eval_run *r);
void run_free(eval_run *r);
void run_drop(eval_run *r);
/* Lets go of the inputs of a node that is computed: they are dropped with what the run holds. Under the lock. */
void run_let_go(eval_run *r, node *n);

#ifdef TME_TEST_HOOKS
/* From now on plans are of so many operations, about; 0: of as many as else. */
void trace_cut_after(int nodes);
#endif

/* ---- the words --------------------------------------------------------------------------------------------------- */

/* Values are numbered in the order in which they appear. Each starts with a word that has the op_id in its low 16 bits:
 *   leaf      | dtype << 16 | rank << 24 | contiguous << 32, then the shape, then strides unless contiguous
 *   literal   | dtype << 16 | code << 24: an index into literal_special, or LITERAL_ARG
 *   pick      | output << 16 | value << 32
 *   operation | device << 16 | inputs << 32, then inputs, two to a word, then the attributes that its signature names
 *   call      | inputs << 32, then inputs, two to a word, then the number of the sub-graph
 *   barrier   | 1 << 32, then the input
 *   SIG_ROOTS | roots << 32, then the values, two to a word */
enum { SIG_ROOTS = 0xffff, LITERAL_ARG = 0xff, SPECIAL_COUNT = 6 };
extern const double literal_special[SPECIAL_COUNT];
static const uint32_t NO_VALUE = 0xffffffff;

typedef struct signature {
  const uint64_t *words;
  int n, nroots, nodes;
  subgraph *const *call; /* what its calls call, in order */
} signature;

static inline signature signature_of(const eval_run *r) {
  return (signature){.words = r->sig, .n = r->nsig, .nroots = r->nroots, .nodes = r->nodes, .call = r->call};
}

/* The compiler's graph. NULL with the reason on failure. */
graph *signature_graph(const signature *s, tme_dtype default_float, error *e);

#endif
