/* Convolutions and their transposes: a product of the windows of x, a view of it (padded, if it is to be), and the weight. The
 * windows are index arithmetic of that product: nothing is unfolded. Attributes after inference: lists with one number for each
 * spatial axis, of paddings two. */
#include "ir/spatial.h"
#include <stdio.h>

/* What all rows are, in one form: that of conv_general. */
typedef struct geometry {
  int n; /* spatial axes */
  bool flip, transposed, channels_first;
  int64_t groups, window[SPATIAL_MOST], stride[SPATIAL_MOST], dilation[SPATIAL_MOST], spread[SPATIAL_MOST];
  int64_t before[SPATIAL_MOST], after[SPATIAL_MOST]; /* below 0: so much is taken away */
} geometry;

static bool is_transposed(int op) {
  return op == OP_conv_transpose1d || op == OP_conv_transpose2d || op == OP_conv_transpose3d;
}

static int axes_of(int op, int rank) {
  switch (op) {
  case OP_conv1d:
  case OP_conv_transpose1d: return 1;
  case OP_conv2d:
  case OP_conv_transpose2d: return 2;
  case OP_conv3d:
  case OP_conv_transpose3d: return 3;
  default: return rank - 2;
  }
}

/* The weight's dimensions: where its windows begin, and which one counts the channels of x (the other one those of the result). */
static int window_axis(const geometry *v) { return v->channels_first ? 2 : 1; }
static int channel_axis(const geometry *v) { return !v->channels_first ? v->n + 1 : v->transposed ? 0 : 1; }
static int out_axis(const geometry *v) { return v->channels_first && v->transposed ? 1 : 0; }

static geometry geometry_of(int op, const convolution_attrs *a, const op_type *x, const op_type *weight) {
  const op_list *dilation = op == OP_conv_general ? &a->kernel_dilation : &a->dilation;
  geometry v = {.n = axes_of(op, x->rank), .groups = a->groups, .transposed = is_transposed(op)};
  v.channels_first = a->layout == CONVOLUTION_LAYOUT_CHANNELS_FIRST;
  v.flip = v.transposed || (op == OP_conv_general && a->flip);
  for (int i = 0; i < v.n; i++) {
    v.window[i] = weight->shape[window_axis(&v) + i];
    v.dilation[i] = dilation->v[i];
    v.stride[i] = v.transposed ? 1 : a->stride.v[i];
    v.spread[i] = v.transposed ? a->stride.v[i] : op == OP_conv_general ? a->input_dilation.v[i] : 1;
    v.before[i] = a->padding.v[2 * i];
    v.after[i] = a->padding.v[2 * i + 1];
    if (!v.transposed) continue;
    int64_t reach = (v.window[i] - 1) * v.dilation[i];
    v.before[i] = reach - v.before[i];
    v.after[i] = reach - v.after[i] + a->output_padding.v[i];
  }
  return v;
}

/* ---- inference --------------------------------------------------------------------------------------------------------- */

static tme_status wrong_shapes(const op_call *c, const char *why, error *e) {
  char x[SHAPE_TEXT], w[SHAPE_TEXT];
  type_shape_text(c->in[0], x);
  type_shape_text(c->in[1], w);
  return fail(e, TME_ERR_SHAPE, "%s: x %s, weight %s: %s", op_name(c->op), x, w, why);
}

static tme_status check_ranks(const op_call *c, int n, error *e) {
  char why[96];
  tme_status s = spatial_check_rank(c, n, e);
  if (s != TME_OK) return s;
  if (c->in[0]->rank == n + 2 && c->in[1]->rank == n + 2) return TME_OK;
  snprintf(why, sizeof why, "both need %d dimensions", n + 2);
  return wrong_shapes(c, why, e);
}

