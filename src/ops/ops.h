/* The operations as data: what ops.def says, parsed signatures, type inference. */
#ifndef TME_OPS_H
#define TME_OPS_H

#include "base/base.h"
#include "ops/params.h"

/* A parameter that points to at least n elements: C++ has no such thing. */
#ifdef __cplusplus
#define AT_LEAST(n) n
#else
#define AT_LEAST(n) static n
#endif

typedef enum op_id {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc) OP_##name,
#define STRUCTURED(name, family, signature, outputs, doc) OP_##name,
#include "ops/ops.def"
  OP_PUBLIC_COUNT,
  /* nodes that no caller names */
  OP_leaf = OP_PUBLIC_COUNT, /* data */
  OP_literal,                /* a number in the node itself */
  OP_iota,                   /* 0, 1, 2, ... along an axis (graph of the compiler only) */
  OP_pick,                   /* one output of a node with several (graph of the compiler only) */
  OP_call,                   /* what a sub-graph computes of the operands */
  OP_barrier,                /* the operand, as a value that equal ones are not taken for */
  OP_COUNT
} op_id;

/* How an elementwise operation treats dtypes: rules.def. */
enum { TAKES_BOOL = 1, TAKES_INT = 2, TAKES_FLOAT = 4, TAKES_COMPLEX = 8 };
typedef enum op_gives { GIVES_SAME, GIVES_BOOL, GIVES_REAL, GIVES_COMPLEX, GIVES_I32, GIVES_U8 } op_gives;
typedef enum op_rule {
#define RULE(name, takes, gives, text) RULE_##name,
#include "ops/rules.def"
#undef RULE
  RULE_STRUCTURED /* none: the family decides */
} op_rule;

typedef enum op_family {
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) FAMILY_##name,
#include "ops/families.def"
  FAMILY_COUNT
} op_family;

/* What the compiler makes of an operation once the composite ones are decomposed. */
typedef enum op_class {
  CLASS_SOURCE, /* leaf, literal, iota */
  CLASS_PICK,   /* one output of a node with several */
  CLASS_MAP,    /* elementwise, astype */
  CLASS_VIEW,   /* index arithmetic */
  CLASS_REDUCE,
  CLASS_TAKE,
  CLASS_MATMUL,
  CLASS_ATTENTION,
  CLASS_LIBRARY,  /* a function of the backend's */
  CLASS_COMPOSITE /* must have been decomposed; calls and barriers must be gone */
} op_class;

/* What the transforms make of a family's operations. */
typedef enum op_derivative { DERIVATIVE_NONE, DERIVATIVE_ROW } op_derivative;
typedef enum op_batching { BATCHING_NONE, BATCHING_PLAIN } op_batching;

/* A row of families.def. */
typedef struct op_family_def {
  const char *name;
  op_class compiled;
  op_derivative derivative;
  op_batching batching;
} op_family_def;

/* The public kinds, by the names that the parts of the engine use. */
typedef enum param_kind {
#define PARAM(name, id, field, parameter, argument) PARAM_##id = TME_PARAM_##id,
#include "ops/params.def"
} param_kind;

/* A number as it was given, before it has a dtype. Padding would make equal ones differ in their bytes. */
typedef enum number_kind { NUMBER_NONE, NUMBER_FLOAT, NUMBER_INT, NUMBER_UINT /* beyond int64 alone */ } number_kind;
typedef struct op_number {
  uint64_t kind; /* number_kind */
  union {
    double f;
    int64_t i;
    uint64_t u;
  } v;
} op_number;

typedef struct op_param {
  char name[OP_NAME];
  const char *choices, *word; /* of a choice: "constant|edge", and its default or NULL; of others NULL */
  param_kind kind;
  bool has_default;
  bool none;     /* the default is "none" */
  double value;  /* of int, bool, float, axis, number, choice */
  int input;     /* of arrays: which operand */
  size_t offset; /* of others: where it lies in op_attrs */
} op_param;

typedef struct op_list {
  int n; /* -1: not given */
  int64_t v[TME_MAX_RANK];
} op_list;

/* As a list where a caller gave them; a bit mask after inference, and where the compiler gives them. */
enum { AXES_NONE, AXES_LIST, AXES_MASK };
typedef struct op_axes {
  uint32_t mask, given; /* AXES_* */
  op_list list;
} op_axes;
static inline op_axes axes_from_mask(uint32_t mask) {
  op_axes a = {mask, AXES_MASK, {0, {0}}};
  return a;
}

/* The parameters of a call that are no arrays: attrs->reduce.keepdims. A structure for each family, with a field for each
 * parameter that its rows have. Inference normalizes them: negative axes become positive, defaults are filled in, so that
 * equal calls have equal attributes. What holds them may end after those of its family: attrs_copy. */
#include "ops/attrs_generated.h"
typedef struct op_attrs {
  bool max_any; /* of max in the compiler's graph: graph_max_any */
  union {
    OP_ATTRS_OF_FAMILIES
  };
} op_attrs;

