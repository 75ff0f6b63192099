/* qr, lu, lu_factor, cholesky. */
#include "backend/lapack.h"
#include "backend/reference/dense.h"
#include "backend/reference/lu.h"
#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The first rows of a's columns, up to the diagonal, and zeros below it. */
static void upper_part(tme_dtype t, int64_t rows, int64_t columns, const void *a, int64_t a_rows, void *to) {
  size_t size = tme_dtype_size(t);
  for (int64_t j = 0; j < columns; j++)
    memcpy((char *)to + (size_t)(j * rows) * size, (const char *)a + (size_t)(j * a_rows) * size, (size_t)rows * size);
  matrices_clear(t, 'U', rows, columns, to);
}

static bool qr(const matrices *m, matrices_work *w, error *e) {
  int64_t rows = m->rows, columns = m->columns, k = least(rows, columns);
  int64_t basis = m->c->attrs->factor.mode == FACTOR_MODE_COMPLETE ? rows : k;
  if (!w->lapack)
    dense_qr(w->t, rows, columns, w->in[0], w->spare);
  else if (!lapack_qr(w->t, rows, columns, w->in[0], w->spare, e))
    return false;
  if (e->code != TME_OK) return true;
  memcpy(w->out[0], w->in[0], (size_t)(rows * k) * tme_dtype_size(w->t));
  upper_part(w->t, basis, columns, w->in[0], rows, w->out[1]);
  if (!w->lapack) dense_qr_basis(w->t, rows, basis, k, w->out[0], w->spare);
  return !w->lapack || lapack_qr_basis(w->t, rows, basis, k, w->out[0], w->spare, e);
}

/* The order in which l's rows are those of the matrix: the swaps from the last to the first. */
static void order_of(int64_t *swaps, int64_t k, int64_t *order, int64_t rows) {
  for (int64_t i = 0; i < rows; i++) order[i] = i;
  while (k--) {
    int64_t x = order[k];
    order[k] = order[swaps[k]];
    order[swaps[k]] = x;
  }
}

/* Ones on the diagonal, and what lies below it. */
static void lower_part(tme_dtype t, int64_t rows, int64_t columns, const void *a, void *to) {
  static const float single = 1;
  static const double one = 1;
  size_t size = tme_dtype_size(t);
  memcpy(to, a, (size_t)(rows * columns) * size);
  matrices_clear(t, 'L', rows, columns, to);
  for (int64_t i = 0; i < columns; i++) {
    char *diagonal = (char *)to + (size_t)(i * rows + i) * size;
    memset(diagonal, 0, size);
    memcpy(diagonal, dtype_real(t) == TME_F64 ? (const void *)&one : &single, tme_dtype_size(dtype_real(t)));
  }
}

static bool lu(const matrices *m, matrices_work *w, error *e) {
  (void)e;
  int64_t rows = m->rows, columns = m->columns, k = least(rows, columns);
  bool regular, packed = m->c->op == OP_lu_factor;
  if (!lu_make(w, rows, columns, w->in[0], packed ? w->out[1] : w->spare, &regular)) return false;
  if (packed) {
    memcpy(w->out[0], w->in[0], (size_t)(rows * columns) * tme_dtype_size(w->t));
    return true;
  }
  order_of(w->spare, k, w->out[0], rows);
  lower_part(w->t, rows, k, w->in[0], w->out[1]);
  upper_part(w->t, k, columns, w->in[0], rows, w->out[2]);
  return true;
}

/* In place of L its conjugate transpose: of reals, or of pairs of them. */
static void transpose(tme_dtype t, int64_t n, const double *a, double *to) {
  int parts = dtype_is_complex(t) ? 2 : 1;
  for (int64_t j = 0; j < n; j++)
    for (int64_t i = 0; i < n; i++) {
      to[(i * n + j) * parts] = a[(j * n + i) * parts];
      if (parts == 2) to[(i * n + j) * parts + 1] = -a[(j * n + i) * parts + 1];
    }
}

static bool cholesky(const matrices *m, matrices_work *w, error *e) {
  (void)e;
  int64_t n = m->rows;
  int info = 0;
  if (w->lapack) {
    if (!lapack_cholesky(w->t, m->triangle, n, w->in[0], &info)) return false;
    memcpy(w->out[0], w->in[0], (size_t)(n * n) * tme_dtype_size(w->t));
  } else {
    info = !dense_cholesky(w->t, n, w->in[0]);
    if (m->triangle == 'U')
      transpose(w->t, n, w->in[0], w->out[0]);
    else
      memcpy(w->out[0], w->in[0], (size_t)(n * n) * tme_dtype_size(w->t));
  }
  matrices_clear(w->t, m->triangle, n, n, w->out[0]);
  if (info) w->failure = "the matrix is not positive definite";
  return true;
}

tme_status ref_factor(ref_call *c, error *e) {
  matrices m = matrices_of(c, c->op == OP_qr ? qr : c->op == OP_cholesky ? cholesky : lu);
  m.spare = (size_t)least(m.rows, m.columns) * sizeof(c128);
  m.small = c->op == OP_qr ? 4 : LU_SMALL;
  if (c->op == OP_cholesky) m.triangle = c->attrs->factor.upper ? 'U' : 'L';
  return matrices_run(&m, e);
}
