/* A backend: one table of functions with a version. The engine cuts the graph into convex regions by what the backends
 * support and hands each region to `prepare`; a plan is the list of prepared regions and the copies between devices. */
#ifndef TME_BACKEND_H
#define TME_BACKEND_H

#include "context/context.h"
#include "ir/graph.h"
#include "memory/view.h"

#define BACKEND_VERSION 1

typedef struct backend backend;
typedef struct executable executable; /* a prepared region; each backend has its own */

/* What one run of an executable works on. */
typedef struct run_args {
  const array_view *in; /* per leaf of the region */
  const uint64_t *args; /* values of the literals, two words each (real, imaginary): bits in their dtype, 16-bit
                             floats as f32 */
  array_view *out;      /* per root; dtype, shape, row-major strides and offset 0 are set. The executable sets the
                             buffers (before run returns): new ones, or views of inputs with their strides and offset.
                             The caller receives one reference to each; after a failure there are none. A numerical
                             failure is left in the buffer, and run succeeds */
  const stop_request
      *stop;  /* looked at between steps; may be NULL, lives until run returns, its flag until the outputs are ready */
  bool check; /* TME_CHECK: compare each step with the reference */
} run_args;

struct backend {
  uint32_t version;
  const char *name;   /* "cpu" */
  const char *device; /* "cpu", "gpu" */
  bool host_memory;   /* its buffers are plain host memory: no transfers */
  bool pooled;        /* its results are blocks of the engine's pool, which the engine's threads fill */
  void *state;        /* the backend's own */
  context *context;

  /* Frees the backend. */
  void (*close)(backend *b);
  /* NULL if the backend can do this node, else the reason (static text). */
  const char *(*supports)(backend *b, const graph *g, int node);
  /* Compiles the region, which lives as long as the executable. NULL with the reason on failure. By any thread. */
  executable *(*prepare)(backend *b, const graph *region, error *e);
  void (*free_executable)(backend *b, executable *x);
  /* Starts the work. Outputs in memory of its own may not be ready: then they have an event, one for all, which is the
   * caller's to replace; the backend keeps what it works on, `x` and the buffers, until it is done. Inputs in memory of its own
   * may not be ready either: what was started before is done before, and where that failed, this fails. Called by several
   * threads at once for one executable. */
  tme_status (*run)(backend *b, executable *x, run_args *a, error *e);
  /* What was fused and what not and why, kernels and sizes (TME_EXPLAIN_*). `x` is NULL where the region could not be
   * prepared. */
  void (*describe)(backend *b, const graph *region, const executable *x, unsigned flags, text *out);

  /* Optional slots: NULL for a backend whose memory is the host's. Work of one backend is done in order. An upload from host
   * memory keeps that buffer until `to`, of which nobody else knows yet, is ready; a download waits. */
  buffer *(*alloc)(backend *b, size_t bytes, error *e);
  tme_status (*upload)(backend *b, buffer *to, buffer *from, size_t offset, size_t bytes, error *e);
  tme_status (*download)(backend *b, void *to, const buffer *from, size_t offset, size_t bytes, error *e);

  /* Optional: the JIT behind it. */
  bool (*has_jit)(backend *b);
  void (*status)(backend *b, tme_jit_status *out); /* state, reason, target, compiler */
  void (*stats)(backend *b, tme_stats *out);       /* adds its figures */
  void (*clear_cache)(backend *b);                 /* the one in memory */
};

/* An engine's backends in order of preference. The last one can do every node. */
enum { MOST_BACKENDS = 3 };
typedef struct backend_list {
  backend *at[MOST_BACKENDS];
  int n;
} backend_list;

/* Each returns NULL with the reason. */
backend *backend_reference_new(context *c, bool libraries, error *e); /* with libraries: "nojit" */
backend *backend_cpu_new(context *c, error *e);
backend *backend_mlx_new(context *c, error *e);  /* where MLX's module is there, and MLX of that version */
backend *backend_mock_new(context *c, error *e); /* tests: foreign memory, completion on another thread */

#endif
