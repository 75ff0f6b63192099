/* Maps and rows: elementwise groups, and groups with reductions, where every task makes a row (softmax and the norms are
 * one kernel). The iteration space is the group's full shape; its kept dimensions become parallel loops, its reduced ones
 * the loops of the passes over a row.
 *
 * The order of a sum depends on the shape alone: which reduced dimensions share a loop, the lanes and the unrolling do
 * not look at strides. Kept dimensions are merged where that leaves the indices free of division. */
#include "lower/cpu/rows.h"
#include "lower/cpu/measure.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
  MERGE_REDUCED_BELOW = 64, /* inner reduced extents under this are looped over together with the next one */
  CHUNK = 4096,             /* elements of a long row that one task of a map takes */
  SHORT_ROWS = 16,          /* a map with fewer rows than this has its rows cut into chunks */
  /* tiles of maps that read along one dimension and write along another */
  TILE = 256,          /* elements of a row that is read, at most, */
  TILE_MIXED = 64,     /* where other operands are read along the results, */
  TILE_LEAST = 16,     /* and at least where there are */
  TILES = 16,          /* fewer tiles than this */
  TILE_LINES = 64,     /* lines of results, at most */
  LEAST_ACROSS = 4,    /* elements along either dimension that are worth a tile */
  FAR = 3,             /* elements from one to the next that are worth a transpose */
  FETCHED_ROW = 16384, /* bytes of a row, at most, that is fetched while the one before it is worked on */
  CACHED_ROW = 32768,  /* longest row that is kept between passes, in elements */
  QUICK_FROM = 48      /* instructions of a map that takes one vector at a time at first */
};

/* The member lies in the full space (and is not one value per row). */
static bool is_full(const rows *r, int i) {
  return !rows_reduction(r, i) && type_same_shape(&rows_node(r, i)->type, &r->G->full);
}

/* ---- passes --------------------------------------------------------------------------------------------------------- */

/* Depth of every node of the kernel: 0 for what needs no reduction of the group. */
static void find_depths(rows *r) {
  const graph *g = r->b.l->g;
  r->passes = 1;
  for (int i = r->G->seed; i < g->n; i++) {
    if (!rows_member(r, i)) continue;
    int d = 0;
    for (int k = 0; k < g->node[i].nin; k++) {
      int j = graph_in(g, i, k);
      if (j >= 0 && rows_member(r, j)) {
        int after = r->depth[j] + rows_reduction(r, j);
        d = after > d ? after : d;
      }
    }
    r->depth[i] = d;
    bool looped = rows_reduction(r, i) || (is_full(r, i) && r->b.l->f->stored[i]);
    if (looped && d + 1 > r->passes) r->passes = d + 1;
  }
}

/* ---- the iteration space --------------------------------------------------------------------------------------------- */

/* Splits the dimensions into runs; bit d of `merge`: dimension d shares the loop of the next one. */
static void find_runs(rows *r, uint32_t merge) {
  const op_type *t = &r->G->full;
  r->nruns = 0;
  bool joined = false;
  for (int d = 0; d < t->rank; d++) {
    if (t->shape[d] == 1) continue;
    bool reduced = r->G->axes >> d & 1;
    if (joined) {
      run *p = &r->runs[r->nruns - 1];
      p->last = d;
      p->extent *= t->shape[d];
    } else {
      r->runs[r->nruns++] =
          (run){.first = d, .last = d, .reduced = reduced, .extent = t->shape[d], .axis = -1, .at = -1};
    }
    joined = merge >> d & 1;
  }
}

/* The next dimension after d that is not 1, or -1. */
static int next_dim(const op_type *t, int d) {
  for (d++; d < t->rank; d++)
    if (t->shape[d] != 1) return d;
  return -1;
}

/* Bit d: dimension d can share a loop with the next one (both kept, or both reduced). */
static uint32_t mergeable(const group *G, bool reduced) {
  uint32_t m = 0;
  for (int d = 0; d < G->full.rank; d++) {
    int n = next_dim(&G->full, d);
    if (G->full.shape[d] != 1 && n >= 0 && (G->axes >> d & 1) == (G->axes >> n & 1) && (G->axes >> d & 1) == reduced)
      m |= 1u << d;
  }
  return m;
}

