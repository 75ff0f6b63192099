/* Elementwise operations: promotion to one dtype by the rule of the row, broadcasting. */
#include "ops/ops.h"

static tme_status refuse(const op_call *c, const op_rule_def *rule, tme_dtype t, error *e) {
  char dtypes[160];
  size_t n = 0;
  for (int i = 0; i < c->nin; i++) {
    if (!c->in[i]) continue;
    const char *name = tme_dtype_name(c->in[i]->dtype);
    for (const char *sep = n ? ", " : ""; *sep && n + 1 < sizeof dtypes; sep++) dtypes[n++] = *sep;
    while (*name && n + 1 < sizeof dtypes) dtypes[n++] = *name++;
  }
  dtypes[n] = 0;
  if (c->nin > 1)
    return fail(e, TME_ERR_DTYPE, "%s: takes %s, not %s (together %s)", op_name(c->op), rule->text, dtypes,
                tme_dtype_name(t));
  return fail(e, TME_ERR_DTYPE, "%s: takes %s, not %s", op_name(c->op), rule->text, dtypes);
}

/* Values are compared as they are: untyped ones are not brought down to an integer dtype, which may not hold them. */
static tme_dtype infer_compared(const op_call *c) {
  const op_type *weak = c->in[0]->weak ? c->in[0] : c->in[1], *other = weak == c->in[0] ? c->in[1] : c->in[0];
  if (!weak->weak || other->weak || dtype_kind(other->dtype) > TAKES_INT) return infer_promote(c, 0, 2);
  return dtype_is_float(weak->dtype) ? TME_F64 : tme_dtype_promote(weak->dtype, other->dtype);
}

/* The dtype that the operands from `first` on are computed in. */
static tme_status operand_dtype(op_call *c, op_rule r, int first, tme_dtype *out, error *e) {
  const op_rule_def *rule = op_rule_get(r);
  if (r == RULE_LOGIC) {
    *out = TME_BOOL;
    return TME_OK;
  }
  tme_dtype t = r == RULE_CMP || r == RULE_ORDER ? infer_compared(c) : infer_promote(c, first, c->nin);
  if (rule->gives == GIVES_COMPLEX && t == TME_BOOL) t = c->default_float;
  if (dtype_is_int(t) && !(rule->takes & TAKES_INT)) t = c->default_float;
  if (rule->gives == GIVES_COMPLEX && dtype_is_float(t) && t != TME_F64) t = TME_F32; /* as wide as the parts */
  if (!(dtype_kind(t) & rule->takes)) return refuse(c, rule, t, e);
  *out = t;
  return TME_OK;
}

tme_dtype infer_given(op_rule r, tme_dtype t) {
  switch (op_rule_get(r)->gives) {
  case GIVES_SAME: break;
  case GIVES_BOOL: return TME_BOOL;
  case GIVES_REAL: return dtype_real(t);
  case GIVES_I32: return TME_I32;
  case GIVES_U8: return TME_U8;
  case GIVES_COMPLEX: return tme_dtype_promote(t, TME_C64);
  }
  return t;
}

tme_status infer_elementwise(op_call *c, op_type *out, error *e) {
  const op_def *d = op_get(c->op);
  int first = d->rule == RULE_WHERE ? 1 : 0;
  tme_dtype t = TME_DTYPE_NONE;
  tme_status s = operand_dtype(c, d->rule, first, &t, e);
  if (s != TME_OK) return s;
  for (int i = 0; i < c->nin; i++) {
    if (!c->in[i]) continue; /* a bound of clip */
    infer_want(c, i, i < first ? TME_BOOL : t);
    if (type_broadcast(out, c->in[i], out)) continue;
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    type_shape_text(out, a);
    type_shape_text(c->in[i], b);
    return fail(e, TME_ERR_SHAPE, "%s: shapes %s and %s do not broadcast", d->name, a, b);
  }
  out->dtype = infer_given(d->rule, t);
  return TME_OK;
}
