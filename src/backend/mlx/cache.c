#include "backend/mlx/cache.h"
#include "base/env.h"
#include "base/lock.h"
#include "cache/lru.h"
#include <errno.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mlx_entry {
  atomic_int refs;
  const mlx_module *module;
  graph *g; /* its own: plans come and go */
  mlx_function *function;
  atomic_bool ran; /* compiled, if it is to be */
};

struct mlx_cache {
  const mlx_module *module;
  mlx_options options;
  lock lock; /* guards all below */
  lru *functions;
  double compile_ms;
  uint64_t compilations;
};

/* About what MLX keeps of one operation of a trace: nodes, names, the tape. Measured as 1.3 to 2.1 KB. */
enum { BYTES_PER_NODE = 2048 };

/* ---- keys -------------------------------------------------------------------------------------------------------- */

bool mlx_key_make(mlx_key *k, const graph *g) {
  text t = {0};
  int head[4] = {g->n, g->nroots, g->nleaves, (int)g->default_float};
  text_bytes(&t, head, sizeof head);
  text_bytes(&t, g->root, sizeof *g->root * (size_t)g->nroots);
  for (int i = 0; i < g->n; i++) {
    const g_node *n = graph_get(g, i);
    int node[6] = {n->op, n->outputs, n->nin, n->leaf, (int)n->type.dtype, n->type.rank};
    size_t extents = sizeof *n->type.shape * (size_t)n->type.rank;
    text_bytes(&t, node, sizeof node);
    text_bytes(&t, n->type.shape, extents);
    text_bytes(&t, &g->in[n->first_in], sizeof *g->in * (size_t)n->nin);
    if (n->op == OP_leaf) text_bytes(&t, graph_strides(g, i), extents);
    if (n->op == OP_literal) text_bytes(&t, n->bits, sizeof n->bits);
    if (n->attrs >= 0) {
      uint64_t words[ATTRS_MOST_WORDS];
      int count = attrs_write(op_get(n->op), graph_attrs(g, i), words);
      text_bytes(&t, words, sizeof *words * (size_t)count);
    }
  }
  *k = (mlx_key){t.s, t.len};
  if (!t.failed) return true;
  mlx_key_free(k);
  return false;
}

void mlx_key_free(mlx_key *k) {
  mem_free(k->bytes);
  k->bytes = NULL;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

void mlx_entry_release(mlx_entry *f) {
  if (!f || atomic_fetch_sub(&f->refs, 1) != 1) return;
  f->module->free(f->function);
  graph_free(f->g);
  mem_free(f);
}

static void drop_entry(void *user, void *value) {
  (void)user;
  mlx_entry_release(value);
}

static mlx_entry *make_entry(mlx_cache *c, const graph *region, error *e) {
  mlx_entry *f = mem_calloc(1, sizeof *f);
  if (f) f->g = graph_clone(region);
  if (!f || !f->g) {
    mem_free(f);
    fail_memory(e, "mlx", (size_t)region->n * sizeof(g_node));
    return NULL;
  }
  atomic_init(&f->refs, 1);
  f->module = c->module;
  f->function = c->module->make(&c->options, f->g, e);
  if (f->function) return f;
  mlx_entry_release(f);
  return NULL;
}

mlx_entry *mlx_cache_get(mlx_cache *c, const mlx_key *k, const graph *region, error *e) {
  lock_take(&c->lock);
  mlx_entry *f = lru_get(c->functions, k->bytes, k->size);
  if (f) atomic_fetch_add(&f->refs, 1);
  lock_give(&c->lock);
  if (f) return f;
  f = make_entry(c, region, e);
  if (!f) return NULL;
  atomic_fetch_add(&f->refs, 1); /* the cache's reference */
  lock_take(&c->lock);
  size_t bytes = sizeof *f + (size_t)region->n * (sizeof(g_node) + BYTES_PER_NODE);
  if (lru_put(c->functions, k->bytes, k->size, f, bytes, NULL) != TME_OK)
    atomic_fetch_sub(&f->refs, 1); /* not kept: it serves once */
  lock_give(&c->lock);
  return f;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *at) {
  (void)s, (void)kind, (void)at;
  return remove(path);
}

/* A new folder that nobody else can write to, for the files of MLX's CPU compiler. */
static tme_status make_folder(char path[static 4096], error *e) {
  const char *base = env_get("TMPDIR");
  snprintf(path, 4096, "%.4000s/tme-mlx-XXXXXX", base && *base == '/' ? base : "/tmp");
  return mkdtemp(path) ? TME_OK : fail(e, TME_ERR_JIT, "mlx: no folder for its compiler: %s", strerror(errno));
}

/* What was loaded from there stays loaded. */
static void remove_folder(const char *path) { nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

tme_status mlx_entry_run(mlx_cache *c, mlx_entry *f, const mlx_input *in, const uint64_t *args, mlx_output *out,
                         error *e) {
  if (!c->options.compile || atomic_load_explicit(&f->ran, memory_order_relaxed))
    return c->module->run(f->function, in, args, out, NULL, e);
  char folder[4096];
  tme_status s = make_folder(folder, e);
  if (s != TME_OK) {
    for (int i = 0; i < f->g->nleaves; i++) in[i].release(in[i].owner);
    return s;
  }
  double begin = now_ms();
  s = c->module->run(f->function, in, args, out, folder, e);
  double ms = now_ms() - begin;
  remove_folder(folder);
  if (s != TME_OK) return s;
  atomic_store(&f->ran, true);
  lock_take(&c->lock);
  c->compile_ms += ms;
  c->compilations++;
  lock_give(&c->lock);
  return s;
}

void mlx_cache_self_test(mlx_cache *c, error *e) {
  char folder[4096];
  if (make_folder(folder, e) != TME_OK) return;
  c->module->self_test(&c->options, folder, e);
  remove_folder(folder);
}

/* ---- the cache --------------------------------------------------------------------------------------------------- */

void mlx_cache_stats(mlx_cache *c, tme_stats *out) {
  lock_take(&c->lock);
  lru_stats s = lru_stats_of(c->functions);
  out->compile_ms += c->compile_ms;
  out->compilations += c->compilations;
  lock_give(&c->lock);
  out->entries += s.entries;
  out->hits += s.hits;
  out->misses += s.misses;
  out->evictions += s.evictions;
  out->bytes += s.bytes;
}

void mlx_cache_clear(mlx_cache *c) {
  lock_take(&c->lock);
  lru_clear(c->functions);
  lock_give(&c->lock);
}

mlx_cache *mlx_cache_new(const mlx_module *m, const mlx_options *o, size_t bytes, error *e) {
  mlx_cache *c = mem_calloc(1, sizeof *c);
  if (!c) {
    fail_memory(e, "mlx", sizeof *c);
    return NULL;
  }
  c->module = m;
  c->options = *o;
  lock_init(&c->lock, LOCK_INNER);
  c->functions = lru_new(bytes, 0, drop_entry, NULL, e);
  if (c->functions) return c;
  mlx_cache_free(c);
  return NULL;
}

void mlx_cache_free(mlx_cache *c) {
  if (!c) return;
  lru_free(c->functions);
  lock_end(&c->lock);
  mem_free(c);
}
