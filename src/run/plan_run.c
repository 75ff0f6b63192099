/* Running plans: regions in order, copies between devices, and the answer when a backend fails. */
#include "array/node.h"
#include "run/plan.h"
#include "run/transfer.h"
#include <string.h>

typedef struct runner {
  plan *p;
  const plan_call *c;
  tme_engine *e;
  pending pending;
  uint64_t *args; /* of the step at work */
  error *err;
  bool broken; /* a device failed after it was started: what is in the slots is not to be used */
} runner;

/* Failures that another backend may not have. Where the host's memory is too small for a result, it is for all. */
static bool may_differ(const backend *b, tme_status s) {
  bool memory = s == TME_ERR_MEMORY && b->host_memory;
  return s != TME_OK && s != TME_ERR_NUMERIC && s != TME_ERR_CANCELLED && s != TME_ERR_ARGUMENT && !memory;
}

static bool cancelled(const plan_call *c) { return c->cancel && atomic_load(c->cancel); }

static uint64_t step_bytes(const plan_step *s, const run_args *a) {
  uint64_t bytes = 0;
  for (int i = 0; i < s->region.nleaves + s->region.nroots; i++) {
    const array_view *v = i < s->region.nleaves ? &a->in[i] : &a->out[i - s->region.nleaves];
    uint64_t n = tme_dtype_size(v->dtype);
    for (int d = 0; d < v->rank; d++) n *= (uint64_t)v->shape[d];
    bytes += n;
  }
  return bytes;
}

static tme_status start(tme_engine *e, plan_step *s, backend *b, executable *x, run_args *a, event **done, error *err) {
  memcpy(a->out, s->result, sizeof *a->out * (size_t)s->region.nroots);
  double t = profile_begin(&e->context);
  tme_status st = b->run(b, x, a, done, err);
  if (e->context.profile && st == TME_OK) profile_end(&e->context, t, b->name, s->title, step_bytes(s, a));
  return st;
}

static int backend_of(const plan_step *s) { return atomic_load_explicit(&s->backend, memory_order_relaxed); }

/* Whether another backend may do what number `i` could not. */
static bool is_left(const tme_engine *e, int i, tme_status s) {
  return i < e->backends.n - 1 && may_differ(e->backends.at[i], s);
}

/* Who answers after the step's backend `i` failed while running. What may pass (memory) is tried again next time. */
static int give_up(plan *p, plan_step *s, int i, const error *why) {
  return plan_next(p, s, i, why->code != TME_ERR_MEMORY, why);
}

static void count_fallback(tme_engine *e, const plan_step *s, int i) {
  if (i != s->region.backend) atomic_fetch_add(&e->fallbacks, 1);
}

/* One region over host memory, with the caller's tables as they are. */
static tme_status run_direct(plan *p, const plan_call *c, error *err) {
  plan_step *s = &p->step[0];
  run_args a = {
      .in = c->leaf, .args = c->arg, .out = c->out, .cancel = c->cancel, .check = p->engine->context.config.check};
  for (int i = backend_of(s);;) {
    backend *b = p->engine->backends.at[i];
    event *done = NULL;
    error why;
    why.code = TME_OK;
    executable *x = plan_executable(p, s, i, &why);
    tme_status st = x ? start(p->engine, s, b, x, &a, &done, &why) : why.code;
    if (st == TME_OK && done) st = b->wait(b, done, &why);
    if (st == TME_OK) count_fallback(p->engine, s, i);
    if (st == TME_OK) return st;
    if (!is_left(p->engine, i, st)) return fail(err, st, "%s", why.text);
    i = give_up(p, s, i, &why);
  }
}

/* ---- several steps, or foreign memory ---------------------------------------------------------------------------- */