typedef struct op_def {
  const char *name, *signature, *module, *chapter, *doc;
  op_family family;
  op_rule rule;
  int outputs;
  double lo, hi, ulp;
  /* from the signature */
  int nparams, ninputs; /* arrays: array and array? parameters; -1 if it takes a list */
  size_t attrs_size;    /* bytes of op_attrs that the rows of its family reach; what a row has no parameter for is 0 */
  int key;              /* which input is the key that is drawn where none is given; -1: none */
  const op_param *params;
} op_def;

/* The row of an operation; parsed on first use, never fails for 0 <= op < OP_PUBLIC_COUNT. */
const op_def *op_get(int op);
int op_find(const char *name); /* -1 if unknown */
const char *op_name(int op);   /* of the nameless nodes too */
const op_family_def *op_family_get(int op);
/* The elementwise operation that gives one result of an ELEMENTWISE_TWO row. */
int op_of_result(int op, int output);
/* The number of a choice's value; -1 if it is none. */
int choice_find(const op_param *p, const char *name);
/* The value of that number, which does not end with a 0: *length characters. */
const char *choice_name(const op_param *p, int number, int *length);
op_class op_classify(int op); /* of the nameless nodes too */

/* Of operation d, whatever lies behind its own. */
void attrs_copy(const op_def *d, op_attrs *to, const op_attrs *from);
bool attrs_equal(const op_def *d, const op_attrs *a, const op_attrs *b);
/* As words, which are the same for equal ones; returns how many. */
enum { ATTRS_MOST_WORDS = OP_MAX_PARAMS * (2 + TME_MAX_RANK) };
int attrs_write(const op_def *d, const op_attrs *a, uint64_t words[AT_LEAST(ATTRS_MOST_WORDS)]);
/* Back from the first of n words; returns how many were taken, -1 if they are none of d. */
int attrs_read(const op_def *d, const uint64_t *words, int n, op_attrs *a);
/* The value of a parameter that is no array. */
static inline void *attrs_at(op_attrs *a, const op_param *p) { return (char *)a + p->offset; }
static inline const void *attrs_get(const op_attrs *a, const op_param *p) { return (const char *)a + p->offset; }

/* What an elementwise row's expression contains; 0 of all others. */
enum {
  TRAIT_FUNCTION = 1,     /* a mathematical function: an element costs more to compute than to load */
  TRAIT_REAL_KERNELS = 2, /* a function that kernels have of real numbers alone */
  TRAIT_POWER = 4,
  TRAIT_NEIGHBOUR = 8, /* of the dtype's own numbers */
  TRAIT_LOOP = 16      /* of as many rounds as the numbers need */
};
unsigned op_traits(int op);
static inline bool op_is_expensive(int op) { return op_traits(op) & TRAIT_FUNCTION; }

typedef struct op_rule_def {
  const char *name, *text;
  unsigned takes;
  op_gives gives;
} op_rule_def;
const op_rule_def *op_rule_get(op_rule r);

/* (Inline, for a module that has but the headers; likewise the next.) */
static inline op_number number_of_double(double v) {
  op_number n;
  n.kind = NUMBER_FLOAT;
  n.v.f = v;
  return n;
}
op_number number_of_int(int64_t v);
op_number number_of_uint(uint64_t v);
/* Rounded once. */
static inline double number_value(const op_number *n) {
  return n->kind == NUMBER_FLOAT ? n->v.f : n->kind == NUMBER_UINT ? (double)n->v.u : (double)n->v.i;
}
/* A whole number in two's complement, beyond int64 and below 0 alike. */
uint64_t number_wrapped(const op_number *n);
/* *n as NUMBER_INT or NUMBER_UINT; false if it is not whole, or has more than 64 bits. */
bool number_whole(const op_number *n, op_number *out);
/* Whether values of dtype t hold the number: of integers and booleans exactly, of floats but for rounding. */
bool number_fits(const op_number *n, tme_dtype t);
/* -1, 0, 1 as a is below, equal to or above b; 2 if one of them is NaN. */
int number_compare(const op_number *a, const op_number *b);
/* As people write it. */
void number_text(const op_number *n, char out[AT_LEAST(32)]);
/* "full: 300 does not fit in uint8" */
tme_status number_misfit(const char *op, const op_number *n, tme_dtype t, error *e);
/* As the bits of a literal (bool 0 or 1; complex: real and imaginary part), converted once, as astype does. */
void number_bits(const op_number *n, tme_dtype t, uint64_t bits[2]);
/* Bits to an element in memory. */
void literal_store(tme_dtype t, const uint64_t bits[2], void *to);
/* The same of a double; and back, as real and imaginary part. */
void literal_bits(tme_dtype t, double v, uint64_t bits[2]);
void literal_value(tme_dtype t, const uint64_t bits[2], double v[2]);
/* Bits of one dtype, which is not complex, as those of another. */
void literal_convert(tme_dtype from, tme_dtype to, uint64_t bits[2]);

