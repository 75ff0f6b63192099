/* inv, tri_inv: the solutions for the columns of the identity. */
#include "backend/lapack.h"
#include "backend/reference/dense.h"
#include "backend/reference/lu.h"
#include <string.h>

static void identity(tme_dtype t, int64_t n, void *to) {
  static const float single = 1;
  static const double one = 1;
  size_t size = tme_dtype_size(t);
  memset(to, 0, (size_t)(n * n) * size);
  for (int64_t i = 0; i < n; i++)
    memcpy((char *)to + (size_t)(i * n + i) * size, dtype_real(t) == TME_F64 ? (const void *)&one : &single,
           tme_dtype_size(dtype_real(t)));
}

static bool inv(const matrices *m, matrices_work *w, error *e) {
  (void)e;
  identity(w->t, m->rows, w->out[0]);
  return lu_solve_with(w, m->rows, m->rows, w->in[0], w->spare, w->out[0]);
}

static bool triangle(const matrices *m, matrices_work *w, error *e) {
  (void)e;
  int64_t n = m->rows;
  char which = m->c->attrs->inverse.upper ? 'U' : 'L';
  int info = 0;
  if (w->lapack) {
    memcpy(w->out[0], w->in[0], (size_t)(n * n) * tme_dtype_size(w->t));
    if (!lapack_triangle_inverse(w->t, which, n, w->out[0], &info)) return false;
    matrices_clear(w->t, which, n, n, w->out[0]);
  } else {
    identity(w->t, n, w->out[0]);
    info = !dense_triangle_solve(w->t, which, false, n, n, w->in[0], w->out[0]);
  }
  if (info) w->failure = lu_singular;
  return true;
}

tme_status ref_inverse(ref_call *c, error *e) {
  bool whole = c->op == OP_inv;
  matrices m = matrices_of(c, whole ? inv : triangle);
  m.spare = (size_t)m.rows * sizeof(int64_t);
  m.small = LU_SMALL;
  m.any = !whole; /* the other triangle may hold anything */
  return matrices_run(&m, e);
}
