/* Attention without the full matrix of scores: a task takes a few rows of q, makes their scores in a scratch buffer, turns
 * them into weights there, and multiplies them by v. The keys are packed transposed, so that scores are computed a
 * vector of keys at a time. The loops over keys end with the last one that a row of the task may look at.
 *
 * What weighs 0 is not looked at, but the sums are made of all values up to there, and 0 times NaN is NaN. So where they are
 * not finite, which is seldom, they are made again with a choice for each value. */
#include "lower/cpu/measure.h"
#include "kernel/math.h"
#include "lower/cpu/pack.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Accumulators of a row's maximum and sum, in vectors. */
enum { SUM_VECTORS = 4 };
/* What one accumulator takes; of more, blocks are added up. */
enum { MOST_TERMS = 512 };

typedef struct attention {
  builder b;
  lowering *l;
  int node, q, k, v, mask; /* nodes; mask -1 if there is none */
  const op_type *type;     /* of the result: (..., n, e) */
  int rank;
  int64_t n, m, d, e; /* queries, keys, width of a key, width of a value */
  int64_t batches;
  double scale;
  bool causal;
  tme_dtype acc;
  int lanes, vectors, rows; /* of a tile */
  packed keys, values;
  int queries; /* scratch */
} attention;

static const g_node *at(const attention *a, int i) { return &a->l->g->node[i]; }

/* The index of k or v in the batch: its heads, of which both may have different numbers, are shared by groups of q's. */
static void shared_head(const attention *a, kernel *k, const op_type *t, int *ix) {
  if (a->rank < 3 || t->rank < 3 || t->shape[t->rank - 3] <= 1) return;
  ix[a->rank - 3] = ix_div(k, ix[a->rank - 3], a->type->shape[a->rank - 3] / t->shape[t->rank - 3]);
}

static void batch_index(const attention *a, kernel *k, int batch, int *ix) {
  int64_t inner = 1;
  for (int d = a->rank - 3; d >= 0; d--) {
    int64_t extent = a->type->shape[d];
    ix[d] = extent == 1 ? ix_const(k, 0) : ix_mod(k, ix_div(k, batch, inner), extent);
    inner *= extent;
  }
}

/* One more than the last key that row `row` (or a row before it) looks at. */
static int keys_of(const attention *a, int row) { return ix_add(a->b.k, row, ix_const(a->b.k, a->m - a->n + 1)); }

/* The score of (row, key) with scale and mask. */
static int masked_score(attention *a, int dot, const int *batch, int row, int key) {
  builder *b = &a->b;
  kernel *k = b->k;
  int s = k_bin(k, K_MUL, dot, k_const_f(k, a->acc, a->scale)), least = k_const_f(k, a->acc, -(double)INFINITY);
  if (a->mask >= 0) {
    int ix[TME_MAX_RANK];
    memcpy(ix, batch, sizeof ix);
    ix[a->rank - 2] = row;
    ix[a->rank - 1] = key;
    int x = builder_operand(b, a->mask, a->rank, ix, -1).re;
    if (at(a, a->mask)->type.dtype == TME_BOOL) {
      s = k_select(k, x, s, least);
    } else {
      x = k_cast(k, a->acc, x);
      s = k_select(k, k_bin(k, K_EQ, x, least), least, k_bin(k, K_ADD, s, x));
    }
  }
  if (a->causal) s = k_select(k, k_bin(k, K_LT, k_index(k, key), k_index(k, keys_of(a, row))), s, least);
  return s;
}

static int axis_limited(attention *a, int64_t extent, unsigned flags, int width, int unroll, int limit) {
  int axis = k_axis_add(a->b.k, extent, flags, width, unroll);
  if (a->causal && axis >= 0) a->b.k->axes[axis].limit = limit;
  return axis;
}

/* A loop over keys, of which an accumulator may take only so many: blocks of those, and what remains. */
typedef struct key_loop {
  int blocks, block; /* axes, -1: there are no blocks */
  int rest;
} key_loop;

