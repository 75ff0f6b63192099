/* What the module libtme-mlx.so gives to the library: regions as functions of MLX. The module alone sees MLX, which is
 * C++; this header is read by both sides. All calls may be made by any thread: one thread of the module, which is never
 * ended, does all work of MLX, whose streams and caches belong to threads. Nothing here throws. */
#ifndef TME_MLX_MODULE_H
#define TME_MLX_MODULE_H

#include "ir/graph.h"

enum { MLX_MODULE_VERSION = 2 };

/* How a leaf comes to MLX. */
typedef struct mlx_layout {
  bool pack;               /* copied into rows first: gaps, steps backwards, broadcasting */
  int order[TME_MAX_RANK]; /* else its dimensions by falling strides: so ordered, they are rows without gaps */
} mlx_layout;

static inline mlx_layout mlx_layout_of(const graph *g, int leaf) {
  mlx_layout l = {.pack = false, .order = {0}};
  const op_type *t = &graph_get(g, leaf)->type;
  const int64_t *strides = graph_strides(g, leaf);
  int n = t->rank;
  for (int d = 0; d < n; d++) {
    int at = d;
    while (at > 0 && strides[l.order[at - 1]] < strides[d] && t->shape[d] != 1) {
      l.order[at] = l.order[at - 1];
      at--;
    }
    l.order[at] = d;
  }
  int64_t expected = 1;
  for (int k = n - 1; k >= 0; k--) {
    int d = l.order[k];
    if (t->shape[d] != 1 && strides[d] != expected) l.pack = true;
    expected *= t->shape[d];
  }
  return l;
}

typedef struct mlx_function mlx_function;

typedef struct mlx_options {
  bool compile; /* through MLX's compile */
  bool cpu;     /* on the CPU although MLX has a GPU */
} mlx_options;

/* Dense memory of a leaf in the order of its layout. `release(owner)` is called once, by any thread, when MLX is done
 * with it, also after a failure. */
typedef struct mlx_input {
  const void *data;
  void *owner;
  void (*release)(void *owner);
} mlx_input;

/* A root's value, row-major. `handle` keeps it alive. */
typedef struct mlx_output {
  void *data;
  size_t bytes;
  void *handle;
  int64_t failed_matrix; /* of a factorisation in the region, on which this root depends; -1: none */
} mlx_output;

typedef struct mlx_info {
  char device[64]; /* "cpu", or the GPU's name */
  bool gpu;
  bool zero_copy;     /* host memory is used where it lies */
  char compiler[256]; /* why MLX cannot compile here; empty: it can, as far as one can see */
} mlx_info;

typedef struct mlx_module {
  uint32_t version;
  const char *built; /* MLX's version in the headers that the module was built with */
  const char *(*loaded)(void);
  /* Opens MLX. False with the reason. */
  bool (*open)(const mlx_options *o, mlx_info *out, error *e);
  /* NULL if MLX does the node with the semantics of the project, else why not (static text). */
  const char *(*supports)(const mlx_options *o, const graph *g, int node);
  /* The graph must live as long as the function may be run. */
  mlx_function *(*make)(const mlx_options *o, const graph *g, error *e);
  void (*free)(mlx_function *f);
  /* `args` as in run_args. `folder`, if not NULL, is where MLX's CPU compiler writes: it is given for the first run of a
   * function. TME_ERR_JIT: MLX could not compile it. */
  tme_status (*run)(mlx_function *f, const mlx_input *in, const uint64_t *args, mlx_output *out, const char *folder,
                    error *e);
  void (*release)(void *handle);
  /* Compiles and checks (a b + k) - k of 2x2 matrices, with a k that MLX has not seen. */
  tme_status (*self_test)(const mlx_options *o, const char *folder, error *e);
  /* Bytes that MLX holds. */
  uint64_t (*memory)(void);
  /* Waits until all functions that were freed are gone: the end of the process takes away what they are made of. */
  void (*finish)(void);
} mlx_module;

#endif
