/* Type inference: what all operations have in common, and helpers of the families. */
#include "ops/ops.h"
#include <string.h>

/* Whether the results are untyped: made of untyped values alone, or of nothing and without a dtype. What only chooses
 * among values (a condition, indices) does not count. */
static bool is_untyped(const op_call *c, const op_def *d) {
  if (d->family == FAMILY_cast) return false;
  if (!c->nin)
    for (int p = 0; p < d->nparams; p++)
      if (d->params[p].kind == PARAM_DTYPE)
        return c->untyped && *(const tme_dtype *)attrs_get(c->attrs, &d->params[p]) == TME_DTYPE_NONE;
  int first = d->rule == RULE_WHERE, end = d->family == FAMILY_take ? 1 : c->nin;
  for (int i = first; i < end; i++)
    if (c->in[i] && !c->in[i]->weak) return false;
  return true;
}

tme_status op_infer(op_call *c, op_type *out, error *e) {
  static op_infer_fn *const families[FAMILY_COUNT] = {
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) infer_##name,
#include "ops/families.def"
  };
  const op_def *d = op_get(c->op);
  if (!d) return fail(e, TME_ERR_ARGUMENT, "operation number %d does not exist", c->op);
  if (d->ninputs >= 0 ? c->nin != d->ninputs : c->nin < 1)
    return fail(e, TME_ERR_ARGUMENT, "%s(%s): takes %s%d array%s, not %d", d->name, d->signature,
                d->ninputs >= 0 ? "" : "at least ", d->ninputs >= 0 ? d->ninputs : 1,
                PLURAL(d->ninputs < 0 ? 1 : d->ninputs), c->nin);
  if (d->family != FAMILY_elementwise && !c->attrs)
    return fail(e, TME_ERR_ARGUMENT, "%s(%s): its parameters are missing", d->name, d->signature);
  for (int p = 0; p < d->nparams; p++)
    if (d->params[p].kind == PARAM_ARRAY && !c->in[d->params[p].input])
      return fail(e, TME_ERR_ARGUMENT, "%s(%s): %s is missing", d->name, d->signature, d->params[p].name);
  for (int i = 0; c->cast && i < c->nin; i++) c->cast[i] = TME_DTYPE_NONE;
  memset(out, 0, sizeof *out * (size_t)d->outputs);
  bool weak = is_untyped(c, d);
  tme_status s = families[d->family](c, out, e);
  for (int i = 0; i < d->outputs; i++) out[i].weak = weak && (c->untyped || !out[i].rank);
  for (int i = 0; i < d->outputs && s == TME_OK; i++) s = type_check_size(&out[i], d->name, e);
  return s;
}

unsigned dtype_kind(tme_dtype t) {
  return t == TME_BOOL ? TAKES_BOOL : dtype_is_int(t) ? TAKES_INT : dtype_is_float(t) ? TAKES_FLOAT : TAKES_COMPLEX;
}

void infer_want(op_call *c, int i, tme_dtype t) {
  if (c->cast && c->in[i] && c->in[i]->dtype != t) c->cast[i] = t;
}

tme_dtype infer_float(const op_call *c, tme_dtype t) {
  return dtype_is_float(t) || dtype_is_complex(t) ? t : c->default_float;
}

tme_dtype infer_sum(tme_dtype t) {
  if (t == TME_BOOL) return TME_I64;
  return dtype_is_int(t) ? dtype_is_signed(t) ? TME_I64 : TME_U64 : t;
}

tme_dtype infer_promote(const op_call *c, int from, int to) {
  tme_dtype strong = TME_DTYPE_NONE, weak = TME_DTYPE_NONE;
  for (int i = from; i < to; i++) {
    if (!c->in[i]) continue;
    tme_dtype *t = c->in[i]->weak ? &weak : &strong;
    *t = *t == TME_DTYPE_NONE ? c->in[i]->dtype : tme_dtype_promote(*t, c->in[i]->dtype);
  }
  if (strong == TME_DTYPE_NONE) return dtype_is_float(weak) ? tme_dtype_promote(weak, c->default_float) : weak;
  if (weak == TME_DTYPE_NONE || dtype_kind(weak) <= dtype_kind(strong)) return strong;
  if (dtype_kind(weak) == TAKES_INT) return weak;
  if (dtype_kind(weak) == TAKES_FLOAT) return c->default_float;
  return tme_dtype_promote(infer_float(c, strong), TME_C64);
}

tme_status infer_takes(const op_call *c, unsigned takes, const char *words, error *e) {
  tme_dtype t = c->in[0]->dtype;
  if (dtype_kind(t) & takes) return TME_OK;
  return fail(e, TME_ERR_DTYPE, "%s: takes %s, not %s", op_name(c->op), words, tme_dtype_name(t));
}