/* Waits. A failed device is noted with the step, so that the plan can be run again without it. */
static tme_status settle(runner *r) {
  error why = {.code = TME_OK};
  int step = -1;
  backend *b = NULL;
  tme_status st = pending_wait(&r->pending, &step, &b, &why);
  if (st == TME_OK) return TME_OK;
  r->broken = true;
  for (int k = 0; k < r->p->nsteps; k++) {
    plan_step *s = &r->p->step[k];
    int i = backend_of(s);
    if (r->e->backends.at[i] != b || !is_left(r->e, i, st) || (step >= 0 && k != step)) continue;
    plan_next(r->p, s, i, true, &why);
  }
  return fail(r->err, st, "%s", why.text);
}

/* Replaces a slot's view; the old buffer lives until what was started is done. */
static tme_status replace(runner *r, array_view *slot, const array_view *v) {
  if (pending_full(&r->pending)) {
    tme_status s = settle(r);
    if (s != TME_OK) {
      buffer_release(v->buf);
      return s;
    }
  }
  pending_hold(&r->pending, slot->buf);
  *slot = *v;
  return TME_OK;
}

/* Brings a slot to the memory of `b` (NULL: the host), and into rows if a region expects them. */
static tme_status bring(runner *r, array_view *slot, backend *b, bool rows) {
  op_type t = {.dtype = slot->dtype, .rank = slot->rank};
  memcpy(t.shape, slot->shape, sizeof t.shape);
  bool pack = rows && !strides_contiguous(&t, slot->strides);
  array_view v;
  tme_status s = TME_OK;
  if (slot->buf->device && (slot->buf->device != b || pack)) {
    s = settle(r);
    if (s == TME_OK) s = view_to_host(r->e, slot, &v, r->err);
    if (s == TME_OK) s = replace(r, slot, &v);
  }
  if (s == TME_OK && pack) {
    s = view_to_rows(r->e, slot, &v, r->err);
    if (s == TME_OK) s = replace(r, slot, &v);
  }
  if (s == TME_OK && b && !slot->buf->device) {
    event *done = NULL;
    if (pending_full(&r->pending)) s = settle(r);
    if (s == TME_OK) s = view_to_device(b, slot, &v, &done, r->err);
    if (s == TME_OK) {
      pending_add(&r->pending, b, done, -1);
      s = replace(r, slot, &v);
    }
  }
  return s;
}

static tme_status gather(runner *r, plan_step *s, backend *b, array_view *in) {
  for (int i = 0; i < s->region.nleaves; i++) {
    array_view *slot = &r->c->slot[s->in[i]];
    tme_status st = bring(r, slot, b->host_memory ? NULL : b, s->in[i] >= r->p->nleaves);
    if (st != TME_OK) return st;
  }
  for (int i = 0; i < s->region.nleaves; i++) in[i] = r->c->slot[s->in[i]];
  for (int i = 0; i < s->region.nargs; i++)
    memcpy(&r->args[2 * i], &r->c->arg[2 * s->region.arg[i]], 2 * sizeof *r->args);
  return TME_OK;
}

static tme_status run_on(runner *r, int k, int number, array_view *io, error *err) {
  plan_step *s = &r->p->step[k];
  backend *b = r->e->backends.at[number];
  executable *x = plan_executable(r->p, s, number, err);
  if (!x) return err->code;
  array_view *out = io + s->region.nleaves;
  run_args a = {.in = io, .args = r->args, .out = out, .cancel = r->c->cancel, .check = r->e->context.config.check};
  tme_status st = gather(r, s, b, io);
  if (st == TME_OK && pending_full(&r->pending)) st = settle(r);
  if (st != TME_OK) return st;
  /* Work of other backends must be done; this one's is done in order. */
  for (int i = 0; i < r->pending.nwork; i++)
    if (r->pending.work[i].b != b) {
      st = settle(r);
      if (st != TME_OK) return st;
    }
  event *done = NULL;
  st = start(r->e, s, b, x, &a, &done, err);
  if (st != TME_OK) return st;
  pending_add(&r->pending, b, done, k);
  for (int i = 0; i < s->region.nroots; i++) r->c->slot[s->out[i]] = out[i];
  return TME_OK;
}

