/* The steps of a program, one after the other, over buffers from the pool. */
#include "backend/cpu/check.h"
#include "backend/reference/reference.h"
#include "base/libm.h"
#include "base/threads.h"
#include <stdatomic.h>
#include <string.h>

enum {
  FEW = 64, /* buffers or arguments of one kernel: their tables lie on the stack */
  SCRATCH_GAP =
      64 << 10 /* bytes between what two threads write: a processor fetches ahead of a stride for tens of KiB, and
                      would take from the next thread what that is writing */
};

/* What one run holds. */
typedef struct runner {
  context *context;
  executable *x;
  run_args *a;
  buffer **buf;   /* per slot: of a value that lies in memory now */
  char **data;    /* per slot: its element 0 */
  checker *check; /* TME_CHECK, or NULL */
} runner;

#ifdef TME_TEST_HOOKS
static atomic_bool finest;
void launch_finest(bool on) { atomic_store(&finest, on); }
bool launch_is_finest(void) { return atomic_load(&finest); }
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

typedef struct call {
  kernel_fn *entry;
  void *const *buf;
  const uint64_t *args;
  char *scratch;
  size_t scratch_bytes; /* of a thread */
} call;

static void run_tasks(void *user, int thread, int64_t t0, int64_t t1) {
  const call *c = user;
  char *scratch = c->scratch ? c->scratch + (size_t)thread * c->scratch_bytes : NULL;
  c->entry(c->buf, c->args, scratch, libm_table, t0, t1);
}

/* Makes sure that the slot has memory: values get it at their first use, which writes them. */
static tme_status need(runner *r, int slot, const char *what, error *e) {
  if (r->data[slot]) return TME_OK;
  size_t bytes = r->x->bytes[slot];
  r->buf[slot] = bytes < SIZE_MAX ? pool_get(r->context->pool, bytes) : NULL;
  if (r->buf[slot]) {
    r->data[slot] = r->buf[slot]->data;
    return TME_OK;
  }
  int node = r->x->p->slots[slot].node;
  if (node >= 0) what = graph_written(r->x->p->g, node);
  return bytes < SIZE_MAX ? fail_memory(e, what, bytes)
                          : fail(e, TME_ERR_MEMORY, "%s: the result has too many elements", what);
}

/* What is computed from a failed matrix has failed. */
static void inherit_failures(runner *r, const int *in, int nin, const int *out, int nout) {
  for (int i = 0; i < nin; i++) {
    if (in[i] < 0 || !r->buf[in[i]] || !r->buf[in[i]]->failure) continue;
    for (int k = 0; k < nout; k++)
      if (out[k] >= 0 && out[k] != in[i] && r->buf[out[k]]) buffer_inherit(r->buf[out[k]], r->buf[in[i]]);
  }
}

/* A kernel with all that it needs. */
typedef struct ready {
  int step;
  call c;
  buffer *scratch;
} ready;

/* With tables for its buffers and arguments; `many`: on any of the threads. */
static tme_status prepare(runner *r, int i, bool many, void **buf, uint64_t *args, ready *out, error *e) {
  const step *s = &r->x->p->steps[i];
  const launch *l = &r->x->launch[i];
#ifdef TME_TEST_HOOKS
  if (jit_planted_failure() == JIT_FAIL_RUN)
    return fail(e, TME_ERR_JIT, "%s: planted failure of a compiled kernel", s->label);
#endif
  for (int k = 0; k < s->nbind; k++) {
    buf[k] = NULL;
    if (s->bind[k] < 0) continue;
    if (need(r, s->bind[k], s->label, e) != TME_OK) return TME_ERR_MEMORY;
    buf[k] = r->data[s->bind[k]];
  }
  for (int k = 0; k < s->nargs; k++)
    args[k] =
        s->args[k].literal < 0 ? (uint64_t)s->args[k].value : r->a->args[2 * s->args[k].literal + s->args[k].word];
  size_t per_thread = (l->scratch_bytes + 63) / 64 * 64, bytes;
  if (per_thread && many) per_thread += SCRATCH_GAP;
  size_t copies = many ? (size_t)threads_count(r->context->threads) : 1;
  *out = (ready){.step = i, .c = {.entry = jit_entry(l->code), .buf = buf, .args = args, .scratch_bytes = per_thread}};
  if (!per_thread) return TME_OK;
  if (!mul_size(per_thread, copies, &bytes)) return fail_memory(e, s->label, SIZE_MAX);
  out->scratch = pool_get(r->context->pool, bytes);
  if (!out->scratch) return fail_memory(e, s->label, bytes);
  out->c.scratch = out->scratch->data;
  return TME_OK;
}

