/* The last pass over a description: drops what nothing uses, moves values out of the loops they do not depend on,
 * shares equal ones, and renumbers. Moving never changes a value: each instruction is pure, or its place is kept. */
#include "kernel/kernel_util.h"
#include <string.h>

typedef struct finish {
  kernel *k;
  int *parent;      /* the K_LOOP around each instruction */
  int *home;        /* the K_LOOP it is moved to, -1 for the top */
  int *repl;        /* the equal, earlier instruction that stands for it */
  int *next;        /* next of the instructions moved to just before the same loop */
  int *head, *tail; /* for each K_LOOP: the first and last of those */
  int *number;      /* new number */
  int *work;
  int *hash; /* open addressing, `slots` entries: instruction or -1 */
  int slots;
  bool *live;
  bool *written; /* buffers that are stored to */
} finish;

static bool start(finish *f, kernel *k) {
  size_t n = (size_t)k->ninst + 1;
  f->k = k;
  for (f->slots = 16; f->slots < 2 * k->ninst; f->slots *= 2) {
  }
  int **tables[] = {&f->parent, &f->home, &f->repl, &f->next, &f->head, &f->tail, &f->number, &f->work};
  for (int i = 0; i < COUNT(tables); i++) {
    if (!(*tables[i] = mem_alloc(n * sizeof(int)))) return false;
    memset(*tables[i], 0xff, n * sizeof(int));
  }
  f->hash = mem_alloc((size_t)f->slots * sizeof(int));
  f->live = mem_calloc(n, sizeof(bool));
  f->written = mem_calloc((size_t)k->nbufs + 1, sizeof(bool));
  if (!f->hash || !f->live || !f->written) return false;
  memset(f->hash, 0xff, (size_t)f->slots * sizeof(int));
  return true;
}

static void stop(finish *f) {
  void *tables[] = {f->parent, f->home, f->repl, f->next, f->head,   f->tail,
                    f->number, f->work, f->hash, f->live, f->written};
  for (int i = 0; i < COUNT(tables); i++) mem_free(tables[i]);
}

/* ---- what is used ------------------------------------------------------------------------------------------------ */

static bool is_access(const k_inst *in) { return in->op == K_LOAD || in->op == K_STORE || in->op == K_PREFETCH; }

/* The values that an instruction takes: operands, then those of its access; a loop's condition. */
static int inputs(const kernel *k, const k_inst *in, int *out) {
  int n = 0, arity = inst_arity(in);
  int32_t o[3] = {in->a, in->b, in->c};
  for (int i = 0; i < arity; i++) out[n++] = o[i];
  if (in->op == K_LOOP && in->b >= 0) out[n++] = in->b;
  if (is_access(in)) {
    const k_access *x = &k->acc[in->imm];
    if (x->dyn >= 0) out[n++] = x->dyn;
    if (x->guard >= 0) out[n++] = x->guard;
  }
  return n;
}

static int mark(finish *f, int n, int i) {
  if (!f->live[i]) {
    f->live[i] = true;
    f->work[n++] = i;
  }
  return n;
}

static void find_live(finish *f) {
  const kernel *k = f->k;
  int n = 0;
  for (int i = 0; i < k->ninst; i++) {
    bool stores = k->inst[i].op == K_STORE && k->bufs[k->acc[k->inst[i].imm].buf].role != BUF_SCRATCH;
    if (stores || k->inst[i].op == K_PREFETCH) n = mark(f, n, i);
  }
  while (n) {
    int i = f->work[--n];
    const k_inst *in = &k->inst[i];
    int in_values[5], m = inputs(k, in, in_values);
    for (int j = 0; j < m; j++) n = mark(f, n, in_values[j]);
    if (f->parent[i] >= 0) n = mark(f, n, f->parent[i]);
    bool scratch = in->op == K_LOAD && k->bufs[k->acc[in->imm].buf].role == BUF_SCRATCH;
    if (in->op != K_ACC && !scratch) continue;
    for (int j = 0; j < k->ninst; j++) {
      const k_inst *w = &k->inst[j];
      if (scratch ? w->op == K_STORE && k->acc[w->imm].buf == k->acc[in->imm].buf : w->op == K_UPDATE && w->a == i)
        n = mark(f, n, j);
    }
  }
  for (int i = 0; i < k->ninst; i++) {
    if (k->inst[i].op == K_END) f->live[i] = f->live[k->inst[i].a];
    if (k->inst[i].op == K_STORE && f->live[i]) f->written[k->acc[k->inst[i].imm].buf] = true;
  }
}

