/* The loop nest: sections of tasks, loops, strips and tails, and what is forgotten when a frame is left.
 *
 * A body is cut at the loops inside it that stay loops. A stretch without loops is emitted once for each coordinate of
 * the jammed axes (vector axes opened around it), a loop once for all of them: so the vectors of a strip advance side
 * by side through a reduction. */
#include "emitter.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_EMITTED = 400000 }; /* more than this is a mistake of the lowering, and minutes of code generation */

static void emit_body(emitter *e, int begin, int end);

void em_fail(emitter *e, const char *fmt, ...) {
  char why[400];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(why, sizeof why, fmt, ap);
  va_end(ap);
  fail(e->err, TME_ERR_JIT, "kernel %s: %s", e->k->name, why);
  e->failed = true;
}

/* ---- memo and frames -------------------------------------------------------------------------------------------- */

LLVMValueRef memo_get(const emitter *e, int m) { return e->memos[m].v; }

void memo_set(emitter *e, int m, LLVMValueRef v, int depth) {
  bool listed = e->memos[m].v != NULL;
  e->memos[m].v = v;
  if (listed) return;
  e->memos[m].depth = depth;
  e->memos[m].next = e->memo_list[depth];
  e->memo_list[depth] = m;
}

static void forget(emitter *e, int depth) {
  for (int m = e->memo_list[depth]; m >= 0; m = e->memos[m].next) e->memos[m].v = NULL;
  e->memo_list[depth] = -1;
}

LLVMBasicBlockRef hoist(emitter *e, int depth) {
  int inner = depth + 1;
  while (inner <= e->depth && !e->frames[inner].entry) inner++;
  if (inner > e->depth) return NULL;
  LLVMBasicBlockRef back = LLVMGetInsertBlock(e->b);
  LLVMPositionBuilderBefore(e->b, LLVMGetBasicBlockTerminator(e->frames[inner].entry));
  return back;
}

void unhoist(emitter *e, LLVMBasicBlockRef back) {
  if (!back) return;
  /* A block that has its end already was itself hoisted into. */
  LLVMValueRef end = LLVMGetBasicBlockTerminator(back);
  if (end)
    LLVMPositionBuilderBefore(e->b, end);
  else
    LLVMPositionBuilderAtEnd(e->b, back);
}

void region_begin(emitter *e, LLVMValueRef from, LLVMValueRef to, int64_t step, bool guarded, bool once, int loop) {
  if (e->depth == MAX_DEPTH) {
    em_fail(e, "loops nested deeper than %d", (int)MAX_DEPTH);
    return;
  }
  frame *r = &e->frames[++e->depth];
  *r = (frame){.from = from, .to = to, .step = step, .guarded = guarded, .once = once, .first_carried = e->ncarried};
  r->entry = LLVMGetInsertBlock(e->b);
  r->head = LLVMAppendBasicBlockInContext(e->ctx, e->fn, "");
  r->exit = LLVMAppendBasicBlockInContext(e->ctx, e->fn, "");
  if (guarded)
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, from, to, ""), r->head, r->exit);
  else
    LLVMBuildBr(e->b, r->head);
  LLVMPositionBuilderAtEnd(e->b, r->head);
  r->iv = from;
  if (!once) {
    r->iv = LLVMBuildPhi(e->b, e->i64, "");
    LLVMAddIncoming(r->iv, &from, &r->entry, 1);
  }
  if (loop < 0) return;
  acc_collect(e, loop, e->end[loop]);
  for (int i = r->first_carried; i < e->ncarried && !once; i++) {
    carried *c = &e->carry[i];
    c->phi = LLVMBuildPhi(e->b, LLVMTypeOf(c->before), "");
    LLVMAddIncoming(c->phi, &c->before, &r->entry, 1);
    e->replica[c->replica] = c->phi;
  }
}

/* A value that is `before` if the frame was skipped. */
static LLVMValueRef merge(emitter *e, const frame *r, LLVMValueRef before, LLVMValueRef v, LLVMBasicBlockRef last) {
  if (!r->guarded) return v;
  LLVMValueRef phi = LLVMBuildPhi(e->b, LLVMTypeOf(v), "");
  LLVMAddIncoming(phi, (LLVMValueRef[]){before, v}, (LLVMBasicBlockRef[]){r->entry, last}, 2);
  return phi;
}

