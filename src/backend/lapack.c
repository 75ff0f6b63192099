#include "backend/lapack.h"
#include "backend/libraries.h"
#include <limits.h>
#include <math.h>

/* Work space is what the documentation asks for, with a block of columns where more makes it faster. */
enum { BLOCK = 64 };

/* Calls a function of those for the dtype as LAPACK(name)(...), if it is there. */
#define LAPACK(name) (*(l->name[dtype_real(t) == TME_F64]))
#define HAS(name) (l->name[dtype_real(t) == TME_F64] != NULL)
#define CALL_BOTH(name, ...)                                                                                           \
  const libraries *l = fits(largest) ? libraries_use() : NULL;                                                         \
  if (!l) return false;                                                                                                \
  bool is_complex = dtype_is_complex(t), there = is_complex ? HAS(complex_##name) : HAS(real_##name);                  \
  if (there && is_complex)                                                                                             \
    LAPACK(complex_##name)(__VA_ARGS__);                                                                               \
  else if (there)                                                                                                      \
    LAPACK(real_##name)(__VA_ARGS__);                                                                                  \
  libraries_leave();                                                                                                   \
  return there;

static bool fits(double size) { return size <= INT_MAX; }

static double most(int64_t a, int64_t b) { return a > b ? (double)a : (double)b; }

/* No array without elements has a leading dimension of 0. */
static int leading(int64_t n) { return n > 1 ? (int)n : 1; }

bool lapack_lu(tme_dtype t, int64_t m, int64_t n, void *a, int *pivots, int *info) {
  double largest = most(m, n);
  int rows = (int)m, columns = (int)n, lda = leading(m);
  CALL_BOTH(getrf, &rows, &columns, a, &lda, pivots, info)
}

bool lapack_lu_solve(tme_dtype t, int64_t n, int64_t columns, const void *a, const int *pivots, void *b) {
  double largest = most(n, columns);
  int rows = (int)n, count = (int)columns, lda = leading(n), info;
  CALL_BOTH(getrs, "N", &rows, &count, a, &lda, pivots, b, &lda, &info, 1)
}

bool lapack_banded_solve(tme_dtype t, int64_t n, int64_t lower, int64_t upper, int64_t columns, void *ab, int *pivots,
                         void *b, int *info) {
  double largest = fmax(most(n, columns), 2 * (double)lower + (double)upper + 1);
  int rows = (int)n, kl = (int)lower, ku = (int)upper, count = (int)columns, ldb = leading(n);
  int ldab = (int)(2 * lower + upper + 1);
  CALL_BOTH(gbsv, &rows, &kl, &ku, &count, ab, &ldab, pivots, b, &ldb, info)
}

bool lapack_cholesky(tme_dtype t, char triangle, int64_t n, void *a, int *info) {
  double largest = (double)n;
  int rows = (int)n, lda = leading(n);
  CALL_BOTH(potrf, &triangle, &rows, a, &lda, info, 1)
}

bool lapack_triangle_inverse(tme_dtype t, char triangle, int64_t n, void *a, int *info) {
  double largest = (double)n;
  int rows = (int)n, lda = leading(n);
  CALL_BOTH(trtri, &triangle, "N", &rows, a, &lda, info, 1, 1)
}

bool lapack_triangle_solve(tme_dtype t, char triangle, bool unit, int64_t n, int64_t columns, const void *a, void *b,
                           int *info) {
  double largest = most(n, columns);
  int rows = (int)n, count = (int)columns, lda = leading(n);
  CALL_BOTH(trtrs, &triangle, "N", unit ? "U" : "N", &rows, &count, a, &lda, b, &lda, info, 1, 1, 1)
}

static void *work_space(double elements, size_t size, error *e) {
  void *work = mem_alloc((size_t)elements * size);
  if (!work) fail_memory(e, "the work space of LAPACK", (size_t)elements * size);
  return work;
}

bool lapack_qr(tme_dtype t, int64_t m, int64_t n, void *a, void *tau, error *e) {
  double largest = fmax((double)m, (double)n * BLOCK);
  const libraries *l = fits(largest) ? libraries_use() : NULL;
  if (!l) return false;
  bool is_complex = dtype_is_complex(t), there = is_complex ? HAS(complex_geqrf) : HAS(real_geqrf);
  int rows = (int)m, columns = (int)n, lda = leading(m), lwork = (int)n * BLOCK, info;
  void *work = there ? work_space(lwork, tme_dtype_size(t), e) : NULL;
  if (work && is_complex) LAPACK(complex_geqrf)(&rows, &columns, a, &lda, tau, work, &lwork, &info);
  if (work && !is_complex) LAPACK(real_geqrf)(&rows, &columns, a, &lda, tau, work, &lwork, &info);
  mem_free(work);
  libraries_leave();
  return there;
}

bool lapack_qr_basis(tme_dtype t, int64_t m, int64_t columns, int64_t k, void *a, const void *tau, error *e) {
  double largest = fmax((double)m, (double)columns * BLOCK);
  const libraries *l = fits(largest) ? libraries_use() : NULL;
  if (!l) return false;
  bool is_complex = dtype_is_complex(t), there = is_complex ? HAS(complex_ungqr) : HAS(real_orgqr);
  int rows = (int)m, n = (int)columns, reflections = (int)k, lda = leading(m), lwork = (int)columns * BLOCK, info;
  void *work = there ? work_space(lwork, tme_dtype_size(t), e) : NULL;
  if (work && is_complex) LAPACK(complex_ungqr)(&rows, &n, &reflections, a, &lda, tau, work, &lwork, &info);
  if (work && !is_complex) LAPACK(real_orgqr)(&rows, &n, &reflections, a, &lda, tau, work, &lwork, &info);
  mem_free(work);
  libraries_leave();
  return there;
}

bool lapack_eigh(tme_dtype t, bool vectors, char triangle, int64_t n, void *a, void *w, int *info, error *e) {
  double size = (double)n, square = vectors ? 2 * size * size : 0, largest = 1 + (6 + BLOCK) * size + square;
  const libraries *l = fits(largest) ? libraries_use() : NULL;
  if (!l) return false;
  bool is_complex = dtype_is_complex(t), there = is_complex ? HAS(complex_heevd) : HAS(real_syevd);
  int rows = (int)n, lda = leading(n), lwork = (int)largest, lrwork = is_complex ? lwork : 0, liwork = 3 + 5 * rows;
  size_t real = tme_dtype_size(dtype_real(t)), element = tme_dtype_size(t);
  const char *job = vectors ? "V" : "N";
  char *work =
      there ? work_space((double)liwork * sizeof(int) + lrwork * (double)real + lwork * (double)element, 1, e) : NULL;
  char *rwork = work ? work + (size_t)lwork * element : NULL;
  int *iwork = work ? (int *)(void *)(rwork + (size_t)lrwork * real) : NULL;
  if (work && is_complex)
    LAPACK(complex_heevd)(job, &triangle, &rows, a, &lda, w, work, &lwork, rwork, &lrwork, iwork, &liwork, info, 1, 1);
  if (work && !is_complex)
    LAPACK(real_syevd)(job, &triangle, &rows, a, &lda, w, work, &lwork, iwork, &liwork, info, 1, 1);
  mem_free(work);
  libraries_leave();
  return there;
}

/* Real matrices: real and imaginary parts apart, and for a pair of conjugates the parts of one vector side by side. */
#define COMPLEX_RESULTS(name, REAL)                                                                                    \
  static void name(int64_t n, const REAL *re, const REAL *im, const REAL *x, REAL *w, REAL *v) {                       \
    for (int64_t j = 0; j < n; j++) {                                                                                  \
      w[2 * j] = re[j];                                                                                                \
      w[2 * j + 1] = im[j];                                                                                            \
    }                                                                                                                  \
    for (int64_t j = 0; v && j < n; j++) {                                                                             \
      bool first = im[j] > 0, second = im[j] < 0;                                                                      \
      const REAL *real_part = x + (second ? j - 1 : j) * n, *imaginary = x + (first ? j + 1 : j) * n;                  \
      for (int64_t i = 0; i < n; i++) {                                                                                \
        v[2 * (j * n + i)] = real_part[i];                                                                             \
        v[2 * (j * n + i) + 1] = first ? imaginary[i] : second ? -imaginary[i] : 0;                                    \
      }                                                                                                                \
    }                                                                                                                  \
  }

COMPLEX_RESULTS(complex_results_f32, float)
COMPLEX_RESULTS(complex_results_f64, double)

static bool eig_real(const libraries *l, tme_dtype t, int64_t n, void *a, void *w, void *v, int *info, error *e) {
  if (!HAS(real_geev)) return false;
  int rows = (int)n, lda = leading(n), one = 1, lwork = (4 + BLOCK) * rows;
  size_t size = tme_dtype_size(t);
  char *work = work_space((double)lwork + 2 * (double)n + (v ? (double)n * (double)n : 0), size, e);
  if (!work) return true;
  char *re = work + (size_t)lwork * size, *im = re + (size_t)n * size, *vectors = im + (size_t)n * size;
  LAPACK(real_geev)
  ("N", v ? "V" : "N", &rows, a, &lda, re, im, NULL, &one, v ? vectors : NULL, v ? &lda : &one, work, &lwork, info, 1,
   1);
  const void *r = re, *i = im, *x = vectors;
  if (*info == 0 && t == TME_F32) complex_results_f32(n, r, i, x, w, v);
  if (*info == 0 && t == TME_F64) complex_results_f64(n, r, i, x, w, v);
  mem_free(work);
  return true;
}

static bool eig_complex(const libraries *l, tme_dtype t, int64_t n, void *a, void *w, void *v, int *info, error *e) {
  if (!HAS(complex_geev)) return false;
  int rows = (int)n, lda = leading(n), one = 1, lwork = (2 + BLOCK) * rows;
  size_t size = tme_dtype_size(t);
  char *work = work_space((double)lwork + (double)n, size, e); /* 2 n reals are n elements */
  if (!work) return true;
  LAPACK(complex_geev)
  ("N", v ? "V" : "N", &rows, a, &lda, w, NULL, &one, v, v ? &lda : &one, work, &lwork, work + (size_t)lwork * size,
   info, 1, 1);
  mem_free(work);
  return true;
}

bool lapack_eig(tme_dtype t, int64_t n, void *a, void *w, void *v, int *info, error *e) {
  const libraries *l = fits((4 + BLOCK) * (double)n) ? libraries_use() : NULL;
  if (!l) return false;
  bool there = (dtype_is_complex(t) ? eig_complex : eig_real)(l, t, n, a, w, v, info, e);
  libraries_leave();
  return there;
}

/* What gesdd takes. */
typedef struct gesdd {
  tme_dtype t;
  char job;
  int m, n, ldu, ldvt;
  void *a, *u, *s, *vt, *work, *rwork;
  int *iwork, *info;
} gesdd;

static void call_gesdd(const libraries *l, const gesdd *g, int lwork) {
  tme_dtype t = g->t;
  if (dtype_is_complex(t)) LAPACK(complex_gesdd)
  (&g->job, &g->m, &g->n, g->a, &g->m, g->s, g->u, &g->ldu, g->vt, &g->ldvt, g->work, &lwork, g->rwork, g->iwork,
   g->info, 1);
  else LAPACK(real_gesdd)(&g->job, &g->m, &g->n, g->a, &g->m, g->s, g->u, &g->ldu, g->vt, &g->ldvt, g->work, &lwork,
                          g->iwork, g->info, 1);
}

/* What LAPACK's documentation asks for, in reals. */
static double gesdd_reals(const gesdd *g) {
  double least = g->m < g->n ? g->m : g->n, large = g->m < g->n ? g->n : g->m;
  return dtype_is_complex(g->t) ? least * fmax(5 * least + 7, 2 * large + 2 * least + 1) : 0;
}

static bool svd(const libraries *l, gesdd *g, error *e) {
  union {
    float f[2];
    double d[2];
  } query = {.d = {0, 0}};
  tme_dtype t = g->t, real = dtype_real(t);
  if (!(dtype_is_complex(t) ? HAS(complex_gesdd) : HAS(real_gesdd))) return false;
  double reals = gesdd_reals(g) * (double)tme_dtype_size(real), least = g->m < g->n ? g->m : g->n;
  if (reals > 0x1p62) return false;
  g->work = &query;
  g->iwork = work_space(8 * least, sizeof *g->iwork, e);
  g->rwork = g->iwork ? work_space(reals, 1, e) : NULL;
  if (g->rwork) call_gesdd(l, g, -1);
  /* An f32 answer is rounded: a little more is enough. */
  double wanted = real == TME_F32 ? ceil((double)query.f[0] * (1 + 0x1p-20)) : query.d[0];
  bool too_large = wanted > INT_MAX;
  g->work = g->rwork && !too_large ? work_space(wanted, tme_dtype_size(t), e) : NULL;
  if (g->work) call_gesdd(l, g, (int)wanted);
  mem_free(g->iwork);
  mem_free(g->rwork);
  mem_free(g->work);
  return !too_large;
}

bool lapack_svd(tme_dtype t, char jobz, int64_t m, int64_t n, void *a, void *u, void *s, void *vt, int *info,
                error *e) {
  double dummy[2];
  const libraries *l = fits(most(m, n)) ? libraries_use() : NULL;
  if (!l) return false;
  int64_t k = m < n ? m : n;
  gesdd g = {.t = t, .job = jobz, .m = (int)m, .n = (int)n, .ldu = (int)m, .ldvt = (int)(jobz == 'A' ? n : k)};
  g.a = a;
  g.u = u ? u : dummy;
  g.s = s;
  g.vt = vt ? vt : dummy;
  g.info = info;
  bool done = svd(l, &g, e);
  libraries_leave();
  return done;
}
