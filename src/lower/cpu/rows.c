/* What the four ways to lower a group of rows share: the iteration space is the group's full shape; its kept dimensions become
 * parallel loops, its reduced ones the loops over a row.
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
  CHUNK = 4096,             /* elements of a long row that one task takes, */
  SHORT_ROWS = 16           /* where there are fewer rows than this */
};

bool rows_full(const row_group *r, int i) {
  return !rows_reduction(r, i) && type_same_shape(&rows_node(r, i)->type, &r->G->full);
}

/* ---- the iteration space ----------------------------------------------------------------------------------------- */

/* Splits the dimensions into runs; bit d of `merge`: dimension d shares the loop of the next one. */
static void find_runs(row_group *r, uint32_t merge) {
  const op_type *t = &r->G->full;
  r->nruns = 0;
  bool joined = false;
  for (int d = 0; d < t->rank; d++) {
    if (t->shape[d] == 1) continue;
    bool reduced = r->G->axes >> d & 1;
    if (joined) {
      dim_run *p = &r->runs[r->nruns - 1];
      p->last = d;
      p->extent *= t->shape[d];
    } else {
      r->runs[r->nruns++] =
          (dim_run){.first = d, .last = d, .reduced = reduced, .extent = t->shape[d], .axis = -1, .at = -1};
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

void rows_set_indices(row_group *r) {
  kernel *k = r->b.k;
  for (int d = 0; d < TME_MAX_RANK; d++) r->ix[d] = ix_const(k, 0);
  for (int i = 0; i < r->nruns; i++) {
    const dim_run *p = &r->runs[i];
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

int64_t rows_length(const row_group *r) {
  int64_t n = 1;
  for (int i = 0; i < r->nruns; i++) n *= r->runs[i].reduced ? r->runs[i].extent : 1;
  return n;
}

/* Into what chunks a run is cut: a tile, or pieces of a row that is long where rows are few. */
static int64_t chunk_of(const row_group *r, int i) {
  const dim_run *p = &r->runs[i];
  bool last = i == r->nruns - 1;
  int64_t kept = 1; /* iterations of the other kept runs, and whether there are any */
  bool alone = true;
  for (int j = 0; j < r->nruns; j++)
    if (j != i && !r->runs[j].reduced) {
      kept *= r->runs[j].extent;
      alone = false;
    }
  if (r->uncut) return 0;
  if (r->form == ROWS_TILES) return last ? r->tile.wide : i == r->tile.across ? r->tile.length : 0;
  if (r->form == ROWS_COLUMNS) return last && p->extent > COLUMNS ? COLUMNS : 0;
  return last && !p->reduced && !alone && kept < SHORT_ROWS && p->extent >= 2 * CHUNK ? CHUNK : 0;
}

/* The last run gets the vector axis. Kept runs are parallel, but for the inner part of a chunk, and for a vector axis
 * that has other kept runs around it; where it is the only one, its elements are the tasks. */
static void add_axes(row_group *r) {
  kernel *k = r->b.k;
  for (int i = 0; i < r->nruns; i++) {
    dim_run *p = &r->runs[i];
    bool last = i == r->nruns - 1, alone = true;
    for (int j = 0; j < i; j++) alone &= r->runs[j].reduced;
    unsigned flags = (p->reduced ? AXIS_REDUCE : 0) | (last ? AXIS_VECTOR : 0);
    p->chunk = chunk_of(r, i);
    if (!p->reduced && !p->chunk && (!last || (alone && r->form != ROWS_COLUMNS))) flags |= AXIS_PARALLEL;
    if (p->chunk) p->outer = k_axis_add(k, ceil_div(p->extent, p->chunk), AXIS_PARALLEL, 1, 1);
    p->axis = k_axis_add(k, p->chunk ? p->chunk : p->extent, flags, 1, 1);
    if (p->chunk && p->axis >= 0 && p->extent % p->chunk != 0)
      k->axes[p->axis].limit = ix_add(k, ix_mul(k, ix_axis(k, p->outer), -p->chunk), ix_const(k, p->extent));
    if (i == r->sums.cut) blocks_limit(r, p->axis, 1);
  }
}

/* ---- reductions -------------------------------------------------------------------------------------------------- */

static k_op combine_of(const graph *g, int node, tme_dtype t) {
  switch (g->node[node].op) {
  case OP_prod: return K_MUL;
  case OP_min: return t == TME_BOOL ? K_AND : K_MIN;
  case OP_max:
    if (dtype_is_float(t) && graph_attrs(g, node)->max_any) return K_LARGER;
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

int rows_accumulators(const row_group *r, accumulator *accs) {
  const graph *g = r->b.l->g;
  int n = 0;
  for (int m = 0; m < r->G->nmembers; m++) {
    int i = r->G->member[m];
    if (!rows_reduction(r, i) || r->passes.depth[rows_at(r, i)] != r->passes.at) continue;
    accs[n] = (accumulator){.node = i, .acc = {-1, -1}, .dtype = dtype_held(g->node[i].type.dtype)};
    accs[n].combine = combine_of(g, i, accs[n].dtype);
    n++;
  }
  return n;
}

expr_value rows_reduced_value(row_group *r, int reduction) {
  const graph *g = r->b.l->g;
  int x = graph_in(g, reduction, 0);
  tme_dtype from = g->node[x].type.dtype, to = g->node[reduction].type.dtype;
  expr_value v = builder_value(&r->b, x, r->ix, -1);
  if (!dtype_is_complex(to)) to = dtype_held(to);
  return from == to ? v : expr_cast(r->b.k, v, from, to);
}

void rows_store(row_group *r) {
  const graph *g = r->b.l->g;
  for (int m = 0; m < r->G->nmembers; m++) {
    int i = r->G->member[m];
    if (rows_full(r, i) || !r->b.l->f->stored[i]) continue;
    int ix[TME_MAX_RANK];
    for (int d = 0; d < g->node[i].type.rank; d++) {
      int from = r->b.l->f->maps[i].map[d];
      ix[d] = from < 0 ? ix_const(r->b.k, 0) : r->ix[from];
    }
    builder_store(&r->b, i, ix, builder_value(&r->b, i, ix, -1));
  }
}

size_t rows_ordered_bytes(const row_group *r) {
  for (int m = 0; m < r->G->nmembers; m++) {
    int i = r->G->member[m];
    tme_dtype t = dtype_held(rows_node(r, i)->type.dtype);
    int op = rows_node(r, i)->op;
    if ((op == OP_sum || op == OP_prod) && dtype_is_float(t)) return tme_dtype_size(t);
  }
  return 0;
}

/* Lanes and unrolling, once it is known what the kernel computes. */
static void reduction_set_lanes(row_group *r) {
  kernel *k = r->b.k;
  const graph *g = r->b.l->g;
  size_t ordered = rows_ordered_bytes(r), bytes = ordered;
  for (int m = 0; m < r->G->nmembers && !ordered; m++) {
    int i = r->G->member[m];
    size_t own = tme_dtype_size(dtype_held(g->node[i].type.dtype));
    if (rows_reduction(r, i) && own > bytes) bytes = own;
  }
  for (int i = 0; i < k->naxes; i++) {
    k_axis *a = &k->axes[i];
    if (!(a->flags & AXIS_VECTOR)) continue;
    a->width = (uint16_t)cpu_lanes(rows_cpu(r), bytes ? bytes : kernel_widest(k, i));
    a->unroll = SUM_UNROLL;
  }
  k->opt = 2;
}

/* ---- the kernel -------------------------------------------------------------------------------------------------- */

/* Results larger than the last cache are gone from it before anybody reads them, and would have been read from memory
 * only to be overwritten. */
static void set_streams(row_group *r) {
  kernel *k = r->b.k;
  int64_t cache = rows_cpu(r)->last_level;
  for (int i = 0; i < k->nbufs && cache; i++) {
    k_buf *b = &k->bufs[i];
    if (b->role != BUF_OUT) continue;
    b->stream = r->b.l->p->slots[r->b.bind[i]].size >= cache / (int64_t)tme_dtype_size((tme_dtype)b->dtype);
    if (b->stream) b->align = CACHE_LINE; /* the pool's memory is */
  }
}

static bool is_map(const row_group *r) { return r->G->kind == GROUP_MAP; }

static rows_form form_of(const row_group *r) {
  if (is_map(r)) return r->tile.across >= 0 ? ROWS_TILES : ROWS_MAP;
  return column_reduce_fits(r) ? ROWS_COLUMNS : ROWS_REDUCE;
}

/* The loops around what a task does: those that count tasks, and the kept ones within. */
static int open_loops(row_group *r, int *loops) {
  kernel *k = r->b.k;
  bool parallel = false, down = r->form == ROWS_TILES && r->tile.down, columns = r->form == ROWS_COLUMNS;
  int n = 0;
  for (int i = 0; i < r->nruns; i++) {
    const dim_run *p = &r->runs[i];
    if (p->chunk && (i != r->tile.across || !down))
      loops[n++] = k_loop(k, p->outer);
    else if (p->axis >= 0 && k->axes[p->axis].flags & AXIS_PARALLEL)
      loops[n++] = k_loop(k, p->axis);
    parallel |= !p->reduced && (p->chunk || i < r->nruns - 1 || !columns);
  }
  if (down) loops[n++] = k_loop(k, r->runs[r->tile.across].outer);
  for (int i = 0; i < r->nruns && !columns; i++)
    if (!r->runs[i].reduced && r->runs[i].axis >= 0 && !(k->axes[r->runs[i].axis].flags & AXIS_PARALLEL))
      loops[n++] = k_loop(k, r->runs[i].axis);
  if (!parallel) loops[n++] = k_loop(k, k_axis_add(k, 1, AXIS_PARALLEL, 1, 1));
  return n;
}

/* What a task does. False when out of memory. */
static bool emit_task(row_group *r) {
  if (is_map(r)) {
    map_emit(r);
    return true;
  }
  accumulator *accs = mem_alloc((size_t)r->G->nmembers * sizeof *accs);
  if (!accs) return false;
  if (r->form == ROWS_COLUMNS)
    column_reduce_emit(r, accs);
  else
    row_reduce_emit(r, accs);
  mem_free(accs);
  return true;
}

static bool emit(row_group *r, uint32_t merge, const char *name) {
  builder *b = &r->b;
  if (!builder_init(b, r->b.l, name)) return false;
  b->special = is_map(r) ? NULL : passes_special;
  b->group = r->gr;
  b->user = r;
  find_runs(r, merge);
  r->form = form_of(r);
  r->sums.cut = -1;
  if (!is_map(r)) {
    passes_restart(r);
    blocks_find(r);
  }
  add_axes(r);
  rows_set_indices(r);
  int loops[2 * TME_MAX_RANK + 1], nloops = open_loops(r, loops);
  if (!emit_task(r)) return false;
  while (nloops) k_end(b->k, loops[--nloops]);
  return true;
}

static void start_again(row_group *r) {
  lowering *l = r->b.l;
  builder_free(&r->b);
  memset(&r->b, 0, sizeof r->b);
  r->b.l = l;
}

/* Tries which kept dimensions can share loops; leaves the best kernel in the builder. */
static bool emit_best(row_group *r, const char *name) {
  uint32_t fixed = merge_reduced(r->G), may = mergeable(r->G, false), merge = fixed;
  lowering *l = r->b.l;
  r->passes.dry = true;
  if (!emit(r, fixed, name)) return false;
  r->passes.dry = false;
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
    row_group t = *r;
    t.passes.dry = true;
    memset(&t.b, 0, sizeof t.b);
    t.b.l = l;
    t.passes.cache = is_map(r) ? NULL : mem_calloc((size_t)l->nknown, sizeof *t.passes.cache);
    bool ok = (is_map(r) || t.passes.cache) && emit(&t, merge | tries[i], name);
    if (ok && !t.b.failure && !t.b.k->failed && kernel_index_work(t.b.k) <= least) merge |= tries[i];
    mem_free(t.passes.cache);
    builder_free(&t.b);
    if (!ok) return false;
    if (i == 0 && (merge & may) == may) break;
  }
  for (int again = 0; again < 2; again++) {
    start_again(r);
    if (!emit(r, merge, name)) return false;
    if (again || empty) break;
    if (is_map(r)) tiles_find(r);
    if (r->tile.across < 0) break;
  }
  return true;
}

/* The bounds of what is divided are known less well where a run is cut and the last piece is shorter: too loosely for some
 * accesses through reshapes. Those are in bounds for all that is known where nothing is cut. */
static bool emit_in_bounds(row_group *r, const char *name) {
  error ignored;
  if (!emit_best(r, name)) return false;
  if (r->b.failure || r->b.k->failed || kernel_verify(r->b.k, &ignored) == TME_OK) return true;
  start_again(r);
  if (!is_map(r)) memset(r->passes.cache, 0, (size_t)r->b.l->nknown * sizeof *r->passes.cache);
  r->tile.across = -1;
  r->uncut = true;
  return emit_best(r, name);
}

tme_status cpu_rows(lowering *l, int gr, error *e) {
  row_group r = {.b.l = l, .G = &l->f->groups[gr], .gr = gr, .tile.across = -1};
  char label[96], shape[SHAPE_TEXT], name[48];
  lower_label(l, label, sizeof label);
  type_shape_text(&r.G->full, shape);
  snprintf(name, sizeof name, "%.24s %.20s", label, shape);
  tme_status status = TME_OK;
  if ((is_map(&r) || passes_init(&r)) && emit_in_bounds(&r, name)) {
    if (!r.b.failure && !r.b.k->failed) {
      if (is_map(&r)) {
        map_set_lanes(&r);
        map_make_symbolic(&r);
      } else {
        reduction_set_lanes(&r);
      }
      set_streams(&r);
    }
    status = lower_step(&r.b, label, e);
  } else {
    status = fail_memory(e, label, (size_t)l->nknown * sizeof(accumulator));
  }
  builder_free(&r.b);
  passes_free(&r);
  return status;
}
