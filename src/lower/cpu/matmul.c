/* Products of matrices: a register tile of the result per task, the sum over k in its accumulators, the epilogue applied
 * to them before they are stored. (Goto, van de Geijn: "Anatomy of high-performance matrix multiplication", 2008; the
 * tile is generated for the shape, and operands are copied only where that pays.)
 *
 *     slabs of columns that the last cache holds
 *       blocks of rows, whose left operand the second cache holds
 *         bands of columns, a tile wide, whose right operand the first or the second cache holds
 *           panels of rows, a tile high
 *
 * Rows that make no whole block are cut into balanced panels, so that no panel is nearly empty; what remains of the columns
 * is one narrower tile, or a few. Each combination is a section of the kernel. Where the right operand is copied in blocks
 * of rows, a sum waits in memory from one to the next. Every element is one sum from the first k to the last; of a long sum
 * of floats, one of each block of k (product_block), and they are added in order. */
#include "kernel/kernel_util.h"
#include "lower/cpu/measure.h"
#include "lower/cpu/pairs.h"
#include "lower/cpu/product.h"
#include <stdio.h>
#include <string.h>

/* Rows and vectors of a tile: accumulators, one row of the right operand and a broadcast must fit the registers. */
static const tile tiles_32[] = {{6, 4}, {8, 3}, {14, 2}, {28, 1}};
static const tile tiles_16[] = {{6, 2}, {4, 3}, {12, 1}};
/* Vectors of a tile that has all rows, for 1 to 4 of them. */
static const int flat_vectors_32[] = {8, 8, 6, 5};
static const int flat_vectors_16[] = {8, 6, 4, 3};

/* The choices beside the usual way: every tile with every form, of which RIGHT_OWN stands for RIGHT_BLOCKED, too. */
static const right_form choice_forms[] = {RIGHT_DIRECT, RIGHT_OWN, RIGHT_PACKED};

enum {
  SLAB = 2 << 20,        /* bytes of the right operand that all blocks of rows go over before the next ones */
  LONG_ROW = 512,        /* columns from which a few rows are summed row by row: */
  MOST_STREAMED = 10,    /* so many, where they would need panels otherwise */
  NEAR = 256 << 10,      /* bytes over which a processor translates addresses at once: 64 pages */
  MOST_OWN_PANELS = 4,   /* that a task makes for itself: neighbours share cache lines */
  MOST_BLOCKED = 8,      /* the same, of a block of rows */
  FEWEST_BLOCKED = 4,    /* for which blocks are better than panels that an earlier step makes, */
  MOST_PACK_BOUND = 128, /* except up to so many rows, for which that step takes much of the time */
  MANY_ROWS = 64,        /* that read a band often enough to copy it for the first cache */
  FEWEST_BANDS = 8,      /* that are tasks enough */
  MANY_BLOCKS = 4,       /* from which on copying beside sums gains more than sums that wait cost */
  MOST_COPY_BOUND = 64,  /* rows up to which copying takes more time than sums that wait */
  FEWEST_OWN_TASKS = 14, /* that are left where a task makes its own panels */
  FEWEST_BATCHES = 32    /* each of which is a task */
};

/* Rows [row0, row0 + blocks * panels * rows). */
typedef struct span {
  int64_t row0;
  int rows; /* of a panel */
  int64_t panels, blocks;
} span;
enum { MOST_SPANS = 3 };

static int64_t elements_summed(const product *p) {
  const op_type *t = &product_at(p, p->right)->type;
  return t->shape[t->rank - 2];
}

/* ---- the shape of the tile ---------------------------------------------------------------------------------------------- */

int product_choices(int registers) {
  return 1 + (registers >= 32 ? COUNT(tiles_32) : COUNT(tiles_16)) * COUNT(choice_forms);
}

static const tile *tiles_of(const cpu_target *t, int *n) {
  bool many = t->registers >= 32;
  *n = many ? COUNT(tiles_32) : COUNT(tiles_16);
  return many ? tiles_32 : tiles_16;
}

