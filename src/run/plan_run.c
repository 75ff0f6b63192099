/* Running plans: regions in order, copies between devices, and the answer when a backend fails. */
#include "array/node.h"
#include "run/in_flight.h"
#include "run/transfer.h"
#include <string.h>

typedef struct runner {
  plan *p;
  const plan_call *c;
  tme_engine *e;
  event **started; /* work in flight, in order; room for one per step */
  int nstarted;
  uint64_t *args; /* of the step at work */
  error *err;
  bool broken; /* what is in the slots is not to be used: a device failed after it was started */
} runner;

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

static tme_status start(tme_engine *e, plan_step *s, backend *b, executable *x, run_args *a, error *err) {
  memcpy(a->out, s->result, sizeof *a->out * (size_t)s->region.nroots);
  double t = profile_begin(&e->context);
  tme_status st = b->run(b, x, a, err);
  if (e->context.profile && st == TME_OK) profile_end(&e->context, t, b->name, s->title, step_bytes(s, a));
  return st;
}

static int backend_of(const plan_step *s) { return atomic_load_explicit(&s->backend, memory_order_relaxed); }

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
      .in = c->leaf, .args = c->arg, .out = c->out, .stop = c->stop, .check = p->engine->context.config.check};
  for (int i = backend_of(s);;) {
    backend *b = p->engine->backends.at[i];
    error why;
    why.code = TME_OK;
    executable *x = plan_executable(p, s, i, &why);
    tme_status st = x ? start(p->engine, s, b, x, &a, &why) : why.code;
    if (st == TME_OK) count_fallback(p->engine, s, i);
    if (st == TME_OK) return st;
    if (!plan_has_next(p, i, st)) return fail(err, st, "%s", why.text);
    i = give_up(p, s, i, &why);
  }
}

/* ---- several steps, or foreign memory ---------------------------------------------------------------------------- */

/* Waits for what was started. A failed device is noted with its step, so that the plan can be run again without it. */
static tme_status settle(runner *r) {
  error why = {.code = TME_OK};
  for (int i = 0; i < r->nstarted; i++) {
    in_flight_end(r->started[i], &why);
    event_release(r->started[i]);
  }
  r->nstarted = 0;
  if (why.code == TME_OK) return TME_OK;
  r->broken = true;
  return fail(r->err, why.code, "%s", why.text);
}

static void replace(array_view *slot, const array_view *v) {
  buffer_release(slot->buf);
  *slot = *v;
}

/* Waits until the host may read a slot. What fails here and is not of this plan, no backend can do without. */
static tme_status wait_for(runner *r, const array_view *slot) {
  tme_status s = settle(r);
  if (s == TME_OK) s = buffer_wait(slot->buf, r->err);
  r->broken |= s != TME_OK;
  return s;
}

/* Brings a slot to the memory of `b` (NULL: the host), and into rows if a region expects them. */
static tme_status bring(runner *r, array_view *slot, backend *b, bool rows) {
  op_type t = {.dtype = slot->dtype, .rank = slot->rank};
  memcpy(t.shape, slot->shape, sizeof t.shape);
  bool pack = rows && !strides_contiguous(&t, slot->strides);
  array_view v;
  tme_status s = TME_OK;
  if (slot->buf->device && (slot->buf->device != b || pack)) {
    s = wait_for(r, slot);
    if (s == TME_OK) s = view_to_host(r->e, slot, &v, r->err);
    if (s == TME_OK) replace(slot, &v);
  }
  if (s == TME_OK && pack) {
    s = view_to_rows(r->e, slot, &v, r->err);
    if (s == TME_OK) replace(slot, &v);
  }
  if (s == TME_OK && b && !slot->buf->device) {
    s = view_to_device(b, slot, &v, r->err);
    if (s == TME_OK) replace(slot, &v);
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

static bool is_input(const array_view *in, int n, const buffer *b) {
  for (int i = 0; i < n; i++)
    if (in[i].buf == b) return true;
  return false;
}

/* The outputs of step k that are in flight get an event which knows of the step. After a failure there are no outputs. */
static tme_status track(runner *r, int k, int number, const array_view *in, array_view *out, error *err) {
  const region *of = &r->p->step[k].region;
  event *ev = NULL;
  for (int i = 0; i < of->nroots; i++) {
    buffer *b = out[i].buf;
    if (!b->ready || is_input(in, of->nleaves, b)) continue;
    if (!ev) ev = in_flight_new(r->p, k, number, b->ready);
    if (!ev) {
      buffer_wait(b, NULL);
      for (int j = 0; j < of->nroots; j++) buffer_release(out[j].buf);
      return fail_memory(err, r->p->step[k].title, sizeof *ev);
    }
    event_release(b->ready);
    b->ready = event_retain(ev);
  }
  if (ev) r->started[r->nstarted++] = ev;
  return TME_OK;
}

static tme_status run_on(runner *r, int k, int number, array_view *io, error *err) {
  plan_step *s = &r->p->step[k];
  backend *b = r->e->backends.at[number];
  executable *x = plan_executable(r->p, s, number, err);
  if (!x) return err->code;
  array_view *out = io + s->region.nleaves;
  run_args a = {.in = io, .args = r->args, .out = out, .stop = r->c->stop, .check = r->e->context.config.check};
  tme_status st = gather(r, s, b, io);
  if (st == TME_OK) st = start(r->e, s, b, x, &a, err);
  if (st == TME_OK) st = track(r, k, number, io, out, err);
  for (int i = 0; i < s->region.nroots && st == TME_OK; i++) r->c->slot[s->out[i]] = out[i];
  return st;
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
    if (!plan_has_next(r->p, i, st)) return fail(r->err, st, "%s", why.text);
    i = give_up(r->p, s, i, &why);
  }
}

/* Lets go of the values that step k was the last to read. */
static void free_slots(runner *r, int k) {
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
    if (stop_wanted(r->c->stop))
      st = fail(r->err, TME_ERR_CANCELLED, "eval: cancelled");
    else
      st = run_step(r, k, io);
    if (st == TME_OK) free_slots(r, k);
  }
  if (st != TME_OK || r->c->wait) {
    tme_status end = settle(r);
    if (st == TME_OK) st = end;
  }
  while (r->nstarted) event_release(r->started[--r->nstarted]);
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
  event **started = mem_calloc((size_t)p->nsteps, sizeof(event *));
  tme_status st = io && args && started ? TME_OK : fail_memory(err, "eval", (size_t)views * sizeof *io);
  for (bool again = st == TME_OK; again;) {
    error why = {.code = TME_OK};
    runner r = {.p = p, .c = c, .e = p->engine, .started = started, .args = args, .err = &why};
    int failed = count_failed(p);
    st = run_steps(&r, io);
    /* Each turn takes at least one step from a failed device. */
    again = st != TME_OK && st != TME_ERR_CANCELLED && count_failed(p) > failed;
    if (st != TME_OK && !again) fail(err, st, "%s", why.text);
  }
  mem_free(io);
  mem_free(args);
  mem_free(started);
  return st;
}

tme_status plan_run(plan *p, const plan_call *c, error *e) {
  if (stop_wanted(c->stop)) return fail(e, TME_ERR_CANCELLED, "eval: cancelled");
  bool host = p->step[0].direct;
  for (int i = 0; host && i < p->nleaves; i++) host = !c->leaf[i].buf->device;
  return host ? run_direct(p, c, e) : run_general(p, c, e);
}
