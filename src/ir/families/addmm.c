/* Products with more to them: a sum, matrices chosen by number, blocks that count or not. */
#include "ir/graph.h"
#include <string.h>

static tme_status product(op_call *c, int x, int y, tme_dtype t, const op_type *tx, const op_type *ty, op_type *out,
                          error *e) {
  op_type a = *tx, b = *ty;
  a.dtype = b.dtype = t;
  op_call inner = {
      .op = OP_matmul, .nin = 2, .in = (const op_type *const[]){&a, &b}, .default_float = c->default_float};
  tme_status s = infer_matmul(&inner, out, e);
  infer_want(c, x, t);
  infer_want(c, y, t);
  return s;
}

/* addmm: c, x, y. */
tme_status infer_addmm(op_call *c, op_type *out, error *e) {
  addmm_attrs *a = &c->attrs->addmm;
  tme_dtype t = infer_promote(c, 0, 3);
  tme_status s = product(c, 1, 2, t, c->in[1], c->in[2], out, e);
  if (s != TME_OK) return s;
  op_number *factor[2] = {&a->alpha, &a->beta};
  for (int i = 0; i < 2; i++)
    if (!number_fits(factor[i], t)) return number_misfit("addmm", factor[i], t, e);
  op_type both;
  if (!type_broadcast(c->in[0], out, &both) || !type_same_shape(&both, out)) {
    char one[SHAPE_TEXT], other[SHAPE_TEXT];
    type_shape_text(c->in[0], one);
    type_shape_text(out, other);
    return fail(e, TME_ERR_SHAPE, "addmm: c of shape %s does not broadcast to the product of shape %s", one, other);
  }
  infer_want(c, 0, t);
  return TME_OK;
}

static int scaled(graph *g, int x, const op_number *by) {
  if (x < 0) return -1;
  tme_dtype t = graph_get(g, x)->type.dtype;
  uint64_t bits[2];
  number_bits(by, t, bits);
  if (dtype_is_int(t)) bits[0] = number_wrapped(by);
  return number_value(by) == 1 ? x : graph_bin(g, OP_multiply, x, graph_literal(g, t, bits));
}

int decompose_addmm(graph *g, const g_site *s) {
  const addmm_attrs *a = &s->attrs->addmm;
  const op_type *type = &s->node->type;
  int x = graph_wide(g, s->in[1]), y = graph_wide(g, s->in[2]), c = graph_wide(g, s->in[0]);
  x = scaled(g, graph_bin(g, OP_matmul, x, y), &a->alpha);
  /* Nothing of c, not even NaN, where it counts for nothing. */
  if (number_value(&a->beta) != 0) x = graph_bin(g, OP_add, x, scaled(g, c, &a->beta));
  return graph_cast(g, graph_broadcast(g, x, type->rank, type->shape), type->dtype);
}

/* gather_mm: x, y, the numbers of the matrices of x and of y. */
tme_status infer_gather_mm(op_call *c, op_type *out, error *e) {
  op_type side[2], batch = {.rank = 0};
  for (int i = 0; i < 2; i++) {
    const op_type *x = c->in[i], *n = c->in[2 + i];
    if (x->rank < 2)
      return fail(e, TME_ERR_SHAPE, "gather_mm: operand %d has %d dimension%s, expected at least 2", i, x->rank,
                  PLURAL(x->rank));
    if (n && !dtype_is_int(n->dtype))
      return fail(e, TME_ERR_DTYPE, "gather_mm: indices must be integers, not %s", tme_dtype_name(n->dtype));
    side[i] = (op_type){.dtype = x->dtype, .rank = n ? n->rank : x->rank - 2};
    memcpy(side[i].shape, n ? n->shape : x->shape, sizeof *x->shape * (size_t)side[i].rank);
    if (!type_broadcast(&batch, &side[i], &batch))
      return fail(e, TME_ERR_SHAPE, "gather_mm: the indices, or batches, do not broadcast to each other");
  }
  if (batch.rank + 2 > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "gather_mm: the result would have %d dimensions, more than the %d supported",
                batch.rank + 2, TME_MAX_RANK);
  for (int i = 0; i < 2; i++) {
    const op_type *x = c->in[i];
    memcpy(&side[i].shape[side[i].rank], &x->shape[x->rank - 2], 2 * sizeof *x->shape);
    side[i].rank += 2;
  }
  return product(c, 0, 1, infer_promote(c, 0, 2), &side[0], &side[1], out, e);
}

