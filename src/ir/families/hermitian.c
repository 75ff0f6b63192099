/* hfft, ihfft: where it is the spectrum that is real. */
#include "ir/graph.h"

tme_status infer_hermitian(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  hermitian_attrs *a = &c->attrs->hermitian;
  bool back = c->op == OP_ihfft;
  if (back && dtype_is_complex(x->dtype))
    return fail(e, TME_ERR_DTYPE, "ihfft: takes real numbers, not %s: ifft takes complex ones",
                tme_dtype_name(x->dtype));
  tme_status s = infer_axis(c, &a->axis, x->rank, e);
  if (s != TME_OK) return s;
  if (a->n == -1) a->n = back ? x->shape[a->axis] : 2 * (x->shape[a->axis] - 1);
  if (a->n < 1)
    return fail(e, TME_ERR_ARGUMENT, "%s: a transform of %lld numbers, expected 1 or more", op_name(c->op),
                (long long)a->n);
  tme_dtype complex = tme_dtype_promote(infer_float(c, x->dtype), TME_C64);
  infer_want(c, 0, back ? dtype_real(complex) : complex);
  *out = *x;
  out->dtype = back ? complex : dtype_real(complex);
  out->shape[a->axis] = back ? a->n / 2 + 1 : a->n;
  return TME_OK;
}

/* The conjugate, and the factors of the other direction. */
int decompose_hermitian(graph *g, const g_site *s) {
  const hermitian_attrs *a = &s->attrs->hermitian;
  static const int other[] = {[HERMITIAN_NORM_BACKWARD] = FFT_NORM_FORWARD,
                              [HERMITIAN_NORM_ORTHO] = FFT_NORM_ORTHO,
                              [HERMITIAN_NORM_FORWARD] = FFT_NORM_BACKWARD};
  op_attrs fft = {.fft = {.n = a->n, .axis = a->axis, .norm = other[a->norm]}};
  int x = s->in[0];
  if (s->node->op == OP_ihfft) return graph_un(g, OP_conj, graph_op(g, OP_rfft, &x, 1, &fft));
  x = graph_un(g, OP_conj, x);
  return graph_op(g, OP_irfft, &x, 1, &fft);
}
