/* Transforms along several axes: one after the other. After inference `axes` and `s` name every one of them. */
#include "ir/graph.h"

typedef enum kind { COMPLEX, FROM_REAL, TO_REAL } kind;

static kind kind_of(int op) {
  if (op == OP_rfftn || op == OP_rfft2) return FROM_REAL;
  return op == OP_irfftn || op == OP_irfft2 ? TO_REAL : COMPLEX;
}

static bool is_inverse(int op) { return op == OP_ifftn || op == OP_ifft2 || kind_of(op) == TO_REAL; }

static bool is_flat(int op) { return op == OP_fft2 || op == OP_ifft2 || op == OP_rfft2 || op == OP_irfft2; }

/* Those given; the last ones, as many as s has extents; the last two of fft2 and its kin, else all. */
static tme_status name_axes(const op_call *c, fftn_attrs *a, int rank, const int64_t *shape, error *e) {
  const char *name = op_name(c->op);
  op_list *axes = &a->axes;
  if (axes->n < 0) {
    axes->n = is_flat(c->op) ? 2 : a->s.n >= 0 ? a->s.n : rank;
    for (int i = 0; i < axes->n; i++) axes->v[i] = i - axes->n;
  }
  uint32_t seen = 0;
  for (int i = 0; i < axes->n; i++) {
    tme_status s = infer_axis(c, &axes->v[i], rank, e);
    if (s != TME_OK) return s;
    if (seen >> axes->v[i] & 1)
      return fail(e, TME_ERR_ARGUMENT, "%s: axis %lld is given twice", name, (long long)axes->v[i]);
    seen |= 1u << axes->v[i];
  }
  if (!axes->n && kind_of(c->op) != COMPLEX)
    return fail(e, TME_ERR_ARGUMENT, "%s: takes one axis or more, along which numbers are real", name);
  if (a->s.n < 0) {
    a->s.n = axes->n;
    for (int i = 0; i < axes->n; i++) a->s.v[i] = -1;
    if (kind_of(c->op) == TO_REAL) a->s.v[axes->n - 1] = 2 * (shape[axes->v[axes->n - 1]] - 1);
  }
  if (a->s.n != axes->n)
    return fail(e, TME_ERR_ARGUMENT, "%s: s has %d extents for %d axes, expected as many", name, a->s.n, axes->n);
  return TME_OK;
}

tme_status infer_fftn(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  fftn_attrs *a = &c->attrs->fftn;
  kind k = kind_of(c->op);
  if (k == FROM_REAL && dtype_is_complex(x->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: takes real numbers, not %s: %s takes complex ones", op_name(c->op),
                tme_dtype_name(x->dtype), is_flat(c->op) ? "fft2" : "fftn");
  tme_status s = name_axes(c, a, x->rank, x->shape, e);
  if (s != TME_OK) return s;
  tme_dtype complex = tme_dtype_promote(infer_float(c, x->dtype), TME_C64);
  *out = *x;
  out->dtype = k == TO_REAL ? dtype_real(complex) : complex;
  infer_want(c, 0, k == FROM_REAL ? dtype_real(complex) : complex);
  for (int i = 0; i < a->axes.n; i++) {
    int64_t axis = a->axes.v[i], m = x->shape[axis], *n = &a->s.v[i];
    bool last = i == a->axes.n - 1;
    if (*n == -1) *n = m;
    if (*n < 1)
      return fail(e, TME_ERR_ARGUMENT, "%s: a transform of %lld numbers along axis %lld, expected 1 or more",
                  op_name(c->op), (long long)*n, (long long)axis);
    out->shape[axis] = last && k == FROM_REAL ? *n / 2 + 1 : *n;
  }
  return TME_OK;
}

static int along(graph *g, int op, int x, const fftn_attrs *a, int i) {
  op_attrs one = {.fft = {.n = a->s.v[i], .axis = a->axes.v[i], .norm = a->norm}};
  return graph_op(g, op, &x, 1, &one);
}

/* Last to first, as the real transform comes first; back from the spectrum of a real one it is the last. */
int decompose_fftn(graph *g, const g_site *s) {
  const fftn_attrs *a = &s->attrs->fftn;
  int x = s->in[0], op = s->node->op, last = a->axes.n - 1;
  kind k = kind_of(op);
  if (k == FROM_REAL) x = along(g, OP_rfft, x, a, last);
  for (int i = k == COMPLEX ? last : last - 1; i >= 0; i--) x = along(g, is_inverse(op) ? OP_ifft : OP_fft, x, a, i);
  return k == TO_REAL ? along(g, OP_irfft, x, a, last) : x;
}
