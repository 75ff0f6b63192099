/* moe_route: which experts each example goes to (Shazeer et al., "Outrageously large neural networks", 2017; the loss and the
 * capacity: Fedus et al., "Switch transformers", 2021). */
#include "ir/graph.h"

tme_status infer_moe_route(op_call *c, op_type *out, error *e) {
  moe_route_attrs *a = &c->attrs->moe_route;
  const op_type *x = c->in[0], *noise = c->in[1];
  tme_dtype t = infer_float(c, infer_promote(c, 0, 2));
  char shape[SHAPE_TEXT], other[SHAPE_TEXT];
  type_shape_text(x, shape);
  if (!dtype_is_float(t)) return fail(e, TME_ERR_DTYPE, "moe_route: takes real numbers, not %s", tme_dtype_name(t));
  if (!x->rank) return fail(e, TME_ERR_SHAPE, "moe_route: the logits have no axis of experts");
  int64_t experts = x->shape[x->rank - 1];
  if (a->k < 1 || a->k > experts)
    return fail(e, TME_ERR_ARGUMENT, "moe_route: k is %lld, expected 1 to %lld, the experts of logits %s",
                (long long)a->k, (long long)experts, shape);
  if (a->capacity < -1)
    return fail(e, TME_ERR_ARGUMENT, "moe_route: capacity is %lld, expected 0 or more, or -1 for none",
                (long long)a->capacity);
  if (noise && !type_same_shape(x, noise)) {
    type_shape_text(noise, other);
    return fail(e, TME_ERR_SHAPE, "moe_route: logits %s and noise %s, expected the same", shape, other);
  }
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  out[0] = *x;
  out[0].dtype = t;
  out[0].shape[x->rank - 1] = a->k;
  out[1] = out[0];
  out[1].dtype = TME_I64;
  out[2] = (op_type){.dtype = t};
  return TME_OK;
}
