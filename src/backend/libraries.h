/* CBLAS and LAPACK, opened at run time (OpenBLAS or the system's LAPACK); all absent is fine. */
#ifndef TME_LIBRARIES_H
#define TME_LIBRARIES_H

#include "base/base.h"

typedef struct libraries {
  const char *name; /* "openblas 0.3.21, core Zen", "" if there is none */
  const char *slow; /* why its products are far slower than the processor allows, "" if they are not */
  /* Fortran LAPACK: divide-and-conquer SVD */
  void (*sgesdd)(const char *, const int *, const int *, float *, const int *, float *, float *, const int *, float *,
                 const int *, float *, const int *, int *, int *, size_t);
  void (*dgesdd)(const char *, const int *, const int *, double *, const int *, double *, double *, const int *,
                 double *, const int *, double *, const int *, int *, int *, size_t);
  void (*cgesdd)(const char *, const int *, const int *, void *, const int *, float *, void *, const int *, void *,
                 const int *, void *, const int *, float *, int *, int *, size_t);
  void (*zgesdd)(const char *, const int *, const int *, void *, const int *, double *, void *, const int *, void *,
                 const int *, void *, const int *, double *, int *, int *, size_t);
  void (*sgemm)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
  void (*dgemm)(int, int, int, int, int, int, double, const double *, int, const double *, int, double, double *, int);
} libraries;

/* Opened once per process, RTLD_LOCAL, set to one thread of their own. Missing functions are NULL. NULL where they may not be
 * used: the process is ending, or was forked while another thread used them; else libraries_leave() follows the last call. */
const libraries *libraries_use(void);
void libraries_leave(void);

/* The SVD of one row-major matrix through LAPACK (real or complex, f32 or f64). jobz: 'A' full, 'S' thin, 'N' values
 * only. `a` is destroyed; u is m x (m or k), vt (n or k) x n, row-major, k = min(m, n). Returns false if there is no LAPACK.
 * *converged false: the outputs hold NaN. */
bool lapack_svd(tme_dtype t, char jobz, int64_t m, int64_t n, void *a, void *u, void *s, void *vt, bool *converged,
                error *e);

#endif
