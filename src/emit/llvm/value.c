/* Types, constants and primitives. */
#include "emitter.h"
#include <stdio.h>
#include <string.h>

/* ---- types and constants ----------------------------------------------------------------------------------------- */

LLVMTypeRef em_vector(LLVMTypeRef t, int lanes) { return lanes > 1 ? LLVMVectorType(t, (unsigned)lanes) : t; }

/* Narrow floats are held as their bits, bools as single bits. */
LLVMTypeRef em_type(const emitter *e, int dtype, int lanes) {
  size_t size = tme_dtype_size((tme_dtype)dtype);
  LLVMTypeRef t = size == 1 ? e->i8 : size == 2 ? e->i16 : size == 4 ? e->i32 : e->i64;
  if (dtype == TME_BOOL) t = e->i1;
  if (dtype == TME_F32) t = e->f32;
  if (dtype == TME_F64) t = e->f64;
  return em_vector(t, lanes);
}

LLVMTypeRef em_memory_type(const emitter *e, int dtype, int lanes) {
  return em_type(e, dtype == TME_BOOL ? TME_U8 : dtype, lanes);
}

int em_lanes(const emitter *e, int inst) { return e->vector >= 0 && (e->deps[inst] >> e->vector & 1) ? e->lanes : 1; }

LLVMValueRef em_int(const emitter *e, int64_t v) { return LLVMConstInt(e->i64, (uint64_t)v, true); }

LLVMValueRef em_const_splat(LLVMValueRef v, int lanes) {
  LLVMValueRef list[256];
  if (lanes == 1) return v;
  for (int i = 0; i < lanes; i++) list[i] = v;
  return LLVMConstVector(list, (unsigned)lanes);
}

LLVMValueRef em_bits(const emitter *e, int dtype, int lanes, uint64_t bits) {
  LLVMTypeRef t = em_type(e, dtype, 1);
  LLVMValueRef v;
  if (dtype == TME_F32 || dtype == TME_F64)
    v = LLVMConstBitCast(LLVMConstInt(dtype == TME_F32 ? e->i32 : e->i64, bits, false), t);
  else
    v = LLVMConstInt(t, bits, false);
  return em_const_splat(v, lanes);
}

LLVMValueRef em_splat(emitter *e, LLVMValueRef v, int lanes) {
  if (lanes == 1) return v;
  if (LLVMIsConstant(v)) return em_const_splat(v, lanes);
  LLVMValueRef none = LLVMGetPoison(em_vector(LLVMTypeOf(v), lanes));
  LLVMValueRef one = LLVMBuildInsertElement(e->b, none, v, em_int(e, 0), "");
  return LLVMBuildShuffleVector(e->b, one, none, LLVMConstNull(em_vector(e->i32, lanes)), "");
}

LLVMValueRef em_from_memory(emitter *e, LLVMValueRef constant) {
  LLVMTypeRef t = LLVMTypeOf(constant);
  LLVMValueRef table = LLVMAddGlobal(e->mod, t, "");
  LLVMSetInitializer(table, constant);
  LLVMSetGlobalConstant(table, true);
  LLVMSetLinkage(table, LLVMPrivateLinkage);
  LLVMSetAlignment(table, 32);
  LLVMValueRef v = LLVMBuildLoad2(e->b, t, table, "");
  LLVMSetAlignment(v, 32);
  return v;
}

LLVMValueRef em_constant_in_memory(emitter *e, const k_inst *in, int lanes) {
  bool avx2 = e->has.avx2 && !e->has.avx512, sums = e->ncarried > e->frames[e->depth].first_carried;
  bool real = in->dtype == TME_F32 || in->dtype == TME_F64;
  int size = lanes * (int)tme_dtype_size((tme_dtype)in->dtype);
  if (!avx2 || !sums || in->op != K_CONST || !real || size != 32 || !in->imm) return NULL;
  return em_from_memory(e, em_bits(e, in->dtype, lanes, in->imm));
}