void region_end(emitter *e) {
  frame *r = &e->frames[e->depth];
  LLVMValueRef next = LLVMBuildNSWAdd(e->b, r->iv, em_int(e, r->step), "");
  LLVMBasicBlockRef last = LLVMGetInsertBlock(e->b);
  if (r->once) {
    LLVMBuildBr(e->b, r->exit);
  } else {
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, next, r->to, ""), r->head, r->exit);
    LLVMAddIncoming(r->iv, &next, &last, 1);
  }
  LLVMMoveBasicBlockAfter(r->exit, last);
  LLVMPositionBuilderAtEnd(e->b, r->exit);
  r->next = merge(e, r, r->from, next, last);
  for (int i = r->first_carried; i < e->ncarried; i++) {
    carried *c = &e->carry[i];
    LLVMValueRef after = e->replica[c->replica];
    if (c->phi) LLVMAddIncoming(c->phi, &after, &last, 1);
    e->replica[c->replica] = merge(e, r, c->before, after, last);
  }
  e->ncarried = r->first_carried;
  forget(e, e->depth--);
}

/* A frame without blocks of its own, for one of several instances of a body. */
static bool instance_begin(emitter *e) {
  if (e->depth == MAX_DEPTH) {
    em_fail(e, "loops nested deeper than %d", (int)MAX_DEPTH);
    return false;
  }
  e->frames[++e->depth] = (frame){0};
  return true;
}

static void instance_end(emitter *e) { forget(e, e->depth--); }

/* ---- instructions ------------------------------------------------------------------------------------------------ */

int value_memo(const emitter *e, int inst) {
  uint64_t axes = e->deps[inst] & e->around[inst] & e->replicated;
  int n = 0;
  for (; axes; axes &= axes - 1) {
    int a = __builtin_ctzll(axes);
    n = n * axis_radix(e->k, a) + e->axis[a].coord;
  }
  return e->first_value[inst] + n;
}

LLVMValueRef em_value(emitter *e, int inst) {
  LLVMValueRef v = memo_get(e, value_memo(e, inst));
  if (v) return v;
  em_fail(e, "%%%d is used where it is not defined", inst);
  return LLVMGetPoison(em_type(e, e->k->inst[inst].dtype, em_lanes(e, inst)));
}

LLVMValueRef em_operand(emitter *e, int inst, int lanes) {
  LLVMValueRef v = em_value(e, inst);
  if (lanes == 1 || em_lanes(e, inst) > 1) return v;
  LLVMValueRef read = em_constant_in_memory(e, &e->k->inst[inst], lanes);
  if (read) return read;
  int m = value_memo(e, inst), s = e->splat_memos + m;
  LLVMValueRef splat = memo_get(e, s);
  if (splat && LLVMGetVectorSize(LLVMTypeOf(splat)) == (unsigned)lanes) return splat;
  int depth = splat ? e->depth : e->memos[m].depth;
  LLVMBasicBlockRef back = hoist(e, depth);
  LLVMValueRef made = em_splat(e, v, lanes);
  unhoist(e, back);
  if (!splat) memo_set(e, s, made, depth);
  return made;
}

static void emit_inst(emitter *e, int i) {
  const k_inst *in = &e->k->inst[i];
  if (++e->emitted > MAX_EMITTED && !e->failed) em_fail(e, "more than %d instructions", (int)MAX_EMITTED);
  if (e->failed || in->op == K_NOP) return;
  if (in->op == K_STORE) {
    em_store(e, i);
    return;
  }
  if (in->op == K_PREFETCH) {
    em_prefetch(e, i);
    return;
  }
  if (in->op == K_ACC) {
    acc_begin(e, i);
    return;
  }
  if (in->op == K_UPDATE) {
    acc_update(e, i);
    return;
  }
  int m = value_memo(e, i), lanes = em_lanes(e, i);
  if (memo_get(e, m)) return;
  LLVMValueRef v;
  switch (in->op) {
  case K_CONST: v = em_bits(e, in->dtype, 1, in->imm); break;
  case K_ARG: v = em_arg(e, in->dtype, (int)in->imm); break;
  case K_INDEX: v = lanes > 1 ? ix_lanes(e, (int)in->imm, false) : ix_scalar(e, (int)in->imm); break;
  case K_LOAD: v = em_load(e, i); break;
  case K_READ: v = acc_read(e, i); break;
  default: v = em_prim(e, i, lanes); break;
  }
  memo_set(e, m, v, e->depth);
}

/* ---- loops ------------------------------------------------------------------------------------------------------- */

