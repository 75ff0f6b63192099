#include "run/in_flight.h"
#include <stdio.h>
#include <string.h>

typedef struct in_flight {
  event base;
  event *work;
  _Atomic(plan *) plan; /* a reference, given back once the work is known to be right */
  int step, number;
  const backend *b;
  char title[sizeof(((plan_step *)0)->title)];
} in_flight;

static bool is_done(const event *ev) {
  const event *work = ((const in_flight *)(const void *)ev)->work;
  return work->done(work);
}

tme_status in_flight_end(event *ev, error *e) {
  in_flight *f = (in_flight *)(void *)ev;
  error why = {.code = TME_OK};
  tme_status s = f->work->wait(f->work, &why);
  if (s == TME_OK) {
    plan_release(NULL, atomic_exchange(&f->plan, NULL));
    return s;
  }
  plan *p = atomic_load(&f->plan);
  if (!f->work->inherited && plan_has_next(p, f->number, s)) plan_next(p, &p->step[f->step], f->number, true, &why);
  return fail(e, s, "%s", why.text);
}

/* A device's words do not say what it worked on; those of an operation about its operands do. */
static tme_status wait_for(event *ev, error *e) {
  const in_flight *f = (const in_flight *)(const void *)ev;
  error why = {.code = TME_OK};
  tme_status s = in_flight_end(ev, &why);
  bool device = s == TME_ERR_DEVICE || s == TME_ERR_JIT || s == TME_ERR_MEMORY;
  if (s == TME_OK) return s;
  return device && !f->work->inherited ? fail(e, s, "%s: the %s backend failed: %s", f->title, f->b->name, why.text)
                                       : fail(e, s, "%s", why.text);
}

static void free_event(event *ev) {
  in_flight *f = (in_flight *)(void *)ev;
  event_release(f->work);
  plan_release(NULL, atomic_load(&f->plan));
  mem_free(f);
}

event *in_flight_new(plan *p, int step, int number, event *work) {
  in_flight *f = mem_alloc(sizeof *f);
  if (!f) return NULL;
  plan_retain(p);
  *f = (in_flight){.base = {.inherited = false, .done = is_done, .wait = wait_for, .free = free_event},
                   .work = event_retain(work),
                   .step = step,
                   .number = number,
                   .b = p->engine->backends.at[number]};
  atomic_init(&f->base.refs, 1);
  atomic_init(&f->plan, p);
  memcpy(f->title, p->step[step].title, sizeof f->title);
  return &f->base;
}
