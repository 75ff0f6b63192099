/* eigh, eigvalsh, eig, eigvals. */
#include "backend/lapack.h"
#include "backend/reference/dense.h"
#include "backend/reference/matrices.h"
#include <string.h>

static const char no_convergence[] = "the eigenvalues did not converge";

static bool hermitian(const matrices *m, matrices_work *w, error *e) {
  int64_t n = m->rows;
  bool vectors = m->c->op == OP_eigh, converged = true;
  int info = 0;
  if (w->lapack) {
    if (!lapack_eigh(w->t, vectors, m->triangle, n, w->in[0], w->out[0], &info, e)) return false;
    if (vectors) memcpy(w->out[1], w->in[0], (size_t)(n * n) * tme_dtype_size(w->t));
  } else {
    dense_eigh(w->t, n, w->in[0], w->out[0], vectors ? w->out[1] : NULL, &converged, e);
  }
  if (info || !converged) w->failure = no_convergence;
  return true;
}

static bool any(const matrices *m, matrices_work *w, error *e) {
  void *vectors = m->c->op == OP_eig ? w->out[1] : NULL;
  bool converged = true;
  int info = 0;
  if (!w->lapack)
    dense_eig(w->t, m->rows, w->in[0], w->out[0], vectors, &converged, e);
  else if (!lapack_eig(w->t, m->rows, w->in[0], w->out[0], vectors, &info, e))
    return false;
  if (info || !converged) w->failure = no_convergence;
  return true;
}

tme_status ref_eigen(ref_call *c, error *e) {
  bool is_hermitian = c->op == OP_eigh || c->op == OP_eigvalsh;
  matrices m = matrices_of(c, is_hermitian ? hermitian : any);
  if (is_hermitian) m.triangle = c->attrs->eigen.uplo == EIGEN_UPLO_U ? 'U' : 'L';
  return matrices_run(&m, e);
}