static void at(emitter *e, int axis, LLVMValueRef base, int coord) {
  axis_state *s = &e->axis[axis];
  s->base = base;
  s->depth = e->depth;
  s->coord = coord;
  s->off = axis == e->vector ? (int64_t)coord * e->lanes : coord;
}

/* Lanes that are on if `left` elements are left, which is at least 1 unless `maybe_none`. */
static LLVMValueRef lanes_left(emitter *e, LLVMValueRef left, bool maybe_none) {
  LLVMBuilderRef b = e->b;
  int n = e->lanes;
  if (LLVMIsConstant(left)) {
    LLVMValueRef bits[256];
    int64_t v = LLVMConstIntGetSExtValue(left);
    for (int i = 0; i < n; i++) bits[i] = LLVMConstInt(e->i1, i < v, false);
    return LLVMConstVector(bits, (unsigned)n);
  }
  LLVMValueRef most = em_int(e, n), none = em_int(e, 0);
  left = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, left, most, ""), left, most, "");
  if (maybe_none) left = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSGT, left, none, ""), left, none, "");
  if (e->has.avx512bw && n <= 32) { /* (1 << left) - 1, straight to a mask register */
    LLVMValueRef ones = LLVMBuildSub(b, LLVMBuildShl(b, em_int(e, 1), left, ""), em_int(e, 1), "");
    LLVMTypeRef t = LLVMIntTypeInContext(e->ctx, (unsigned)n);
    return LLVMBuildBitCast(b, LLVMBuildTrunc(b, ones, t, ""), em_vector(e->i1, n), "");
  }
  LLVMValueRef iota[256];
  for (int i = 0; i < n; i++) iota[i] = LLVMConstInt(e->i32, (unsigned)i, false);
  LLVMValueRef splat = em_splat(e, LLVMBuildTrunc(b, left, e->i32, ""), n);
  return LLVMBuildICmp(b, LLVMIntSLT, LLVMConstVector(iota, (unsigned)n), splat, "");
}

/* From here on `count` replicas of a vector axis are jammed. */
static void jam(emitter *e, int axis, int count) {
  e->axis[axis].count = count;
  e->jammed |= (uint64_t)1 << axis;
}

static void unjam(emitter *e, int axis) {
  e->axis[axis].count = 1;
  e->jammed &= ~((uint64_t)1 << axis);
}

/* The body of the vector axis of `loop` from lane 0 = base on, `count` vectors of `lanes`; `end`: where the elements
 * end, NULL if all lanes are on. */
static void emit_strip(emitter *e, int loop, LLVMValueRef base, int count, int lanes, LLVMValueRef end,
                       bool maybe_none) {
  int axis = e->k->inst[loop].a, outer_vector = e->vector, outer_lanes = e->lanes;
  if (lanes > 1 || outer_lanes == 1) {
    if (outer_lanes > 1) em_fail(e, "%%%d: a vector loop inside another", loop);
    e->vector = axis;
    e->lanes = lanes;
  }
  for (int u = 0; u < count && lanes > 1; u++) {
    e->mask[u] = NULL;
    if (!end) continue;
    LLVMValueRef first = em_int(e, (int64_t)u * lanes);
    first = base ? LLVMBuildNSWAdd(e->b, base, first, "") : first;
    LLVMValueRef left = LLVMBuildNSWSub(e->b, end, first, "");
    if (!LLVMIsConstant(left) || LLVMConstIntGetSExtValue(left) < lanes) e->mask[u] = lanes_left(e, left, maybe_none);
  }
  at(e, axis, base, 0);
  jam(e, axis, count);
  emit_body(e, loop + 1, e->end[loop]);
  unjam(e, axis);
  at(e, axis, NULL, 0);
  e->vector = outer_vector;
  e->lanes = outer_lanes;
}

static bool const_value(LLVMValueRef v, int64_t *out) {
  if (!LLVMIsAConstantInt(v)) return false;
  *out = LLVMConstIntGetSExtValue(v);
  return true;
}

