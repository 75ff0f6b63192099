/* Products that are contractions of two operands. */
#include "ir/contract.h"
#include <string.h>

/* The labels of both operands' axes and of the result's. */
typedef struct form {
  int8_t x[TME_MAX_RANK], y[TME_MAX_RANK], out[TME_MAX_RANK];
  int n; /* of the result */
} form;

static tme_status differ(const op_call *c, int dx, int dy, error *e) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  type_shape_text(c->in[0], a);
  type_shape_text(c->in[1], b);
  return fail(e, TME_ERR_SHAPE, "%s: axis %d of %s and %d of %s differ in their extents", op_name(c->op), dx, a, dy, b);
}

static void keep(form *f, int8_t label) { f->out[f->n++] = label; }

/* `pair[d]`: with which axis of y axis d of x is summed, or -1. What is left are the result's axes. */
static form paired(const op_type *x, const op_type *y, const int *pair) {
  form f = {.n = 0};
  int8_t next = 0;
  for (int d = 0; d < y->rank; d++) f.y[d] = -1;
  for (int d = 0; d < x->rank; d++) {
    f.x[d] = next;
    if (pair[d] >= 0)
      f.y[pair[d]] = next;
    else
      keep(&f, next);
    next++;
  }
  for (int d = 0; d < y->rank; d++) {
    if (f.y[d] >= 0) continue;
    f.y[d] = next;
    keep(&f, next++);
  }
  return f;
}

static void pairs(int op, const op_type *x, const op_type *y, const op_attrs *attrs, int pair[static TME_MAX_RANK]) {
  for (int d = 0; d < TME_MAX_RANK; d++) pair[d] = -1;
  if (op == OP_tensordot) {
    const tensordot_attrs *a = &attrs->tensordot;
    for (int i = 0; i < a->x_axes.n; i++) pair[a->x_axes.v[i]] = (int)a->y_axes.v[i];
  } else if (x->rank && y->rank) {
    pair[x->rank - 1] = op == OP_inner || y->rank == 1 ? y->rank - 1 : y->rank - 2;
  }
}

static tme_status infer_pairs(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  int pair[TME_MAX_RANK];
  pairs(c->op, x, y, c->attrs, pair);
  out->dtype = infer_promote(c, 0, 2);
  if (out->dtype == TME_BOOL) return fail(e, TME_ERR_DTYPE, "%s: takes numbers, not bool", op_name(c->op));
  infer_want(c, 0, out->dtype);
  infer_want(c, 1, out->dtype);
  int rank = x->rank + y->rank;
  uint32_t used = 0;
  for (int d = 0; d < x->rank; d++) {
    if (pair[d] < 0) continue;
    if (x->shape[d] != y->shape[pair[d]]) return differ(c, d, pair[d], e);
    used |= 1u << pair[d];
    rank -= 2;
  }
  if (rank > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "%s: the result would have %d dimensions, more than the %d supported", op_name(c->op),
                rank, TME_MAX_RANK);
  for (int d = 0; d < x->rank; d++)
    if (pair[d] < 0) out->shape[out->rank++] = x->shape[d];
  for (int d = 0; d < y->rank; d++)
    if (!(used >> d & 1)) out->shape[out->rank++] = y->shape[d];
  return TME_OK;
}

static int contract(graph *g, const g_site *s) {
  labelled term[2];
  for (int i = 0; i < 2; i++) term[i] = (labelled){.x = s->in[i], .type = graph_get(g, s->in[i])->type};
  int pair[TME_MAX_RANK];
  pairs(s->node->op, &term[0].type, &term[1].type, s->attrs, pair);
  form f = paired(&term[0].type, &term[1].type, pair);
  memcpy(term[0].label, f.x, sizeof f.x);
  memcpy(term[1].label, f.y, sizeof f.y);
  return graph_contract(g, term, 2, f.out, f.n);
}

tme_status infer_dot(op_call *c, op_type *out, error *e) { return infer_pairs(c, out, e); }
tme_status infer_inner(op_call *c, op_type *out, error *e) { return infer_pairs(c, out, e); }
int decompose_dot(graph *g, const g_site *s) { return contract(g, s); }
int decompose_inner(graph *g, const g_site *s) { return contract(g, s); }