/* Cuts the loop `all`, which ends at `last`, into blocks of `most` keys if it may be longer. */
static key_loop cut_keys(attention *a, int all, int last, int64_t most) {
  kernel *k = a->b.k;
  key_loop c = {.blocks = -1, .block = -1, .rest = all};
  if (a->m <= most || k->failed || k->ix[last].lo < 0) return c;
  int whole = ix_div(k, last, most);
  c.blocks = axis_limited(a, a->m / most, 0, 1, 1, whole);
  c.block = k_axis_add(k, a->m, k->axes[all].flags, k->axes[all].width, k->axes[all].unroll);
  int first = ix_mul(k, ix_axis(k, c.blocks), most);
  if (k->failed) return c;
  k->axes[c.block].first = first;
  k->axes[c.block].limit = ix_add(k, first, ix_const(k, most));
  k->axes[all].first = a->causal ? ix_mul(k, whole, most) : ix_const(k, a->m / most * most);
  return c;
}

static void add_to(attention *a, int sum, int part) {
  k_emit(a->b.k, K_UPDATE, a->acc, sum, k_emit(a->b.k, K_READ, a->acc, part, -1, -1, 0), -1, 0);
}

static bool is_narrow(const attention *a) { return dtype_is_narrow(at(a, a->q)->type.dtype); }

static int query(attention *a, const int *batch, int row, int d) {
  int ix[TME_MAX_RANK];
  memcpy(ix, batch, sizeof ix);
  ix[a->rank - 2] = row;
  ix[a->rank - 1] = d;
  return k_cast(a->b.k, a->acc, builder_operand(&a->b, a->q, a->rank, ix, -1).re);
}

/* Narrow queries are converted once, to the scratch buffer `queries`. */
static void emit_queries(attention *a, int rows, const int *batch, int row0) {
  kernel *k = a->b.k;
  int mark = builder_mark(&a->b), ai = k_axis_add(k, rows, 0, 1, 1);
  int ad = k_axis_add(k, a->d, AXIS_VECTOR, a->lanes, 2), li = k_loop(k, ai), ld = k_loop(k, ad);
  int to = ix_add(k, ix_mul(k, ix_axis(k, ai), a->d), ix_axis(k, ad));
  k_store(k, k_access_add(k, a->queries, to), query(a, batch, ix_add(k, row0, ix_axis(k, ai)), ix_axis(k, ad)));
  builder_forget(&a->b, mark);
  k_end(k, ld);
  k_end(k, li);
}

/* A tile of scores: its rows and keys, and where they are. */
typedef struct score_tile {
  const int *batch;
  int row0, panel;
  int arow, akey;
} score_tile;

static int tile_accumulator(attention *a, const score_tile *t) {
  kernel *k = a->b.k;
  return k_emit(k, K_ACC, a->acc, k_const_f(k, a->acc, 0), K_ADD, -1, axis_bit(t->arow) | axis_bit(t->akey));
}

/* The products along the elements of one axis, in an accumulator. */
static int emit_products(attention *a, const score_tile *t, int ad) {
  builder *b = &a->b;
  kernel *k = b->k;
  int mark = builder_mark(b), row = ix_add(k, t->row0, ix_axis(k, t->arow)), kk = ix_axis(k, ad), ix[TME_MAX_RANK];
  int acc = tile_accumulator(a, t), ld = k_loop(k, ad), li = k_loop(k, t->arow), lj = k_loop(k, t->akey);
  int x = is_narrow(a) ? k_load(k, k_access_add(k, a->queries, ix_add(k, ix_mul(k, ix_axis(k, t->arow), a->d), kk)))
                       : query(a, t->batch, row, kk);
  const op_type *tk = &at(a, a->k)->type;
  memcpy(ix, t->batch, sizeof ix);
  shared_head(a, k, tk, ix);
  int y = packed_load(b, &a->keys, packed_matrix(k, tk, ix, a->rank), t->panel, kk, ix_axis(k, t->akey)).re;
  k_emit(k, K_UPDATE, a->acc, acc, x, y, 0);
  builder_forget(b, mark);
  k_end(k, lj);
  k_end(k, li);
  k_end(k, ld);
  return acc;
}

