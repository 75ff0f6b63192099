/* Windows: weights of n numbers that fall off towards both ends. */
#include "ir/graph.h"
#include <math.h>

tme_status infer_window(op_call *c, op_type *out, error *e) {
  window_attrs *a = &c->attrs->window;
  const char *name = op_name(c->op);
  tme_status s = infer_dtype(c, &a->dtype, c->default_float, e);
  if (s != TME_OK) return s;
  if (!dtype_is_float(a->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: makes real floating numbers, not %s", name, tme_dtype_name(a->dtype));
  if (a->n < 0) return fail(e, TME_ERR_ARGUMENT, "%s: n is %lld, expected 0 or more", name, (long long)a->n);
  if (c->op == OP_kaiser && !isfinite(a->beta)) return fail(e, TME_ERR_ARGUMENT, "kaiser: beta is not finite");
  *out = (op_type){.dtype = a->dtype, .rank = 1, .shape = {a->n}};
  return TME_OK;
}

static int number(graph *g, double v) { return graph_number(g, TME_F64, v); }

/* cos(2 pi m k / period) times v. */
static int wave(graph *g, int k, double m, double period, double v) {
  int angle = graph_bin(g, OP_multiply, k, number(g, 2 * 3.14159265358979323846 * m / period));
  return graph_bin(g, OP_multiply, graph_un(g, OP_cos, angle), number(g, v));
}

/* I0(beta sqrt(1 - x^2)) / I0(beta), without overflow. */
static int kaiser(graph *g, int x, double beta) {
  beta = fabs(beta);
  int z = graph_bin(g, OP_subtract, number(g, 1), graph_bin(g, OP_multiply, x, x));
  z = graph_bin(g, OP_multiply, graph_un(g, OP_sqrt, graph_bin(g, OP_maximum, z, number(g, 0))), number(g, beta));
  int y = graph_bin(g, OP_divide, graph_un(g, OP_i0e, z), graph_un(g, OP_i0e, number(g, beta)));
  return graph_bin(g, OP_multiply, y, graph_un(g, OP_exp, graph_bin(g, OP_subtract, z, number(g, beta))));
}

/* In f64, of k = 0, 1, ... n - 1; a period lasts from one end to the other, or to where the next one would begin. */
int decompose_window(graph *g, const g_site *s) {
  const window_attrs *a = &s->attrs->window;
  const op_type *type = &s->node->type;
  int op = s->node->op, y;
  if (a->n <= 1) return graph_broadcast(g, graph_number(g, type->dtype, 1), 1, type->shape);
  double period = (double)(a->periodic ? a->n : a->n - 1);
  int k = graph_iota(g, TME_F64, 1, type->shape, 0);
  switch (op) {
  case OP_hanning: y = graph_bin(g, OP_add, wave(g, k, 1, period, -0.5), number(g, 0.5)); break;
  case OP_hamming: y = graph_bin(g, OP_add, wave(g, k, 1, period, -0.46), number(g, 0.54)); break;
  case OP_blackman:
    y = graph_bin(g, OP_add, wave(g, k, 1, period, -0.5), wave(g, k, 2, period, 0.08));
    y = graph_bin(g, OP_add, y, number(g, 0.42));
    break;
  case OP_cosine_window:
    y = graph_bin(g, OP_add, k, number(g, 0.5));
    y = graph_un(g, OP_sin, graph_bin(g, OP_multiply, y, number(g, 3.14159265358979323846 / (period + 1))));
    break;
  default: /* from -1 to 1 */
    y = graph_bin(g, OP_subtract, graph_bin(g, OP_multiply, k, number(g, 2 / period)), number(g, 1));
    y = op == OP_kaiser ? kaiser(g, y, a->beta) : graph_bin(g, OP_subtract, number(g, 1), graph_un(g, OP_abs, y));
    break;
  }
  return graph_cast(g, y, type->dtype);
}