/* After inference the axes are listed. */
tme_status infer_tensordot(op_call *c, op_type *out, error *e) {
  tensordot_attrs *a = &c->attrs->tensordot;
  const op_type *x = c->in[0], *y = c->in[1];
  int most = x->rank < y->rank ? x->rank : y->rank;
  if (a->x_axes.n < 0 && a->y_axes.n < 0) {
    if (a->axes < 0 || a->axes > most)
      return fail(e, TME_ERR_ARGUMENT, "tensordot: the sum is over %lld axes, expected 0 to %d", (long long)a->axes,
                  most);
    a->x_axes.n = a->y_axes.n = (int)a->axes;
    for (int i = 0; i < a->axes; i++) a->x_axes.v[i] = x->rank - a->axes + i, a->y_axes.v[i] = i;
  }
  if (a->x_axes.n != a->y_axes.n)
    return fail(e, TME_ERR_ARGUMENT, "tensordot: %d axes of x and %d of y, expected as many",
                a->x_axes.n < 0 ? 0 : a->x_axes.n, a->y_axes.n < 0 ? 0 : a->y_axes.n);
  for (int side = 0; side < 2; side++) {
    op_list *l = side ? &a->y_axes : &a->x_axes;
    unsigned seen = 0;
    for (int i = 0; i < l->n; i++) {
      tme_status s = infer_axis(c, &l->v[i], c->in[side]->rank, e);
      if (s != TME_OK) return s;
      if (seen >> l->v[i] & 1)
        return fail(e, TME_ERR_ARGUMENT, "tensordot: axis %lld of %s is given twice", (long long)l->v[i],
                    side ? "y" : "x");
      seen |= 1u << l->v[i];
    }
  }
  a->axes = a->x_axes.n;
  return infer_pairs(c, out, e);
}

int decompose_tensordot(graph *g, const g_site *s) { return contract(g, s); }

/* ---- of vectors -------------------------------------------------------------------------------------------------------- */

static int flat(graph *g, int x) {
  int64_t n = x < 0 ? 0 : type_size(&graph_get(g, x)->type);
  return graph_reshape(g, x, 1, &n);
}

static tme_status numbers(op_call *c, op_type *out, error *e) {
  out->dtype = infer_promote(c, 0, 2);
  if (out->dtype == TME_BOOL) return fail(e, TME_ERR_DTYPE, "%s: takes numbers, not bool", op_name(c->op));
  infer_want(c, 0, out->dtype);
  infer_want(c, 1, out->dtype);
  return TME_OK;
}

tme_status infer_outer(op_call *c, op_type *out, error *e) {
  out->rank = 2;
  for (int i = 0; i < 2; i++) out->shape[i] = type_size(c->in[i]);
  return numbers(c, out, e);
}

int decompose_outer(graph *g, const g_site *s) {
  const int64_t *n = s->node->type.shape;
  return graph_bin(g, OP_multiply, graph_reshape(g, s->in[0], 2, (int64_t[]){n[0], 1}),
                   graph_reshape(g, s->in[1], 2, (int64_t[]){1, n[1]}));
}

/* Makes it one from the end, -1 to -rank of both; an axis of arrays of the same rank may be counted from the start. */
static tme_status axis_of_both(const op_call *c, int64_t *axis, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  int least = x->rank < y->rank ? x->rank : y->rank;
  if (*axis >= 0 && x->rank == y->rank && *axis < least) *axis -= x->rank;
  if (*axis >= -least && *axis < 0) return TME_OK;
  return fail(e, TME_ERR_AXIS,
              "%s: axis %lld is out of range, expected one from the end that both arrays have: -1, -2, ...",
              op_name(c->op), (long long)*axis);
}

tme_status infer_vecdot(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  int64_t *axis = &c->attrs->vecdot.axis;
  tme_status s = axis_of_both(c, axis, e);
  if (s != TME_OK) return s;
  op_type a = *x, b = *y, both;
  int at = (int)*axis, da = a.rank + at, db = b.rank + at;
  if (a.shape[da] != b.shape[db]) return differ(c, da, db, e);
  if (!type_broadcast(&a, &b, &both)) {
    char one[SHAPE_TEXT], other[SHAPE_TEXT];
    type_shape_text(x, one);
    type_shape_text(y, other);
    return fail(e, TME_ERR_SHAPE, "vecdot: shapes %s and %s do not broadcast", one, other);
  }
  infer_reduced(&both, 1u << (both.rank + at), false, out);
  return numbers(c, out, e);
}