LLVMValueRef em_call(emitter *e, const char *intrinsic, LLVMTypeRef *types, int ntypes, LLVMValueRef *args, int nargs) {
  unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
  LLVMValueRef f = LLVMGetIntrinsicDeclaration(e->mod, id, types, (size_t)ntypes);
  LLVMTypeRef t = LLVMIntrinsicGetType(e->ctx, id, types, (size_t)ntypes);
  return LLVMBuildCall2(e->b, t, f, args, (unsigned)nargs, "");
}

static LLVMValueRef call1(emitter *e, const char *intrinsic, LLVMValueRef a) {
  LLVMTypeRef t = LLVMTypeOf(a);
  return em_call(e, intrinsic, &t, 1, &a, 1);
}

/* The bits of an argument lie low in its 64-bit slot. */
LLVMValueRef em_arg(emitter *e, int dtype, int number) {
  LLVMBasicBlockRef back = hoist(e, 0);
  LLVMValueRef i = em_int(e, number), v;
  v = LLVMBuildLoad2(e->b, e->i64, LLVMBuildGEP2(e->b, e->i64, e->args, &i, 1, ""), "");
  LLVMTypeRef t = em_type(e, dtype, 1);
  if (dtype == TME_F64)
    v = LLVMBuildBitCast(e->b, v, t, "");
  else if (dtype == TME_F32)
    v = LLVMBuildBitCast(e->b, LLVMBuildTrunc(e->b, v, e->i32, ""), t, "");
  else
    v = LLVMBuildTrunc(e->b, v, t, "");
  unhoist(e, back);
  return v;
}

/* ---- primitives -------------------------------------------------------------------------------------------------- */

static bool is_float(int dtype) { return dtype == TME_F32 || dtype == TME_F64; }
static bool is_signed(int dtype) { return dtype_is_signed((tme_dtype)dtype); }
static int width_of(int dtype) { return dtype == TME_BOOL ? 1 : 8 * (int)tme_dtype_size((tme_dtype)dtype); }

static LLVMValueRef number(LLVMValueRef like, uint64_t bits) {
  LLVMTypeRef t = LLVMTypeOf(like);
  bool vector = LLVMGetTypeKind(t) == LLVMVectorTypeKind;
  LLVMTypeRef elem = vector ? LLVMGetElementType(t) : t;
  return em_const_splat(LLVMConstInt(elem, bits, false), vector ? (int)LLVMGetVectorSize(t) : 1);
}

/* A floating constant of type t. */
static LLVMValueRef real(LLVMTypeRef t, double v) {
  bool vector = LLVMGetTypeKind(t) == LLVMVectorTypeKind;
  return em_const_splat(LLVMConstReal(vector ? LLVMGetElementType(t) : t, v), vector ? (int)LLVMGetVectorSize(t) : 1);
}

/* NaN if either is: the comparison passes a NaN of `a` on (it is the value taken when unordered), the second that of b.
 * An accumulator goes into `a`, so that the second test is off its chain. */
static LLVMValueRef extremum(emitter *e, bool min, int dtype, LLVMValueRef a, LLVMValueRef b) {
  if (is_float(dtype)) {
    LLVMValueRef less = LLVMBuildFCmp(e->b, min ? LLVMRealOLT : LLVMRealOGT, b, a, "");
    LLVMValueRef r = LLVMBuildSelect(e->b, less, b, a, "");
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, b, b, ""), b, r, "");
  }
  LLVMIntPredicate p = is_signed(dtype) ? (min ? LLVMIntSLT : LLVMIntSGT) : (min ? LLVMIntULT : LLVMIntUGT);
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, p, a, b, ""), a, b, "");
}

LLVMValueRef em_combine(emitter *e, int op, int dtype, LLVMValueRef a, LLVMValueRef b) {
  bool f = is_float(dtype);
  switch (op) {
  case K_ADD: return f ? LLVMBuildFAdd(e->b, a, b, "") : LLVMBuildAdd(e->b, a, b, "");
  case K_MUL: return f ? LLVMBuildFMul(e->b, a, b, "") : LLVMBuildMul(e->b, a, b, "");
  case K_AND: return LLVMBuildAnd(e->b, a, b, "");
  case K_OR: return LLVMBuildOr(e->b, a, b, "");
  case K_LARGER: return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, a, b, ""), a, b, "");
  case K_SMALLER: return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, a, b, ""), a, b, "");
  default: return extremum(e, op == K_MIN, dtype, a, b);
  }
}

