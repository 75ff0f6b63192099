/* Tables and builder of the kernel description, and the questions that users ask it. */
#include "kernel/kernel_util.h"
#include "base/convert.h"
#include "base/grow.h"
#include <string.h>

_Static_assert(sizeof(k_axis) == 24 && sizeof(k_buf) == 24 && sizeof(k_ix) == 40 && sizeof(k_access) == 24 &&
                   sizeof(k_inst) == 24,
               "the tables are hashed as bytes: no padding");

static const struct {
  const char *name;
  int arity;
} ops[K_OP_COUNT] = {
    [K_NOP] = {"nop", 0},           [K_LOOP] = {"loop", 0},   [K_END] = {"end", 0},       [K_CONST] = {"const", 0},
    [K_ARG] = {"arg", 0},           [K_INDEX] = {"index", 0}, [K_LOAD] = {"load", 0},     [K_STORE] = {"store", 1},
    [K_PREFETCH] = {"prefetch", 0}, [K_ACC] = {"acc", 1},     [K_UPDATE] = {"update", 2}, [K_READ] = {"read", 1},
#define PRIM(name, arity, text) [K_##name] = {#name, arity},
#include "kernel/prims.def"
#undef PRIM
};

const char *k_op_name(k_op op) { return (unsigned)op < K_OP_COUNT ? ops[op].name : "?"; }

