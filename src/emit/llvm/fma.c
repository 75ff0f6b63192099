/* a * b + c: as the processor has it, or rounded once where it has no instruction for that. */
#include "base/libm.h"
#include "emitter.h"

LLVMValueRef em_fma(emitter *e, int dtype, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
  if (dtype != TME_F32 && dtype != TME_F64) return LLVMBuildAdd(e->b, LLVMBuildMul(e->b, a, b, ""), c, "");
  if (!e->has.fma) /* two roundings: such targets differ from others there, as the order of a sum does */
    return LLVMBuildFAdd(e->b, LLVMBuildFMul(e->b, a, b, ""), c, "");
  LLVMTypeRef t = LLVMTypeOf(c);
  return em_call(e, "llvm.fma", &t, 1, (LLVMValueRef[]){a, b, c}, 3);
}

/* What the steps below work on: vectors of f64. */
typedef struct wide {
  emitter *e;
  LLVMBuilderRef b;
  int lanes;
} wide;

static LLVMValueRef add(const wide *w, LLVMValueRef x, LLVMValueRef y) { return LLVMBuildFAdd(w->b, x, y, ""); }
static LLVMValueRef sub(const wide *w, LLVMValueRef x, LLVMValueRef y) { return LLVMBuildFSub(w->b, x, y, ""); }
static LLVMValueRef mul(const wide *w, LLVMValueRef x, LLVMValueRef y) { return LLVMBuildFMul(w->b, x, y, ""); }
static LLVMValueRef bits_of(const wide *w, LLVMValueRef x) {
  return LLVMBuildBitCast(w->b, x, em_type(w->e, TME_U64, w->lanes), "");
}
static LLVMValueRef number(const wide *w, uint64_t bits) { return em_bits(w->e, TME_F64, w->lanes, bits); }
static LLVMValueRef is(const wide *w, LLVMRealPredicate p, LLVMValueRef x, uint64_t bits) {
  return LLVMBuildFCmp(w->b, p, x, number(w, bits), "");
}
static LLVMValueRef magnitude(const wide *w, LLVMValueRef x) {
  LLVMTypeRef t = LLVMTypeOf(x);
  return em_call(w->e, "llvm.fabs", &t, 1, &x, 1);
}

/* Chosen as integers: see choose() in value.c. */
static LLVMValueRef pick(const wide *w, LLVMValueRef p, LLVMValueRef x, LLVMValueRef y) {
  LLVMValueRef r = LLVMBuildSelect(w->b, p, bits_of(w, x), bits_of(w, y), "");
  return LLVMBuildBitCast(w->b, r, LLVMTypeOf(x), "");
}

/* What x + y = sum lost (Knuth). */
static LLVMValueRef lost_in_sum(const wide *w, LLVMValueRef x, LLVMValueRef y, LLVMValueRef sum) {
  LLVMValueRef of_y = sub(w, sum, x);
  return add(w, sub(w, x, sub(w, sum, of_y)), sub(w, y, of_y));
}

/* x + y rounded to odd: to be rounded once more, to fewer bits or in a sum with a number that is larger by far, as if
 * that were the only time. */
static LLVMValueRef sum_to_odd(const wide *w, LLVMValueRef x, LLVMValueRef y) {
  LLVMValueRef sum = add(w, x, y), lost = lost_in_sum(w, x, y, sum), u = bits_of(w, sum);
  LLVMValueRef one = em_bits(w->e, TME_U64, w->lanes, 1), zero = LLVMConstNull(LLVMTypeOf(u));
  LLVMValueRef even = LLVMBuildICmp(w->b, LLVMIntEQ, LLVMBuildAnd(w->b, u, one, ""), zero, "");
  LLVMValueRef inexact = LLVMBuildAnd(w->b, even, is(w, LLVMRealONE, lost, 0), "");
  LLVMValueRef outward = LLVMBuildXor(w->b, is(w, LLVMRealOGT, lost, 0), is(w, LLVMRealOLT, sum, 0), "");
  LLVMValueRef next =
      LLVMBuildSelect(w->b, outward, LLVMBuildAdd(w->b, u, one, ""), LLVMBuildSub(w->b, u, one, ""), "");
  return LLVMBuildBitCast(w->b, LLVMBuildSelect(w->b, inexact, next, u, ""), LLVMTypeOf(sum), "");
}

/* The product of two f32 is exact in f64. */
static LLVMValueRef once_f32(const wide *w, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
  LLVMTypeRef f64 = em_type(w->e, TME_F64, w->lanes);
  LLVMValueRef product = mul(w, LLVMBuildFPExt(w->b, a, f64, ""), LLVMBuildFPExt(w->b, b, f64, ""));
  return LLVMBuildFPTrunc(w->b, sum_to_odd(w, product, LLVMBuildFPExt(w->b, c, f64, "")), LLVMTypeOf(c), "");
}

typedef struct halves {
  LLVMValueRef high, low;
} halves;

/* 26 bits each (Veltkamp). */
static halves split(const wide *w, LLVMValueRef x) {
  LLVMValueRef t = mul(w, x, number(w, 0x41a0000002000000)), high = sub(w, t, sub(w, t, x)); /* 2^27 + 1 */
  return (halves){high, sub(w, x, high)};
}

/* What a * b = product lost (Dekker). */
static LLVMValueRef lost_in_product(const wide *w, LLVMValueRef a, LLVMValueRef b, LLVMValueRef product) {
  halves x = split(w, a), y = split(w, b);
  LLVMValueRef r = sub(w, mul(w, x.high, y.high), product);
  r = add(w, add(w, r, mul(w, x.high, y.low)), mul(w, x.low, y.high));
  return add(w, r, mul(w, x.low, y.low));
}

/* Boldo & Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008; where
 * a step of it might leave the range, and of NaN, the C library's. */
static LLVMValueRef once_f64(const wide *w, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
  LLVMValueRef product = mul(w, a, b), lost = lost_in_product(w, a, b, product);
  LLVMValueRef t = add(w, c, lost), tail = lost_in_sum(w, c, lost, t);
  LLVMValueRef v = add(w, product, t), rest = sum_to_odd(w, tail, lost_in_sum(w, product, t, v));
  LLVMValueRef r = add(w, v, rest);
  r = pick(w, is(w, LLVMRealOEQ, r, 0), add(w, product, c), r); /* the sign of a zero */
  LLVMValueRef none = LLVMBuildOr(w->b, is(w, LLVMRealOEQ, a, 0), is(w, LLVMRealOEQ, b, 0), "");
  LLVMValueRef safe =
      LLVMBuildOr(w->b, none, is(w, LLVMRealOGT, magnitude(w, product), 0x07b0000000000000), ""); /* 2^-900 */
  LLVMValueRef operand[] = {a, b, c};
  for (int i = 0; i < 3; i++) /* below 2^500 */
    safe = LLVMBuildAnd(w->b, safe, is(w, LLVMRealOLT, magnitude(w, operand[i]), 0x5f30000000000000), "");
  return em_libm_unless(w->e, LIBM_fma, safe, r, operand, 3, w->lanes);
}

LLVMValueRef em_fma_once(emitter *e, int dtype, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c, int lanes) {
  if (e->has.fma) return em_fma(e, dtype, a, b, c);
  wide w = {e, e->b, lanes};
  return dtype == TME_F32 ? once_f32(&w, a, b, c) : once_f64(&w, a, b, c);
}
