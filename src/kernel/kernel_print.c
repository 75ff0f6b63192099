/* A kernel description as text for people. */
#include "base/libm.h"
#include "kernel/kernel_util.h"
#include <string.h>

/* i, j, k, l, m, n, then a6, a7... */
static void print_axis(int axis, text *out) {
  if (axis < 6)
    text_add(out, "%c", "ijklmn"[axis]);
  else
    text_add(out, "a%d", axis);
}

static void print_buf(const kernel *k, int buf, text *out) {
  static const char *const role[] = {"in", "out", "tmp"};
  text_add(out, "%s%d", role[k->bufs[buf].role], buf);
}

static void print_ix(const kernel *k, int ix, bool inner, text *out) {
  const k_ix *x = &k->ix[ix];
  switch (x->op) {
  case IX_CONST: text_add(out, "%lld", (long long)x->c); break;
  case IX_AXIS: print_axis(x->a, out); break;
  case IX_ADD:
    text_add(out, "%s", inner ? "(" : "");
    print_ix(k, x->a, false, out);
    text_add(out, " + ");
    print_ix(k, x->b, false, out);
    text_add(out, "%s", inner ? ")" : "");
    break;
  default:
    print_ix(k, x->a, true, out);
    text_add(out, "%c%lld", x->op == IX_MUL ? '*' : x->op == IX_DIV ? '/' : '%', (long long)x->c);
  }
}

static void print_access(const kernel *k, const k_access *x, text *out) {
  print_buf(k, x->buf, out);
  text_add(out, "[");
  print_ix(k, x->ix, false, out);
  if (x->dyn >= 0) text_add(out, " + %%%d*%lld", x->dyn, (long long)x->dyn_scale);
  text_add(out, "]");
  if (x->guard >= 0) text_add(out, " if %%%d", x->guard);
}

static void print_loop(const kernel *k, const k_inst *in, text *out) {
  int axis = in->a;
  const k_axis *x = &k->axes[axis];
  static const char *const names[] = {"parallel", "vector", "unroll", "reduce"};
  text_add(out, "loop ");
  print_axis(axis, out);
  for (int i = 0; i < COUNT(names); i++) {
    if (x->flags >> i & 1) text_add(out, " %s", names[i]);
  }
  if (x->flags & AXIS_VECTOR) text_add(out, "(%dx%d)", x->width, x->unroll);
  if (!(x->flags & (AXIS_PARALLEL | AXIS_VECTOR | AXIS_UNROLL))) text_add(out, " seq");
  if (x->sym >= 0)
    text_add(out, " arg%d", x->sym);
  else
    text_add(out, " %lld", (long long)x->extent);
  if (x->first >= 0) {
    text_add(out, " from ");
    print_ix(k, x->first, false, out);
  }
  if (x->limit >= 0) {
    text_add(out, " limit ");
    print_ix(k, x->limit, false, out);
  }
  if (in->b >= 0) text_add(out, " if %%%d", in->b);
}

static void print_const(const k_inst *in, text *out) {
  tme_dtype t = (tme_dtype)in->dtype;
  if (t == TME_F32) {
    uint32_t u = (uint32_t)in->imm;
    float f;
    memcpy(&f, &u, sizeof f);
    text_add(out, "%.9g", (double)f);
  } else if (t == TME_F64) {
    double d;
    memcpy(&d, &in->imm, sizeof d);
    text_add(out, "%.17g", d);
  } else if (dtype_is_int(t) && dtype_is_signed(t)) {
    int unused = 64 - 8 * (int)tme_dtype_size(t);
    text_add(out, "%lld", (long long)((int64_t)(in->imm << unused) >> unused));
  } else {
    text_add(out, "%llu", (unsigned long long)in->imm);
  }
}

static void print_name(k_op op, text *out) {
  for (const char *p = k_op_name(op); *p; p++) text_add(out, "%c", *p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
}

static void print_inst(const kernel *k, int i, text *out) {
  const k_inst *in = &k->inst[i];
  if (in->op == K_LOOP) {
    print_loop(k, in, out);
    return;
  }
  if (in->op != K_END && in->op != K_STORE && in->op != K_PREFETCH && in->op != K_UPDATE && in->op != K_NOP)
    text_add(out, "%%%d %s = ", i, tme_dtype_name((tme_dtype)in->dtype));
  print_name((k_op)in->op, out);
  switch (in->op) {
  case K_NOP:
  case K_END: break;
  case K_CONST:
    text_add(out, " ");
    print_const(in, out);
    break;
  case K_ARG: text_add(out, " %llu", (unsigned long long)in->imm); break;
  case K_INDEX:
    text_add(out, " ");
    print_ix(k, (int)in->imm, false, out);
    break;
  case K_LOAD:
  case K_STORE:
  case K_PREFETCH:
    text_add(out, " ");
    print_access(k, &k->acc[in->imm], out);
    if (in->op == K_STORE) text_add(out, ", %%%d", in->a);
    break;
  case K_ACC:
    text_add(out, " ");
    print_name((k_op)in->b, out);
    text_add(out, " %%%d", in->a);
    for (int a = 0, n = 0; a < k->naxes; a++) {
      if (!(in->imm >> a & 1)) continue;
      text_add(out, n++ ? " " : " keeping ");
      print_axis(a, out);
    }
    break;
  default: {
    int32_t v[3] = {in->a, in->b, in->c};
    if (in->op == K_LIBM || in->op == K_LIBM_REST) text_add(out, " %s", libm_name((libm_id)in->imm));
    if (in->op == K_UPDATE && in->imm) {
      text_add(out, " ");
      print_name((k_op)in->imm, out);
    }
    for (int a = 0; a < inst_arity(in); a++) text_add(out, "%s %%%d", a ? "," : "", v[a]);
  }
  }
}

void kernel_print(const kernel *k, text *out) {
  text_add(out, "kernel %s\n", k->name);
  for (int i = 0; i < k->nbufs; i++) {
    text_add(out, "  buffer ");
    print_buf(k, i, out);
    text_add(out, " %s [%lld, %lld)%s\n", tme_dtype_name((tme_dtype)k->bufs[i].dtype), (long long)k->bufs[i].lo,
             (long long)k->bufs[i].hi, k->bufs[i].stream ? " streamed" : "");
  }
  int depth = 1;
  for (int i = 0; i < k->ninst; i++) {
    depth -= k->inst[i].op == K_END;
    text_add(out, "%*s", 2 * (depth > 0 ? depth : 0), "");
    print_inst(k, i, out);
    text_add(out, "\n");
    depth += k->inst[i].op == K_LOOP;
  }
}
