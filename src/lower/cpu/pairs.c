/* Sums over pairs: which products have them, pairs as values, the copy of the left operand. */
#include "kernel/kernel_util.h"
#include "lower/cpu/pairs.h"
#include "lower/cpu/product.h"
#include <string.h>

enum {
  /* What is smaller is bound by memory, or by the copies. */
  FEWEST_COLUMNS = 16,
  FEWEST_SUMMED = 8,
  BLOCK_OF_ROWS = 32 /* of the left operand that one task copies, at most */
};

/* ---- which ------------------------------------------------------------------------------------------------------- */

static bool moves_elements(int op) { return op_classify(op) == CLASS_VIEW && op != OP_pad && op != OP_concatenate; }

int pairs_base(const graph *g, int operand) {
  int i = operand;
  while (g->node[i].op == OP_astype || moves_elements(g->node[i].op)) i = graph_in(g, i, 0);
  return i;
}

/* The narrowest dtype that is known to hold the operand's values: that which they are converted from, if it is narrower. */
static tme_dtype narrowest(const graph *g, int operand) {
  int i = operand;
  while (moves_elements(g->node[i].op)) i = graph_in(g, i, 0);
  tme_dtype t = g->node[i].type.dtype, from = t;
  if (g->node[i].op == OP_astype) from = g->node[graph_in(g, i, 0)].type.dtype;
  return tme_dtype_size(from) < tme_dtype_size(t) ? from : t;
}

/* Integers that 16 bits hold with their sign. */
static bool is_short(tme_dtype t) { return t == TME_BOOL || t == TME_I8 || t == TME_U8 || t == TME_I16; }

/* Sums of 32 bits wrap as narrower ones do, once they are cut. Those of 16 bits have instructions that are as good. */
static bool sums_integers(tme_dtype t) { return t == TME_I8 || t == TME_U8 || t == TME_I32 || t == TME_U32; }

k_op pairs_dot(const graph *g, int node, const cpu_target *t) {
  int left = graph_in(g, node, 0), right = graph_in(g, node, 1);
  const op_type *out = &g->node[node].type, *tr = &g->node[right].type;
  int64_t rows = out->shape[out->rank - 2], wide = out->shape[out->rank - 1];
  if (type_matrices(tr) == 1) rows *= type_matrices(out);
  if (rows <= MOST_MATVEC_ROWS || wide < FEWEST_COLUMNS || tr->shape[tr->rank - 2] < FEWEST_SUMMED) return K_NOP;
  tme_dtype x = narrowest(g, left), y = narrowest(g, right);
  if (t->dot_bf16 && dtype_held(out->dtype) == TME_F32 && x == TME_BF16 && y == TME_BF16) return K_DOT_BF16;
  return t->dot_i16 && sums_integers(out->dtype) && is_short(x) && is_short(y) ? K_DOT_I16 : K_NOP;
}

/* ---- pairs as values --------------------------------------------------------------------------------------------- */

/* The bits of a value, in the upper half of an u32 for a float, in the lower half for an integer. */
static int bits_of(kernel *k, k_op dot, int v) {
  if (dot == K_DOT_I16) return k_cast(k, TME_U32, v);
  const k_inst *in = &k->inst[v];
  bool rounded = in->op == K_CAST && k->inst[in->a].dtype == TME_BF16;
  return k_bitcast(k, TME_U32, rounded ? v : k_cast(k, TME_F32, k_cast(k, TME_BF16, v)));
}

int pair_value(builder *b, k_op dot, int node, int rank, const int *ix, int dim) {
  kernel *k = b->k;
  const op_type *t = &b->l->g->node[node].type;
  int at[TME_MAX_RANK], half[2] = {-1, -1};
  memcpy(at, ix, sizeof(int) * (size_t)rank);
  for (int h = 0; h < 2; h++) {
    at[dim] = ix_add(k, ix_mul(k, ix[dim], 2), ix_const(k, h));
    if (k->failed) return -1;
    bool beyond = k->ix[at[dim]].lo >= t->shape[dim - rank + t->rank];
    int v = beyond ? -1 : builder_operand(b, node, rank, at, -1).re;
    if (v >= 0) half[h] = bits_of(k, dot, v);
  }
  if (half[0] < 0) return -1;
  int by = k_const_i(k, TME_U32, 16);
  half[0] = dot == K_DOT_BF16 ? k_bin(k, K_SHR, half[0], by) : k_bin(k, K_AND, half[0], k_const_i(k, TME_U32, 0xffff));
  if (half[1] < 0) return half[0];
  if (dot == K_DOT_I16) half[1] = k_bin(k, K_SHL, half[1], by);
  return k_bin(k, K_OR, half[0], half[1]);
}