/* The merging of reduced dimensions, decided by shape alone. */
static uint32_t merge_reduced(const group *G) {
  uint32_t may = mergeable(G, true), m = 0;
  int64_t inner = 1;
  for (int d = G->full.rank - 1; d >= 0; d--) {
    if (G->full.shape[d] == 1) continue;
    int n = next_dim(&G->full, d);
    if (n < 0 || !(may >> d & 1))
      inner = G->full.shape[d];
    else if (inner < MERGE_REDUCED_BELOW) {
      m |= 1u << d;
      inner *= G->full.shape[d];
    } else {
      inner = G->full.shape[d];
    }
  }
  return m;
}

void rows_set_indices(rows *r) {
  kernel *k = r->b.k;
  for (int d = 0; d < TME_MAX_RANK; d++) r->ix[d] = ix_const(k, 0);
  for (int i = 0; i < r->nruns; i++) {
    const run *p = &r->runs[i];
    int at_axis = p->at >= 0 ? p->at : ix_axis(k, p->axis);
    if (p->chunk) at_axis = ix_add(k, ix_mul(k, ix_axis(k, p->outer), p->chunk), at_axis);
    int64_t inner = 1;
    for (int d = p->last; d >= p->first; d--) {
      if (r->G->full.shape[d] == 1) continue;
      int x = ix_div(k, at_axis, inner);
      r->ix[d] = d == p->first ? x : ix_mod(k, x, r->G->full.shape[d]);
      inner *= r->G->full.shape[d];
    }
  }
}

/* ---- values that the kernel makes itself ----------------------------------------------------------------------------- */

/* Whether ix, an index of member i, is the one of the row that the kernel works on. */
static bool own_row(const rows *r, int i, const int *ix) {
  const dim_map *m = &r->b.l->f->maps[i];
  for (int d = 0; d < rows_node(r, i)->type.rank; d++)
    if (m->map[d] >= 0 && ix[d] != r->ix[m->map[d]]) return false;
  return true;
}

static bool own_point(const rows *r, int i, const int *ix) {
  for (int d = 0; d < rows_node(r, i)->type.rank; d++)
    if (r->G->full.shape[d] != 1 && ix[d] != r->ix[d]) return false;
  return type_same_shape(&rows_node(r, i)->type, &r->G->full);
}

static bool dear(const rows *r, int i) {
  int op = rows_node(r, i)->op;
  return op < OP_PUBLIC_COUNT && op_get(op)->family == FAMILY_elementwise && op_get(op)->ulp > 0 &&
         !dtype_is_complex(rows_node(r, i)->type.dtype);
}

