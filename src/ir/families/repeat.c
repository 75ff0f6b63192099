/* repeat: along a new axis behind the one that it then becomes one with. */
#include "ir/graph.h"

/* The axis; -1: none, all elements in a row. */
static int axis_of(const op_axes *axes, int rank) {
  for (int d = 0; d < rank; d++)
    if (axes->mask == 1u << d) return d;
  return -1;
}

tme_status infer_repeat(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  repeat_attrs *a = &c->attrs->repeat;
  if (a->axes.given == AXES_LIST && a->axes.list.n >= 0 && a->axes.list.n != 1)
    return fail(e, TME_ERR_ARGUMENT, "repeat: takes one axis or none, not %d", a->axes.list.n);
  tme_status s = infer_axes(c, &a->axes, x->rank, true, e);
  if (s != TME_OK) return s;
  if (a->repeats < 0) return fail(e, TME_ERR_ARGUMENT, "repeat: %lld times, expected 0 or more", (long long)a->repeats);
  int axis = axis_of(&a->axes, x->rank);
  *out = *x;
  if (axis < 0) {
    out->rank = 1;
    out->shape[0] = type_size(x);
    axis = 0;
  }
  if (__builtin_mul_overflow(out->shape[axis], a->repeats, &out->shape[axis]))
    return fail(e, TME_ERR_MEMORY, "repeat: the extent of axis %d overflows", axis);
  return TME_OK;
}

int decompose_repeat(graph *g, const g_site *s) {
  const repeat_attrs *a = &s->attrs->repeat;
  const op_type x = graph_get(g, s->in[0])->type, *type = &s->node->type;
  int axis = axis_of(&a->axes, x.rank);
  int64_t rows = 1, rest = 1;
  for (int d = 0; d < x.rank; d++) *(axis < 0 || d <= axis ? &rows : &rest) *= x.shape[d];
  int y = graph_reshape(g, s->in[0], 3, (int64_t[]){rows, 1, rest});
  y = graph_broadcast(g, y, 3, (int64_t[]){rows, a->repeats, rest});
  return graph_reshape(g, y, type->rank, type->shape);
}
