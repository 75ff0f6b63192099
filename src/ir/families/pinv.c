/* pinv, matrix_rank, lstsq: what small singular values tell. Those that count as 0 have no inverse. */
#include "ir/graph.h"
#include <math.h>

/* ---- types ----------------------------------------------------------------------------------------------------------- */

/* A tolerance for each matrix, or one for all. */
static tme_status infer_tolerance(op_call *c, op_type *batch, error *e) {
  tme_dtype real = dtype_real(batch->dtype);
  if (!c->in[1]) return TME_OK;
  if (dtype_is_complex(c->in[1]->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: rtol is complex, expected real numbers", op_name(c->op));
  infer_want(c, 1, dtype_wide(real));
  tme_dtype t = batch->dtype;
  op_type with = *batch;
  bool fits = type_broadcast(batch, c->in[1], batch) && batch->rank == with.rank;
  for (int d = 0; fits && d < with.rank; d++) fits = batch->shape[d] == with.shape[d];
  *batch = with;
  batch->dtype = t;
  if (fits) return TME_OK;
  char given[SHAPE_TEXT], shape[SHAPE_TEXT];
  type_shape_text(c->in[1], given);
  type_shape_text(&with, shape);
  return fail(e, TME_ERR_SHAPE, "%s: rtol of shape %s does not fit a stack %s of matrices", op_name(c->op), given,
              shape);
}

tme_status infer_pinv(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  tme_status s = infer_matrices(c, 0, false, out, e);
  if (s == TME_OK) s = infer_tolerance(c, out, e);
  if (s != TME_OK) return s;
  type_append(out, x->shape[x->rank - 1]);
  type_append(out, x->shape[x->rank - 2]);
  return TME_OK;
}

tme_status infer_matrix_rank(op_call *c, op_type *out, error *e) {
  tme_status s = infer_matrices(c, 0, false, out, e);
  if (s == TME_OK) s = infer_tolerance(c, out, e);
  out->dtype = TME_I64;
  return s;
}

tme_status infer_lstsq(op_call *c, op_type *out, error *e) {
  const op_type *a = c->in[0], *b = c->in[1];
  op_type batch, all;
  tme_status s = infer_matrices(c, 0, false, &batch, e);
  if (s != TME_OK) return s;
  char left[SHAPE_TEXT], right[SHAPE_TEXT];
  type_shape_text(a, left);
  type_shape_text(b, right);
  if (!b->rank) return fail(e, TME_ERR_SHAPE, "lstsq: b is a number, expected vectors or matrices");
  int64_t m = a->shape[a->rank - 2], n = a->shape[a->rank - 1], rows = b->shape[b->rank - (b->rank > 1 ? 2 : 1)];
  if (rows != m)
    return fail(e, TME_ERR_SHAPE, "lstsq: b of shape %s has %lld rows, expected %lld for matrices of shape %s", right,
                (long long)rows, (long long)m, left);
  op_type stack = *b;
  stack.rank = b->rank > 1 ? b->rank - 2 : 0;
  all = batch;
  if (!type_broadcast(&batch, &stack, &all))
    return fail(e, TME_ERR_SHAPE, "lstsq: %s and %s: the batch dimensions do not broadcast", left, right);
  all.dtype = batch.dtype = infer_float(c, infer_promote(c, 0, 2));
  for (int i = 0; i < 2; i++) infer_want(c, i, all.dtype);
  out[0] = out[1] = all;
  out[1].dtype = dtype_real(all.dtype);
  type_append(&out[0], n);
  for (int o = 0; o < 2 && b->rank > 1; o++) type_append(&out[o], b->shape[b->rank - 1]);
  out[2] = out[3] = batch;
  out[2].dtype = TME_I64;
  out[3].dtype = dtype_real(all.dtype);
  type_append(&out[3], m < n ? m : n);
  return TME_OK;
}

/* ---- what they are made of ----------------------------------------------------------------------------------------------- */

/* Which of the singular values s of matrices of that type count; rtol -1: eps max(m, n). */
static int counting(graph *g, int s, int rtol, const op_type *x, tme_dtype asked) {
  if (s < 0) return -1;
  op_type t = g->node[s].type;
  int64_t m = x->shape[x->rank - 2], n = x->shape[x->rank - 1];
  if (!t.shape[t.rank - 1]) return graph_cast(g, s, TME_BOOL);
  if (rtol < 0) rtol = graph_number(g, t.dtype, tme_dtype_epsilon(dtype_real(asked)) * (double)(m > n ? m : n));
  op_type r = g->node[rtol].type;
  if (r.rank) {
    type_append(&r, 1);
    rtol = graph_reshape(g, rtol, r.rank, r.shape);
  }
  int most = graph_reduce(g, OP_max, s, 1u << (t.rank - 1), true);
  return graph_bin(g, OP_greater, s, graph_bin(g, OP_multiply, most, graph_cast(g, rtol, t.dtype)));
}

static int rank_of(graph *g, int counts) {
  if (counts < 0) return -1;
  return graph_reduce(g, OP_sum, graph_cast(g, counts, TME_I64), 1u << (g->node[counts].type.rank - 1), false);
}

typedef struct factors {
  int u, s, vt;
} factors;

static factors thin_svd(graph *g, int x) {
  op_attrs thin = {.svd = {.full_matrices = false}};
  int y = graph_op(g, OP_svd, &x, 1, &thin);
  if (y < 0) return (factors){-1, -1, -1};
  op_type t[3];
  for (int o = 0; o < 3; o++) t[o] = *graph_output(g, y, o);
  return (factors){graph_pick(g, y, 0, &t[0]), graph_pick(g, y, 1, &t[1]), graph_pick(g, y, 2, &t[2])};
}

/* The inverse of s where it counts, else 0, as a column. */
static int inverted(graph *g, int s, int counts) {
  if (s < 0) return -1;
  op_type t = g->node[s].type;
  int zero = graph_number(g, t.dtype, 0), one = graph_number(g, t.dtype, 1);
  int y = graph_op(g, OP_where, (int[]){counts, graph_bin(g, OP_divide, one, s), zero}, 3, NULL);
  type_append(&t, 1);
  return graph_reshape(g, y, t.rank, t.shape);
}

int decompose_pinv(graph *g, const g_site *s) {
  if (s->in[0] < 0) return -1;
  op_type type = g->node[s->in[0]].type;
  factors f = thin_svd(g, graph_wide(g, s->in[0]));
  int counts = counting(g, f.s, s->in[1], &type, type.dtype);
  int right = graph_bin(g, OP_multiply, inverted(g, f.s, counts), graph_adjoint(g, f.u));
  return graph_cast(g, graph_bin(g, OP_matmul, graph_adjoint(g, f.vt), right), s->node->type.dtype);
}

int decompose_matrix_rank(graph *g, const g_site *s) {
  if (s->in[0] < 0) return -1;
  op_type type = g->node[s->in[0]].type;
  return rank_of(g, counting(g, graph_un(g, OP_svdvals, graph_wide(g, s->in[0])), s->in[1], &type, type.dtype));
}

/* v (u' b / s), of a vector as of a matrix with one column. */
static int solution(graph *g, const factors *f, int counts, int b) {
  int right = graph_bin(g, OP_multiply, inverted(g, f->s, counts), graph_bin(g, OP_matmul, graph_adjoint(g, f->u), b));
  return graph_bin(g, OP_matmul, graph_adjoint(g, f->vt), right);
}

int decompose_lstsq(graph *g, const g_site *s) {
  int a = graph_wide(g, s->in[0]), b = graph_wide(g, s->in[1]);
  if (a < 0 || b < 0) return -1;
  op_type type = g->node[a].type, right = g->node[b].type, out = s->node->type;
  tme_dtype asked = out.dtype;
  double rcond = s->attrs->lstsq.rcond;
  factors f = thin_svd(g, a);
  int rtol = isnan(rcond) ? -1 : graph_number(g, dtype_real(type.dtype), rcond);
  int counts = counting(g, f.s, rtol, &type, asked);
  if (s->output == 3) return graph_cast(g, f.s, dtype_real(asked));
  if (s->output == 2) return rank_of(g, counts);
  bool vector = right.rank == 1;
  if (vector) {
    type_append(&right, 1);
    b = graph_reshape(g, b, right.rank, right.shape);
  }
  int x = solution(g, &f, counts, b);
  if (x < 0) return -1;
  if (s->output == 1) {
    int left = graph_un(g, OP_abs, graph_bin(g, OP_subtract, b, graph_bin(g, OP_matmul, a, x)));
    if (left < 0) return -1;
    x = graph_reduce(g, OP_sum, graph_bin(g, OP_multiply, left, left), 1u << (g->node[left].type.rank - 2), false);
  }
  if (x < 0) return -1;
  op_type made = g->node[x].type;
  if (vector) x = graph_reshape(g, x, made.rank - 1, made.shape);
  return graph_cast(g, x, s->output ? dtype_real(asked) : asked);
}