/* Single numbers are chosen as integers: of floats LLVM's fast code generator (19, AVX without AVX-512) makes a blend of
 * whole vectors and lets it read 16 bytes of memory where there may be but one number. */
static LLVMValueRef choose(emitter *e, int dtype, LLVMValueRef c, LLVMValueRef x, LLVMValueRef y, int lanes) {
  if (lanes > 1 || !is_float(dtype)) return LLVMBuildSelect(e->b, c, x, y, "");
  LLVMTypeRef bits = em_type(e, tme_dtype_size((tme_dtype)dtype) == 8 ? TME_U64 : TME_U32, 1);
  x = LLVMBuildBitCast(e->b, x, bits, "");
  y = LLVMBuildBitCast(e->b, y, bits, "");
  return LLVMBuildBitCast(e->b, LLVMBuildSelect(e->b, c, x, y, ""), em_type(e, dtype, 1), "");
}

static LLVMValueRef compare(emitter *e, int op, int dtype, LLVMValueRef a, LLVMValueRef b) {
  static const LLVMRealPredicate f[] = {LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT, LLVMRealOLE, LLVMRealOGT, LLVMRealOGE};
  static const LLVMIntPredicate s[] = {LLVMIntEQ, LLVMIntNE, LLVMIntSLT, LLVMIntSLE, LLVMIntSGT, LLVMIntSGE};
  static const LLVMIntPredicate u[] = {LLVMIntEQ, LLVMIntNE, LLVMIntULT, LLVMIntULE, LLVMIntUGT, LLVMIntUGE};
  int i = op - K_EQ;
  if (is_float(dtype)) return LLVMBuildFCmp(e->b, f[i], a, b, "");
  return LLVMBuildICmp(e->b, is_signed(dtype) ? s[i] : u[i], a, b, "");
}

/* An index, or a number that it is compared with, in half the bits; NULL if it does not fit. */
static LLVMValueRef narrow(emitter *e, int inst, int lanes) {
  const k_inst *in = &e->k->inst[inst];
  if (in->op == K_CONST && (int64_t)in->imm == (int32_t)in->imm)
    return em_const_splat(LLVMConstInt(e->i32, in->imm, true), lanes);
  return in->op == K_INDEX && ix_fits_32(e, (int)in->imm) ? ix_lanes(e, (int)in->imm, true) : NULL;
}

/* Guards compare indices: twice as many at a time, where they are small. */
static LLVMValueRef compare_indices(emitter *e, const k_inst *in, int lanes) {
  if (lanes == 1 || e->k->inst[in->a].op != K_INDEX) return NULL;
  LLVMValueRef a = narrow(e, in->a, lanes), b = a ? narrow(e, in->b, lanes) : NULL;
  return b ? compare(e, in->op, TME_I32, a, b) : NULL;
}

/* A count of the width or more gives 0, or the sign. */
static LLVMValueRef shift(emitter *e, const k_inst *in, LLVMValueRef a, LLVMValueRef n) {
  int width = width_of(in->dtype);
  LLVMValueRef fits = LLVMBuildICmp(e->b, LLVMIntULT, n, number(n, (uint64_t)width), "");
  if (in->op == K_SHR && is_signed(in->dtype)) {
    n = LLVMBuildSelect(e->b, fits, n, number(n, (uint64_t)width - 1), "");
    return LLVMBuildAShr(e->b, a, n, "");
  }
  LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(a));
  LLVMValueRef safe = LLVMBuildSelect(e->b, fits, n, zero, "");
  LLVMValueRef r = in->op == K_SHL ? LLVMBuildShl(e->b, a, safe, "") : LLVMBuildLShr(e->b, a, safe, "");
  return LLVMBuildSelect(e->b, fits, r, zero, "");
}

/* Integers of up to 32 bits divide exactly in f64: a quotient that is no integer is at least 2^-32 away from the
 * next. */
