#include "ir/spatial.h"
#include <math.h>
#include <string.h>

/* ---- inference --------------------------------------------------------------------------------------------------------- */

tme_status spatial_list(const op_call *c, const char *what, op_list *l, int n, int64_t none, int64_t least, error *e) {
  if (l->n > 1 && l->n != n)
    return fail(e, TME_ERR_ARGUMENT, "%s: %s has %d entries, expected one, or one for each of %d ax%s", op_name(c->op),
                what, l->n, n, n == 1 ? "is" : "es");
  if (l->n == 0 && n)
    return fail(e, TME_ERR_ARGUMENT, "%s: %s has no entries, expected one, or one for each of %d axes", op_name(c->op),
                what, n);
  int64_t first = l->n < 0 ? none : l->v[0];
  for (int i = l->n < 1 ? 0 : l->n; i < n; i++) l->v[i] = first;
  l->n = n;
  for (int i = 0; i < n; i++)
    if (l->v[i] < least)
      return fail(e, TME_ERR_ARGUMENT, "%s: %s is %lld, expected %lld or more", op_name(c->op), what,
                  (long long)l->v[i], (long long)least);
  return TME_OK;
}

tme_status spatial_check_rank(const op_call *c, int n, error *e) {
  if (n >= 1 && n <= SPATIAL_MOST) return TME_OK;
  char shape[SHAPE_TEXT];
  type_shape_text(c->in[0], shape);
  return fail(e, TME_ERR_SHAPE, "%s: x %s, expected a batch, channels, and one to five spatial axes", op_name(c->op),
              shape);
}

/* What a window reaches over; beyond all numbers INT64_MAX. */
static int64_t span_of(int64_t window, int64_t dilation) {
  int64_t span;
  return __builtin_mul_overflow(window - 1, dilation, &span) || span == INT64_MAX ? INT64_MAX : span + 1;
}

tme_status spatial_extent(const op_call *c, int axis, int64_t *extent, int64_t window, int64_t dilation, int64_t stride,
                          error *e) {
  int64_t span = span_of(window, dilation);
  if (span > *extent)
    return fail(
        e, TME_ERR_SHAPE, "%s: a window of %lld%s does not fit into axis %d, which has %lld element%s with its padding",
        op_name(c->op), (long long)window, dilation > 1 ? ", dilated," : "", axis, (long long)*extent, PLURAL(*extent));
  *extent = (*extent - span) / stride + 1;
  return TME_OK;
}

tme_status spatial_padding(const op_call *c, op_list *padding, bool same, int n, const int64_t *extent,
                           const int64_t *span, const op_list *stride, error *e) {
  if (same && padding->n >= 0)
    return fail(e, TME_ERR_ARGUMENT, "%s: padding is given, and to be chosen too (same)", op_name(c->op));
  if (padding->n != 2 * n || n == 0) {
    tme_status s = spatial_list(c, "padding", padding, n, 0, 0, e);
    if (s != TME_OK) return s;
    for (int i = n - 1; i >= 0; i--) padding->v[2 * i] = padding->v[2 * i + 1] = padding->v[i];
    padding->n = 2 * n;
  }
  for (int i = 0; i < 2 * n; i++)
    if (padding->v[i] < 0 || padding->v[i] > INT32_MAX)
      return fail(e, TME_ERR_ARGUMENT, "%s: padding is %lld, expected 0 to %d", op_name(c->op),
                  (long long)padding->v[i], INT32_MAX);
  for (int i = 0; i < n && same; i++) {
    int64_t count = extent[i] / stride->v[i] + (extent[i] % stride->v[i] != 0);
    int64_t reach = (count - 1) * stride->v[i] + span[i], more = count && reach > extent[i] ? reach - extent[i] : 0;
    padding->v[2 * i] = more / 2;
    padding->v[2 * i + 1] = more - more / 2;
  }
  return TME_OK;
}

/* ---- graphs ------------------------------------------------------------------------------------------------------------- */

int spatial_turned(graph *g, int x, const int *order) {
  if (x < 0) return -1;
  int rank = graph_get(g, x)->type.rank;
  op_attrs a = {.view = {.axes.n = rank}};
  for (int d = 0; d < rank; d++) a.view.axes.v[d] = order[d];
  return graph_op(g, OP_transpose, &x, 1, &a);
}

static int moved_axis(graph *g, int x, int from, int to) {
  int order[TME_MAX_RANK], n = 0;
  if (x < 0) return -1;
  for (int d = 0; d < graph_get(g, x)->type.rank; d++) {
    if (n == to) order[n++] = from;
    if (d != from) order[n++] = d;
  }
  if (n == to) order[n] = from;
  return spatial_turned(g, x, order);
}

int spatial_channels_last(graph *g, int x) { return x < 0 ? -1 : moved_axis(g, x, 1, graph_get(g, x)->type.rank - 1); }

int spatial_channels_first(graph *g, int x) { return x < 0 ? -1 : moved_axis(g, x, graph_get(g, x)->type.rank - 1, 1); }

static int cropped(graph *g, int x, int first, int n, const int64_t *before, const int64_t *after) {
  if (x < 0) return -1;
  const op_type *t = &graph_get(g, x)->type;
  op_attrs a = {.view = {.start.n = t->rank, .stop.n = t->rank, .step.n = t->rank}};
  for (int d = 0; d < t->rank; d++) {
    a.view.start.v[d] = 0;
    a.view.stop.v[d] = t->shape[d];
    a.view.step.v[d] = 1;
  }
  for (int i = 0; i < n; i++) {
    if (before[i] < 0) a.view.start.v[first + i] = -before[i];
    if (after[i] < 0) a.view.stop.v[first + i] += after[i];
  }
  return graph_op(g, OP_slice, &x, 1, &a);
}

int spatial_padded(graph *g, int x, int first, int n, const int64_t *before, const int64_t *after, double value) {
  if (x < 0) return -1;
  int rank = graph_get(g, x)->type.rank;
  bool more = false, less = false;
  op_attrs pad = {.view = {.before.n = rank, .after.n = rank, .value = number_of_double(value)}};
  memset(pad.view.before.v, 0, sizeof pad.view.before.v);
  memset(pad.view.after.v, 0, sizeof pad.view.after.v);
  for (int i = 0; i < n; i++) {
    if (before[i] > 0) pad.view.before.v[first + i] = before[i];
    if (after[i] > 0) pad.view.after.v[first + i] = after[i];
    more |= before[i] > 0 || after[i] > 0;
    less |= before[i] < 0 || after[i] < 0;
  }
  /* Padded first: what is taken away may be more than x has. */
  if (more) x = graph_op(g, OP_pad, &x, 1, &pad);
  return less ? cropped(g, x, first, n, before, after) : x;
}

int spatial_windows(graph *g, int x, int first, int n, const int64_t *window, const int64_t *stride,
                    const int64_t *dilation) {
  op_attrs a = {.windows = {.window_shape.n = n, .axis.n = n, .stride.n = n, .dilation.n = n}};
  for (int i = 0; i < n; i++) {
    a.windows.window_shape.v[i] = window[i];
    a.windows.axis.v[i] = first + i;
    a.windows.stride.v[i] = stride[i];
    a.windows.dilation.v[i] = dilation[i];
  }
  return graph_op(g, OP_sliding_window_view, &x, 1, &a);
}
