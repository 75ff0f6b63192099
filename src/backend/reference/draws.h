/* What kernels that draw numbers have in common. */
#ifndef TME_REF_DRAWS_H
#define TME_REF_DRAWS_H

#include "backend/reference/reference.h"
#include "base/threefry.h"

random_key key_at(const ref_array *key);

/* What the elements of a parameter must be. */
typedef struct draw_range {
  double least, most;
  bool open, whole;  /* least itself is not allowed; whole numbers */
  const char *words; /* "expected ..." */
} draw_range;

/* Element by element: the first one outside is an error that names it. x is of f64. */
tme_status check_range(const char *op, const char *name, const ref_array *x, const draw_range *r, error *e);
/* n probabilities: not negative, and together 1 as exactly as numbers of the dtype that they were given in add up. */
tme_status check_probabilities(const char *op, const double *p, int64_t n, tme_dtype given, error *e);

#endif