static LLVMValueRef quotient(emitter *e, int dtype, int lanes, LLVMValueRef a, LLVMValueRef b) {
  bool sign = is_signed(dtype);
  if (lanes == 1 || width_of(dtype) > 32 || LLVMIsConstant(b))
    return sign ? LLVMBuildSDiv(e->b, a, b, "") : LLVMBuildUDiv(e->b, a, b, "");
  LLVMTypeRef wide = em_vector(e->i64, lanes), f = em_vector(e->f64, lanes), t = LLVMTypeOf(a);
  if (width_of(dtype) < 32 || sign) wide = em_vector(e->i32, lanes); /* the quotient fits: INT_MIN / -1 was taken out */
  LLVMValueRef x = sign ? LLVMBuildSIToFP(e->b, a, f, "") : LLVMBuildUIToFP(e->b, a, f, "");
  LLVMValueRef y = sign ? LLVMBuildSIToFP(e->b, b, f, "") : LLVMBuildUIToFP(e->b, b, f, "");
  LLVMValueRef q = LLVMBuildFDiv(e->b, x, y, "");
  if (width_of(dtype) == 32 && !sign) return LLVMBuildFPToUI(e->b, q, t, "");
  q = LLVMBuildFPToSI(e->b, q, wide, "");
  return LLVMTypeOf(q) == t ? q : LLVMBuildTrunc(e->b, q, t, "");
}

/* x / 0 = x % 0 = 0; the most negative number by -1 wraps. The processor traps on both, on lanes that are off as
 * well. */
static LLVMValueRef divide(emitter *e, const k_inst *in, int lanes, LLVMValueRef a, LLVMValueRef b) {
  int width = width_of(in->dtype);
  LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(b)), one = number(b, 1);
  LLVMValueRef none = LLVMBuildICmp(e->b, LLVMIntEQ, b, zero, ""), unsafe = none;
  if (is_signed(in->dtype)) {
    LLVMValueRef low = LLVMBuildICmp(e->b, LLVMIntEQ, a, number(a, (uint64_t)1 << (width - 1)), "");
    LLVMValueRef minus = LLVMBuildICmp(e->b, LLVMIntEQ, b, LLVMConstAllOnes(LLVMTypeOf(b)), "");
    unsafe = LLVMBuildOr(e->b, none, LLVMBuildAnd(e->b, low, minus, ""), "");
  }
  const k_inst *by = &e->k->inst[in->b];
  uint64_t ones = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
  bool known = by->op == K_CONST && (by->imm & ones) && (by->imm & ones) != ones;
  if (!known) b = LLVMBuildSelect(e->b, unsafe, one, b, "");
  LLVMValueRef q = quotient(e, in->dtype, lanes, a, b);
  if (in->op == K_IREM) q = LLVMBuildSub(e->b, a, LLVMBuildMul(e->b, q, b, ""), "");
  return known ? q : LLVMBuildSelect(e->b, none, zero, q, "");
}

/* a * 2^n by the exponent bits of b, in two steps so that a denormal result is rounded once. AVX-512 has it. */
static LLVMValueRef scale(emitter *e, const k_inst *in, LLVMValueRef a, LLVMValueRef b, int lanes) {
  bool single = in->dtype == TME_F32, down = in->op == K_SCALE_DOWN;
  LLVMTypeRef type = LLVMTypeOf(a);
  int size = lanes * (single ? 32 : 64);
  if (e->has.avx512 && size >= 128 && size <= 512) {
    char name[48];
    snprintf(name, sizeof name, "llvm.x86.avx512.mask.scalef.p%c.%d", single ? 's' : 'd', size);
    double base =
        single ? (down ? K_SCALE_DOWN_BASE_F32 : K_SCALE_BASE_F32) : (down ? K_SCALE_DOWN_BASE_F64 : K_SCALE_BASE_F64);
    LLVMValueRef n = LLVMBuildFAdd(e->b, b, real(type, -base), "");
    LLVMTypeRef mask = LLVMIntTypeInContext(e->ctx, lanes < 8 ? 8 : (unsigned)lanes);
    LLVMValueRef args[] = {a, n, LLVMConstNull(type), LLVMConstAllOnes(mask), LLVMConstInt(e->i32, 4, false)};
    return em_call(e, name, NULL, 0, args, size == 512 ? 5 : 4);
  }
  LLVMValueRef bits = LLVMBuildBitCast(e->b, b, em_vector(single ? e->i32 : e->i64, lanes), "");
  LLVMValueRef shift = number(bits, single ? 23 : 52), first = bits, second;
  if (down) {
    second = real(type, single ? 0x1p-24 : 0x1p-53);
  } else {
    first = LLVMBuildAShr(e->b, bits, number(bits, 1), "");
    second = LLVMBuildShl(e->b, LLVMBuildSub(e->b, bits, first, ""), shift, "");
    second = LLVMBuildBitCast(e->b, second, type, "");
  }
  first = LLVMBuildBitCast(e->b, LLVMBuildShl(e->b, first, shift, ""), type, "");
  return LLVMBuildFMul(e->b, LLVMBuildFMul(e->b, a, first, ""), second, "");
}

