/* Operands of products copied into panels as wide as a tile: [matrix][panel][k][column], zeros behind the last column. */
#include "compile/lower.h"

/* Rows of a panel that one task copies, at most. */
enum { PACK_BLOCK = 128 };

static int64_t matrices(const op_type *t) {
  int64_t n = 1;
  for (int d = 0; d < t->rank - 2; d++) n *= t->shape[d];
  return n;
}

int64_t packed_wide(const packed *p) { return (int64_t)p->vectors * p->lanes; }

int packed_matrix(kernel *k, const op_type *t, const int *ix, int rank) {
  int x = ix_const(k, 0);
  int64_t stride = 1;
  for (int d = t->rank - 3; d >= 0; d--) {
    if (t->shape[d] != 1) x = ix_add(k, x, ix_mul(k, ix[d + rank - t->rank], stride));
    stride *= t->shape[d];
  }
  return x;
}

expr_value packed_load(builder *b, const packed *p, int matrix, int panel, int row, int column) {
  kernel *k = b->k;
  int64_t wide = packed_wide(p), panels = ceil_div(p->N, wide);
  int at = ix_add(k, ix_mul(k, matrix, panels), panel);
  at = ix_add(k, ix_mul(k, ix_add(k, ix_mul(k, at, p->K), row), wide), column);
  expr_value v = {-1, -1};
  for (int w = 0; w < 2 && p->slot[w] >= 0; w++) {
    int buf = builder_buffer(b, p->slot[w], BUF_IN);
    if (buf >= 0) *(w ? &v.im : &v.re) = k_load(k, k_access_add(k, buf, at));
  }
  return v;
}

tme_status lower_pack(lowering *l, packed *p, error *e) {
  const op_type *t = &l->g->node[p->node].type;
  int words = dtype_is_complex(t->dtype) ? 2 : 1;
  int64_t wide = packed_wide(p), panels = ceil_div(p->N, wide), size;
  if (__builtin_mul_overflow(matrices(t) * panels, p->K * wide, &size))
    return fail(e, TME_ERR_MEMORY, "pack: the packed operand is too large");
  op_type flat = {.dtype = p->dtype, .rank = 1, .shape = {size}};
  p->slot[0] = p->slot[1] = -1;
  for (int w = 0; w < words; w++) {
    p->slot[w] = lower_slot(l, &flat, -1, size);
    if (p->slot[w] < 0) return fail_memory(e, "pack", sizeof(struct slot));
  }
  builder b;
  if (!builder_init(&b, l, "pack")) return fail_memory(e, "pack", sizeof b);
  kernel *k = b.k;
  int64_t block = largest_divisor(p->K, PACK_BLOCK);
  int matrix = k_axis_add(k, matrices(t), AXIS_PARALLEL, 1, 1), panel = k_axis_add(k, panels, AXIS_PARALLEL, 1, 1);
  int outer = k_axis_add(k, p->K / block, AXIS_PARALLEL, 1, 1), inner = k_axis_add(k, block, 0, 1, 1);
  int column = k_axis_add(k, wide, AXIS_VECTOR, p->lanes, p->vectors);
  int loops[5] = {k_loop(k, matrix), k_loop(k, panel), k_loop(k, outer), k_loop(k, inner), k_loop(k, column)};
  int row = ix_add(k, ix_mul(k, ix_axis(k, outer), block), ix_axis(k, inner));
  int col = ix_add(k, ix_mul(k, ix_axis(k, panel), wide), ix_axis(k, column)), ix[TME_MAX_RANK];
  int64_t stride = 1;
  for (int d = t->rank - 3; d >= 0; d--) {
    ix[d] = t->shape[d] == 1 ? ix_const(k, 0) : ix_mod(k, ix_div(k, ix_axis(k, matrix), stride), t->shape[d]);
    stride *= t->shape[d];
  }
  ix[p->kdim] = row;
  ix[p->cdim] = col;
  int guard = p->N % wide == 0 ? -1 : k_bin(k, K_LT, k_index(k, col), k_const_i(k, TME_I64, p->N));
  expr_value v = builder_value(&b, p->node, ix, guard);
  int at = ix_add(k, ix_mul(k, ix_axis(k, matrix), panels), ix_axis(k, panel));
  at = ix_add(k, ix_mul(k, ix_add(k, ix_mul(k, at, p->K), row), wide), ix_axis(k, column));
  for (int w = 0; w < words; w++) {
    int buf = builder_buffer(&b, p->slot[w], BUF_OUT);
    if (buf >= 0) k_store(k, k_access_add(k, buf, at), k_cast(k, p->dtype, w ? v.im : v.re));
  }
  for (int i = 4; i >= 0; i--) k_end(k, loops[i]);
  tme_status status = lower_step(&b, "pack", e);
  builder_free(&b);
  return status;
}
