#include "backend/reference/lu.h"
#include "backend/lapack.h"
#include "backend/reference/dense.h"
#include <string.h>

const char lu_singular[] = "the matrix is singular";

bool lu_make(const matrices_work *w, int64_t rows, int64_t columns, void *a, int64_t *pivots, bool *regular) {
  if (!w->lapack) {
    *regular = dense_lu(w->t, rows, columns, a, pivots);
    return true;
  }
  int info = 0;
  if (!lapack_lu(w->t, rows, columns, a, (int *)(void *)pivots, &info)) return false;
  /* From the last one on: a wide pivot takes the place of narrow ones that are behind it. */
  for (int64_t i = (rows < columns ? rows : columns) - 1; i >= 0; i--) {
    int narrow;
    memcpy(&narrow, (const char *)pivots + (size_t)i * sizeof narrow, sizeof narrow);
    int64_t wide = narrow - 1;
    memcpy(pivots + i, &wide, sizeof wide);
  }
  *regular = info == 0;
  return true;
}

bool lu_solve_with(matrices_work *w, int64_t n, int64_t columns, void *a, int64_t *pivots, void *b) {
  if (w->lapack) {
    int info = 0, *narrow = (int *)(void *)pivots;
    if (!lapack_lu(w->t, n, n, a, narrow, &info)) return false;
    if (info) w->failure = lu_singular;
    return info || lapack_lu_solve(w->t, n, columns, a, narrow, b);
  }
  if (dense_lu(w->t, n, n, a, pivots))
    dense_lu_solve(w->t, n, columns, a, pivots, b);
  else
    w->failure = lu_singular;
  return true;
}
