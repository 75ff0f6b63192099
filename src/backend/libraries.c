/* CBLAS and LAPACK, opened when they are first asked for. */
#include "backend/libraries.h"
#include "base/env.h"
#include "base/fork.h"
#include "base/module.h"
#include "base/room.h"
#include <dlfcn.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static char name[80], slow[240];
static libraries found = {.name = name, .slow = slow};

/* OpenBLAS ends the process, or tries for ever, where it gets no memory: for a buffer of each of its threads as it is opened,
 * and for one of each caller. Where the address space is limited it is opened only if that is there for sure, and called by
 * one thread at a time. */
static bool limited;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* What the names of the opened library's functions begin with. */
static const char *prefix = "";

/* A function's address into the pointer at `to`: ISO C has no cast for it. */
static void look_up(void *handle, const char *symbol, void *to) {
  char full[64];
  snprintf(full, sizeof full, "%s%s", prefix, symbol);
  void *p = dlsym(handle, full);
  if (p) memcpy(to, &p, sizeof p);
}

static void *open_first(const char *const *files, int n, const char **file) {
  for (int i = 0; i < n; i++) {
    void *handle = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
    if (handle) {
      *file = files[i];
      return handle;
    }
  }
  return NULL;
}

static void take_blas(void *handle) {
  look_up(handle, "cblas_sgemm", &found.sgemm);
  look_up(handle, "cblas_dgemm", &found.dgemm);
}

static void take_lapack(void *handle) {
  look_up(handle, "sgesdd_", &found.sgesdd);
  look_up(handle, "dgesdd_", &found.dgesdd);
  look_up(handle, "cgesdd_", &found.cgesdd);
  look_up(handle, "zgesdd_", &found.zgesdd);
}

/* OpenBLAS takes its kernels by the processor's model, not by what it can do: one that is younger than the library gets
 * those of the oldest. */
static void check_core(const char *core) {
#if defined(__x86_64__)
  static const char *const without_avx2[] = {"Prescott", "Core2",  "Penryn",    "Dunnington",   "Nehalem",     "Athlon",
                                             "Opteron",  "Atom",   "Barcelona", "Opteron_SSE3", "Sandybridge", "Bobcat",
                                             "Nano",     "Banias", "Northwood", "Katmai",       "Coppermine"};
  for (int i = 0; i < COUNT(without_avx2) && __builtin_cpu_supports("avx2"); i++)
    if (!strcasecmp(core, without_avx2[i]))
      snprintf(
          slow, sizeof slow,
          "OpenBLAS does not know this processor and took its kernels for %s, which have no AVX2: its products are several "
          "times slower than those of a newer OpenBLAS",
          core);
#else
  (void)core;
#endif
}

/* One thread: sums of several threads would depend on their number. */
static void take_openblas(void *handle, const char *file) {
  void (*set_threads)(int) = NULL;
  char *(*config)(void) = NULL, *(*core)(void) = NULL;
  look_up(handle, "openblas_set_num_threads", &set_threads);
  look_up(handle, "openblas_get_config", &config);
  if (set_threads) set_threads(1);
  const char *version = config ? config() : NULL;
  char digits[32] = "";
  if (version && sscanf(version, "OpenBLAS %31s", digits) == 1)
    snprintf(name, sizeof name, "openblas %s", digits);
  else
    snprintf(name, sizeof name, "%s", set_threads ? "openblas" : file);
  look_up(handle, "openblas_get_corename", &core);
  size_t n = strlen(name);
  if (!core || !core()) return;
  snprintf(name + n, sizeof name - n, ", core %s", core());
  check_core(core());
}

static bool has_room(void) {
  enum { LIBRARY = 64 << 20, MOST_THREADS = 128 };
  const size_t buffer = (size_t)160 << 20; /* with a thread's stack */
  int64_t threads = sysconf(_SC_NPROCESSORS_CONF), asked = threads;
  if (env_int("OPENBLAS_NUM_THREADS", 1, MOST_THREADS, false, &asked, NULL) == TME_OK && asked < threads)
    threads = asked;
  if (threads > MOST_THREADS) threads = MOST_THREADS;
  return room_for(LIBRARY + (size_t)(threads + 1) * buffer);
}

/* A product that is large enough for the caller's buffer, which is kept. */
static void make_buffer(void) {
  enum { N = 64, ROW_MAJOR = 101, AS_IT_IS = 111 };
  float *a = found.sgemm ? mem_calloc((size_t)2 * N * N, sizeof *a) : NULL;
  if (a) found.sgemm(ROW_MAJOR, AS_IT_IS, AS_IT_IS, N, N, N, 1, a, N, a, N, 0, a + N * N, N);
  mem_free(a);
}

/* The OpenBLAS that a package of this library carries beside it: nobody else in the process uses it, and its functions have
 * names of their own. */
static void *open_own(const char **file) {
  static char path[PATH_MAX];
  void *handle = module_path("libscipy_openblas.so", path, sizeof path) ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!handle) return NULL;
  prefix = "scipy_";
  *file = path;
  return handle;
}

static void open_files(void) {
  static const char *const openblas[] = {"libopenblas.so.0", "libopenblas.so"};
  static const char *const blas[] = {"libblas.so.3"}, *const lapack[] = {"liblapack.so.3"};
  const char *file = "";
  void *handle = open_own(&file);
  if (!handle) handle = open_first(openblas, COUNT(openblas), &file);
  if (handle) {
    take_openblas(handle, file);
    take_blas(handle);
    take_lapack(handle);
    return;
  }
  handle = open_first(blas, COUNT(blas), &file);
  if (handle) {
    take_openblas(handle, file);
    take_blas(handle);
  }
  handle = open_first(lapack, COUNT(lapack), &file);
  if (handle) {
    if (!name[0]) take_openblas(handle, file);
    take_lapack(handle);
  }
}

