/* Operations that move elements and change none. Their attributes after inference:
 *   slice  start: the first element; stop: one past the last one, TME_NONE before element 0. Without elements 0, 0 and
 *          step 1. The extents are those of the result. */
#include "ir/graph.h"
#include "ops/views.h"
#include <string.h>

static tme_status infer_reshape(op_call *c, op_type *out, error *e) {
  op_list *shape = &c->attrs->view.shape;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  op_type asked = {.rank = shape->n < 0 ? 0 : shape->n > TME_MAX_RANK ? TME_MAX_RANK : shape->n};
  memcpy(asked.shape, shape->v, sizeof asked.shape);
  type_shape_text(c->in[0], a);
  type_shape_text(&asked, b);
  int64_t n = type_size(c->in[0]), product = 1;
  int open = -1;
  for (int d = 0; d < asked.rank; d++) {
    if (shape->v[d] == -1 && open < 0)
      open = d;
    else if (shape->v[d] == -1)
      return fail(e, TME_ERR_ARGUMENT, "reshape: shape %s leaves more than one extent open", b);
    else if (shape->v[d] >= 0 && __builtin_mul_overflow(product, shape->v[d], &product))
      product = -1;
    if (product < 0) break;
  }
  if (open >= 0) {
    if (product <= 0 || n % product)
      return fail(e, TME_ERR_SHAPE, "reshape: %s has %lld element%s, which shape %s cannot hold", a, (long long)n,
                  PLURAL(n), b);
    shape->v[open] = n / product;
  }
  tme_status s = infer_extents(c, shape, out, e);
  if (s != TME_OK) return s;
  if (open < 0 && product != n)
    return fail(e, TME_ERR_SHAPE, "reshape: %s has %lld element%s, which shape %s cannot hold", a, (long long)n,
                PLURAL(n), b);
  return TME_OK;
}

static tme_status infer_transpose(op_call *c, op_type *out, error *e) {
  op_list *axes = &c->attrs->view.axes;
  const op_type *x = c->in[0];
  out->rank = x->rank;
  if (axes->n < 0) {
    axes->n = x->rank;
    for (int d = 0; d < x->rank; d++) axes->v[d] = x->rank - 1 - d;
  }
  if (axes->n != x->rank)
    return fail(e, TME_ERR_ARGUMENT, "transpose: %d ax%s for an array of %d dimension%s", axes->n,
                axes->n == 1 ? "is" : "es", x->rank, PLURAL(x->rank));
  unsigned seen = 0;
  for (int d = 0; d < x->rank; d++) {
    int64_t axis = axes->v[d] < 0 ? axes->v[d] + x->rank : axes->v[d];
    bool outside = axis < 0 || axis >= x->rank;
    if (outside || (seen >> axis & 1))
      return fail(e, outside ? TME_ERR_AXIS : TME_ERR_ARGUMENT, "transpose: axis %lld is %s for %d dimension%s",
                  (long long)axes->v[d], outside ? "out of range" : "given twice", x->rank, PLURAL(x->rank));
    seen |= 1u << axis;
    axes->v[d] = axis;
    out->shape[d] = x->shape[axis];
  }
  return TME_OK;
}

/* A list with one entry per dimension; entries that are not given are TME_NONE. */
static tme_status per_dimension(const op_call *c, op_list *l, int rank, error *e) {
  if (l->n > rank)
    return fail(e, TME_ERR_ARGUMENT, "%s: %d entries for an array of %d dimension%s", op_name(c->op), l->n, rank,
                PLURAL(rank));
  for (int d = l->n < 0 ? 0 : l->n; d < rank; d++) l->v[d] = TME_NONE;
  l->n = rank;
  return TME_OK;
}

tme_status infer_bounds(op_call *c, op_list *start, op_list *stop, op_list *step, op_type *out, error *e) {
  const op_type *x = c->in[0];
  tme_status s = per_dimension(c, start, x->rank, e);
  if (s == TME_OK) s = per_dimension(c, stop, x->rank, e);
  if (s == TME_OK) s = per_dimension(c, step, x->rank, e);
  if (s != TME_OK) return s;
  out->rank = x->rank;
  for (int d = 0; d < x->rank; d++) {
    if (step->v[d] == 0) return fail(e, TME_ERR_ARGUMENT, "%s: the step of dimension %d is 0", op_name(c->op), d);
    out->shape[d] = slice_extent(x->shape[d], &start->v[d], &stop->v[d], &step->v[d]);
  }
  return TME_OK;
}

static tme_status infer_slice(op_call *c, op_type *out, error *e) {
  return infer_bounds(c, &c->attrs->view.start, &c->attrs->view.stop, &c->attrs->view.step, out, e);
}

