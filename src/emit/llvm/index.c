/* Index expressions and addresses.
 *
 * The value of an expression is split into a part that is computed at run time and a constant that comes from the
 * coordinates of replicated axes, so that replicas differ in the displacement of an address alone. Each part is
 * computed in the outermost frame where its axes are known. */
#include "emitter.h"

enum { MAX_TERMS = 64 };

/* The constant part. Divisions have none: they are computed from the sum of both. */
static int64_t ix_offset(const emitter *e, int ix) {
  const k_ix *x = &e->k->ix[ix];
  switch (x->op) {
  case IX_CONST: return x->c;
  case IX_AXIS: return e->axis[x->a].off;
  case IX_ADD: return ix_offset(e, x->a) + ix_offset(e, x->b);
  case IX_MUL: return ix_offset(e, x->a) * x->c;
  default: return 0;
  }
}

/* The frame that the expression is known from. */
static int ix_depth(const emitter *e, int ix) {
  int depth = 0;
  if (e->ix_replicated[ix]) return e->depth;
  for (uint64_t axes = ix_axes(e->k, ix); axes; axes &= axes - 1) {
    const axis_state *s = &e->axis[__builtin_ctzll(axes)];
    if (s->base && s->depth > depth) depth = s->depth;
  }
  return depth;
}

/* Floor division and remainder of x in [lo, ...] by c > 0, with the unsigned instructions, which cost the least. */
static LLVMValueRef divide(emitter *e, bool quotient, LLVMValueRef x, int64_t lo, int64_t c) {
  LLVMTypeRef t = LLVMTypeOf(x);
  bool vector = LLVMGetTypeKind(t) == LLVMVectorTypeKind;
  int lanes = vector ? (int)LLVMGetVectorSize(t) : 1;
  LLVMTypeRef elem = vector ? LLVMGetElementType(t) : t;
#define NUMBER(v) em_const_splat(LLVMConstInt(elem, (uint64_t)(v), true), lanes)
  int64_t up = lo < 0 ? (-(lo + 1)) / c + 1 : 0; /* x + up * c >= 0 */
  if (up) x = LLVMBuildAdd(e->b, x, NUMBER(up * c), "");
  if (!quotient) return LLVMBuildURem(e->b, x, NUMBER(c), "");
  x = LLVMBuildUDiv(e->b, x, NUMBER(c), "");
  return up ? LLVMBuildSub(e->b, x, NUMBER(up), "") : x;
#undef NUMBER
}

static LLVMValueRef ix_variable(emitter *e, int ix); /* the run-time part; NULL if it is 0 */

static LLVMValueRef ix_compute(emitter *e, int ix) {
  const k_ix *x = &e->k->ix[ix];
  LLVMValueRef a = ix_variable(e, x->a);
  switch (x->op) {
  case IX_ADD: {
    LLVMValueRef b = ix_variable(e, x->b);
    return a && b ? LLVMBuildNSWAdd(e->b, a, b, "") : a ? a : b;
  }
  case IX_MUL: return a ? LLVMBuildNSWMul(e->b, a, em_int(e, x->c), "") : NULL;
  default: {
    int64_t off = ix_offset(e, x->a);
    LLVMValueRef v = a ? LLVMBuildNSWAdd(e->b, a, em_int(e, off), "") : em_int(e, off);
    return divide(e, x->op == IX_DIV, v, e->k->ix[x->a].lo, x->c);
  }
  }
}

static LLVMValueRef ix_variable(emitter *e, int ix) {
  const k_ix *x = &e->k->ix[ix];
  if (x->op == IX_CONST) return NULL;
  if (x->op == IX_AXIS) return e->axis[x->a].base;
  if (e->ix_replicated[ix]) return ix_compute(e, ix);
  int m = e->ix_memos + ix, depth = ix_depth(e, ix);
  LLVMValueRef v = memo_get(e, m);
  if (v) return v;
  LLVMBasicBlockRef back = hoist(e, depth);
  v = ix_compute(e, ix);
  unhoist(e, back);
  if (v) memo_set(e, m, v, depth);
  return v;
}

LLVMValueRef ix_scalar(emitter *e, int ix) {
  LLVMValueRef v = ix_variable(e, ix), off = em_int(e, ix_offset(e, ix));
  return v ? LLVMBuildNSWAdd(e->b, v, off, "") : off;
}

/* ---- vectors of indices ------------------------------------------------------------------------------------------ */

bool ix_fits_32(const emitter *e, int ix) {
  const k_ix *x = &e->k->ix[ix];
  if (x->lo < INT32_MIN / 2 || x->hi > INT32_MAX / 2) return false;
  return x->op < IX_ADD || (ix_fits_32(e, x->a) && (x->op != IX_ADD || ix_fits_32(e, x->b)));
}

