/* Stacks of matrices: each is loaded in the dtype that LAPACK or the own function computes in, handed to the operation's
 * function, and its results are stored; over the threads. */
#ifndef TME_REF_MATRICES_H
#define TME_REF_MATRICES_H

#include "backend/reference/reference.h"

enum { MATRICES_IN = 2, MATRICES_OUT = 3 };

/* One matrix of each operand and result. */
typedef struct matrices_work {
  tme_dtype t;             /* of the operands here: F32, F64, C64, C128 */
  bool lapack;             /* by LAPACK; else by the own function, and t is F64 or C128 */
  void *in[MATRICES_IN];   /* column-major, for the function to destroy */
  void *out[MATRICES_OUT]; /* likewise; of integers int64 */
  void *spare;
  const char *failure; /* set (static text) where there is no result: NaN is stored */
} matrices_work;

typedef struct matrices matrices;
/* False if LAPACK lacks what it takes: then it is called again, for the own function. */
typedef bool matrices_fn(const matrices *m, matrices_work *w, error *e);

struct matrices {
  ref_call *c;
  matrices_fn *one;
  int dims[MATRICES_IN]; /* the operand's last dimensions that are one matrix: 2, or 1 of vectors */
  int64_t rows, columns; /* of the first operand */
  int64_t small;         /* where neither is larger the own function is faster than LAPACK's */
  size_t spare;          /* bytes of a work's `spare` */
  bool row_major;        /* in place of column-major */
  bool any;              /* also of NaN and infinity in the first operand; else that is a failure */
  char
      triangle; /* 'L' or 'U': the first operand's other triangle is not read, but that of a Hermitian matrix; else 0 */
};

/* The operands' batch dimensions broadcast to those of the first result. */
matrices matrices_of(ref_call *c, matrices_fn *one);
tme_status matrices_run(matrices *m, error *e);

/* Of a column-major matrix the triangle 'L' or 'U' stays, the elements beyond it become 0. */
void matrices_clear(tme_dtype t, char triangle, int64_t rows, int64_t columns, void *a);
bool matrices_finite(tme_dtype t, const void *a, int64_t n);

#endif
