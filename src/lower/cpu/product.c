/* Operands, sums and epilogues of products. */
#include "lower/cpu/product.h"
#include "lower/cpu/blocks.h"
#include "lower/cpu/pairs.h"
#include <string.h>

int product_source(const product *p, int operand) {
  bool converted = product_at(p, operand)->op == OP_astype && p->l->slot_of[operand] < 0;
  return converted ? graph_in(p->l->g, operand, 0) : operand;
}

void product_index(product *p, int batch, int row, int i, int j, int *ix) {
  kernel *k = p->b.k;
  const op_type *t = &product_at(p, p->node)->type;
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

int product_row_in_matrix(product *p, int row) {
  return p->merged ? ix_mod(p->b.k, row, product_at(p, p->node)->type.shape[p->rank - 2]) : row;
}

expr_value product_left(product *p, int batch, int row, int k) {
  int ix[TME_MAX_RANK];
  if (p->dot) return (expr_value){pairs_left(p, batch, row, k), -1};
  product_index(p, batch, row, product_row_in_matrix(p, row), k, ix);
  return builder_operand(&p->b, p->left, p->rank, ix, -1);
}

expr_value product_right(product *p, int batch, int row, int k, int col) {
  int ix[TME_MAX_RANK];
  product_index(p, batch, row, k, col, ix);
  if (p->dot) return (expr_value){pair_value(&p->b, p->dot, p->right, p->rank, ix, p->rank - 2), -1};
  return builder_operand(&p->b, p->right, p->rank, ix, -1);
}

void product_update(product *p, int acc, int x, int y) {
  kernel *k = p->b.k;
  if (p->dot || dtype_is_float(p->acc))
    k_emit(k, K_UPDATE, p->acc, acc, x, y, p->dot);
  else
    k_emit(k, K_UPDATE, p->acc, acc, k_bin(k, K_MUL, x, y), -1, 0);
}

int product_sum(product *p, int acc, int x, int y) {
  kernel *k = p->b.k;
  return dtype_is_float(p->acc) ? k_fma(k, x, y, acc) : k_bin(k, K_ADD, acc, k_bin(k, K_MUL, x, y));
}

/* ---- long sums --------------------------------------------------------------------------------------------------- */

/* So few blocks are simply added: what is lost there is less than within a block. */
enum { FEW_BLOCKS = 16 };

int64_t product_block(const product *p) {
  int64_t most = p->dot ? MOST_STEPS / 2 : MOST_STEPS; /* pairs are two terms */
  if (p->K <= most || !dtype_is_float(p->acc)) return p->K;
  int64_t rows = largest_divisor(p->K, MOST_KC);
  return rows >= MOST_KC / 2 ? most / rows * rows : most;
}

static bool keeps_lost(const product *p) { return ceil_div(p->K, p->block) > FEW_BLOCKS; }

static int words(const product *p) { return p->complex ? 2 : 1; }

void product_reserve_blocks(product *p, int64_t size) {
  if (p->block == p->K) return;
  p->sum_buf = builder_scratch(&p->b, p->acc, size);
  if (keeps_lost(p)) p->lost_buf = builder_scratch(&p->b, p->acc, size);
}

void product_begin_blocks(product *p, int at) {
  kernel *k = p->b.k;
  if (p->sum_buf >= 0) k_store(k, k_access_add(k, p->sum_buf, at), product_nothing(p));
  if (p->lost_buf >= 0) k_store(k, k_access_add(k, p->lost_buf, at), product_zero(p));
}

void product_close_block(product *p, int at) {
  kernel *k = p->b.k;
  int block = k_access_add(k, p->spill_buf[0], at), sum = k_access_add(k, p->sum_buf, at);
  int v = k_load(k, block), before = k_load(k, sum), after = k_bin(k, K_ADD, before, v);
  k_store(k, sum, after);
  if (p->lost_buf >= 0) {
    int lost = k_access_add(k, p->lost_buf, at);
    k_store(k, lost, k_bin(k, K_ADD, k_load(k, lost), blocks_lost(k, before, v, after)));
  }
  k_store(k, block, product_zero(p));
}

void product_begin_sums(product *p, uint64_t kept) {
  kernel *k = p->b.k;
  for (int w = 0; w < words(p) && p->block < p->K; w++) {
    p->sum[w] = k_emit(k, K_ACC, p->acc, product_nothing(p), K_ADD, -1, kept);
    if (keeps_lost(p)) p->lost[w] = k_emit(k, K_ACC, p->acc, product_zero(p), K_ADD, -1, kept);
  }
}

static int read(product *p, int acc) { return k_emit(p->b.k, K_READ, p->acc, acc, -1, -1, 0); }

void product_close_sums(product *p) {
  kernel *k = p->b.k;
  for (int w = 0; w < words(p); w++) {
    int v = read(p, p->acc_id[w]), before = keeps_lost(p) ? read(p, p->sum[w]) : -1;
    k_emit(k, K_UPDATE, p->acc, p->sum[w], v, -1, 0);
    if (keeps_lost(p)) k_emit(k, K_UPDATE, p->acc, p->lost[w], blocks_lost(k, before, v, read(p, p->sum[w])), -1, 0);
  }
}

int product_sums(product *p, int w) {
  if (p->block == p->K) return read(p, p->acc_id[w]);
  int sum = read(p, p->sum[w]);
  return keeps_lost(p) ? blocks_total(p->b.k, sum, read(p, p->lost[w])) : sum;
}

static int waiting_sum(product *p, int w) {
  kernel *k = p->b.k;
  int sum = k_load(k, k_access_add(k, p->sum_buf >= 0 ? p->sum_buf : p->spill_buf[w], p->spill_at));
  return p->lost_buf < 0 ? sum : blocks_total(k, sum, k_load(k, k_access_add(k, p->lost_buf, p->spill_at)));
}

/* ---- the epilogue ------------------------------------------------------------------------------------------------ */

/* The product's own value is what the accumulators hold, which may be wider. */
static bool special(builder *b, int node, const int *ix, int guard, expr_value *out) {
  (void)guard;
  product *p = b->user;
  if (node != p->node) return false;
  if (memcmp(ix, p->read_ix, sizeof(int) * (size_t)p->rank) != 0) {
    b->failure = "the epilogue of a product needs another element of it";
    return true;
  }
  *out = (expr_value){-1, -1};
  for (int w = 0; w < words(p); w++) {
    int sum = p->spilled ? waiting_sum(p, w) : product_sums(p, w);
    *(w ? &out->im : &out->re) = k_cast(b->k, dtype_held(product_at(p, node)->type.dtype), sum);
  }
  return true;
}

void product_store(product *p, int batch, int row, int col) {
  builder *b = &p->b;
  product_index(p, batch, row, product_row_in_matrix(p, row), col, p->read_ix);
  for (int d = 0; d < p->rank; d++) /* as readers of a dimension of extent 1 index it */
    if (product_at(p, p->node)->type.shape[d] == 1) p->read_ix[d] = ix_const(b->k, 0);
  const group *G = &p->l->f->groups[p->gr];
  for (int m = 0; m < G->nmembers; m++) {
    int i = G->member[m];
    if (p->l->f->stored[i]) builder_store(b, i, p->read_ix, builder_value(b, i, p->read_ix, -1));
  }
}

bool product_begin(product *p, const char *name) {
  if (!builder_init(&p->b, p->l, name)) return false;
  p->b.special = special;
  p->b.group = p->gr;
  p->b.user = p;
  p->block = product_block(p);
  p->sum_buf = p->lost_buf = p->ablocks = p->ak = -1;
  p->b.k->opt = 2;
  return true;
}

int product_column(product *p, const bands *c, int band) {
  return ix_add(p->b.k, ix_mul(p->b.k, band, c->wide), ix_const(p->b.k, c->first));
}

int product_zero(product *p) {
  return dtype_is_float(p->acc) ? k_const_f(p->b.k, p->acc, 0) : k_const_i(p->b.k, p->acc, 0);
}

int product_nothing(product *p) {
  return dtype_is_float(p->acc) ? k_const_f(p->b.k, p->acc, -0.0) : k_const_i(p->b.k, p->acc, 0);
}