int decompose_vecdot(graph *g, const g_site *s) {
  tme_dtype t = s->node->type.dtype;
  int x = dtype_is_complex(t) ? graph_un(g, OP_conj, s->in[0]) : s->in[0];
  x = graph_bin(g, OP_multiply, graph_wide(g, x), graph_wide(g, s->in[1]));
  if (x < 0) return -1;
  int axis = graph_get(g, x)->type.rank + (int)s->attrs->vecdot.axis;
  return graph_cast(g, graph_reduce(g, OP_sum, x, 1u << axis, false), t);
}

tme_status infer_vdot(op_call *c, op_type *out, error *e) {
  int64_t n = type_size(c->in[0]), m = type_size(c->in[1]);
  if (n != m)
    return fail(e, TME_ERR_SHAPE, "vdot: %lld element%s and %lld, expected as many", (long long)n, PLURAL(n),
                (long long)m);
  return numbers(c, out, e);
}

int decompose_vdot(graph *g, const g_site *s) {
  op_attrs last = {.vecdot = {.axis = -1}};
  return graph_op(g, OP_vecdot, (int[]){flat(g, s->in[0]), flat(g, s->in[1])}, 2, &last);
}

/* Each extent of the first in front of that of the second. */
tme_status infer_kron(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  out->rank = x->rank > y->rank ? x->rank : y->rank;
  for (int d = 0; d < out->rank; d++) {
    int dx = d - (out->rank - x->rank), dy = d - (out->rank - y->rank);
    if (__builtin_mul_overflow(dx < 0 ? 1 : x->shape[dx], dy < 0 ? 1 : y->shape[dy], &out->shape[d]))
      return fail(e, TME_ERR_MEMORY, "kron: the extent of dimension %d overflows", d);
  }
  if (out->rank > TME_MAX_RANK / 2)
    return fail(e, TME_ERR_SHAPE, "kron: %d dimensions, expected at most %d", out->rank, TME_MAX_RANK / 2);
  return numbers(c, out, e);
}

int decompose_kron(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int part[2];
  for (int i = 0; i < 2; i++) {
    op_type t = graph_get(g, s->in[i])->type;
    int64_t shape[TME_MAX_RANK];
    for (int d = 0; d < type->rank; d++) {
      int at = d - (type->rank - t.rank);
      shape[2 * d + i] = at < 0 ? 1 : t.shape[at];
      shape[2 * d + !i] = 1;
    }
    part[i] = graph_reshape(g, s->in[i], 2 * type->rank, shape);
  }
  return graph_reshape(g, graph_bin(g, OP_multiply, part[0], part[1]), type->rank, type->shape);
}

tme_status infer_cross(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  int64_t *axis = &c->attrs->cross.axis;
  tme_status s = axis_of_both(c, axis, e);
  if (s != TME_OK) return s;
  int64_t n = x->shape[x->rank + *axis], m = y->shape[y->rank + *axis];
  if (n != 3 || m != 3)
    return fail(e, TME_ERR_SHAPE, "cross: %lld and %lld elements along axis %lld, expected 3", (long long)n,
                (long long)m, (long long)*axis);
  if (!type_broadcast(x, y, out)) return fail(e, TME_ERR_SHAPE, "cross: the shapes do not broadcast");
  return numbers(c, out, e);
}

/* The vector turned by one or two places: its element i is x's i + by. */
static int turned(graph *g, int x, int64_t axis, int64_t by) {
  op_attrs a = {.roll = {.shift = {1, {-by}}, .axis = {1, {axis}}}};
  return graph_op(g, OP_roll, &x, 1, &a);
}

int decompose_cross(graph *g, const g_site *s) {
  int64_t axis = s->attrs->cross.axis;
  int x = graph_wide(g, s->in[0]), y = graph_wide(g, s->in[1]);
  int plus = graph_bin(g, OP_multiply, turned(g, x, axis, 1), turned(g, y, axis, 2));
  int minus = graph_bin(g, OP_multiply, turned(g, x, axis, 2), turned(g, y, axis, 1));
  return graph_cast(g, graph_bin(g, OP_subtract, plus, minus), s->node->type.dtype);
}