/* ---- where it goes ----------------------------------------------------------------------------------------------- */

static bool loop_has(const finish *f, int loop, int op, int what) {
  const kernel *k = f->k;
  for (int i = loop + 1; i < k->ninst && !(k->inst[i].op == K_END && k->inst[i].a == loop); i++) {
    const k_inst *in = &k->inst[i];
    if (in->op == op && f->live[i] && (op == K_STORE ? k->acc[in->imm].buf : in->a) == what) return true;
  }
  return false;
}

/* May instruction i, all of whose inputs are defined outside `loop`, be computed before it? */
static bool can_leave(const finish *f, int i, int loop) {
  const kernel *k = f->k;
  const k_inst *in = &k->inst[i];
  int axis = k->inst[loop].a;
  const k_axis *x = &k->axes[axis];
  uint64_t bit = (uint64_t)1 << axis;
  if (k->inst[loop].b >= 0) return false; /* most often it does not run */
  if (in->op == K_INDEX) return !(ix_axes(k, (int)in->imm) & bit);
  if (in->op == K_READ) return !(k->inst[in->a].imm & bit) && !loop_has(f, loop, K_UPDATE, in->a);
  if (in->op != K_LOAD) return true;
  const k_access *acc = &k->acc[in->imm];
  if (ix_axes(k, acc->ix) & bit) return false;
  /* A loop that never runs may be the reason why the element does not exist. */
  if (!x->extent || (acc->dyn >= 0 && (x->sym >= 0 || x->limit >= 0 || x->first >= 0))) return false;
  return !f->written[acc->buf] || !loop_has(f, loop, K_STORE, acc->buf);
}

/* Parallel loops of a section stay perfectly nested, but for a vector loop inside them. */
static int settle(const finish *f, int i, int home) {
  const kernel *k = f->k;
  for (;;) {
    int child = f->parent[i];
    while (child >= 0 && f->parent[child] != home) child = f->parent[child];
    if (home < 0 || child < 0 || !(k->axes[k->inst[child].a].flags & AXIS_PARALLEL) ||
        k->axes[k->inst[child].a].flags & AXIS_VECTOR || !(k->axes[k->inst[home].a].flags & AXIS_PARALLEL))
      return home;
    home = child;
  }
}

static int find_home(const finish *f, int i) {
  const kernel *k = f->k;
  int values[5], n = inputs(k, &k->inst[i], values), home = f->parent[i];
  if (!op_is_pure(k->inst[i].op) && k->inst[i].op != K_READ) return home;
  while (home >= 0 && can_leave(f, i, home)) {
    for (int j = 0; j < n; j++) {
      if (loop_within(f->parent, f->home[f->repl[values[j]]], home)) return settle(f, i, home);
    }
    home = f->parent[home];
  }
  return settle(f, i, home);
}

/* ---- equal values ------------------------------------------------------------------------------------------------ */

static int repl(const finish *f, int32_t v) { return v < 0 ? v : f->repl[v]; }

static bool same_value(const finish *f, int i, int j) {
  const kernel *k = f->k;
  const k_inst *p = &k->inst[i], *q = &k->inst[j];
  if (p->op != q->op || p->dtype != q->dtype) return false;
  if (p->op == K_LOAD) {
    const k_access *x = &k->acc[p->imm], *y = &k->acc[q->imm];
    return x->buf == y->buf && x->ix == y->ix && x->dyn_scale == y->dyn_scale && repl(f, x->dyn) == repl(f, y->dyn) &&
           repl(f, x->guard) == repl(f, y->guard);
  }
  return p->imm == q->imm && repl(f, p->a) == repl(f, q->a) && repl(f, p->b) == repl(f, q->b) &&
         repl(f, p->c) == repl(f, q->c);
}

static uint64_t mix(uint64_t h, uint64_t v) {
  h = (h ^ v) * 0x9e3779b97f4a7c15u;
  return h ^ h >> 29;
}