int inst_arity(const k_inst *in) {
  if (in->op == K_LIBM) return in->b < 0 ? 1 : 2;
  if (in->op == K_UPDATE) return in->c < 0 ? 2 : 3;
  return ops[in->op].arity;
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

kernel *kernel_new(const char *name) {
  kernel *k = mem_calloc(1, sizeof *k);
  if (!k) return NULL;
  size_t n = name ? strlen(name) : 0;
  if (n >= sizeof k->name) n = sizeof k->name - 1;
  if (n) memcpy(k->name, name, n);
  return k;
}

void kernel_free(kernel *k) {
  if (!k) return;
  mem_free(k->axes);
  mem_free(k->bufs);
  mem_free(k->ix);
  mem_free(k->acc);
  mem_free(k->inst);
  mem_free(k);
}

static void *copy_of(const void *table, int n, size_t size) {
  void *copy = mem_alloc((size_t)n * size + 1);
  if (copy && n) memcpy(copy, table, (size_t)n * size);
  return copy;
}

kernel *kernel_full(const kernel *k) {
  kernel *f = copy_of(k, 1, sizeof *k);
  if (!f) return NULL;
  f->axes = copy_of(k->axes, k->naxes, sizeof *k->axes);
  f->bufs = copy_of(k->bufs, k->nbufs, sizeof *k->bufs);
  f->ix = copy_of(k->ix, k->nix, sizeof *k->ix);
  f->acc = copy_of(k->acc, k->nacc, sizeof *k->acc);
  f->inst = copy_of(k->inst, k->ninst, sizeof *k->inst);
  if (!f->axes || !f->bufs || !f->ix || !f->acc || !f->inst) {
    kernel_free(f);
    return NULL;
  }
  for (int i = 0; i < f->naxes; i++)
    if (f->axes[i].flags & AXIS_VECTOR && f->axes[i].width > 1) f->axes[i].unroll = (uint8_t)k->full_unroll;
  f->full_unroll = 0;
  const int filled[] = {f->naxes, f->nbufs, f->nix, f->nacc, f->ninst};
  memcpy(f->cap, filled, sizeof filled);
  return f;
}

int kernel_grow(kernel *k, void *table, int *n, int cap_slot, size_t size) {
  if (!k || k->failed) return -1;
  if (!grow(table, &k->cap[cap_slot], *n + 1, size)) {
    k->failed = true;
    return -1;
  }
  void *p;
  memcpy(&p, table, sizeof p); /* `table` is the address of one of the five typed pointers */
  memset((char *)p + (size_t)*n * size, 0, size);
  return (*n)++;
}

tme_status kernel_failure(const kernel *k, const char *label, error *e) {
  if (!k || !k->refused) return fail_memory(e, label, sizeof(k_inst));
  if (k->naxes == KERNEL_MAX_AXES) return fail(e, TME_ERR_JIT, "%s: more than %d loops", label, KERNEL_MAX_AXES);
  return fail(e, TME_ERR_JIT, "%s: not to be described as a kernel", label);
}

int k_axis_add(kernel *k, int64_t extent, unsigned flags, int width, int unroll) {
  if (!k || k->naxes == KERNEL_MAX_AXES || extent < 0) return refuse(k);
  int i = kernel_grow(k, &k->axes, &k->naxes, 0, sizeof *k->axes);
  if (i < 0) return -1;
  k->axes[i] = (k_axis){.extent = extent,
                        .sym = -1,
                        .flags = (uint8_t)flags,
                        .width = (uint16_t)(width < 1 ? 1 : width),
                        .unroll = (uint8_t)(unroll < 1 ? 1 : unroll),
                        .limit = -1,
                        .first = -1};
  return i;
}

int k_buf_add(kernel *k, k_buf_role role, tme_dtype t, int64_t lo, int64_t hi) {
  if (!k || dtype_is_complex(t) || dtype_no_kernels(t)) return refuse(k);
  int i = kernel_grow(k, &k->bufs, &k->nbufs, 1, sizeof *k->bufs);
  if (i < 0) return -1;
  k->bufs[i] = (k_buf){.role = (uint8_t)role,
                       .dtype = (uint8_t)t,
                       .align = role == BUF_SCRATCH ? 64 : (uint32_t)tme_dtype_size(t),
                       .lo = lo,
                       .hi = hi};
  return i;
}

int k_access_add(kernel *k, int buf, int ix) {
  if (!k || buf < 0 || buf >= k->nbufs || ix < 0 || ix >= k->nix) return refuse(k);
  int i = kernel_grow(k, &k->acc, &k->nacc, 3, sizeof *k->acc);
  if (i < 0) return -1;
  k->acc[i] = (k_access){.buf = buf, .ix = ix, .dyn = -1, .guard = -1};
  return i;
}

/* ---- instructions ----------------------------------------------------------------------------------------------- */

int k_emit(kernel *k, k_op op, tme_dtype t, int a, int b, int c, uint64_t imm) {
  if (!k || (unsigned)op >= K_OP_COUNT) return refuse(k);
  k_inst in = {.op = (uint8_t)op, .dtype = t < 0 ? 0 : (uint8_t)t, .a = a, .b = b, .c = c, .imm = imm};
  int n = inst_arity(&in);
  if ((n > 0 && (a < 0 || a >= k->ninst)) || (n > 1 && (b < 0 || b >= k->ninst)) || (n > 2 && (c < 0 || c >= k->ninst)))
    return refuse(k);
  int i = kernel_grow(k, &k->inst, &k->ninst, 4, sizeof *k->inst);
  if (i >= 0) k->inst[i] = in;
  return i;
}

int k_loop(kernel *k, int axis) {
  if (!k || axis < 0 || axis >= k->naxes) return refuse(k);
  return k_emit(k, K_LOOP, 0, axis, -1, -1, 0);
}

int k_loop_where(kernel *k, int axis, int cond) {
  if (!k || cond < 0 || cond >= k->ninst) return refuse(k);
  int loop = k_loop(k, axis);
  if (loop >= 0) k->inst[loop].b = cond;
  return loop;
}

void k_end(kernel *k, int loop) {
  if (!k || loop < 0 || loop >= k->ninst)
    refuse(k);
  else
    k_emit(k, K_END, 0, loop, -1, -1, 0);
}

static int const_bits(kernel *k, tme_dtype t, uint64_t bits) { return k_emit(k, K_CONST, t, -1, -1, -1, bits); }

/* Narrow values only come from loads and casts. */
int k_const_f(kernel *k, tme_dtype t, double v) {
  if (!tme_dtype_size(t) || dtype_is_complex(t)) return refuse(k);
  tme_dtype held = dtype_held(t);
  uint64_t own = 0, bits = 0;
  convert_run(TME_F64, &v, 1, t, &own, 1, 1);
  convert_run(t, &own, 1, held, &bits, 1, 1);
  return k_cast(k, t, const_bits(k, held, bits));
}

int k_const_i(kernel *k, tme_dtype t, int64_t v) {
  if (t != TME_BOOL && !dtype_is_int(t)) return k_const_f(k, t, (double)v);
  uint64_t bits = 0;
  convert_run(TME_I64, &v, 1, t, &bits, 1, 1);
  return const_bits(k, t, bits);
}

int k_load(kernel *k, int access) {
  if (!k || access < 0 || access >= k->nacc) return refuse(k);
  return k_emit(k, K_LOAD, (tme_dtype)k->bufs[k->acc[access].buf].dtype, -1, -1, -1, (uint64_t)access);
}

void k_store(kernel *k, int access, int value) {
  if (!k || access < 0 || access >= k->nacc)
    refuse(k);
  else
    k_emit(k, K_STORE, 0, value, -1, -1, (uint64_t)access);
}

int k_index(kernel *k, int ix) {
  if (!k || ix < 0 || ix >= k->nix) return refuse(k);
  return k_emit(k, K_INDEX, TME_I64, -1, -1, -1, (uint64_t)ix);
}

/* The dtype of an operand, which k_emit checks again. */
static tme_dtype type_of(const kernel *k, int a) {
  return k && a >= 0 && a < k->ninst ? (tme_dtype)k->inst[a].dtype : TME_BOOL;
}

int k_un(kernel *k, k_op op, int a) { return k_emit(k, op, type_of(k, a), a, -1, -1, 0); }

int k_bin(kernel *k, k_op op, int a, int b) {
  return k_emit(k, op, op_is_compare((int)op) ? TME_BOOL : type_of(k, a), a, b, -1, 0);
}

int k_fma(kernel *k, int a, int b, int c) { return k_emit(k, K_FMA, type_of(k, a), a, b, c, 0); }

int k_fma_once(kernel *k, int a, int b, int c) { return k_emit(k, K_FMA_ONCE, type_of(k, a), a, b, c, 0); }

int k_select(kernel *k, int cond, int a, int b) { return k_emit(k, K_SELECT, type_of(k, a), cond, a, b, 0); }

int k_cast(kernel *k, tme_dtype t, int a) {
  if (a >= 0 && type_of(k, a) == t) return a;
  return k_emit(k, K_CAST, t, a, -1, -1, 0);
}

int k_bitcast(kernel *k, tme_dtype t, int a) {
  if (a >= 0 && type_of(k, a) == t) return a;
  return k_emit(k, K_BITCAST, t, a, -1, -1, 0);
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

static int64_t axis_extent(const kernel *k, int axis, const uint64_t *args) {
  const k_axis *x = &k->axes[axis];
  return x->sym >= 0 && args ? (int64_t)args[x->sym] : x->extent;
}

int64_t kernel_tasks(const kernel *k, const uint64_t *args) {
  int64_t total = 0, section = 0;
  int depth = 0, parallel = 0; /* parallel: how many of the open loops count as tasks */
  for (int i = 0; i < k->ninst; i++) {
    const k_inst *in = &k->inst[i];
    if (in->op == K_END && --depth < parallel) {
      parallel = depth;
      if (!depth) total += section;
    }
    if (in->op != K_LOOP) continue;
    unsigned flags = k->axes[in->a].flags;
    bool counts = flags & AXIS_PARALLEL && parallel == depth && !(depth && flags & AXIS_VECTOR);
    if (!depth) section = 0;
    if (counts) {
      int64_t n = axis_extent(k, in->a, args);
      if (depth == 0)
        section = n;
      else if (__builtin_mul_overflow(section, n, &section))
        section = INT64_MAX;
      parallel = depth + 1;
    }
    depth++;
  }
  return total;
}

int64_t kernel_strip(const kernel *k) {
  int64_t strip = 1;
  for (int i = 0; i < k->naxes; i++) {
    const k_axis *a = &k->axes[i];
    int unroll = k->full_unroll ? k->full_unroll : a->unroll;
    if ((a->flags & AXIS_PARALLEL) && (a->flags & AXIS_VECTOR)) strip = (int64_t)a->width * unroll;
  }
  return strip;
}

void kernel_parents(const kernel *k, int *parent) {
  int loop = -1;
  for (int i = 0; i < k->ninst; i++) {
    if (k->inst[i].op == K_END && loop >= 0) loop = parent[loop];
    parent[i] = loop;
    if (k->inst[i].op == K_LOOP) loop = i;
  }
}

bool loop_within(const int *parent, int inner, int outer) {
  while (inner > outer) inner = parent[inner];
  return inner == outer;
}

/* Axes of the loops around instruction i, up to but without the loop `stop`. */
static uint64_t axes_around(const kernel *k, const int *parent, int i, int stop) {
  uint64_t mask = 0;
  for (int l = parent[i]; l != stop && l >= 0; l = parent[l]) mask |= (uint64_t)1 << k->inst[l].a;
  return mask;
}

/* What is loaded from a buffer that the kernel writes changes with the loops around both. */
static uint64_t written_around(const kernel *k, const int *parent, int load, int buf) {
  uint64_t mask = 0;
  for (int i = 0; i < k->ninst; i++) {
    if (k->inst[i].op != K_STORE || k->acc[k->inst[i].imm].buf != buf) continue;
    int l = parent[i];
    while (!loop_within(parent, parent[load], l)) l = parent[l];
    if (l >= 0) mask |= (uint64_t)1 << k->inst[l].a | axes_around(k, parent, l, -1);
  }
  return mask;
}

static uint64_t access_deps(const kernel *k, const k_access *x, const uint64_t *deps) {
  return ix_axes(k, x->ix) | (x->dyn >= 0 ? deps[x->dyn] : 0) | (x->guard >= 0 ? deps[x->guard] : 0);
}

/* An accumulator differs along the axes it keeps apart and along the loops around it that its updates see. Updates may
 * read other accumulators, which come earlier, so one pass in order is enough; a running value read by its own update
 * adds nothing. */
static uint64_t acc_deps(const kernel *k, const int *parent, int acc, const uint64_t *deps) {
  uint64_t mask = k->inst[acc].imm, around = axes_around(k, parent, acc, -1) | mask;
  for (int i = acc + 1; i < k->ninst; i++) {
    const k_inst *in = &k->inst[i];
    if (in->op != K_UPDATE || in->a != acc) continue;
    mask |= (deps[in->b] | (in->c >= 0 ? deps[in->c] : 0)) & around;
  }
  return mask;
}

void kernel_deps(const kernel *k, uint64_t *out) {
  int *parent = mem_alloc((size_t)k->ninst * sizeof *parent);
  if (!parent) { /* the safe answer */
    memset(out, 0xff, (size_t)k->ninst * sizeof *out);
    return;
  }
  kernel_parents(k, parent);
  memset(out, 0, (size_t)k->ninst * sizeof *out);
  /* Accumulators are read after their updates in the text but may feed each other around a loop: repeat until it
   * settles. Masks only grow, so it does. */
  for (bool changed = true; changed;) {
    changed = false;
    for (int i = 0; i < k->ninst; i++) {
      const k_inst *in = &k->inst[i];
      uint64_t d = 0;
      if (in->op == K_INDEX) {
        d = ix_axes(k, (int)in->imm);
      } else if (in->op == K_LOAD || in->op == K_STORE) {
        const k_access *x = &k->acc[in->imm];
        d = access_deps(k, x, out);
        if (in->op == K_STORE)
          d |= out[in->a];
        else if (k->bufs[x->buf].role != BUF_IN)
          d |= written_around(k, parent, i, x->buf);
      } else if (in->op == K_ACC) {
        d = acc_deps(k, parent, i, out);
      } else {
        int n = inst_arity(in);
        d = (n > 0 ? out[in->a] : 0) | (n > 1 ? out[in->b] : 0) | (n > 2 ? out[in->c] : 0);
      }
      changed |= d != out[i];
      out[i] = d;
    }
  }
  mem_free(parent);
}

static void table_bytes(text *out, const void *p, int n, size_t size) {
  int32_t count = n;
  text_bytes(out, &count, sizeof count);
  if (n) text_bytes(out, p, (size_t)n * size);
}

void kernel_bytes(const kernel *k, text *out) {
  table_bytes(out, k->axes, k->naxes, sizeof *k->axes);
  table_bytes(out, k->bufs, k->nbufs, sizeof *k->bufs);
  table_bytes(out, k->ix, k->nix, sizeof *k->ix);
  table_bytes(out, k->acc, k->nacc, sizeof *k->acc);
  table_bytes(out, k->inst, k->ninst, sizeof *k->inst);
  int64_t rest[] = {k->nargs, k->opt, k->scratch_bytes, k->full_unroll};
  text_bytes(out, rest, sizeof rest);
}
