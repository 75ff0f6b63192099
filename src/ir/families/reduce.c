/* sum, prod, min, max, any, all. The operand is cast to the dtype of the result first. */
#include "ops/ops.h"

static tme_dtype wide_int(tme_dtype t) {
  if (t == TME_BOOL) return TME_I64;
  return dtype_is_int(t) ? dtype_is_signed(t) ? TME_I64 : TME_U64 : t;
}

tme_status infer_reduce(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  tme_status s = infer_axes(c, x->rank, false, e);
  if (s != TME_OK) return s;
  tme_dtype t = x->dtype;
  if (c->op == OP_any || c->op == OP_all) {
    t = TME_BOOL;
  } else if (c->op == OP_sum || c->op == OP_prod) {
    t = wide_int(t);
  } else {
    s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers or booleans", e);
    if (s != TME_OK) return s;
    for (int d = 0; d < x->rank; d++) {
      if (!(c->attrs->axes >> d & 1) || x->shape[d]) continue;
      char shape[200];
      type_shape_text(x, shape);
      return fail(e, TME_ERR_SHAPE, "%s: axis %d of shape %s has no elements", op_name(c->op), d, shape);
    }
  }
  infer_want(c, 0, t);
  out->dtype = t;
  c->attrs->i[0] = c->attrs->i[0] != 0;
  infer_reduced(x, c->attrs->axes, c->attrs->i[0], out);
  return TME_OK;
}