/* The dot products of a tile; of wide rows, in blocks. */
static int emit_dots(attention *a, const score_tile *t) {
  kernel *k = a->b.k;
  if (a->d <= MOST_TERMS) return emit_products(a, t, k_axis_add(k, a->d, AXIS_REDUCE, 1, 1));
  int sum = tile_accumulator(a, t), ablocks = k_axis_add(k, ceil_div(a->d, MOST_TERMS), 0, 1, 1);
  int ad = k_axis_add(k, a->d, AXIS_REDUCE, 1, 1), first = ix_mul(k, ix_axis(k, ablocks), MOST_TERMS);
  if (k->failed) return sum;
  k->axes[ad].first = first;
  k->axes[ad].limit = ix_add(k, first, ix_const(k, MOST_TERMS));
  int lblocks = k_loop(k, ablocks), part = emit_products(a, t, ad);
  int li = k_loop(k, t->arow), lj = k_loop(k, t->akey);
  add_to(a, sum, part);
  k_end(k, lj);
  k_end(k, li);
  k_end(k, lblocks);
  return sum;
}

/* q k' of the task's rows, tile by tile, to the scratch rows. */
static void emit_scores(attention *a, int scratch, int rows, const int *batch, int row0, const bands *c) {
  if (!c->count) return;
  int64_t wide = c->wide;
  builder *b = &a->b;
  kernel *k = b->k;
  int mark = builder_mark(b), last = keys_of(a, ix_add(k, row0, ix_const(k, rows - 1)));
  int end = ix_div(k, ix_add(k, last, ix_const(k, wide - 1 - c->first)), wide);
  int aband = axis_limited(a, c->count, 0, 1, 1, end);
  score_tile t = {.batch = batch,
                  .row0 = row0,
                  .panel = ix_add(k, ix_axis(k, aband), ix_const(k, c->panel)),
                  .arow = k_axis_add(k, rows, AXIS_UNROLL, 1, 1),
                  .akey = k_axis_add(k, wide, AXIS_VECTOR, a->lanes, (int)ceil_div(wide, a->lanes))};
  int row = ix_add(k, row0, ix_axis(k, t.arow));
  int key = ix_add(k, ix_add(k, ix_mul(k, ix_axis(k, aband), wide), ix_axis(k, t.akey)), ix_const(k, c->first));
  int lband = k_loop(k, aband), acc = emit_dots(a, &t), li = k_loop(k, t.arow), lj = k_loop(k, t.akey);
  int dot = k_emit(k, K_READ, a->acc, acc, -1, -1, 0);
  int s = masked_score(a, dot, batch, row, key);
  k_store(k, k_access_add(k, scratch, ix_add(k, ix_mul(k, ix_axis(k, t.arow), a->m), key)), s);
  builder_forget(b, mark);
  k_end(k, lj);
  k_end(k, li);
  k_end(k, lband);
}

/* exp(score - most) in place for the keys of one axis; gives the accumulator of their sum. */
static int emit_some_weights(attention *a, int scratch, int row, int most, int akey) {
  kernel *k = a->b.k;
  int where = ix_add(k, ix_mul(k, row, a->m), ix_axis(k, akey));
  int sum = k_emit(k, K_ACC, a->acc, k_const_f(k, a->acc, 0), K_ADD, -1, 0), l = k_loop(k, akey);
  int weight = math_exp_nonpositive(k, k_bin(k, K_SUB, k_load(k, k_access_add(k, scratch, where)), most));
  k_emit(k, K_UPDATE, a->acc, sum, weight, -1, 0);
  k_store(k, k_access_add(k, scratch, where), weight);
  k_end(k, l);
  return sum;
}

/* The weights of all keys, and the accumulator of their sum. */
static int emit_all_weights(attention *a, int scratch, int row, int most, const key_loop *c) {
  kernel *k = a->b.k;
  if (c->blocks < 0) return emit_some_weights(a, scratch, row, most, c->rest);
  int sum = k_emit(k, K_ACC, a->acc, k_const_f(k, a->acc, 0), K_ADD, -1, 0), lblocks = k_loop(k, c->blocks);
  add_to(a, sum, emit_some_weights(a, scratch, row, most, c->block));
  k_end(k, lblocks);
  add_to(a, sum, emit_some_weights(a, scratch, row, most, c->rest));
  return sum;
}