tme_status infer_matrices(op_call *c, int i, bool square, op_type *batch, error *e) {
  const op_type *x = c->in[i];
  char shape[SHAPE_TEXT];
  type_shape_text(x, shape);
  if (x->rank < 2) return fail(e, TME_ERR_SHAPE, "%s: takes matrices, not an array of shape %s", op_name(c->op), shape);
  if (square && x->shape[x->rank - 1] != x->shape[x->rank - 2])
    return fail(e, TME_ERR_SHAPE, "%s: takes square matrices, not an array of shape %s", op_name(c->op), shape);
  *batch = *x;
  batch->dtype = infer_float(c, x->dtype);
  batch->rank -= 2;
  batch->shape[batch->rank] = batch->shape[batch->rank + 1] = 0;
  infer_want(c, i, batch->dtype);
  return TME_OK;
}

tme_status infer_dtype(const op_call *c, tme_dtype *t, tme_dtype none, error *e) {
  if (*t == TME_DTYPE_NONE) *t = none;
  if ((int)*t >= 0 && (int)*t < TME_DTYPE_COUNT) return TME_OK;
  return fail(e, TME_ERR_ARGUMENT, "%s: there is no dtype number %d", op_name(c->op), (int)*t);
}

static tme_status axis_in_range(const op_call *c, int64_t axis, int rank, error *e) {
  if (axis >= -rank && axis < rank) return TME_OK;
  if (rank == 0)
    return fail(e, TME_ERR_AXIS, "%s: axis %lld is out of range: the array has no axes", op_name(c->op),
                (long long)axis);
  return fail(e, TME_ERR_AXIS, "%s: axis %lld is out of range for %d dimension%s (expected %d to %d)", op_name(c->op),
              (long long)axis, rank, rank == 1 ? "" : "s", -rank, rank - 1);
}

tme_status infer_axis(const op_call *c, int64_t *axis, int rank, error *e) {
  tme_status s = axis_in_range(c, *axis, rank, e);
  if (s == TME_OK && *axis < 0) *axis += rank;
  return s;
}

tme_status infer_axes(const op_call *c, op_axes *a, int rank, bool none_is_empty, error *e) {
  uint32_t all = (1u << rank) - 1;
  if (a->given == AXES_LIST && a->list.n >= 0) {
    a->mask = 0;
    for (int i = 0; i < a->list.n; i++) {
      int64_t axis = a->list.v[i];
      tme_status s = axis_in_range(c, axis, rank, e);
      if (s != TME_OK) return s;
      uint32_t bit = 1u << (axis < 0 ? axis + rank : axis);
      if (a->mask & bit)
        return fail(e, TME_ERR_ARGUMENT, "%s: axis %lld is given twice", op_name(c->op), (long long)axis);
      a->mask |= bit;
    }
  } else if (a->given != AXES_MASK) {
    a->mask = none_is_empty ? 0 : all;
  }
  if (a->mask & ~all)
    return fail(e, TME_ERR_AXIS, "%s: an axis is out of range for %d dimension%s", op_name(c->op), rank, PLURAL(rank));
  a->given = AXES_MASK;
  a->list = (op_list){0};
  return TME_OK;
}

tme_status infer_extents(op_call *c, const op_list *shape, op_type *out, error *e) {
  if (shape->n > TME_MAX_RANK)
    return fail(e, TME_ERR_ARGUMENT, "%s: %d dimensions, more than the %d supported", op_name(c->op), shape->n,
                TME_MAX_RANK);
  out->rank = shape->n < 0 ? 0 : shape->n;
  memcpy(out->shape, shape->v, sizeof *out->shape * (size_t)out->rank);
  for (int d = 0; d < out->rank; d++) {
    if (out->shape[d] >= 0) continue;
    char given[SHAPE_TEXT];
    type_shape_text(out, given);
    return fail(e, TME_ERR_ARGUMENT, "%s: dimension %lld in shape %s is negative", op_name(c->op),
                (long long)out->shape[d], given);
  }
  return TME_OK;
}

tme_status infer_not_empty(const op_call *c, uint32_t axes, error *e) {
  const op_type *x = c->in[0];
  for (int d = 0; d < x->rank; d++) {
    if (!(axes >> d & 1) || x->shape[d]) continue;
    char shape[SHAPE_TEXT];
    type_shape_text(x, shape);
    return fail(e, TME_ERR_SHAPE, "%s: axis %d of shape %s has no elements", op_name(c->op), d, shape);
  }
  return TME_OK;
}

void infer_reduced(const op_type *x, uint32_t axes, bool keepdims, op_type *out) {
  out->rank = 0;
  for (int d = 0; d < x->rank; d++) {
    bool reduced = axes >> d & 1;
    if (!reduced || keepdims) out->shape[out->rank++] = reduced ? 1 : x->shape[d];
  }
}