/* Strips from `from` on while a whole one of count * lanes elements is left; returns where it stopped. */
static LLVMValueRef emit_strips(emitter *e, int loop, LLVMValueRef from, LLVMValueRef to, int count, int lanes) {
  int64_t step = (int64_t)count * lanes, a = 0, z = 0;
  bool known = const_value(from, &a) && const_value(to, &z);
  if (known && z - a < step) return from;
  if (known && z - a < 2 * step) {
    if (instance_begin(e)) {
      emit_strip(e, loop, from, count, lanes, NULL, false);
      instance_end(e);
    }
    return em_int(e, a + step);
  }
  LLVMValueRef last = LLVMBuildNSWSub(e->b, to, em_int(e, step - 1), "");
  jam(e, e->k->inst[loop].a, count);
  region_begin(e, from, last, step, !known, false, loop);
  if (e->failed) return from;
  emit_strip(e, loop, e->frames[e->depth].iv, count, lanes, NULL, false);
  region_end(e);
  return known ? em_int(e, a + (z - a) / step * step) : e->frames[e->depth + 1].next;
}

/* The elements left after the last whole strip of `count` vectors. */
static void emit_tail(emitter *e, int loop, LLVMValueRef from, LLVMValueRef to, int count, int lanes) {
  int64_t a = 0, z = 0;
  bool known = const_value(from, &a) && const_value(to, &z);
  if ((known && a >= z) || count * lanes == 1) return;
  bool fixed = known && (z - a < lanes || (z - a) % lanes == 0);
  if (fixed || !can_mask(e, loop, e->end[loop])) {
    from = emit_strips(e, loop, from, to, 1, lanes);
    known = known && const_value(from, &a);
    if (known && a < z && z - a < lanes && instance_begin(e)) {
      emit_strip(e, loop, from, 1, lanes, to, false);
      instance_end(e);
    } else if (!known && e->k->axes[e->k->inst[loop].a].first >= 0) { /* as the last lanes of an extent that is known */
      jam(e, e->k->inst[loop].a, 1);
      region_begin(e, from, to, lanes, true, true, loop);
      if (e->failed) return;
      emit_strip(e, loop, from, 1, lanes, to, false);
      region_end(e);
    } else if (!known && lanes > 1) {
      emit_strips(e, loop, from, to, 1, 1);
    }
    return;
  }
  jam(e, e->k->inst[loop].a, 1);
  region_begin(e, from, to, lanes, !known, count == 1, loop);
  if (e->failed) return;
  emit_strip(e, loop, e->frames[e->depth].iv, 1, lanes, to, false);
  region_end(e);
}

static LLVMValueRef loop_end(emitter *e, int axis) {
  const k_axis *x = &e->k->axes[axis];
  LLVMValueRef n = x->sym >= 0 ? em_arg(e, TME_I64, x->sym) : em_int(e, x->extent);
  if (x->limit < 0) return n;
  if (ix_axes(e->k, x->limit) & e->jammed) {
    em_fail(e, "axis %d: its limit depends on a vector axis", axis);
    return n;
  }
  LLVMValueRef m = ix_scalar(e, x->limit);
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, n, m, ""), n, m, "");
}

static LLVMValueRef loop_first(emitter *e, int axis) {
  int first = e->k->axes[axis].first;
  if (first < 0) return em_int(e, 0);
  if (ix_axes(e->k, first) & e->jammed) em_fail(e, "axis %d: it begins where a vector axis says", axis);
  return ix_scalar(e, first);
}

static void emit_vector(emitter *e, int loop, LLVMValueRef from, LLVMValueRef to) {
  const k_axis *x = &e->k->axes[e->k->inst[loop].a];
  if (x->extent >= (int64_t)x->width * x->unroll) from = emit_strips(e, loop, from, to, x->unroll, x->width);
  emit_tail(e, loop, from, to, x->unroll, x->width);
}

static void emit_sequential(emitter *e, int loop) {
  int axis = e->k->inst[loop].a, cond = e->k->inst[loop].b;
  LLVMValueRef first = loop_first(e, axis), n = loop_end(e, axis);
  if (cond >= 0) {
    if (e->deps[cond] & e->jammed || em_lanes(e, cond) > 1)
      em_fail(e, "%%%d: its condition depends on a vector axis", loop);
    if (!e->failed) n = LLVMBuildSelect(e->b, em_value(e, cond), n, em_int(e, 0), "");
  }
  int64_t from = 0, to = 0;
  bool known = const_value(first, &from) && const_value(n, &to);
  if (e->failed || (known && from >= to)) return;
  if (known && to - from == 1) {
    at(e, axis, from ? first : NULL, 0);
    emit_body(e, loop + 1, e->end[loop]);
    return;
  }
  region_begin(e, first, n, 1, !known, false, loop);
  if (e->failed) return;
  at(e, axis, e->frames[e->depth].iv, 0);
  emit_body(e, loop + 1, e->end[loop]);
  region_end(e);
  at(e, axis, NULL, 0);
}

