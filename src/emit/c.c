/* A kernel as C, for people to read: one C loop a loop, one local a value. Vector and unrolled axes are plain loops. */
#include "emit/emit.h"
#include "base/libm.h"
#include <inttypes.h>
#include <string.h>

static const char *type_of(int dtype) { return dtype_get((tme_dtype)dtype)->c; }

static const char *const patterns[K_OP_COUNT] = {
#define PRIM(name, arity, text) [K_##name] = text,
#include "kernel/prims.def"
#undef PRIM
};

static void put_ix(text *out, const kernel *k, int ix, bool inner) {
  const k_ix *x = &k->ix[ix];
  switch (x->op) {
  case IX_CONST: text_add(out, "%" PRId64, x->c); break;
  case IX_AXIS: text_add(out, "i%d", x->a); break;
  case IX_ADD:
    if (inner) text_add(out, "(");
    put_ix(out, k, x->a, false);
    text_add(out, " + ");
    put_ix(out, k, x->b, false);
    if (inner) text_add(out, ")");
    break;
  default: /* on what is not negative, floor division is C's */
    put_ix(out, k, x->a, true);
    text_add(out, " %c %" PRId64, x->op == IX_MUL ? '*' : x->op == IX_DIV ? '/' : '%', x->c);
    break;
  }
}

static void put_const(text *out, const k_inst *in) {
  if (in->dtype == TME_F32) {
    float f;
    uint32_t u = (uint32_t)in->imm;
    memcpy(&f, &u, sizeof f);
    text_add(out, "%.9gf", (double)f);
  } else if (in->dtype == TME_F64) {
    double d;
    memcpy(&d, &in->imm, sizeof d);
    text_add(out, "%.17g", d);
  } else if (dtype_is_signed((tme_dtype)in->dtype)) {
    int shift = 64 - 8 * (int)tme_dtype_size((tme_dtype)in->dtype);
    text_add(out, "%" PRId64, (int64_t)(in->imm << shift) >> shift);
  } else {
    text_add(out, "%" PRIu64, in->imm);
  }
}

static void put_access(text *out, const kernel *k, int access) {
  const k_access *x = &k->acc[access];
  text_add(out, "b%d[", x->buf);
  put_ix(out, k, x->ix, false);
  if (x->dyn >= 0) text_add(out, x->dyn_scale == 1 ? " + v%d" : " + v%d * %" PRId64, x->dyn, x->dyn_scale);
  text_add(out, "]");
}

static bool is_c_function(int op) {
  return op == K_FMA || op == K_FMA_ONCE || op == K_ABS || (op >= K_SQRT && op <= K_RINT);
}

/* The pattern with the operands put in. */
static void put_prim(text *out, const k_inst *in) {
  const char *p = patterns[in->op];
  bool f = dtype_is_float((tme_dtype)in->dtype);
  if (in->op == K_FMA && !f)
    p = "%a * %b + %c";
  else if (in->op == K_ABS && !f)
    p = "abs(%a)";
  else if (in->op == K_NOT && in->dtype == TME_BOOL)
    p = "!%a";
  for (; *p; p++) {
    if (*p == '%' && p[1] >= 'a' && p[1] <= 'c') {
      int v = p[1] == 'a' ? in->a : p[1] == 'b' ? in->b : in->c;
      p++;
      text_add(out, "v%d", v);
    } else if (*p == 'T') {
      text_add(out, "%s", type_of(in->dtype));
    } else {
      if (*p == '(' && is_c_function(in->op) && in->dtype == TME_F32) text_add(out, "f");
      text_bytes(out, p, 1);
    }
  }
}

/* The replicas of an accumulator: [i3][i4]. */
static void put_kept(text *out, const kernel *k, const k_inst *acc, bool extents) {
  for (int a = 0; a < k->naxes; a++) {
    if (!(acc->imm >> a & 1)) continue;
    if (extents)
      text_add(out, "[%" PRId64 "]", k->axes[a].extent);
    else
      text_add(out, "[i%d]", a);
  }
}

static void put_loop(text *out, const kernel *k, const k_inst *in) {
  int axis = in->a;
  const k_axis *x = &k->axes[axis];
  if (in->b >= 0) text_add(out, "if (v%d) ", in->b);
  text_add(out, "for (int64_t i%d = ", axis);
  if (x->first >= 0)
    put_ix(out, k, x->first, false);
  else
    text_add(out, "0");
  text_add(out, "; i%d < ", axis);
  if (x->limit >= 0) text_add(out, "min(");
  if (x->sym >= 0)
    text_add(out, "(int64_t)args[%d]", x->sym);
  else
    text_add(out, "%" PRId64, x->extent);
  if (x->limit >= 0) {
    text_add(out, ", ");
    put_ix(out, k, x->limit, false);
    text_add(out, ")");
  }
  text_add(out, "; i%d++) {", axis);
  if (x->flags) text_add(out, " //");
  if (x->flags & AXIS_PARALLEL) text_add(out, " parallel");
  if (x->flags & AXIS_VECTOR) text_add(out, " vector %dx%d", x->width, x->unroll);
  if (x->flags & AXIS_UNROLL) text_add(out, " unroll");
  if (x->flags & AXIS_REDUCE) text_add(out, " reduce");
  text_add(out, "\n");
}

