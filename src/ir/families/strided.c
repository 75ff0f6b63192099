/* Views by strides. After inference axes are not negative, as_strided has shape and strides. */
#include "ir/graph.h"
#include "ops/views.h"
#include <string.h>

static tme_status axes_of(op_call *c, op_list *l, const char *what, int rank, error *e) {
  unsigned seen = 0;
  for (int i = 0; i < l->n; i++) {
    tme_status s = infer_axis(c, &l->v[i], rank, e);
    if (s != TME_OK) return s;
    if (seen >> l->v[i] & 1)
      return fail(e, TME_ERR_ARGUMENT, "%s: %s names axis %lld twice", op_name(c->op), what, (long long)l->v[i]);
    seen |= 1u << l->v[i];
  }
  return TME_OK;
}

static tme_status infer_order(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  strided_attrs *a = &c->attrs->strided;
  tme_status s = TME_OK;
  int order[TME_MAX_RANK];
  if (c->op == OP_moveaxis) {
    s = axes_of(c, &a->source, "source", x->rank, e);
    if (s == TME_OK) s = axes_of(c, &a->destination, "destination", x->rank, e);
    if (s == TME_OK && a->source.n != a->destination.n)
      s = fail(e, TME_ERR_ARGUMENT, "moveaxis: %d axes to %d places, expected as many", a->source.n, a->destination.n);
  } else if (c->op == OP_swapaxes) {
    s = infer_axis(c, &a->axis1, x->rank, e);
    if (s == TME_OK) s = infer_axis(c, &a->axis2, x->rank, e);
  } else if (x->rank < 2) {
    s = fail(e, TME_ERR_SHAPE, "matrix_transpose: the array has %d dimension%s, expected at least 2", x->rank,
             PLURAL(x->rank));
  }
  if (s != TME_OK) return s;
  strided_order(c->op, c->attrs, x->rank, order);
  out->rank = x->rank;
  for (int d = 0; d < x->rank; d++) out->shape[d] = x->shape[order[d]];
  return TME_OK;
}

tme_status infer_diagonal(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  strided_attrs *a = &c->attrs->strided;
  if (x->rank < 2)
    return fail(e, TME_ERR_SHAPE, "%s: the array has %d dimension%s, expected at least 2", op_name(c->op), x->rank,
                PLURAL(x->rank));
  tme_status s = infer_axis(c, &a->axis1, x->rank, e);
  if (s == TME_OK) s = infer_axis(c, &a->axis2, x->rank, e);
  if (s != TME_OK) return s;
  if (a->axis1 == a->axis2)
    return fail(e, TME_ERR_ARGUMENT, "%s: axis %lld is given twice", op_name(c->op), (long long)a->axis1);
  for (int d = 0; d < x->rank; d++)
    if (d != a->axis1 && d != a->axis2) out->shape[out->rank++] = x->shape[d];
  int64_t rows = x->shape[a->axis1], columns = x->shape[a->axis2];
  /* A diagonal beyond the corners is empty, however far out. */
  if (a->offset <= -rows || a->offset >= columns) a->offset = columns;
  rows += a->offset < 0 ? a->offset : 0;
  columns -= a->offset > 0 ? a->offset : 0;
  out->shape[out->rank++] = rows < columns ? rows : columns;
  return TME_OK;
}

static tme_status beyond(const op_call *c, error *e) {
  return fail(e, TME_ERR_INDEX, "%s: the shape, strides and offset reach beyond the %lld element%s of the array",
              op_name(c->op), (long long)type_size(c->in[0]), PLURAL(type_size(c->in[0])));
}