/* What is given of numbers for each axis. */
static tme_status take_lists(const op_call *c, int n, error *e) {
  convolution_attrs *a = &c->attrs->convolution;
  tme_status s = spatial_list(c, "stride", &a->stride, n, 1, 1, e);
  if (s != TME_OK) return s;
  if (c->op == OP_conv_general) {
    s = spatial_list(c, "kernel_dilation", &a->kernel_dilation, n, 1, 1, e);
    return s == TME_OK ? spatial_list(c, "input_dilation", &a->input_dilation, n, 1, 1, e) : s;
  }
  s = spatial_list(c, "dilation", &a->dilation, n, 1, 1, e);
  if (s == TME_OK && is_transposed(c->op)) s = spatial_list(c, "output_padding", &a->output_padding, n, 0, 0, e);
  return s;
}

static tme_status check_channels(const op_call *c, const geometry *v, int64_t channels, error *e) {
  const op_type *w = c->in[1];
  int64_t in = w->shape[channel_axis(v)], out = w->shape[out_axis(v)];
  bool whole =
      v->channels_first && v->transposed; /* the weight has all channels of x, and those of a group of the result */
  char why[160];
  if (v->groups < 1)
    return fail(e, TME_ERR_ARGUMENT, "%s: %lld groups, expected 1 or more", op_name(c->op), (long long)v->groups);
  if (channels % v->groups || (!whole && out % v->groups)) {
    snprintf(why, sizeof why, "%lld and %lld channels cannot be cut into %lld groups", (long long)channels,
             (long long)out, (long long)v->groups);
    return wrong_shapes(c, why, e);
  }
  int64_t expected = whole ? channels : channels / v->groups;
  if (in == expected) return TME_OK;
  snprintf(why, sizeof why, "the weight is for %lld channels, expected %lld (%lld in %lld group%s)", (long long)in,
           (long long)expected, (long long)channels, (long long)v->groups, PLURAL(v->groups));
  return wrong_shapes(c, why, e);
}

/* The extent of x with zeros between its elements. */
static bool spread_extent(int64_t extent, int64_t spread, int64_t *out) {
  *out = 0;
  return !extent || (!__builtin_mul_overflow(extent - 1, spread, out) && !__builtin_add_overflow(*out, 1, out));
}

static tme_status infer_extent(const op_call *c, const geometry *v, int i, int axis, int64_t *extent, error *e) {
  int64_t edges;
  if (!spread_extent(*extent, v->spread[i], extent) || __builtin_add_overflow(v->before[i], v->after[i], &edges) ||
      __builtin_add_overflow(*extent, edges, extent))
    return fail(e, TME_ERR_MEMORY, "%s: the extent of axis %d overflows", op_name(c->op), axis);
  if (v->transposed && *extent < (v->window[i] - 1) * v->dilation[i] + 1)
    return fail(e, TME_ERR_SHAPE, "%s: the padding leaves nothing of axis %d", op_name(c->op), axis);
  return spatial_extent(c, axis, extent, v->window[i], v->dilation[i], v->stride[i], e);
}

tme_status infer_convolution(op_call *c, op_type *out, error *e) {
  convolution_attrs *a = &c->attrs->convolution;
  const op_type *x = c->in[0], *w = c->in[1];
  tme_dtype t = infer_promote(c, 0, 2);
  int n = axes_of(c->op, x->rank);
  if (t == TME_BOOL) return fail(e, TME_ERR_DTYPE, "%s: takes numbers, not bool", op_name(c->op));
  tme_status s = check_ranks(c, n, e);
  if (s == TME_OK) s = take_lists(c, n, e);
  if (s != TME_OK) return s;
  bool first = a->layout == CONVOLUTION_LAYOUT_CHANNELS_FIRST;
  int spatial = first ? 2 : 1, channels = first ? 1 : n + 1;
  const op_list *dilation = c->op == OP_conv_general ? &a->kernel_dilation : &a->dilation;
  int64_t extent[SPATIAL_MOST], span[SPATIAL_MOST];
  for (int i = 0; i < n; i++) {
    int64_t window = w->shape[spatial + i], spread = c->op == OP_conv_general ? a->input_dilation.v[i] : 1;
    if (window < 1) return wrong_shapes(c, "the weight's windows are empty", e);
    if (!spread_extent(x->shape[spatial + i], spread, &extent[i]) || !spread_extent(window, dilation->v[i], &span[i]) ||
        span[i] > INT64_MAX / 4)
      return fail(e, TME_ERR_MEMORY, "%s: the extent of axis %d overflows", op_name(c->op), spatial + i);
  }
  bool same = !is_transposed(c->op) && a->same;
  s = spatial_padding(c, &a->padding, same, n, extent, span, &a->stride, e);
  if (s != TME_OK) return s;
  if (!is_transposed(c->op)) a->same = false; /* the padding is given now */
  geometry v = geometry_of(c->op, a, x, w);
  s = check_channels(c, &v, x->shape[channels], e);
  *out = *x;
  out->dtype = t;
  out->shape[channels] = w->shape[out_axis(&v)] * (first && v.transposed ? v.groups : 1);
  for (int i = 0; i < n && s == TME_OK; i++) s = infer_extent(c, &v, i, spatial + i, &out->shape[spatial + i], e);
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  return s;
}

