/* Shapes that are made of the operand's own. */
#include "ir/graph.h"
#include <string.h>

static tme_status infer_flatten(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  reshaped_attrs *a = &c->attrs->reshaped;
  if (!x->rank) {
    tme_status s = infer_axis(c, &a->start_axis, 1, e);
    if (s == TME_OK) s = infer_axis(c, &a->end_axis, 1, e);
    out->rank = 1;
    out->shape[0] = 1;
    return s;
  }
  tme_status s = infer_axis(c, &a->start_axis, x->rank, e);
  if (s == TME_OK) s = infer_axis(c, &a->end_axis, x->rank, e);
  if (s != TME_OK) return s;
  if (a->start_axis > a->end_axis)
    return fail(e, TME_ERR_ARGUMENT, "flatten: from axis %lld to %lld, expected axes in ascending order",
                (long long)a->start_axis, (long long)a->end_axis);
  for (int d = 0; d < x->rank; d++) {
    if (d > a->start_axis && d <= a->end_axis)
      out->shape[out->rank - 1] *= x->shape[d];
    else
      out->shape[out->rank++] = x->shape[d];
  }
  return TME_OK;
}

static tme_status infer_unflatten(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  reshaped_attrs *a = &c->attrs->reshaped;
  op_list *shape = &a->shape;
  tme_status s = infer_axis(c, &a->axis, x->rank, e);
  if (s != TME_OK) return s;
  if (x->rank - 1 + shape->n > TME_MAX_RANK || !shape->n)
    return fail(e, TME_ERR_SHAPE, "unflatten: an axis as %d, expected 1 or more and at most %d dimensions in all",
                shape->n, TME_MAX_RANK);
  int64_t n = x->shape[a->axis], product = 1;
  int open = -1;
  for (int d = 0; d < shape->n && product >= 0; d++) {
    if (shape->v[d] == -1 && open < 0)
      open = d;
    else if (shape->v[d] < 0 || __builtin_mul_overflow(product, shape->v[d], &product))
      product = -1;
  }
  if (open >= 0 && product > 0 && n % product == 0) {
    shape->v[open] = n / product;
    product = n;
  } else if (open >= 0) {
    product = -1;
  }
  if (product != n) {
    op_type asked = {.rank = shape->n};
    char wanted[SHAPE_TEXT];
    memcpy(asked.shape, shape->v, sizeof asked.shape);
    type_shape_text(&asked, wanted);
    return fail(e, TME_ERR_SHAPE, "unflatten: axis %lld has extent %lld, which shape %s cannot hold",
                (long long)a->axis, (long long)n, wanted);
  }
  for (int d = 0; d < a->axis; d++) out->shape[out->rank++] = x->shape[d];
  for (int d = 0; d < shape->n; d++) out->shape[out->rank++] = shape->v[d];
  for (int d = (int)a->axis + 1; d < x->rank; d++) out->shape[out->rank++] = x->shape[d];
  return TME_OK;
}

static void at_least(const op_type *x, int rank, op_type *out) {
  int missing = x->rank < rank ? rank - x->rank : 0, behind = rank == 3 && x->rank && missing;
  for (int d = 0; d < missing - behind; d++) out->shape[out->rank++] = 1;
  for (int d = 0; d < x->rank; d++) out->shape[out->rank++] = x->shape[d];
  if (behind) out->shape[out->rank++] = 1;
}

tme_status infer_reshaped(op_call *c, op_type *out, error *e) {
  out->dtype = c->in[0]->dtype;
  switch (c->op) {
  case OP_flatten: return infer_flatten(c, out, e);
  case OP_unflatten: return infer_unflatten(c, out, e);
  case OP_ravel:
    out->rank = 1;
    out->shape[0] = type_size(c->in[0]);
    return TME_OK;
  default: at_least(c->in[0], c->op == OP_atleast_1d ? 1 : c->op == OP_atleast_2d ? 2 : 3, out); return TME_OK;
  }
}

int decompose_reshaped(graph *g, const g_site *s) {
  return graph_reshape(g, s->in[0], s->node->type.rank, s->node->type.shape);
}
