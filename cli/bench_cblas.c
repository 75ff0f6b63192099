/* Products of the system's CBLAS, served as bench/peers.py serves other libraries. In a process of its own: OpenBLAS
 * has one number of threads a process and reads its settings when it is loaded. */
#include "bench.h"
#include <dlfcn.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void gemm_f32(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                      const float *b, int ldb, float beta, float *c, int ldc);
typedef void gemm_f64(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda,
                      const double *b, int ldb, double beta, double *c, int ldc);
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 };

typedef struct blas {
  gemm_f32 *f32;
  gemm_f64 *f64;
  int n;
  bool single;
  void *a[2], *b[2], *c;
  int set;
} blas;

static void say(json_t *answer) {
  json_dumpf(answer, stdout, JSON_COMPACT);
  putchar('\n');
  fflush(stdout);
  json_decref(answer);
}

/* Sets the function pointer at `function`, NULL if there is no such symbol. */
static void find(const char *name, void *function) {
  static const char *const libraries[] = {"libopenblas.so.0", "libopenblas.so", "libcblas.so.3", "libblas.so.3"};
  static void *library;
  for (size_t i = 0; !library && i < sizeof libraries / sizeof *libraries; i++) {
    library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
    if (library && !dlsym(library, "cblas_sgemm")) library = NULL;
  }
  void *symbol = library ? dlsym(library, name) : NULL;
  memcpy(function, &symbol, sizeof symbol); /* ISO C converts no object pointer to a function pointer */
}

static double call(blas *b) {
  const void *x = b->a[b->set], *y = b->b[b->set];
  int n = b->n;
  double start = clock_ms();
  if (b->single)
    b->f32(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, n, n, n, 1, x, n, y, n, 0, b->c, n);
  else
    b->f64(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, n, n, n, 1, x, n, y, n, 0, b->c, n);
  b->set ^= 1;
  return clock_ms() - start;
}

static void *filled(size_t n, bool single, unsigned seed) {
  void *p = malloc(n * n * (single ? sizeof(float) : sizeof(double)));
  for (size_t i = 0; p && i < n * n; i++) {
    seed = seed * 1664525u + 1013904223u;
    double x = (double)(seed >> 8) * 0x1p-23 - 1;
    if (single)
      ((float *)p)[i] = (float)x;
    else
      ((double *)p)[i] = x;
  }
  return p;
}

static void clear(blas *b) {
  for (int i = 0; i < 2; i++) {
    free(b->a[i]);
    free(b->b[i]);
    b->a[i] = b->b[i] = NULL;
  }
  free(b->c);
  b->c = NULL;
}

static bool prepare(blas *b, const json_t *q) {
  const char *op = json_string_value(json_object_get(q, "op")), *dtype = json_string_value(json_object_get(q, "dtype"));
  const json_t *shape = json_array_get(json_object_get(q, "inputs"), 0);
  long n = (long)json_integer_value(json_array_get(shape, 0));
  clear(b);
  if (!op || !dtype || strcmp(op, "matmul") != 0 || n < 1 || n > 1 << 14) return false;
  b->single = !strcmp(dtype, "float32");
  if (!b->single && strcmp(dtype, "float64") != 0) return false;
  b->n = (int)n;
  for (unsigned i = 0; i < 2; i++) {
    b->a[i] = filled((size_t)n, b->single, 1 + i);
    b->b[i] = filled((size_t)n, b->single, 3 + i);
  }
  b->c = filled((size_t)n, b->single, 5);
  return b->a[0] && b->a[1] && b->b[0] && b->b[1] && b->c;
}

static json_t *run(blas *b, double budget_ms) {
  json_t *ms = json_array();
  call(b);
  double end = clock_ms() + budget_ms;
  do json_array_append_new(ms, json_real(call(b)));
  while (clock_ms() < end && json_array_size(ms) < 1000);
  return json_pack("{s:o}", "ms", ms);
}

int serve_cblas(int threads) {
  blas b = {0};
  void (*set_threads)(int);
  const char *(*config)(void);
  find("cblas_sgemm", &b.f32);
  find("cblas_dgemm", &b.f64);
  find("openblas_set_num_threads", &set_threads);
  find("openblas_get_config", &config);
  if (!b.f32 || !b.f64) {
    say(json_pack("{s:s}", "error", "no CBLAS library is installed"));
    return 0;
  }
  if (set_threads) set_threads(threads);
  say(json_pack("{s:s}", "ready", config ? config() : "CBLAS"));
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, stdin) > 0) {
    json_t *q = json_loads(line, 0, NULL);
    const json_t *budget = json_object_get(q, "run");
    if (budget && b.c)
      say(run(&b, json_number_value(budget)));
    else
      say(json_pack("{s:b}", "ready", prepare(&b, q)));
    json_decref(q);
  }
  free(line);
  clear(&b);
  return 0;
}
