/* Weights of a few bits: numbers q in groups of neighbours along the last axis, which stand for scale * q + bias. The numbers
 * lie one behind the other in words of 32 bits, the first one lowest: 32 of them fill whole words. All of it is integer
 * arithmetic, which kernels do in registers. */
#include "ir/graph.h"
#include <string.h>

enum { WORD = 32, MOST_ROWS_SUMMED = 4 };

/* ---- types ------------------------------------------------------------------------------------------------------- */

static tme_status check_format(const op_call *c, int64_t group_size, int64_t bits, error *e) {
  const char *op = op_name(c->op);
  if (group_size != 32 && group_size != 64 && group_size != 128)
    return fail(e, TME_ERR_ARGUMENT, "%s: group_size is %lld, expected 32, 64 or 128", op, (long long)group_size);
  if (bits < 2 || bits > 8 || bits == 7)
    return fail(e, TME_ERR_ARGUMENT, "%s: bits is %lld, expected 2, 3, 4, 5, 6 or 8", op, (long long)bits);
  return TME_OK;
}

static bool same_batch(const op_type *a, const op_type *b) {
  return a->rank == b->rank && !memcmp(a->shape, b->shape, sizeof *a->shape * (size_t)(a->rank - 1));
}

/* Operands `first` (words), its scales and biases: they fit each other. *out: the numbers, of the dtype of both. */
static tme_status infer_packed(op_call *c, int first, int64_t group_size, int64_t bits, op_type *out, error *e) {
  const char *op = op_name(c->op);
  const op_type *w = c->in[first], *scales = c->in[first + 1], *biases = c->in[first + 2];
  char a[SHAPE_TEXT], b[SHAPE_TEXT], z[SHAPE_TEXT];
  tme_status s = check_format(c, group_size, bits, e);
  if (s != TME_OK) return s;
  if (w->weak && dtype_is_int(w->dtype))
    infer_want(c, first, TME_U32);
  else if (w->dtype != TME_U32)
    return fail(e, TME_ERR_DTYPE, "%s: w is of %s, expected uint32 as quantize packs them", op,
                tme_dtype_name(w->dtype));
  *out = *w;
  out->weak = false;
  out->dtype = infer_promote(c, first + 1, first + 3);
  if (!dtype_is_float(out->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: scales and biases must be real floating, not %s", op,
                tme_dtype_name(out->dtype));
  infer_want(c, first + 1, out->dtype);
  infer_want(c, first + 2, out->dtype);
  type_shape_text(w, a);
  type_shape_text(scales, b);
  type_shape_text(biases, z);
  int64_t words = w->rank ? w->shape[w->rank - 1] : 0, groups = scales->rank ? scales->shape[scales->rank - 1] : 0, k;
  bool fits = w->rank && same_batch(w, scales) && type_same_shape(scales, biases);
  fits = fits && !__builtin_mul_overflow(words, WORD, &k) && k % bits == 0 &&
         !__builtin_mul_overflow(groups, group_size, &groups) && k / bits == groups;
  if (!fits)
    return fail(e, TME_ERR_SHAPE, "%s: w %s, scales %s and biases %s are no numbers of %lld bits in groups of %lld", op,
                a, b, z, (long long)bits, (long long)group_size);
  out->shape[out->rank - 1] = groups;
  return type_check_size(out, op, e);
}

tme_status infer_quantize(op_call *c, op_type *out, error *e) {
  const op_type *w = c->in[0];
  const quantize_attrs *a = &c->attrs->quantize;
  tme_status s = check_format(c, a->group_size, a->bits, e);
  if (s == TME_OK) s = infer_takes(c, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s != TME_OK) return s;
  if (!w->rank || w->shape[w->rank - 1] % a->group_size) {
    char shape[SHAPE_TEXT];
    type_shape_text(w, shape);
    return fail(e, TME_ERR_SHAPE, "quantize: the last dimension of shape %s is no multiple of group_size %lld", shape,
                (long long)a->group_size);
  }
  for (int k = 0; k < 3; k++) {
    out[k] = *w;
    out[k].weak = false;
    out[k].dtype = infer_float(c, w->dtype);
    out[k].shape[w->rank - 1] /= a->group_size;
  }
  infer_want(c, 0, out[1].dtype);
  out[0].dtype = TME_U32;
  out[0].shape[w->rank - 1] = w->shape[w->rank - 1] / WORD * a->bits;
  return TME_OK;
}

tme_status infer_dequantize(op_call *c, op_type *out, error *e) {
  return infer_packed(c, 0, c->attrs->dequantize.group_size, c->attrs->dequantize.bits, out, e);
}

/* Types of matrices of x and of the numbers w as of a product of both. */
static tme_status infer_product(op_call *c, const op_type *w, op_type *out, error *e) {
  const op_type *x = c->in[0];
  bool transpose = c->attrs->qmm.transpose;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  type_shape_text(x, a);
  type_shape_text(w, b);
  int64_t k = x->rank ? x->shape[x->rank - 1] : 0;
  if (!x->rank || w->rank < 2 || w->shape[w->rank - (transpose ? 1 : 2)] != k)
    return fail(e, TME_ERR_SHAPE, "%s: %s x the %snumbers %s: inner dimensions differ", op_name(c->op), a,
                transpose ? "transposed " : "", b);
  op_type bx = *x, bw = *w;
  bx.rank = x->rank > 2 ? x->rank - 2 : 0;
  bw.rank -= 2;
  if (!type_broadcast(&bx, &bw, out))
    return fail(e, TME_ERR_SHAPE, "%s: %s x %s: the batch dimensions do not broadcast", op_name(c->op), a, b);
  if (x->rank > 1) out->shape[out->rank++] = x->shape[x->rank - 2];
  out->shape[out->rank++] = w->shape[w->rank - (transpose ? 2 : 1)];
  return TME_OK;
}

/* How many matrices an operand has, and the indices that choose some of them. */
static tme_status infer_choice(op_call *c, int indices, const op_type *of, op_type *chosen, error *e) {
  *chosen = *of;
  chosen->rank = of->rank - 2;
  if (!c->in[indices]) return TME_OK;
  if (!dtype_is_int(c->in[indices]->dtype))
    return fail(e, TME_ERR_DTYPE, "gather_qmm: indices must be integers, not %s",
                tme_dtype_name(c->in[indices]->dtype));
  *chosen = *c->in[indices];
  return TME_OK;
}

static tme_status infer_gathered(op_call *c, const op_type *w, op_type *out, error *e) {
  const op_type *x = c->in[0];
  bool transpose = c->attrs->qmm.transpose;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  type_shape_text(x, a);
  type_shape_text(w, b);
  if (x->rank < 2 || w->rank < 2 || x->shape[x->rank - 1] != w->shape[w->rank - (transpose ? 1 : 2)])
    return fail(
        e, TME_ERR_SHAPE,
        "gather_qmm: %s x the %snumbers %s: two or more dimensions each, of which the inner ones are equal, expected",
        a, transpose ? "transposed " : "", b);
  op_type l, r;
  tme_status s = infer_choice(c, 4, x, &l, e);
  if (s == TME_OK) s = infer_choice(c, 5, w, &r, e);
  if (s != TME_OK) return s;
  type_shape_text(&l, a);
  type_shape_text(&r, b);
  if (!type_broadcast(&l, &r, out) || out->rank + 2 > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "gather_qmm: indices %s and %s do not broadcast", a, b);
  out->shape[out->rank++] = x->shape[x->rank - 2];
  out->shape[out->rank++] = w->shape[w->rank - (transpose ? 2 : 1)];
  return TME_OK;
}

tme_status infer_qmm(op_call *c, op_type *out, error *e) {
  const qmm_attrs *a = &c->attrs->qmm;
  op_type w;
  tme_status s = infer_packed(c, 1, a->group_size, a->bits, &w, e);
  if (s == TME_OK) s = (c->op == OP_gather_qmm ? infer_gathered : infer_product)(c, &w, out, e);
  if (s != TME_OK) return s;
  tme_dtype t = infer_promote(c, 0, 1);
  if (!dtype_is_float(t)) t = infer_float(c, t);
  if (!dtype_is_float(t))
    return fail(e, TME_ERR_DTYPE, "%s: x must be real, not %s", op_name(c->op), tme_dtype_name(t));
  out->dtype = tme_dtype_promote(t, w.dtype);
  infer_want(c, 0, out->dtype);
  return TME_OK;
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

static int number(graph *g, tme_dtype t, int64_t v) { return graph_number(g, t, (double)v); }

/* bits * 0, 1, 2, ... along the last axis, less 32 for each step along the one before. */
static int positions(graph *g, int64_t bits, int64_t words, int64_t count) {
  int64_t shape[] = {1, words, count};
  int j = graph_bin(g, OP_multiply, graph_iota(g, TME_I32, 3, shape, 2), number(g, TME_I32, bits));
  int m = graph_bin(g, OP_multiply, graph_iota(g, TME_I32, 3, shape, 1), number(g, TME_I32, WORD));
  return graph_bin(g, OP_subtract, j, m);
}

/* 32 numbers at a time are `bits` words; in each word every number stands as far left or right as its place is. */
static int packed(graph *g, int q, int64_t size, int64_t bits) {
  int64_t rows[] = {size / WORD, 1, WORD};
  int at = positions(g, bits, bits, WORD), left = graph_cast(g, at, TME_U32);
  int right = graph_cast(g, graph_un(g, OP_negative, at), TME_U32);
  q = graph_reshape(g, q, 3, rows);
  /* What does not reach into a word is shifted by more than its width, which gives 0. */
  int words = graph_bin(g, OP_bitwise_or, graph_bin(g, OP_left_shift, q, left), graph_bin(g, OP_right_shift, q, right));
  return graph_cast(g, graph_reduce(g, OP_sum, words, 1u << 2, false), TME_U32);
}

typedef struct quantized {
  int q, scale, bias;
} quantized;

/* MLX's way: the edge that is farther from 0 is one of the numbers, and 0 is as near as can be. */
static quantized quantized_groups(graph *g, int w, int64_t groups, int64_t group_size, int64_t bits) {
  tme_dtype t = dtype_wide(g->node[w].type.dtype);
  w = graph_reshape(g, graph_wide(g, w), 2, (int64_t[]){groups, group_size});
  int lo = graph_reduce(g, OP_min, w, 1u << 1, true), hi = graph_reduce(g, OP_max, w, 1u << 1, true);
  int most = number(g, t, ((int64_t)1 << bits) - 1), zero = graph_number(g, t, 0);
  int below = graph_bin(g, OP_greater, graph_un(g, OP_abs, lo), graph_un(g, OP_abs, hi));
  int step = graph_bin(g, OP_divide, graph_bin(g, OP_subtract, hi, lo), most);
  step = graph_bin(g, OP_maximum, step, graph_number(g, t, 1e-7));
  step = graph_op(g, OP_where, (int[]){below, step, graph_un(g, OP_negative, step)}, 3, NULL);
  int edge = graph_op(g, OP_where, (int[]){below, lo, hi}, 3, NULL);
  int steps = graph_un(g, OP_round, graph_bin(g, OP_divide, edge, step));
  int none = graph_bin(g, OP_equal, steps, zero);
  quantized r = {.bias = graph_op(g, OP_where, (int[]){none, zero, edge}, 3, NULL)};
  r.scale = graph_op(g, OP_where, (int[]){none, step, graph_bin(g, OP_divide, edge, steps)}, 3, NULL);
  int q = graph_un(g, OP_round, graph_bin(g, OP_divide, graph_bin(g, OP_subtract, w, r.bias), r.scale));
  q = graph_bin(g, OP_minimum, graph_bin(g, OP_maximum, q, zero), most);
  r.q = graph_cast(g, q, TME_U32);
  return r;
}

int decompose_quantize(graph *g, const g_site *s) {
  const quantize_attrs *a = &s->attrs->quantize;
  int64_t size = type_size(&g->node[s->in[0]].type);
  quantized r = quantized_groups(g, s->in[0], size / a->group_size, a->group_size, a->bits);
  op_type t = g->node[s->in[0]].type;
  int y = s->output == 0 ? packed(g, r.q, size, a->bits) : s->output == 1 ? r.scale : r.bias;
  if (s->output) y = graph_cast(g, y, t.dtype);
  t.shape[t.rank - 1] = s->output ? t.shape[t.rank - 1] / a->group_size : t.shape[t.rank - 1] / WORD * a->bits;
  return graph_reshape(g, y, t.rank, t.shape);
}

/* ---- unpacking --------------------------------------------------------------------------------------------------- */

/* The numbers q, so many in all. Where numbers lie in two words, from 32 of them on the same places come again. */
static int unpacked(graph *g, int w, int64_t size, int64_t bits) {
  int mask = number(g, TME_U32, ((int64_t)1 << bits) - 1);
  if (WORD % bits == 0) {
    int64_t per = WORD / bits;
    w = graph_reshape(g, w, 2, (int64_t[]){size / per, 1});
    int at = graph_reshape(g, positions(g, bits, 1, per), 2, (int64_t[]){1, per});
    return graph_bin(g, OP_bitwise_and, graph_bin(g, OP_right_shift, w, graph_cast(g, at, TME_U32)), mask);
  }
  op_attrs along = {.take = {1}};
  int64_t word = WORD;
  w = graph_reshape(g, w, 2, (int64_t[]){size / WORD, bits});
  int at = graph_bin(g, OP_multiply, graph_iota(g, TME_I64, 1, &word, 0), number(g, TME_I64, bits));
  int low = graph_bin(g, OP_right_shift, at, number(g, TME_I64, 5));
  int high = graph_bin(g, OP_minimum, graph_bin(g, OP_add, low, number(g, TME_I64, 1)), number(g, TME_I64, bits - 1));
  at = graph_cast(g, graph_bin(g, OP_bitwise_and, at, number(g, TME_I64, WORD - 1)), TME_U32);
  low = graph_op(g, OP_take, (int[]){w, low}, 2, &along);
  high = graph_op(g, OP_take, (int[]){w, high}, 2, &along);
  low = graph_bin(g, OP_right_shift, low, at);
  high = graph_bin(g, OP_left_shift, high, graph_bin(g, OP_subtract, number(g, TME_U32, WORD), at));
  return graph_bin(g, OP_bitwise_and, graph_bin(g, OP_bitwise_or, low, high), mask);
}

/* scale * q + bias in the dtype in which it is computed, of type t. */
static int dequantized(graph *g, const int in[3], const op_type *t, int64_t group_size, int64_t bits) {
  int64_t size = type_size(t), groups[] = {size / group_size, group_size}, one[] = {size / group_size, 1};
  int q = unpacked(g, in[0], size, bits);
  int scale = graph_reshape(g, graph_wide(g, in[1]), 2, one), bias = graph_reshape(g, graph_wide(g, in[2]), 2, one);
  if (q < 0 || scale < 0) return -1;
  /* By way of int32, which processors convert faster. */
  q = graph_cast(g, graph_cast(g, q, TME_I32), g->node[scale].type.dtype);
  q = graph_reshape(g, q, 2, groups);
  int w = graph_bin(g, OP_add, graph_bin(g, OP_multiply, q, scale), bias);
  return graph_reshape(g, w, t->rank, t->shape);
}

int decompose_dequantize(graph *g, const g_site *s) {
  const dequantize_attrs *a = &s->attrs->dequantize;
  return graph_cast(g, dequantized(g, s->in, &s->node->type, a->group_size, a->bits), s->node->type.dtype);
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* The shape with the last `replaced` dimensions replaced by others. */
static int with_last(graph *g, int x, int replaced, int count, const int64_t *last) {
  if (x < 0) return -1;
  op_type t = g->node[x].type;
  t.rank -= replaced;
  for (int d = 0; d < count; d++) t.shape[t.rank++] = last[d];
  return graph_reshape(g, x, t.rank, t.shape);
}

/* A few rows x (..., m, k) with numbers (..., n, k): in each group the sum of q * x times the scale, and the sum of x times the
 * bias. Neighbours in a vector are words, whose first numbers meet theirs of x, then the second ones, ... */
static int summed(graph *g, int x, const int in[3], const op_type *w, const qmm_attrs *a) {
  x = graph_wide(g, x);
  int scale = graph_wide(g, in[1]), bias = graph_wide(g, in[2]), q = in[0], sum = -1;
  if (x < 0 || scale < 0 || bias < 0) return -1;
  bool row = g->node[x].type.rank == 1;
  tme_dtype t = tme_dtype_promote(g->node[x].type.dtype, g->node[scale].type.dtype);
  int64_t per = WORD / a->bits, words = a->group_size / per, groups = w->shape[w->rank - 1] / a->group_size,
          n = w->shape[w->rank - 2];
  x = with_last(g, x, 1, 4, (int64_t[]){1, groups, words, per});
  q = with_last(g, q, 2, row ? 3 : 4, (int64_t[]){1, n, groups, words} + row);
  scale = with_last(g, scale, 2, row ? 2 : 3, (int64_t[]){1, n, groups} + row);
  bias = with_last(g, bias, 2, row ? 2 : 3, (int64_t[]){1, n, groups} + row);
  if (x < 0 || q < 0) return -1;
  int last = g->node[x].type.rank - 2;
  for (int j = 0; j < per; j++) {
    int v = graph_bin(g, OP_right_shift, q, number(g, TME_U32, j * a->bits));
    v = graph_bin(g, OP_bitwise_and, v, number(g, TME_U32, ((int64_t)1 << a->bits) - 1));
    v = graph_bin(g, OP_multiply, graph_cast(g, graph_cast(g, v, TME_I32), t),
                  with_last(g, graph_part(g, x, last + 1, j, j + 1), 1, 0, NULL));
    sum = j ? graph_bin(g, OP_add, sum, v) : v;
  }
  if (sum < 0) return -1;
  int of_group = g->node[sum].type.rank - 1;
  sum = graph_bin(g, OP_multiply, graph_reduce(g, OP_sum, sum, 1u << of_group, false), scale);
  bias = graph_bin(g, OP_multiply, graph_reduce(g, OP_sum, x, 1u << last | 1u << (last + 1), false), bias);
  return graph_reduce(g, OP_sum, graph_bin(g, OP_add, sum, bias), 1u << (of_group - 1), false);
}

/* x (..., m, k) and numbers (..., n, k) or (..., k, n). */
static int product(graph *g, int x, const int in[3], const op_type *w, const g_site *s) {
  const qmm_attrs *a = &s->attrs->qmm;
  if (x < 0) return -1;
  const op_type tx = g->node[x].type;
  int64_t m = tx.rank > 1 ? tx.shape[tx.rank - 2] : 1;
  bool few = m <= MOST_ROWS_SUMMED && tx.rank + 3 <= TME_MAX_RANK && w->rank + 2 <= TME_MAX_RANK;
  if (a->transpose && few && WORD % a->bits == 0) return summed(g, x, in, w, a);
  int y = dequantized(g, in, w, a->group_size, a->bits);
  if (y < 0) return -1;
  if (a->transpose) y = graph_adjoint(g, y);
  return graph_op(g, OP_matmul, (int[]){graph_wide(g, x), y}, 2, NULL);
}

/* The matrices (..., i, j) that the indices choose out of all. */
static int chosen(graph *g, int x, int indices) {
  if (x < 0 || indices < 0) return x;
  op_type t = g->node[x].type;
  int64_t all[3] = {1, t.shape[t.rank - 2], t.shape[t.rank - 1]};
  for (int d = 0; d < t.rank - 2; d++) all[0] *= t.shape[d];
  op_attrs first = {.take = {0}};
  return graph_op(g, OP_take, (int[]){graph_reshape(g, x, 3, all), indices}, 2, &first);
}

int decompose_qmm(graph *g, const g_site *s) {
  const qmm_attrs *a = &s->attrs->qmm;
  int x = s->in[0], in[3] = {s->in[1], s->in[2], s->in[3]};
  if (s->node->op == OP_gather_qmm) {
    x = chosen(g, x, s->in[4]);
    for (int i = 0; i < 3; i++) in[i] = chosen(g, in[i], s->in[5]);
  }
  if (in[0] < 0) return -1;
  op_type w = g->node[in[0]].type;
  w.shape[w.rank - 1] = w.shape[w.rank - 1] * WORD / a->bits;
  int y = graph_cast(g, product(g, x, in, &w, s), s->node->type.dtype);
  return graph_reshape(g, y, s->node->type.rank, s->node->type.shape);
}
