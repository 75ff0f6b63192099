#include "ir/along.h"

static int64_t extent(const graph *g, int x, int axis) { return graph_get(g, x)->type.shape[axis]; }

int along_steps(graph *g, int x, int axis, int64_t start, int64_t stop, int64_t step) {
  if (x < 0) return -1;
  const op_type *t = &graph_get(g, x)->type;
  op_attrs a = {.view = {.start = {.n = t->rank}, .stop = {.n = t->rank}, .step = {.n = t->rank}}};
  for (int d = 0; d < t->rank; d++) {
    a.view.start.v[d] = d == axis ? start : 0;
    a.view.stop.v[d] = d == axis ? stop : t->shape[d];
    a.view.step.v[d] = d == axis ? step : 1;
  }
  return graph_op(g, OP_slice, &x, 1, &a);
}

int along_part(graph *g, int x, int axis, int64_t start, int64_t stop) {
  return along_steps(g, x, axis, start, stop, 1);
}

int along_length(graph *g, int x, int axis, int64_t n) {
  if (x < 0 || extent(g, x, axis) == n) return x;
  if (extent(g, x, axis) > n) return along_part(g, x, axis, 0, n);
  int rank = graph_get(g, x)->type.rank;
  op_attrs a = {.view = {.before = {.n = rank}, .after = {.n = rank}, .value = number_of_int(0)}};
  a.view.after.v[axis] = n - extent(g, x, axis);
  return graph_op(g, OP_pad, &x, 1, &a);
}

int along_flip(graph *g, int x, int axis) {
  op_attrs a = {.dims = {.axes = axes_from_mask(1u << axis)}};
  return graph_op(g, OP_flip, &x, 1, &a);
}

int along_join(graph *g, int x, int y, int axis) {
  op_attrs a = {.concatenate = {.axis = axis}};
  return graph_op(g, OP_concatenate, (int[]){x, y}, 2, &a);
}

int along_numbers(graph *g, tme_dtype t, int rank, int axis, int64_t n) {
  int64_t shape[TME_MAX_RANK];
  for (int d = 0; d < rank; d++) shape[d] = d == axis ? n : 1;
  return graph_iota(g, t, rank, shape, axis);
}

int along_swap_last(graph *g, int x) {
  if (x < 0) return -1;
  int rank = graph_get(g, x)->type.rank;
  op_attrs a = {.view = {.axes = {.n = rank}}};
  for (int d = 0; d < rank; d++) a.view.axes.v[d] = d;
  a.view.axes.v[rank - 2] = rank - 1;
  a.view.axes.v[rank - 1] = rank - 2;
  return graph_op(g, OP_transpose, &x, 1, &a);
}
