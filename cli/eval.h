/* Evaluating the expression language over lazy arrays. */
#ifndef CLI_EVAL_H
#define CLI_EVAL_H

#include "expr.h"

typedef enum value_kind {
  VALUE_NONE,
  VALUE_BOOL,
  VALUE_INT,
  VALUE_UINT, /* beyond int64 */
  VALUE_FLOAT,
  VALUE_DTYPE,
  VALUE_TEXT,
  VALUE_ARRAY,
  VALUE_LIST, /* [a, b] */
  VALUE_TUPLE /* a, b; also several results of an operation */
} value_kind;

typedef struct value {
  value_kind kind;
  union {
    bool b;
    int64_t i;
    uint64_t u;
    double f;
    tme_dtype dtype;
    const char *text; /* ends with 0 */
    tme_array *array;
    struct {
      struct value *items;
      int n;
    } list;
  } u;
} value;

typedef struct variable {
  struct variable *next;
  const char *name; /* not terminated */
  size_t len;
  value value;
} variable;

typedef struct interp {
  tme_scope *scope;
  arena *memory;
  problem *problem;
  variable *variables;
} interp;

/* Evaluates the statements; the value of the last one goes to *out. Only what a parameter needs is computed. */
bool eval_program(interp *in, const statement *program, value *out);
bool eval_node(interp *in, const node *n, value *out);
bool interp_set(interp *in, const char *name, size_t len, value v);
const value *interp_get(const interp *in, const char *name, size_t len);

/* values.c */
const char *value_kind_name(value_kind k); /* "a list" */
bool value_is_plain(const value *v);       /* a number or truth value */
bool value_is_complex(const value *v);     /* a complex number without a dtype, which is an array */
value value_of_uint(uint64_t u);           /* VALUE_INT where that holds it */
/* Numbers and lists of numbers become untyped arrays. NULL with a problem at `at`, which says that `what` was expected there. */
tme_array *value_array(interp *in, const value *v, size_t at, const char *what);
/* Arrays with one element are evaluated. */
bool value_int(interp *in, const value *v, size_t at, const char *what, int64_t *out);
bool value_float(interp *in, const value *v, size_t at, const char *what, double *out);
/* A number for a parameter of that kind; whole ones keep their 64 bits. */
bool value_number(interp *in, const value *v, size_t at, const char *what, tme_arg *out);
bool value_text(interp *in, const value *v, size_t at, const char *what, const char **out);
bool value_bool(interp *in, const value *v, size_t at, const char *what, bool *out);
/* A bound that was given: the number itself, or its neighbour, as far outside of any array, if it is what the engine takes
 * for one that was not. */
int64_t value_beside_none(int64_t v);
/* One whole number or a list of them; `none` stands for none inside the list, where allowed (else pass NULL). */
bool value_ints(interp *in, const value *v, size_t at, const char *what, const int64_t *none, int64_t **out, int *n);
value value_of_array(tme_array *a);
value *new_values(interp *in, size_t n);
/* The scope's first error as the problem at `at`. */
bool engine_problem(interp *in, size_t at);

/* fold.c: operators between plain numbers, as Python's. False if it leaves the case to the engine. */
bool fold_binary(operator_id op, const value *a, const value *b, value *out);
bool fold_unary(operator_id op, const value *a, value *out);

/* call.c */
/* Applies an operation by name to arrays alone. */
bool apply_arrays(interp *in, const char *op, tme_array *const *arrays, int n, size_t at, value *out);
bool eval_call(interp *in, const node *call, value *out);

/* index.c */
bool eval_index(interp *in, const value *v, const node *index, value *out);

/* suggest.c */
/* Of the candidates offered, the one nearest to a word that is not among them. */
typedef struct suggestion {
  const char *word;
  size_t len;
  int distance;
  char best[64];
} suggestion;
void suggest_begin(suggestion *s, const char *word, size_t len);
void suggest_offer(suggestion *s, const char *candidate, size_t len);
void suggest_operations(suggestion *s);
/* "; did you mean 'gelu'?", or "" if nothing is near. */
const char *suggest_text(suggestion *s);

#endif