static void finish(runner *r, ready *k) {
  const step *s = &r->x->p->steps[k->step];
  buffer_release(k->scratch);
  atomic_fetch_add_explicit(r->x->kernels_run, 1, memory_order_relaxed);
  const launch *l = &r->x->launch[k->step];
  jit_worked(r->x->jit, l->code, l->ns);
  bool failed = false;
  for (int b = 0; b < s->nbind && !failed; b++)
    failed = s->bind[b] >= 0 && r->buf[s->bind[b]] && r->buf[s->bind[b]]->failure;
  for (int b = 0; b < s->nbind && failed; b++)
    if (s->kernel->bufs[b].role == BUF_OUT) inherit_failures(r, s->bind, s->nbind, &s->bind[b], 1);
}

static tme_status run_with(runner *r, int i, void **buf, uint64_t *args, error *e) {
  const step *s = &r->x->p->steps[i];
  const launch *l = &r->x->launch[i];
  ready k;
  tme_status status = prepare(r, i, l->threads > 1, buf, args, &k, e);
  if (status != TME_OK) return status;
  double begin = profile_begin(r->context);
  if (l->threads == 1)
    run_tasks(&k.c, 0, 0, l->tasks);
  else
    threads_for(r->context->threads, l->tasks, l->grain, run_tasks, &k.c);
  if (begin != 0) {
    uint64_t bytes = 0;
    for (int b = 0; b < s->nbind; b++)
      if (s->bind[b] >= 0)
        bytes += (uint64_t)r->x->p->slots[s->bind[b]].size * tme_dtype_size(r->x->p->slots[s->bind[b]].type.dtype);
    profile_end(r->context, begin, "kernel", s->label, bytes);
  }
  finish(r, &k);
  return TME_OK;
}

static tme_status run_kernel(runner *r, int i, error *e) {
  const step *s = &r->x->p->steps[i];
  if (s->nbind <= FEW && s->nargs <= FEW) {
    void *buf[FEW];
    uint64_t args[FEW];
    return run_with(r, i, buf, args, e);
  }
  size_t nbuf = (size_t)s->nbind, nargs = (size_t)s->nargs;
  void **block = mem_alloc(nbuf * sizeof *block + nargs * sizeof(uint64_t));
  if (!block) return fail_memory(e, s->label, nbuf * sizeof *block + nargs * sizeof(uint64_t));
  tme_status status = run_with(r, i, block, (uint64_t *)(void *)(block + nbuf), e);
  mem_free(block);
  return status;
}

/* Concurrent kernels; a piece is numbered through all of them. */
typedef struct row {
  const launch *launch;
  ready *kernel;
  int count;
} row;