/* exp(score - max) in place, up to the last key of the tile's last row, so that masked keys weigh 0; their sums to the scratch `sums`. */
static void emit_weights(attention *a, int scratch, int sums, int rows, int row0) {
  kernel *k = a->b.k;
  int ar = k_axis_add(k, rows, 0, 1, 1), row = ix_axis(k, ar);
  int loop = k_loop(k, ar), last = keys_of(a, ix_add(k, row0, ix_const(k, rows - 1)));
  int am = axis_limited(a, a->m, AXIS_VECTOR | AXIS_REDUCE, a->lanes, SUM_VECTORS, last);
  int where = ix_add(k, ix_mul(k, row, a->m), ix_axis(k, am));
  int most = k_emit(k, K_ACC, a->acc, k_const_f(k, a->acc, -(double)INFINITY), K_LARGER, -1, 0);
  int l = k_loop(k, am);
  k_emit(k, K_UPDATE, a->acc, most, k_load(k, k_access_add(k, scratch, where)), -1, 0);
  k_end(k, l);
  most = k_emit(k, K_READ, a->acc, most, -1, -1, 0);
  int64_t at_once = (int64_t)MOST_TERMS * SUM_VECTORS * a->lanes;
  int akey = a->m <= at_once ? am : axis_limited(a, a->m, AXIS_VECTOR | AXIS_REDUCE, a->lanes, SUM_VECTORS, last);
  key_loop keys = cut_keys(a, akey, last, at_once);
  int sum = emit_all_weights(a, scratch, row, most, &keys);
  k_store(k, k_access_add(k, sums, row), k_emit(k, K_READ, a->acc, sum, -1, -1, 0));
  k_end(k, loop);
}

/* A band of columns of the result: axes of a tile's rows, its columns and the keys. */
typedef struct band {
  const int *batch;
  int scratch, sums; /* buffers: the weights, and what they add up to */
  int row0, panel, col;
  int arow, acol;
  key_loop keys;
} band;

/* The sums of the weights times v over the keys of one axis, in an accumulator; `choose`: without the values that weigh 0. */
static int emit_part(attention *a, const band *t, int akey, bool choose) {
  builder *b = &a->b;
  kernel *k = b->k;
  int mark = builder_mark(b), row = ix_axis(k, t->arow), key = ix_axis(k, akey), ix[TME_MAX_RANK];
  bool unrolled = t->arow >= 0 && k->axes[t->arow].flags & AXIS_UNROLL;
  int acc = k_emit(k, K_ACC, a->acc, k_const_f(k, a->acc, 0), K_ADD, -1,
                   axis_bit(t->acol) | (unrolled ? axis_bit(t->arow) : 0));
  int lkey = k_loop(k, akey), lrow = unrolled ? k_loop(k, t->arow) : -1, lcol = k_loop(k, t->acol);
  int weight = k_load(k, k_access_add(k, t->scratch, ix_add(k, ix_mul(k, row, a->m), key)));
  const op_type *tv = &at(a, a->v)->type;
  memcpy(ix, t->batch, sizeof ix);
  shared_head(a, k, tv, ix);
  int value = packed_load(b, &a->values, packed_matrix(k, tv, ix, a->rank), t->panel, key, ix_axis(k, t->acol)).re;
  int zero = k_const_f(k, a->acc, 0);
  if (choose) value = k_select(k, k_bin(k, K_NE, weight, zero), value, zero);
  k_emit(k, K_UPDATE, a->acc, acc, weight, value, 0);
  builder_forget(b, mark);
  k_end(k, lcol);
  if (unrolled) k_end(k, lrow);
  k_end(k, lkey);
  return acc;
}

/* A part's sums to those of the parts before. */
static void add_part(attention *a, const band *t, int sum, int part) {
  kernel *k = a->b.k;
  bool unrolled = t->arow >= 0 && k->axes[t->arow].flags & AXIS_UNROLL;
  int lrow = unrolled ? k_loop(k, t->arow) : -1, lcol = k_loop(k, t->acol);
  add_to(a, sum, part);
  k_end(k, lcol);
  if (unrolled) k_end(k, lrow);
}

/* The sums over all keys; of many, over blocks of them, and over those that remain. */
static int emit_sums(attention *a, const band *t, bool choose) {
  kernel *k = a->b.k;
  if (t->keys.blocks < 0) return emit_part(a, t, t->keys.rest, choose);
  bool unrolled = t->arow >= 0 && k->axes[t->arow].flags & AXIS_UNROLL;
  int sum = k_emit(k, K_ACC, a->acc, k_const_f(k, a->acc, 0), K_ADD, -1,
                   axis_bit(t->acol) | (unrolled ? axis_bit(t->arow) : 0));
  int lblocks = k_loop(k, t->keys.blocks);
  add_part(a, t, sum, emit_part(a, t, t->keys.block, choose));
  k_end(k, lblocks);
  add_part(a, t, sum, emit_part(a, t, t->keys.rest, choose));
  return sum;
}

