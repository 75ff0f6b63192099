/* Values of which the sign is known, so that a function of them can do with less. NaN may be among them. */
#include "kernel/kernel_util.h"

enum { MAX_DEPTH = 12 };

static bool same(const kernel *k, int a, int b, int depth);

static bool same_access(const kernel *k, uint64_t a, uint64_t b, int depth) {
  const k_access *x = &k->acc[a], *y = &k->acc[b];
  return k->bufs[x->buf].role == BUF_IN && x->buf == y->buf && x->ix == y->ix && x->dyn_scale == y->dyn_scale &&
         same(k, x->dyn, y->dyn, depth) && same(k, x->guard, y->guard, depth);
}

/* True if two values are computed in the same way from the same loop variables. */
static bool same(const kernel *k, int a, int b, int depth) {
  if (a == b) return true;
  if (a < 0 || b < 0 || depth == 0) return false;
  const k_inst *x = &k->inst[a], *y = &k->inst[b];
  if (x->op != y->op || x->dtype != y->dtype || !op_is_pure(x->op)) return false;
  if (x->op == K_LOAD) return same_access(k, x->imm, y->imm, depth - 1);
  int n = op_is_prim(x->op) ? inst_arity(x) : 0;
  const int v[3] = {x->a, x->b, x->c}, w[3] = {y->a, y->b, y->c};
  for (int i = 0; i < n; i++)
    if (!same(k, v[i], w[i], depth - 1)) return false;
  return x->imm == y->imm;
}

/* x - max(x): `value` is among those that the accumulator was updated with before it is read. */
static bool below_max(const kernel *k, int value, int read) {
  int acc = k->inst[read].a;
  if (k->inst[acc].b != K_MAX && k->inst[acc].b != K_LARGER) return false;
  for (int i = acc + 1; i < read; i++)
    if (k->inst[i].op == K_UPDATE && k->inst[i].a == acc) return same(k, value, k->inst[i].b, MAX_DEPTH);
  return false;
}

static bool has_sign(const kernel *k, int value, bool negative, int depth) {
  if (value < 0 || value >= k->ninst || depth == 0) return false;
  const k_inst *in = &k->inst[value];
  switch (in->op) {
  case K_CONST:
    return dtype_is_float((tme_dtype)in->dtype) && negative == (in->imm >> (in->dtype == TME_F64 ? 63 : 31) & 1);
  case K_ABS:
  case K_SQRT: return !negative;
  case K_NEG: return has_sign(k, in->a, !negative, depth - 1);
  case K_MUL:
    if (in->a == in->b) return !negative;
    for (int sign = 0; sign < 2; sign++)
      if (has_sign(k, in->a, sign, depth - 1) && has_sign(k, in->b, sign ^ negative, depth - 1)) return true;
    return false;
  case K_SUB: return negative && k->inst[in->b].op == K_READ && below_max(k, in->a, in->b);
  default: return false;
  }
}

bool kernel_nonpositive(const kernel *k, int value) {
  return value >= 0 && value < k->ninst && dtype_is_float((tme_dtype)k->inst[value].dtype) &&
         has_sign(k, value, true, MAX_DEPTH);
}
