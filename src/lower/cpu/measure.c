/* The size of vectors, the work of indices, and what a task costs. */
#include "lower/cpu/measure.h"
#include "kernel/kernel_util.h"
#include <math.h>

int cpu_lanes(const cpu_target *t, size_t bytes) { return t->vector_bytes / (int)(bytes ? bytes : 4); }

size_t kernel_widest(const kernel *k, int axis) {
  size_t widest = 1;
  uint64_t *deps = mem_alloc(((size_t)k->ninst + 1) * sizeof *deps);
  if (!deps) return sizeof(int64_t);
  kernel_deps(k, deps);
  for (int i = 0; i < k->ninst; i++) {
    const k_inst *n = &k->inst[i];
    bool counts = n->op != K_LOOP && n->op != K_END && n->op != K_STORE && n->op != K_PREFETCH && n->op != K_UPDATE &&
                  n->op != K_INDEX && n->op != K_NOP && n->dtype != TME_BOOL && (deps[i] >> axis & 1);
    if (counts && tme_dtype_size((tme_dtype)n->dtype) > widest) widest = tme_dtype_size((tme_dtype)n->dtype);
  }
  mem_free(deps);
  return widest;
}

static int index_work(const kernel *k, int ix) {
  const k_ix *x = &k->ix[ix];
  switch (x->op) {
  case IX_ADD: return index_work(k, x->a) + index_work(k, x->b);
  case IX_MUL: return index_work(k, x->a);
  case IX_DIV:
  case IX_MOD: return 1 + index_work(k, x->a);
  default: return 0;
  }
}

int kernel_index_work(const kernel *k) {
  int work = 0;
  for (int i = 0; i < k->nacc; i++) work += index_work(k, k->acc[i].ix);
  for (int i = 0; i < k->ninst; i++)
    if (k->inst[i].op == K_INDEX) work += index_work(k, (int)k->inst[i].imm);
  return work;
}

static bool is_expensive(int op) { return op == K_DIV || op == K_SQRT || op == K_IDIV; }

/* Instructions for one: a comparison and the choice that follows are one; the longest vectors come with a scale. */
static int arithmetic(const k_inst *n, bool longest) {
  if (n->op == K_UPDATE) return n->c < 0;
  if (n->op == K_SCALE || n->op == K_SCALE_DOWN) return longest ? 1 : n->op == K_SCALE ? 6 : 3;
  return op_is_prim(n->op) && !op_is_compare(n->op) && n->op != K_BITCAST && n->op != K_LIBM && n->op != K_LIBM_REST;
}

/* Iterations of one loop over an axis: blocks share the extent. */
static double iterations(const kernel *k, const k_axis *a) {
  double n = (double)a->extent;
  for (uint64_t by = a->first >= 0 ? ix_axes(k, a->first) : 0; by; by &= by - 1)
    n /= (double)k->axes[__builtin_ctzll(by)].extent;
  return n;
}

/* How often instruction i runs in a task, lanes counted singly or whole vectors. */
static double times_in_task(const kernel *k, int i, const int *open, int depth, uint64_t deps, bool lanes) {
  const k_inst *n = &k->inst[i];
  double times = 1;
  for (int d = 0; d < depth; d++) {
    const k_axis *a = &k->axes[open[d]];
    bool vector = a->flags & AXIS_VECTOR;
    /* written out once for all iterations that it does not depend on */
    bool shared =
        (a->flags & (AXIS_UNROLL | AXIS_VECTOR)) && n->op != K_UPDATE && n->op != K_STORE && !(deps >> open[d] & 1);
    if (a->flags & AXIS_PARALLEL)
      times /= vector && (!lanes || shared) ? a->width : 1;
    else if (!shared)
      times *= vector && !lanes ? ceil(iterations(k, a) / a->width) : iterations(k, a);
  }
  return times;
}

/* Rough nanoseconds of one task, to decide how many threads are worth waking, and its arithmetic: the mean over the tasks
 * of all sections; 0 when there is no memory to tell. */
void kernel_measure(kernel *k, const cpu_target *t) {
  bool longest = t->vector_bytes == 64;
  int open[64], depth = 0;
  double tasks = 0, section = 1;
  uint64_t *deps = mem_alloc(((size_t)k->ninst + 1) * sizeof *deps);
  if (!deps) return;
  kernel_deps(k, deps);
  for (int i = 0; i < k->ninst; i++) {
    const k_inst *n = &k->inst[i];
    if (n->op == K_LOOP && n->b >= 0) {
      while (k->inst[i].op != K_END || &k->inst[k->inst[i].a] != n) i++;
    } else if (n->op == K_LOOP && depth < COUNT(open)) {
      if (k->axes[n->a].flags & AXIS_PARALLEL) section *= (double)k->axes[n->a].extent;
      open[depth++] = n->a;
    } else if (n->op == K_END) {
      depth -= depth > 0;
      if (depth) continue;
      tasks += section;
      section = 1;
    } else if (depth) { /* the rest is done once a call */
      double ns = n->op == K_LIBM ? 100 : is_expensive(n->op) ? 3 : n->op == K_LOAD || n->op == K_STORE ? 0.6 : 0.3;
      k->task_cost += section * ns * times_in_task(k, i, open, depth, deps[i], false);
      k->task_ops += section * arithmetic(n, longest) * times_in_task(k, i, open, depth, deps[i], true);
    }
  }
  if (tasks > 0) {
    k->task_cost /= tasks;
    k->task_ops /= tasks;
  }
  mem_free(deps);
}
