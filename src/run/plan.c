/* Making plans. */
#include "run/plan.h"
#include "array/node.h"
#include "base/stack.h"
#include "run/trace.h"
#include <stdio.h>
#include <string.h>

/* "matmul, add, gelu, ..." */
static void title_of(const graph *g, char *out, size_t size) {
  size_t len = 0;
  *out = 0;
  for (int i = 0; i < g->n; i++) {
    int op = graph_get(g, i)->op;
    if (op >= OP_PUBLIC_COUNT) continue;
    size_t room = size - len;
    if (room < 32) {
      snprintf(out + len, room, ", ...");
      return;
    }
    int n = snprintf(out + len, room, "%s%s", len ? ", " : "", op_name(op));
    len += n > 0 && (size_t)n < room ? (size_t)n : room - 1;
  }
}

static void report(tme_engine *e, const plan_step *s, backend *b, const backend *next, const error *why) {
  atomic_fetch_add(&e->failures, 1);
  /* Without a compiler every plan fails alike: that is said once. */
  bool has_jit = !b->has_jit || b->has_jit(b);
  if (!has_jit && atomic_exchange(&e->jit_missed, true)) return;
  context_log(&e->context, TME_LOG_WARNING, "%s: the %s backend failed, %s answers: %s", s->title, b->name, next->name,
              why->text);
}

int plan_next(plan *p, plan_step *s, int from, bool for_good, const error *why) {
  const backend_list *l = &p->engine->backends;
  int next = from + 1;
  while (next < l->n - 1 && !region_fits(s->region.graph, l->at[next])) next++;
  int now = from;
  bool first = !for_good || atomic_compare_exchange_strong(&s->backend, &now, next) || now < from;
  if (first) report(p->engine, s, l->at[from], l->at[next], why);
  return next;
}

/* Whether another backend may succeed. Where the host's memory is too small for a result, it is so for all. */
static bool may_differ(tme_status s, const backend *b) {
  switch (s) {
  case TME_OK:
  case TME_ERR_NUMERIC:
  case TME_ERR_CANCELLED:
  case TME_ERR_ARGUMENT:
  case TME_ERR_INDEX: return false;
  case TME_ERR_MEMORY: return !b->host_memory;
  default: return true;
  }
}

bool plan_has_next(const plan *p, int from, tme_status s) {
  return may_differ(s, p->engine->backends.at[from]) && from < p->engine->backends.n - 1;
}

executable *plan_prepare(plan *p, plan_step *s, int number, error *e) {
  executable *x = NULL;
  backend *b = p->engine->backends.at[number];
  double t = profile_begin(&p->engine->context);
  executable *made = b->prepare(b, s->region.graph, e);
  profile_end(&p->engine->context, t, "prepare", s->title, 0);
  if (!made && !e->code) fail_memory(e, s->title, sizeof *s);
  if (!made) return NULL;
  if (b->has_jit && !atomic_exchange(&p->engine->jit_used, true))
    context_log(&p->engine->context, TME_LOG_INFO, "JIT: the %s backend is in use", b->name);
  if (atomic_compare_exchange_strong(&s->exe[number], &x, made)) return made;
  b->free_executable(b, made); /* another thread was faster */
  return x;
}

static tme_status prepare(plan *p, plan_step *s, error *e) {
  for (int i = s->region.backend;;) {
    error why = {.code = TME_OK};
    if (plan_executable(p, s, i, &why)) return TME_OK;
    if (i == p->engine->backends.n - 1) return fail(e, why.code, "%s", why.text);
    i = plan_next(p, s, i, true, &why);
  }
}

/* Which slot each value of the whole graph has: leaves first, then what regions give. */
static void number_slots(plan *p, const graph *g, int *slot) {
  for (int i = 0; i < g->n; i++) slot[i] = graph_get(g, i)->op == OP_leaf ? graph_get(g, i)->leaf : -1;
  p->nslots = p->nleaves;
  for (int k = 0; k < p->nsteps; k++)
    for (int i = 0; i < p->step[k].region.nroots; i++) slot[p->step[k].region.root[i]] = p->nslots++;
}

/* Slots and views of what steps read and give. */
static tme_status connect(plan *p, const graph *g, const int *slot, error *e) {
  p->root = mem_calloc((size_t)p->nroots, sizeof *p->root);
  if (!p->root) return fail_memory(e, "plan", (size_t)p->nroots * sizeof *p->root);
  for (int k = 0; k < p->nsteps; k++) {
    plan_step *s = &p->step[k];
    const region *r = &s->region;
    s->in = mem_calloc((size_t)r->nleaves, sizeof *s->in);
    s->out = mem_calloc((size_t)r->nroots, sizeof *s->out);
    s->result = mem_calloc((size_t)r->nroots, sizeof *s->result);
    if (!s->in || !s->out || !s->result) return fail_memory(e, "plan", (size_t)r->nroots * sizeof *s->result);
    for (int i = 0; i < r->nleaves; i++) s->in[i] = slot[r->leaf[i]];
    for (int i = 0; i < r->nroots; i++) {
      const op_type *t = &graph_get(g, r->root[i])->type;
      array_view *v = &s->result[i];
      s->out[i] = slot[r->root[i]];
      *v = (array_view){.dtype = t->dtype, .rank = t->rank};
      memcpy(v->shape, t->shape, sizeof v->shape);
      type_strides(t, v->strides);
    }
  }
  for (int i = 0; i < p->nroots; i++) p->root[i] = slot[g->root[i]];
  return TME_OK;
}