/* Where an element lies in a scratch row. */
static int row_index(rows *r) {
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

int64_t rows_length(const rows *r) {
  int64_t n = 1;
  for (int i = 0; i < r->nruns; i++) n *= r->runs[i].reduced ? r->runs[i].extent : 1;
  return n;
}

static bool special(builder *b, int node, const int *ix, int guard, expr_value *out) {
  rows *r = b->user;
  if (rows_member(r, node) && rows_reduction(r, node)) {
    if (r->made[node].re < 0 || !own_row(r, node, ix)) b->failure = "a reduction is needed before it is made";
    *out = r->made[node];
    return true;
  }
  bool along = r->nruns && r->runs[r->nruns - 1].reduced;
  if (!along || guard >= 0 || !dear(r, node) || !own_point(r, node, ix) || rows_length(r) > CACHED_ROW) return false;
  if (r->dry) {
    if (r->first_pass[node] < 0)
      r->first_pass[node] = r->pass;
    else if (r->first_pass[node] < r->pass)
      r->cache[node] = 1;
    else
      return false;
    if (r->cache[node] == 1) {
      *out = (expr_value){k_const_f(b->k, expr_dtype(rows_node(r, node)->type.dtype), 0), -1};
      return true;
    }
    return false;
  }
  if (!r->cache[node]) return false;
  tme_dtype t = expr_dtype(rows_node(r, node)->type.dtype);
  if (r->cache[node] >= 2) {
    if (r->first_pass[node] == r->pass) return false; /* being computed */
    *out = (expr_value){k_load(b->k, k_access_add(b->k, r->cache[node] - 2, row_index(r))), -1};
    return true;
  }
  r->cache[node] = 2 + builder_scratch(b, t, rows_length(r));
  r->first_pass[node] = r->pass;
  *out = builder_value(b, node, ix, guard);
  k_store(b->k, k_access_add(b->k, r->cache[node] - 2, row_index(r)), out->re);
  return true;
}

/* ---- loops ------------------------------------------------------------------------------------------------------------ */

static k_op combine_of(const graph *g, int node, tme_dtype t) {
  switch (g->node[node].op) {
  case OP_prod: return K_MUL;
  case OP_min: return t == TME_BOOL ? K_AND : K_MIN;
  case OP_max:
    if (dtype_is_float(t) && graph_attrs(g, node)->i[1]) return K_LARGER;
    return t == TME_BOOL ? K_OR : K_MAX;
  case OP_any: return K_OR;
  case OP_all: return K_AND;
  default: return K_ADD;
  }
}

int rows_neutral(kernel *k, k_op combine, tme_dtype t) {
  bool least = combine == K_MAX || combine == K_LARGER;
  switch (combine) {
  case K_MUL: return dtype_is_float(t) ? k_const_f(k, t, 1) : k_const_i(k, t, 1);
  case K_AND: return k_const_i(k, t, -1);
  case K_MIN:
  case K_MAX:
  case K_LARGER: {
    if (dtype_is_float(t)) return k_const_f(k, t, least ? -(double)INFINITY : (double)INFINITY);
    int bits = 8 * (int)tme_dtype_size(t);
    if (!dtype_is_signed(t)) return k_const_i(k, t, least ? 0 : -1);
    int64_t top = (int64_t)(UINT64_MAX >> (65 - bits));
    return k_const_i(k, t, least ? -top - 1 : top);
  }
  default: return dtype_is_float(t) ? k_const_f(k, t, 0) : k_const_i(k, t, 0);
  }
}

int rows_accumulators(const rows *r, accumulator *accs) {
  const graph *g = r->b.l->g;
  int n = 0;
  for (int i = r->G->seed; i < g->n; i++) {
    if (!rows_member(r, i) || r->depth[i] != r->pass || !rows_reduction(r, i)) continue;
    accs[n] = (accumulator){.node = i, .acc = {-1, -1}, .dtype = expr_dtype(g->node[i].type.dtype)};
    accs[n].combine = combine_of(g, i, accs[n].dtype);
    n++;
  }
  return n;
}

expr_value rows_reduced_value(rows *r, int reduction) {
  const graph *g = r->b.l->g;
  int x = graph_in(g, reduction, 0);
  tme_dtype from = g->node[x].type.dtype, to = g->node[reduction].type.dtype;
  expr_value v = builder_value(&r->b, x, r->ix, -1);
  if (!dtype_is_complex(to)) to = expr_dtype(to);
  return from == to ? v : expr_cast(r->b.k, v, from, to);
}

/* What was read of this row is fetched of the next one: the hardware foresees reads within a page, and a row often is
 * one, or several. After the last row, that is memory that nobody reads; to fetch it does nothing. */
static void fetch_next_row(rows *r) {
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

/* One pass over a row: all reductions and all stores of that depth. */
static void emit_pass(rows *r, accumulator *accs) {
  builder *b = &r->b;
  kernel *k = b->k;
  const graph *g = b->l->g;
  int naccs = rows_accumulators(r, accs);
  bool stores = false;
  for (int i = r->G->seed; i < g->n; i++)
    stores |= rows_member(r, i) && r->depth[i] == r->pass && is_full(r, i) && b->l->f->stored[i];
  for (int i = 0; i < naccs; i++)
    if (blocks_sum(r, &accs[i]))
      blocks_start(r, &accs[i]);
    else
      blocks_open(r, &accs[i]);
  if (!naccs && !stores) return;
  int loops[TME_MAX_RANK + 1], nloops = 0, block = 0, mark = builder_mark(b);
  if (rows_length(r) > 0) {
    for (int i = 0; i < r->nruns; i++) {
      if (i == r->cut) {
        loops[nloops++] = k_loop(k, r->blocks);
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
    for (int i = r->G->seed; i < g->n; i++)
      if (rows_member(r, i) && r->depth[i] == r->pass && is_full(r, i) && b->l->f->stored[i])
        builder_store(b, i, r->ix, builder_value(b, i, r->ix, -1));
    if (r->pass == 1) fetch_next_row(r); /* the first pass waits for this row; the second one finds it in the cache */
    builder_forget(b, mark);
    while (nloops > block) k_end(k, loops[--nloops]);
    for (int i = 0; i < naccs; i++)
      if (blocks_sum(r, &accs[i])) blocks_close(r, &accs[i]);
    while (nloops) k_end(k, loops[--nloops]);
  }
  for (int i = 0; i < naccs; i++) r->made[accs[i].node] = blocks_result(r, &accs[i]);
}

void rows_store(rows *r) {
  const graph *g = r->b.l->g;
  for (int i = r->G->seed; i < g->n; i++) {
    if (!rows_member(r, i) || is_full(r, i) || !r->b.l->f->stored[i]) continue;
    int ix[TME_MAX_RANK];
    for (int d = 0; d < g->node[i].type.rank; d++) {
      int from = r->b.l->f->maps[i].map[d];
      ix[d] = from < 0 ? ix_const(r->b.k, 0) : r->ix[from];
    }
    builder_store(&r->b, i, ix, builder_value(&r->b, i, ix, -1));
  }
}

/* Into what chunks a run is cut: a tile, or pieces of a row that is long where rows are few. */
static int64_t chunk_of(const rows *r, int i) {
  const run *p = &r->runs[i];
  bool last = i == r->nruns - 1;
  int64_t kept = 1; /* iterations of the other kept runs, and whether there are any */
  bool alone = true;
  for (int j = 0; j < r->nruns; j++)
    if (j != i && !r->runs[j].reduced) {
      kept *= r->runs[j].extent;
      alone = false;
    }
  if (r->uncut) return 0;
  if (r->across >= 0) return last ? r->tile_wide : i == r->across ? r->tile_length : 0;
  if (r->columns) return last && p->extent > COLUMNS ? COLUMNS : 0;
  return last && !p->reduced && !alone && kept < SHORT_ROWS && p->extent >= 2 * CHUNK ? CHUNK : 0;
}

/* The last run gets the vector axis. Kept runs are parallel, but for the inner part of a chunk, and for a vector axis
 * that has other kept runs around it; where it is the only one, its elements are the tasks. */
static void add_axes(rows *r) {
  kernel *k = r->b.k;
  for (int i = 0; i < r->nruns; i++) {
    run *p = &r->runs[i];
    bool last = i == r->nruns - 1, alone = true;
    for (int j = 0; j < i; j++) alone &= r->runs[j].reduced;
    unsigned flags = (p->reduced ? AXIS_REDUCE : 0) | (last ? AXIS_VECTOR : 0);
    p->chunk = chunk_of(r, i);
    if (!p->reduced && !p->chunk && (!last || (alone && !r->columns))) flags |= AXIS_PARALLEL;
    if (p->chunk) p->outer = k_axis_add(k, ceil_div(p->extent, p->chunk), AXIS_PARALLEL, 1, 1);
    p->axis = k_axis_add(k, p->chunk ? p->chunk : p->extent, flags, 1, 1);
    if (p->chunk && p->axis >= 0 && p->extent % p->chunk != 0)
      k->axes[p->axis].limit = ix_add(k, ix_mul(k, ix_axis(k, p->outer), -p->chunk), ix_const(k, p->extent));
    if (i == r->cut) blocks_limit(r, p->axis, 1);
  }
}

/* Results that fill a line of the cache. */
static int64_t line_of(const rows *r) {
  const graph *g = r->b.l->g;
  int64_t line = CACHE_LINE;
  for (int i = r->G->seed; i < g->n; i++)
    if (rows_member(r, i) && r->b.l->f->stored[i]) {
      int64_t fit = CACHE_LINE / (int64_t)tme_dtype_size(g->node[i].type.dtype);
      line = fit < line ? fit : line;
    }
  return line;
}

/* The tile of a map that reads along one run and writes along the last one. Where rows of results are whole lines of the
 * cache, a tile is as wide as one line, which is then written at once: strides are often powers of two there, and few
 * lines of such rows fit into the cache. Other tiles are wide, for their lines at both sides are written twice. */
static void choose_tile(rows *r, bool mixed) {
  int64_t length = r->runs[r->across].extent, wide = r->runs[r->nruns - 1].extent, line = line_of(r), n = TILE_LEAST;
  bool whole = wide % line == 0;
  r->down = whole && !mixed; /* follows the rows that are read */
  while (n < TILE && n * TILES < length) n *= 2;
  if (whole) n = mixed ? TILE_MIXED : TILE;
  r->tile_length = n < length ? n : length;
  n = !whole ? line * TILE_LINES : length < TILE_MIXED ? line * (TILE_MIXED / length) : line;
  r->tile_wide = n < wide ? n : wide;
}

/* Finds the run along which some operand of a map is read while the result is written along the last one, as in a
 * transpose; none if the space is too small to gain by tiles. */
static void find_across(rows *r) {
  const kernel *k = r->b.k;
  int last = r->nruns - 1;
  bool mixed = false; /* other operands are read along the results */
  r->across = -1;
  if (r->uncut || k->failed || r->G->kind != GROUP_MAP || r->nruns < 2 || r->runs[last].extent < LEAST_ACROSS) return;
  for (int i = 0; i < k->nacc; i++) {
    int64_t far, unit;
    if (k->bufs[k->acc[i].buf].role != BUF_IN || !ix_affine(k, k->acc[i].ix, r->runs[last].axis, &far)) continue;
    mixed |= far == 1 || far == -1;
    for (int j = 0; j < last && (far >= FAR || far <= -FAR) && r->across < 0; j++)
      if (ix_affine(k, k->acc[i].ix, r->runs[j].axis, &unit) && (unit == 1 || unit == -1) &&
          r->runs[j].extent >= LEAST_ACROSS)
        r->across = j;
  }
  if (r->across >= 0) choose_tile(r, mixed);
}

size_t rows_ordered_bytes(const rows *r) {
  for (int i = r->G->seed; i < r->b.l->g->n; i++) {
    tme_dtype t = expr_dtype(rows_node(r, i)->type.dtype);
    int op = rows_node(r, i)->op;
    if (rows_member(r, i) && (op == OP_sum || op == OP_prod) && dtype_is_float(t)) return tme_dtype_size(t);
  }
  return 0;
}

/* Lanes and unrolling, once it is known what the kernel computes. */
static void set_lanes(rows *r) {
  kernel *k = r->b.k;
  const graph *g = r->b.l->g;
  size_t ordered = rows_ordered_bytes(r), bytes = ordered;
  for (int i = r->G->seed; i < g->n && !ordered; i++) {
    size_t own = tme_dtype_size(expr_dtype(g->node[i].type.dtype));
    if (rows_member(r, i) && rows_reduction(r, i) && own > bytes) bytes = own;
  }
  bool reduces = r->G->kind == GROUP_ROWS, small = k->ninst < 24;
  for (int i = 0; i < k->naxes; i++) {
    k_axis *a = &k->axes[i];
    if (!(a->flags & AXIS_VECTOR)) continue;
    a->width = (uint16_t)cpu_lanes(rows_cpu(r), bytes ? bytes : kernel_widest(k, i));
    int unroll = reduces ? SUM_UNROLL : k->ninst < 160 ? 4 : 2;
    int64_t line = r->across >= 0 ? line_of(r) / a->width : unroll;
    if (line < unroll) unroll = line > 1 ? (int)line : 1;
    bool quick = !reduces && r->across < 0 && unroll > 1 && k->ninst >= QUICK_FROM;
    if (quick) k->full_unroll = unroll;
    a->unroll = quick ? 1 : (uint8_t)unroll;
  }
  k->opt = reduces ? 2 : small ? 0 : 1; /* long straight code spills without a register allocator */
}

/* A map over one dimension whose buffers are all walked element by element serves every extent. */
static void make_symbolic(rows *r) {
  kernel *k = r->b.k;
  if (r->nruns != 1 || r->G->kind != GROUP_MAP || k->naxes != 1) return;
  for (int i = 0; i < k->nacc; i++) {
    int64_t factor;
    const k_access *a = &k->acc[i];
    const k_ix *x = &k->ix[a->ix];
    bool simple = a->guard < 0 && a->dyn < 0 && (x->op == IX_AXIS || (x->op == IX_CONST && x->c == 0)) &&
                  ix_affine(k, a->ix, r->runs[0].axis, &factor);
    if (!simple || k->bufs[a->buf].lo != 0) return;
  }
  for (int i = 0; i < k->ninst; i++)
    if (k->inst[i].op == K_INDEX) return;
  k_axis *a = &k->axes[r->runs[0].axis];
  int arg = builder_arg(&r->b, -1, 0, a->extent);
  for (int i = 0; i < k->nbufs; i++)
    if (k->bufs[i].hi == a->extent) k->bufs[i].hi = INT64_MAX / 16;
  a->sym = arg;
  a->extent = INT64_MAX / 16;
  /* the ranges of indices are part of the kernel's bytes: the same for all extents */
  for (int i = 0; i < k->nix; i++)
    if (k->ix[i].op == IX_AXIS && k->ix[i].a == r->runs[0].axis) k->ix[i].hi = a->extent - 1;
}

/* Results larger than the last cache are gone from it before anybody reads them, and would have been read from memory
 * only to be overwritten. */
static void set_streams(rows *r) {
  kernel *k = r->b.k;
  int64_t cache = rows_cpu(r)->last_level;
  for (int i = 0; i < k->nbufs && cache; i++) {
    k_buf *b = &k->bufs[i];
    if (b->role != BUF_OUT) continue;
    b->stream = r->b.l->p->slots[r->b.bind[i]].size >= cache / (int64_t)tme_dtype_size((tme_dtype)b->dtype);
    if (b->stream) b->align = CACHE_LINE; /* the pool's memory is */
  }
}

static bool emit(rows *r, uint32_t merge, const char *name) {
  builder *b = &r->b;
  int n = b->l->g->n;
  if (!builder_init(b, r->b.l, name)) return false;
  b->special = special;
  b->group = r->gr;
  b->user = r;
  kernel *k = b->k;
  find_runs(r, merge);
  r->columns = columns_fit(r);
  blocks_find(r);
  add_axes(r);
  rows_set_indices(r);
  for (int i = 0; i < n; i++) {
    r->made[i] = (expr_value){-1, -1};
    r->first_pass[i] = -1;
  }
  accumulator *accs = mem_alloc(((size_t)n + 1) * sizeof *accs);
  if (!accs) return false;
  int loops[2 * TME_MAX_RANK + 1], nloops = 0;
  bool parallel = false;
  for (int i = 0; i < r->nruns; i++) {
    const run *p = &r->runs[i];
    if (p->chunk && (i != r->across || !r->down))
      loops[nloops++] = k_loop(k, p->outer);
    else if (p->axis >= 0 && k->axes[p->axis].flags & AXIS_PARALLEL)
      loops[nloops++] = k_loop(k, p->axis);
    parallel |= !p->reduced && (p->chunk || i < r->nruns - 1 || !r->columns);
  }
  if (r->across >= 0 && r->down) loops[nloops++] = k_loop(k, r->runs[r->across].outer);
  for (int i = 0; i < r->nruns && !r->columns; i++)
    if (!r->runs[i].reduced && r->runs[i].axis >= 0 && !(k->axes[r->runs[i].axis].flags & AXIS_PARALLEL))
      loops[nloops++] = k_loop(k, r->runs[i].axis);
  if (!parallel) loops[nloops++] = k_loop(k, k_axis_add(k, 1, AXIS_PARALLEL, 1, 1));
  r->pass = 0;
  if (r->columns) columns_emit(r, accs);
  for (; r->pass < r->passes && !r->columns; r->pass++) emit_pass(r, accs);
  if (!r->columns) rows_store(r);
  while (nloops) k_end(k, loops[--nloops]);
  mem_free(accs);
  return true;
}

static void start_again(rows *r) {
  lowering *l = r->b.l;
  builder_free(&r->b);
  memset(&r->b, 0, sizeof r->b);
  r->b.l = l;
}

/* Tries which kept dimensions can share loops; leaves the best kernel in the builder. */
static bool emit_best(rows *r, const char *name) {
  uint32_t fixed = merge_reduced(r->G), may = mergeable(r->G, false), merge = fixed;
  lowering *l = r->b.l;
  r->dry = true;
  if (!emit(r, fixed, name)) return false;
  r->dry = false;
  if (r->b.failure || r->b.k->failed) return true;
  int least = kernel_index_work(r->b.k);
  bool empty = type_size(&r->G->full) == 0;
  uint32_t tries[TME_MAX_RANK + 1];
  int ntries = 0;
  if (may && !empty) {
    tries[ntries++] = may;
    for (int d = TME_MAX_RANK - 1; d >= 0 && (may & (may - 1)); d--)
      if (may >> d & 1) tries[ntries++] = 1u << d;
  }
  for (int i = 0; i < ntries; i++) {
    rows t = *r;
    t.dry = true;
    memset(&t.b, 0, sizeof t.b);
    t.b.l = l;
    int *cache = t.cache;
    t.cache = mem_calloc((size_t)l->g->n + 1, sizeof *cache);
    bool ok = t.cache && emit(&t, merge | tries[i], name);
    if (ok && !t.b.failure && !t.b.k->failed && kernel_index_work(t.b.k) <= least) merge |= tries[i];
    mem_free(t.cache);
    builder_free(&t.b);
    if (!ok) return false;
    if (i == 0 && (merge & may) == may) break;
  }
  for (int again = 0; again < 2; again++) {
    start_again(r);
    if (!emit(r, merge, name)) return false;
    if (again || empty) break;
    find_across(r);
    if (r->across < 0) break;
  }
  return true;
}

/* The bounds of what is divided are known less well where a run is cut and the last piece is shorter: too loosely for some
 * accesses through reshapes. Those are in bounds for all that is known where nothing is cut. */
static bool emit_in_bounds(rows *r, const char *name) {
  error ignored;
  if (!emit_best(r, name)) return false;
  if (r->b.failure || r->b.k->failed || kernel_verify(r->b.k, &ignored) == TME_OK) return true;
  start_again(r);
  memset(r->cache, 0, ((size_t)r->b.l->g->n + 1) * sizeof *r->cache);
  r->across = -1;
  r->uncut = true;
  return emit_best(r, name);
}

tme_status cpu_rows(lowering *l, int gr, error *e) {
  size_t n = (size_t)l->g->n + 1;
  rows r = {.b.l = l, .G = &l->f->groups[gr], .gr = gr, .across = -1};
  char label[96], shape[200], name[48];
  lower_label(l, gr, label, sizeof label);
  type_shape_text(&r.G->full, shape);
  snprintf(name, sizeof name, "%.24s %.20s", label, shape);
  r.depth = mem_calloc(n, sizeof *r.depth);
  r.made = mem_calloc(n, sizeof *r.made);
  r.first_pass = mem_calloc(n, sizeof *r.first_pass);
  r.cache = mem_calloc(n, sizeof *r.cache);
  tme_status status = TME_OK;
  if (r.depth && r.made && r.first_pass && r.cache) {
    find_depths(&r);
    if (emit_in_bounds(&r, name)) {
      if (!r.b.failure && !r.b.k->failed) {
        set_lanes(&r);
        make_symbolic(&r);
        set_streams(&r);
      }
      status = lower_step(&r.b, label, e);
    } else {
      status = fail_memory(e, label, n * sizeof(accumulator));
    }
    builder_free(&r.b);
  } else {
    status = fail_memory(e, label, n * sizeof *r.made);
  }
  mem_free(r.depth);
  mem_free(r.made);
  mem_free(r.first_pass);
  mem_free(r.cache);
  return status;
}
