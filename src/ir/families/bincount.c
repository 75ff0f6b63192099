/* bincount: how often each number from 0 on is there. How many there are is found before (src/array/sized.c). */
#include "ops/ops.h"

tme_status infer_bincount(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *weights = c->in[1];
  bincount_attrs *a = &c->attrs->bincount;
  tme_status s = infer_takes(c, TAKES_BOOL | TAKES_INT, "whole numbers or booleans", e);
  if (s != TME_OK) return s;
  if (x->rank != 1) return fail(e, TME_ERR_SHAPE, "bincount: takes a vector, not an array of %d dimensions", x->rank);
  if (weights && !type_same_shape(x, weights)) {
    char shape[SHAPE_TEXT];
    type_shape_text(weights, shape);
    return fail(e, TME_ERR_SHAPE, "bincount: weights of shape %s for %lld elements", shape, (long long)x->shape[0]);
  }
  if (a->minlength < 0 || a->size < 0)
    return fail(e, TME_ERR_ARGUMENT, "bincount: %s is %lld, expected 0 or more", a->size < 0 ? "size" : "minlength",
                (long long)(a->size < 0 ? a->size : a->minlength));
  if (a->size < a->minlength) a->size = a->minlength;
  a->minlength = 0;
  *out = (op_type){.dtype = TME_I64, .rank = 1, .shape = {a->size}};
  if (!weights) return TME_OK;
  out->dtype = infer_sum(weights->dtype);
  infer_want(c, 1, out->dtype);
  return TME_OK;
}
