/* CBLAS and LAPACK, opened when they are first asked for. */
#include "backend/libraries.h"
#include "base/env.h"
#include "base/fork.h"
#include "base/module.h"
#include "base/room.h"
#include <dlfcn.h>
#include <limits.h>
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
#define REAL(name, ...)                                                                                                \
  look_up(handle, "s" #name "_", &found.real_##name[0]);                                                               \
  look_up(handle, "d" #name "_", &found.real_##name[1]);
#define COMPLEX(name, ...)                                                                                             \
  look_up(handle, "c" #name "_", &found.complex_##name[0]);                                                            \
  look_up(handle, "z" #name "_", &found.complex_##name[1]);
#include "backend/lapack.def"
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