static void open_all(void) {
  limited = room_limited();
  if (limited && !has_room()) return;
  open_files();
  if (limited) make_buffer();
}

/* No fork comes between the beginning and the end of it. */
static bool open_once(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static atomic_bool opened;
  if (atomic_load(&opened)) return true;
  if (!fork_hold()) return false;
  pthread_once(&once, open_all);
  atomic_store(&opened, true);
  fork_release();
  return true;
}

const libraries *libraries_use(void) {
  if (fork_library_lost() || !open_once() || !fork_use_library()) return NULL;
  if (limited) pthread_mutex_lock(&turn);
  return &found;
}

void libraries_leave(void) {
  if (limited) pthread_mutex_unlock(&turn);
  fork_leave_library();
}

/* What gesdd takes, and its work space. */
typedef struct gesdd {
  tme_dtype t;
  char job;
  int m, n, ldu, ldvt, info;
  void *a, *u, *s, *vt, *work;
  int *iwork;
  void *rwork;
} gesdd;

static void call(gesdd *g, int lwork) {
  switch (g->t) {
  case TME_F32:
    found.sgesdd(&g->job, &g->m, &g->n, g->a, &g->m, g->s, g->u, &g->ldu, g->vt, &g->ldvt, g->work, &lwork, g->iwork,
                 &g->info, 1);
    break;
  case TME_F64:
    found.dgesdd(&g->job, &g->m, &g->n, g->a, &g->m, g->s, g->u, &g->ldu, g->vt, &g->ldvt, g->work, &lwork, g->iwork,
                 &g->info, 1);
    break;
  case TME_C64:
    found.cgesdd(&g->job, &g->m, &g->n, g->a, &g->m, g->s, g->u, &g->ldu, g->vt, &g->ldvt, g->work, &lwork, g->rwork,
                 g->iwork, &g->info, 1);
    break;
  default:
    found.zgesdd(&g->job, &g->m, &g->n, g->a, &g->m, g->s, g->u, &g->ldu, g->vt, &g->ldvt, g->work, &lwork, g->rwork,
                 g->iwork, &g->info, 1);
    break;
  }
}

static bool available(tme_dtype t) {
  switch (t) {
  case TME_F32: return found.sgesdd;
  case TME_F64: return found.dgesdd;
  case TME_C64: return found.cgesdd;
  case TME_C128: return found.zgesdd;
  default: return false;
  }
}

/* What LAPACK's documentation asks for, in reals. */
static double real_work(const gesdd *g) {
  double least = g->m < g->n ? g->m : g->n, most = g->m < g->n ? g->n : g->m;
  return dtype_is_complex(g->t) ? least * fmax(5 * least + 7, 2 * most + 2 * least + 1) : 0;
}

static void fill_nan(void *to, tme_dtype real, int64_t n) {
  for (int64_t i = 0; to && i < n; i++) {
    if (real == TME_F32)
      ((float *)to)[i] = NAN;
    else
      ((double *)to)[i] = (double)NAN;
  }
}

/* Row-major A is column-major A' = conj(V) S U': LAPACK's u is our vt and its vt our u, as they lie in memory. */
static bool svd(tme_dtype t, char jobz, int64_t m, int64_t n, void *a, void *u, void *s, void *vt, bool *converged,
                error *e) {
  if (!available(t) || m > INT_MAX || n > INT_MAX || m < 1 || n < 1) return false;
  int64_t k = m < n ? m : n, u_columns = jobz == 'A' ? m : k, vt_rows = jobz == 'A' ? n : k;
  tme_dtype real = dtype_real(t);
  union {
    float f[2];
    double d[2];
  } query = {.d = {0, 0}};
  double dummy[2];
  gesdd g = {.t = t, .job = jobz, .m = (int)n, .n = (int)m, .ldu = (int)n, .ldvt = (int)u_columns};
  g.a = a;
  g.u = vt ? vt : dummy;
  g.vt = u ? u : dummy;
  g.s = s;
  g.work = &query;
  size_t size = tme_dtype_size(t), reals = tme_dtype_size(real);
  double rwork_bytes = real_work(&g) * (double)reals;
  if (rwork_bytes > 0x1p62) return false;
  g.iwork = mem_alloc(8 * (size_t)k * sizeof *g.iwork);
  g.rwork = mem_alloc((size_t)rwork_bytes);
  *converged = false;
  if (g.iwork && g.rwork) call(&g, -1);
  /* An f32 answer is rounded: a little more is enough. */
  double wanted = real == TME_F32 ? ceil((double)query.f[0] * (1 + 0x1p-20)) : query.d[0];
  bool too_large = wanted > INT_MAX;
  g.work = g.iwork && g.rwork && !too_large ? mem_alloc((size_t)wanted * size) : NULL;
  if (g.work) {
    call(&g, (int)wanted);
    *converged = g.info == 0;
  } else if (!too_large) {
    fail_memory(e, "svd", (size_t)wanted * size);
  }
  if (!*converged) {
    int64_t parts = dtype_is_complex(t) ? 2 : 1;
    fill_nan(u, real, jobz == 'N' ? 0 : m * u_columns * parts);
    fill_nan(s, real, k);
    fill_nan(vt, real, jobz == 'N' ? 0 : vt_rows * n * parts);
  }
  mem_free(g.iwork);
  mem_free(g.rwork);
  mem_free(g.work);
  return !too_large;
}

bool lapack_svd(tme_dtype t, char jobz, int64_t m, int64_t n, void *a, void *u, void *s, void *vt, bool *converged,
                error *e) {
  if (!libraries_use()) return false;
  bool done = svd(t, jobz, m, n, a, u, s, vt, converged, e);
  libraries_leave();
  return done;
}