/* ---- the left operand -------------------------------------------------------------------------------------------- */

/* In memory [matrix][row][pair]. */
static int left_at(const product *p, kernel *k, int matrix, int row, int pair) {
  const op_type *t = &product_at(p, p->left)->type;
  return ix_add(k, ix_mul(k, ix_add(k, ix_mul(k, matrix, t->shape[t->rank - 2]), row), p->K), pair);
}

/* Rows are read along memory, or, of a transposed operand, blocks of them side by side. */
static void emit_left(builder *b, const product *p, int64_t first, int64_t pairs) {
  if (!pairs) return;
  kernel *k = b->k;
  const op_type *t = &product_at(p, p->left)->type;
  int64_t rows = t->shape[t->rank - 2], block = largest_divisor(rows, BLOCK_OF_ROWS);
  int lanes = pairs < p->lanes ? 1 : p->lanes, mark = builder_mark(b), ix[TME_MAX_RANK];
  int matrix = k_axis_add(k, type_matrices(t), AXIS_PARALLEL, 1, 1);
  int outer = k_axis_add(k, rows / block, AXIS_PARALLEL, 1, 1), inner = k_axis_add(k, block, 0, 1, 1);
  int along = k_axis_add(k, pairs, AXIS_VECTOR, lanes, 2);
  int loops[] = {k_loop(k, matrix), k_loop(k, outer), k_loop(k, inner), k_loop(k, along)};
  packed_index(k, t, ix_axis(k, matrix), ix);
  ix[t->rank - 2] = ix_add(k, ix_mul(k, ix_axis(k, outer), block), ix_axis(k, inner));
  ix[t->rank - 1] = ix_add(k, ix_axis(k, along), ix_const(k, first));
  int v = pair_value(b, p->dot, p->left, t->rank, ix, t->rank - 1);
  int to = left_at(p, k, ix_axis(k, matrix), ix[t->rank - 2], ix[t->rank - 1]);
  k_store(k, k_access_add(k, builder_buffer(b, p->left_slot, BUF_OUT), to), v);
  builder_forget(b, mark);
  for (int i = COUNT(loops) - 1; i >= 0; i--) k_end(k, loops[i]);
}

tme_status pairs_pack_left(product *p, error *e) {
  const op_type *t = &product_at(p, p->left)->type;
  int64_t size, whole = t->shape[t->rank - 1] / 2;
  if (__builtin_mul_overflow(type_matrices(t) * t->shape[t->rank - 2], p->K, &size))
    return fail(e, TME_ERR_MEMORY, "pack: the packed operand is too large");
  op_type flat = {.dtype = TME_U32, .rank = 1, .shape = {size}};
  p->left_slot = lower_slot(p->l, &flat, -1, size);
  builder b;
  if (p->left_slot < 0 || !builder_init(&b, p->l, "pack")) return fail_memory(e, "pack", sizeof b);
  emit_left(&b, p, 0, whole);
  emit_left(&b, p, whole, p->K - whole);
  tme_status status = lower_step(&b, "pack", e);
  builder_free(&b);
  return status;
}

int pairs_left(product *p, int batch, int row, int pair) {
  kernel *k = p->b.k;
  const op_type *t = &product_at(p, p->left)->type;
  int ix[TME_MAX_RANK], in_matrix = product_row_in_matrix(p, row);
  product_index(p, batch, row, in_matrix, pair, ix);
  int at = left_at(p, k, packed_matrix(k, t, ix, p->rank), in_matrix, pair);
  return k_load(k, k_access_add(k, builder_buffer(&p->b, p->left_slot, BUF_IN), at));
}
