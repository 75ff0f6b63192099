/* What an index names of an array, by NumPy's rules: for reading it (get.c) and for replacing it (put.c). */
#ifndef TME_INDEX_H
#define TME_INDEX_H

#include "array/scope.h"

enum { INDEX_MOST = 64 }; /* entries of an index */

/* An array of the index. */
typedef struct index_pick {
  tme_array *given;
  tme_array *places; /* whole numbers: `given`, or what index_places makes of a mask; of one without axes none */
  int axis, span;    /* the axes that it takes as one, `span` of what is cut from `axis` on; 0 of a mask without axes */
} index_pick;

/* The axes of the result, beside the number of one of what is cut. */
enum { INDEX_NEW = -1, INDEX_ARRAYS = -2 };

typedef struct index_plan {
  /* First x is cut: a slice along each axis, of one element where a whole number drops it. */
  bool whole; /* nothing is cut off */
  int64_t start[TME_MAX_RANK], stop[TME_MAX_RANK], step[TME_MAX_RANK];
  op_type sliced, cut;    /* with the axes that are dropped and without */
  int axis[TME_MAX_RANK]; /* of x, for each one of `cut` */
  /* Then arrays pick from it. */
  int npicks;
  index_pick pick[INDEX_MOST];
  int first, last; /* the first and the last axis of `cut` that an array stands for; -1 */
  op_type common;  /* the arrays' shapes, broadcast: after index_places */
  bool in_front;   /* their axes are in front, else where the arrays stood */
  /* The axes of the result: of `cut`, INDEX_NEW, or INDEX_ARRAYS for those of the arrays together. */
  int n, at[INDEX_MOST + TME_MAX_RANK];
} index_plan;

/* Checks the index; evaluates nothing. False with an error in the scope. */
bool index_read(tme_scope *s, tme_array *x, const tme_index *ix, int n, index_plan *p);
/* The slices and whole numbers alone, the result having n axes of `at`: of `cut`, or INDEX_NEW. A view, if x is computed; it
 * may be x itself. NULL with an error in the scope. */
tme_array *index_cut(tme_scope *s, tme_array *x, const index_plan *p, const int *at, int n);

/* index_arrays.c */
/* Evaluates the masks; what they become belongs to the scope. False with an error there. */
bool index_places(tme_scope *own, index_plan *p);
/* The result's shape. False with an error in the scope if it has too many dimensions. */
bool index_result(tme_scope *s, const index_plan *p, op_type *out);
/* The shape of what is cut where the axes from `first` to `last` are one. */
op_type index_merged(const index_plan *p);
/* Whole numbers that name in that axis what the arrays do: they have the axes that the arrays have together, then those of the
 * slices between arrays. Not without an axis (first < 0). NULL with an error in the scope. */
tme_array *index_linear(tme_scope *own, const index_plan *p);

#endif
