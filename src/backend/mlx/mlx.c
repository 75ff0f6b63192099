/* The backend "mlx": whole regions go to MLX, one function per signature, kept in a bounded cache. MLX itself is in a
 * module of its own, opened from the library's folder: see module.h. */
#include "backend/backend.h"
#include "backend/mlx/cache.h"
#include "base/fork.h"
#include "base/module.h"
#include "memory/view.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct executable {
  mlx_key key;
  const graph *g;
  mlx_layout *layout; /* per leaf */
};

typedef struct mlx_backend {
  backend base;
  const mlx_module *module;
  mlx_options options;
  mlx_info info;
  mlx_cache *cache;
  char off[300];      /* why nothing is compiled; empty: it is */
  atomic_bool broken; /* MLX could not compile once */
  atomic_ullong runs;
} mlx_backend;

/* ---- the module -------------------------------------------------------------------------------------------------- */

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER; /* taken in fork_hold() */
static const mlx_module *opened; /* never closed: its thread and MLX's live as long as the process */
static unsigned opened_in;       /* fork_generation of that time */

static const mlx_module *load_module(error *e) {
  char path[4096];
  if (!module_path("libtme-mlx.so", path, sizeof path)) {
    fail(e, TME_ERR_DEVICE, "mlx: the folder of the library is not known, so its module cannot be found");
    return NULL;
  }
  void *handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    fail(e, TME_ERR_DEVICE, "mlx: %.800s", reason ? reason : "libtme-mlx.so could not be opened");
    return NULL;
  }
  const mlx_module *m = dlsym(handle, "tme_mlx_module");
  if (!m || m->version != MLX_MODULE_VERSION) {
    fail(e, TME_ERR_DEVICE, "mlx: %.800s is not the module of this version of the library", path);
    dlclose(handle);
    return NULL;
  }
  /* MLX changes its C++ interface in patch releases. Development builds carry a suffix. */
  const char *loaded = m->loaded();
  size_t n = strlen(m->built);
  if (strncmp(loaded, m->built, n) || (loaded[n] && loaded[n] != '.')) {
    fail(e, TME_ERR_DEVICE, "mlx: the module was built against MLX %s, the library that it finds is %s", m->built,
         loaded);
    return NULL;
  }
  return m;
}

static const mlx_module *open_module(error *e) {
  if (!fork_hold()) {
    fail(e, TME_ERR_DEVICE, "mlx: the process is ending");
    return NULL;
  }
  pthread_mutex_lock(&opening);
  unsigned generation = fork_generation();
  const mlx_module *m = opened;
  if (m && opened_in != generation) {
    fail(e, TME_ERR_DEVICE, "mlx: this process was forked from one that used MLX, whose threads are not in it");
    m = NULL;
  } else if (!m) {
    m = load_module(e);
    opened = m;
    opened_in = generation;
  }
  pthread_mutex_unlock(&opening);
  fork_release();
  return m;
}

/* ---- regions ----------------------------------------------------------------------------------------------------- */

/* Whether MLX's module builds the operation's family; a new one of ops.def it may not know. */
static bool is_known(int op) {
#define MLX_YES true
#define MLX_NO false
  static const bool families[FAMILY_COUNT] = {
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) MLX_##mlx,
#include "ops/families.def"
  };
  return op >= OP_PUBLIC_COUNT || families[op_get(op)->family];
}

static const char *mlx_supports(backend *base, const graph *g, int i) {
  mlx_backend *b = base->state;
  if (opened_in != fork_generation()) return "the process was forked, and MLX's threads are not in it";
  const op_type *t = &graph_get(g, i)->type;
  if (!is_known(graph_get(g, i)->op)) return "not an operation of MLX";
  /* MLX does not look whether it was given memory. */
  if ((double)type_size(t) * (double)tme_dtype_size(t->dtype) > (double)base->context->config.memory)
    return "more memory than this process may use";
  return b->module->supports(&b->options, g, i);
}

static void mlx_free_executable(backend *base, executable *x) {
  (void)base;
  if (!x) return;
  mlx_key_free(&x->key);
  mem_free(x->layout);
  mem_free(x);
}

static executable *mlx_prepare(backend *base, const graph *g, error *e) {
  mlx_backend *b = base->state;
  executable *x = mem_calloc(1, sizeof *x);
  if (x) x->layout = mem_calloc((size_t)g->nleaves + 1, sizeof *x->layout);
  if (!x || !x->layout || !mlx_key_make(&x->key, g)) {
    mlx_free_executable(base, x);
    fail_memory(e, "mlx", (size_t)g->n * sizeof(g_node));
    return NULL;
  }
  x->g = g;
  for (int i = 0; i < g->n; i++)
    if (graph_get(g, i)->op == OP_leaf) x->layout[graph_get(g, i)->leaf] = mlx_layout_of(g, i);
  mlx_entry *f = mlx_cache_get(b->cache, &x->key, g, e);
  mlx_entry_release(f);
  if (f) return x;
  mlx_free_executable(base, x);
  return NULL;
}

