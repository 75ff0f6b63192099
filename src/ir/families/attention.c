/* scaled_dot_product_attention, and its weights alone. Heads (axis -3) of q may be a multiple of those of k and v: then a
 * group of neighbouring heads of q shares one of k and v. */
#include "ir/graph.h"
#include <math.h>

/* The weights have no v; the mask comes last. */
static bool has_values(int op) { return op == OP_scaled_dot_product_attention; }
static int mask_at(int op) { return has_values(op) ? 3 : 2; }

static op_type batch_of(const op_type *t) {
  op_type b = *t;
  b.rank -= 2;
  return b;
}

/* How many heads of q share one of the k and v with the batch `kv`; 1 where they simply broadcast. */
static int64_t head_group(const op_type *q, const op_type *kv) {
  if (!q->rank || !kv->rank) return 1;
  int64_t hq = q->shape[q->rank - 1], hkv = kv->shape[kv->rank - 1];
  return hkv > 1 && hq > hkv && hq % hkv == 0 ? hq / hkv : 1;
}

static tme_status wrong_shapes(const op_call *c, const char *why, error *e) {
  char q[SHAPE_TEXT], k[SHAPE_TEXT], v[SHAPE_TEXT];
  type_shape_text(c->in[0], q);
  type_shape_text(c->in[1], k);
  if (!has_values(c->op)) return fail(e, TME_ERR_SHAPE, "%s: q %s, k %s: %s", op_name(c->op), q, k, why);
  type_shape_text(c->in[2], v);
  return fail(e, TME_ERR_SHAPE, "%s: q %s, k %s, v %s: %s", op_name(c->op), q, k, v, why);
}

