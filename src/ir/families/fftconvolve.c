/* fftconvolve: convolution by the product of spectra. */
#include "base/smooth.h"
#include "ir/along.h"

/* The extent of the result along an axis. */
static int64_t extent_of(int mode, int64_t n, int64_t m) {
  if (mode == FFTCONVOLVE_MODE_SAME) return n;
  return mode == FFTCONVOLVE_MODE_FULL ? n + m - 1 : n - m + 1;
}

/* Where mode is valid: whether y lies within x along all axes (or 1: x within y), else -1. */
static int inner_operand(const op_type *x, const op_type *y, uint32_t axes) {
  bool within_x = true, within_y = true;
  for (int d = 0; d < x->rank; d++) {
    if (!(axes >> d & 1)) continue;
    within_x &= y->shape[d] <= x->shape[d];
    within_y &= x->shape[d] <= y->shape[d];
  }
  return within_x ? 0 : within_y ? 1 : -1;
}

tme_status infer_fftconvolve(op_call *c, op_type *out, error *e) {
  fftconvolve_attrs *a = &c->attrs->fftconvolve;
  const op_type *x = c->in[0], *y = c->in[1];
  char xs[SHAPE_TEXT], ys[SHAPE_TEXT];
  type_shape_text(x, xs);
  type_shape_text(y, ys);
  if (x->rank != y->rank || !x->rank)
    return fail(e, TME_ERR_SHAPE, "fftconvolve: %s and %s, expected as many dimensions, and one or more", xs, ys);
  tme_status s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s != TME_OK) return s;
  op_type one = *x, other = *y;
  for (int d = 0; d < x->rank; d++) {
    if (!(a->axes.mask >> d & 1)) continue;
    if (!x->shape[d] || !y->shape[d])
      return fail(e, TME_ERR_ARGUMENT, "fftconvolve: %s and %s, nothing along axis %d, expected one number or more", xs,
                  ys, d);
    one.shape[d] = other.shape[d] = 1;
  }
  if (!type_broadcast(&one, &other, out))
    return fail(e, TME_ERR_SHAPE, "fftconvolve: %s and %s do not broadcast along the axes that are not convolved", xs,
                ys);
  int inner = inner_operand(x, y, a->axes.mask);
  if (a->mode == FFTCONVOLVE_MODE_VALID && inner < 0)
    return fail(e, TME_ERR_SHAPE, "fftconvolve: %s and %s, neither lies within the other, as mode valid needs", xs, ys);
  for (int d = 0; d < x->rank; d++) {
    int64_t n = x->shape[d], m = y->shape[d];
    if (!(a->axes.mask >> d & 1)) continue;
    out->shape[d] = a->mode == FFTCONVOLVE_MODE_VALID && inner ? extent_of(a->mode, m, n) : extent_of(a->mode, n, m);
  }
  tme_dtype t = dtype_wide(infer_float(c, infer_promote(c, 0, 2)));
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  out->dtype = t;
  return TME_OK;
}

int decompose_fftconvolve(graph *g, const g_site *s) {
  const fftconvolve_attrs *a = &s->attrs->fftconvolve;
  const op_type *type = &s->node->type;
  if (s->in[0] < 0 || s->in[1] < 0) return -1;
  op_type x = graph_get(g, s->in[0])->type, y = graph_get(g, s->in[1])->type;
  bool is_complex = dtype_is_complex(type->dtype);
  op_attrs over = {.fftn = {.s = {.n = 0}, .axes = {.n = 0}}};
  for (int d = 0; d < type->rank; d++) {
    if (!(a->axes.mask >> d & 1)) continue;
    over.fftn.s.v[over.fftn.s.n++] = smooth_length(x.shape[d] + y.shape[d] - 1);
    over.fftn.axes.v[over.fftn.axes.n++] = d;
  }
  if (!over.fftn.axes.n) return graph_bin(g, OP_multiply, s->in[0], s->in[1]);
  op_attrs back = over;
  int spectra[2];
  for (int i = 0; i < 2; i++) {
    op_attrs own = over;
    spectra[i] = graph_op(g, is_complex ? OP_fftn : OP_rfftn, &s->in[i], 1, &own);
  }
  int z = graph_bin(g, OP_multiply, spectra[0], spectra[1]);
  z = graph_op(g, is_complex ? OP_ifftn : OP_irfftn, &z, 1, &back);
  for (int d = 0; d < type->rank; d++) {
    int64_t n = x.shape[d], m = y.shape[d], start = 0;
    if (!(a->axes.mask >> d & 1)) continue;
    if (a->mode == FFTCONVOLVE_MODE_SAME) start = (m - 1) / 2;
    if (a->mode == FFTCONVOLVE_MODE_VALID) start = (n < m ? n : m) - 1;
    z = along_part(g, z, d, start, start + type->shape[d]);
  }
  return z;
}
