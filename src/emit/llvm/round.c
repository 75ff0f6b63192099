/* Rounding to whole numbers, and calls of the C library's functions through their table. */
#include "base/libm.h"
#include "emitter.h"

static LLVMValueRef call(emitter *e, const char *name, LLVMValueRef *args, int n) {
  LLVMTypeRef t = LLVMTypeOf(args[0]);
  return em_call(e, name, &t, 1, args, n);
}

static LLVMValueRef with_sign_of(emitter *e, LLVMValueRef v, LLVMValueRef x) {
  return call(e, "llvm.copysign", (LLVMValueRef[]){v, x}, 2);
}

/* Without an instruction: adding and taking away 2^mantissa rounds to nearest, then one step back where that overshot.
 * Numbers from 2^mantissa on are whole, and NaN is itself. */
static LLVMValueRef round_by_adding(emitter *e, int op, int dtype, LLVMValueRef x, int lanes) {
  bool single = dtype == TME_F32;
  LLVMValueRef big = em_bits(e, dtype, lanes, single ? 0x4b000000 : 0x4330000000000000);
  LLVMValueRef one = em_bits(e, dtype, lanes, single ? 0x3f800000 : 0x3ff0000000000000);
  LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x)), a = call(e, "llvm.fabs", &x, 1);
  LLVMValueRef r = LLVMBuildFSub(e->b, LLVMBuildFAdd(e->b, a, big, ""), big, "");
  if (op == K_FLOOR || op == K_CEIL) {
    r = with_sign_of(e, r, x);
    bool down = op == K_FLOOR;
    LLVMValueRef over = LLVMBuildFCmp(e->b, down ? LLVMRealOGT : LLVMRealOLT, r, x, "");
    LLVMValueRef back = LLVMBuildSelect(e->b, over, one, zero, "");
    r = down ? LLVMBuildFSub(e->b, r, back, "") : LLVMBuildFAdd(e->b, r, back, "");
  } else if (op == K_TRUNC) {
    LLVMValueRef over = LLVMBuildFCmp(e->b, LLVMRealOGT, r, a, "");
    r = LLVMBuildFSub(e->b, r, LLVMBuildSelect(e->b, over, one, zero, ""), "");
  }
  LLVMValueRef small = LLVMBuildFCmp(e->b, LLVMRealOLT, a, big, "");
  return LLVMBuildSelect(e->b, small, with_sign_of(e, r, x), x, "");
}

LLVMValueRef em_round(emitter *e, int op, int dtype, LLVMValueRef v, int lanes) {
  if (!e->has.round) return round_by_adding(e, op, dtype, v, lanes);
  const char *name = op == K_FLOOR   ? "llvm.floor"
                     : op == K_CEIL  ? "llvm.ceil"
                     : op == K_TRUNC ? "llvm.trunc"
                                     : "llvm.rint";
  return call(e, name, &v, 1);
}

/* A stack slot of the frame, made once in the entry block. */
static LLVMValueRef slot(emitter *e, LLVMTypeRef t) {
  LLVMBasicBlockRef back = LLVMGetInsertBlock(e->b);
  LLVMPositionBuilderBefore(e->b, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(e->fn)));
  LLVMValueRef p = LLVMBuildAlloca(e->b, t, "");
  LLVMPositionBuilderAtEnd(e->b, back);
  return p;
}

/* Lane after lane, in a loop that runs to lane `last`: the operands lie on the stack, since a call saves no vector
 * register. What it does not come to is `r`, if that is given. */
static LLVMValueRef call_lanes(emitter *e, libm_id f, LLVMValueRef *x, int n, int lanes, LLVMValueRef last,
                               LLVMValueRef r) {
  LLVMTypeRef params[] = {e->f64, e->f64, e->f64}, ft = LLVMFunctionType(e->f64, params, (unsigned)n, false);
  LLVMTypeRef vt = em_vector(e->f64, lanes);
  LLVMValueRef row = em_int(e, (int64_t)f), entry, at[3], y[3], to;
  entry = LLVMBuildLoad2(e->b, e->ptr, LLVMBuildGEP2(e->b, e->ptr, e->libm, &row, 1, ""), "");
  if (lanes == 1 && !r) return LLVMBuildCall2(e->b, ft, entry, x, (unsigned)n, "");
  for (int i = 0; i < n; i++) LLVMBuildStore(e->b, x[i], at[i] = slot(e, vt));
  to = slot(e, vt);
  if (r) LLVMBuildStore(e->b, r, to);
  region_begin(e, em_int(e, 0), last, 1, r != NULL, false, -1);
  if (e->failed) return LLVMGetPoison(vt);
  LLVMValueRef lane = e->frames[e->depth].iv;
  for (int i = 0; i < n; i++) y[i] = LLVMBuildLoad2(e->b, e->f64, LLVMBuildGEP2(e->b, e->f64, at[i], &lane, 1, ""), "");
  LLVMValueRef v = LLVMBuildCall2(e->b, ft, entry, y, (unsigned)n, "");
  LLVMBuildStore(e->b, v, LLVMBuildGEP2(e->b, e->f64, to, &lane, 1, ""));
  region_end(e);
  return LLVMBuildLoad2(e->b, vt, to, "");
}

