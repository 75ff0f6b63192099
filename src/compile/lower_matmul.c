/* Products of matrices: a register tile of the result per task, the sum over k in its accumulators, the epilogue applied
 * to them before they are stored. (Goto, van de Geijn: "Anatomy of high-performance matrix multiplication", 2008; the
 * tile is generated for the shape, and operands are packed only where that pays.)
 *
 * Rows are cut into balanced panels, so that no panel is nearly empty; what remains of the columns is a narrower tile
 * with masked lanes. Each combination is a section of the kernel. */
#include "compile/lower.h"
#include <stdio.h>
#include <string.h>

/* Products with at least so many columns and rows have their right operand packed: its rows lie on too many pages. */
enum { PACK_COLUMNS = 1024, PACK_ROWS = 48 };

/* Rows and vectors of a tile: accumulators, one row of the right operand and a broadcast must fit the registers. */
typedef struct tile {
  int rows, vectors;
} tile;
static const tile tiles_32[] = {{6, 4}, {8, 3}, {14, 2}, {28, 1}};
static const tile tiles_16[] = {{6, 2}, {4, 3}, {12, 1}};
/* Vectors of a tile that has all rows, for 1 to 4 of them. */
static const int flat_vectors_32[] = {8, 8, 6, 5};
static const int flat_vectors_16[] = {8, 6, 4, 3};

typedef struct product {
  builder b;
  lowering *l;
  const group *G;
  int gr, node, left, right;
  int rank;        /* of the result */
  int64_t M, N, K; /* with merged rows M counts those of all batches */
  int64_t batches; /* products; 1 with merged rows */
  bool merged;     /* the batch is part of the rows: the right operand has none */
  bool packed;
  packed pack;
  tme_dtype acc;
  bool complex;
  tile t;
  int lanes;
  int acc_id[2];
  bool spilled; /* the epilogue reads the tile from scratch memory, in a loop, not unrolled from registers */
  int spill_buf[2], spill_at;
  int read_ix[TME_MAX_RANK]; /* the index at which the product's value is the accumulator */
} product;

static const g_node *at(const product *p, int i) { return &p->l->g->node[i]; }

/* ---- the shape of the tile ---------------------------------------------------------------------------------------------- */

static void choose_tile(product *p) {
  const lower_target *t = p->l->t;
  bool many = t->registers >= 32;
  p->lanes = lower_lanes(t, tme_dtype_size(p->acc));
  if (p->M <= 4) {
    p->t.rows = (int)p->M;
    p->t.vectors = many ? flat_vectors_32[p->M - 1] : flat_vectors_16[p->M - 1];
  } else {
    const tile *list = many ? tiles_32 : tiles_16;
    int n = many ? COUNT(tiles_32) : COUNT(tiles_16);
    int64_t least = INT64_MAX;
    for (int i = 0; i < n; i++) { /* the fewest columns computed for nothing, counted in vectors */
      int64_t wide = (int64_t)list[i].vectors * p->lanes;
      int64_t full = p->N / wide * list[i].vectors, rest = ceil_div(p->N % wide, p->lanes);
      int64_t panels = p->N / wide + (rest > 0);
      int64_t cost = (full + rest) * 8 + panels; /* and, of equals, the fewest panels */
      if (cost < least) {
        least = cost;
        p->t = list[i];
      }
    }
  }
  if (p->complex) { /* two accumulators each */
    p->t.rows = p->t.rows > 1 ? p->t.rows / 2 : 1;
    if (p->t.rows == 1 && p->t.vectors > 4) p->t.vectors = 4;
  }
  int64_t needed = ceil_div(p->N, p->lanes);
  if (needed < p->t.vectors) p->t.vectors = (int)needed;
}

/* ---- operands ------------------------------------------------------------------------------------------------------------ */

/* The index of the result's dimensions at (batch, row, column) as seen by an operand whose last two are (i, j). */
static void operand_index(product *p, int batch, int row, int i, int j, int *ix) {
  kernel *k = p->b.k;
  const op_type *t = &at(p, p->node)->type;
  int64_t rows = t->shape[p->rank - 2], inner = 1;
  int rest = p->merged ? ix_div(k, row, rows) : batch;
  for (int d = p->rank - 3; d >= 0; d--) {
    ix[d] = t->shape[d] == 1 ? ix_const(k, 0) : ix_div(k, rest, inner);
    if (t->shape[d] != 1) {
      bool outermost = true;
      for (int o = 0; o < d; o++) outermost &= t->shape[o] == 1;
      if (!outermost) ix[d] = ix_mod(k, ix[d], t->shape[d]);
    }
    inner *= t->shape[d];
  }
  ix[p->rank - 2] = i;
  ix[p->rank - 1] = j;
}