static void release_input(void *owner) { buffer_release(owner); }

static tme_status give_input(mlx_backend *b, const array_view *v, const mlx_layout *l, mlx_input *out, error *e) {
  const char *data = (const char *)v->buf->data + v->offset * (int64_t)tme_dtype_size(v->dtype);
  buffer *owner = v->buf;
  if (l->pack) {
    op_type t = view_type(v);
    size_t bytes = (size_t)type_size(&t) * tme_dtype_size(t.dtype);
    owner = pool_get(b->base.context->pool, bytes);
    if (!owner) return fail_memory(e, "mlx", bytes);
    view_pack(v, data, owner->data);
    data = owner->data;
  } else {
    buffer_retain(owner);
  }
  *out = (mlx_input){.data = data, .owner = owner, .release = release_input};
  return TME_OK;
}

/* A numerical failure stays with everything that is computed from it. */
static void inherit_failures(const graph *g, const array_view *in, const array_view *out) {
  bool any = false;
  for (int i = 0; i < g->nleaves; i++) any |= in[i].buf->failure != NULL;
  const buffer **from = any ? mem_calloc((size_t)g->n, sizeof *from) : NULL;
  if (!from) return;
  for (int i = 0; i < g->n; i++) {
    const g_node *n = graph_get(g, i);
    if (n->op == OP_leaf && in[n->leaf].buf->failure) from[i] = in[n->leaf].buf;
    for (int k = 0; k < n->nin && !from[i]; k++)
      if (graph_in(g, i, k) >= 0) from[i] = from[graph_in(g, i, k)];
  }
  for (int r = 0; r < g->nroots; r++) {
    const buffer *f = from[g->root[r]];
    if (!f || out[r].buf->failure) continue;
    out[r].buf->failure = f->failure;
    out[r].buf->failed_matrix = f->failed_matrix;
  }
  mem_free(from);
}

/* MLX's memory as buffers of the engine; all of it is let go of on failure. */
static tme_status take_outputs(mlx_backend *b, int n, const mlx_output *from, array_view *out, error *e) {
  int made = 0;
  for (; made < n; made++) {
    const mlx_output *o = &from[made];
    buffer *buf =
        o->bytes ? buffer_wrap(o->data, o->bytes, b->module->release, o->handle) : pool_get(b->base.context->pool, 0);
    if (!buf) break;
    if (!o->bytes) b->module->release(o->handle);
    if (o->failed_matrix >= 0) {
      buf->failure = "the matrix holds NaN or infinity";
      buf->failed_matrix = o->failed_matrix;
    }
    out[made].buf = buf;
  }
  if (made == n) return TME_OK;
  for (int i = made; i < n; i++) b->module->release(from[i].handle);
  while (made-- > 0) buffer_release(out[made].buf);
  return fail_memory(e, "mlx", sizeof(buffer));
}

static tme_status run_entry(mlx_backend *b, executable *x, mlx_entry *f, run_args *a, error *e) {
  const graph *g = x->g;
  mlx_input few_in[8] = {0}, *in = g->nleaves <= COUNT(few_in) ? few_in : mem_calloc((size_t)g->nleaves, sizeof *in);
  mlx_output few_out[8], *out = g->nroots <= COUNT(few_out) ? few_out : mem_calloc((size_t)g->nroots, sizeof *out);
  tme_status s = in && out ? TME_OK : fail_memory(e, "mlx", (size_t)g->nleaves * sizeof *in);
  int given = 0;
  for (; given < g->nleaves && s == TME_OK; given += s == TME_OK)
    s = give_input(b, &a->in[given], &x->layout[given], &in[given], e);
  if (s != TME_OK)
    while (given-- > 0) buffer_release(in[given].owner);
  if (s == TME_OK) s = mlx_entry_run(b->cache, f, in, a->args, out, e);
  if (s == TME_OK) s = take_outputs(b, g->nroots, out, a->out, e);
  if (s == TME_OK) inherit_failures(g, a->in, a->out);
  if (in != few_in) mem_free(in);
  if (out != few_out) mem_free(out);
  return s;
}

