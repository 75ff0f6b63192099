/* Out of what is there: the places are drawn, and taken. */
#include "ir/families/random.h"
#include <string.h>

tme_status infer_random_indices(op_call *c, op_type *out, error *e) {
  random_indices_attrs *a = &c->attrs->random_indices;
  const op_type *p = c->in[0];
  tme_status s = infer_key(c, 1, e);
  if (s != TME_OK) return s;
  if (a->n < 0) return fail(e, TME_ERR_ARGUMENT, "%s: n is %lld, expected 0 or more", op_name(c->op), (long long)a->n);
  if (a->shape.n < 0) a->shape = (op_list){.n = 1, .v = {a->n}};
  s = infer_extents(c, &a->shape, out, e);
  if (s != TME_OK) return s;
  out->dtype = TME_I64;
  s = type_check_size(out, op_name(c->op), e);
  if (s != TME_OK) return s;
  int64_t wanted = type_size(out);
  if (wanted && (!a->n || (!a->replace && wanted > a->n)))
    return fail(e, TME_ERR_ARGUMENT, "%s: %lld out of %lld%s", op_name(c->op), (long long)wanted, (long long)a->n,
                a->replace ? "" : " without replacement");
  if (!p) return TME_OK;
  tme_dtype own = dtype_is_float(p->dtype) ? p->dtype : TME_F64;
  if (p->rank != 1 || p->shape[0] != a->n) {
    char shape[SHAPE_TEXT];
    type_shape_text(p, shape);
    return fail(e, TME_ERR_SHAPE, "%s: p has shape %s, expected (%lld,)", op_name(c->op), shape, (long long)a->n);
  }
  return infer_floating_in(c, 0, 1, &own, own, e);
}

static op_type without_axis(const op_type *x, int64_t axis, const op_list *shape) {
  op_type out = {.dtype = x->dtype};
  for (int d = 0; d < axis; d++) out.shape[out.rank++] = x->shape[d];
  for (int d = 0; d < shape->n; d++) out.shape[out.rank++] = shape->v[d];
  for (int d = (int)axis + 1; d < x->rank; d++) out.shape[out.rank++] = x->shape[d];
  return out;
}

tme_status infer_random_choice(op_call *c, op_type *out, error *e) {
  random_choice_attrs *a = &c->attrs->random_choice;
  const op_type *x = c->in[0];
  tme_status s = infer_axis(c, &a->axis, x->rank, e);
  if (s != TME_OK) return s;
  if (a->shape.n < 0) a->shape.n = 0;
  if (x->rank - 1 + a->shape.n > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "%s: %d dimensions, more than the %d supported", op_name(c->op),
                x->rank - 1 + a->shape.n, TME_MAX_RANK);
  /* The same places, by the rules of random_indices. */
  op_attrs places = {.random_indices = {.n = x->shape[a->axis], .shape = a->shape, .replace = a->replace}};
  const op_type *in[2] = {c->in[1], c->in[2]};
  tme_dtype cast[2] = {TME_DTYPE_NONE, TME_DTYPE_NONE};
  op_call of = {.op = c->op, .nin = 2, .in = in, .attrs = &places, .default_float = c->default_float, .cast = cast};
  op_type drawn = {0};
  s = infer_random_indices(&of, &drawn, e);
  if (s == TME_OK && c->cast) memcpy(c->cast + 1, cast, sizeof cast);
  *out = without_axis(x, a->axis, &a->shape);
  return s;
}

tme_status infer_random_permutation(op_call *c, op_type *out, error *e) {
  tme_status s = infer_key(c, 1, e);
  *out = *c->in[0];
  return s == TME_OK ? infer_axis(c, &c->attrs->random_permutation.axis, c->in[0]->rank, e) : s;
}

/* Places that are all alike likely and come again are integers as others, whose numbers are the same. */
static int draw_places(graph *g, int64_t n, const op_list *shape, bool replace, int p, int key) {
  if (replace && p < 0) {
    op_attrs whole = {.random = {.shape = *shape, .dtype = TME_I64}};
    int in[3] = {graph_number(g, TME_I64, (double)n), -1, key};
    return graph_op(g, OP_random_integers, in, 3, &whole);
  }
  op_attrs places = {.random_indices = {.n = n, .shape = *shape, .replace = replace}};
  int in[2] = {p, key};
  return graph_op(g, OP_random_indices, in, 2, &places);
}

static int take_drawn(graph *g, int x, int64_t axis, const op_list *shape, bool replace, int p, int key) {
  if (x < 0) return -1;
  op_attrs along = {.take = {axis}};
  int taken[2] = {x, draw_places(g, graph_get(g, x)->type.shape[axis], shape, replace, p, key)};
  return graph_op(g, OP_take, taken, 2, &along);
}

int decompose_random_choice(graph *g, const g_site *s) {
  const random_choice_attrs *a = &s->attrs->random_choice;
  return take_drawn(g, s->in[0], a->axis, &a->shape, a->replace, s->in[1], s->in[2]);
}

int decompose_random_permutation(graph *g, const g_site *s) {
  int64_t axis = s->attrs->random_permutation.axis;
  op_list all = {.n = 1, .v = {s->node->type.shape[axis]}};
  return take_drawn(g, s->in[0], axis, &all, false, -1, s->in[1]);
}
