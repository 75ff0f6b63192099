/* random_categorical: the place of the largest of logits + noise, where the noise has Gumbel's distribution. */
#include "ir/families/random.h"
#include <string.h>

/* Of the axes but the one along which is drawn. */
static op_type rows_of(const op_type *x, int64_t axis) {
  op_type rows = {.rank = x->rank - 1};
  for (int d = 0; d < rows.rank; d++) rows.shape[d] = x->shape[d + (d >= axis)];
  return rows;
}

tme_status infer_random_categorical(op_call *c, op_type *out, error *e) {
  random_categorical_attrs *a = &c->attrs->random_categorical;
  const op_type *x = c->in[0];
  tme_status s = infer_key(c, 1, e);
  if (s == TME_OK) s = infer_takes(c, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = infer_axis(c, &a->axis, x->rank, e);
  if (s != TME_OK) return s;
  if (!x->shape[a->axis])
    return fail(e, TME_ERR_ARGUMENT, "%s: the axis has extent 0: there is nothing to choose from", op_name(c->op));
  if (a->shape.n >= 0 && a->num_samples >= 0)
    return fail(e, TME_ERR_ARGUMENT, "%s: a shape and num_samples are given, expected one of them", op_name(c->op));
  infer_want(c, 0, infer_float(c, x->dtype));
  op_type rows = rows_of(x, a->axis), both = {0};
  out->dtype = TME_I64;
  if (a->num_samples < 0) {
    s = infer_extents(c, a->shape.n >= 0 ? &a->shape : &(op_list){.n = 0}, out, e);
    if (s != TME_OK) return s;
    if (a->shape.n >= 0 && (!type_broadcast(out, &rows, &both) || !type_same_shape(&both, out))) {
      char given[SHAPE_TEXT], needed[SHAPE_TEXT];
      type_shape_text(out, given);
      type_shape_text(&rows, needed);
      return fail(e, TME_ERR_SHAPE, "%s: rows of shape %s do not broadcast to %s", op_name(c->op), needed, given);
    }
  }
  if (a->shape.n < 0) {
    out->rank = rows.rank;
    memcpy(out->shape, rows.shape, sizeof rows.shape);
    if (a->num_samples >= 0) out->shape[out->rank++] = a->num_samples;
  }
  /* The noise has the axis too. */
  op_type noisy = *out;
  if (noisy.rank == TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "%s: results have at most %d dimensions", op_name(c->op), TME_MAX_RANK - 1);
  noisy.shape[noisy.rank++] = x->shape[a->axis];
  return type_check_size(&noisy, op_name(c->op), e);
}

/* The axis moved to the end, with one before it for the samples. */
static int last_axis(graph *g, int x, int64_t axis, bool samples) {
  op_type t = graph_get(g, x)->type;
  op_attrs order = {.view = {.axes.n = t.rank}};
  op_type rows = rows_of(&t, axis);
  for (int d = 0; d < rows.rank; d++) order.view.axes.v[d] = d + (d >= axis);
  order.view.axes.v[rows.rank] = axis;
  if (axis != rows.rank) x = graph_op(g, OP_transpose, &x, 1, &order);
  if (!samples) return x;
  rows.shape[rows.rank++] = 1;
  rows.shape[rows.rank++] = t.shape[axis];
  return graph_reshape(g, x, rows.rank, rows.shape);
}

int decompose_random_categorical(graph *g, const g_site *s) {
  const random_categorical_attrs *a = &s->attrs->random_categorical;
  int x = graph_wide(g, s->in[0]);
  if (x < 0) return -1;
  op_type noisy = s->node->type;
  tme_dtype t = graph_get(g, x)->type.dtype;
  int64_t n = graph_get(g, x)->type.shape[a->axis];
  noisy.shape[noisy.rank++] = n;
  if (!type_size(&noisy))
    return graph_broadcast(g, graph_number(g, TME_I64, 0), s->node->type.rank, s->node->type.shape);
  int noise = graph_gumbel(g, graph_blocks(g, s->in[1], type_size(&noisy), FIRST_BLOCKS), t);
  noise = graph_reshape(g, noise, noisy.rank, noisy.shape);
  int sum = graph_bin(g, OP_add, last_axis(g, x, a->axis, a->num_samples >= 0), noise);
  op_attrs last = {.argreduce = {.axes = axes_from_mask(1u << (noisy.rank - 1))}};
  return graph_op(g, OP_argmax, &sum, 1, &last);
}