/* Sums over what the weights add up to, to the result. */
static void emit_store(attention *a, const band *t, int acc) {
  kernel *k = a->b.k;
  int mark = builder_mark(&a->b), lcol = k_loop(k, t->acol), row = ix_axis(k, t->arow), ix[TME_MAX_RANK];
  int total = k_load(k, k_access_add(k, t->sums, row));
  int value = k_bin(k, K_DIV, k_emit(k, K_READ, a->acc, acc, -1, -1, 0), total);
  memcpy(ix, t->batch, sizeof ix);
  ix[a->rank - 2] = ix_add(k, t->row0, row);
  ix[a->rank - 1] = ix_add(k, t->col, ix_axis(k, t->acol));
  builder_store(&a->b, a->node, ix, (expr_value){value, -1});
  builder_forget(&a->b, mark);
  k_end(k, lcol);
}

/* True if a sum is not finite though its weights are numbers. */
static int emit_check(attention *a, const band *t, int acc) {
  kernel *k = a->b.k;
  int zero = k_const_f(k, a->acc, 0), nan = k_emit(k, K_ACC, a->acc, zero, K_ADD, -1, 0);
  int lrow = k_loop(k, t->arow), lcol = k_loop(k, t->acol);
  int total = k_load(k, k_access_add(k, t->sums, ix_axis(k, t->arow)));
  int sum = k_emit(k, K_READ, a->acc, acc, -1, -1, 0), known = k_bin(k, K_EQ, total, total);
  k_emit(k, K_UPDATE, a->acc, nan, k_select(k, known, k_bin(k, K_MUL, sum, zero), zero), -1, 0);
  k_end(k, lcol);
  k_end(k, lrow);
  return k_bin(k, K_NE, k_emit(k, K_READ, a->acc, nan, -1, -1, 0), zero);
}

/* Weights times v, over the sums, to the result. */
static void emit_result(attention *a, int scratch, int sums, int rows, const int *batch, int row0, const bands *c) {
  if (!c->count) return;
  kernel *k = a->b.k;
  int last = keys_of(a, ix_add(k, row0, ix_const(k, rows - 1))), aband = k_axis_add(k, c->count, 0, 1, 1);
  int once = k_axis_add(k, 1, 0, 1, 1), arows = k_axis_add(k, rows, 0, 1, 1), lband = k_loop(k, aband);
  band t = {.batch = batch,
            .scratch = scratch,
            .sums = sums,
            .row0 = row0,
            .panel = ix_add(k, ix_axis(k, aband), ix_const(k, c->panel)),
            .col = ix_add(k, ix_mul(k, ix_axis(k, aband), c->wide), ix_const(k, c->first)),
            .arow = k_axis_add(k, rows, AXIS_UNROLL, 1, 1),
            .acol = k_axis_add(k, c->wide, AXIS_VECTOR, a->lanes, (int)ceil_div(c->wide, a->lanes)),
            .keys = cut_keys(a, axis_limited(a, a->m, AXIS_REDUCE, 1, 1, last), last, MOST_TERMS)};
  int acc = emit_sums(a, &t, false), doubtful = emit_check(a, &t, acc), lrow = k_loop(k, t.arow);
  emit_store(a, &t, acc);
  k_end(k, lrow);
  int lonce = k_loop_where(k, once, doubtful);
  t.arow = arows;
  lrow = k_loop(k, arows);
  emit_store(a, &t, emit_sums(a, &t, true));
  k_end(k, lrow);
  k_end(k, lonce);
  k_end(k, lband);
}

