/* The singular value decomposition by rotations, without a library. */
#ifndef TME_SVD_JACOBI_H
#define TME_SVD_JACOBI_H

#include "base/base.h"

typedef struct svd_matrix {
  bool is_complex; /* elements are two doubles */
  int64_t m, n;
  int64_t u_columns, vt_rows; /* min(m, n), or m and n: the bases are completed */
  const double *a;            /* m x n, row-major, finite */
  double *u, *s, *vt;         /* row-major; u and vt NULL: values only */
} svd_matrix;

/* *converged false: the outputs are of no use. Fails when out of memory. */
tme_status svd_jacobi(const svd_matrix *x, bool *converged, error *e);

#endif
