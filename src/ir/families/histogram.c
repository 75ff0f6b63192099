/* histogram, histogram2d: how many elements lie between two edges, and the edges. */
#include "ops/ops.h"
#include <math.h>

/* The edges of the axis of operand `in`: operand `edges`, or `bins` of one width between `low` and `high`. */
static tme_status infer_edges(op_call *c, int edges, int64_t bins, double low, double high, tme_dtype t, op_type *out,
                              error *e) {
  const op_type *given = c->in[edges];
  *out = (op_type){.dtype = t, .rank = 1};
  if (given) {
    if (given->rank != 1 || given->shape[0] < 2)
      return fail(e, TME_ERR_SHAPE, "%s: edges are to be a vector of two or more", op_name(c->op));
    infer_want(c, edges, t);
    *out = *given;
    out->dtype = t;
    return TME_OK;
  }
  if (bins < 1 || bins == INT64_MAX)
    return fail(e, TME_ERR_ARGUMENT, "%s: %lld bins, expected 1 or more", op_name(c->op), (long long)bins);
  if (isnan(low) != isnan(high))
    return fail(e, TME_ERR_ARGUMENT, "%s: the range has one end, expected both or none", op_name(c->op));
  if (low > high || isinf(low) || isinf(high))
    return fail(e, TME_ERR_ARGUMENT, "%s: the range is from %g to %g, expected finite ascending numbers",
                op_name(c->op), low, high);
  out->shape[0] = bins + 1;
  return TME_OK;
}

tme_status infer_histogram(op_call *c, op_type *out, error *e) {
  histogram_attrs *a = &c->attrs->histogram;
  bool plane = c->op == OP_histogram2d;
  const op_type *x = c->in[0], *weights = c->in[plane ? 4 : 2];
  int nx = plane ? 2 : 1;
  for (int i = 0; i < nx; i++) {
    if (dtype_is_complex(c->in[i]->dtype))
      return fail(e, TME_ERR_DTYPE, "%s: takes real numbers, not %s", op_name(c->op), tme_dtype_name(c->in[i]->dtype));
    if (!type_same_shape(x, c->in[i])) return fail(e, TME_ERR_SHAPE, "histogram2d: x and y are of different shapes");
  }
  if (weights && !type_same_shape(x, weights)) {
    char shape[SHAPE_TEXT], other[SHAPE_TEXT];
    type_shape_text(x, shape);
    type_shape_text(weights, other);
    return fail(e, TME_ERR_SHAPE, "%s: weights of shape %s for an array of shape %s", op_name(c->op), other, shape);
  }
  tme_dtype t = infer_float(c, infer_promote(c, 0, plane ? 4 : 2));
  tme_status s = plane ? infer_edges(c, 2, a->xbins, a->xlow, a->xhigh, t, &out[1], e)
                       : infer_edges(c, 1, a->bins, a->low, a->high, t, &out[1], e);
  if (s == TME_OK && plane) s = infer_edges(c, 3, a->ybins, a->ylow, a->yhigh, t, &out[2], e);
  if (s != TME_OK) return s;
  out[0] = (op_type){.dtype = TME_I64, .rank = nx, .shape = {out[1].shape[0] - 1, plane ? out[2].shape[0] - 1 : 0}};
  if (weights) out[0].dtype = infer_sum(weights->dtype);
  if (weights) infer_want(c, plane ? 4 : 2, out[0].dtype);
  if (a->density) out[0].dtype = weights && dtype_kind(out[0].dtype) > TAKES_INT ? out[0].dtype : t;
  return TME_OK;
}
