/* Products of matrices: a micro-tile of the result per task, the sum over k in its accumulators, the epilogue applied
 * to them before they are stored. (Goto, van de Geijn: "Anatomy of high-performance matrix multiplication", 2008; Van Zee,
 * van de Geijn: "BLIS: a framework for rapidly instantiating BLAS functionality", 2015. The micro-kernel is generated for the
 * shape, and operands are packed only where that pays.)
 *
 *     NC columns (slabs): what of the right operand the last cache holds
 *       MC rows (blocks), whose left operand the second cache holds
 *         NR columns (bands), whose right operand the first or the second cache holds
 *           MR rows: a micro-tile
 *
 * KC is K, but where tasks pack panels of blocks of rows: there a sum waits in memory from one block to the next. Rows that make
 * no whole block are cut into balanced panels, so that no panel is nearly empty; what remains of the columns is one narrower
 * tile, or a few. Each combination is a section of the kernel. Every element is one sum from the first k to the last; of a long
 * sum of floats, one of each block of k (product_block), and they are added in order. */
#include "kernel/kernel_util.h"
#include "lower/cpu/measure.h"
#include "lower/cpu/pairs.h"
#include "lower/cpu/product.h"
#include <stdio.h>
#include <string.h>

enum {
  NC_BYTES = 2 << 20, /* bytes of the right operand that all blocks of rows go over before the next ones */
  FEWEST_BATCHES = 32 /* each of which is a task */
};

static int64_t elements_summed(const product *p) {
  const op_type *t = &product_at(p, p->right)->type;
  return t->shape[t->rank - 2];
}

/* ---- the tile ------------------------------------------------------------------------------------------------------------ */

/* An epilogue with transcendental functions, written out for every register of the tile, takes longer to compile than all
 * else. */
static bool has_long_epilogue(const product *p) {
  const group *G = &p->l->f->groups[p->gr];
  for (int m = 1; m < G->nmembers; m++) {
    if (op_is_expensive(product_at(p, G->member[m])->op)) return true;
  }
  return false;
}

/* Where a tile lies: its first row, its first column and how many there are; the panel of the right operand, of all or of
 * the task's own. */
typedef struct tile_place {
  int batch, row, col, panel;
  int64_t wide;
  const packing_task *task; /* FORM_TASK_PACKED, FORM_TASK_BLOCKED; else NULL */
  int copied;               /* of the next panel: the first row that is copied beside the tile's sums, */
  int64_t ncopied;          /* and how many are */
} tile_place;

static expr_value right_value(product *p, const tile_place *at, int row, int kk, int col, int jj) {
  kernel *k = p->b.k;
  if (p->form == FORM_TASK_PACKED || p->form == FORM_TASK_BLOCKED)
    return (expr_value){task_value(p, at->task, at->panel, kk, jj), -1};
  if (p->form == FORM_DIRECT) return product_right(p, at->batch, row, kk, col);
  int ix[TME_MAX_RANK];
  product_index(p, at->batch, row, kk, col, ix);
  int matrix = packed_matrix(k, &product_at(p, p->right)->type, ix, p->rank);
  return packed_load(&p->b, &p->pack, matrix, at->panel, kk, jj);
}

/* The loop over the steps of k that one accumulator takes, which goes over all of them or over one block. All tiles share
 * the axes. */
static void add_k(product *p) {
  kernel *k = p->b.k;
  if (p->ak >= 0) return;
  p->ak = k_axis_add(k, p->K, AXIS_REDUCE, 1, 1);
  if (p->block == p->K || p->ak < 0) return;
  p->ablocks = k_axis_add(k, ceil_div(p->K, p->block), AXIS_REDUCE, 1, 1);
  int first = ix_mul(k, ix_axis(k, p->ablocks), p->block);
  k->axes[p->ak].first = first;
  k->axes[p->ak].limit = ix_add(k, first, ix_const(k, p->block));
}

