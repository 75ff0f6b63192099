/* Sizes of kernels, estimated before they are made. */
#include "lower/fuse_size.h"
#include "kernel/expr.h"
#include <string.h>

enum { VIEW = 2, PART = 6, GATHER = 8, OTHER = 4, MOST_INDICES = 1 << 20 };

/* Instructions of an elementwise operation: counted in a kernel made for that. 0 when out of memory. */
static int count_map(const graph *g, int i) {
  const g_node *n = &g->node[i];
  tme_dtype t = g->node[graph_in(g, i, n->nin - 1)].type.dtype, real = dtype_held(t);
  kernel *k = kernel_new("size");
  if (!k) return 0;
  expr_value in[3] = {{-1, -1}, {-1, -1}, {-1, -1}};
  for (int j = 0; j < n->nin && j < COUNT(in); j++) {
    tme_dtype tj = g->node[graph_in(g, i, j)].type.dtype;
    in[j].re = k_emit(k, K_ARG, dtype_held(tj), -1, -1, -1, (uint64_t)j);
    if (dtype_is_complex(tj)) in[j].im = k_emit(k, K_ARG, real, -1, -1, -1, (uint64_t)j);
  }
  if (n->op == OP_astype)
    expr_cast(k, in[0], t, n->type.dtype);
  else
    expr_emit(k, n->op, t, in);
  int size = k->failed ? 0 : k->ninst;
  kernel_free(k);
  return size;
}

/* Operations that need a look of their own: the rest is one instruction or two. */
static bool is_simple(const graph *g, int i) {
  const g_node *n = &g->node[i];
  return n->op < OP_PUBLIC_COUNT && n->op != OP_astype && !op_is_expensive(n->op) && !dtype_is_complex(n->type.dtype) &&
         n->op != OP_floor_divide && n->op != OP_remainder && n->op != OP_nextafter;
}

static int size_of(const graph *g, int i) {
  const g_node *n = &g->node[i];
  switch (op_classify(n->op)) {
  case CLASS_SOURCE: return 1;
  case CLASS_MAP: return is_simple(g, i) ? 2 : count_map(g, i);
  case CLASS_VIEW: return n->op == OP_concatenate ? PART * n->nin : n->op == OP_pad ? PART : VIEW;
  case CLASS_TAKE: return GATHER;
  default: return OTHER;
  }
}

/* The size of an equal operation that was met before, or -1. Looks back only so far that long graphs stay cheap. */
static int known_size(const fuse_size *s, int i) {
  const g_node *n = &s->g->node[i];
  for (int j = i - 1; j >= 0 && j >= i - 8; j--) {
    const g_node *m = &s->g->node[j];
    if (m->op == n->op && m->type.dtype == n->type.dtype && n->op != OP_astype && op_classify(n->op) == CLASS_MAP &&
        m->nin == n->nin &&
        s->g->node[graph_in(s->g, j, m->nin - 1)].type.dtype == s->g->node[graph_in(s->g, i, n->nin - 1)].type.dtype)
      return s->own[j];
  }
  return -1;
}

bool fuse_size_init(fuse_size *s, const graph *g, const char *const *stored) {
  size_t n = (size_t)g->n + 1;
  *s = (fuse_size){.g = g};
  s->own = mem_calloc(n, sizeof *s->own);
  s->all = mem_calloc(n, sizeof *s->all);
  s->arrays = mem_calloc(n, sizeof *s->arrays);
  if (!s->own || !s->all || !s->arrays) return false;
  for (int i = 0; i < g->n; i++) {
    const g_node *node = &g->node[i];
    int known = known_size(s, i);
    s->own[i] = known >= 0 ? known : size_of(g, i);
    if (s->own[i] == 0) return false;
    s->all[i] = s->own[i];
    s->arrays[i] = node->op == OP_leaf || (node->op == OP_literal && node->leaf >= 0);
    for (int k = 0; k < node->nin; k++) {
      int j = graph_in(g, i, k);
      if (j < 0) continue;
      s->all[i] = size_add(s->all[i], stored[j] ? 1 : s->all[j]);
      s->arrays[i] = size_add(s->arrays[i], stored[j] ? 1 : s->arrays[j]);
    }
  }
  return true;
}

void fuse_size_free(fuse_size *s) {
  mem_free(s->own);
  mem_free(s->all);
  mem_free(s->arrays);
}

/* ---- sets of indices --------------------------------------------------------------------------------------------- */

bool index_sets_init(index_sets *x, int n) {
  *x = (index_sets){NULL, NULL, NULL};
  x->set = mem_calloc((size_t)n + 1, sizeof *x->set);
  x->count = mem_calloc((size_t)n + 1, sizeof *x->count);
  x->seen = mem_alloc((2 * (size_t)n + 1) * sizeof *x->seen);
  if (!x->set || !x->count || !x->seen) return false;
  memset(x->seen, 0xff, (2 * (size_t)n + 1) * sizeof *x->seen);
  return true;
}

void index_sets_free(index_sets *x) {
  mem_free(x->set);
  mem_free(x->count);
  mem_free(x->seen);
}

void index_sets_own(index_sets *x, int i) {
  x->set[i] = 0;
  x->count[i] = 1;
}

void index_sets_inlined(index_sets *x, const graph *g, int i, const int *users, int nusers) {
  int sets = 0, only = 0, count = 0;
  for (int k = 0; k < nusers; k++) {
    int u = users[k];
    op_class c = op_classify(g->node[u].op);
    /* A view asks at an index of its own, for each of its operands; others hand on the one that they are asked at. */
    bool view = c == CLASS_VIEW || c == CLASS_TAKE;
    int set = view ? 1 + u : x->set[u];
    if (!view) {
      if (x->seen[set] == i) continue;
      x->seen[set] = i;
    }
    sets++;
    only = set;
    count = size_add(count, x->count[u]);
  }
  x->set[i] = sets == 1 ? only : g->n + 1 + i;
  x->count[i] = count < 1 ? 1 : count > MOST_INDICES ? MOST_INDICES : count;
}
