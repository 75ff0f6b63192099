/* adaptive_max_pool, adaptive_avg_pool: as many windows as are asked for, of which neighbours may share elements. One axis after
 * the other: the elements of its windows are gathered, those of shorter windows end with their last one again. */
#include "ir/spatial.h"

static bool channels_first(const adaptive_pooling_attrs *a) {
  return a->layout == ADAPTIVE_POOLING_LAYOUT_CHANNELS_FIRST;
}

tme_status infer_adaptive_pooling(op_call *c, op_type *out, error *e) {
  adaptive_pooling_attrs *a = &c->attrs->adaptive_pooling;
  const op_type *x = c->in[0];
  int n = x->rank - 2, first = channels_first(a) ? 2 : 1;
  bool mean = c->op == OP_adaptive_avg_pool;
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = spatial_check_rank(c, n, e);
  if (s == TME_OK) s = spatial_list(c, "size", &a->size, n, 1, 1, e);
  if (s != TME_OK) return s;
  *out = *x;
  if (mean) out->dtype = infer_float(c, x->dtype);
  infer_want(c, 0, out->dtype);
  for (int i = 0; i < n; i++) {
    int64_t reach;
    if (!x->shape[first + i]) return fail(e, TME_ERR_SHAPE, "%s: axis %d has no elements", op_name(c->op), first + i);
    if (__builtin_mul_overflow(a->size.v[i], x->shape[first + i], &reach) || reach > INT64_MAX / 2)
      return fail(e, TME_ERR_MEMORY, "%s: the extent of axis %d overflows", op_name(c->op), first + i);
    out->shape[first + i] = a->size.v[i];
  }
  return TME_OK;
}

static int whole(graph *g, int64_t v) { return graph_number(g, TME_I64, (double)v); }

/* i n / m of a window's number, rounded down. */
static int first_of(graph *g, int window, int64_t n, int64_t m) {
  return graph_bin(g, OP_floor_divide, graph_bin(g, OP_multiply, window, whole(g, n)), whole(g, m));
}

static int pool_axis(graph *g, int x, int axis, int64_t m, bool mean) {
  if (x < 0) return -1;
  op_type t = graph_get(g, x)->type;
  int64_t n = t.shape[axis], most = n / m + 1 + (n % m != 0), shape[2] = {m, most < n ? most : n};
  int window = graph_iota(g, TME_I64, 2, shape, 0), element = graph_iota(g, TME_I64, 2, shape, 1);
  int first = first_of(g, window, n, m);
  int next = graph_bin(g, OP_multiply, graph_bin(g, OP_add, window, whole(g, 1)), whole(g, n));
  int end = graph_bin(g, OP_floor_divide, graph_bin(g, OP_add, next, whole(g, m - 1)), whole(g, m));
  int at = graph_bin(g, OP_add, first, element);
  int held = graph_bin(g, OP_minimum, at, graph_bin(g, OP_subtract, end, whole(g, 1)));
  op_attrs along = {.take = {.axis = axis}};
  x = graph_op(g, OP_take, (int[]){x, held}, 2, &along);
  if (mean) { /* each window's elements once, over how many there are */
    op_type flat = {.rank = t.rank + 1 - axis, .shape = {shape[0], shape[1]}};
    for (int d = 2; d < flat.rank; d++) flat.shape[d] = 1;
    int part = graph_bin(g, OP_less, at, end), count = graph_cast(g, graph_bin(g, OP_subtract, end, first), t.dtype);
    part = graph_reshape(g, part, flat.rank, flat.shape);
    x = graph_op(g, OP_where, (int[]){part, x, graph_number(g, t.dtype, 0)}, 3, NULL);
    x = graph_bin(g, OP_divide, x, graph_reshape(g, count, flat.rank, flat.shape));
  }
  return graph_reduce(g, mean ? OP_sum : OP_max, x, 1u << (axis + 1), false);
}

int decompose_adaptive_pooling(graph *g, const g_site *s) {
  const adaptive_pooling_attrs *a = &s->attrs->adaptive_pooling;
  bool mean = s->node->op == OP_adaptive_avg_pool;
  int x = mean ? graph_wide(g, s->in[0]) : s->in[0];
  for (int i = 0; i < s->node->type.rank - 2; i++)
    x = pool_axis(g, x, (channels_first(a) ? 2 : 1) + i, a->size.v[i], mean);
  return graph_cast(g, x, s->node->type.dtype);
}