static void emit_tile(product *p, const tile_place *at, int rows) {
  builder *b = &p->b;
  kernel *k = b->k;
  bool blocked = p->form == FORM_TASK_BLOCKED;
  int mark = builder_mark(b);
  int ai = k_axis_add(k, rows, AXIS_UNROLL, 1, 1);
  int aj = k_axis_add(k, at->wide, AXIS_VECTOR, p->lanes, (int)ceil_div(at->wide, p->lanes));
  int64_t parts = blocked ? at->ncopied : 1, part = blocked ? p->kc / parts : 0;
  if (!blocked) add_k(p);
  /* A kernel has few axes to spare: none for a loop that runs once. */
  int ap = parts > 1 ? k_axis_add(k, parts, AXIS_REDUCE, 1, 1) : -1;
  int ak = blocked ? k_axis_add(k, part, AXIS_REDUCE, 1, 1) : p->ak, lblocks = -1;
  int piece = ap < 0 ? ix_const(k, 0) : ix_axis(k, ap), jj = ix_axis(k, aj);
  int kk = ix_add(k, ix_mul(k, piece, part), ix_axis(k, ak));
  int row = ix_add(k, at->row, ix_axis(k, ai)), col = ix_add(k, at->col, jj);
  uint64_t kept = axis_bit(ai) | axis_bit(aj);
  if (!blocked) product_begin_sums(p, kept);
  if (p->ablocks >= 0) lblocks = k_loop(k, p->ablocks);
  int zero = blocked ? product_nothing(p) : product_zero(p);
  for (int w = 0; w < (p->complex ? 2 : 1); w++) p->acc_id[w] = k_emit(k, K_ACC, p->acc, zero, K_ADD, -1, kept);

  int sum = blocked ? task_sum(p, at->task, row, at->panel, jj) : -1;
  if (blocked) {
    int li = k_loop(k, ai), lj = k_loop(k, aj);
    k_emit(k, K_UPDATE, p->acc, p->acc_id[0], k_load(k, sum), -1, 0);
    k_end(k, lj);
    k_end(k, li);
  }

  int lp = ap < 0 ? -1 : k_loop(k, ap);
  if (task_packs_ahead(p)) task_pack_ahead(p, at->task, at->panel, ix_add(k, at->copied, piece));
  int lk = k_loop(k, ak), li = k_loop(k, ai), lj = k_loop(k, aj), inner = builder_mark(b);
  int left_k = blocked ? task_row(p, at->task->block, kk) : kk;
  expr_value x = product_left(p, at->batch, row, left_k), y = right_value(p, at, row, kk, col, jj);
  product_update(p, p->acc_id[0], x.re, y.re);
  if (p->complex) {
    product_update(p, p->acc_id[0], k_un(k, K_NEG, x.im), y.im);
    product_update(p, p->acc_id[1], x.re, y.im);
    product_update(p, p->acc_id[1], x.im, y.re);
  }
  builder_forget(b, inner);
  k_end(k, lj);
  k_end(k, li);
  k_end(k, lk);
  if (lp >= 0) k_end(k, lp);
  if (lblocks >= 0) {
    li = k_loop(k, ai);
    lj = k_loop(k, aj);
    product_close_sums(p);
    k_end(k, lj);
    k_end(k, li);
    k_end(k, lblocks);
  }

  li = k_loop(k, ai);
  lj = k_loop(k, aj);
  if (blocked) {
    k_store(k, sum, k_emit(k, K_READ, p->acc, p->acc_id[0], -1, -1, 0));
    builder_forget(b, mark);
    k_end(k, lj);
    k_end(k, li);
    return;
  }
  if (p->spilled) {
    int at_ij = ix_add(k, ix_mul(k, ix_axis(k, ai), at->wide), jj);
    for (int w = 0; w < (p->complex ? 2 : 1); w++)
      k_store(k, k_access_add(k, p->spill_buf[w], at_ij), product_sums(p, w));
    k_end(k, lj);
    k_end(k, li);
    ai = k_axis_add(k, rows, 0, 1, 1);
    aj = k_axis_add(k, at->wide, AXIS_VECTOR, p->lanes, EPILOGUE_VECTORS);
    li = k_loop(k, ai);
    lj = k_loop(k, aj);
    row = ix_add(k, at->row, ix_axis(k, ai));
    col = ix_add(k, at->col, ix_axis(k, aj));
    p->spill_at = ix_add(k, ix_mul(k, ix_axis(k, ai), at->wide), ix_axis(k, aj));
  }
  product_store(p, at->batch, row, col);
  builder_forget(b, mark);
  k_end(k, lj);
  k_end(k, li);
}

