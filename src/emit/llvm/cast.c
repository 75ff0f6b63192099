/* Conversions. None may become a call of the C library: narrow floats go by bits where the processor has no
 * instruction, and never from f64 in one LLVM instruction. */
#include "emitter.h"

typedef struct width {
  emitter *e;
  LLVMBuilderRef b;
  int lanes;
} width;

static LLVMValueRef u32(const width *w, uint32_t v) { return em_bits(w->e, TME_U32, w->lanes, v); }
static LLVMTypeRef type(const width *w, int dtype) { return em_type(w->e, dtype, w->lanes); }
static LLVMValueRef bits(const width *w, LLVMValueRef v, int dtype) {
  return LLVMBuildBitCast(w->b, v, type(w, dtype), "");
}
static LLVMValueRef pick(const width *w, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b) {
  return LLVMBuildSelect(w->b, c, a, b, "");
}
static LLVMValueRef is(const width *w, LLVMIntPredicate p, LLVMValueRef a, uint32_t b) {
  return LLVMBuildICmp(w->b, p, a, u32(w, b), "");
}

/* ---- narrow floats: from f32 and to it -------------------------------------------------------------------------- */

static LLVMValueRef widen_f16(const width *w, LLVMValueRef v) {
  if (w->e->has.half)
    return LLVMBuildFPExt(w->b, LLVMBuildBitCast(w->b, v, em_vector(w->e->f16, w->lanes), ""), type(w, TME_F32), "");
  LLVMValueRef h = LLVMBuildZExt(w->b, v, type(w, TME_U32), "");
  LLVMValueRef sign = LLVMBuildShl(w->b, LLVMBuildAnd(w->b, h, u32(w, 0x8000), ""), u32(w, 16), "");
  LLVMValueRef a = LLVMBuildAnd(w->b, h, u32(w, 0x7fff), ""), up = LLVMBuildShl(w->b, a, u32(w, 13), "");
  /* 2^112: from the exponent's old bias to the new one, exact for subnormals too */
  LLVMValueRef f = LLVMBuildFMul(w->b, bits(w, up, TME_F32), em_bits(w->e, TME_F32, w->lanes, 0x77800000), "");
  LLVMValueRef special = LLVMBuildOr(w->b, up, u32(w, 0x7f800000), "");
  special = pick(w, is(w, LLVMIntUGT, a, 0x7c00), LLVMBuildOr(w->b, special, u32(w, 0x400000), ""), special);
  LLVMValueRef r = pick(w, is(w, LLVMIntUGE, a, 0x7c00), special, bits(w, f, TME_U32));
  return bits(w, LLVMBuildOr(w->b, r, sign, ""), TME_F32);
}

static LLVMValueRef narrow_f16(const width *w, LLVMValueRef v) {
  if (w->e->has.half) {
    LLVMValueRef h = LLVMBuildFPTrunc(w->b, v, em_vector(w->e->f16, w->lanes), "");
    return LLVMBuildBitCast(w->b, h, type(w, TME_F16), "");
  }
  LLVMValueRef u = bits(w, v, TME_U32), a = LLVMBuildAnd(w->b, u, u32(w, 0x7fffffff), "");
  LLVMValueRef sign = LLVMBuildLShr(w->b, LLVMBuildAnd(w->b, u, u32(w, 0x80000000), ""), u32(w, 16), "");
  LLVMValueRef odd = LLVMBuildAnd(w->b, LLVMBuildLShr(w->b, a, u32(w, 13), ""), u32(w, 1), "");
  LLVMValueRef r = LLVMBuildAdd(w->b, LLVMBuildAdd(w->b, a, u32(w, 0xc8000fff), ""), odd, ""); /* bias 127 -> 15 */
  r = LLVMBuildLShr(w->b, r, u32(w, 13), "");
  /* Subnormal: adding 0.5 moves the bits to keep to the end of the mantissa and rounds. */
  LLVMValueRef small = LLVMBuildFAdd(w->b, bits(w, a, TME_F32), em_bits(w->e, TME_F32, w->lanes, 0x3f000000), "");
  small = LLVMBuildSub(w->b, bits(w, small, TME_U32), u32(w, 0x3f000000), "");
  r = pick(w, is(w, LLVMIntULT, a, 0x38800000), small, r);
  LLVMValueRef nan = LLVMBuildAnd(w->b, LLVMBuildLShr(w->b, a, u32(w, 13), ""), u32(w, 0x3ff), "");
  nan = LLVMBuildOr(w->b, nan, u32(w, 0x7e00), "");
  r = pick(w, is(w, LLVMIntUGE, a, 0x477ff000), u32(w, 0x7c00), r);
  r = pick(w, is(w, LLVMIntUGT, a, 0x7f800000), nan, r);
  return LLVMBuildTrunc(w->b, LLVMBuildOr(w->b, r, sign, ""), type(w, TME_F16), "");
}

