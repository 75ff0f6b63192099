/* cumsum, cumprod, cummax, cummin, logcumsumexp, cumulative_sum, cumulative_prod. */
#include "ops/ops.h"

static bool of_sums(int op) {
  return op == OP_cumsum || op == OP_cumprod || op == OP_cumulative_sum || op == OP_cumulative_prod;
}

static tme_status scan_dtype(op_call *c, tme_dtype *t, error *e) {
  tme_dtype x = c->in[0]->dtype;
  if (of_sums(c->op)) {
    *t = c->attrs->scan.dtype;
    tme_status s = infer_dtype(c, t, infer_sum(x), e);
    if (s != TME_OK) return s;
    if (*t == TME_BOOL || (dtype_is_complex(x) && !dtype_is_complex(*t)))
      return fail(e, TME_ERR_DTYPE, "%s: of %s in %s, expected a dtype of numbers that holds them", op_name(c->op),
                  tme_dtype_name(x), tme_dtype_name(*t));
    c->attrs->scan.dtype = *t;
    return TME_OK;
  }
  *t = c->op == OP_logcumsumexp ? infer_float(c, x) : x;
  return infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers or booleans", e);
}

tme_status infer_scan(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  scan_attrs *a = &c->attrs->scan;
  bool standard = c->op == OP_cumulative_sum || c->op == OP_cumulative_prod, none = a->axes.given != AXES_MASK;
  if (a->axes.given == AXES_LIST && a->axes.list.n >= 0) {
    none = false;
    if (a->axes.list.n != 1)
      return fail(e, TME_ERR_ARGUMENT, "%s: takes one axis or none, not %d", op_name(c->op), a->axes.list.n);
  }
  if (standard && (none ? x->rank != 1 : !x->rank)) {
    return fail(e, TME_ERR_ARGUMENT, "%s: which axis of an array of %d dimensions must be said", op_name(c->op),
                x->rank);
  }
  tme_dtype t;
  tme_status s = scan_dtype(c, &t, e);
  if (s == TME_OK) s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s != TME_OK) return s;
  infer_want(c, 0, t);
  *out = *x;
  out->dtype = t;
  uint32_t mask = a->axes.mask;
  if (!mask || (mask & (mask - 1))) { /* along all elements */
    out->rank = 1;
    out->shape[0] = type_size(x);
    return TME_OK;
  }
  for (int d = 0; d < x->rank && standard && a->include_initial; d++) out->shape[d] += mask >> d & 1;
  return TME_OK;
}