static uint64_t hash_of(const finish *f, int i) {
  const k_inst *in = &f->k->inst[i];
  uint64_t h = mix(in->op, in->dtype);
  if (in->op == K_LOAD) {
    const k_access *x = &f->k->acc[in->imm];
    return mix(mix(h, (uint64_t)x->buf), (uint64_t)x->ix);
  }
  h = mix(mix(h, in->imm), (uint64_t)repl(f, in->a));
  return mix(mix(h, (uint64_t)repl(f, in->b)), (uint64_t)repl(f, in->c));
}

/* An earlier equal value whose home is around that of i comes before i after the move as well: it was written before i,
 * and what is moved out of a loop is placed in the order of the program. */
static int find_equal(finish *f, int i) {
  const kernel *k = f->k;
  const k_inst *in = &k->inst[i];
  if (!op_is_pure(in->op) || (in->op == K_LOAD && f->written[k->acc[in->imm].buf])) return i;
  for (uint64_t h = hash_of(f, i);; h++) {
    int *slot = &f->hash[h & (uint64_t)(f->slots - 1)];
    if (*slot < 0) {
      *slot = i;
      return i;
    }
    if (same_value(f, *slot, i) && loop_within(f->parent, f->home[i], f->home[*slot])) return *slot;
  }
}

static void place(finish *f) {
  const kernel *k = f->k;
  for (int i = 0; i < k->ninst; i++) {
    f->repl[i] = i;
    if (!f->live[i] || k->inst[i].op == K_LOOP || k->inst[i].op == K_END) continue;
    f->home[i] = find_home(f, i);
    f->repl[i] = find_equal(f, i);
    if (f->repl[i] != i || f->home[i] == f->parent[i]) continue;
    int anchor = f->parent[i];
    while (f->parent[anchor] != f->home[i]) anchor = f->parent[anchor];
    if (f->tail[anchor] >= 0)
      f->next[f->tail[anchor]] = i;
    else
      f->head[anchor] = i;
    f->tail[anchor] = i;
  }
}

/* ---- the new list ------------------------------------------------------------------------------------------------ */

static int order(finish *f, int *list) {
  const kernel *k = f->k;
  int n = 0;
  for (int i = 0; i < k->ninst; i++) {
    if (!f->live[i] || f->repl[i] != i) continue;
    bool bracket = k->inst[i].op == K_LOOP || k->inst[i].op == K_END;
    if (k->inst[i].op == K_LOOP) {
      for (int j = f->head[i]; j >= 0; j = f->next[j]) list[n++] = j;
    }
    if (bracket || f->home[i] == f->parent[i]) list[n++] = i;
  }
  for (int i = 0; i < n; i++) f->number[list[i]] = i;
  return n;
}

static int32_t renumber(const finish *f, int32_t v) { return v < 0 ? v : f->number[f->repl[v]]; }

static void rewrite(finish *f, const int *list, int n, k_inst *out) {
  const kernel *k = f->k;
  for (int i = 0; i < n; i++) {
    k_inst in = k->inst[list[i]];
    if (in.op == K_END) {
      in.a = f->number[in.a];
    } else if (in.op == K_LOOP) {
      in.b = renumber(f, in.b);
    } else {
      int m = inst_arity(&in);
      in.a = m > 0 ? renumber(f, in.a) : -1;
      if (in.op != K_ACC) /* its b is an operation */
        in.b = m > 1 ? renumber(f, in.b) : -1;
      in.c = m > 2 ? renumber(f, in.c) : -1;
    }
    out[i] = in;
  }
  for (int i = 0; i < k->nacc; i++) {
    k->acc[i].dyn = renumber(f, k->acc[i].dyn);
    k->acc[i].guard = renumber(f, k->acc[i].guard);
  }
}

static int keep_ix(const kernel *k, int ix, int *number) {
  number[ix] = 0;
  if (k->ix[ix].op > IX_AXIS) keep_ix(k, k->ix[ix].a, number);
  if (k->ix[ix].op == IX_ADD) keep_ix(k, k->ix[ix].b, number);
  return ix;
}

