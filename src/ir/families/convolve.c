/* convolve, correlate: two vectors, number by number. */
#include "ops/ops.h"

tme_status infer_convolve(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  const char *name = op_name(c->op);
  if (x->rank != 1 || y->rank != 1 || !x->shape[0] || !y->shape[0]) {
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    type_shape_text(x, a);
    type_shape_text(y, b);
    return fail(e, TME_ERR_SHAPE, "%s: %s and %s, expected vectors of one number or more", name, a, b);
  }
  tme_dtype t = infer_promote(c, 0, 2);
  if (t == TME_BOOL) return fail(e, TME_ERR_DTYPE, "%s: takes numbers, not bool", name);
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  int64_t n = x->shape[0] > y->shape[0] ? x->shape[0] : y->shape[0], m = x->shape[0] + y->shape[0] - n;
  int mode = c->attrs->convolve.mode;
  *out = (op_type){.dtype = t, .rank = 1};
  out->shape[0] = mode == CONVOLVE_MODE_FULL ? n + m - 1 : mode == CONVOLVE_MODE_SAME ? n : n - m + 1;
  return TME_OK;
}
