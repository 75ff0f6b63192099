/* What is known about a kernel before a line of it is emitted: what each value depends on, which axes are replicated,
 * how many replicas of values and accumulators there will be. */
#include "emitter.h"
#include <string.h>

bool axis_is_unrolled(const kernel *k, int axis) {
  const k_axis *x = &k->axes[axis];
  return (x->flags & AXIS_UNROLL) && x->sym < 0 && x->limit < 0;
}

bool axis_is_straight(const kernel *k, int axis) {
  const k_axis *x = &k->axes[axis];
  return (x->flags & AXIS_VECTOR) && x->sym < 0 && x->first < 0 && x->extent <= (int64_t)x->width * x->unroll;
}

bool axis_is_side_by_side(const kernel *k, int axis) {
  const k_axis *x = &k->axes[axis];
  return (x->flags & AXIS_VECTOR) && x->width == 1 && x->unroll > 1;
}

int axis_radix(const kernel *k, int axis) {
  const k_axis *x = &k->axes[axis];
  int64_t n = axis_is_unrolled(k, axis) ? x->extent : 1;
  if (x->flags & AXIS_VECTOR) n = axis_is_straight(k, axis) ? ceil_div(x->extent, x->width) : x->unroll;
  return n < 1 ? 1 : (int)n;
}

static bool stays_a_loop(const kernel *k, int axis) {
  bool task = (k->axes[axis].flags & (AXIS_PARALLEL | AXIS_VECTOR)) == AXIS_PARALLEL;
  return !task && !axis_is_straight(k, axis) && !axis_is_unrolled(k, axis);
}

static bool check_axes(emitter *e) {
  const kernel *k = e->k;
  if (k->naxes > MAX_AXES) {
    em_fail(e, "%d axes, at most %d", k->naxes, (int)MAX_AXES);
    return false;
  }
  for (int a = 0; a < k->naxes; a++) {
    const k_axis *x = &k->axes[a];
    if (axis_is_unrolled(k, a) && x->extent > 4096) em_fail(e, "axis %d: unrolled %lld times", a, (long long)x->extent);
    if ((x->flags & AXIS_PARALLEL) && !(x->flags & AXIS_VECTOR) && x->limit >= 0)
      em_fail(e, "axis %d: a parallel axis with a limit", a);
    if (axis_radix(k, a) > 1) e->replicated |= (uint64_t)1 << a;
  }
  return !e->failed;
}

/* The axes of the loops around each instruction, and where loops end. */
static void find_loops(emitter *e) {
  const kernel *k = e->k;
  int stack[MAX_AXES], depth = 0;
  uint64_t open = 0;
  for (int i = 0; i < k->ninst && !e->failed; i++) {
    const k_inst *in = &k->inst[i];
    if (in->op == K_END && depth) {
      e->end[stack[--depth]] = i;
      open &= ~((uint64_t)1 << k->inst[stack[depth]].a);
    }
    e->around[i] = open;
    if (in->op != K_LOOP) continue;
    if (depth == MAX_AXES || (open >> in->a & 1)) {
      em_fail(e, "%%%d: loops nested too deep, or over one axis twice", i);
      return;
    }
    if (stays_a_loop(k, in->a)) {
      for (int d = 0; d < depth; d++) e->nested[stack[d]] = true;
    }
    open |= (uint64_t)1 << in->a;
    stack[depth++] = i;
  }
  if (depth) em_fail(e, "%%%d: loop without end", stack[depth - 1]);
}

static uint64_t value_deps(const emitter *e, int v) { return v < 0 ? 0 : e->deps[v]; }

/* What is written in the kernel may differ in each iteration of the loops around its load. */
static uint64_t load_deps(const emitter *e, int inst) {
  const kernel *k = e->k;
  const k_access *x = &k->acc[k->inst[inst].imm];
  uint64_t deps = ix_axes(k, x->ix) | value_deps(e, x->dyn) | value_deps(e, x->guard);
  if (k->bufs[x->buf].role == BUF_IN) return deps;
  for (int a = 0; a < k->naxes; a++) {
    if (!(k->axes[a].flags & AXIS_VECTOR)) deps |= e->around[inst] & (uint64_t)1 << a;
  }
  return deps;
}