/* dtype and shape of a value. `weak`: untyped, a number or a list of numbers or made of such alone. */
typedef struct op_type {
  tme_dtype dtype;
  int rank;
  bool weak;
  int64_t shape[TME_MAX_RANK];
} op_type;

int64_t type_size(const op_type *t);
bool type_same_shape(const op_type *a, const op_type *b);
/* Elements times bytes without overflow, else TME_ERR_MEMORY. */
tme_status type_check_size(const op_type *t, const char *op, error *e);
/* "(3, 4)" */
enum { SHAPE_TEXT = 22 * TME_MAX_RANK + 4 };
void type_shape_text(const op_type *t, char out[AT_LEAST(SHAPE_TEXT)]);
/* Broadcasts into *out; false if the shapes do not fit. */
bool type_broadcast(const op_type *a, const op_type *b, op_type *out);

typedef struct op_call {
  int op;
  int nin;
  const op_type *const *in; /* NULL for an optional array that is absent */
  op_attrs *attrs;          /* normalised in place; NULL for elementwise operations */
  tme_dtype default_float;
  bool
      untyped; /* arrays that are made of untyped values, or of nothing without a dtype, are untyped; else scalars alone */
  /* filled in by op_infer: what each input must be cast to before, TME_DTYPE_NONE: nothing */
  tme_dtype *cast;
} op_call;

/* Checks the call and gives the types of its outputs. Messages: "matmul: (3,4) x (5,6): inner ...". */
tme_status op_infer(op_call *c, op_type *out, error *e);
/* One per family: src/ir/families. */
typedef tme_status op_infer_fn(op_call *c, op_type *out, error *e);
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) op_infer_fn infer_##name;
#include "ops/families.def"

/* Helpers of the families. */
/* To a mask (none given: all, or none if `none_is_empty`). */
tme_status infer_axes(const op_call *c, op_axes *axes, int rank, bool none_is_empty, error *e);
/* To 0 <= axis < rank. */
tme_status infer_axis(const op_call *c, int64_t *axis, int rank, error *e);
/* The dtype to compute in when an operation needs floats: the operand's own, or the default for integers and bool. */
tme_dtype infer_float(const op_call *c, tme_dtype t);
/* The dtype that the inputs [from, to) promote to: untyped literals take the dtype of the others where their kind
 * allows. Absent inputs do not count. */
tme_dtype infer_promote(const op_call *c, int from, int to);
/* The dtype that an elementwise operation of that rule gives of operands of dtype t. */
tme_dtype infer_given(op_rule r, tme_dtype t);
/* The dtype of a sum of such elements: 64 bits wide of integers and bool. */
tme_dtype infer_sum(tme_dtype t);
/* Asks for input i in dtype t. */
void infer_want(op_call *c, int i, tme_dtype t);
/* One that exists, `none` where none is given. */
tme_status infer_dtype(const op_call *c, tme_dtype *t, tme_dtype none, error *e);
/* A shape that the caller gave: extents not negative, at most TME_MAX_RANK of them. */
/* The bounds of a slice of the first operand become those of `out`, whose shape the slice has: see families/shape.c. */
tme_status infer_bounds(op_call *c, op_list *start, op_list *stop, op_list *step, op_type *out, error *e);
/* Indices (operand 1) along an axis of the first operand: that they are whole numbers, and the axis is one. */
tme_status infer_indices(op_call *c, int64_t *axis, error *e);
/* The same, and the type of the elements that they name all along the axis, as take gives it. `what`: they, in a message. */
tme_status infer_taken(op_call *c, int64_t *axis, const char *what, op_type *out, error *e);
/* What diagonal() gives; its parameters in attrs->strided. */
tme_status infer_diagonal(op_call *c, op_type *out, error *e);
/* Updates (operand i) of part of the first operand: they broadcast to `part`, and are converted to its dtype. */
tme_status infer_updates(op_call *c, int i, const op_type *part, error *e);
tme_status infer_extents(op_call *c, const op_list *shape, op_type *out, error *e);
/* Input i is a stack of matrices, square ones if `square`: *batch has the dimensions before them, and the floating or complex
 * dtype that they are converted to. */
tme_status infer_matrices(op_call *c, int i, bool square, op_type *batch, error *e);
/* One more dimension. */
static inline void type_append(op_type *t, int64_t extent) { t->shape[t->rank++] = extent; }
/* Input 0 must be of a kind in `takes`. */
tme_status infer_takes(const op_call *c, unsigned takes, const char *words, error *e);
/* That there are elements along each of the axes: an extreme of none is no number. */
tme_status infer_not_empty(const op_call *c, uint32_t axes, error *e);
/* The shape after a reduction over the axes. */
void infer_reduced(const op_type *x, uint32_t axes, bool keepdims, op_type *out);
unsigned dtype_kind(tme_dtype t); /* its TAKES_* bit */

#endif