static int chosen(graph *g, int x, int indices) {
  if (indices < 0 || x < 0) return x;
  op_type t = graph_get(g, x)->type;
  op_attrs first = {.take = {.axis = 0}};
  int64_t n = 1;
  for (int d = 0; d + 2 < t.rank; d++) n *= t.shape[d];
  x = graph_reshape(g, x, 3, (int64_t[]){n, t.shape[t.rank - 2], t.shape[t.rank - 1]});
  return graph_op(g, OP_take, (int[]){x, indices}, 2, &first);
}

int decompose_gather_mm(graph *g, const g_site *s) {
  return graph_bin(g, OP_matmul, chosen(g, s->in[0], s->in[2]), chosen(g, s->in[1], s->in[3]));
}

/* block_masked_mm: x, y, and masks of the result, of x and of y. */
tme_status infer_block_masked_mm(op_call *c, op_type *out, error *e) {
  static const char *const what[] = {"out", "x", "y"};
  int64_t block = c->attrs->block_masked_mm.block_size;
  if (block < 1)
    return fail(e, TME_ERR_ARGUMENT, "block_masked_mm: blocks of %lld, expected 1 or more", (long long)block);
  for (int i = 0; i < 2; i++)
    if (c->in[i]->rank < 2)
      return fail(e, TME_ERR_SHAPE, "block_masked_mm: operand %d has %d dimension%s, expected at least 2", i,
                  c->in[i]->rank, PLURAL(c->in[i]->rank));
  tme_dtype t = infer_promote(c, 0, 2);
  tme_status s = product(c, 0, 1, t, c->in[0], c->in[1], out, e);
  for (int i = 0; i < 3 && s == TME_OK; i++) {
    const op_type *mask = c->in[2 + i], *of = i ? c->in[i - 1] : out;
    if (!mask) continue;
    op_type blocks = *of, both;
    for (int d = of->rank - 2; d < of->rank; d++) blocks.shape[d] = of->shape[d] / block + (of->shape[d] % block > 0);
    bool fits = mask->rank >= 2 && type_broadcast(mask, &blocks, &both) && type_same_shape(&both, &blocks);
    for (int d = 1; d <= 2 && fits; d++) fits = mask->shape[mask->rank - d] == blocks.shape[blocks.rank - d];
    if (!fits) {
      char a[SHAPE_TEXT], b[SHAPE_TEXT];
      type_shape_text(mask, a);
      type_shape_text(&blocks, b);
      return fail(e, TME_ERR_SHAPE, "block_masked_mm: mask_%s has shape %s, expected one for each block: %s", what[i],
                  a, b);
    }
    if (mask->dtype != TME_BOOL) infer_want(c, 2 + i, t);
  }
  return s;
}

/* x by its mask, each element of which stands for a block. */
static int masked(graph *g, int x, int mask, int64_t block) {
  if (mask < 0 || x < 0) return x;
  op_type t = graph_get(g, x)->type, m = graph_get(g, mask)->type;
  int in = mask;
  for (int d = 1; d <= 2; d++) {
    int64_t shape = t.shape[t.rank - d];
    op_attrs along = {.take = {.axis = m.rank - d}};
    int place =
        graph_bin(g, OP_floor_divide, graph_iota(g, TME_I64, 1, &shape, 0), graph_number(g, TME_I64, (double)block));
    in = graph_op(g, OP_take, (int[]){in, place}, 2, &along);
  }
  if (m.dtype != TME_BOOL) return graph_bin(g, OP_multiply, x, in);
  return graph_op(g, OP_where, (int[]){in, x, graph_number(g, t.dtype, 0)}, 3, NULL);
}

int decompose_block_masked_mm(graph *g, const g_site *s) {
  int64_t block = s->attrs->block_masked_mm.block_size;
  int x = masked(g, graph_wide(g, s->in[0]), s->in[3], block), y = masked(g, graph_wide(g, s->in[1]), s->in[4], block);
  x = masked(g, graph_bin(g, OP_matmul, x, y), s->in[2], block);
  return graph_cast(g, x, s->node->type.dtype);
}
