/* Compiled kernels on the mock's memory: the steps of a program over scrambled buffers, each on plain copies of what it works on. */
#include "backend/cpu/run.h"
#include "backend/mock/mock.h"
#include "backend/reference/step.h"

typedef struct stepper {
  backend *b;
  executable *x; /* the CPU's */
} stepper;

static buffer *alloc(step_run *r, size_t bytes) {
  backend *b = ((stepper *)r->user)->b;
  return b->alloc(b, bytes, NULL);
}

/* Plain copies of slots: `copy` per slot, and where its element 0 is. */
typedef struct copies {
  buffer **copy;
  char **data;
  int n;
} copies;

static tme_status copy_slots(step_run *r, const int *slot, int n, copies *c, error *e) {
  for (int k = 0; k < n; k++) {
    if (slot[k] < 0 || c->copy[slot[k]]) continue;
    const buffer *b = r->buf[slot[k]];
    buffer *copy = c->copy[slot[k]] = mock_plain(((stepper *)r->user)->b->context, b, e);
    if (!copy) return e->code;
    c->data[slot[k]] = (char *)copy->data + (r->data[slot[k]] - (char *)b->data);
  }
  return TME_OK;
}

static void scramble_slot(step_run *r, int slot, const copies *c) {
  if (slot >= 0) mock_scramble(r->buf[slot]->data, c->copy[slot]->data, r->buf[slot]->bytes);
}

static tme_status copies_new(step_run *r, copies *c, error *e) {
  size_t n = (size_t)r->s->p->nslots;
  *c = (copies){.copy = mem_calloc(n, sizeof(buffer *)), .data = mem_calloc(n, sizeof(char *)), .n = (int)n};
  return c->copy && c->data ? TME_OK : fail_memory(e, "mock", n * sizeof *c->copy);
}

static void copies_free(copies *c) {
  for (int k = 0; k < c->n && c->copy; k++) buffer_release(c->copy[k]);
  mem_free(c->copy);
  mem_free(c->data);
}

static tme_status launch_one(step_run *r, int i, void **buf, const uint64_t *args, error *e) {
  const step *s = &r->s->p->steps[i];
  stepper *t = r->user;
  copies c;
  tme_status st = copies_new(r, &c, e);
  if (st == TME_OK) st = copy_slots(r, s->bind, s->nbind, &c, e);
  for (int k = 0; k < s->nbind && st == TME_OK; k++) buf[k] = s->bind[k] < 0 ? NULL : c.data[s->bind[k]];
  if (st == TME_OK) st = run_kernel(t->b->context, t->x, i, buf, args, e);
  for (int k = 0; k < s->nbind && st == TME_OK; k++)
    if (s->kernel->bufs[k].role == BUF_OUT) scramble_slot(r, s->bind[k], &c);
  copies_free(&c);
  return st;
}

static tme_status launch_all(step_run *r, int i, int n, void **buf, const uint64_t *args, error *e) {
  tme_status st = TME_OK;
  for (int k = i; k < i + n && st == TME_OK; k++) {
    st = launch_one(r, k, buf, args, e);
    buf += r->s->p->steps[k].nbind;
    args += r->s->p->steps[k].nargs;
  }
  return st;
}

static tme_status call(step_run *r, int i, char *const *unread, step_failure *failed, error *e) {
  const step *s = &r->s->p->steps[i];
  copies c;
  tme_status st = copies_new(r, &c, e);
  if (st == TME_OK) st = copy_slots(r, s->in, s->nin, &c, e);
  if (st == TME_OK) st = copy_slots(r, s->out, s->nout, &c, e);
  if (st == TME_OK) st = reference_step(r->s->p, i, NULL, c.data, unread, failed, e);
  for (int k = 0; k < s->nout && st == TME_OK; k++) scramble_slot(r, s->out[k], &c);
  copies_free(&c);
  return st;
}

tme_status mock_run_steps(backend *b, executable *x, run_args *a, error *e) {
  static const step_ops ops = {.alloc = alloc, .launch = launch_all, .call = call, .inputs_may_fail = true};
  stepper t = {b, x};
  return steps_run(&x->s, &ops, &t, a, e);
}