/* ---- loops over tiles ---------------------------------------------------------------------------------------------------- */

static int first_row(product *p, const span *s, int block, int panel) {
  kernel *k = p->b.k;
  int n = ix_add(k, ix_mul(k, block, s->panels), panel);
  return ix_add(k, ix_mul(k, n, s->mr), ix_const(k, s->row0));
}

/* Every tile of the span is a task; of a batch (else -1) that is one itself, every tile in turn. */
static void emit_tiles(product *p, const span *s, const bands *c, int batch) {
  kernel *k = p->b.k;
  int64_t slab = c->count;
  if (s->blocks > 1) slab = largest_divisor(c->count, NC_BYTES / band_bytes(p) > 1 ? NC_BYTES / band_bytes(p) : 1);
  int64_t extent[] = {p->batches, c->count / slab, s->blocks, slab, s->panels};
  bool inner = batch >= 0;
  int loop[5], n[5] = {batch};
  for (int i = inner; i < 5; i++) {
    int axis = k_axis_add(k, extent[i], inner ? 0u : AXIS_PARALLEL, 1, 1);
    loop[i] = k_loop(k, axis);
    n[i] = ix_axis(k, axis);
  }
  int band = ix_add(k, ix_mul(k, n[1], slab), n[3]);
  tile_place at = {.batch = n[0],
                   .row = first_row(p, s, n[2], n[4]),
                   .col = product_column(p, c, band),
                   .panel = ix_add(k, band, ix_const(k, c->panel)),
                   .wide = c->wide};
  emit_tile(p, &at, s->mr);
  for (int i = 4; i >= inner; i--) k_end(k, loop[i]);
}

static void emit_task_tiles(product *p, const packing_task *t, const span *spans, int nspans) {
  kernel *k = p->b.k;
  int apanel = task_panel_axis(p, t), lpanel = k_loop(k, apanel);
  int64_t tiles = 0, before = 0;
  for (int i = 0; i < nspans; i++) tiles += spans[i].panels;
  int64_t ncopied = task_packs_ahead(p) ? smallest_divisor(p->kc, ceil_div(p->kc, tiles)) : 1;
  for (int i = 0; i < nspans; i++) {
    int arows = k_axis_add(k, spans[i].panels, 0, 1, 1), lrows = k_loop(k, arows), n = ix_axis(k, arows);
    tile_place at = {.batch = t->batch,
                     .row = first_row(p, &spans[i], ix_const(k, 0), n),
                     .col = task_column(p, t, ix_axis(k, apanel)),
                     .panel = ix_axis(k, apanel),
                     .wide = t->c->wide,
                     .task = t,
                     .copied = ix_mul(k, ix_add(k, n, ix_const(k, before)), ncopied),
                     .ncopied = ncopied};
    emit_tile(p, &at, spans[i].mr);
    before += spans[i].panels;
    k_end(k, lrows);
  }
  k_end(k, lpanel);
}

