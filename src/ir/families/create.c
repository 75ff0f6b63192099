/* Arrays out of nothing. After inference all attributes are filled in: the dtype, arange's start and stop, eye's
 * columns. */
#include "ir/graph.h"
#include <math.h>
#include <stdio.h>

/* The dtype of the result, `none` where none is given. */
static tme_status dtype_among(op_call *c, tme_dtype none, unsigned takes, const char *words, error *e) {
  tme_dtype *t = &c->attrs->create.dtype;
  tme_status s = infer_dtype(c, t, none, e);
  if (s != TME_OK || dtype_kind(*t) & takes) return s;
  return fail(e, TME_ERR_DTYPE, "%s: makes %s, not %s", op_name(c->op), words, tme_dtype_name(*t));
}

/* Differences and products of numbers of 64 bits. */
__extension__ typedef __int128 wide;

static wide wide_of(const op_number *n) { return n->kind == NUMBER_UINT ? (wide)n->v.u : (wide)n->v.i; }

/* The number of elements; -1 if there are too many. *last is the last one. */
static int64_t count_whole(const op_number n[3], op_number *last) {
  wide start = wide_of(&n[0]), step = wide_of(&n[2]), d = wide_of(&n[1]) - start, s = step;
  if (s < 0) d = -d, s = -s;
  wide count = d <= 0 ? 0 : (d - 1) / s + 1, end = start + (count > 0 ? (count - 1) * step : 0);
  *last = end < 0 ? number_of_int((int64_t)end) : number_of_uint((uint64_t)end);
  return count < (wide)1 << 62 ? (int64_t)count : -1;
}

static int64_t count_steps(double start, double stop, double step) {
  double n = ceil((stop - start) / step);
  return n <= 0 ? 0 : n < 0x1p62 ? (int64_t)n : -1;
}

static tme_status arange_misfit(const op_number n[3], tme_status s, const char *why, error *e) {
  char given[3][32];
  for (int i = 0; i < 3; i++) number_text(&n[i], given[i]);
  return fail(e, s, "arange: start %s, stop %s, step %s: %s", given[0], given[1], given[2], why);
}

static tme_status infer_arange(op_call *c, op_type *out, error *e) {
  create_attrs *a = &c->attrs->create;
  if (a->stop.kind == NUMBER_NONE) {
    a->stop = a->start;
    a->start = number_of_int(0);
  }
  if (a->step.kind == NUMBER_NONE) a->step = number_of_int(1);
  op_number n[3] = {a->start, a->stop, a->step}, last;
  bool ints = true, finite = number_value(&n[2]) != 0;
  for (int i = 0; i < 3; i++) {
    ints &= number_whole(&n[i], &last);
    finite &= isfinite(number_value(&n[i]));
  }
  if (!finite) return arange_misfit(n, TME_ERR_ARGUMENT, "expected finite numbers and a step other than 0", e);
  for (int i = 0; i < 3 && ints; i++) number_whole(&n[i], &n[i]);
  int64_t count =
      ints ? count_whole(n, &last) : count_steps(number_value(&n[0]), number_value(&n[1]), number_value(&n[2]));
  if (count < 0) return arange_misfit(n, TME_ERR_MEMORY, "more elements than can be addressed", e);
  if (!ints) last = number_of_double(number_value(&n[0]) + (double)(count - 1) * number_value(&n[2]));
  bool beyond = ints && count && (n[0].kind == NUMBER_UINT || last.kind == NUMBER_UINT);
  tme_dtype none = ints ? beyond ? TME_U64 : TME_I64 : c->default_float;
  tme_status s = dtype_among(c, none, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s != TME_OK) return s;
  out->dtype = a->dtype;
  if (dtype_is_int(out->dtype) && !ints) {
    char why[64];
    snprintf(why, sizeof why, "expected whole numbers for %s", tme_dtype_name(out->dtype));
    return arange_misfit(n, TME_ERR_ARGUMENT, why, e);
  }
  const op_number *ends[2] = {&n[0], &last};
  for (int i = 0; i < 2 && count; i++)
    if (!number_fits(ends[i], out->dtype)) return number_misfit("arange", ends[i], out->dtype, e);
  a->start = n[0], a->stop = n[1], a->step = n[2];
  out->rank = 1;
  out->shape[0] = count;
  return TME_OK;
}