LLVMValueRef ix_lanes(emitter *e, int ix, bool narrow) {
  const k_ix *x = &e->k->ix[ix];
  LLVMTypeRef t = narrow ? e->i32 : e->i64;
  int64_t factor = 0;
  if (ix_affine(e->k, ix, e->vector, &factor)) {
    LLVMValueRef iota[256], v = ix_scalar(e, ix);
    if (narrow) v = LLVMBuildTrunc(e->b, v, t, "");
    v = em_splat(e, v, e->lanes);
    for (int i = 0; i < e->lanes; i++) iota[i] = LLVMConstInt(t, (uint64_t)(factor * i), true);
    return factor ? LLVMBuildAdd(e->b, v, LLVMConstVector(iota, (unsigned)e->lanes), "") : v;
  }
  LLVMValueRef a = ix_lanes(e, x->a, narrow);
  if (x->op == IX_ADD) return LLVMBuildAdd(e->b, a, ix_lanes(e, x->b, narrow), "");
  if (x->op == IX_MUL)
    return LLVMBuildMul(e->b, a, em_const_splat(LLVMConstInt(t, (uint64_t)x->c, true), e->lanes), "");
  return divide(e, x->op == IX_DIV, a, e->k->ix[x->a].lo, x->c);
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

typedef struct term {
  int ix;
  int depth;
  int64_t factor;
} term;

typedef struct terms {
  term t[MAX_TERMS];
  int n;
  int64_t c;
  bool full;
} terms;

static void take_terms(const emitter *e, int ix, int64_t factor, terms *out) {
  const k_ix *x = &e->k->ix[ix];
  if (x->op == IX_CONST) {
    out->c += factor * x->c;
  } else if (x->op == IX_ADD) {
    take_terms(e, x->a, factor, out);
    take_terms(e, x->b, factor, out);
  } else if (x->op == IX_MUL) {
    take_terms(e, x->a, factor * x->c, out);
  } else {
    if (x->op == IX_AXIS) out->c += factor * e->axis[x->a].off;
    if (x->op == IX_AXIS && !e->axis[x->a].base) return;
    if (out->n == MAX_TERMS)
      out->full = true;
    else
      out->t[out->n++] = (term){ix, ix_depth(e, ix), factor};
  }
}

/* Not "inbounds": a part of a sum may lead out of the buffer and the next one back, and what is fetched ahead may lie
 * outside of it. */
static LLVMValueRef advance(emitter *e, LLVMTypeRef t, LLVMValueRef p, LLVMValueRef by) {
  return LLVMBuildGEP2(e->b, t, p, &by, 1, "");
}

LLVMValueRef em_address(emitter *e, int access) {
  const k_access *x = &e->k->acc[access];
  LLVMTypeRef t = em_memory_type(e, e->k->bufs[x->buf].dtype, 1);
  LLVMValueRef p = e->buffers[x->buf];
  terms s = {0};
  take_terms(e, x->ix, 1, &s);
  if (s.full) return advance(e, t, p, ix_scalar(e, x->ix));
  bool varies = false; /* from here on the pointer differs between replicas */
  for (int d = 0; d <= e->depth; d++) {
    int m = e->address_memos + access * (MAX_DEPTH + 1) + d, n = 0;
    for (int i = 0; i < s.n; i++) {
      n += s.t[i].depth == d;
      varies |= s.t[i].depth == d && e->ix_replicated[s.t[i].ix];
    }
    if (!n) continue;
    LLVMValueRef known = varies ? NULL : memo_get(e, m), sum = NULL;
    if (known) {
      p = known;
      continue;
    }
    LLVMBasicBlockRef back = hoist(e, d);
    for (int i = 0; i < s.n; i++) {
      if (s.t[i].depth != d) continue;
      LLVMValueRef v = ix_variable(e, s.t[i].ix);
      v = s.t[i].factor == 1 ? v : LLVMBuildNSWMul(e->b, v, em_int(e, s.t[i].factor), "");
      sum = sum ? LLVMBuildNSWAdd(e->b, sum, v, "") : v;
    }
    p = advance(e, t, p, sum);
    unhoist(e, back);
    if (!varies) memo_set(e, m, p, d);
  }
  return s.c ? advance(e, t, p, em_int(e, s.c)) : p;
}

/* Zero bits at the low end of the expression, whatever the loops around are at; the open vector axis is at 0. */
static int zero_bits(const emitter *e, int ix) {
  const k_ix *x = &e->k->ix[ix];
  int a, b;
  switch (x->op) {
  case IX_CONST: return x->c ? __builtin_ctzll((uint64_t)x->c) : 63;
  case IX_AXIS: return x->a == e->vector ? 63 : 0;
  case IX_ADD:
    a = zero_bits(e, x->a);
    b = zero_bits(e, x->b);
    return a < b ? a : b;
  case IX_MUL: a = zero_bits(e, x->a) + (x->c ? __builtin_ctzll((uint64_t)x->c) : 63); return a < 63 ? a : 63;
  default: return 0;
  }
}

bool em_aligned(const emitter *e, int access) {
  const k_access *x = &e->k->acc[access];
  const k_buf *b = &e->k->bufs[x->buf];
  unsigned line = CACHE_LINE / (unsigned)tme_dtype_size((tme_dtype)b->dtype);
  return b->align >= CACHE_LINE && x->dyn < 0 && e->lanes <= (int)line && zero_bits(e, x->ix) >= __builtin_ctz(line);
}