static void run_pieces(void *user, int thread, int64_t t0, int64_t t1) {
  const row *w = user;
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

static tme_status run_concurrent(runner *r, int i, int n, error *e) {
  const program *p = r->x->p;
  ready list[MOST_ABREAST] = {0};
  size_t nbuf = 0, nargs = 0;
  for (int k = i; k < i + n; k++) {
    nbuf += (size_t)p->steps[k].nbind;
    nargs += (size_t)p->steps[k].nargs;
  }
  void **buf = mem_alloc(nbuf * sizeof *buf + nargs * sizeof(uint64_t) + 1);
  if (!buf) return fail_memory(e, p->steps[i].label, nbuf * sizeof *buf + nargs * sizeof(uint64_t));
  uint64_t *args = (uint64_t *)(void *)(buf + nbuf);
  tme_status status = TME_OK;
  int64_t pieces = 0;
  size_t b = 0, a = 0;
  for (int k = 0; k < n && status == TME_OK; k++) {
    status = prepare(r, i + k, true, buf + b, args + a, &list[k], e);
    pieces += launch_pieces(&r->x->launch[i + k]);
    b += (size_t)p->steps[i + k].nbind;
    a += (size_t)p->steps[i + k].nargs;
  }
  row w = {.launch = &r->x->launch[i], .kernel = list, .count = n};
  if (status == TME_OK) threads_for(r->context->threads, pieces, 1, run_pieces, &w);
  for (int k = 0; k < n; k++) {
    if (status == TME_OK)
      finish(r, &list[k]);
    else
      buffer_release(list[k].scratch);
  }
  mem_free(buf);
  return status;
}

static ref_array slot_array(const runner *r, int slot) {
  const struct slot *s = &r->x->p->slots[slot];
  ref_array a = {.type = s->type, .data = r->data[slot]};
  memcpy(a.strides, s->strides, sizeof a.strides);
  return a;
}

/* What a call of the reference works on: its operands, and its results, of which some are read by nobody. */
typedef struct library_call {
  const step *s;
  ref_call call;
  ref_array out[OP_MAX_OUTPUTS];
  buffer *unread[OP_MAX_OUTPUTS];
  ref_array *in; /* with room for the table that follows, per operand */
  const ref_array **pin;
} library_call;

static bool library_operands(const runner *r, library_call *c) {
  size_t n = (size_t)c->s->nin + 1;
  c->in = mem_alloc(n * (sizeof *c->in + sizeof *c->pin));
  if (!c->in) return false;
  c->pin = (const ref_array **)(void *)(c->in + n);
  for (int k = 0; k < c->s->nin; k++) {
    bool given = c->s->in[k] >= 0;
    if (given) c->in[k] = slot_array(r, c->s->in[k]);
    c->pin[k] = given ? &c->in[k] : NULL;
  }
  return true;
}

static tme_status library_results(runner *r, library_call *c, error *e) {
  const step *s = c->s;
  const graph *g = r->x->p->g;
  tme_status status = TME_OK;
  for (int k = 0; k < s->nout && status == TME_OK; k++) {
    if (s->out[k] >= 0) {
      status = need(r, s->out[k], s->label, e);
      if (status == TME_OK) c->out[k] = slot_array(r, s->out[k]);
      continue;
    }
    const op_type *t = graph_output(g, s->node, k);
    size_t bytes = (size_t)type_size(t) * tme_dtype_size(t->dtype);
    c->unread[k] = pool_get(r->context->pool, bytes);
    if (!c->unread[k]) return fail_memory(e, s->label, bytes);
    c->out[k] = (ref_array){.type = *t, .data = c->unread[k]->data};
    type_strides(t, c->out[k].strides);
  }
  return status;
}

static void note_failure(runner *r, const library_call *c) {
  for (int k = 0; k < c->s->nout && c->call.failure; k++) {
    if (c->s->out[k] < 0) continue;
    buffer *b = r->buf[c->s->out[k]];
    b->failure = c->call.failure;
    b->failed_op = op_name(c->call.op);
    b->failed_matrix = c->call.failed_matrix;
  }
  inherit_failures(r, c->s->in, c->s->nin, c->s->out, c->s->nout);
}

static tme_status run_library(runner *r, int i, error *e) {
  const program *p = r->x->p;
  library_call c = {.s = &p->steps[i]};
  tme_status status = TME_OK;
  if (library_operands(r, &c)) {
    c.call = (ref_call){.op = p->g->node[c.s->node].op,
                        .nin = c.s->nin,
                        .in = c.pin,
                        .attrs = graph_attrs(p->g, c.s->node),
                        .out = c.out,
                        .nout = c.s->nout,
                        .libraries = true};
    status = library_results(r, &c, e);
  } else {
    status = fail_memory(e, c.s->label, (size_t)c.s->nin * sizeof *c.in);
  }
  if (status == TME_OK) {
    double begin = profile_begin(r->context);
    status = reference_run(&c.call, e);
    profile_end(r->context, begin, "library", c.s->label, 0);
    note_failure(r, &c);
  }
  for (int k = 0; k < c.s->nout; k++) buffer_release(c.unread[k]);
  mem_free(c.in);
  return status;
}

/* Takes check their indices before a kernel gathers with them. */
static tme_status run_bounds(runner *r, int i, error *e) {
  const program *p = r->x->p;
  const step *s = &p->steps[i];
  ref_array indices = slot_array(r, s->in[0]);
  int axis = (int)graph_attrs(p->g, s->node)->take.axis;
  return reference_check_indices(&indices, p->g->node[graph_in(p->g, s->node, 0)].type.shape[axis], axis, e);
}

static void free_dead(runner *r, int i) {
  const buckets *dead = &r->x->dead;
  for (int k = dead->first[i]; k < dead->first[i + 1]; k++) {
    buffer_release(r->buf[dead->item[k]]);
    r->buf[dead->item[k]] = NULL;
  }
}

static void give_roots(runner *r) {
  const program *p = r->x->p;
  for (int i = 0; i < p->g->nroots; i++) {
    int s = p->root_slot[i];
    if (p->slots[s].leaf >= 0) {
      r->a->out[i] = r->a->in[p->slots[s].leaf];
      buffer_retain(r->a->out[i].buf);
      continue;
    }
    const op_type *t = &p->root_type[i];
    array_view *v = &r->a->out[i];
    *v = (array_view){.buf = buffer_retain(r->buf[s]), .dtype = t->dtype, .rank = t->rank};
    memcpy(v->shape, t->shape, sizeof v->shape);
    type_strides(t, v->strides);
  }
}

static tme_status run_steps(runner *r, error *e) {
  const program *p = r->x->p;
  tme_status status = TME_OK;
  for (int i = 0; i < p->nsteps && status == TME_OK; i++) {
    if (r->a->cancel && atomic_load_explicit(r->a->cancel, memory_order_relaxed))
      return fail(e, TME_ERR_CANCELLED, "cancelled before step %d of %d (%s)", i + 1, p->nsteps, p->steps[i].label);
    int concurrent = r->check || r->context->profile ? 1 : r->x->concurrent[i];
    if (concurrent > 1) {
      status = run_concurrent(r, i, concurrent, e);
      for (int k = 0; k < concurrent; k++) free_dead(r, i + k);
      i += concurrent - 1;
      continue;
    }
    switch (p->steps[i].kind) {
    case STEP_KERNEL: status = run_kernel(r, i, e); break;
    case STEP_LIBRARY: status = run_library(r, i, e); break;
    case STEP_BOUNDS: status = run_bounds(r, i, e); break;
    }
    if (r->check && status == TME_OK) checker_step(r->check, p, i, r->data);
    free_dead(r, i);
  }
  for (int i = 0; i < p->g->nroots && status == TME_OK; i++) /* values without elements have no step */
    status = need(r, p->root_slot[i], "eval", e);
  return status;
}

tme_status run_program(context *c, executable *x, run_args *a, error *e) {
  enum { SMALL = 32 };
  buffer *small_buf[SMALL];
  char *small_data[SMALL];
  size_t n = (size_t)x->p->nslots;
  runner r = {.context = c, .x = x, .a = a, .buf = small_buf, .data = small_data};
  void *block = NULL;
  if (n > SMALL) {
    block = mem_alloc(n * (sizeof *r.buf + sizeof *r.data));
    if (!block) return fail_memory(e, "eval", n * (sizeof *r.buf + sizeof *r.data));
    r.buf = block;
    r.data = (char **)(r.buf + n);
  }
  memset(r.buf, 0, n * sizeof *r.buf);
  memset(r.data, 0, n * sizeof *r.data);
  for (size_t s = 0; s < n && x->p->slots[s].leaf >= 0; s++) { /* they come first */
    const array_view *v = &a->in[x->p->slots[s].leaf];
    r.data[s] = (char *)v->buf->data + v->offset * (int64_t)tme_dtype_size(v->dtype);
  }
  r.check = a->check ? checker_new(c, x->p, a) : NULL;
  tme_status status = run_steps(&r, e);
  checker_free(r.check);
  if (status == TME_OK) give_roots(&r);
  for (size_t s = 0; s < n; s++) buffer_release(r.buf[s]);
  mem_free(block);
  return status;
}