/* ---- what it is made of ------------------------------------------------------------------------------------------------- */

/* x (batch, spatial..., channels) with zeros between its elements. */
static int spread(graph *g, int x, const geometry *v) {
  for (int i = 0; i < v->n && x >= 0; i++) {
    if (v->spread[i] == 1 || graph_get(g, x)->type.shape[1 + i] < 2) continue;
    op_type t = graph_get(g, x)->type, apart = t;
    for (int d = t.rank; d > 2 + i; d--) apart.shape[d] = t.shape[d - 1];
    apart.shape[2 + i] = 1;
    x = graph_reshape(g, x, t.rank + 1, apart.shape);
    x = spatial_padded(g, x, 2 + i, 1, (int64_t[]){0}, (int64_t[]){v->spread[i] - 1}, 0);
    t.shape[1 + i] *= v->spread[i];
    x = graph_reshape(g, x, t.rank, t.shape);
    x = spatial_padded(g, x, 1 + i, 1, (int64_t[]){0}, (int64_t[]){1 - v->spread[i]}, 0);
  }
  return x;
}

/* The weight as (out, window..., channels of a group), backwards where it is to be. */
static int plain_weight(graph *g, int w, const geometry *v) {
  if (w < 0) return -1;
  op_type t = graph_get(g, w)->type;
  if (v->channels_first && v->transposed) { /* (groups, channels of one, out of one, window...) */
    op_type apart = t;
    int order[TME_MAX_RANK] = {0, 2};
    apart.rank = t.rank + 1;
    apart.shape[0] = v->groups;
    apart.shape[1] = t.shape[0] / v->groups;
    for (int d = 1; d < t.rank; d++) apart.shape[d + 1] = t.shape[d];
    for (int i = 0; i < v->n; i++) order[2 + i] = 3 + i;
    order[2 + v->n] = 1;
    w = spatial_turned(g, graph_reshape(g, w, apart.rank, apart.shape), order);
    t.shape[0] = v->groups * apart.shape[2];
    for (int i = 0; i < v->n; i++) t.shape[1 + i] = v->window[i];
    t.shape[1 + v->n] = apart.shape[1];
    w = graph_reshape(g, w, t.rank, t.shape);
  } else if (v->channels_first) {
    w = spatial_channels_last(g, w);
  }
  if (!v->flip || w < 0) return w;
  op_attrs back = {.dims = {.axes = axes_from_mask(((1u << v->n) - 1) << 1)}};
  return graph_op(g, OP_flip, &w, 1, &back);
}