static tme_status mlx_run(backend *base, executable *x, run_args *a, error *e) {
  mlx_backend *b = base->state;
  if (opened_in != fork_generation())
    return fail(e, TME_ERR_DEVICE, "mlx: the process was forked, and MLX's threads are not in it");
  if (stop_wanted(a->stop)) return fail(e, TME_ERR_CANCELLED, "eval: cancelled");
  mlx_entry *f = mlx_cache_get(b->cache, &x->key, x->g, e);
  if (!f) return e->code;
  tme_status s = run_entry(b, x, f, a, e);
  mlx_entry_release(f);
  if (s == TME_ERR_JIT) atomic_store(&b->broken, true);
  atomic_fetch_add_explicit(&b->runs, 1, memory_order_relaxed);
  return s;
}

static void mlx_describe(backend *base, const graph *region, const executable *x, unsigned flags, text *out) {
  mlx_backend *b = base->state;
  if (flags & TME_EXPLAIN_PASSES) graph_print(region, out);
  text_add(out, "  one function of MLX %s on %s, %s%s\n", b->module->built, b->info.device,
           *b->off ? "not compiled: " : "compiled: MLX fuses its elementwise operations", b->off);
  text_add(out, "  inputs are %s\n", b->info.zero_copy ? "used where they lie" : "given to MLX, which may copy them");
  for (int i = 0; x && i < region->nleaves; i++)
    if (x->layout[i].pack) text_add(out, "  input %d is copied into rows first\n", i);
}

/* ---- status ------------------------------------------------------------------------------------------------------ */

static bool mlx_has_jit(backend *base) {
  mlx_backend *b = base->state;
  return !*b->off && !atomic_load(&b->broken);
}

static void mlx_status(backend *base, tme_jit_status *out) {
  mlx_backend *b = base->state;
  error why = {.code = TME_OK};
  snprintf(out->target, sizeof out->target, "MLX %s, %s", b->module->loaded(), b->info.device);
  out->compiler_present = b->options.compile || !*b->info.compiler;
  if (opened_in != fork_generation())
    fail(&why, TME_ERR_DEVICE, "the process was forked, and MLX's threads are not in it");
  else
    mlx_cache_self_test(b->cache, &why);
  if (*b->off && why.code == TME_OK) {
    out->state = TME_JIT_DISABLED;
    snprintf(out->reason, sizeof out->reason, "%s: MLX runs uncompiled", b->off);
  } else {
    out->state = why.code == TME_OK ? TME_JIT_ACTIVE : TME_JIT_FAILED;
    snprintf(out->reason, sizeof out->reason, "%.500s", why.text);
  }
}

static void mlx_stats(backend *base, tme_stats *out) {
  mlx_backend *b = base->state;
  mlx_cache_stats(b->cache, out);
  out->kernels_run += atomic_load(&b->runs);
}

static void mlx_clear_cache(backend *base) { mlx_cache_clear(((mlx_backend *)base->state)->cache); }

static void mlx_close(backend *base) {
  mlx_backend *b = base->state;
  mlx_cache_free(b->cache);
  if (b->cache && opened_in == fork_generation()) b->module->finish();
  mem_free(b);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static void choose_compile(mlx_backend *b) {
  const engine_config *c = &b->base.context->config;
  if (!c->jit)
    snprintf(b->off, sizeof b->off, "%s", c->jit_off);
  else if (!c->mlx_compile)
    snprintf(b->off, sizeof b->off, "turned off by TME_MLX_COMPILE=0");
  else
    snprintf(b->off, sizeof b->off, "%s", b->info.compiler);
  b->options.compile = !*b->off;
  if (c->jit && c->mlx_compile && *b->off)
    context_log(b->base.context, TME_LOG_WARNING, "JIT: %s: MLX runs uncompiled", b->off);
}

backend *backend_mlx_new(context *c, error *e) {
  const engine_config *config = &c->config;
  mlx_backend *b = mem_calloc(1, sizeof *b);
  if (!b) {
    fail_memory(e, "mlx", sizeof *b);
    return NULL;
  }
  b->base = (backend){.version = BACKEND_VERSION,
                      .name = "mlx",
                      .device = "cpu",
                      .host_memory = true,
                      .state = b,
                      .context = c,
                      .close = mlx_close,
                      .supports = mlx_supports,
                      .prepare = mlx_prepare,
                      .free_executable = mlx_free_executable,
                      .run = mlx_run,
                      .describe = mlx_describe,
                      .has_jit = mlx_has_jit,
                      .status = mlx_status,
                      .stats = mlx_stats,
                      .clear_cache = mlx_clear_cache};
  b->options.cpu = !strcmp(config->device, "cpu");
  b->module = open_module(e);
  bool ok = b->module && b->module->open(&b->options, &b->info, e);
  if (ok) choose_compile(b);
  if (ok && b->info.gpu) b->base.device = "gpu";
  if (ok) b->cache = mlx_cache_new(b->module, &b->options, config->cache_bytes, e);
  if (b->cache) return &b->base;
  mlx_close(&b->base);
  return NULL;
}
