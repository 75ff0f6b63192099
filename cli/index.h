/* The places of an index. */
#ifndef CLI_INDEX_H
#define CLI_INDEX_H

#include "eval.h"

typedef enum place_kind { PLACE_SLICE, PLACE_INT, PLACE_NEW, PLACE_ARRAY } place_kind;

typedef struct place {
  place_kind kind;
  size_t at;
  int64_t start, stop, step; /* slice; a whole number in start */
  tme_array *array;          /* whole numbers */
  int64_t extent;            /* of the axis, if a mask asks for one, else -1 */
} place;

/* The places of the true elements, an array an axis of the mask. Evaluates it. */
bool read_mask(interp *in, tme_array *mask, size_t at, place *p, int *count);
/* The elements that the arrays name together; `a` has the axes of the slices and arrays. The arrays' axes, whose number is
 * *rank, are put where the first array stood, or in front. NULL with a problem. */
tme_array *gather(interp *in, tme_array *a, const place *places, int n, bool first, int *rank);

#endif
