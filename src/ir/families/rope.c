/* rope: rotary positions (Su et al., "RoFormer", 2021). */
#include "ir/graph.h"
#include <math.h>

enum { OFFSET = 1, FREQS = 2 };

static tme_status check_beside(op_call *c, error *e) {
  const op_type *x = c->in[0], *offset = c->in[OFFSET], *freqs = c->in[FREQS];
  const rope_attrs *a = &c->attrs->rope;
  char shape[SHAPE_TEXT];
  if (offset) {
    type_shape_text(offset, shape);
    bool each = offset->rank == 1 && x->rank > 2 && (offset->shape[0] == x->shape[0] || offset->shape[0] == 1);
    if (dtype_kind(offset->dtype) & (TAKES_BOOL | TAKES_COMPLEX))
      return fail(e, TME_ERR_DTYPE, "rope: the offset is %s, expected real numbers", tme_dtype_name(offset->dtype));
    if (offset->rank && !each)
      return fail(e, TME_ERR_SHAPE,
                  "rope: the offset has shape %s, expected a number, or one for each of the first axis", shape);
  }
  if (!freqs) return TME_OK;
  type_shape_text(freqs, shape);
  if (dtype_kind(freqs->dtype) & (TAKES_BOOL | TAKES_COMPLEX))
    return fail(e, TME_ERR_DTYPE, "rope: freqs is %s, expected real numbers", tme_dtype_name(freqs->dtype));
  if (freqs->rank != 1 || freqs->shape[0] != a->dims / 2)
    return fail(e, TME_ERR_SHAPE, "rope: freqs has shape %s, expected (%lld,)", shape, (long long)(a->dims / 2));
  return TME_OK;
}

tme_status infer_rope(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  const rope_attrs *a = &c->attrs->rope;
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s != TME_OK) return s;
  if (x->rank < 2)
    return fail(e, TME_ERR_SHAPE, "rope: x has %d dimensions, expected a length and a width at least", x->rank);
  int64_t width = x->shape[x->rank - 1];
  if (a->dims < 2 || a->dims % 2 || a->dims > width)
    return fail(e, TME_ERR_ARGUMENT, "rope: dims is %lld, expected an even number from 2 to the width, %lld",
                (long long)a->dims, (long long)width);
  if (!(a->base > 0) || isinf(a->base))
    return fail(e, TME_ERR_ARGUMENT, "rope: base is %g, expected more than 0", a->base);
  *out = *x;
  out->dtype = infer_float(c, x->dtype);
  infer_want(c, 0, out->dtype);
  return check_beside(c, e);
}

/* The angles (length, dims / 2), or (batch, 1..., length, dims / 2). */
static int angles(graph *g, const g_site *s, tme_dtype t) {
  const rope_attrs *a = &s->attrs->rope;
  const op_type *type = &s->node->type;
  int64_t half = a->dims / 2, length = type->shape[type->rank - 2], shape[TME_MAX_RANK];
  int at = graph_iota(g, t, 2, (int64_t[]){length, 1}, 0);
  if (s->in[OFFSET] >= 0) {
    int offset = graph_cast(g, s->in[OFFSET], t);
    if (graph_get(g, offset)->type.rank) {
      shape[0] = graph_get(g, offset)->type.shape[0];
      for (int d = 1; d < type->rank; d++) shape[d] = 1;
      offset = graph_reshape(g, offset, type->rank, shape);
    }
    at = graph_bin(g, OP_add, offset, at);
  }
  if (a->scale != 1) at = graph_bin(g, OP_multiply, at, graph_number(g, t, a->scale));
  if (s->in[FREQS] >= 0) return graph_bin(g, OP_divide, at, graph_cast(g, s->in[FREQS], t));
  int i = graph_iota(g, t, 1, &half, 0);
  return graph_bin(g, OP_multiply, at,
                   graph_un(g, OP_exp, graph_bin(g, OP_multiply, i, graph_number(g, t, -log(a->base) / (double)half))));
}

int decompose_rope(graph *g, const g_site *s) {
  const rope_attrs *a = &s->attrs->rope;
  const op_type *type = &s->node->type;
  int x = graph_wide(g, s->in[0]), last = type->rank - 1, first, second, part[3];
  if (x < 0) return -1;
  tme_dtype t = graph_get(g, x)->type.dtype;
  int64_t half = a->dims / 2;
  int turned = graph_part(g, x, last, 0, a->dims), angle = angles(g, s, t);
  op_type pairs = *type, halves = *type;
  halves.shape[last] = half;
  pairs.shape[last] = half;
  pairs.shape[pairs.rank++] = 2;
  if (a->traditional) {
    turned = graph_reshape(g, turned, pairs.rank, pairs.shape);
    first = graph_reshape(g, graph_part(g, turned, last + 1, 0, 1), type->rank, halves.shape);
    second = graph_reshape(g, graph_part(g, turned, last + 1, 1, 2), type->rank, halves.shape);
  } else {
    first = graph_part(g, turned, last, 0, half);
    second = graph_part(g, turned, last, half, a->dims);
  }
  int sin = graph_un(g, OP_sin, angle), cos = graph_un(g, OP_cos, angle);
  part[0] = graph_bin(g, OP_subtract, graph_bin(g, OP_multiply, first, cos), graph_bin(g, OP_multiply, second, sin));
  part[1] = graph_bin(g, OP_add, graph_bin(g, OP_multiply, first, sin), graph_bin(g, OP_multiply, second, cos));
  op_attrs stacked = {.stack = {.axis = last + 1}}, joined = {.concatenate = {.axis = last}};
  int y, n = 2;
  if (a->traditional) {
    pairs.shape[last] = a->dims;
    part[0] = graph_reshape(g, graph_op(g, OP_stack, part, 2, &stacked), type->rank, pairs.shape);
    n = 1;
  }
  part[n] = graph_part(g, x, last, a->dims, type->shape[last]);
  if (a->dims < type->shape[last]) n++;
  y = n == 1 ? part[0] : graph_op(g, OP_concatenate, part, n, &joined);
  return graph_cast(g, y, type->dtype);
}
