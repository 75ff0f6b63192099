/* svd, svdvals: LAPACK's divide and conquer where it may be used, else Jacobi rotations in f64. */
#include "backend/lapack.h"
#include "backend/reference/matrices.h"
#include "backend/reference/svd_jacobi.h"

/* Row-major A is column-major A' = conj(V) S U': LAPACK's u is our vt and its vt our u, as they lie in memory. */
static bool factor(const matrices *m, matrices_work *w, error *e) {
  bool vectors = m->c->op == OP_svd, full = vectors && m->c->attrs->svd.full_matrices, converged = true;
  int64_t k = m->rows < m->columns ? m->rows : m->columns;
  void *u = vectors ? w->out[0] : NULL, *s = w->out[vectors ? 1 : 0], *vt = vectors ? w->out[2] : NULL;
  int info = 0;
  if (w->lapack) {
    char job = !vectors ? 'N' : full && m->rows != m->columns ? 'A' : 'S';
    if (!lapack_svd(w->t, job, m->columns, m->rows, w->in[0], vt, s, u, &info, e)) return false;
  } else {
    svd_matrix x = {
        dtype_is_complex(w->t), m->rows, m->columns, full ? m->rows : k, full ? m->columns : k, w->in[0], u, s, vt};
    svd_jacobi(&x, &converged, e);
  }
  if (info || !converged) w->failure = "the singular values did not converge";
  return true;
}

tme_status ref_svd(ref_call *c, error *e) {
  matrices m = matrices_of(c, factor);
  m.row_major = true;
  return matrices_run(&m, e);
}