/* The fewest bands, and of equals the one of fewer vectors and more rows. But what the first cache does not hold of a wide
 * band is read from the second one for each panel of rows; few rows go over blocks of one, which it does hold. */
static tile best_tile(const product *p) {
  const cpu_target *t = product_cpu(p);
  int n, best = 0;
  const tile *list = tiles_of(t, &n);
  int64_t vectors = ceil_div(p->N, p->lanes), lowest = INT64_MAX, bytes = p->K * t->vector_bytes;
  for (int i = 0; i < n; i++) {
    int held = (list[i].rows + 1) * list[i].vectors + 1;
    if (p->dot == K_DOT_I16 && held >= t->registers) continue; /* products of pairs need one, too */
    int64_t bands = ceil_div(vectors, list[i].vectors);
    bool beyond_l1 = p->M > MOST_COPY_BOUND && bytes * list[i].vectors > t->l1.bytes;
    if (beyond_l1 && list[i].rows < list[0].rows && vectors % list[0].vectors == 0) continue;
    if (bands < lowest || (bands == lowest && list[i].vectors < list[best].vectors)) {
      lowest = bands;
      best = i;
    }
  }
  return list[best];
}

static void choose_tile(product *p) {
  const cpu_target *t = product_cpu(p);
  int n;
  const tile *list = tiles_of(t, &n);
  p->lanes = cpu_lanes(t, tme_dtype_size(p->acc));
  if (p->M <= MOST_FEW_ROWS) {
    p->t.rows = (int)p->M;
    p->t.vectors = t->registers >= 32 ? flat_vectors_32[p->M - 1] : flat_vectors_16[p->M - 1];
  } else if (p->choice) {
    p->t = list[(p->choice - 1) / COUNT(choice_forms)];
  } else {
    p->t = best_tile(p);
  }
  if (p->complex) { /* two accumulators each */
    p->t.rows = p->t.rows > 1 ? p->t.rows / 2 : 1;
    if (p->t.rows == 1 && p->t.vectors > 4) p->t.vectors = 4;
  }
  int64_t needed = ceil_div(p->N, p->lanes);
  if (needed < p->t.vectors) p->t.vectors = (int)needed;
}

static int64_t tile_wide(const product *p) { return (int64_t)p->t.vectors * p->lanes; }

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t l2_half(const product *p) { return product_cpu(p)->l2.bytes / 2; }

/* True if bands alone are tasks enough. */
static bool has_many_bands(const product *p) { return p->N * p->batches >= FEWEST_BANDS * tile_wide(p); }

/* Bytes of the right operand that a band of columns needs, as numbers that are summed. */
static int64_t band_bytes(const product *p) { return p->K * tile_wide(p) * (int64_t)tme_dtype_size(p->acc); }

static void cut_balanced(const product *p, int64_t row0, span *out, int *n) {
  int64_t rows = p->M - row0, panels = ceil_div(rows, p->t.rows), high = ceil_div(rows, panels), low = high - 1;
  int64_t nhigh = rows - panels * low; /* rows = nhigh high + (panels - nhigh) low */
  out[(*n)++] = (span){row0, (int)high, nhigh, 1};
  if (low > 0 && panels > nhigh) out[(*n)++] = (span){row0 + nhigh * high, (int)low, panels - nhigh, 1};
}

static void cut_columns(const product *p, columns out[2]) {
  bool own = p->form == RIGHT_OWN || p->form == RIGHT_BLOCKED;
  columns_cut(p->N, tile_wide(p), p->lanes, own && p->batches == 1, out);
}

