/* nan_to_num: finite numbers for those that are not; of complex numbers in each part. */
#include "ir/graph.h"
#include <math.h>

tme_status infer_nan_to_num(op_call *c, op_type *out, error *e) {
  nan_to_num_attrs *a = &c->attrs->nan_to_num;
  tme_dtype real = dtype_real(c->in[0]->dtype);
  (void)e;
  *out = *c->in[0];
  if (dtype_kind(out->dtype) <= TAKES_INT) return TME_OK;
  if (isnan(a->posinf)) a->posinf = dtype_get(real)->most;
  if (isnan(a->neginf)) a->neginf = -dtype_get(real)->most;
  return TME_OK;
}

static int either(graph *g, int condition, int x, int y) {
  int in[3] = {condition, x, y};
  return graph_op(g, OP_where, in, 3, NULL);
}

static int replaced(graph *g, int x, const nan_to_num_attrs *a) {
  if (x < 0) return -1;
  tme_dtype t = graph_get(g, x)->type.dtype;
  int y = either(g, graph_un(g, OP_isposinf, x), graph_number(g, t, a->posinf), x);
  y = either(g, graph_un(g, OP_isneginf, x), graph_number(g, t, a->neginf), y);
  return either(g, graph_un(g, OP_isnan, x), graph_number(g, t, a->nan), y);
}

int decompose_nan_to_num(graph *g, const g_site *s) {
  const nan_to_num_attrs *a = &s->attrs->nan_to_num;
  int x = s->in[0];
  tme_dtype t = s->node->type.dtype;
  if (dtype_kind(t) <= TAKES_INT) return x;
  if (!dtype_is_complex(t)) return replaced(g, x, a);
  return graph_bin(g, OP_complex, replaced(g, graph_un(g, OP_real, x), a), replaced(g, graph_un(g, OP_imag, x), a));
}
