#include "backend/steps.h"
#include <string.h>

enum { FEW = 64 /* buffers or arguments of one kernel: their tables lie on the stack */ };

bool steps_make(steps *s, program *p) {
  *s = (steps){.p = p,
               .bytes = mem_alloc((size_t)p->nslots * sizeof *s->bytes),
               .concurrent = mem_alloc(((size_t)p->nsteps + 1) * sizeof *s->concurrent)};
  if (!s->bytes || !s->concurrent) return false;
  for (int i = 0; i < p->nslots; i++)
    if (!mul_size((size_t)p->slots[i].size, tme_dtype_size(p->slots[i].type.dtype), &s->bytes[i]))
      s->bytes[i] = SIZE_MAX;
  for (int i = 0; i < p->nsteps; i++) s->concurrent[i] = 1;
  return true;
}

bool steps_find_dead(steps *s) {
  program *p = s->p;
  int *last = mem_alloc((size_t)p->nslots * sizeof *last); /* per slot: the step that uses it last */
  if (!last) return false;
  for (int k = 0; k < p->nslots; k++) last[k] = -1;
  for (int i = 0; i < p->nsteps; i++) {
    const step *t = &p->steps[i];
    for (int k = 0; k < t->nbind; k++)
      if (t->bind[k] >= 0) last[t->bind[k]] = i;
    for (int k = 0; k < t->nin; k++)
      if (t->in[k] >= 0) last[t->in[k]] = i;
    for (int k = 0; k < t->nout; k++)
      if (t->out[k] >= 0) last[t->out[k]] = i;
  }
  for (int r = 0; r < p->g->nroots; r++) last[p->root_slot[r]] = p->nsteps;
  for (int k = 0; k < p->nslots; k++)
    if (p->slots[k].leaf >= 0) last[k] = -1; /* not the program's */
  bool ok = buckets_make(&s->dead, last, p->nslots, p->nsteps);
  mem_free(last);
  return ok;
}

void steps_free(steps *s) {
  program_free(s->p);
  buckets_free(&s->dead);
  mem_free(s->bytes);
  mem_free(s->concurrent);
}

/* Makes sure that the slot has memory: values get it at their first use, which writes them. */
static tme_status need(step_run *r, int slot, const char *what, error *e) {
  if (r->data[slot]) return TME_OK;
  const program *p = r->s->p;
  size_t bytes = r->s->bytes[slot];
  r->buf[slot] = bytes < SIZE_MAX ? r->ops->alloc(r, bytes) : NULL;
  if (r->buf[slot]) {
    r->data[slot] = r->buf[slot]->data;
    return TME_OK;
  }
  int node = p->slots[slot].node;
  if (node >= 0) what = graph_written(p->g, node);
  return bytes < SIZE_MAX ? fail_memory(e, what, bytes)
                          : fail(e, TME_ERR_MEMORY, "%s: the result has too many elements", what);
}

/* What is computed from a failed matrix has failed. */
static void inherit_failures(step_run *r, const int *in, int nin, const int *out, int nout) {
  for (int i = 0; i < nin; i++) {
    if (in[i] < 0 || !r->buf[in[i]] || !r->buf[in[i]]->failure) continue;
    for (int k = 0; k < nout; k++)
      if (out[k] >= 0 && out[k] != in[i] && r->buf[out[k]]) buffer_inherit(r->buf[out[k]], r->buf[in[i]]);
  }
}

static void finish(step_run *r, int i) {
  const step *s = &r->s->p->steps[i];
  bool failed = false;
  for (int b = 0; b < s->nbind && !failed; b++)
    failed = s->bind[b] >= 0 && r->buf[s->bind[b]] && r->buf[s->bind[b]]->failure;
  for (int b = 0; b < s->nbind && failed; b++)
    if (s->kernel->bufs[b].role == BUF_OUT) inherit_failures(r, s->bind, s->nbind, &s->bind[b], 1);
}

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

/* The tables of a kernel. */
static tme_status bind(step_run *r, int i, void **buf, uint64_t *args, error *e) {
  const step *s = &r->s->p->steps[i];
  for (int k = 0; k < s->nbind; k++) {
    buf[k] = NULL;
    if (s->bind[k] < 0) continue;
    if (need(r, s->bind[k], s->label, e) != TME_OK) return TME_ERR_MEMORY;
    buf[k] = r->data[s->bind[k]];
  }
  for (int k = 0; k < s->nargs; k++)
    args[k] =
        s->args[k].literal < 0 ? (uint64_t)s->args[k].value : r->a->args[2 * s->args[k].literal + s->args[k].word];
  return TME_OK;
}

static tme_status launch_one(step_run *r, int i, void **buf, uint64_t *args, error *e) {
  tme_status status = bind(r, i, buf, args, e);
  if (status == TME_OK) status = r->ops->launch(r, i, 1, buf, args, e);
  if (status == TME_OK) finish(r, i);
  return status;
}

static tme_status launch_all(step_run *r, int i, int n, void **buf, uint64_t *args, error *e) {
  tme_status status = TME_OK;
  size_t b = 0, a = 0;
  for (int k = i; k < i + n && status == TME_OK; k++) {
    status = bind(r, k, buf + b, args + a, e);
    b += (size_t)r->s->p->steps[k].nbind;
    a += (size_t)r->s->p->steps[k].nargs;
  }
  if (status == TME_OK) status = r->ops->launch(r, i, n, buf, args, e);
  for (int k = i; k < i + n && status == TME_OK; k++) finish(r, k);
  return status;
}

