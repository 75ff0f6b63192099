/* Arrays out of nothing. After inference all attributes are filled in: the dtype, arange's start and stop, eye's
 * columns. */
#include "compile/graph.h"
#include <math.h>

static bool whole(double v) { return isfinite(v) && v == nearbyint(v); }

static tme_status real_dtype(const op_call *c, int slot, unsigned takes, const char *words, error *e) {
  tme_dtype t = (tme_dtype)c->attrs->i[slot];
  if (dtype_kind(t) & takes) return TME_OK;
  return fail(e, TME_ERR_DTYPE, "%s: makes %s, not %s", op_name(c->op), words, tme_dtype_name(t));
}

/* The number of elements; -1 if there are too many. */
static int64_t arange_count(double start, double stop, double step) {
  const double exact = 0x1p61;
  if (whole(start) && whole(stop) && whole(step) && fabs(start) < exact && fabs(stop) < exact && fabs(step) < exact) {
    int64_t d = (int64_t)stop - (int64_t)start, s = (int64_t)step;
    if (s < 0) d = -d, s = -s;
    return d <= 0 ? 0 : (d - 1) / s + 1;
  }
  double n = ceil((stop - start) / step);
  return n <= 0 ? 0 : n < 0x1p62 ? (int64_t)n : -1;
}

static tme_status infer_arange(op_call *c, op_type *out, error *e) {
  op_attrs *a = c->attrs;
  if (isnan(a->f[1])) {
    a->f[1] = a->f[0];
    a->f[0] = 0;
  }
  double start = a->f[0], stop = a->f[1], step = a->f[2];
  if (!isfinite(start) || !isfinite(stop) || !isfinite(step) || step == 0)
    return fail(e, TME_ERR_ARGUMENT,
                "arange: start %g, stop %g, step %g: expected finite numbers and a step other than 0", start, stop,
                step);
  bool ints = whole(start) && whole(stop) && whole(step);
  tme_status s = infer_dtype(c, 0, ints ? TME_I64 : c->default_float, e);
  if (s == TME_OK) s = real_dtype(c, 0, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s != TME_OK) return s;
  if (dtype_is_int((tme_dtype)a->i[0]) && !(ints && fabs(start) < 0x1p63 && fabs(step) < 0x1p63))
    return fail(e, TME_ERR_ARGUMENT, "arange: start %g, stop %g, step %g: expected whole numbers for %s", start, stop,
                step, tme_dtype_name((tme_dtype)a->i[0]));
  out->dtype = (tme_dtype)a->i[0];
  out->rank = 1;
  out->shape[0] = arange_count(start, stop, step);
  if (out->shape[0] < 0)
    return fail(e, TME_ERR_MEMORY, "arange: start %g, stop %g, step %g: more elements than can be addressed", start,
                stop, step);
  return TME_OK;
}

static tme_status infer_linspace(op_call *c, op_type *out, error *e) {
  op_attrs *a = c->attrs;
  tme_status s = infer_dtype(c, 2, c->default_float, e);
  if (s == TME_OK) s = real_dtype(c, 2, TAKES_FLOAT | TAKES_COMPLEX, "floating numbers", e);
  if (s != TME_OK) return s;
  if (a->i[0] < 0) return fail(e, TME_ERR_ARGUMENT, "linspace: num is %lld, expected 0 or more", (long long)a->i[0]);
  a->i[1] = a->i[1] != 0;
  out->dtype = (tme_dtype)a->i[2];
  out->rank = 1;
  out->shape[0] = a->i[0];
  return TME_OK;
}

static tme_status infer_eye(op_call *c, op_type *out, error *e) {
  op_attrs *a = c->attrs;
  tme_status s = infer_dtype(c, 3, c->default_float, e);
  if (s != TME_OK) return s;
  if (a->i[1] == -1) a->i[1] = a->i[0];
  if (a->i[0] < 0 || a->i[1] < 0)
    return fail(e, TME_ERR_ARGUMENT, "eye: %lld rows and %lld columns, expected 0 or more", (long long)a->i[0],
                (long long)a->i[1]);
  /* A diagonal that far out is empty, and row + k must not overflow. */
  int64_t far = INT64_MAX / 4;
  a->i[2] = a->i[2] > far ? far : a->i[2] < -far ? -far : a->i[2];
  out->dtype = (tme_dtype)a->i[3];
  out->rank = 2;
  out->shape[0] = a->i[0];
  out->shape[1] = a->i[1];
  return TME_OK;
}

tme_status infer_create(op_call *c, op_type *out, error *e) {
  switch (c->op) {
  case OP_arange: return infer_arange(c, out, e);
  case OP_linspace: return infer_linspace(c, out, e);
  case OP_eye: return infer_eye(c, out, e);
  default: break;
  }
  tme_status s = infer_dtype(c, 0, c->default_float, e);
  if (s == TME_OK) s = infer_extents(c, &c->attrs->list[0], out, e);
  out->dtype = (tme_dtype)c->attrs->i[0];
  return s;
}

/* start + i * step: of whole numbers in int64, else in f64. */
static int arange(graph *g, const op_attrs *a, const op_type *type) {
  tme_dtype t = dtype_is_int(type->dtype) ? TME_I64 : TME_F64;
  int i = graph_iota(g, t, 1, type->shape, 0);
  i = graph_bin(g, OP_multiply, i, graph_number(g, t, a->f[2]));
  return graph_bin(g, OP_add, i, graph_number(g, t, a->f[0]));
}

static int linspace(graph *g, const op_attrs *a, const op_type *type) {
  int64_t n = a->i[0], parts = a->i[1] ? n - 1 : n;
  double step = parts > 0 ? (a->f[1] - a->f[0]) / (double)parts : 0;
  int i = graph_iota(g, TME_F64, 1, type->shape, 0);
  int y = graph_bin(g, OP_multiply, i, graph_number(g, TME_F64, step));
  y = graph_bin(g, OP_add, y, graph_number(g, TME_F64, a->f[0]));
  if (!a->i[1] || n < 2) return y;
  int in[3] = {graph_bin(g, OP_equal, i, graph_number(g, TME_F64, (double)(n - 1))), graph_number(g, TME_F64, a->f[1]),
               y};
  return graph_op(g, OP_where, in, 3, NULL);
}

static int eye(graph *g, const op_attrs *a, const op_type *type) {
  int row = graph_iota(g, TME_I64, 2, type->shape, 0), column = graph_iota(g, TME_I64, 2, type->shape, 1);
  return graph_bin(g, OP_equal, graph_bin(g, OP_add, row, graph_number(g, TME_I64, (double)a->i[2])), column);
}

int decompose_create(graph *g, int op, const int *in, int nin, const op_attrs *attrs, const op_type *type) {
  (void)in, (void)nin;
  double v = op == OP_full ? attrs->f[0] : op == OP_ones;
  switch (op) {
  case OP_zeros:
  case OP_ones:
  case OP_full: return graph_broadcast(g, graph_number(g, type->dtype, v), type->rank, type->shape);
  case OP_arange: return graph_cast(g, arange(g, attrs, type), type->dtype);
  case OP_linspace: return graph_cast(g, linspace(g, attrs, type), type->dtype);
  case OP_eye: return graph_cast(g, eye(g, attrs, type), type->dtype);
  default: return -2;
  }
}
