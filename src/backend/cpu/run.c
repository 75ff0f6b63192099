/* What the steps of a program do on the CPU: kernels over the engine's threads, library calls by the reference. */
#include "backend/cpu/check.h"
#include "backend/reference/step.h"
#include "base/libm.h"
#include "base/threads.h"
#include <stdatomic.h>
#include <string.h>

enum {
  FEW = 64, /* arguments of one kernel: their table lies on the stack */
  SCRATCH_GAP =
      64 << 10 /* bytes between what two threads write: a processor fetches ahead of a stride for tens of KiB, and
                      would take from the next thread what that is writing */
};

/* What one run holds. */
typedef struct launcher {
  context *context;
  executable *x;
  checker *check; /* TME_CHECK, or NULL */
} launcher;

#ifdef TME_TEST_HOOKS
static atomic_bool finest;
void launch_finest(bool on) { atomic_store(&finest, on); }
bool launch_is_finest(void) { return atomic_load(&finest); }
#else
bool launch_is_finest(void) { return false; }
#endif

tme_status plan_launch(const step *s, int nthreads, launch *out, error *e) {
  uint64_t few[FEW] = {0}, *args = s->nargs > FEW ? mem_alloc((size_t)s->nargs * sizeof *args) : few;
  if (!args) return fail_memory(e, s->label, (size_t)s->nargs * sizeof *args);
  for (int i = 0; i < s->nargs; i++) args[i] = s->args[i].literal < 0 ? (uint64_t)s->args[i].value : 0;
  out->tasks = kernel_tasks(s->kernel, args);
  if (args != few) mem_free(args);
  int64_t strip = kernel_strip(s->kernel);
  double worth = launch_is_finest() ? 0 : WORTH_A_THREAD, piece = launch_is_finest() ? 0 : LEAST_PIECE;
  double cost = s->kernel->task_cost, grain = cost > 0 ? piece / cost : 1;
  bool alone = (double)out->tasks * cost < worth || grain >= (double)out->tasks;
  out->grain = alone ? out->tasks : (int64_t)grain;
  out->grain = (out->grain + strip - 1) / strip * strip;
  if (out->grain < 1) out->grain = strip;
  int64_t most = (out->tasks + out->grain - 1) / out->grain;
  out->threads = most < nthreads ? (int)most : nthreads;
  out->scratch_bytes = (size_t)s->kernel->scratch_bytes;
  out->ns = (double)out->tasks * cost;
  return TME_OK;
}

typedef struct kernel_call {
  kernel_fn *entry;
  void *const *buf;
  const uint64_t *args;
  char *scratch;
  size_t scratch_bytes; /* of a thread */
} kernel_call;

static void run_tasks(void *user, int thread, int64_t t0, int64_t t1) {
  const kernel_call *c = user;
  char *scratch = c->scratch ? c->scratch + (size_t)thread * c->scratch_bytes : NULL;
  c->entry(c->buf, c->args, scratch, libm_table, t0, t1);
}

/* A kernel with all that it needs. */
typedef struct ready {
  kernel_call c;
  buffer *scratch;
} ready;

/* `many`: on any of the threads. */
static tme_status prepare(launcher *r, int i, bool many, void *const *buf, const uint64_t *args, ready *out, error *e) {
  const launch *l = &r->x->launch[i];
  size_t per_thread = (l->scratch_bytes + 63) / 64 * 64, bytes;
  if (per_thread && many) per_thread += SCRATCH_GAP;
  size_t copies = many ? (size_t)threads_count(r->context->threads) : 1;
  *out = (ready){.c = {.entry = jit_entry(l->code), .buf = buf, .args = args, .scratch_bytes = per_thread}};
  if (!per_thread) return TME_OK;
  const char *label = r->x->s.p->steps[i].label;
  if (!mul_size(per_thread, copies, &bytes)) return fail_memory(e, label, SIZE_MAX);
  out->scratch = pool_get(r->context->pool, bytes);
  if (!out->scratch) return fail_memory(e, label, bytes);
  out->c.scratch = out->scratch->data;
  return TME_OK;
}

static void count(launcher *r, const launch *l) {
  atomic_fetch_add_explicit(r->x->kernels_run, 1, memory_order_relaxed);
  jit_worked(r->x->jit, l->code, l->ns);
}