static tme_status launch(step_run *r, int i, int n, error *e) {
  const step *s = &r->s->p->steps[i];
  size_t nbuf = 0, nargs = 0;
  if (n == 1 && s->nbind <= FEW && s->nargs <= FEW) {
    void *buf[FEW];
    uint64_t args[FEW];
    return launch_one(r, i, buf, args, e);
  }
  for (int k = 0; k < n; k++) {
    nbuf += (size_t)s[k].nbind;
    nargs += (size_t)s[k].nargs;
  }
  void **block = mem_alloc(nbuf * sizeof *block + nargs * sizeof(uint64_t) + 1);
  if (!block) return fail_memory(e, s->label, nbuf * sizeof *block + nargs * sizeof(uint64_t));
  tme_status status = launch_all(r, i, n, block, (uint64_t *)(void *)(block + nbuf), e);
  mem_free(block);
  return status;
}

/* ---- library calls ----------------------------------------------------------------------------------------------- */

/* Memory of the outputs; `unread`: of those that nobody reads. */
static tme_status need_outputs(step_run *r, const step *s, buffer **unread, error *e) {
  for (int k = 0; k < s->nout; k++) {
    if (s->out[k] >= 0) {
      tme_status status = need(r, s->out[k], s->label, e);
      if (status != TME_OK) return status;
      continue;
    }
    const op_type *t = graph_output(r->s->p->g, s->node, k);
    size_t bytes = (size_t)type_size(t) * tme_dtype_size(t->dtype);
    unread[k] = r->ops->alloc(r, bytes);
    if (!unread[k]) return fail_memory(e, s->label, bytes);
  }
  return TME_OK;
}

static tme_status call(step_run *r, int i, error *e) {
  const step *s = &r->s->p->steps[i];
  buffer *unread[OP_MAX_OUTPUTS] = {NULL};
  char *memory[OP_MAX_OUTPUTS] = {NULL};
  step_failure failed = {NULL, 0};
  tme_status status = need_outputs(r, s, unread, e);
  for (int k = 0; k < s->nout; k++) memory[k] = unread[k] ? unread[k]->data : NULL;
  if (status == TME_OK) status = r->ops->call(r, i, memory, &failed, e);
  for (int k = 0; k < s->nout && failed.text; k++) {
    if (s->out[k] < 0) continue;
    buffer *b = r->buf[s->out[k]];
    b->failure = failed.text;
    b->failed_op = op_name(r->s->p->g->node[s->node].op);
    b->failed_matrix = failed.matrix;
  }
  inherit_failures(r, s->in, s->nin, s->out, s->nout);
  for (int k = 0; k < s->nout; k++) buffer_release(unread[k]);
  return status;
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

static void free_dead(step_run *r, int i) {
  const buckets *dead = &r->s->dead;
  for (int k = dead->first[i]; k < dead->first[i + 1]; k++) {
    buffer_release(r->buf[dead->item[k]]);
    r->buf[dead->item[k]] = NULL;
  }
}

static void give_roots(step_run *r) {
  const program *p = r->s->p;
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

static tme_status run_all(step_run *r, error *e) {
  const program *p = r->s->p;
  tme_status status = TME_OK;
  for (int i = 0, n; i < p->nsteps && status == TME_OK; i += n) {
    if (stop_wanted(r->a->stop))
      return fail(e, TME_ERR_CANCELLED, "cancelled before step %d of %d (%s)", i + 1, p->nsteps, p->steps[i].label);
    n = r->ops->after ? 1 : r->s->concurrent[i];
    status = p->steps[i].kind == STEP_KERNEL ? launch(r, i, n, e) : call(r, i, e);
    if (r->ops->after && status == TME_OK) r->ops->after(r, i);
    for (int k = 0; k < n; k++) free_dead(r, i + k);
  }
  for (int i = 0; i < p->g->nroots && status == TME_OK; i++) /* values without elements have no step */
    status = need(r, p->root_slot[i], "eval", e);
  return status;
}

tme_status steps_run(const steps *s, const step_ops *ops, void *user, run_args *a, error *e) {
  enum { SMALL = 32 };
  buffer *small_buf[SMALL];
  char *small_data[SMALL];
  size_t n = (size_t)s->p->nslots, inputs = 0;
  step_run r = {.s = s, .ops = ops, .user = user, .a = a, .buf = small_buf, .data = small_data};
  void *block = NULL;
  if (n > SMALL) {
    block = mem_alloc(n * (sizeof *r.buf + sizeof *r.data));
    if (!block) return fail_memory(e, "eval", n * (sizeof *r.buf + sizeof *r.data));
    r.buf = block;
    r.data = (char **)(r.buf + n);
  }
  memset(r.buf, 0, n * sizeof *r.buf);
  memset(r.data, 0, n * sizeof *r.data);
  for (; inputs < n && s->p->slots[inputs].leaf >= 0; inputs++) { /* they come first */
    const array_view *v = &a->in[s->p->slots[inputs].leaf];
    r.data[inputs] = (char *)v->buf->data + v->offset * (int64_t)tme_dtype_size(v->dtype);
    if (ops->inputs_may_fail) r.buf[inputs] = v->buf;
  }
  tme_status status = run_all(&r, e);
  if (status == TME_OK) give_roots(&r);
  for (size_t k = inputs; k < n; k++) buffer_release(r.buf[k]);
  mem_free(block);
  return status;
}