static tme_status run_step(runner *r, int k, array_view *io) {
  plan_step *s = &r->p->step[k];
  for (int i = backend_of(s);;) {
    error why = {.code = TME_OK};
    tme_status st = run_on(r, k, i, io, &why);
    if (st == TME_OK) count_fallback(r->e, s, i);
    if (st == TME_OK || r->broken) return st;
    if (!why.code) {
      why = *r->err;
      *r->err = (error){.code = TME_OK};
    }
    if (!is_left(r->e, i, st)) return fail(r->err, st, "%s", why.text);
    i = give_up(r->p, s, i, &why);
  }
}

/* Lets go of the values that step k was the last to read, unless a device still works on them. */
static void free_slots(runner *r, int k) {
  if (r->pending.nwork) return;
  const buckets *dead = &r->p->dead;
  for (int i = dead->first[k]; i < dead->first[k + 1]; i++) {
    array_view *slot = &r->c->slot[dead->item[i]];
    buffer_release(slot->buf);
    slot->buf = NULL;
  }
}

static tme_status run_steps(runner *r, array_view *io) {
  plan *p = r->p;
  for (int i = 0; i < p->nslots; i++) {
    if (i < p->nleaves) {
      r->c->slot[i] = r->c->leaf[i];
      buffer_retain(r->c->slot[i].buf);
    } else {
      r->c->slot[i].buf = NULL;
    }
  }
  tme_status st = TME_OK;
  for (int k = 0; k < p->nsteps && st == TME_OK; k++) {
    if (cancelled(r->c))
      st = fail(r->err, TME_ERR_CANCELLED, "eval: cancelled");
    else
      st = run_step(r, k, io);
    if (st == TME_OK) free_slots(r, k);
  }
  tme_status end = settle(r);
  if (st == TME_OK) st = end;
  for (int i = 0; i < p->nroots && st == TME_OK; i++) {
    r->c->out[i] = r->c->slot[p->root[i]];
    buffer_retain(r->c->out[i].buf);
  }
  for (int i = 0; i < p->nslots; i++) buffer_release(r->c->slot[i].buf);
  return st;
}

/* Grows whenever a backend is given up. */
static int count_failed(const plan *p) {
  int n = 0;
  for (int k = 0; k < p->nsteps; k++) n += backend_of(&p->step[k]);
  return n;
}

static tme_status run_general(plan *p, const plan_call *c, error *err) {
  int views = 0;
  for (int k = 0; k < p->nsteps; k++) {
    int n = p->step[k].region.nleaves + p->step[k].region.nroots;
    if (n > views) views = n;
  }
  array_view *io = mem_calloc((size_t)views, sizeof *io);
  uint64_t *args = mem_calloc(2 * (size_t)p->nargs + 1, sizeof *args);
  tme_status st = io && args ? TME_OK : fail_memory(err, "eval", (size_t)views * sizeof *io);
  for (bool again = st == TME_OK; again;) {
    error why = {.code = TME_OK};
    runner r = {.p = p, .c = c, .e = p->engine, .args = args, .err = &why};
    int failed = count_failed(p);
    st = run_steps(&r, io);
    /* Each turn takes at least one step from a failed device. */
    again = st != TME_OK && st != TME_ERR_CANCELLED && count_failed(p) > failed;
    if (st != TME_OK && !again) fail(err, st, "%s", why.text);
  }
  mem_free(io);
  mem_free(args);
  return st;
}

tme_status plan_run(plan *p, const plan_call *c, error *e) {
  if (cancelled(c)) return fail(e, TME_ERR_CANCELLED, "eval: cancelled");
  bool host = p->step[0].direct;
  for (int i = 0; host && i < p->nleaves; i++) host = !c->leaf[i].buf->device;
  return host ? run_direct(p, c, e) : run_general(p, c, e);
}