static int row_in_matrix(product *p, int row) {
  return p->merged ? ix_mod(p->b.k, row, at(p, p->node)->type.shape[p->rank - 2]) : row;
}

static int64_t right_batches(const product *p) {
  const op_type *t = &at(p, p->right)->type;
  int64_t n = 1;
  for (int d = 0; d < t->rank - 2; d++) n *= t->shape[d];
  return n;
}

/* Whether neighbouring columns of the right operand are neighbours in memory. */
static bool unit_columns(product *p, bool *ok) {
  builder b;
  int rank = at(p, p->right)->type.rank, ix[TME_MAX_RANK];
  bool unit = false;
  *ok = builder_init(&b, p->l, "probe");
  if (!*ok) return false;
  for (int d = 0; d < rank; d++)
    ix[d] = at(p, p->right)->type.shape[d] == 1
                ? ix_const(b.k, 0)
                : ix_axis(b.k, k_axis_add(b.k, at(p, p->right)->type.shape[d], 0, 1, 1));
  builder_value(&b, p->right, ix, -1);
  int64_t factor = 0;
  if (b.k->nacc == 1 && b.k->ix[ix[rank - 1]].op == IX_AXIS)
    unit = ix_affine(b.k, b.k->acc[0].ix, b.k->ix[ix[rank - 1]].a, &factor) && factor == 1;
  else if (b.k->nacc == 0 || at(p, p->right)->type.shape[rank - 1] == 1)
    unit = true;
  *ok = !b.k->failed;
  builder_free(&b);
  return unit;
}

/* Copies the right operand into panels as wide as the tile. */
static tme_status pack_right(product *p, error *e) {
  int rank = at(p, p->right)->type.rank;
  p->pack = (packed){.node = p->right,
                     .kdim = rank - 2,
                     .cdim = rank - 1,
                     .lanes = p->lanes,
                     .vectors = p->t.vectors,
                     .K = p->K,
                     .N = p->N,
                     .dtype = p->acc};
  return lower_pack(p->l, &p->pack, e);
}

/* ---- the tile ------------------------------------------------------------------------------------------------------------ */

/* The product's own value is what the accumulators hold. */
static bool special(builder *b, int node, const int *ix, int guard, expr_value *out) {
  (void)guard;
  product *p = b->user;
  if (node != p->node) return false;
  if (memcmp(ix, p->read_ix, sizeof(int) * (size_t)p->rank) != 0) {
    b->failure = "the epilogue of a product needs another element of it";
    return true;
  }
  *out = (expr_value){-1, -1};
  for (int w = 0; w < (p->complex ? 2 : 1); w++)
    *(w ? &out->im : &out->re) = p->spilled ? k_load(b->k, k_access_add(b->k, p->spill_buf[w], p->spill_at))
                                            : k_emit(b->k, K_READ, p->acc, p->acc_id[w], -1, -1, 0);
  return true;
}

/* An epilogue with transcendental functions, written out for every register of the tile, takes longer to compile than all
 * else. */
static bool has_long_epilogue(const product *p) {
  for (int i = p->node + 1; i < p->l->g->n; i++) {
    int op = at(p, i)->op;
    if (p->l->f->group_of[i] == p->gr && op < OP_PUBLIC_COUNT && op_get(op)->ulp > 0) return true;
  }
  return false;
}

static void update(product *p, int acc, int x, int y) {
  kernel *k = p->b.k;
  if (dtype_is_float(p->acc))
    k_emit(k, K_UPDATE, p->acc, acc, x, y, 0);
  else
    k_emit(k, K_UPDATE, p->acc, acc, k_bin(k, K_MUL, x, y), -1, 0);
}