static tme_status launch_one(launcher *r, int i, void *const *buf, const uint64_t *args, error *e) {
  const launch *l = &r->x->launch[i];
  if (l->threads == 1 && !l->scratch_bytes && !r->context->profile) { /* as most are where arrays are small */
    jit_entry(l->code)(buf, args, NULL, libm_table, 0, l->tasks);
    count(r, l);
    return TME_OK;
  }
  ready k;
  tme_status status = prepare(r, i, l->threads > 1, buf, args, &k, e);
  if (status != TME_OK) return status;
  double begin = profile_begin(r->context);
  if (l->threads == 1)
    run_tasks(&k.c, 0, 0, l->tasks);
  else
    threads_for(r->context->threads, l->tasks, l->grain, run_tasks, &k.c);
  if (begin != 0) {
    const program *p = r->x->s.p;
    const step *s = &p->steps[i];
    uint64_t bytes = 0;
    for (int b = 0; b < s->nbind; b++)
      if (s->bind[b] >= 0)
        bytes += (uint64_t)p->slots[s->bind[b]].size * tme_dtype_size(p->slots[s->bind[b]].type.dtype);
    profile_end(r->context, begin, "kernel", s->label, bytes);
  }
  buffer_release(k.scratch);
  count(r, l);
  return TME_OK;
}

tme_status run_kernel(context *c, executable *x, int i, void *const *buf, const uint64_t *args, error *e) {
  launcher r = {.context = c, .x = x};
  return launch_one(&r, i, buf, args, e);
}

/* Concurrent kernels; a piece is numbered through all of them. */
typedef struct concurrent {
  const launch *launch;
  ready *kernel;
  int count;
} concurrent;

static void run_pieces(void *user, int thread, int64_t t0, int64_t t1) {
  const concurrent *w = user;
  int64_t before = 0;
  for (int i = 0; i < w->count; i++) {
    const launch *l = &w->launch[i];
    int64_t pieces = launch_pieces(l), from = t0 - before, to = t1 - before;
    before += pieces;
    from = (from > 0 ? from : 0) * l->grain;
    to = to < pieces ? to * l->grain : l->tasks;
    if (to > l->tasks) to = l->tasks;
    if (from < to) run_tasks(&w->kernel[i].c, thread, from, to);
  }
}

static tme_status launch_concurrent(launcher *r, int i, int n, void *const *buf, const uint64_t *args, error *e) {
  const step *s = &r->x->s.p->steps[i];
  ready list[MOST_ABREAST] = {0};
  tme_status status = TME_OK;
  int64_t pieces = 0;
  for (int k = 0; k < n && status == TME_OK; k++) {
    status = prepare(r, i + k, true, buf, args, &list[k], e);
    pieces += launch_pieces(&r->x->launch[i + k]);
    buf += s[k].nbind;
    args += s[k].nargs;
  }
  concurrent w = {.launch = &r->x->launch[i], .kernel = list, .count = n};
  if (status == TME_OK) threads_for(r->context->threads, pieces, 1, run_pieces, &w);
  for (int k = 0; k < n; k++) {
    buffer_release(list[k].scratch);
    if (status == TME_OK) count(r, &r->x->launch[i + k]);
  }
  return status;
}

static tme_status launch_kernels(step_run *run, int i, int n, void **buf, const uint64_t *args, error *e) {
  launcher *r = run->user;
#ifdef TME_TEST_HOOKS
  if (jit_planted_failure() == JIT_FAIL_RUN)
    return fail(e, TME_ERR_JIT, "%s: planted failure of a compiled kernel", run->s->p->steps[i].label);
#endif
  return n == 1 ? launch_one(r, i, buf, args, e) : launch_concurrent(r, i, n, buf, args, e);
}

static buffer *alloc(step_run *run, size_t bytes) { return pool_get(((launcher *)run->user)->context->pool, bytes); }

static tme_status call_library(step_run *run, int i, char *const *unread, step_failure *failed, error *e) {
  launcher *r = run->user;
  const program *p = run->s->p;
  double begin = profile_begin(r->context);
  tme_status status = reference_step(p, i, r->context->threads, run->data, unread, failed, e);
  if (p->steps[i].kind == STEP_LIBRARY) profile_end(r->context, begin, "library", p->steps[i].label, 0);
  return status;
}

static void check(step_run *run, int i) {
  launcher *r = run->user;
  if (r->check) checker_step(r->check, run->s->p, i, run->data);
}

tme_status run_program(context *c, executable *x, run_args *a, error *e) {
  static const step_ops ops = {.alloc = alloc, .launch = launch_kernels, .call = call_library},
                        one_by_one = {.alloc = alloc, .launch = launch_kernels, .call = call_library, .after = check};
  launcher r = {.context = c, .x = x, .check = a->check ? checker_new(c, x->s.p, a) : NULL};
  tme_status status = steps_run(&x->s, r.check || c->profile ? &one_by_one : &ops, &r, a, e);
  checker_free(r.check);
  return status;
}
