/* float_power: pow in double precision, whatever the operands are. */
#include "ir/graph.h"

tme_status infer_float_power(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0], *y = c->in[1];
  if (!type_broadcast(x, y, out)) {
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    type_shape_text(x, a);
    type_shape_text(y, b);
    return fail(e, TME_ERR_SHAPE, "float_power: shapes %s and %s do not broadcast", a, b);
  }
  out->dtype = dtype_is_complex(infer_promote(c, 0, 2)) ? TME_C128 : TME_F64;
  for (int i = 0; i < 2; i++) infer_want(c, i, out->dtype);
  return TME_OK;
}

int decompose_float_power(graph *g, const g_site *s) { return graph_bin(g, OP_pow, s->in[0], s->in[1]); }