/* A task makes some panels of the right operand for itself and goes over all rows with each. */
static void emit_task(product *p, const span *spans, int nspans, const bands *c) {
  kernel *k = p->b.k;
  packing_task t = {.c = c, .panels = least(c->count, p->task_panels)};
  int abatch = k_axis_add(k, p->batches, AXIS_PARALLEL, 1, 1);
  int agroup = k_axis_add(k, ceil_div(c->count, t.panels), AXIS_PARALLEL, 1, 1);
  int lbatch = k_loop(k, abatch), lgroup = k_loop(k, agroup);
  t.batch = ix_axis(k, abatch);
  t.band0 = ix_mul(k, ix_axis(k, agroup), t.panels);
  t.rest = (c->count - 1) % t.panels + 1;
  t.last = t.rest < t.panels ? ix_div(k, ix_axis(k, agroup), c->count / t.panels) : ix_const(k, 0);
  t.block = ix_const(k, 0);
  if (p->form == FORM_TASK_PACKED) {
    int64_t whole = p->dot ? elements_summed(p) / 2 : p->K;
    task_pack(p, &t, 0, whole);
    task_pack(p, &t, whole, p->K - whole);
    emit_task_tiles(p, &t, spans, nspans);
  } else {
    task_sums_axes(p, &t);
    task_sums(p, &t, false);
    if (task_packs_ahead(p)) task_pack(p, &t, 0, p->kc);
    int ablock = k_axis_add(k, p->K / p->kc, 0, 1, 1), lblock = k_loop(k, ablock);
    t.block = ix_axis(k, ablock);
    if (!task_packs_ahead(p)) task_pack(p, &t, 0, p->kc);
    emit_task_tiles(p, &t, spans, nspans);
    task_close_block(p, &t);
    k_end(k, lblock);
    task_sums(p, &t, true);
  }
  k_end(k, lgroup);
  k_end(k, lbatch);
}

/* Small matrices, and many: the next section finds the operands in the cache. */
static bool batches_are_tasks(const product *p) {
  int64_t size = (int64_t)tme_dtype_size(p->acc);
  return p->batches >= FEWEST_BATCHES && (p->M * p->K + p->K * p->N) * size <= product_l2_half(p);
}