LLVMValueRef em_libm(emitter *e, int inst, int lanes) {
  const k_inst *in = &e->k->inst[inst];
  int n = in->b >= 0 ? 2 : 1;
  LLVMValueRef x[2] = {NULL, NULL}, r;
  for (int i = 0; i < n; i++) {
    int v = i ? in->b : in->a;
    x[i] = em_cast(e, TME_F64, e->k->inst[v].dtype, em_operand(e, v, lanes), lanes);
  }
  r = call_lanes(e, (libm_id)in->imm, x, n, lanes, em_int(e, lanes), NULL);
  return em_cast(e, in->dtype, TME_F64, r, lanes);
}

/* 0 where the lanes of a mask are all set, else n. */
static LLVMValueRef none_or(emitter *e, LLVMValueRef lanes_set, int n, int lanes) {
  LLVMTypeRef mask = LLVMIntTypeInContext(e->ctx, (unsigned)lanes);
  LLVMValueRef bits = LLVMBuildBitCast(e->b, lanes_set, mask, "");
  LLVMValueRef all = LLVMBuildICmp(e->b, LLVMIntEQ, bits, LLVMConstAllOnes(mask), "");
  return LLVMBuildSelect(e->b, all, em_int(e, 0), em_int(e, n), "");
}

LLVMValueRef em_libm_unless(emitter *e, int f, LLVMValueRef known, LLVMValueRef r, LLVMValueRef *x, int n, int lanes) {
  return call_lanes(e, (libm_id)f, x, n, lanes, none_or(e, known, lanes, lanes), r);
}

/* Calls are off the way. Each lane has what it would have next to any others. */
LLVMValueRef em_libm_rest(emitter *e, int inst, int lanes) {
  const k_inst *in = &e->k->inst[inst];
  LLVMBuilderRef b = e->b;
  LLVMValueRef r = em_operand(e, in->a, lanes), x[] = {em_operand(e, in->b, lanes), em_operand(e, in->c, lanes)};
  LLVMValueRef nan = LLVMBuildFCmp(b, LLVMRealUNO, x[0], x[1], "");
  LLVMValueRef known = LLVMBuildOr(b, nan, LLVMBuildFCmp(b, LLVMRealORD, r, r, ""), "");
  region_begin(e, em_int(e, 0), none_or(e, known, 1, lanes), 1, true, true, -1);
  if (e->failed) return r;
  LLVMBasicBlockRef before = e->frames[e->depth].entry;
  libm_id f = (libm_id)in->imm;
  for (int i = 0; i < 2; i++) x[i] = em_cast(e, TME_F64, in->dtype, x[i], lanes);
  LLVMValueRef v = call_lanes(e, f, x, libm_arity(f), lanes, em_int(e, lanes), NULL);
  LLVMTypeRef bits = em_type(e, in->dtype == TME_F64 ? TME_U64 : TME_U32, lanes), t = LLVMTypeOf(r);
  v = LLVMBuildBitCast(b, em_cast(e, in->dtype, TME_F64, v, lanes), bits, "");
  v = LLVMBuildSelect(b, known, LLVMBuildBitCast(b, r, bits, ""), v, ""); /* as integers: see choose() in value.c */
  v = LLVMBuildBitCast(b, v, t, "");
  LLVMBasicBlockRef after = LLVMGetInsertBlock(b);
  region_end(e);
  LLVMValueRef phi = LLVMBuildPhi(b, t, "");
  LLVMAddIncoming(phi, (LLVMValueRef[]){r, v}, (LLVMBasicBlockRef[]){before, after}, 2);
  return phi;
}
