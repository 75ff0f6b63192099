/* Reductions along rows: every task makes a row, in as many passes as its reductions depend on each other, so that softmax and
 * the norms are one kernel. Values that several passes need and that are expensive are kept in a scratch row. */
#include "lower/cpu/measure.h"
#include "lower/cpu/rows.h"

enum {
  FETCHED_ROW = 16384, /* bytes of a row, at most, that is fetched while the one before it is worked on */
  CACHED_ROW = 32768   /* longest row that is kept between passes, in elements */
};

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* Depth of every node of the kernel: 0 for what needs no reduction of the group. */
static void find_depths(row_group *r) {
  const graph *g = r->b.l->g;
  r->passes.n = 1;
  for (int m = 0; m < r->G->nmembers; m++) {
    int i = r->G->member[m];
    int d = 0;
    for (int k = 0; k < g->node[i].nin; k++) {
      int j = graph_in(g, i, k);
      if (j >= 0 && rows_member(r, j)) {
        int after = r->passes.depth[rows_at(r, j)] + rows_reduction(r, j);
        d = after > d ? after : d;
      }
    }
    r->passes.depth[rows_at(r, i)] = d;
    bool looped = rows_reduction(r, i) || (rows_full(r, i) && r->b.l->f->stored[i]);
    if (looped && d + 1 > r->passes.n) r->passes.n = d + 1;
  }
}

bool passes_init(row_group *r) {
  size_t n = (size_t)r->b.l->nknown;
  passes *p = &r->passes;
  p->depth = mem_calloc(n, sizeof *p->depth);
  p->made = mem_calloc(n, sizeof *p->made);
  p->first = mem_calloc(n, sizeof *p->first);
  p->cache = mem_calloc(n, sizeof *p->cache);
  if (!p->depth || !p->made || !p->first || !p->cache) return false;
  find_depths(r);
  return true;
}

void passes_free(row_group *r) {
  mem_free(r->passes.depth);
  mem_free(r->passes.made);
  mem_free(r->passes.first);
  mem_free(r->passes.cache);
}

void passes_restart(row_group *r) {
  for (int i = 0; i < r->b.l->nknown; i++) {
    r->passes.made[i] = (expr_value){-1, -1};
    r->passes.first[i] = -1;
  }
  r->passes.at = 0;
}

/* ---- values that the kernel makes itself ------------------------------------------------------------------------- */

/* Whether ix, an index of member i, is the one of the row that the kernel works on. */
static bool own_row(const row_group *r, int i, const int *ix) {
  const dim_map *m = &r->b.l->f->maps[i];
  for (int d = 0; d < rows_node(r, i)->type.rank; d++)
    if (m->map[d] >= 0 && ix[d] != r->ix[m->map[d]]) return false;
  return true;
}

static bool own_point(const row_group *r, int i, const int *ix) {
  for (int d = 0; d < rows_node(r, i)->type.rank; d++)
    if (r->G->full.shape[d] != 1 && ix[d] != r->ix[d]) return false;
  return type_same_shape(&rows_node(r, i)->type, &r->G->full);
}

static bool expensive(const row_group *r, int i) {
  return op_is_expensive(rows_node(r, i)->op) && !dtype_is_complex(rows_node(r, i)->type.dtype);
}

/* Where an element lies in a scratch row. */
static int row_index(row_group *r) {
  kernel *k = r->b.k;
  int x = ix_const(k, 0);
  int64_t stride = 1;
  for (int i = r->nruns - 1; i >= 0; i--)
    if (r->runs[i].reduced) {
      x = ix_add(k, x, ix_mul(k, ix_axis(k, r->runs[i].axis), stride));
      stride *= r->runs[i].extent;
    }
  return x;
}

bool passes_special(builder *b, int node, const int *ix, int guard, expr_value *out) {
  row_group *r = b->user;
  int at = rows_at(r, node), *first = &r->passes.first[at], *cache = &r->passes.cache[at];
  if (rows_member(r, node) && rows_reduction(r, node)) {
    if (r->passes.made[at].re < 0 || !own_row(r, node, ix)) b->failure = "a reduction is needed before it is made";
    *out = r->passes.made[at];
    return true;
  }
  bool along = r->nruns && r->runs[r->nruns - 1].reduced;
  if (!along || guard >= 0 || !expensive(r, node) || !own_point(r, node, ix) || rows_length(r) > CACHED_ROW)
    return false;
  if (r->passes.dry) {
    if (*first < 0)
      *first = r->passes.at;
    else if (*first < r->passes.at)
      *cache = 1;
    else
      return false;
    if (*cache == 1) {
      *out = (expr_value){k_const_f(b->k, dtype_held(rows_node(r, node)->type.dtype), 0), -1};
      return true;
    }
    return false;
  }
  if (!*cache) return false;
  tme_dtype t = dtype_held(rows_node(r, node)->type.dtype);
  if (*cache >= 2) {
    if (*first == r->passes.at) return false; /* being computed */
    *out = (expr_value){k_load(b->k, k_access_add(b->k, *cache - 2, row_index(r))), -1};
    return true;
  }
  *cache = 2 + builder_scratch(b, t, rows_length(r));
  *first = r->passes.at;
  *out = builder_value(b, node, ix, guard);
  k_store(b->k, k_access_add(b->k, *cache - 2, row_index(r)), out->re);
  return true;
}

