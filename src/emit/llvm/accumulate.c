/* Accumulators: values in SSA form that loops carry, without memory.
 *
 * An accumulator has one replica for each coordinate of the vector axes inside it and of the unrolled axes that it
 * keeps apart, and lanes if a vector axis lies between it and its updates. The order of a sum follows: each lane of
 * each replica adds its elements in order, replicas are combined pairwise, then the lanes by halves. */
#include "base/grow.h"
#include "emitter.h"

/* Walks over the replicas of an accumulator in which the axes `free` take all their coordinates. */
typedef struct walk {
  int n, at[MAX_AXES], count[MAX_AXES], stride[MAX_AXES], axis[MAX_AXES];
  int index;
} walk;

static walk walk_begin(const emitter *e, const acc_state *acc, uint64_t free) {
  walk w = {.index = acc->first};
  int stride = 1;
  for (uint64_t axes = acc->axes; axes; axes &= axes - 1) {
    int a = __builtin_ctzll(axes);
    if (free >> a & 1) {
      w.axis[w.n] = a;
      w.count[w.n] = e->jammed >> a & 1 ? e->axis[a].count : axis_radix(e->k, a);
      w.stride[w.n++] = stride;
    } else {
      w.index += e->axis[a].coord * stride;
    }
    stride *= axis_radix(e->k, a);
  }
  return w;
}

static bool walk_next(walk *w) {
  for (int i = 0; i < w->n; i++) {
    w->index += w->stride[i];
    if (++w->at[i] < w->count[i]) return true;
    w->index -= w->at[i] * w->stride[i];
    w->at[i] = 0;
  }
  return false;
}

/* True if the walk stands at the first coordinate of all axes that the accumulator does not keep apart. */
static bool walk_is_first(const walk *w, const acc_state *acc) {
  for (int i = 0; i < w->n; i++) {
    if (w->at[i] && !(acc->keep >> w->axis[i] & 1)) return false;
  }
  return true;
}

static acc_state *acc_at(const emitter *e, int inst) { return &e->accs[e->acc_of[inst]]; }

/* Bits x with x op y = y for all y. */
static uint64_t identity(int op, int dtype) {
  if (op == K_ADD) return dtype == TME_F32 ? (uint64_t)1 << 31 : dtype == TME_F64 ? (uint64_t)1 << 63 : 0;
  return dtype == TME_F32 ? 0x3f800000 : dtype == TME_F64 ? 0x3ff0000000000000 : 1;
}

/* May every lane of every replica start from the initial value? */
static bool may_repeat(const kernel *k, const k_inst *in) {
  if (in->b != K_ADD && in->b != K_MUL) return true;
  const k_inst *init = &k->inst[in->a];
  return init->op == K_CONST && (init->imm == identity(in->b, in->dtype) || (in->b == K_ADD && !init->imm));
}

void acc_begin(emitter *e, int inst) {
  const k_inst *in = &e->k->inst[inst];
  acc_state *acc = acc_at(e, inst);
  bool split = acc->lane_axis >= 0 && !(acc->keep >> acc->lane_axis & 1), repeat = may_repeat(e->k, in);
  if (acc->lane_axis >= 0 && e->lanes > 1) em_fail(e, "%%%d: a vector loop inside another", inst);
  acc->lanes = e->vector >= 0 && (acc->deps >> e->vector & 1) ? e->lanes : 1;
  if (acc->lane_axis >= 0) acc->lanes = e->k->axes[acc->lane_axis].width;
  LLVMValueRef first = em_operand(e, in->a, acc->lanes), rest = first;
  if (!repeat) {
    rest = em_bits(e, in->dtype, acc->lanes, identity(in->b, in->dtype));
    if (split) first = LLVMBuildInsertElement(e->b, rest, em_operand(e, in->a, 1), em_int(e, 0), "");
  }
  walk w = walk_begin(e, acc, acc->axes & ~acc->outer);
  do {
    e->replica[w.index] = walk_is_first(&w, acc) ? first : rest;
    e->touched[w.index] = false;
  } while (walk_next(&w));
}

static LLVMValueRef step(emitter *e, const k_inst *in, LLVMValueRef old, int lanes) {
  int op = e->k->inst[in->a].b, dtype = e->k->inst[in->a].dtype;
  LLVMValueRef v = em_operand(e, in->b, lanes);
  if (in->imm) return em_dot(e, (int)in->imm, v, em_operand(e, in->c, lanes), old, lanes);
  if (in->c >= 0) return em_fma(e, dtype, v, em_operand(e, in->c, lanes), old);
  return em_combine(e, op, dtype, old, v);
}