static void update_deps(emitter *e, int inst) {
  const kernel *k = e->k;
  const k_inst *in = &k->inst[inst];
  acc_state *acc = &e->accs[e->acc_of[in->a]];
  uint64_t inside = e->around[inst] & ~acc->outer, deps = value_deps(e, in->b) | value_deps(e, in->c);
  for (int a = 0; a < k->naxes; a++) {
    const k_axis *x = &k->axes[a];
    if (!(inside >> a & 1)) continue;
    if (x->limit >= 0) deps |= ix_axes(k, x->limit);
    if (x->first >= 0) deps |= ix_axes(k, x->first);
    if ((x->flags & AXIS_VECTOR) && x->width > 1) {
      if (acc->lane_axis >= 0 && k->axes[acc->lane_axis].width != x->width)
        em_fail(e, "%%%d: an accumulator over vector axes of different widths", inst);
      acc->lane_axis = a;
    }
    if (((x->flags & AXIS_VECTOR) || (acc->keep >> a & 1)) && (e->replicated >> a & 1)) acc->axes |= (uint64_t)1 << a;
    if ((acc->keep >> a & 1) && stays_a_loop(k, a))
      em_fail(e, "%%%d: an accumulator keeps axis %d, which is a loop", inst, a);
  }
  acc->deps |= deps & acc->outer;
}

static uint64_t read_deps(const emitter *e, int inst) {
  const acc_state *acc = &e->accs[e->acc_of[e->k->inst[inst].a]];
  uint64_t deps = acc->deps | (acc->keep & e->around[inst]);
  for (int a = 0; a < e->k->naxes; a++) { /* a running value is another one in each iteration */
    if (!(e->k->axes[a].flags & AXIS_VECTOR)) deps |= e->around[inst] & ~acc->outer & (uint64_t)1 << a;
  }
  return deps;
}

static void find_deps(emitter *e) {
  const kernel *k = e->k;
  for (int i = 0; i < k->ninst && !e->failed; i++) {
    const k_inst *in = &k->inst[i];
    switch (in->op) {
    case K_NOP:
    case K_LOOP:
    case K_END:
    case K_CONST:
    case K_ARG:
    case K_STORE:
    case K_PREFETCH:
    case K_ACC: break;
    case K_INDEX: e->deps[i] = ix_axes(k, (int)in->imm); break;
    case K_LOAD: e->deps[i] = load_deps(e, i); break;
    case K_UPDATE: update_deps(e, i); break;
    case K_READ: e->deps[i] = read_deps(e, i); break;
    default: e->deps[i] = value_deps(e, in->a) | value_deps(e, in->b) | value_deps(e, in->c); break;
    }
  }
}

static void find_accumulators(emitter *e) {
  for (int i = 0; i < e->k->ninst; i++) {
    if (e->k->inst[i].op != K_ACC) continue;
    e->acc_of[i] = e->naccs;
    e->accs[e->naccs++] = (acc_state){.inst = i,
                                      .axes = e->around[i] & e->replicated,
                                      .outer = e->around[i],
                                      .keep = e->k->inst[i].imm & ~e->around[i],
                                      .lane_axis = -1};
  }
}

/* The product of the radices of a set of axes; 0 if it is too large. */
static int replicas(const kernel *k, uint64_t axes) {
  int64_t n = 1;
  for (int a = 0; a < k->naxes; a++) {
    if (axes >> a & 1) n *= axis_radix(k, a);
    if (n > MAX_VALUES) return 0;
  }
  return (int)n;
}