static bool emit(product *p, const char *name) {
  if (!product_begin(p, name)) return false;
  span spans[MOST_SPANS];
  int nspans = product_cut_rows(p, spans);
  bands parts[2];
  product_cut_bands(p, parts);
  int64_t widest = parts[0].count ? parts[0].wide : parts[1].wide;
  bool blocked = p->form == FORM_TASK_BLOCKED, by_task = blocked || p->form == FORM_TASK_PACKED;
  p->spilled = blocked || has_long_epilogue(p);
  for (int w = 0; !blocked && p->spilled && w < (p->complex ? 2 : 1); w++)
    p->spill_buf[w] = builder_scratch(&p->b, p->acc, spans[0].mr * widest);
  if (by_task) task_reserve(p, widest);
  int nsections = nspans * ((parts[0].count > 0) + (parts[1].count > 0)), batch = -1, lbatch = -1;
  if (!by_task && nsections > 1 && batches_are_tasks(p)) {
    int axis = k_axis_add(p->b.k, p->batches, AXIS_PARALLEL, 1, 1);
    lbatch = k_loop(p->b.k, axis);
    batch = ix_axis(p->b.k, axis);
  }
  for (int i = 0; i < 2; i++) {
    const bands *c = &parts[i];
    if (!c->count) continue;
    if (by_task)
      emit_task(p, spans, nspans, c);
    else
      for (int k = 0; k < nspans; k++) emit_tiles(p, &spans[k], c, batch);
  }
  if (lbatch >= 0) k_end(p->b.k, lbatch);
  return true;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------- */

static int64_t right_matrices(const product *p) { return type_matrices(&product_at(p, p->right)->type); }

static void set_extents(product *p) {
  const op_type *t = &product_at(p, p->node)->type, *tr = &product_at(p, p->right)->type;
  const op_type *tl = &product_at(p, p->left)->type;
  p->rank = t->rank;
  p->K = tl->shape[tl->rank - 1];
  p->N = tr->shape[tr->rank - 1];
  p->M = t->shape[p->rank - 2];
  p->batches = 1;
  for (int d = 0; d < p->rank - 2; d++) p->batches *= t->shape[d];
}

static void merge(product *p) {
  p->M *= p->batches;
  p->batches = 1;
  p->merged = true;
}

/* The index arithmetic of the kernel as it would be without copies; -1 when out of memory. */
static int index_work(product *p, const char *name) {
  tile_choose(p, product_timed_tile(p));
  p->form = FORM_DIRECT;
  int work = emit(p, name) ? kernel_index_work(p->b.k) : -1;
  builder_free(&p->b);
  return work;
}

/* The rows of a batch with one right operand are rows of one product, if they lie in one line. */
static bool merge_batches(product *p, const char *name) {
  if (p->batches == 1 || right_matrices(p) != 1) return true;
  product apart = *p;
  merge(p);
  int together = index_work(p, name), before = together > 0 ? index_work(&apart, name) : 0;
  if (together > before) *p = apart;
  return together >= 0 && before >= 0;
}

static int32_t source_dtype(const product *p, int operand) {
  return (int32_t)product_at(p, product_source(p, operand))->type.dtype;
}

/* The way that was found to be the fastest for such a product, which is noted as one that has several. */
static int choose_way(product *p) {
  const tuned_products *tuned = product_cpu(p)->tuned;
  tuned_products *met = product_cpu(p)->met;
  int64_t column, row;
  if ((!tuned && !met) || p->M <= MOST_MATVEC_ROWS || p->K <= 1 || right_matrices(p) != p->batches) return 0;
  if (!product_right_strides(p, &column, &row)) return 0;
  product_class c = {.batches = p->batches,
                     .M = p->M,
                     .N = p->N,
                     .K = p->K,
                     .dtype = (int32_t)product_at(p, p->left)->type.dtype,
                     .left_dtype = source_dtype(p, p->left),
                     .right_dtype = source_dtype(p, p->right),
                     .transposed = column != 1};
  const tuned_product *known = tuned ? tuned_find(tuned, &c) : NULL;
  int choice = known ? known->choice : 0;
  if (met && !tuned_find(met, &c)) tuned_add(met, &c, choice); /* what is not noted is not tuned */
  return choice;
}

tme_status cpu_product(lowering *l, int gr, error *e) {
  product p = {.l = l, .G = &l->f->groups[gr], .gr = gr, .node = l->f->groups[gr].seed};
  p.left = graph_in(l->g, p.node, 0);
  p.right = graph_in(l->g, p.node, 1);
  p.acc = dtype_held(product_at(&p, p.node)->type.dtype);
  p.complex = dtype_is_complex(product_at(&p, p.node)->type.dtype);
  char label[96], name[48], shape[SHAPE_TEXT];
  lower_label(l, label, sizeof label);
  type_shape_text(&p.G->full, shape);
  snprintf(name, sizeof name, "%.24s %.20s", label, shape);
  set_extents(&p);
  if (!merge_batches(&p, name)) return fail_memory(e, label, sizeof(kernel));
  p.choice = choose_way(&p);
  p.dot = pairs_dot(l->g, p.node, product_cpu(&p));
  if (p.dot) {
    p.acc = dot_dtype(p.dot);
    p.K = ceil_div(p.K, 2);
  }
  tile_choose(&p, product_timed_tile(&p));
  tme_status status = product_choose_form(&p, e);
  if (status == TME_OK && p.dot) status = pairs_pack_left(&p, e);
  if (status != TME_OK) return status;
  bool made = p.form == FORM_MATVEC ? product_emit_matvec(&p, name) : emit(&p, name);
  if (!made) status = kernel_failure(p.b.k, label, e);
  if (status == TME_OK) status = lower_step(&p.b, label, e);
  builder_free(&p.b);
  return status;
}