/* Finds which slots no step needs any more. */
static tme_status find_dead(plan *p, error *e) {
  int *last = mem_calloc((size_t)p->nslots, sizeof *last); /* per slot: the step that reads it last */
  for (int k = 0; last && k < p->nsteps; k++)
    for (int i = 0; i < p->step[k].region.nleaves; i++) last[p->step[k].in[i]] = k;
  for (int i = 0; last && i < p->nroots; i++) last[p->root[i]] = p->nsteps;
  bool ok = last && buckets_make(&p->dead, last, p->nslots, p->nsteps);
  mem_free(last);
  return ok ? TME_OK : fail_memory(e, "plan", (size_t)p->nslots * sizeof *last);
}

/* A plan of one region needs no copying of views between the caller's tables and slots. */
static bool is_direct(const plan *p) {
  if (p->nsteps != 1) return false;
  const plan_step *s = &p->step[0];
  if (s->region.nleaves != p->nleaves || s->region.nargs != p->nargs || s->region.nroots != p->nroots) return false;
  for (int i = 0; i < p->nleaves; i++)
    if (s->in[i] != i) return false;
  for (int i = 0; i < p->nargs; i++)
    if (s->region.arg[i] != i) return false;
  for (int i = 0; i < p->nroots; i++)
    if (s->out[i] != p->root[i]) return false;
  return p->engine->backends.at[s->region.backend]->host_memory;
}

static tme_status fill(plan *p, const graph *g, error *e) {
  partition cutting;
  tme_status st = partition_make(g, &p->engine->backends, &cutting, e);
  if (st != TME_OK) return st;
  p->step = mem_calloc((size_t)cutting.n, sizeof *p->step);
  if (p->step) {
    p->nsteps = cutting.n;
    for (int k = 0; k < cutting.n; k++) {
      p->step[k].region = cutting.region[k];
      atomic_init(&p->step[k].backend, cutting.region[k].backend);
      title_of(cutting.region[k].graph, p->step[k].title, sizeof p->step[k].title);
    }
    cutting.n = 0;
  }
  partition_free(&cutting);
  if (!p->step) return fail_memory(e, "plan", sizeof *p->step);
  int *slot = mem_calloc((size_t)g->n, sizeof *slot);
  if (slot) number_slots(p, g, slot);
  st = slot ? connect(p, g, slot, e) : fail_memory(e, "plan", (size_t)g->n * sizeof *slot);
  if (st == TME_OK) st = find_dead(p, e);
  mem_free(slot);
  for (int k = 0; k < p->nsteps && st == TME_OK; k++) st = prepare(p, &p->step[k], e);
  if (st == TME_OK) p->step[0].direct = is_direct(p);
  return st;
}

typedef struct making {
  tme_engine *e;
  const signature *s;
  error *err;
  plan *plan;
} making;

static graph *instead(graph *g, graph *made) {
  graph_free(g);
  return made;
}

static void make(void *user) {
  making *m = user;
  tme_engine *e = m->e;
  graph *g = signature_graph(m->s, e->context.config.default_dtype, m->err);
  if (g && g->nsub) g = instead(g, pass_inline(g, NULL, NULL, m->err));
  if (g && e->context.config.mixed) g = instead(g, pass_mixed(g, m->err));
  plan *p = g ? mem_calloc(1, sizeof *p) : NULL;
  if (!p) {
    graph_free(g);
    fail_memory(m->err, "plan", sizeof *p);
    return;
  }
  atomic_init(&p->refs, 1);
  p->engine = e;
  p->nleaves = g->nleaves;
  p->nargs = g->nargs;
  p->nroots = m->s->nroots;
  tme_status s = fill(p, g, m->err);
  graph_free(g);
  if (s == TME_OK)
    m->plan = p;
  else
    plan_release(NULL, p);
}

plan *plan_new(tme_engine *e, const signature *s, error *err) {
  /* Of stack. All that was seen is 42 KB for 40 operations, which are some words each, the code generator included. */
  enum { LEAST = 512 << 10, A_WORD = 8 << 10 };
  making m = {.e = e, .s = s, .err = err};
  int words = s->n > 2 * s->nodes ? s->n : 2 * s->nodes; /* as many at least, if calls were written out */
  stack_call(LEAST + (size_t)words * A_WORD, make, &m);
  return m.plan;
}

void plan_retain(plan *p) { atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed); }

void plan_release(void *unused, void *released) {
  plan *p = released;
  (void)unused;
  if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1) return;
  for (int k = 0; k < p->nsteps; k++) {
    plan_step *s = &p->step[k];
    for (int i = 0; i < p->engine->backends.n; i++) {
      backend *b = p->engine->backends.at[i];
      executable *x = atomic_load(&s->exe[i]);
      if (x) b->free_executable(b, x);
    }
    graph_free(s->region.graph);
    mem_free(s->region.leaf);
    mem_free(s->region.arg);
    mem_free(s->region.root);
    mem_free(s->in);
    mem_free(s->out);
    mem_free(s->result);
  }
  mem_free(p->step);
  mem_free(p->root);
  buckets_free(&p->dead);
  mem_free(p);
}
