/* group_norm, instance_norm, batch_norm: what stands beside x has one number for each channel. */
#include "ir/normalized.h"

static bool channels_first(const channel_norm_attrs *a) { return a->layout == CHANNEL_NORM_LAYOUT_CHANNELS_FIRST; }

static int channel_axis(const channel_norm_attrs *a, const op_type *x) { return channels_first(a) ? 1 : x->rank - 1; }

tme_status infer_channel_norm(op_call *c, op_type *out, error *e) {
  static const char *const with_moments[] = {"x", "mean", "var", "weight", "bias"}, *const plain[] = {"x", "weight",
                                                                                                      "bias"};
  channel_norm_attrs *a = &c->attrs->channel_norm;
  const op_type *x = c->in[0];
  tme_dtype t = infer_float(c, infer_promote(c, 0, c->nin));
  char shape[SHAPE_TEXT];
  if (!dtype_is_float(t))
    return fail(e, TME_ERR_DTYPE, "%s: takes real numbers, not %s", op_name(c->op), tme_dtype_name(t));
  type_shape_text(x, shape);
  if (x->rank < 2)
    return fail(e, TME_ERR_SHAPE, "%s: x has shape %s, expected a batch and channels at least", op_name(c->op), shape);
  if (!(a->eps >= 0)) return fail(e, TME_ERR_ARGUMENT, "%s: eps is %g, expected 0 or more", op_name(c->op), a->eps);
  int64_t channels = x->shape[channel_axis(a, x)];
  if (c->op == OP_group_norm && (a->groups < 1 || channels % a->groups))
    return fail(e, a->groups < 1 ? TME_ERR_ARGUMENT : TME_ERR_SHAPE, "%s: %lld channels cannot be cut into %lld groups",
                op_name(c->op), (long long)channels, (long long)a->groups);
  for (int i = 0; i < c->nin; i++) {
    if (!c->in[i]) continue;
    infer_want(c, i, t);
    if (i == 0 || (c->in[i]->rank == 1 && c->in[i]->shape[0] == channels)) continue;
    type_shape_text(c->in[i], shape);
    return fail(e, TME_ERR_SHAPE, "%s: %s has shape %s, expected (%lld,)", op_name(c->op),
                c->op == OP_batch_norm ? with_moments[i] : plain[i], shape, (long long)channels);
  }
  *out = *x;
  out->dtype = t;
  return TME_OK;
}

/* One number for each channel, to be broadcast to x. */
static int beside(graph *g, int v, const channel_norm_attrs *a, const op_type *x) {
  int64_t shape[TME_MAX_RANK] = {x->shape[channel_axis(a, x)]};
  int rank = x->rank - channel_axis(a, x);
  for (int d = 1; d < rank; d++) shape[d] = 1;
  return graph_reshape(g, graph_wide(g, v), rank, shape);
}

static int by_groups(graph *g, int x, const channel_norm_attrs *a, const op_type *type, int64_t groups) {
  int64_t batch = type->shape[0], channels = type->shape[channel_axis(a, type)], rest = 1;
  for (int d = 1; d < type->rank; d++)
    if (d != channel_axis(a, type)) rest *= type->shape[d];
  int64_t each = channels / (groups ? groups : 1), last[] = {batch, rest, groups, each},
          first[] = {batch, groups, each, rest};
  x = graph_reshape(g, x, 4, channels_first(a) ? first : last);
  uint32_t axes = channels_first(a) ? 1u << 2 | 1u << 3 : 1u << 1 | 1u << 3;
  return graph_reshape(g, graph_normalized(g, x, axes, a->eps, true), type->rank, type->shape);
}

int decompose_channel_norm(graph *g, const g_site *s) {
  const channel_norm_attrs *a = &s->attrs->channel_norm;
  const op_type *type = &s->node->type;
  int x = graph_wide(g, s->in[0]), nin = s->node->nin, weight = s->in[nin - 2], bias = s->in[nin - 1], y;
  if (x < 0) return -1;
  tme_dtype t = graph_get(g, x)->type.dtype;
  if (s->node->op == OP_batch_norm) {
    int spread = graph_bin(g, OP_add, beside(g, s->in[2], a, type), graph_number(g, t, a->eps));
    int scale = graph_bin(g, OP_divide, graph_number(g, t, 1), graph_un(g, OP_sqrt, spread));
    y = graph_bin(g, OP_multiply, graph_bin(g, OP_subtract, x, beside(g, s->in[1], a, type)), scale);
  } else {
    y = by_groups(g, x, a, type, s->node->op == OP_group_norm ? a->groups : type->shape[channel_axis(a, type)]);
  }
  if (weight >= 0) y = graph_bin(g, OP_multiply, y, beside(g, weight, a, type));
  if (bias >= 0) y = graph_bin(g, OP_add, y, beside(g, bias, a, type));
  return graph_cast(g, y, type->dtype);
}