static tme_status infer_broadcast_to(op_call *c, op_type *out, error *e) {
  tme_status s = infer_extents(c, &c->attrs->view.shape, out, e);
  if (s != TME_OK) return s;
  op_type both;
  if (type_broadcast(c->in[0], out, &both) && type_same_shape(&both, out)) return TME_OK;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  type_shape_text(c->in[0], a);
  type_shape_text(out, b);
  return fail(e, TME_ERR_SHAPE, "broadcast_to: shape %s does not broadcast to %s", a, b);
}

static tme_status infer_squeeze(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  op_axes *axes = &c->attrs->dims.axes;
  bool given = axes->given == AXES_MASK || (axes->given == AXES_LIST && axes->list.n >= 0);
  tme_status s = infer_axes(c, axes, x->rank, true, e);
  if (s != TME_OK) return s;
  for (int d = 0; d < x->rank; d++) {
    if (!given && x->shape[d] == 1) axes->mask |= 1u << d;
    if (!(axes->mask >> d & 1)) {
      out->shape[out->rank++] = x->shape[d];
    } else if (x->shape[d] != 1) {
      char shape[SHAPE_TEXT];
      type_shape_text(x, shape);
      return fail(e, TME_ERR_SHAPE, "squeeze: axis %d of shape %s has extent %lld, expected 1", d, shape,
                  (long long)x->shape[d]);
    }
  }
  return TME_OK;
}

static tme_status infer_expand_dims(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  op_axes *axes = &c->attrs->dims.axes;
  bool list = axes->given == AXES_LIST && axes->list.n >= 0;
  int rank = x->rank + (list ? axes->list.n : axes->given == AXES_MASK ? __builtin_popcount(axes->mask) : 0);
  if (!list && axes->given != AXES_MASK)
    return fail(e, TME_ERR_ARGUMENT, "expand_dims: which axes are new must be said");
  if (rank > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "expand_dims: the result would have %d dimensions, more than the %d supported", rank,
                TME_MAX_RANK);
  tme_status s = infer_axes(c, axes, rank, true, e);
  if (s != TME_OK) return s;
  const int64_t *extent = x->shape;
  for (int d = 0; d < rank; d++) out->shape[out->rank++] = axes->mask >> d & 1 ? 1 : *extent++;
  return TME_OK;
}

static tme_status infer_pad(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  op_number *value = &c->attrs->view.value;
  if (value->kind == NUMBER_NONE) *value = number_of_int(0);
  if (!number_fits(value, x->dtype)) return number_misfit("pad", value, x->dtype, e);
  out->rank = x->rank;
  memcpy(out->shape, x->shape, sizeof out->shape);
  for (int i = 0; i < 2; i++) {
    op_list *l = i ? &c->attrs->view.after : &c->attrs->view.before;
    tme_status s = per_dimension(c, l, x->rank, e);
    if (s != TME_OK) return s;
    for (int d = 0; d < x->rank; d++) {
      if (l->v[d] == TME_NONE) l->v[d] = 0;
      if (l->v[d] < 0)
        return fail(e, TME_ERR_ARGUMENT, "pad: %lld elements %s dimension %d, expected 0 or more", (long long)l->v[d],
                    i ? "after" : "before", d);
      if (__builtin_add_overflow(out->shape[d], l->v[d], &out->shape[d]))
        return fail(e, TME_ERR_MEMORY, "pad: the extent of dimension %d overflows", d);
    }
  }
  return TME_OK;
}

tme_status infer_view(op_call *c, op_type *out, error *e) {
  out->dtype = c->in[0]->dtype;
  switch (c->op) {
  case OP_reshape: return infer_reshape(c, out, e);
  case OP_transpose: return infer_transpose(c, out, e);
  case OP_slice: return infer_slice(c, out, e);
  case OP_broadcast_to: return infer_broadcast_to(c, out, e);
  default: return infer_pad(c, out, e);
  }
}

tme_status infer_dims(op_call *c, op_type *out, error *e) {
  out->dtype = c->in[0]->dtype;
  switch (c->op) {
  case OP_squeeze: return infer_squeeze(c, out, e);
  case OP_expand_dims: return infer_expand_dims(c, out, e);
  default: break; /* flip */
  }
  out->rank = c->in[0]->rank;
  memcpy(out->shape, c->in[0]->shape, sizeof out->shape);
  return infer_axes(c, &c->attrs->dims.axes, out->rank, false, e);
}

static int flip(graph *g, int x, uint32_t axes, const op_type *type) {
  op_attrs a = {.view = {.start.n = type->rank, .stop.n = type->rank, .step.n = type->rank}};
  for (int d = 0; d < type->rank; d++) {
    a.view.start.v[d] = a.view.stop.v[d] = TME_NONE;
    a.view.step.v[d] = axes >> d & 1 ? -1 : 1;
  }
  return graph_op(g, OP_slice, &x, 1, &a);
}

int decompose_dims(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  return s->node->op == OP_flip ? flip(g, s->in[0], s->attrs->dims.axes.mask, type)
                                : graph_reshape(g, s->in[0], type->rank, type->shape);
}