static LLVMValueRef widen_bf16(const width *w, LLVMValueRef v) {
  LLVMValueRef u = LLVMBuildZExt(w->b, v, type(w, TME_U32), "");
  return bits(w, LLVMBuildShl(w->b, u, u32(w, 16), ""), TME_F32);
}

static LLVMValueRef narrow_bf16(const width *w, LLVMValueRef v) {
  LLVMValueRef u = bits(w, v, TME_U32), high = LLVMBuildLShr(w->b, u, u32(w, 16), "");
  LLVMValueRef odd = LLVMBuildAnd(w->b, high, u32(w, 1), "");
  LLVMValueRef r = LLVMBuildAdd(w->b, LLVMBuildAdd(w->b, u, u32(w, 0x7fff), ""), odd, "");
  r = LLVMBuildLShr(w->b, r, u32(w, 16), "");
  LLVMValueRef nan = LLVMBuildFCmp(w->b, LLVMRealUNO, v, v, "");
  r = pick(w, nan, LLVMBuildOr(w->b, high, u32(w, 0x40), ""), r);
  return LLVMBuildTrunc(w->b, r, type(w, TME_BF16), "");
}

static LLVMValueRef widen_f8e4m3(const width *w, LLVMValueRef v) {
  LLVMValueRef h = LLVMBuildZExt(w->b, v, type(w, TME_U32), ""), a = LLVMBuildAnd(w->b, h, u32(w, 0x7f), "");
  LLVMValueRef sign = LLVMBuildShl(w->b, LLVMBuildAnd(w->b, h, u32(w, 0x80), ""), u32(w, 24), "");
  LLVMValueRef f = bits(w, LLVMBuildShl(w->b, a, u32(w, 20), ""), TME_F32);
  f = LLVMBuildFMul(w->b, f, em_bits(w->e, TME_F32, w->lanes, 0x7b800000), ""); /* 2^120, exact for subnormals too */
  LLVMValueRef r = pick(w, is(w, LLVMIntEQ, a, 0x7f), u32(w, 0x7fc00000), bits(w, f, TME_U32));
  return bits(w, LLVMBuildOr(w->b, r, sign, ""), TME_F32);
}

static LLVMValueRef widen_f8e5m2(const width *w, LLVMValueRef v) {
  LLVMValueRef h = LLVMBuildZExt(w->b, v, type(w, TME_U16), "");
  return widen_f16(w, LLVMBuildShl(w->b, h, em_bits(w->e, TME_U16, w->lanes, 8), ""));
}

/* The magnitude of an f32 below a normal one of `least` (as bits), or so many mantissa bits fewer with the exponent moved by
 * `rebias`; at most `most`. `half` is the f32 whose last bit is worth the least number. */
static LLVMValueRef narrow_f8(const width *w, LLVMValueRef a, int drop, uint32_t least, uint32_t rebias, uint32_t half,
                              uint32_t most) {
  LLVMValueRef odd = LLVMBuildAnd(w->b, LLVMBuildLShr(w->b, a, u32(w, (uint32_t)drop), ""), u32(w, 1), "");
  LLVMValueRef r = LLVMBuildAdd(w->b, a, u32(w, ((uint32_t)1 << (drop - 1)) - 1 - rebias), "");
  r = LLVMBuildLShr(w->b, LLVMBuildAdd(w->b, r, odd, ""), u32(w, (uint32_t)drop), "");
  LLVMValueRef small = LLVMBuildFAdd(w->b, bits(w, a, TME_F32), em_bits(w->e, TME_F32, w->lanes, half), "");
  small = LLVMBuildSub(w->b, bits(w, small, TME_U32), u32(w, half), "");
  r = pick(w, is(w, LLVMIntULT, a, least), small, r);
  return pick(w, is(w, LLVMIntUGT, r, most), u32(w, most), r);
}