/* Places for memoized values: values, their splats, index expressions, addresses (one a frame). */
static void count_memos(emitter *e) {
  const kernel *k = e->k;
  int64_t n = 0;
  for (int i = 0; i < k->ninst; i++) {
    int r = replicas(k, e->deps[i] & e->around[i] & e->replicated);
    e->first_value[i] = (int)n;
    n += r;
    if (!r || n > MAX_VALUES) {
      em_fail(e, "more than %d values", (int)MAX_VALUES);
      return;
    }
  }
  e->splat_memos = (int)n;
  e->ix_memos = (int)(2 * n);
  e->address_memos = e->ix_memos + k->nix;
  e->nmemos = e->address_memos + k->nacc * (MAX_DEPTH + 1);
  for (int a = 0; a < e->naccs; a++) {
    acc_state *acc = &e->accs[a];
    acc->count = replicas(k, acc->axes);
    acc->first = e->nreplicas;
    e->nreplicas += acc->count;
    if (!acc->count || e->nreplicas > MAX_VALUES) {
      em_fail(e, "more than %d accumulators", (int)MAX_VALUES);
      return;
    }
  }
}

static void find_replicated_divisions(emitter *e) {
  const kernel *k = e->k;
  for (int i = 0; i < k->nix; i++) {
    const k_ix *x = &k->ix[i];
    if (x->op == IX_DIV || x->op == IX_MOD)
      e->ix_replicated[i] = (ix_axes(k, x->a) & e->replicated) != 0;
    else if (x->op == IX_ADD || x->op == IX_MUL)
      e->ix_replicated[i] = e->ix_replicated[x->a] || (x->op == IX_ADD && e->ix_replicated[x->b]);
  }
}

tme_status plan(emitter *e) {
  const kernel *k = e->k;
  size_t n = (size_t)k->ninst + 1;
  e->deps = mem_calloc(n, sizeof *e->deps);
  e->around = mem_calloc(n, sizeof *e->around);
  e->end = mem_calloc(n, sizeof *e->end);
  e->nested = mem_calloc(n, sizeof *e->nested);
  e->first_value = mem_calloc(n, sizeof *e->first_value);
  e->acc_of = mem_calloc(n, sizeof *e->acc_of);
  e->accs = mem_calloc(n, sizeof *e->accs);
  e->ix_replicated = mem_calloc((size_t)k->nix + 1, sizeof *e->ix_replicated);
  e->buffers = mem_calloc((size_t)k->nbufs + 1, sizeof(LLVMValueRef));
  if (!e->deps || !e->around || !e->end || !e->nested || !e->first_value || !e->acc_of || !e->accs ||
      !e->ix_replicated || !e->buffers)
    return fail_memory(e->err, "emitter", n * sizeof *e->deps);
  if (check_axes(e)) {
    find_loops(e);
    find_accumulators(e);
    for (int pass = 0; pass < 2; pass++) /* running values are read before the update that tells what they depend on */
      find_deps(e);
  }
  if (!e->failed) {
    count_memos(e);
    find_replicated_divisions(e);
  }
  if (e->failed) return TME_ERR_JIT;
  e->memos = mem_calloc((size_t)e->nmemos + 1, sizeof *e->memos);
  e->replica = mem_calloc((size_t)e->nreplicas + 1, sizeof(LLVMValueRef));
  e->touched = mem_calloc((size_t)e->nreplicas + 1, sizeof *e->touched);
  e->marked = mem_calloc((size_t)e->nreplicas + 1, sizeof *e->marked);
  if (!e->memos || !e->replica || !e->touched || !e->marked)
    return fail_memory(e->err, "emitter", (size_t)e->nmemos * sizeof *e->memos);
  for (int d = 0; d <= MAX_DEPTH; d++) e->memo_list[d] = -1;
  return TME_OK;
}

void plan_free(emitter *e) {
  mem_free(e->deps);
  mem_free(e->around);
  mem_free(e->end);
  mem_free(e->nested);
  mem_free(e->first_value);
  mem_free(e->acc_of);
  mem_free(e->accs);
  mem_free(e->ix_replicated);
  mem_free(e->buffers);
  mem_free(e->memos);
  mem_free(e->replica);
  mem_free(e->touched);
  mem_free(e->marked);
  mem_free(e->carry);
}