static tme_status infer_linspace(op_call *c, op_type *out, error *e) {
  create_attrs *a = &c->attrs->create;
  tme_status s = dtype_among(c, c->default_float, TAKES_FLOAT | TAKES_COMPLEX, "floating numbers", e);
  if (s != TME_OK) return s;
  if (a->num < 0) return fail(e, TME_ERR_ARGUMENT, "linspace: num is %lld, expected 0 or more", (long long)a->num);
  out->dtype = a->dtype;
  op_number *ends[2] = {&a->start, &a->stop};
  for (int i = 0; i < 2; i++) {
    *ends[i] = number_of_double(number_value(ends[i]));
    if (!number_fits(ends[i], out->dtype)) return number_misfit("linspace", ends[i], out->dtype, e);
  }
  out->rank = 1;
  out->shape[0] = a->num;
  return TME_OK;
}

static tme_status infer_eye(op_call *c, op_type *out, error *e) {
  create_attrs *a = &c->attrs->create;
  tme_status s = infer_dtype(c, &a->dtype, c->default_float, e);
  if (s != TME_OK) return s;
  if (a->columns == -1) a->columns = a->rows;
  if (a->rows < 0 || a->columns < 0)
    return fail(e, TME_ERR_ARGUMENT, "eye: %lld rows and %lld columns, expected 0 or more", (long long)a->rows,
                (long long)a->columns);
  /* A diagonal that far out is empty, and row + k must not overflow. */
  int64_t far = INT64_MAX / 4;
  a->k = a->k > far ? far : a->k < -far ? -far : a->k;
  out->dtype = a->dtype;
  out->rank = 2;
  out->shape[0] = a->rows;
  out->shape[1] = a->columns;
  return TME_OK;
}

tme_status infer_create(op_call *c, op_type *out, error *e) {
  switch (c->op) {
  case OP_arange: return infer_arange(c, out, e);
  case OP_linspace: return infer_linspace(c, out, e);
  case OP_eye: return infer_eye(c, out, e);
  default: break;
  }
  create_attrs *a = &c->attrs->create;
  tme_status s = infer_dtype(c, &a->dtype, c->default_float, e);
  if (s == TME_OK) s = infer_extents(c, &a->shape, out, e);
  if (s != TME_OK) return s;
  out->dtype = a->dtype;
  if (c->op == OP_full && !number_fits(&a->value, out->dtype)) return number_misfit("full", &a->value, out->dtype, e);
  return TME_OK;
}

static int constant(graph *g, tme_dtype t, const op_number *n) {
  uint64_t bits[2];
  if (dtype_is_int(t))
    bits[0] = number_wrapped(n), bits[1] = 0;
  else
    number_bits(n, t, bits);
  return graph_literal(g, t, bits);
}

/* start + i * step: of whole numbers in int64, whose sums wrap to those of uint64, else in f64. */
static int arange(graph *g, const create_attrs *a, const op_type *type) {
  tme_dtype t = dtype_is_int(type->dtype) ? TME_I64 : TME_F64;
  int i = graph_iota(g, t, 1, type->shape, 0);
  i = graph_bin(g, OP_multiply, i, constant(g, t, &a->step));
  return graph_bin(g, OP_add, i, constant(g, t, &a->start));
}

static int linspace(graph *g, const create_attrs *a, const op_type *type) {
  int64_t n = a->num, parts = a->endpoint ? n - 1 : n;
  double start = number_value(&a->start), stop = number_value(&a->stop);
  double step = parts > 0 ? (stop - start) / (double)parts : 0;
  int i = graph_iota(g, TME_F64, 1, type->shape, 0);
  int y = graph_bin(g, OP_multiply, i, graph_number(g, TME_F64, step));
  y = graph_bin(g, OP_add, y, graph_number(g, TME_F64, start));
  if (!a->endpoint || n < 2) return y;
  int in[3] = {graph_bin(g, OP_equal, i, graph_number(g, TME_F64, (double)(n - 1))), graph_number(g, TME_F64, stop), y};
  return graph_op(g, OP_where, in, 3, NULL);
}

static int eye(graph *g, const create_attrs *a, const op_type *type) {
  int row = graph_iota(g, TME_I64, 2, type->shape, 0), column = graph_iota(g, TME_I64, 2, type->shape, 1);
  return graph_bin(g, OP_equal, graph_bin(g, OP_add, row, graph_number(g, TME_I64, (double)a->k)), column);
}

int decompose_create(graph *g, const g_site *s) {
  int op = s->node->op;
  const create_attrs *a = &s->attrs->create;
  const op_type *type = &s->node->type;
  op_number v = op == OP_full ? a->value : number_of_int(op == OP_ones);
  switch (op) {
  case OP_zeros:
  case OP_ones:
  case OP_full: return graph_broadcast(g, constant(g, type->dtype, &v), type->rank, type->shape);
  case OP_arange: return graph_cast(g, arange(g, a, type), type->dtype);
  case OP_linspace: return graph_cast(g, linspace(g, a, type), type->dtype);
  case OP_eye: return graph_cast(g, eye(g, a, type), type->dtype);
  default: return REWRITE_KEEP;
  }
}