/* Blocks of whole panels as long as there is more than one, then the rest. */
static int cut_rows(const product *p, span *out) {
  int64_t k = p->form == RIGHT_BLOCKED ? p->own_rows : p->K;
  int64_t most = l2_half(p) / (k * (int64_t)tme_dtype_size(p->acc) + 1), per = most / p->t.rows;
  if (per < 1) per = 1;
  int64_t block = per * p->t.rows, blocks = p->M / block;
  if (blocks > 0 && 2 * (p->M % block) < block) blocks--; /* the rest is half a block to one and a half */
  int n = 0;
  if (blocks > 0) out[n++] = (span){0, p->t.rows, per, blocks};
  cut_balanced(p, blocks * block, out, &n);
  return n;
}

/* ---- how the right operand is read --------------------------------------------------------------------------------------- */

/* Elements from one column of the right operand to the next, and from one row to the next; 0 where that is not constant.
 * False when out of memory. */
static bool right_strides(product *p, int64_t *column, int64_t *row) {
  builder b;
  const op_type *t = &product_at(p, p->right)->type;
  int ix[TME_MAX_RANK], axis[TME_MAX_RANK];
  *column = *row = 0;
  if (!builder_init(&b, p->l, "probe")) return false;
  for (int d = 0; d < t->rank; d++) {
    axis[d] = t->shape[d] == 1 ? -1 : k_axis_add(b.k, t->shape[d], 0, 1, 1);
    ix[d] = t->shape[d] == 1 ? ix_const(b.k, 0) : ix_axis(b.k, axis[d]);
  }
  builder_value(&b, p->right, ix, -1);
  for (int w = 0; w < 2 && b.k->nacc == 1; w++) {
    int64_t *stride = w ? row : column;
    int a = axis[t->rank - 1 - w];
    if (a < 0 || !ix_affine(b.k, b.k->acc[0].ix, a, stride)) *stride = 0;
  }
  if (b.k->nacc == 0 || axis[t->rank - 1] < 0) *column = 1; /* nothing is loaded, or one column */
  bool ok = !b.k->failed;
  builder_free(&b);
  return ok;
}

/* Copies the right operand into panels as wide as the tile. */
static tme_status pack_right(product *p, bool by_rows, error *e) {
  int rank = product_at(p, p->right)->type.rank;
  p->pack = (packed){.node = p->right,
                     .kdim = rank - 2,
                     .cdim = rank - 1,
                     .lanes = p->lanes,
                     .vectors = p->t.vectors,
                     .K = p->K,
                     .N = p->N,
                     .by_rows = by_rows,
                     .dtype = product_element(p),
                     .dot = p->dot};
  return lower_pack(p->l, &p->pack, e);
}

/* How many panels a task makes, at most so many: enough tasks are left, the last one has few less, and two threads have as
 * many. A task is a third of a panel's work besides. */
static int64_t panels_of_task(const product *p, int64_t most) {
  columns parts[2];
  cut_columns(p, parts);
  int64_t bands = parts[0].count, best = 1, lowest = INT64_MAX;
  most = least(most, bands * p->batches / FEWEST_OWN_TASKS);
  for (int64_t n = most; n > 0; n--) {
    int64_t tasks = ceil_div(bands, n) * p->batches, cost = (tasks + tasks % 2) * (3 * n + 1);
    if (cost < lowest) {
      lowest = cost;
      best = n;
    }
  }
  return best;
}

/* True if a task can make panels of all rows of the right operand: they and the left operand fit the second cache. */
static bool try_whole(product *p) {
  span spans[MOST_SPANS];
  p->form = RIGHT_OWN;
  p->own_rows = p->K;
  p->own_panels = panels_of_task(p, least(l2_half(p) / band_bytes(p), MOST_OWN_PANELS));
  cut_rows(p, spans);
  return spans[0].blocks == 1 && band_bytes(p) <= l2_half(p);
}

/* True if it can make panels of blocks of rows: a block of the left operand, the sums, and the panels each fit half of the
 * second cache, of which there is seldom need for all. Two panels that take turns are small. */