LLVMValueRef em_prim(emitter *e, int inst, int lanes) {
  const k_inst *in = &e->k->inst[inst];
  LLVMBuilderRef b = e->b;
  if (in->op == K_LIBM) return em_libm(e, inst, lanes);
  if (in->op == K_LIBM_REST) return em_libm_rest(e, inst, lanes);
  if (in->op >= K_EQ && in->op <= K_GE) {
    LLVMValueRef v = compare_indices(e, in, lanes);
    if (v) return v;
  }
  int from = e->k->inst[in->a].dtype;
  bool f = is_float(in->dtype);
  LLVMValueRef x = em_operand(e, in->a, lanes), y = in->b >= 0 ? em_operand(e, in->b, lanes) : NULL;
  LLVMValueRef z = in->c >= 0 ? em_operand(e, in->c, lanes) : NULL;
  switch (in->op) {
  case K_ADD:
  case K_MUL:
  case K_MIN:
  case K_MAX:
  case K_LARGER:
  case K_SMALLER:
  case K_AND:
  case K_OR: return em_combine(e, in->op, in->dtype, x, y);
  case K_SUB: return f ? LLVMBuildFSub(b, x, y, "") : LLVMBuildSub(b, x, y, "");
  case K_DIV: return LLVMBuildFDiv(b, x, y, "");
  case K_IDIV:
  case K_IREM: return divide(e, in, lanes, x, y);
  case K_FMA: return em_fma(e, in->dtype, x, y, z);
  case K_FMA_ONCE: return em_fma_once(e, in->dtype, x, y, z, lanes);
  case K_DOT_BF16:
  case K_DOT_I16: return em_dot(e, in->op, x, y, z, lanes);
  case K_NEG: return f ? LLVMBuildFNeg(b, x, "") : LLVMBuildNeg(b, x, "");
  case K_ABS: {
    if (f) return call1(e, "llvm.fabs", x);
    LLVMValueRef low = LLVMBuildICmp(b, LLVMIntSLT, x, LLVMConstNull(LLVMTypeOf(x)), "");
    return is_signed(in->dtype) ? LLVMBuildSelect(b, low, LLVMBuildNeg(b, x, ""), x, "") : x;
  }
  case K_SQRT: return call1(e, "llvm.sqrt", x);
  case K_FLOOR:
  case K_CEIL:
  case K_TRUNC:
  case K_RINT: return em_round(e, in->op, in->dtype, x, lanes);
  case K_SCALE:
  case K_SCALE_DOWN: return scale(e, in, x, y, lanes);
  case K_EQ:
  case K_NE:
  case K_LT:
  case K_LE:
  case K_GT:
  case K_GE: return compare(e, in->op, from, x, y);
  case K_XOR: return LLVMBuildXor(b, x, y, "");
  case K_NOT: return LLVMBuildNot(b, x, "");
  case K_SHL:
  case K_SHR: return shift(e, in, x, y);
  case K_SELECT: return choose(e, in->dtype, x, y, z, lanes);
  case K_CAST: return em_cast(e, in->dtype, from, x, lanes);
  case K_BITCAST: return LLVMBuildBitCast(b, x, em_type(e, in->dtype, lanes), "");
  default: em_fail(e, "%%%d: %s has no code", inst, k_op_name((k_op)in->op)); return x;
  }
}
