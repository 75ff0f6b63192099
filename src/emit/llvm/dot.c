/* Products of pairs of 16-bit numbers: an instruction where the processor has one for vectors of that length, else written
 * out. */
#include "emitter.h"
#include <stdio.h>

static bool one_register(const emitter *e, int op, int lanes) {
  if (!e->has.x86) return false;
  if (op == K_DOT_BF16) return e->has.bf16 && (lanes == 4 || lanes == 8 || lanes == 16);
  return lanes == 4 || (lanes == 8 && e->has.avx2) || (lanes == 16 && e->has.avx512bw);
}

/* Older versions of LLVM take the pairs as i32, later ones bfloats as such. */
static LLVMValueRef as_operand(emitter *e, const char *name, unsigned n, LLVMValueRef v) {
  LLVMTypeRef list[3];
  LLVMGetParamTypes(LLVMIntrinsicGetType(e->ctx, LLVMLookupIntrinsicID(name, __builtin_strlen(name)), NULL, 0), list);
  return LLVMBuildBitCast(e->b, v, list[n], "");
}

static LLVMValueRef dot_bf16(emitter *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef sum, int lanes) {
  char name[48];
  snprintf(name, sizeof name, "llvm.x86.avx512bf16.dpbf16ps.%d", 32 * lanes);
  LLVMValueRef args[] = {sum, as_operand(e, name, 1, a), as_operand(e, name, 2, b)};
  return em_call(e, name, NULL, 0, args, 3);
}

/* The code generator makes one instruction of both where there is one (VNNI). */
static LLVMValueRef dot_i16(emitter *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef sum, int lanes) {
  const char *name = lanes == 4   ? "llvm.x86.sse2.pmadd.wd"
                     : lanes == 8 ? "llvm.x86.avx2.pmadd.wd"
                                  : "llvm.x86.avx512.pmaddw.d.512";
  LLVMValueRef args[] = {as_operand(e, name, 0, a), as_operand(e, name, 1, b)};
  return LLVMBuildAdd(e->b, em_call(e, name, NULL, 0, args, 2), sum, "");
}

LLVMValueRef em_dot(emitter *e, int op, LLVMValueRef a, LLVMValueRef b, LLVMValueRef sum, int lanes) {
  bool bf16 = op == K_DOT_BF16;
  if (one_register(e, op, lanes)) return (bf16 ? dot_bf16 : dot_i16)(e, a, b, sum, lanes);
  LLVMValueRef by = em_bits(e, TME_U32, lanes, 16), high = em_bits(e, TME_U32, lanes, 0xffff0000), x[2][2];
  for (int i = 0; i < 2; i++) { /* each half as a number of 32 bits, the high one first */
    LLVMValueRef v = i ? b : a, low = LLVMBuildShl(e->b, v, by, "");
    x[0][i] = bf16 ? LLVMBuildAnd(e->b, v, high, "") : LLVMBuildAShr(e->b, v, by, "");
    x[1][i] = bf16 ? low : LLVMBuildAShr(e->b, low, by, "");
  }
  for (int h = 0; h < 2; h++) {
    for (int i = 0; i < 2 && bf16; i++) x[h][i] = LLVMBuildBitCast(e->b, x[h][i], LLVMTypeOf(sum), "");
    sum = em_fma(e, bf16 ? TME_F32 : TME_I32, x[h][0], x[h][1], sum);
  }
  return sum;
}