static void emit_straight_vector(emitter *e, int loop) {
  int axis = e->k->inst[loop].a;
  const k_axis *x = &e->k->axes[axis];
  int count = (int)ceil_div(x->extent, x->width);
  if (!x->extent) return;
  LLVMValueRef end = loop_end(e, axis);
  if (x->width > 1) {
    emit_strip(e, loop, NULL, count, x->width, end, true);
    return;
  }
  if (x->limit >= 0) { /* no lanes to mask */
    emit_vector(e, loop, em_int(e, 0), end);
    return;
  }
  emit_strip(e, loop, NULL, count, 1, NULL, false);
}

/* One loop; in a stretch without loops too, where the jammed axes stand at one coordinate. */
static void emit_loop(emitter *e, int loop) {
  const kernel *k = e->k;
  int axis = k->inst[loop].a;
  const k_axis *x = &k->axes[axis];
  if ((x->flags & (AXIS_PARALLEL | AXIS_VECTOR)) == AXIS_PARALLEL) {
    emit_body(e, loop + 1, e->end[loop]); /* its coordinate is known from the task */
  } else if (x->flags & AXIS_VECTOR) {
    if (axis_is_straight(k, axis))
      emit_straight_vector(e, loop);
    else
      emit_vector(e, loop, loop_first(e, axis), loop_end(e, axis));
  } else if (axis_is_unrolled(k, axis)) {
    for (int c = 0; c < (int)x->extent && !e->failed; c++) {
      at(e, axis, NULL, c);
      emit_body(e, loop + 1, e->end[loop]);
    }
    at(e, axis, NULL, 0);
  } else {
    emit_sequential(e, loop);
  }
}

static bool is_loop_inside(const emitter *e, int i) {
  if (e->k->inst[i].op != K_LOOP) return false;
  int axis = e->k->inst[i].a;
  return e->nested[i] || (e->k->axes[axis].flags & AXIS_PARALLEL) ||
         !(axis_is_straight(e->k, axis) || axis_is_unrolled(e->k, axis));
}

static void emit_each(emitter *e, int begin, int end) {
  for (int i = begin; i < end && !e->failed; i++) {
    if (e->k->inst[i].op == K_LOOP) {
      emit_loop(e, i);
      i = e->end[i];
    } else {
      emit_inst(e, i);
    }
  }
}

static bool has_loop(const kernel *k, int begin, int end) {
  for (int i = begin; i < end; i++)
    if (k->inst[i].op == K_LOOP) return true;
  return false;
}

/* Instructions without loops in the machine code, at all coordinates of the jammed axes, the first one slowest. With
 * one such axis, each instruction at all of them: the processor sees their independent chains side by side. Half of them
 * are a few instructions behind, so that not all wait for the same unit. */
static void emit_stretch(emitter *e, int begin, int end, uint64_t axes) {
  enum { BEHIND = 8 /* that part of the stretch */ };
  if (!axes) {
    emit_each(e, begin, end);
    return;
  }
  int axis = __builtin_ctzll(axes), depth = e->axis[axis].depth, count = e->axis[axis].count;
  LLVMValueRef base = e->axis[axis].base;
  uint64_t rest = axes & (axes - 1);
  int n = end - begin, step = rest || has_loop(e->k, begin, end) ? n : 1, behind = step == 1 ? n / BEHIND : 0;
  e->jammed &= ~((uint64_t)1 << axis);
  for (int i = begin; i < end + behind; i += step) {
    for (int c = 0; c < count && !e->failed; c++) {
      int from = 2 * c < count ? i : i - behind;
      if (from < begin || from >= end) continue;
      at(e, axis, base, c);
      e->axis[axis].depth = depth;
      emit_stretch(e, from, from + step, rest);
    }
  }
  at(e, axis, base, 0);
  e->axis[axis].depth = depth;
  e->jammed |= (uint64_t)1 << axis;
}

static void emit_body(emitter *e, int begin, int end) {
  int from = begin;
  for (int i = begin; i < end && !e->failed; i++) {
    if (e->k->inst[i].op != K_LOOP) continue;
    if (is_loop_inside(e, i)) {
      emit_stretch(e, from, i, e->jammed);
      emit_loop(e, i);
      from = e->end[i] + 1;
    }
    i = e->end[i];
  }
  emit_stretch(e, from, end, e->jammed);
}

