/* fft, ifft, rfft, irfft along one axis. */
#include "ops/ops.h"

/* n numbers along the axis, m where none are asked for. */
static tme_status points(const op_call *c, int64_t *n, int64_t m, error *e) {
  if (*n == -1) *n = m;
  if (*n >= 1) return TME_OK;
  return fail(e, TME_ERR_ARGUMENT, "%s: a transform of %lld numbers, expected 1 or more", op_name(c->op),
              (long long)*n);
}

tme_status infer_fft(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  fft_attrs *a = &c->attrs->fft;
  if (c->op == OP_rfft && dtype_is_complex(x->dtype))
    return fail(e, TME_ERR_DTYPE, "rfft: takes real numbers, not %s: fft takes complex ones", tme_dtype_name(x->dtype));
  tme_status s = infer_axis(c, &a->axis, x->rank, e);
  if (s != TME_OK) return s;
  int64_t m = x->shape[a->axis];
  s = points(c, &a->n, c->op == OP_irfft ? 2 * (m - 1) : m, e);
  if (s != TME_OK) return s;
  tme_dtype complex = tme_dtype_promote(infer_float(c, x->dtype), TME_C64);
  infer_want(c, 0, c->op == OP_rfft ? dtype_real(complex) : complex);
  *out = *x;
  out->dtype = c->op == OP_irfft ? dtype_real(complex) : complex;
  out->shape[a->axis] = c->op == OP_rfft ? a->n / 2 + 1 : a->n;
  return TME_OK;
}
