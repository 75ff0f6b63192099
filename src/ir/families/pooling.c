/* max_pool, avg_pool: reductions of windows, which are a view of x. Attributes after inference as those of convolutions. */
#include "ir/spatial.h"
#include <math.h>

static bool channels_first(const pooling_attrs *a) { return a->layout == POOLING_LAYOUT_CHANNELS_FIRST; }

tme_status infer_pooling(op_call *c, op_type *out, error *e) {
  pooling_attrs *a = &c->attrs->pooling;
  const op_type *x = c->in[0];
  int n = x->rank - 2, first = channels_first(a) ? 2 : 1;
  bool mean = c->op == OP_avg_pool;
  tme_status s = infer_takes(c, (mean ? 0 : TAKES_BOOL) | TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = spatial_check_rank(c, n, e);
  if (s == TME_OK) s = spatial_list(c, "window", &a->window, n, 1, 1, e);
  if (s != TME_OK) return s;
  if (a->stride.n < 0) a->stride = a->window;
  s = spatial_list(c, "stride", &a->stride, n, 1, 1, e);
  if (s == TME_OK) s = spatial_padding(c, &a->padding, a->same, n, x->shape + first, a->window.v, &a->stride, e);
  a->same = false; /* the padding is given now */
  *out = *x;
  if (mean) out->dtype = infer_float(c, x->dtype);
  infer_want(c, 0, out->dtype);
  for (int i = 0; i < n && s == TME_OK; i++) {
    int64_t before = a->padding.v[2 * i], after = a->padding.v[2 * i + 1];
    /* So that each window has elements of x. */
    if (before >= a->window.v[i] || after >= a->window.v[i])
      return fail(e, TME_ERR_ARGUMENT, "%s: padding is %lld beside a window of %lld, expected less", op_name(c->op),
                  (long long)(before > after ? before : after), (long long)a->window.v[i]);
    if (__builtin_add_overflow(out->shape[first + i], before + after, &out->shape[first + i]))
      return fail(e, TME_ERR_MEMORY, "%s: the extent of axis %d overflows", op_name(c->op), first + i);
    s = spatial_extent(c, first + i, &out->shape[first + i], a->window.v[i], 1, a->stride.v[i], e);
  }
  return s;
}

/* What is never the largest of dtype t. */
static double lowest(tme_dtype t) {
  if (dtype_is_float(t)) return -INFINITY;
  return dtype_is_int(t) && dtype_is_signed(t) ? -ldexp(1, 8 * (int)tme_dtype_size(t) - 1) : 0;
}

/* How many elements of x, n along an axis, each of `count` windows has: (count, 1...), `behind` dimensions behind it. */
static int elements(graph *g, tme_dtype t, int64_t n, int64_t count, int64_t window, int64_t stride, int64_t before,
                    int behind) {
  int64_t shape[TME_MAX_RANK] = {count};
  for (int d = 1; d <= behind; d++) shape[d] = 1;
  int first =
      graph_bin(g, OP_multiply, graph_iota(g, TME_I64, behind + 1, shape, 0), graph_number(g, TME_I64, (double)stride));
  first = graph_bin(g, OP_subtract, first, graph_number(g, TME_I64, (double)before));
  int end = graph_bin(g, OP_add, first, graph_number(g, TME_I64, (double)window));
  end = graph_bin(g, OP_minimum, end, graph_number(g, TME_I64, (double)n));
  first = graph_bin(g, OP_maximum, first, graph_number(g, TME_I64, 0));
  return graph_cast(g, graph_bin(g, OP_subtract, end, first), t);
}

int decompose_pooling(graph *g, const g_site *s) {
  const pooling_attrs *a = &s->attrs->pooling;
  const op_type *type = &s->node->type;
  bool mean = s->node->op == OP_avg_pool;
  int x = mean ? graph_wide(g, s->in[0]) : s->in[0], n = type->rank - 2, order[TME_MAX_RANK];
  if (channels_first(a)) x = spatial_channels_last(g, x);
  if (x < 0) return -1;
  op_type tx = graph_get(g, x)->type;
  int64_t before[SPATIAL_MOST], after[SPATIAL_MOST], dense[SPATIAL_MOST], size = 1;
  bool padded = false;
  for (int i = 0; i < n; i++) {
    before[i] = a->padding.v[2 * i];
    after[i] = a->padding.v[2 * i + 1];
    dense[i] = 1;
    size *= a->window.v[i];
    padded |= before[i] || after[i];
  }
  x = spatial_padded(g, x, 1, n, before, after, mean ? 0 : lowest(tx.dtype));
  x = spatial_windows(g, x, 1, n, a->window.v, a->stride.v, dense);
  for (int d = 0; d <= n; d++) order[d] = d;
  for (int i = 0; i < n; i++) order[n + 1 + i] = n + 2 + i;
  order[2 * n + 1] = n + 1;
  x = spatial_turned(g, x, order); /* (batch, spatial..., window..., channels) */
  x = graph_reduce(g, mean ? OP_sum : tx.dtype == TME_BOOL ? OP_any : OP_max, x, ((1u << n) - 1) << (n + 1), false);
  if (x < 0) return -1;
  op_type windows = graph_get(g, x)->type;
  if (mean && (!padded || a->count_padding)) {
    x = graph_bin(g, OP_divide, x, graph_number(g, tx.dtype, (double)size));
  } else if (mean) {
    int count = graph_number(g, tx.dtype, 1);
    for (int i = 0; i < n; i++)
      count = graph_bin(g, OP_multiply, count,
                        elements(g, tx.dtype, tx.shape[1 + i], windows.shape[1 + i], a->window.v[i], a->stride.v[i],
                                 before[i], n - i));
    x = graph_bin(g, OP_divide, x, count);
  }
  x = graph_cast(g, x, type->dtype);
  return channels_first(a) ? spatial_channels_first(g, x) : x;
}
