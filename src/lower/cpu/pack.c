/* Operands of products copied into panels as wide as a tile: [matrix][panel][k][column]. */
#include "lower/cpu/pack.h"
#include "lower/cpu/pairs.h"

/* Rows that one task copies, at most: of one panel, where a column lies in one line; of all panels, where a row does. */
enum { BLOCK_OF_PANEL = 128, BLOCK_OF_ROWS = 8 };
/* Vectors of columns from which the tasks are so many that it does not matter who takes the last one. */
enum { MOST_BALANCED = 48 };

int64_t type_matrices(const op_type *t) {
  int64_t n = 1;
  for (int d = 0; d < t->rank - 2; d++) n *= t->shape[d];
  return n;
}

void bands_cut(int64_t n, int64_t wide, int lanes, bool balance, bands out[2]) {
  int64_t rest = n % wide, vectors = ceil_div(n, lanes), whole = ceil_div(rest, lanes) * lanes;
  int64_t last = whole <= n ? whole : rest;
  int64_t pairs = (3 - vectors % 3) % 3; /* vectors = 3 bands + 2 pairs */
  out[0] = (bands){0, wide, n / wide, 0};
  out[1] = (bands){n - last, last, last != 0, n / wide};
  if (wide != 3 * lanes || n < 4 * lanes) return;
  /* Three pairs for two bands: one more task. */
  if (balance && vectors <= MOST_BALANCED && (pairs + vectors) % 2 && 2 * (pairs + 3) * lanes <= n) pairs += 3;
  if (!pairs) return;
  out[0].count = (vectors - 2 * pairs) / 3;
  out[1] = (bands){n - 2 * pairs * lanes, 2 * lanes, pairs, out[0].count};
}

static int64_t packed_wide(const packed *p) { return (int64_t)p->vectors * p->lanes; }

void packed_bands(const packed *p, bands out[2]) { bands_cut(p->N, packed_wide(p), p->lanes, false, out); }

void packed_index(kernel *k, const op_type *t, int matrix, int *ix) {
  int64_t stride = 1;
  for (int d = t->rank - 3; d >= 0; d--) {
    ix[d] = t->shape[d] == 1 ? ix_const(k, 0) : ix_mod(k, ix_div(k, matrix, stride), t->shape[d]);
    stride *= t->shape[d];
  }
}

int packed_matrix(kernel *k, const op_type *t, const int *ix, int rank) {
  int x = ix_const(k, 0);
  int64_t stride = 1;
  for (int d = t->rank - 3; d >= 0; d--) {
    if (t->shape[d] != 1) x = ix_add(k, x, ix_mul(k, ix[d + rank - t->rank], stride));
    stride *= t->shape[d];
  }
  return x;
}

static int packed_at(kernel *k, const packed *p, int matrix, int panel, int row, int column) {
  int64_t wide = packed_wide(p);
  int at = ix_add(k, ix_mul(k, matrix, ceil_div(p->N, wide)), panel);
  return ix_add(k, ix_mul(k, ix_add(k, ix_mul(k, at, p->K), row), wide), column);
}

expr_value packed_load(builder *b, const packed *p, int matrix, int panel, int row, int column) {
  kernel *k = b->k;
  int at = packed_at(k, p, matrix, panel, row, column);
  expr_value v = {-1, -1};
  for (int w = 0; w < 2 && p->slot[w] >= 0; w++) {
    int buf = builder_buffer(b, p->slot[w], BUF_IN);
    if (buf >= 0) *(w ? &v.im : &v.re) = k_load(k, k_access_add(k, buf, at));
  }
  return v;
}

/* Rows [first, first + rows) of a panel for each of the bands. */
static void emit_panels(builder *b, const packed *p, const bands *c, int64_t first, int64_t rows) {
  if (!c->count || !rows) return;
  kernel *k = b->k;
  const op_type *t = &b->l->g->node[p->node].type;
  int mark = builder_mark(b);
  int64_t block = largest_divisor(rows, p->by_rows ? BLOCK_OF_ROWS : BLOCK_OF_PANEL);
  int matrix = k_axis_add(k, type_matrices(t), AXIS_PARALLEL, 1, 1);
  int panel = k_axis_add(k, c->count, p->by_rows ? 0 : AXIS_PARALLEL, 1, 1);
  int outer = k_axis_add(k, rows / block, AXIS_PARALLEL, 1, 1), inner = k_axis_add(k, block, 0, 1, 1);
  int column = k_axis_add(k, c->wide, AXIS_VECTOR, p->lanes, (int)ceil_div(c->wide, p->lanes));
  int second = p->by_rows ? outer : panel, third = p->by_rows ? panel : outer;
  int loops[5] = {k_loop(k, matrix), k_loop(k, second), k_loop(k, third), k_loop(k, inner), k_loop(k, column)};
  int row = ix_add(k, ix_mul(k, ix_axis(k, outer), block), ix_axis(k, inner)), ix[TME_MAX_RANK];
  int number = ix_add(k, ix_axis(k, panel), ix_const(k, c->panel));
  row = ix_add(k, row, ix_const(k, first));
  packed_index(k, t, ix_axis(k, matrix), ix);
  ix[p->kdim] = row;
  ix[p->cdim] = ix_add(k, ix_add(k, ix_mul(k, ix_axis(k, panel), c->wide), ix_axis(k, column)), ix_const(k, c->first));
  expr_value v = p->dot ? (expr_value){pair_value(b, p->dot, p->node, t->rank, ix, p->kdim), -1}
                        : builder_value(b, p->node, ix, -1);
  int at = packed_at(k, p, ix_axis(k, matrix), number, row, ix_axis(k, column));
  for (int w = 0; w < 2 && p->slot[w] >= 0; w++) {
    int buf = builder_buffer(b, p->slot[w], BUF_OUT);
    if (buf >= 0) k_store(k, k_access_add(k, buf, at), k_cast(k, p->dtype, w ? v.im : v.re));
  }
  builder_forget(b, mark);
  for (int i = 4; i >= 0; i--) k_end(k, loops[i]);
}

tme_status lower_pack(lowering *l, packed *p, error *e) {
  const op_type *t = &l->g->node[p->node].type;
  int words = dtype_is_complex(t->dtype) ? 2 : 1;
  int64_t wide = packed_wide(p), panels = ceil_div(p->N, wide), size;
  if (__builtin_mul_overflow(type_matrices(t) * panels, p->K * wide, &size))
    return fail(e, TME_ERR_MEMORY, "pack: the packed operand is too large");
  op_type flat = {.dtype = p->dtype, .rank = 1, .shape = {size}};
  p->slot[0] = p->slot[1] = -1;
  for (int w = 0; w < words; w++) {
    p->slot[w] = lower_slot(l, &flat, -1, size);
    if (p->slot[w] < 0) return fail_memory(e, "pack", sizeof(struct slot));
  }
  builder b;
  if (!builder_init(&b, l, "pack")) return fail_memory(e, "pack", sizeof b);
  bands parts[2];
  packed_bands(p, parts);
  int64_t whole = p->dot ? t->shape[p->kdim] / 2 : p->K;
  for (int i = 0; i < 2; i++) {
    emit_panels(&b, p, &parts[i], 0, whole);
    emit_panels(&b, p, &parts[i], whole, p->K - whole);
  }
  tme_status status = lower_step(&b, "pack", e);
  builder_free(&b);
  return status;
}