static bool try_blocks(product *p) {
  span spans[MOST_SPANS];
  int64_t size = (int64_t)tme_dtype_size(p->acc), wide = tile_wide(p);
  p->form = RIGHT_BLOCKED;
  p->own_rows = largest_divisor(p->K, BLOCK_ROWS);
  int64_t held = own_ahead(p) ? MOST_BLOCKED : least(l2_half(p) / (p->own_rows * wide * size), MOST_BLOCKED);
  p->own_panels = panels_of_task(p, held);
  int64_t longer = p->own_rows > wide * p->own_panels ? p->own_rows : wide * p->own_panels;
  /* More sections would need more axes than a kernel has. */
  bool fits = p->M * longer * size <= l2_half(p) && cut_rows(p, spans) <= 2 && spans[0].blocks == 1;
  return fits && !p->dot && p->own_rows < p->K && p->own_rows >= BLOCK_ROWS / 2;
}

/* Blocks of more panels rather than whole ones: longer pieces of rows are read faster, and a block of the left operand
 * stays in the first cache. Or of as many, where that hides the copying. */
static bool choose_own(product *p) {
  product whole = *p, blocks = *p;
  bool has_whole = try_whole(&whole), has_blocks = try_blocks(&blocks);
  bool hides = p->M <= MOST_COPY_BOUND && own_ahead(&blocks) && p->K / blocks.own_rows >= MANY_BLOCKS;
  int64_t fewest = p->M <= MOST_PACK_BOUND && has_many_bands(p) ? 1 : FEWEST_BLOCKED;
  if (has_whole) fewest = hides ? whole.own_panels : whole.own_panels + 1;
  if (has_blocks && blocks.own_panels >= fewest)
    *p = blocks;
  else if (has_whole)
    *p = whole;
  return p->form != RIGHT_DIRECT;
}

/* Bands of whole cache lines, if the columns are a multiple: none reads lines of its neighbours. `size` is that of what is
 * read. */
static void align_bands(product *p, int64_t size) {
  int n;
  const tile *list = tiles_of(product_cpu(p), &n);
  int64_t vector = p->lanes * size;
  bool fixed = p->choice || p->complex || p->M <= MOST_FEW_ROWS;
  for (int i = 0; i < n && !fixed && p->t.vectors * vector % CACHE_LINE != 0; i++)
    if (list[i].vectors * vector % CACHE_LINE == 0 && p->N % (list[i].vectors * p->lanes) == 0) p->t = list[i];
}

/* Results of a few long rows are summed row by row. */
static bool is_streamed(const product *p, int64_t most_rows) {
  return !p->dot && !p->complex && p->M <= most_rows && p->N >= LONG_ROW;
}

/* Panels are needed where the right operand is converted or made of pairs, where neighbouring columns are not neighbours in
 * memory, and where the rows of a band would push each other out of the second cache (if many rows go over the band: of the
 * first) or lie on too many pages. A task makes its own if nobody else needs them. */
static tme_status choose_form(product *p, error *e) {
  int source = product_source(p, p->right);
  int64_t column, row, size = (int64_t)tme_dtype_size(dtype_real(product_at(p, source)->type.dtype));
  if (!right_strides(p, &column, &row)) return fail_memory(e, "matmul", sizeof(kernel));
  p->aligned = row && row * size % CACHE_LINE == 0;
  bool converted = source != p->right && p->M > MOST_FEW_ROWS;
  bool scattered = column != 1 && p->M > 1;
  bool near = p->K * row * size <= NEAR && p->K * row * size >= -NEAR;
  bool for_l1 = p->M >= MANY_ROWS && has_many_bands(p);
  const cache_level *cache = for_l1 ? &product_cpu(p)->l1 : &product_cpu(p)->l2;
  bool crowded = p->M > MOST_FEW_ROWS && !(near && cache_holds(cache, p->K, tile_wide(p) * size, row * size));
  bool direct = !p->complex && !scattered && !converted && !crowded, pack = false;
  if (p->choice) { /* where it cannot be done, the next best */
    right_form form = choice_forms[(p->choice - 1) % COUNT(choice_forms)];
    direct = form == RIGHT_DIRECT && !p->complex && !scattered;
    pack = form == RIGHT_PACKED;
  }
  p->form = RIGHT_DIRECT;
  if (!p->dot && (p->K <= 1 || direct)) {
    if (is_streamed(p, MOST_FEW_ROWS)) p->form = RIGHT_STREAMED;
    if (p->aligned) align_bands(p, size);
    return TME_OK;
  }
  if (!p->choice && !scattered && is_streamed(p, MOST_STREAMED)) {
    p->form = RIGHT_STREAMED;
    return TME_OK;
  }
  if (!pack && !p->complex && !scattered && choose_own(p)) return TME_OK;
  p->form = RIGHT_PACKED;
  return pack_right(p, column == 1, e);
}