void acc_update(emitter *e, int inst) {
  const k_inst *in = &e->k->inst[inst];
  acc_state *acc = acc_at(e, in->a);
  int i = walk_begin(e, acc, 0).index;
  LLVMValueRef old = e->replica[i], next;
  if (acc->lanes > 1 && e->lanes == 1) { /* a scalar joins the first lane */
    LLVMValueRef zero = em_int(e, 0);
    next = step(e, in, LLVMBuildExtractElement(e->b, old, zero, ""), 1);
    next = LLVMBuildInsertElement(e->b, old, next, zero, "");
  } else {
    next = step(e, in, old, acc->lanes);
    /* Lanes that stay apart may hold anything where they are off. */
    LLVMValueRef mask = e->vector >= 0 && acc->lanes > 1 ? e->mask[e->axis[e->vector].coord] : NULL;
    if (mask && acc->lane_axis >= 0 && !(acc->keep >> e->vector & 1)) next = LLVMBuildSelect(e->b, mask, next, old, "");
  }
  e->replica[i] = next;
  e->touched[i] = true;
}

void acc_collect(emitter *e, int begin, int end) {
  int first = e->ncarried;
  for (int i = begin; i < end; i++) {
    const k_inst *in = &e->k->inst[i];
    if (in->op != K_UPDATE || in->a > begin) continue;
    acc_state *acc = acc_at(e, in->a);
    walk w = walk_begin(e, acc, e->jammed | (e->around[i] & ~e->around[begin]));
    do {
      if (e->marked[w.index]) continue;
      if (!grow(&e->carry, &e->carry_cap, e->ncarried + 1, sizeof *e->carry)) {
        fail_memory(e->err, "emitter", (size_t)e->carry_cap * sizeof *e->carry);
        e->failed = true;
        return;
      }
      e->marked[w.index] = true;
      e->carry[e->ncarried++] = (carried){.replica = w.index, .before = e->replica[w.index]};
    } while (walk_next(&w));
  }
  for (int i = first; i < e->ncarried; i++) e->marked[e->carry[i].replica] = false;
}

static LLVMValueRef combine_lanes(emitter *e, int op, int dtype, LLVMValueRef v) {
  LLVMValueRef pick[256];
  for (unsigned n = LLVMGetVectorSize(LLVMTypeOf(v)); n > 1; n /= 2) {
    LLVMValueRef half[2], none = LLVMGetPoison(LLVMTypeOf(v));
    for (unsigned h = 0; h < 2; h++) {
      for (unsigned i = 0; i < n / 2; i++) pick[i] = LLVMConstInt(e->i32, h * (n / 2) + i, false);
      half[h] = LLVMBuildShuffleVector(e->b, v, none, LLVMConstVector(pick, n / 2), "");
    }
    v = em_combine(e, op, dtype, half[0], half[1]);
  }
  return LLVMBuildExtractElement(e->b, v, em_int(e, 0), "");
}

LLVMValueRef acc_read(emitter *e, int inst) {
  const k_inst *in = &e->k->inst[inst], *def = &e->k->inst[in->a];
  acc_state *acc = acc_at(e, in->a);
  uint64_t apart = acc->outer | (acc->keep & e->around[inst]);
  walk w = walk_begin(e, acc, acc->axes & ~apart);
  LLVMValueRef *list = mem_alloc((size_t)acc->count * sizeof *list), v = e->replica[w.index];
  if (!list) {
    fail_memory(e->err, "emitter", (size_t)acc->count * sizeof *list);
    e->failed = true;
    return v;
  }
  int n = 0;
  do {
    if (e->touched[w.index]) list[n++] = e->replica[w.index];
  } while (walk_next(&w));
  for (; n > 1; n = (n + 1) / 2) {
    for (int i = 0; i < n / 2; i++) list[i] = em_combine(e, def->b, def->dtype, list[2 * i], list[2 * i + 1]);
    if (n % 2) list[n / 2] = list[n - 1];
  }
  if (n) v = list[0];
  mem_free(list);
  bool lanes_apart = acc->lane_axis < 0 || (apart >> acc->lane_axis & 1);
  return acc->lanes > 1 && !lanes_apart ? combine_lanes(e, def->b, def->dtype, v) : v;
}