/* ---- loops ------------------------------------------------------------------------------------------------------- */

/* What was read of this row is fetched of the next one: the hardware foresees reads within a page, and a row often is
 * one, or several. After the last row, that is memory that nobody reads; to fetch it does nothing. */
static void fetch_next_row(row_group *r) {
  kernel *k = r->b.k;
  int along = r->nruns - 1, kept = along, n = k->nacc;
  while (kept >= 0 && r->runs[kept].reduced) kept--;
  if (kept < 0 || kept == along) return;
  for (int i = 0; i < n; i++) {
    k_access a = k->acc[i];
    int64_t unit, row, bytes = rows_length(r) * (int64_t)tme_dtype_size((tme_dtype)k->bufs[a.buf].dtype);
    if (k->bufs[a.buf].role != BUF_IN || a.dyn >= 0 || a.guard >= 0 || bytes > FETCHED_ROW) continue;
    if (!ix_affine(k, a.ix, r->runs[along].axis, &unit) || unit != 1) continue;
    if (!ix_affine(k, a.ix, r->runs[kept].axis, &row) || row == 0) continue;
    bool known = false;
    for (int j = 0; j < i; j++) known |= k->acc[j].buf == a.buf && k->acc[j].ix == a.ix;
    if (known) continue;
    int next = k_access_add(k, a.buf, ix_add(k, a.ix, ix_const(k, row)));
    k_emit(k, K_PREFETCH, 0, -1, -1, -1, (uint64_t)next);
  }
}

/* The member is stored element by element, in this pass. */
static bool is_stored_now(const row_group *r, int i) {
  return r->b.l->f->stored[i] && rows_full(r, i) && r->passes.depth[rows_at(r, i)] == r->passes.at;
}

/* One pass over a row: all reductions and all stores of that depth. */
static void emit_pass(row_group *r, accumulator *accs) {
  builder *b = &r->b;
  kernel *k = b->k;
  int naccs = rows_accumulators(r, accs);
  bool stores = false;
  for (int m = 0; m < r->G->nmembers; m++) stores |= is_stored_now(r, r->G->member[m]);
  for (int i = 0; i < naccs; i++)
    if (blocks_sum(r, &accs[i]))
      blocks_start(r, &accs[i]);
    else
      blocks_open(r, &accs[i]);
  if (!naccs && !stores) return;
  int loops[TME_MAX_RANK + 1], nloops = 0, block = 0, mark = builder_mark(b);
  if (rows_length(r) > 0) {
    for (int i = 0; i < r->nruns; i++) {
      if (i == r->sums.cut) {
        loops[nloops++] = k_loop(k, r->sums.axis);
        block = nloops;
        for (int j = 0; j < naccs; j++)
          if (blocks_sum(r, &accs[j])) blocks_open(r, &accs[j]);
      }
      if (r->runs[i].reduced) loops[nloops++] = k_loop(k, r->runs[i].axis);
    }
    for (int i = 0; i < naccs; i++) {
      expr_value v = rows_reduced_value(r, accs[i].node);
      for (int w = 0; w < 2 && accs[i].acc[w] >= 0; w++)
        k_emit(k, K_UPDATE, accs[i].dtype, accs[i].acc[w], w ? v.im : v.re, -1, 0);
    }
    for (int m = 0; m < r->G->nmembers; m++) {
      int i = r->G->member[m];
      if (is_stored_now(r, i)) builder_store(b, i, r->ix, builder_value(b, i, r->ix, -1));
    }
    if (r->passes.at == 1)
      fetch_next_row(r); /* the first pass waits for this row; the second one finds it in the cache */
    builder_forget(b, mark);
    while (nloops > block) k_end(k, loops[--nloops]);
    for (int i = 0; i < naccs; i++)
      if (blocks_sum(r, &accs[i])) blocks_close(r, &accs[i]);
    while (nloops) k_end(k, loops[--nloops]);
  }
  for (int i = 0; i < naccs; i++) r->passes.made[rows_at(r, accs[i].node)] = blocks_result(r, &accs[i]);
}

void row_reduce_emit(row_group *r, accumulator *accs) {
  for (; r->passes.at < r->passes.n; r->passes.at++) emit_pass(r, accs);
  rows_store(r);
}