static void put_update(text *out, const kernel *k, const k_inst *in) {
  const k_inst *acc = &k->inst[in->a];
  text_add(out, "v%d", in->a);
  put_kept(out, k, acc, false);
  if (in->c >= 0) {
    const char *name = in->imm == K_DOT_BF16 ? "dot_bf16" : in->imm == K_DOT_I16 ? "dot_i16" : "fma";
    text_add(out, " = %s%s(v%d, v%d, v%d", name, !in->imm && acc->dtype == TME_F32 ? "f" : "", in->b, in->c, in->a);
    put_kept(out, k, acc, false);
    text_add(out, ");\n");
  } else if (acc->b == K_MIN || acc->b == K_MAX || acc->b == K_LARGER) {
    text_add(out, " = %s(v%d", acc->b == K_MIN ? "min" : acc->b == K_MAX ? "max" : "larger", in->a);
    put_kept(out, k, acc, false);
    text_add(out, ", v%d);\n", in->b);
  } else {
    text_add(out, " %c= v%d;\n", acc->b == K_ADD ? '+' : acc->b == K_MUL ? '*' : acc->b == K_AND ? '&' : '|', in->b);
  }
}

static void put_inst(text *out, const kernel *k, int i) {
  const k_inst *in = &k->inst[i];
  if (in->op == K_STORE || in->op == K_LOAD) {
    int guard = k->acc[in->imm].guard;
    if (in->op == K_STORE) {
      if (guard >= 0) text_add(out, "if (v%d) ", guard);
      put_access(out, k, (int)in->imm);
      text_add(out, " = v%d;\n", in->a);
      return;
    }
    text_add(out, "%s v%d = ", type_of(in->dtype), i);
    if (guard >= 0) text_add(out, "v%d ? ", guard);
    put_access(out, k, (int)in->imm);
    text_add(out, guard >= 0 ? " : 0;\n" : ";\n");
    return;
  }
  if (in->op == K_PREFETCH) {
    text_add(out, "prefetch(&");
    put_access(out, k, (int)in->imm);
    text_add(out, ");\n");
    return;
  }
  if (in->op == K_UPDATE) {
    put_update(out, k, in);
    return;
  }
  text_add(out, "%s v%d", type_of(in->dtype), i);
  if (in->op == K_ACC) {
    put_kept(out, k, in, true);
    text_add(out, in->imm ? "; // each starts from v%d\n" : " = v%d;\n", in->a);
    return;
  }
  text_add(out, " = ");
  switch (in->op) {
  case K_CONST: put_const(out, in); break;
  case K_ARG: text_add(out, "*(const %s *)&args[%" PRIu64 "]", type_of(in->dtype), in->imm); break;
  case K_INDEX: put_ix(out, k, (int)in->imm, false); break;
  case K_READ:
    text_add(out, "v%d", in->a);
    put_kept(out, k, &k->inst[in->a], false);
    break;
  case K_LIBM: text_add(out, in->b >= 0 ? "%s(v%d, v%d)" : "%s(v%d)", libm_name((libm_id)in->imm), in->a, in->b); break;
  case K_LIBM_REST:
    text_add(out, "v%d != v%d && v%d == v%d && v%d == v%d ? ", in->a, in->a, in->b, in->b, in->c, in->c);
    text_add(out, libm_arity((libm_id)in->imm) == 2 ? "%s(v%d, v%d)" : "%s(v%d)", libm_name((libm_id)in->imm), in->b,
             in->c);
    text_add(out, " : v%d", in->a);
    break;
  default: put_prim(out, in); break;
  }
  text_add(out, ";\n");
}

void emit_c(const kernel *k, text *out) {
  int depth = 1;
  text_add(out, "void %s(", k->name[0] ? k->name : "kernel");
  for (int i = 0; i < k->nbufs; i++) {
    const k_buf *b = &k->bufs[i];
    if (b->role != BUF_SCRATCH)
      text_add(out, "%s%s *restrict b%d, ", b->role == BUF_IN ? "const " : "", type_of(b->dtype), i);
  }
  text_add(out, "const uint64_t *args) {\n");
  for (int i = 0; i < k->nbufs; i++) {
    if (k->bufs[i].role == BUF_SCRATCH)
      text_add(out, "  %s b%d[%" PRId64 "]; // scratch\n", type_of(k->bufs[i].dtype), i, k->bufs[i].hi);
  }
  for (int i = 0; i < k->ninst; i++) {
    const k_inst *in = &k->inst[i];
    if (in->op == K_NOP) continue;
    depth -= in->op == K_END;
    text_add(out, "%*s", 2 * depth, "");
    if (in->op == K_LOOP)
      put_loop(out, k, in);
    else if (in->op == K_END)
      text_add(out, "}\n");
    else
      put_inst(out, k, i);
    depth += in->op == K_LOOP;
  }
  text_add(out, "}\n");
}