static void emit_rows(attention *a, int scratch, int sums, int64_t first, int rows, int64_t panels) {
  if (!panels) return;
  kernel *k = a->b.k;
  int mark = builder_mark(&a->b);
  int abatch = k_axis_add(k, a->batches, AXIS_PARALLEL, 1, 1), apanel = k_axis_add(k, panels, AXIS_PARALLEL, 1, 1);
  int lbatch = k_loop(k, abatch), lpanel = k_loop(k, apanel), batch[TME_MAX_RANK];
  batch_index(a, k, ix_axis(k, abatch), batch);
  int row0 = ix_add(k, ix_mul(k, ix_axis(k, apanel), rows), ix_const(k, first));
  bands keys[2], values[2];
  packed_bands(&a->keys, keys);
  packed_bands(&a->values, values);
  if (is_narrow(a)) emit_queries(a, rows, batch, row0);
  for (int i = 0; i < 2; i++) emit_scores(a, scratch, rows, batch, row0, &keys[i]);
  emit_weights(a, scratch, sums, rows, row0);
  for (int i = 0; i < 2; i++) emit_result(a, scratch, sums, rows, batch, row0, &values[i]);
  builder_forget(&a->b, mark);
  k_end(k, lpanel);
  k_end(k, lbatch);
}

static tme_status pack_operands(attention *a, error *e) {
  a->keys = (packed){.node = a->k,
                     .kdim = at(a, a->k)->type.rank - 1,
                     .cdim = at(a, a->k)->type.rank - 2,
                     .lanes = a->lanes,
                     .K = a->d,
                     .N = a->m,
                     .dtype = a->acc};
  a->values = (packed){.node = a->v,
                       .kdim = at(a, a->v)->type.rank - 2,
                       .cdim = at(a, a->v)->type.rank - 1,
                       .lanes = a->lanes,
                       .K = a->m,
                       .N = a->e,
                       .by_rows = true,
                       .dtype = a->acc};
  int64_t need = ceil_div(a->m, a->lanes);
  a->keys.vectors = need < a->vectors ? (int)need : a->vectors;
  need = ceil_div(a->e, a->lanes);
  a->values.vectors = need < a->vectors ? (int)need : a->vectors;
  tme_status status = lower_pack(a->l, &a->keys, e);
  return status == TME_OK ? lower_pack(a->l, &a->values, e) : status;
}

tme_status cpu_attention(lowering *l, int gr, error *e) {
  int i = l->f->groups[gr].seed;
  attention a = {.l = l, .node = i, .type = &l->g->node[i].type, .rank = l->g->node[i].type.rank};
  const op_attrs *attrs = graph_attrs(l->g, i);
  a.q = graph_in(l->g, i, 0);
  a.k = graph_in(l->g, i, 1);
  a.v = graph_in(l->g, i, 2);
  a.mask = l->g->node[i].nin > 3 ? graph_in(l->g, i, 3) : -1;
  const op_type *tq = &at(&a, a.q)->type, *tk = &at(&a, a.k)->type;
  a.n = tq->shape[tq->rank - 2];
  a.d = tq->shape[tq->rank - 1];
  a.m = tk->shape[tk->rank - 2];
  a.e = a.type->shape[a.rank - 1];
  a.scale = attrs->attention.scale;
  a.causal = attrs->attention.causal;
  a.acc = dtype_held(a.type->dtype);
  a.batches = type_size(a.type) / (a.n * a.e);
  a.lanes = cpu_lanes(cpu_of(l->t), tme_dtype_size(a.acc));
  a.vectors = cpu_of(l->t)->registers >= 32 ? 4 : 2;
  a.rows = a.n < 6 ? (int)a.n : 6;
  char name[48], shape[SHAPE_TEXT];
  type_shape_text(a.type, shape);
  snprintf(name, sizeof name, "attention %.30s", shape);
  tme_status status = pack_operands(&a, e);
  if (status != TME_OK) return status;
  if (!builder_init(&a.b, l, name)) return fail_memory(e, name, sizeof(kernel));
  a.b.group = gr;
  int64_t panels = ceil_div(a.n, a.rows), high = ceil_div(a.n, panels), low = high - 1;
  int64_t nhigh = a.n - panels * low, nlow = panels - nhigh;
  int scratch = builder_scratch(&a.b, a.acc, high * a.m), sums = builder_scratch(&a.b, a.acc, high);
  if (is_narrow(&a)) a.queries = builder_scratch(&a.b, a.acc, high * a.d);
  emit_rows(&a, scratch, sums, 0, (int)high, nhigh);
  emit_rows(&a, scratch, sums, nhigh * high, (int)low, low ? nlow : 0);
  a.b.k->opt = 2;
  status = lower_step(&a.b, "attention", e);
  builder_free(&a.b);
  return status;
}