/* ---- sections ---------------------------------------------------------------------------------------------------- */

/* The parallel axes of the section at `loop`, outermost first. */
static int task_axes(const emitter *e, int loop, int *axes) {
  const kernel *k = e->k;
  int n = 0;
  for (int i = loop; i < e->end[loop]; i++) {
    if (k->inst[i].op != K_LOOP) continue;
    if ((k->axes[k->inst[i].a].flags & (AXIS_PARALLEL | AXIS_VECTOR)) != AXIS_PARALLEL)
      i = e->end[i];
    else
      axes[n++] = k->inst[i].a;
  }
  return n;
}

static bool streams(const kernel *k) {
  for (int i = 0; i < k->nbufs; i++)
    if (k->bufs[i].stream) return true;
  return false;
}

/* True if a call's tasks are strips of this axis, from the first on: then they begin at whole ones (kernel.h). */
static bool begins_whole(const emitter *e, int axis, LLVMValueRef base) {
  int64_t first;
  if (!const_value(base, &first) || first) return false;
  for (int i = 0; i < e->k->naxes; i++)
    if (i != axis && e->k->axes[i].flags & AXIS_PARALLEL) return false;
  return true;
}

static LLVMValueRef emit_section(emitter *e, int loop, LLVMValueRef base) {
  const kernel *k = e->k;
  LLVMBuilderRef b = e->b;
  int axes[MAX_AXES] = {0}, axis = k->inst[loop].a, n = task_axes(e, loop, axes);
  bool strip = k->axes[axis].flags & AXIS_VECTOR;
  LLVMValueRef extent[MAX_AXES], count = em_int(e, 1);
  if (strip) {
    count = loop_end(e, axis);
    n = 0;
  }
  for (int i = 0; i < n; i++) {
    extent[i] = loop_end(e, axes[i]);
    count = LLVMBuildNSWMul(b, count, extent[i], "");
  }
  LLVMValueRef end = LLVMBuildNSWAdd(b, base, count, "");
  LLVMValueRef lo = LLVMBuildNSWSub(b, e->t0, base, ""), hi = LLVMBuildNSWSub(b, e->t1, base, ""), zero = em_int(e, 0);
  lo = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSGT, lo, zero, ""), lo, zero, "");
  hi = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, hi, count, ""), hi, count, "");
  if (strip) {
    const k_axis *x = &k->axes[axis];
    bool whole = begins_whole(e, axis, base);
    if (whole && x->sym < 0 && x->limit < 0 && x->extent % (x->width * x->unroll) == 0) {
      emit_strips(e, loop, lo, hi, x->unroll, x->width);
      return end;
    }
    if (streams(e->k) && !whole) { /* vectors are aligned from a multiple of their lanes on */
      int lanes = x->width;
      LLVMValueRef up = LLVMBuildAnd(b, LLVMBuildNSWAdd(b, lo, em_int(e, lanes - 1), ""), em_int(e, -lanes), "");
      up = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, up, hi, ""), up, hi, "");
      lo = emit_strips(e, loop, lo, up, 1, 1);
    }
    emit_vector(e, loop, lo, hi);
    return end;
  }
  region_begin(e, lo, hi, 1, true, false, -1);
  if (e->failed) return end;
  LLVMValueRef task = e->frames[e->depth].iv;
  for (int i = n - 1; i >= 0; i--) {
    bool whole = i == 0;
    at(e, axes[i], whole ? task : LLVMBuildURem(b, task, extent[i], ""), 0);
    if (!whole) task = LLVMBuildUDiv(b, task, extent[i], "");
  }
  emit_body(e, loop + 1, e->end[loop]);
  region_end(e);
  for (int i = 0; i < n; i++) at(e, axes[i], NULL, 0);
  return end;
}

void emit_kernel(emitter *e) {
  const kernel *k = e->k;
  LLVMValueRef base = em_int(e, 0);
  for (int a = 0; a < k->naxes; a++) e->axis[a].count = 1;
  e->vector = -1;
  e->lanes = 1;
  for (int i = 0; i < k->ninst && !e->failed; i++) {
    if (k->inst[i].op != K_LOOP) {
      emit_inst(e, i);
      continue;
    }
    if (k->axes[k->inst[i].a].flags & AXIS_PARALLEL)
      base = emit_section(e, i, base);
    else
      emit_loop(e, i);
    i = e->end[i];
  }
}
