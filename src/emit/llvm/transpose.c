/* A block of memory transposed in registers: rows are loaded where elements lie side by side, and shuffled until every
 * register holds a column. */
#include "emitter.h"

/* The two vectors, one behind the other. */
static LLVMValueRef join(emitter *e, LLVMValueRef a, LLVMValueRef b, int lanes) {
  LLVMValueRef pick[256];
  for (int i = 0; i < 2 * lanes; i++) pick[i] = LLVMConstInt(e->i32, (unsigned)i, false);
  return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(pick, (unsigned)(2 * lanes)), "");
}

/* Within each group of n lanes: the elements of the lower or upper halves of a and b by turns. */
static LLVMValueRef interleave(emitter *e, LLVMValueRef a, LLVMValueRef b, int lanes, int n, bool upper) {
  LLVMValueRef pick[256];
  for (int i = 0; i < lanes; i++) {
    int from = i / n * n + (upper ? n / 2 : 0) + i % n / 2;
    pick[i] = LLVMConstInt(e->i32, (unsigned)(i % 2 ? lanes + from : from), false);
  }
  return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(pick, (unsigned)lanes), "");
}

static LLVMValueRef load_row(emitter *e, const row_block *r, int lane) {
  LLVMValueRef by = em_int(e, r->stride * lane), at = LLVMBuildGEP2(e->b, r->elem, r->from, &by, 1, "");
  if (r->mask) {
    LLVMValueRef on = LLVMBuildExtractElement(e->b, r->mask, em_int(e, lane), "");
    at = LLVMBuildSelect(e->b, on, at, e->nothing, "");
  }
  LLVMValueRef v = LLVMBuildLoad2(e->b, em_vector(r->elem, r->n), at, "");
  LLVMSetAlignment(v, r->align);
  return v;
}

/* Lane l of register i is row l - l % n + i at first. Each round pairs the registers whose numbers differ in the highest
 * bit, and turns the number (register, lane within its group) left by one bit: after log2(n) rounds both have changed
 * places. No round moves anything from one group to another, which many processors do at a third of the speed. */
void em_transpose(emitter *e, const row_block *r, LLVMValueRef *out) {
  LLVMValueRef x[MAX_COLUMNS], y[MAX_COLUMNS], row[256];
  int n = r->n;
  for (int i = 0; i < n; i++) {
    int groups = r->lanes / n;
    for (int g = 0; g < groups; g++) row[g] = load_row(e, r, g * n + i);
    for (int wide = n; groups > 1; groups /= 2, wide *= 2)
      for (int g = 0; g < groups / 2; g++) row[g] = join(e, row[2 * g], row[2 * g + 1], wide);
    x[i] = row[0];
  }
  for (int round = 1; round < n; round *= 2) {
    for (int i = 0; i < n; i++) y[i] = interleave(e, x[i / 2], x[i / 2 + n / 2], r->lanes, n, i % 2);
    for (int i = 0; i < n; i++) x[i] = y[i];
  }
  for (int i = 0; i < n; i++) out[i] = x[i];
}