static tme_status check_mask(op_call *c, const op_type *out, int64_t m, tme_dtype t, error *e) {
  const op_type *mask = c->in[mask_at(c->op)];
  if (!mask) return TME_OK;
  if (mask->dtype != TME_BOOL && !dtype_is_float(mask->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: the mask must be bool or floating, not %s", op_name(c->op),
                tme_dtype_name(mask->dtype));
  op_type scores = *out, both = *out;
  scores.shape[scores.rank - 1] = m;
  if (!type_broadcast(&scores, mask, &both) || !type_same_shape(&scores, &both)) {
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    type_shape_text(mask, a);
    type_shape_text(&scores, b);
    return fail(e, TME_ERR_SHAPE, "%s: the mask %s does not broadcast to the scores %s", op_name(c->op), a, b);
  }
  if (mask->dtype != TME_BOOL) infer_want(c, mask_at(c->op), t);
  return TME_OK;
}

static tme_status infer(op_call *c, op_type *out, error *e) {
  const op_type *q = c->in[0], *k = c->in[1], *v = has_values(c->op) ? c->in[2] : k;
  tme_dtype t = infer_float(c, infer_promote(c, 0, mask_at(c->op)));
  if (!dtype_is_float(t))
    return fail(e, TME_ERR_DTYPE, "%s: takes real numbers, not %s", op_name(c->op), tme_dtype_name(t));
  if (q->rank < 2 || k->rank < 2 || v->rank < 2) return wrong_shapes(c, "each needs at least two dimensions", e);
  int64_t d = q->shape[q->rank - 1], m = k->shape[k->rank - 2];
  if (k->shape[k->rank - 1] != d) return wrong_shapes(c, "the last dimensions of q and k differ", e);
  if (v->shape[v->rank - 2] != m) return wrong_shapes(c, "the lengths of k and v differ", e);
  op_type bq = batch_of(q), bk = batch_of(k), bv = batch_of(v), kv = bk;
  if (!type_broadcast(&bk, &bv, &kv)) return wrong_shapes(c, "the batch dimensions of k and v do not broadcast", e);
  if (head_group(&bq, &kv) > 1) kv.shape[kv.rank - 1] = bq.shape[bq.rank - 1];
  if (!type_broadcast(&bq, &kv, out)) return wrong_shapes(c, "the batch dimensions do not broadcast", e);
  for (int i = 0; i < mask_at(c->op); i++) infer_want(c, i, t);
  out->shape[out->rank++] = q->shape[q->rank - 2];
  out->shape[out->rank++] = has_values(c->op) ? v->shape[v->rank - 1] : m;
  out->dtype = t;
  double *scale = has_values(c->op) ? &c->attrs->attention.scale : &c->attrs->weights.scale;
  if (isnan(*scale)) *scale = d ? 1 / sqrt((double)d) : 1;
  return check_mask(c, out, m, t, e);
}

tme_status infer_attention(op_call *c, op_type *out, error *e) { return infer(c, out, e); }
tme_status infer_weights(op_call *c, op_type *out, error *e) { return infer(c, out, e); }

/* (..., h, m, d) with each head repeated to (..., h * group, m, d). */
static int repeat_heads(graph *g, int x, int64_t group) {
  if (x < 0) return -1;
  op_type t = graph_get(g, x)->type, r = t;
  int h = t.rank - 3;
  if (group == 1 || h < 0 || t.shape[h] == 1) return x;
  r.shape[h + 1] = 1;
  r.shape[h + 2] = t.shape[h + 1] * t.shape[h + 2];
  x = graph_reshape(g, x, r.rank, r.shape);
  r.shape[h + 1] = group;
  x = graph_broadcast(g, x, r.rank, r.shape);
  t.shape[h] *= group;
  return graph_reshape(g, x, t.rank, t.shape);
}

static int swap_last(graph *g, int x) {
  if (x < 0) return -1;
  int rank = graph_get(g, x)->type.rank;
  op_attrs a = {.view = {.axes.n = rank}};
  for (int d = 0; d < rank; d++) a.view.axes.v[d] = d;
  a.view.axes.v[rank - 1] = rank - 2;
  a.view.axes.v[rank - 2] = rank - 1;
  return graph_op(g, OP_transpose, &x, 1, &a);
}

static int keep_where(graph *g, int condition, int scores, tme_dtype t) {
  int in[3] = {condition, scores, graph_number(g, t, -INFINITY)};
  return graph_op(g, OP_where, in, 3, NULL);
}

/* A key that is masked by -infinity is not looked at, whatever its score is. */
static int masked(graph *g, int mask, int scores, tme_dtype t) {
  if (mask < 0) return -1;
  if (graph_get(g, mask)->type.dtype == TME_BOOL) return keep_where(g, mask, scores, t);
  mask = graph_cast(g, mask, t);
  int seen = graph_bin(g, OP_not_equal, mask, graph_number(g, t, -INFINITY));
  return keep_where(g, seen, graph_bin(g, OP_add, scores, mask), t);
}

/* x with a last dimension of one 0 in place of one without numbers. */
static int with_zeros(graph *g, int x) {
  if (x < 0) return -1;
  op_type t = graph_get(g, x)->type;
  t.shape[t.rank - 1] = 1;
  return graph_broadcast(g, graph_number(g, t.dtype, 0), t.rank, t.shape);
}

/* The weights are made of other operations. Attention has a kernel of its own, where there are keys that have a width: no
 * keys give NaN, as a query that may look at none does, and of keys without width all scores are 0. */
int decompose_attention(graph *g, const g_site *s) {
  const op_type *type = &s->node->type, *k = &graph_get(g, s->in[1])->type;
  if (!k->shape[k->rank - 2]) return graph_broadcast(g, graph_number(g, type->dtype, NAN), type->rank, type->shape);
  if (k->shape[k->rank - 1]) return REWRITE_KEEP;
  int wide[4] = {with_zeros(g, s->in[0]), with_zeros(g, s->in[1]), s->in[2], s->node->nin > 3 ? s->in[3] : -1};
  return graph_op(g, s->node->op, wide, s->node->nin, s->attrs);
}

int decompose_weights(graph *g, const g_site *site) {
  const op_type *type = &site->node->type;
  const int *in = site->in;
  int mask = site->node->nin > 2 ? in[2] : -1, q = graph_wide(g, in[0]), k = graph_wide(g, in[1]);
  if (q < 0 || k < 0) return -1;
  op_type tq = graph_get(g, q)->type, tk = graph_get(g, k)->type;
  op_type bq = batch_of(&tq), bk = batch_of(&tk);
  int64_t nm[2] = {tq.shape[tq.rank - 2], tk.shape[tk.rank - 2]};
  if (nm[1] == 0) return graph_broadcast(g, graph_number(g, type->dtype, 0), type->rank, type->shape);
  int64_t group = head_group(&bq, &bk);
  int s = graph_bin(g, OP_matmul, q, swap_last(g, repeat_heads(g, k, group)));
  s = graph_bin(g, OP_multiply, s, graph_number(g, tq.dtype, site->attrs->weights.scale));
  if (mask >= 0) s = masked(g, mask, s, tq.dtype);
  if (site->attrs->weights.causal) {
    int row = graph_bin(g, OP_add, graph_iota(g, TME_I64, 2, nm, 0), graph_number(g, TME_I64, (double)(nm[1] - nm[0])));
    s = keep_where(g, graph_bin(g, OP_less_equal, graph_iota(g, TME_I64, 2, nm, 1), row), s, tq.dtype);
  }
  if (s < 0) return -1;
  uint32_t last = 1u << (graph_get(g, s)->type.rank - 1);
  int p = graph_un(g, OP_exp, graph_bin(g, OP_subtract, s, graph_max_any(g, s, last)));
  return graph_cast(g, graph_bin(g, OP_divide, p, graph_reduce(g, OP_sum, p, last, true)), type->dtype);
}
