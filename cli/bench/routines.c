/* Products of C libraries: CBLAS, oneDNN, libxsmm, opened at run time. Each writes to memory that it is given. In
 * processes of their own: they read their settings when they are loaded, and have one number of threads a process. */
#include "bench/cases.h"
#include "bench/service.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void cblas_f32(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                       const float *b, int ldb, float beta, float *c, int ldc);
typedef void cblas_f64(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda,
                       const double *b, int ldb, double beta, double *c, int ldc);
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 };

typedef int dnnl_f32(char ta, char tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                     const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
typedef struct dnnl_numbers {
  int major, minor, patch;
} dnnl_numbers;

/* Kernels of fixed shapes, columns first: the operands change places. */
typedef void xsmm_kernel(const float *a, const float *b, float *c, ...);
typedef xsmm_kernel *xsmm_f32(int m, int n, int k, const int *lda, const int *ldb, const int *ldc, const float *alpha,
                              const float *beta, const int *flags, const int *prefetch);

typedef struct routines {
  void *library;
  cblas_f32 *f32;
  cblas_f64 *f64;
  dnnl_f32 *dnnl;
  xsmm_f32 *dispatch;
  xsmm_kernel *kernel; /* of the shape at hand */
  int m, n, k, batch;
  bool single;
  void *a[2], *b[2], *c;
  int set;
} routines;

/* Sets the function pointer at `function`; false if there is no such symbol. */
static bool find(void *library, const char *name, void *function) {
  void *symbol = library ? dlsym(library, name) : NULL;
  memcpy(function, &symbol, sizeof symbol); /* ISO C converts no object pointer to a function pointer */
  return symbol != NULL;
}

static void *open_first(const char *const *names, const char *symbol) {
  for (; *names; names++) {
    void *library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
    if (library && dlsym(library, symbol)) return library;
    if (library) dlclose(library);
  }
  return NULL;
}

static void product(const routines *r, const void *a, const void *b, void *c) {
  int m = r->m, n = r->n, k = r->k;
  if (r->kernel)
    r->kernel(b, a, c);
  else if (r->dnnl)
    r->dnnl('N', 'N', m, n, k, 1, a, k, b, n, 0, c, n);
  else if (r->single)
    r->f32(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, m, n, k, 1, a, k, b, n, 0, c, n);
  else
    r->f64(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, m, n, k, 1, a, k, b, n, 0, c, n);
}

static double calls(void *state, int count) {
  routines *r = state;
  size_t size = r->single ? sizeof(float) : sizeof(double), m = (size_t)r->m, n = (size_t)r->n, k = (size_t)r->k;
  double start = clock_ms();
  for (int i = 0; i < count; i++) {
    const char *a = r->a[r->set], *b = r->b[r->set];
    char *c = r->c;
    for (int p = 0; p < r->batch; p++, a += m * k * size, b += k * n * size, c += m * n * size) product(r, a, b, c);
    r->set ^= 1;
  }
  return (clock_ms() - start) / count;
}

static void *filled(size_t n, bool single, unsigned seed) {
  void *p = malloc(n * (single ? sizeof(float) : sizeof(double)));
  for (size_t i = 0; p && i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    double x = (double)(seed >> 8) * 0x1p-23 - 1;
    if (single)
      ((float *)p)[i] = (float)x;
    else
      ((double *)p)[i] = x;
  }
  return p;
}

static void clear(routines *r) {
  for (int i = 0; i < 2; i++) {
    free(r->a[i]);
    free(r->b[i]);
    r->a[i] = r->b[i] = NULL;
  }
  free(r->c);
  r->c = NULL;
}

static void end(void *state) {
  routines *r = state;
  clear(r);
  free(r);
}

/* m, k, n and the batch out of [m, k] by [k, n], or [batch, m, k] by [batch, k, n]. */
static bool read_shapes(routines *r, const json_t *inputs) {
  int at[2][3];
  size_t rank = 0;
  for (size_t i = 0; i < 2; i++) {
    const json_t *shape = json_object_get(json_array_get(inputs, i), "shape");
    rank = json_array_size(shape);
    if (rank < 2 || rank > 3) return false;
    for (size_t d = 0; d < rank; d++) {
      json_int_t n = json_integer_value(json_array_get(shape, d));
      if (n < 1 || n > 1 << 14) return false;
      at[i][3 - rank + d] = (int)n;
    }
  }
  r->batch = rank == 3 ? at[0][0] : 1;
  r->m = at[0][1];
  r->k = at[0][2];
  r->n = at[1][2];
  return true;
}

static bool prepare(void *state, const json_t *question) {
  enum { LARGEST_KERNEL = 128 * 128 * 128 };
  routines *r = state;
  const char *op = json_string_value(json_object_get(question, "op"));
  const char *dtype = json_string_value(json_object_get(question, "dtype"));
  clear(r);
  if (!op || !dtype || strcmp(op, "matmul") != 0 || !read_shapes(r, json_object_get(question, "inputs"))) return false;
  r->single = !strcmp(dtype, "float32");
  if (!r->single && (strcmp(dtype, "float64") != 0 || !r->f64)) return false;
  if (r->dispatch) {
    const float one = 1, zero = 0;
    if ((int64_t)r->m * r->n * r->k > LARGEST_KERNEL) return false;
    r->kernel = r->dispatch(r->n, r->m, r->k, NULL, NULL, NULL, &one, &zero, NULL, NULL);
    if (!r->kernel) return false;
  }
  size_t batch = (size_t)r->batch, m = (size_t)r->m, n = (size_t)r->n, k = (size_t)r->k;
  for (unsigned i = 0; i < 2; i++) {
    r->a[i] = filled(batch * m * k, r->single, 1 + i);
    r->b[i] = filled(batch * k * n, r->single, 3 + i);
  }
  r->c = filled(batch * m * n, r->single, 5);
  return r->a[0] && r->a[1] && r->b[0] && r->b[1] && r->c;
}

static bool open_cblas(routines *r, int threads, char *about, size_t room) {
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libcblas.so.3", "libblas.so.3", NULL};
  void (*set_threads)(int);
  const char *(*config)(void);
  const char *warning;
  tme_blas(&warning); /* before the threads are set, which it sets to one */
  if (*warning) fprintf(stderr, "tme: bench: cblas: warning: %s\n", warning);
  r->library = open_first(names, "cblas_sgemm");
  if (!find(r->library, "cblas_sgemm", &r->f32) || !find(r->library, "cblas_dgemm", &r->f64)) return false;
  if (find(r->library, "openblas_set_num_threads", &set_threads)) set_threads(threads);
  snprintf(about, room, "%s", find(r->library, "openblas_get_config", &config) ? config() : "CBLAS");
  return true;
}

static bool open_onednn(routines *r, int threads, char *about, size_t room) {
  static const char *const names[] = {"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so", NULL};
  void (*set_threads)(int);
  const dnnl_numbers *(*version)(void);
  r->library = open_first(names, "dnnl_sgemm");
  if (!find(r->library, "dnnl_sgemm", &r->dnnl)) return false;
  if (find(r->library, "omp_set_num_threads", &set_threads)) set_threads(threads);
  const dnnl_numbers *v = find(r->library, "dnnl_version", &version) ? version() : NULL;
  snprintf(about, room, v ? "oneDNN %d.%d.%d" : "oneDNN", v ? v->major : 0, v ? v->minor : 0, v ? v->patch : 0);
  return true;
}

/* Its own file lies beside peers.py: see bench_libxsmm in CMakeLists.txt. */
static bool open_libxsmm(routines *r, int threads, char *about, size_t room) {
  char beside[BENCH_PATH + 40];
  ssize_t n = readlink("/proc/self/exe", beside, BENCH_PATH);
  char *slash = n > 0 ? memrchr(beside, '/', (size_t)n) : NULL;
  snprintf(slash ? slash : beside, 40, "/../share/tme/libxsmm.so");
  const char *const names[] = {"libxsmm.so", "libxsmm.so.1", beside, NULL};
  void (*init)(void);
  (void)threads;
  r->library = open_first(names, "libxsmm_smmdispatch");
  if (!find(r->library, "libxsmm_smmdispatch", &r->dispatch)) return false;
  if (find(r->library, "libxsmm_init", &init)) init();
  snprintf(about, room, "libxsmm: its kernel alone, on one thread");
  return true;
}

bool routines_open(service *s, const char *name, int threads) {
  static const struct {
    const char *name, *missing;
    bool (*open)(routines *r, int threads, char *about, size_t room);
  } known[] = {{"cblas", "no CBLAS library is installed", open_cblas},
               {"onednn", "libdnnl.so is not installed", open_onednn},
               {"libxsmm", "there is no libxsmm.so (build the target bench_libxsmm)", open_libxsmm}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, name) != 0) continue;
    routines *r = calloc(1, sizeof *r);
    *s = (service){.state = r, .prepare = prepare, .calls = calls, .end = end};
    s->ok = r && known[i].open(r, threads, s->ready, sizeof s->ready);
    if (!s->ok) {
      snprintf(s->ready, sizeof s->ready, "%s", known[i].missing);
      free(r);
    }
    return true;
  }
  return false;
}