/* The windows of x (batch, spatial..., groups, channels, window...) and the weight as matrices, one for each group. */
static int product(graph *g, int x, int w, const geometry *v) {
  int order[TME_MAX_RANK], n = v->n, at = 0;
  if (x < 0 || w < 0) return -1;
  op_type tx = graph_get(g, x)->type, tw = graph_get(g, w)->type;
  int64_t terms = tw.shape[n + 1], out = tw.shape[0] / v->groups;
  for (int i = 0; i < n; i++) terms *= v->window[i];
  order[at++] = n + 1;
  for (int d = 0; d <= n; d++) order[at++] = d;
  for (int i = 0; i < n; i++) order[at++] = n + 3 + i;
  order[at++] = n + 2;
  op_type rows = {.rank = n + 3, .shape = {v->groups}}, matrix = {.rank = n + 3, .shape = {v->groups}};
  for (int d = 0; d <= n; d++) {
    rows.shape[1 + d] = tx.shape[d];
    matrix.shape[1 + d] = 1;
  }
  rows.shape[n + 2] = terms;
  matrix.shape[n + 1] = terms;
  matrix.shape[n + 2] = out;
  x = graph_reshape(g, spatial_turned(g, x, order), rows.rank, rows.shape);
  w = graph_reshape(g, w, 3, (int64_t[]){v->groups, out, terms});
  w = graph_reshape(g, spatial_turned(g, w, (int[]){0, 2, 1}), matrix.rank, matrix.shape);
  int y = graph_bin(g, OP_matmul, x, w); /* (groups, batch, spatial..., out of one) */
  for (int d = 0; d <= n; d++) order[d] = 1 + d;
  order[n + 1] = 0;
  order[n + 2] = n + 2;
  return v->groups == 1 ? y : spatial_turned(g, y, order);
}

/* One channel in each group: sums over windows, the channels side by side. */
static int depthwise(graph *g, int x, int w, const geometry *v) {
  int order[TME_MAX_RANK], n = v->n, at = 0;
  if (w < 0) return -1;
  op_type apart = {.rank = n + 2, .shape = {v->groups, graph_get(g, w)->type.shape[0] / v->groups}};
  for (int d = 0; d <= n; d++) order[at++] = d;
  for (int i = 0; i < n; i++) order[at++] = n + 3 + i;
  order[at++] = n + 1;
  order[at++] = n + 2;
  x = spatial_turned(g, x, order); /* (batch, spatial..., window..., groups, 1) */
  for (int i = 0; i < n; i++) {
    apart.shape[2 + i] = v->window[i];
    order[i] = 2 + i;
  }
  order[n] = 0;
  order[n + 1] = 1;
  w = spatial_turned(g, graph_reshape(g, w, apart.rank, apart.shape), order); /* (window..., groups, out of one) */
  return graph_reduce(g, OP_sum, graph_bin(g, OP_multiply, x, w), ((1u << n) - 1) << (n + 1), false);
}

int decompose_convolution(graph *g, const g_site *s) {
  if (s->in[0] < 0 || s->in[1] < 0) return -1;
  op_type tx = graph_get(g, s->in[0])->type, tw = graph_get(g, s->in[1])->type, type = s->node->type;
  geometry v = geometry_of(s->node->op, &s->attrs->convolution, &tx, &tw);
  /* Converted before there are windows: a product that met narrow ones would make a copy of them all. */
  int x = graph_wide(g, s->in[0]), w = plain_weight(g, graph_wide(g, s->in[1]), &v);
  if (v.channels_first) x = spatial_channels_last(g, x);
  x = spatial_padded(g, spread(g, x, &v), 1, v.n, v.before, v.after, 0);
  if (x < 0 || w < 0) return -1;
  op_type apart = graph_get(g, x)->type;
  int64_t channels = apart.shape[v.n + 1] / v.groups;
  apart.shape[v.n + 1] = v.groups;
  apart.shape[v.n + 2] = channels;
  x = graph_reshape(g, x, v.n + 3, apart.shape);
  x = spatial_windows(g, x, 1, v.n, v.window, v.stride, v.dilation);
  bool many = v.groups > 1 && channels == 1;
  int y = graph_cast(g, many ? depthwise(g, x, w, &v) : product(g, x, w, &v), type.dtype);
  op_type last = type;
  if (v.channels_first) {
    for (int i = 0; i < v.n; i++) last.shape[1 + i] = type.shape[2 + i];
    last.shape[v.n + 1] = type.shape[1];
  }
  y = graph_reshape(g, y, last.rank, last.shape);
  return v.channels_first ? spatial_channels_first(g, y) : y;
}
