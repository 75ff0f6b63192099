/* solve, solve_triangular, solve_banded: b becomes the solution. */
#include "backend/lapack.h"
#include "backend/reference/dense.h"
#include "backend/reference/lu.h"
#include <string.h>

/* Of one matrix: what a vector is too. */
static int64_t columns_of(const matrices *m) {
  const op_type *b = &m->c->in[1]->type;
  return m->dims[1] == 2 ? b->shape[b->rank - 1] : 1;
}

static void take_right_side(const matrices *m, const matrices_work *w) {
  memcpy(w->out[0], w->in[1], (size_t)(m->columns * columns_of(m)) * tme_dtype_size(w->t));
}

static bool any(const matrices *m, matrices_work *w, error *e) {
  (void)e;
  take_right_side(m, w);
  return lu_solve_with(w, m->rows, columns_of(m), w->in[0], w->spare, w->out[0]);
}

static bool triangular(const matrices *m, matrices_work *w, error *e) {
  (void)e;
  const solve_attrs *a = &m->c->attrs->solve;
  char triangle = a->upper ? 'U' : 'L';
  int info = 0;
  take_right_side(m, w);
  if (!w->lapack)
    info = !dense_triangle_solve(w->t, triangle, a->unit_diagonal, m->rows, columns_of(m), w->in[0], w->out[0]);
  else if (!lapack_triangle_solve(w->t, triangle, a->unit_diagonal, m->rows, columns_of(m), w->in[0], w->out[0], &info))
    return false;
  if (info) w->failure = lu_singular;
  return true;
}

/* What lies outside the matrix may hold anything, and becomes 0. */
static bool load_band(const matrices *m, const matrices_work *w, int64_t lower, int64_t upper, char *band) {
  int64_t n = m->columns, rows = m->rows, ld = rows + lower;
  size_t size = tme_dtype_size(w->t);
  memset(band, 0, (size_t)(ld * n) * size);
  for (int64_t j = 0; j < n; j++) {
    int64_t first = j < upper ? upper - j : 0, end = n - j < lower + 1 ? upper + n - j : rows;
    const char *from = (const char *)w->in[0] + (size_t)(j * rows + first) * size;
    if (!matrices_finite(w->t, from, end - first)) return false;
    memcpy(band + (size_t)(j * ld + lower + first) * size, from, (size_t)(end - first) * size);
  }
  return true;
}

static bool banded(const matrices *m, matrices_work *w, error *e) {
  (void)e;
  int64_t lower = m->c->attrs->solve.below, upper = m->c->attrs->solve.above, n = m->columns, *pivots = w->spare;
  char *band = (char *)(pivots + n);
  int info = 0;
  take_right_side(m, w);
  if (!load_band(m, w, lower, upper, band)) {
    w->failure = "the matrix holds NaN or infinity";
    return true;
  }
  if (!w->lapack)
    info = !dense_banded_solve(w->t, n, lower, upper, columns_of(m), band, w->out[0]);
  else if (!lapack_banded_solve(w->t, n, lower, upper, columns_of(m), band, w->spare, w->out[0], &info))
    return false;
  if (info) w->failure = lu_singular;
  return true;
}

tme_status ref_solve(ref_call *c, error *e) {
  matrices m = matrices_of(c, c->op == OP_solve ? any : c->op == OP_solve_triangular ? triangular : banded);
  if (c->in[1]->type.rank == 1) m.dims[1] = 1;
  m.any = c->op != OP_solve;
  m.small = LU_SMALL;
  size_t rows = 1, bytes;
  if (c->op == OP_solve_banded) {
    rows = (size_t)(m.rows + c->attrs->solve.below);
    m.small = 0;
  }
  /* the pivots, and a band with its fill-in */
  bool fits = mul_size((size_t)m.columns, rows, &bytes) && mul_size(bytes, sizeof(c128), &bytes) &&
              add_size(bytes, (size_t)m.columns * sizeof(int64_t), &m.spare);
  return fits ? matrices_run(&m, e) : fail_memory(e, op_name(c->op), SIZE_MAX);
}