/* One section: `panels` panels of `rows` rows from row `row0`, and `bands` bands of `wide` columns from column `col0`. */
static void emit_section(product *p, int64_t row0, int rows, int64_t panels, int64_t col0, int64_t wide,
                         int64_t bands) {
  if (!panels || !bands) return;
  builder *b = &p->b;
  kernel *k = b->k;
  int mark = builder_mark(b);
  int abatch = p->batches > 1 ? k_axis_add(k, p->batches, AXIS_PARALLEL, 1, 1) : -1;
  int aband = k_axis_add(k, bands, AXIS_PARALLEL, 1, 1), apanel = k_axis_add(k, panels, AXIS_PARALLEL, 1, 1);
  int ai = k_axis_add(k, rows, AXIS_UNROLL, 1, 1);
  int aj = k_axis_add(k, wide, AXIS_VECTOR, p->lanes, (int)ceil_div(wide, p->lanes));
  int ak = k_axis_add(k, p->K, AXIS_REDUCE, 1, 1);
  int loops[3], nloops = 0;
  if (abatch >= 0) loops[nloops++] = k_loop(k, abatch);
  loops[nloops++] = k_loop(k, aband);
  loops[nloops++] = k_loop(k, apanel);
  int batch = abatch >= 0 ? ix_axis(k, abatch) : ix_const(k, 0), kk = ix_axis(k, ak);
  int band = ix_axis(k, aband), jj = ix_axis(k, aj);
  int row = ix_add(k, ix_add(k, ix_mul(k, ix_axis(k, apanel), rows), ix_axis(k, ai)), ix_const(k, row0));
  int col = ix_add(k, ix_add(k, ix_mul(k, band, wide), jj), ix_const(k, col0));
  uint64_t kept = (uint64_t)1 << ai | (uint64_t)1 << aj;
  int zero = dtype_is_float(p->acc) ? k_const_f(k, p->acc, 0) : k_const_i(k, p->acc, 0);
  for (int w = 0; w < (p->complex ? 2 : 1); w++) p->acc_id[w] = k_emit(k, K_ACC, p->acc, zero, K_ADD, -1, kept);

  int ix[TME_MAX_RANK];
  int lk = k_loop(k, ak), li = k_loop(k, ai), lj = k_loop(k, aj), inner = builder_mark(b);
  operand_index(p, batch, row, row_in_matrix(p, row), kk, ix);
  expr_value x = builder_operand(b, p->left, p->rank, ix, -1), y;
  operand_index(p, batch, row, kk, col, ix);
  if (p->packed) {
    int panel = ix_add(k, band, ix_const(k, col0 / packed_wide(&p->pack)));
    y = packed_load(b, &p->pack, packed_matrix(k, &at(p, p->right)->type, ix, p->rank), panel, kk, jj);
  } else {
    y = builder_operand(b, p->right, p->rank, ix, -1);
  }
  update(p, p->acc_id[0], x.re, y.re);
  if (p->complex) {
    update(p, p->acc_id[0], k_un(k, K_NEG, x.im), y.im);
    update(p, p->acc_id[1], x.re, y.im);
    update(p, p->acc_id[1], x.im, y.re);
  }
  builder_forget(b, inner);
  k_end(k, lj);
  k_end(k, li);
  k_end(k, lk);

  li = k_loop(k, ai);
  lj = k_loop(k, aj);
  if (p->spilled) {
    int at_ij = ix_add(k, ix_mul(k, ix_axis(k, ai), wide), jj);
    for (int w = 0; w < (p->complex ? 2 : 1); w++)
      k_store(k, k_access_add(k, p->spill_buf[w], at_ij), k_emit(k, K_READ, p->acc, p->acc_id[w], -1, -1, 0));
    k_end(k, lj);
    k_end(k, li);
    ai = k_axis_add(k, rows, 0, 1, 1);
    aj = k_axis_add(k, wide, AXIS_VECTOR, p->lanes, 1);
    li = k_loop(k, ai);
    lj = k_loop(k, aj);
    jj = ix_axis(k, aj);
    row = ix_add(k, ix_add(k, ix_mul(k, ix_axis(k, apanel), rows), ix_axis(k, ai)), ix_const(k, row0));
    col = ix_add(k, ix_add(k, ix_mul(k, band, wide), jj), ix_const(k, col0));
    p->spill_at = ix_add(k, ix_mul(k, ix_axis(k, ai), wide), jj);
  }
  operand_index(p, batch, row, row_in_matrix(p, row), col, p->read_ix);
  for (int d = 0; d < p->rank; d++) /* as readers of a dimension of extent 1 index it */
    if (at(p, p->node)->type.shape[d] == 1) p->read_ix[d] = ix_const(k, 0);
  for (int i = p->node; i < p->l->g->n; i++)
    if (p->l->f->group_of[i] == p->gr && p->l->f->stored[i])
      builder_store(b, i, p->read_ix, builder_value(b, i, p->read_ix, -1));
  builder_forget(b, mark);
  k_end(k, lj);
  k_end(k, li);
  while (nloops) k_end(k, loops[--nloops]);
}

