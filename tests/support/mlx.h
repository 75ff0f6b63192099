/* What the documented deviations of MLX allow. */
#ifndef TME_TEST_MLX_H
#define TME_TEST_MLX_H

#include "support/matrix.h"

typedef struct mlx_deviation {
  const char *operations, *dtypes; /* names, separated by blanks */
  double ulps, factor, absolute;
  unsigned flags;
  const char *reason;
} mlx_deviation;

extern const mlx_deviation mlx_deviations[];
extern const int mlx_deviation_count;

/* Compares as compare_output does; what differs must be within a deviation of that operation and dtype. */
bool mlx_compare(const cell *c, tme_dtype t, int64_t n, const void *got, const void *want, const double *absolute,
                 double ulps, char why[static 200]);

#endif
