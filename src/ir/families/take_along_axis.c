/* take_along_axis, put_along_axis: elements by their numbers along an axis, others in each row. */
#include "ops/ops.h"

/* Checks the axis and the indices. `part`: the shape of what they name; `over_x`: x broadcasts to it as well. */
static tme_status infer_along(op_call *c, int64_t *axis, bool over_x, op_type *part, error *e) {
  const op_type *x = c->in[0], *indices = c->in[1];
  tme_status s = infer_indices(c, axis, e);
  if (s != TME_OK) return s;
  op_type rows = *x, names = *indices, both = {.rank = 0};
  bool fits = x->rank == indices->rank;
  if (fits) {
    rows.shape[*axis] = names.shape[*axis] = 1;
    fits = type_broadcast(&rows, &names, &both) && (over_x || type_same_shape(&both, &rows));
  }
  if (!fits) {
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    type_shape_text(x, a);
    type_shape_text(indices, b);
    return fail(e, TME_ERR_SHAPE, "%s: indices of shape %s do not fit an array of shape %s along all axes but %lld",
                op_name(c->op), b, a, (long long)*axis);
  }
  *part = both;
  part->dtype = x->dtype;
  part->shape[*axis] = indices->shape[*axis];
  return TME_OK;
}

tme_status infer_take_along_axis(op_call *c, op_type *out, error *e) {
  return infer_along(c, &c->attrs->take_along_axis.axis, true, out, e);
}

tme_status infer_put_along_axis(op_call *c, op_type *out, error *e) {
  op_type part;
  tme_status s = infer_along(c, &c->attrs->put_along_axis.axis, false, &part, e);
  if (s == TME_OK) s = infer_updates(c, 2, &part, e);
  if (s != TME_OK) return s;
  *out = *c->in[0];
  if (dtype_is_complex(out->dtype) && c->attrs->put_along_axis.mode >= PUT_ALONG_AXIS_MODE_MIN)
    return fail(e, TME_ERR_DTYPE, "put_along_axis: %s has no order for min and max", tme_dtype_name(out->dtype));
  return TME_OK;
}
