/* slice_update: x with other elements in a slice. */
#include "ops/ops.h"

tme_status infer_updates(op_call *c, int i, const op_type *part, error *e) {
  const op_type *x = c->in[0], *updates = c->in[i];
  op_type both;
  if (!type_broadcast(updates, part, &both) || !type_same_shape(&both, part)) {
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    type_shape_text(updates, a);
    type_shape_text(part, b);
    return fail(e, TME_ERR_SHAPE, "%s: updates of shape %s do not broadcast to the elements that they replace, %s",
                op_name(c->op), a, b);
  }
  if (dtype_is_complex(updates->dtype) && !dtype_is_complex(x->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: updates of %s do not go into %s", op_name(c->op), tme_dtype_name(updates->dtype),
                tme_dtype_name(x->dtype));
  infer_want(c, i, x->dtype);
  return type_check_size(part, op_name(c->op), e);
}

tme_status infer_slice_update(op_call *c, op_type *out, error *e) {
  slice_update_attrs *a = &c->attrs->slice_update;
  op_type part = {.dtype = c->in[0]->dtype};
  tme_status s = infer_bounds(c, &a->start, &a->stop, &a->step, &part, e);
  if (s == TME_OK) s = infer_updates(c, 1, &part, e);
  *out = *c->in[0];
  return s;
}
