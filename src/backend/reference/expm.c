/* expm, in f64 throughout. */
#include "backend/reference/dense.h"
#include "backend/reference/matrices.h"

static bool exponential(const matrices *m, matrices_work *w, error *e) {
  (void)e;
  int64_t n = m->rows, *pivots = w->spare;
  dense_expm(w->t, n, w->in[0], w->out[0], (char *)(pivots + 2 * n), pivots);
  return true;
}

tme_status ref_expm(ref_call *c, error *e) {
  matrices m = matrices_of(c, exponential);
  m.small = INT64_MAX; /* LAPACK has none */
  size_t n = (size_t)m.rows, all, bytes;
  bool fits = mul_size(n, n, &all) && mul_size(all, DENSE_EXPM_SPARE * sizeof(c128), &bytes) &&
              add_size(bytes, 2 * n * sizeof(int64_t), &m.spare);
  return fits ? matrices_run(&m, e) : fail_memory(e, "expm", SIZE_MAX);
}