/* Accesses and expressions that nothing names any more would still tell two equal kernels apart. */
static bool compact(kernel *k) {
  int *number = mem_alloc((size_t)(k->nix + k->nacc + 1) * sizeof *number), n = 0;
  if (!number) return false;
  int *access = number + k->nix;
  memset(number, 0xff, (size_t)(k->nix + k->nacc) * sizeof *number);
  for (int i = 0; i < k->ninst; i++) {
    if (is_access(&k->inst[i]))
      access[k->inst[i].imm] = 0;
    else if (k->inst[i].op == K_INDEX)
      keep_ix(k, (int)k->inst[i].imm, number);
  }
  for (int i = 0; i < k->nacc; i++) {
    if (access[i] < 0) continue;
    keep_ix(k, k->acc[i].ix, number);
    k->acc[n] = k->acc[i];
    access[i] = n++;
  }
  k->nacc = n;
  for (int i = 0; i < k->naxes; i++) {
    if (k->axes[i].limit >= 0) keep_ix(k, k->axes[i].limit, number);
    if (k->axes[i].first >= 0) keep_ix(k, k->axes[i].first, number);
  }
  n = 0;
  for (int i = 0; i < k->nix; i++) {
    if (number[i] < 0) continue;
    k_ix x = k->ix[i];
    if (x.op > IX_AXIS) x.a = number[x.a];
    if (x.op == IX_ADD) x.b = number[x.b];
    k->ix[n] = x;
    number[i] = n++;
  }
  k->nix = n;
  for (int i = 0; i < k->nacc; i++) k->acc[i].ix = number[k->acc[i].ix];
  for (int i = 0; i < k->naxes; i++) {
    if (k->axes[i].limit >= 0) k->axes[i].limit = number[k->axes[i].limit];
    if (k->axes[i].first >= 0) k->axes[i].first = number[k->axes[i].first];
  }
  for (int i = 0; i < k->ninst; i++) {
    k_inst *in = &k->inst[i];
    if (is_access(in))
      in->imm = (uint64_t)access[in->imm];
    else if (in->op == K_INDEX)
      in->imm = (uint64_t)number[in->imm];
  }
  mem_free(number);
  return true;
}

static bool fill_in(kernel *k) {
  k->nargs = 0;
  k->scratch_bytes = 0;
  for (int i = 0; i < k->naxes; i++) {
    if (k->axes[i].sym >= k->nargs) k->nargs = k->axes[i].sym + 1;
  }
  for (int i = 0; i < k->ninst; i++) {
    if (k->inst[i].op == K_ARG && k->inst[i].imm >= (uint64_t)k->nargs) k->nargs = (int)k->inst[i].imm + 1;
    if (k->inst[i].op == K_ACC && k->opt < 2) k->opt = 2;
  }
  for (int i = 0; i < k->nbufs; i++) {
    const k_buf *b = &k->bufs[i];
    int64_t bytes;
    if (b->role != BUF_SCRATCH) continue;
    if (__builtin_mul_overflow(b->hi, (int64_t)tme_dtype_size((tme_dtype)b->dtype), &bytes) || bytes < 0 ||
        bytes > INT64_MAX / 4 - k->scratch_bytes)
      return false;
    k->scratch_bytes += (bytes + 63) / 64 * 64;
  }
  return true;
}

tme_status kernel_finish(kernel *k, error *e) {
  if (!k || k->failed) return kernel_failure(k, "kernel", e);
  /* Everything below trusts the structure. */
  tme_status bad = kernel_verify(k, e);
  if (bad != TME_OK) return bad;
  finish f = {0};
  k_inst *out = mem_alloc((size_t)(k->ninst ? k->ninst : 1) * sizeof *out);
  bool ok = out && start(&f, k);
  if (ok) {
    kernel_parents(k, f.parent);
    find_live(&f);
    place(&f);
    int n = order(&f, f.work);
    rewrite(&f, f.work, n, out);
    mem_free(k->inst);
    k->inst = out;
    k->cap[4] = k->ninst ? k->ninst : 1;
    k->ninst = n;
    out = NULL;
    ok = compact(k);
  }
  stop(&f);
  mem_free(out);
  if (!ok) return fail_memory(e, "kernel", 0);
  if (!fill_in(k)) return fail(e, TME_ERR_MEMORY, "kernel %s: scratch memory too large", k->name);
  return TME_OK;
}