static LLVMValueRef with_sign(const width *w, LLVMValueRef r, LLVMValueRef u, int dtype) {
  LLVMValueRef sign = LLVMBuildAnd(w->b, LLVMBuildLShr(w->b, u, u32(w, 24), ""), u32(w, 0x80), "");
  return LLVMBuildTrunc(w->b, LLVMBuildOr(w->b, r, sign, ""), type(w, dtype), "");
}

static LLVMValueRef narrow_f8e4m3(const width *w, LLVMValueRef v) {
  LLVMValueRef u = bits(w, v, TME_U32), a = LLVMBuildAnd(w->b, u, u32(w, 0x7fffffff), "");
  return with_sign(w, narrow_f8(w, a, 20, 0x3c800000, (uint32_t)120 << 23, 0x46800000, 0x7f), u, TME_F8E4M3);
}

static LLVMValueRef narrow_f8e5m2(const width *w, LLVMValueRef v) {
  LLVMValueRef u = bits(w, v, TME_U32), a = LLVMBuildAnd(w->b, u, u32(w, 0x7fffffff), "");
  LLVMValueRef r = narrow_f8(w, a, 21, 0x38800000, (uint32_t)112 << 23, 0x43000000, 0x7c);
  LLVMValueRef nan = LLVMBuildAnd(w->b, LLVMBuildLShr(w->b, a, u32(w, 21), ""), u32(w, 3), "");
  nan = LLVMBuildOr(w->b, nan, u32(w, 0x7e), "");
  return with_sign(w, pick(w, is(w, LLVMIntUGT, a, 0x7f800000), nan, r), u, TME_F8E5M2);
}

/* Of the dtypes that kernels hold. */
#define CASE_BOOL(ID, value, kernels)
#define CASE_UNSIGNED(ID, value, kernels)
#define CASE_SIGNED(ID, value, kernels)
#define CASE_FLOAT(ID, value, kernels)
#define CASE_NARROW(ID, value, kernels) CASE_##kernels(ID, value)
#define CASE_COMPLEX(ID, value, kernels)
#define CASE_NO(ID, value)
#define CASE_YES(ID, value)                                                                                            \
  case TME_##ID: return value;

static LLVMValueRef widen(const width *w, int from, LLVMValueRef v) {
  switch (from) {
#define DTYPE(ID, id, name, kind, element, held, digits, most, least, kernels, ...)                                    \
  CASE_##kind(ID, widen_##id(w, v), kernels)
#include "base/dtypes.def"
  default: em_fail(w->e, "no code for %s", tme_dtype_name((tme_dtype)from)); return LLVMGetPoison(type(w, TME_F32));
  }
}

static LLVMValueRef narrow(const width *w, int to, LLVMValueRef v) {
  switch (to) {
#define DTYPE(ID, id, name, kind, element, held, digits, most, least, kernels, ...)                                    \
  CASE_##kind(ID, narrow_##id(w, v), kernels)
#include "base/dtypes.def"
  default: em_fail(w->e, "no code for %s", tme_dtype_name((tme_dtype)to)); return LLVMGetPoison(type(w, to));
  }
}

/* f64 to f32 rounded to odd, so that rounding once more to a narrow float gives what one rounding would. */
static LLVMValueRef narrow_to_odd(const width *w, LLVMValueRef d) {
  LLVMValueRef f = LLVMBuildFPTrunc(w->b, d, type(w, TME_F32), ""),
               back = LLVMBuildFPExt(w->b, f, type(w, TME_F64), "");
  LLVMValueRef u = bits(w, f, TME_U32);
  LLVMTypeRef t = LLVMTypeOf(d);
  LLVMValueRef far = em_call(w->e, "llvm.fabs", &t, 1, &back, 1), near = em_call(w->e, "llvm.fabs", &t, 1, &d, 1);
  LLVMValueRef over = LLVMBuildFCmp(w->b, LLVMRealOGT, far, near, "");
  LLVMValueRef inexact = LLVMBuildFCmp(w->b, LLVMRealONE, back, d, "");
  LLVMValueRef toward = pick(w, over, LLVMBuildSub(w->b, u, u32(w, 1), ""), u);
  return bits(w, pick(w, inexact, LLVMBuildOr(w->b, toward, u32(w, 1), ""), u), TME_F32);
}