static bool emit(product *p, const char *name) {
  if (!builder_init(&p->b, p->l, name)) return false;
  p->b.special = special;
  p->b.group = p->gr;
  p->b.user = p;
  int64_t panels = ceil_div(p->M, p->t.rows), high = ceil_div(p->M, panels), low = high - 1;
  int64_t nhigh = p->M - panels * low, nlow = panels - nhigh; /* M = nhigh high + nlow low */
  int64_t wide = (int64_t)p->t.vectors * p->lanes, bands = p->N / wide, rest = p->N % wide;
  p->spilled = has_long_epilogue(p);
  for (int w = 0; p->spilled && w < (p->complex ? 2 : 1); w++)
    p->spill_buf[w] = builder_scratch(&p->b, p->acc, high * wide);
  emit_section(p, 0, (int)high, nhigh, 0, wide, bands);
  emit_section(p, nhigh * high, (int)low, low ? nlow : 0, 0, wide, bands);
  emit_section(p, 0, (int)high, nhigh, bands * wide, rest, rest > 0);
  emit_section(p, nhigh * high, (int)low, low ? nlow : 0, bands * wide, rest, rest > 0);
  p->b.k->opt = 2;
  return true;
}

static void set_extents(product *p) {
  const op_type *t = &at(p, p->node)->type, *tr = &at(p, p->right)->type, *tl = &at(p, p->left)->type;
  p->rank = t->rank;
  p->K = tl->shape[tl->rank - 1];
  p->N = tr->shape[tr->rank - 1];
  int64_t rows = t->shape[p->rank - 2];
  p->batches = 1;
  for (int d = 0; d < p->rank - 2; d++) p->batches *= t->shape[d];
  p->M = rows;
  p->merged = p->batches > 1 && right_batches(p) == 1;
  if (p->merged) {
    p->M = rows * p->batches;
    p->batches = 1;
  }
}

static void unmerge(product *p) {
  const op_type *t = &at(p, p->node)->type;
  p->batches = p->M / t->shape[p->rank - 2];
  p->M = t->shape[p->rank - 2];
  p->merged = false;
}

tme_status lower_matmul(lowering *l, int gr, error *e) {
  product p = {.l = l, .G = &l->f->groups[gr], .gr = gr, .node = l->f->groups[gr].seed};
  p.left = graph_in(l->g, p.node, 0);
  p.right = graph_in(l->g, p.node, 1);
  p.acc = expr_dtype(at(&p, p.node)->type.dtype);
  p.complex = dtype_is_complex(at(&p, p.node)->type.dtype);
  char label[96], name[48], shape[200];
  lower_label(l, gr, label, sizeof label);
  type_shape_text(&p.G->full, shape);
  snprintf(name, sizeof name, "%.24s %.20s", label, shape);
  set_extents(&p);
  bool known;
  bool unit = unit_columns(&p, &known);
  if (!known) return fail_memory(e, label, sizeof(kernel));
  for (;;) {
    choose_tile(&p);
    if (p.K > 0 && !p.packed &&
        (p.complex || (!unit && p.M > 1) || (p.N >= PACK_COLUMNS && p.M >= PACK_ROWS && p.K > 1))) {
      tme_status status = pack_right(&p, e);
      if (status != TME_OK) return status;
      p.packed = true;
    }
    if (!emit(&p, name)) {
      builder_free(&p.b);
      return fail_memory(e, label, sizeof(kernel));
    }
    if (!p.merged || p.b.failure || p.b.k->failed || kernel_index_work(p.b.k) == 0) break;
    tile before = p.t;
    builder_free(&p.b); /* the batch does not lie in one line with the rows */
    unmerge(&p);
    if (p.packed) { /* the panels are there already: keep their width */
      p.t = before;
      if (p.M < p.t.rows) p.t.rows = (int)p.M;
      if (!emit(&p, name)) return fail_memory(e, label, sizeof(kernel));
      break;
    }
  }
  tme_status status = lower_step(&p.b, label, e);
  builder_free(&p.b);
  return status;
}