static tme_status infer_as_strided(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  strided_attrs *a = &c->attrs->strided;
  if (a->shape.n < 0) {
    a->shape.n = x->rank;
    memcpy(a->shape.v, x->shape, sizeof x->shape);
  }
  tme_status s = infer_extents(c, &a->shape, out, e);
  if (s == TME_OK) s = type_check_size(out, "as_strided", e);
  if (s != TME_OK) return s;
  if (a->strides.n < 0) {
    a->strides.n = out->rank;
    type_strides(out, a->strides.v);
  }
  if (a->strides.n != out->rank)
    return fail(e, TME_ERR_ARGUMENT, "as_strided: %d strides for %d dimension%s", a->strides.n, out->rank,
                PLURAL(out->rank));
  int64_t low = a->offset, high = a->offset;
  for (int d = 0; d < out->rank && type_size(out); d++) {
    int64_t reach, *end = a->strides.v[d] < 0 ? &low : &high;
    if (__builtin_mul_overflow(out->shape[d] - 1, a->strides.v[d], &reach) || __builtin_add_overflow(*end, reach, end))
      return beyond(c, e);
  }
  return type_size(out) && (low < 0 || high >= type_size(x)) ? beyond(c, e) : TME_OK;
}

tme_status infer_strided(op_call *c, op_type *out, error *e) {
  out->dtype = c->in[0]->dtype;
  switch (c->op) {
  case OP_diagonal: return infer_diagonal(c, out, e);
  case OP_as_strided: return infer_as_strided(c, out, e);
  default: return infer_order(c, out, e);
  }
}

static int transpose(graph *g, int x, int rank, const int order[static TME_MAX_RANK]) {
  op_attrs a = {.view = {.axes.n = rank}};
  for (int d = 0; d < rank; d++) a.view.axes.v[d] = order[d];
  return graph_op(g, OP_transpose, &x, 1, &a);
}

/* Every so many of the elements of a matrix in a row. */
static int diagonal(graph *g, int x, const strided_attrs *a, const op_type *type) {
  op_type t = graph_get(g, x)->type;
  int order[TME_MAX_RANK], n = 0, last = t.rank - 2;
  for (int d = 0; d < t.rank; d++)
    if (d != a->axis1 && d != a->axis2) order[n++] = d;
  order[n] = (int)a->axis1;
  order[n + 1] = (int)a->axis2;
  int64_t rows = t.shape[a->axis1], columns = t.shape[a->axis2], flat[TME_MAX_RANK];
  memcpy(flat, type->shape, sizeof flat);
  flat[last] = rows * columns;
  x = graph_reshape(g, transpose(g, x, t.rank, order), last + 1, flat);
  op_attrs cut = {.view = {.start.n = last + 1, .stop.n = last + 1, .step.n = last + 1}};
  for (int d = 0; d <= last; d++) cut.view.start.v[d] = cut.view.stop.v[d] = cut.view.step.v[d] = TME_NONE;
  int64_t count = type->shape[last], first = a->offset < 0 ? -a->offset * columns : a->offset;
  cut.view.start.v[last] = count ? first : 0;
  cut.view.stop.v[last] = count ? first + (count - 1) * (columns + 1) + 1 : 0;
  cut.view.step.v[last] = columns + 1;
  return graph_op(g, OP_slice, &x, 1, &cut);
}

/* Elements of the flat array by numbers that count along each axis. */
static int gather(graph *g, int x, const op_attrs *attrs, const op_type *type) {
  const int64_t *strides = attrs->strided.strides.v;
  int64_t n = type_size(&graph_get(g, x)->type);
  if (!type_size(type)) return graph_broadcast(g, graph_number(g, type->dtype, 0), type->rank, type->shape);
  int at = graph_number(g, TME_I64, (double)attrs->strided.offset);
  for (int d = 0; d < type->rank; d++) {
    if (type->shape[d] == 1 || !strides[d]) continue;
    int along = graph_iota(g, TME_I64, type->rank, type->shape, d);
    along = graph_bin(g, OP_multiply, along, graph_number(g, TME_I64, (double)strides[d]));
    at = graph_bin(g, OP_add, at, along);
  }
  op_attrs first = {.take = {.axis = 0}};
  int places = graph_broadcast(g, at, type->rank, type->shape);
  return graph_op(g, OP_take, (int[]){graph_reshape(g, x, 1, &n), places}, 2, &first);
}

int decompose_strided(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int order[TME_MAX_RANK];
  switch (s->node->op) {
  case OP_diagonal: return diagonal(g, s->in[0], &s->attrs->strided, type);
  case OP_as_strided: return gather(g, s->in[0], s->attrs, type);
  default: strided_order(s->node->op, s->attrs, type->rank, order); return transpose(g, s->in[0], type->rank, order);
  }
}