/* A 64-bit integer as an f64 that is rounded once more: see int_to_odd(). */
static LLVMValueRef wide_to_odd(const width *w, int from, LLVMValueRef v) {
  LLVMValueRef low = em_bits(w->e, TME_U64, w->lanes, 0x7ff), sticky = em_bits(w->e, TME_U64, w->lanes, 0x800);
  LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(v)), rest = LLVMBuildAnd(w->b, v, low, "");
  LLVMValueRef odd = pick(w, LLVMBuildICmp(w->b, LLVMIntEQ, rest, zero, ""), zero, sticky);
  odd = LLVMBuildOr(w->b, LLVMBuildSub(w->b, v, rest, ""), odd, "");
  LLVMValueRef half = em_bits(w->e, TME_U64, w->lanes, (uint64_t)1 << 53), from_low = v;
  if (from == TME_I64) from_low = LLVMBuildAdd(w->b, v, half, "");
  LLVMValueRef all = em_bits(w->e, TME_U64, w->lanes, (uint64_t)1 << (from == TME_I64 ? 54 : 53));
  v = pick(w, LLVMBuildICmp(w->b, LLVMIntULE, from_low, all, ""), v, odd);
  return em_cast(w->e, TME_F64, from, v, w->lanes);
}

/* ---- all others -------------------------------------------------------------------------------------------------- */

static LLVMValueRef to_int(const width *w, int to, LLVMValueRef v) {
  LLVMTypeRef types[] = {type(w, to), LLVMTypeOf(v)};
  bool sign = dtype_is_signed((tme_dtype)to);
  return em_call(w->e, sign ? "llvm.fptosi.sat" : "llvm.fptoui.sat", types, 2, &v, 1);
}

static LLVMValueRef int_to_int(const width *w, int to, int from, LLVMValueRef v) {
  LLVMTypeRef t = type(w, to);
  size_t a = tme_dtype_size((tme_dtype)from), z = tme_dtype_size((tme_dtype)to);
  if (a == z) return v;
  if (a > z) return LLVMBuildTrunc(w->b, v, t, "");
  return dtype_is_signed((tme_dtype)from) ? LLVMBuildSExt(w->b, v, t, "") : LLVMBuildZExt(w->b, v, t, "");
}

LLVMValueRef em_cast(emitter *e, int to, int from, LLVMValueRef v, int lanes) {
  width w = {e, e->b, lanes};
  if (to == from) return v;
  if (dtype_is_narrow((tme_dtype)to)) {
    if (from == TME_F64)
      v = narrow_to_odd(&w, v);
    else if (from == TME_I64 || from == TME_U64)
      v = narrow_to_odd(&w, wide_to_odd(&w, from, v));
    else if (dtype_is_int((tme_dtype)from))
      v = narrow_to_odd(&w, em_cast(e, TME_F64, from, v, lanes));
    else
      v = em_cast(e, TME_F32, from, v, lanes);
    return narrow(&w, to, v);
  }
  if (dtype_is_narrow((tme_dtype)from)) {
    v = widen(&w, from, v);
    from = TME_F32;
    if (to == from) return v;
  }
  bool f = from == TME_F32 || from == TME_F64;
  LLVMTypeRef t = type(&w, to);
  if (to == TME_BOOL)
    return f ? LLVMBuildFCmp(e->b, LLVMRealUNE, v, LLVMConstNull(LLVMTypeOf(v)), "")
             : LLVMBuildICmp(e->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
  if (to == TME_F32 && f) return LLVMBuildFPTrunc(e->b, v, t, "");
  if (to == TME_F64 && f) return LLVMBuildFPExt(e->b, v, t, "");
  if (to == TME_F32 || to == TME_F64) {
    if (from == TME_BOOL)
      return pick(&w, v, em_bits(e, to, lanes, to == TME_F32 ? 0x3f800000 : 0x3ff0000000000000), LLVMConstNull(t));
    return dtype_is_signed((tme_dtype)from) ? LLVMBuildSIToFP(e->b, v, t, "") : LLVMBuildUIToFP(e->b, v, t, "");
  }
  if (f) return to_int(&w, to, v);
  return from == TME_BOOL ? LLVMBuildZExt(e->b, v, t, "") : int_to_int(&w, to, from, v);
}