/* ---- the tile ------------------------------------------------------------------------------------------------------------ */

/* An epilogue with transcendental functions, written out for every register of the tile, takes longer to compile than all
 * else. */
static bool has_long_epilogue(const product *p) {
  for (int i = p->node + 1; i < p->l->g->n; i++) {
    int op = product_at(p, i)->op;
    if (p->l->f->group_of[i] == p->gr && op < OP_PUBLIC_COUNT && op_get(op)->ulp > 0) return true;
  }
  return false;
}

/* Where a tile lies: its first row, its first column and how many there are; the panel of the right operand, of all or of
 * the task's own. */
typedef struct place {
  int batch, row, col, panel;
  int64_t wide;
  const own_task *own; /* RIGHT_OWN, RIGHT_BLOCKED; else NULL */
  int copied;          /* of the next panel: the first row that is copied beside the tile's sums, */
  int64_t ncopied;     /* and how many are */
} place;

static expr_value right_value(product *p, const place *at, int row, int kk, int col, int jj) {
  kernel *k = p->b.k;
  if (p->form == RIGHT_OWN || p->form == RIGHT_BLOCKED)
    return (expr_value){own_value(p, at->own, at->panel, kk, jj), -1};
  if (p->form == RIGHT_DIRECT) return product_right(p, at->batch, row, kk, col);
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

static void emit_tile(product *p, const place *at, int rows) {
  builder *b = &p->b;
  kernel *k = b->k;
  bool blocked = p->form == RIGHT_BLOCKED;
  int mark = builder_mark(b);
  int ai = k_axis_add(k, rows, AXIS_UNROLL, 1, 1);
  int aj = k_axis_add(k, at->wide, AXIS_VECTOR, p->lanes, (int)ceil_div(at->wide, p->lanes));
  int64_t parts = blocked ? at->ncopied : 1, part = blocked ? p->own_rows / parts : 0;
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

  int sum = blocked ? own_sum(p, at->own, row, at->panel, jj) : -1;
  if (blocked) {
    int li = k_loop(k, ai), lj = k_loop(k, aj);
    k_emit(k, K_UPDATE, p->acc, p->acc_id[0], k_load(k, sum), -1, 0);
    k_end(k, lj);
    k_end(k, li);
  }

  int lp = ap < 0 ? -1 : k_loop(k, ap);
  if (own_ahead(p)) own_copy_ahead(p, at->own, at->panel, ix_add(k, at->copied, piece));
  int lk = k_loop(k, ak), li = k_loop(k, ai), lj = k_loop(k, aj), inner = builder_mark(b);
  int left_k = blocked ? own_row(p, at->own->block, kk) : kk;
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
  return ix_add(k, ix_mul(k, n, s->rows), ix_const(k, s->row0));
}

/* Every tile of the span is a task; of a batch (else -1) that is one itself, every tile in turn. */
static void emit_tiles(product *p, const span *s, const columns *c, int batch) {
  kernel *k = p->b.k;
  int64_t slab = c->count;
  if (s->blocks > 1) slab = largest_divisor(c->count, SLAB / band_bytes(p) > 1 ? SLAB / band_bytes(p) : 1);
  int64_t extent[] = {p->batches, c->count / slab, s->blocks, slab, s->panels};
  bool inner = batch >= 0;
  int loop[5], n[5] = {batch};
  for (int i = inner; i < 5; i++) {
    int axis = k_axis_add(k, extent[i], inner ? 0u : AXIS_PARALLEL, 1, 1);
    loop[i] = k_loop(k, axis);
    n[i] = ix_axis(k, axis);
  }
  int band = ix_add(k, ix_mul(k, n[1], slab), n[3]);
  place at = {.batch = n[0],
              .row = first_row(p, s, n[2], n[4]),
              .col = product_column(p, c, band),
              .panel = ix_add(k, band, ix_const(k, c->panel)),
              .wide = c->wide};
  emit_tile(p, &at, s->rows);
  for (int i = 4; i >= inner; i--) k_end(k, loop[i]);
}

static void emit_own_tiles(product *p, const own_task *t, const span *spans, int nspans) {
  kernel *k = p->b.k;
  int apanel = own_panel_axis(p, t), lpanel = k_loop(k, apanel);
  int64_t tiles = 0, before = 0;
  for (int i = 0; i < nspans; i++) tiles += spans[i].panels;
  int64_t ncopied = own_ahead(p) ? smallest_divisor(p->own_rows, ceil_div(p->own_rows, tiles)) : 1;
  for (int i = 0; i < nspans; i++) {
    int arows = k_axis_add(k, spans[i].panels, 0, 1, 1), lrows = k_loop(k, arows), n = ix_axis(k, arows);
    place at = {.batch = t->batch,
                .row = first_row(p, &spans[i], ix_const(k, 0), n),
                .col = own_column(p, t, ix_axis(k, apanel)),
                .panel = ix_axis(k, apanel),
                .wide = t->c->wide,
                .own = t,
                .copied = ix_mul(k, ix_add(k, n, ix_const(k, before)), ncopied),
                .ncopied = ncopied};
    emit_tile(p, &at, spans[i].rows);
    before += spans[i].panels;
    k_end(k, lrows);
  }
  k_end(k, lpanel);
}

/* A task makes some panels of the right operand for itself and goes over all rows with each. */
static void emit_own(product *p, const span *spans, int nspans, const columns *c) {
  kernel *k = p->b.k;
  own_task t = {.c = c, .panels = least(c->count, p->own_panels)};
  int abatch = k_axis_add(k, p->batches, AXIS_PARALLEL, 1, 1);
  int agroup = k_axis_add(k, ceil_div(c->count, t.panels), AXIS_PARALLEL, 1, 1);
  int lbatch = k_loop(k, abatch), lgroup = k_loop(k, agroup);
  t.batch = ix_axis(k, abatch);
  t.band0 = ix_mul(k, ix_axis(k, agroup), t.panels);
  t.rest = (c->count - 1) % t.panels + 1;
  t.last = t.rest < t.panels ? ix_div(k, ix_axis(k, agroup), c->count / t.panels) : ix_const(k, 0);
  t.block = ix_const(k, 0);
  if (p->form == RIGHT_OWN) {
    int64_t whole = p->dot ? elements_summed(p) / 2 : p->K;
    own_copy(p, &t, 0, whole);
    own_copy(p, &t, whole, p->K - whole);
    emit_own_tiles(p, &t, spans, nspans);
  } else {
    own_sums_axes(p, &t);
    own_sums(p, &t, false);
    if (own_ahead(p)) own_copy(p, &t, 0, p->own_rows);
    int ablock = k_axis_add(k, p->K / p->own_rows, 0, 1, 1), lblock = k_loop(k, ablock);
    t.block = ix_axis(k, ablock);
    if (!own_ahead(p)) own_copy(p, &t, 0, p->own_rows);
    emit_own_tiles(p, &t, spans, nspans);
    own_close_block(p, &t);
    k_end(k, lblock);
    own_sums(p, &t, true);
  }
  k_end(k, lgroup);
  k_end(k, lbatch);
}

/* Small matrices, and many: the next section finds the operands in the cache. */
static bool batches_are_tasks(const product *p) {
  int64_t size = (int64_t)tme_dtype_size(p->acc);
  return p->batches >= FEWEST_BATCHES && (p->M * p->K + p->K * p->N) * size <= l2_half(p);
}

static bool emit(product *p, const char *name) {
  if (!product_begin(p, name)) return false;
  span spans[MOST_SPANS];
  int nspans = cut_rows(p, spans);
  columns parts[2];
  cut_columns(p, parts);
  int64_t widest = parts[0].count ? parts[0].wide : parts[1].wide;
  bool blocked = p->form == RIGHT_BLOCKED, own = blocked || p->form == RIGHT_OWN;
  p->spilled = blocked || has_long_epilogue(p);
  for (int w = 0; !blocked && p->spilled && w < (p->complex ? 2 : 1); w++)
    p->spill_buf[w] = builder_scratch(&p->b, p->acc, spans[0].rows * widest);
  if (own) own_reserve(p, widest);
  int nsections = nspans * ((parts[0].count > 0) + (parts[1].count > 0)), batch = -1, lbatch = -1;
  if (!own && nsections > 1 && batches_are_tasks(p)) {
    int axis = k_axis_add(p->b.k, p->batches, AXIS_PARALLEL, 1, 1);
    lbatch = k_loop(p->b.k, axis);
    batch = ix_axis(p->b.k, axis);
  }
  for (int i = 0; i < 2; i++) {
    const columns *c = &parts[i];
    if (!c->count) continue;
    if (own)
      emit_own(p, spans, nspans, c);
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
  choose_tile(p);
  p->form = RIGHT_DIRECT;
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
  if ((!tuned && !met) || p->M <= MOST_FEW_ROWS || p->K <= 1 || right_matrices(p) != p->batches) return 0;
  if (!right_strides(p, &column, &row)) return 0;
  product_class c = {.batches = p->batches,
                     .M = p->M,
                     .N = p->N,
                     .K = p->K,
                     .dtype = (int32_t)product_at(p, p->left)->type.dtype,
                     .left_dtype = source_dtype(p, p->left),
                     .right_dtype = source_dtype(p, p->right),
                     .turned = column != 1};
  const tuned_product *known = tuned ? tuned_find(tuned, &c) : NULL;
  int choice = known ? known->choice : 0;
  if (met && !tuned_find(met, &c)) tuned_add(met, &c, choice); /* what is not noted is not tuned */
  return choice;
}

tme_status cpu_product(lowering *l, int gr, error *e) {
  product p = {.l = l, .G = &l->f->groups[gr], .gr = gr, .node = l->f->groups[gr].seed};
  p.left = graph_in(l->g, p.node, 0);
  p.right = graph_in(l->g, p.node, 1);
  p.acc = expr_dtype(product_at(&p, p.node)->type.dtype);
  p.complex = dtype_is_complex(product_at(&p, p.node)->type.dtype);
  char label[96], name[48], shape[200];
  lower_label(l, gr, label, sizeof label);
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
  choose_tile(&p);
  tme_status status = choose_form(&p, e);
  if (status == TME_OK && p.dot) status = pairs_pack_left(&p, e);
  if (status != TME_OK) return status;
  bool made = p.form == RIGHT_STREAMED ? product_emit_few_rows(&p, name) : emit(&p, name);
  if (!made) status = kernel_failure(p.b.k, label, e);
  if (status == TME_OK) status = lower_step(&p.b, label, e);
  builder_free(&p.b);
  return status;
}
