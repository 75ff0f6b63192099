/* tme_explain: what an evaluation would do. */
#include "array/scope.h"
#include "run/eval.h"
#include "run/plan.h"
#include "run/trace.h"
#include <string.h>

static void explain_regions(const plan *p, unsigned flags, text *out) {
  for (int k = 0; k < p->nsteps; k++) {
    const plan_step *s = &p->step[k];
    int own = s->region.backend, used = atomic_load(&s->backend);
    backend *b = p->engine->backends.at[own];
    text_add(out, "\nregion %d on %s: %s\n", k, b->name, s->title);
    if (used != own) text_add(out, "  %s failed, answered by %s\n", b->name, p->engine->backends.at[used]->name);
    b->describe(b, s->region.graph, atomic_load(&s->exe[own]), flags, out);
  }
}

/* Why operations are where they are, if that is not the first backend: that it was asked for, and the reason of each that was
 * asked before the one that does them. `g` is without calls. */
static tme_status explain_cut(tme_engine *e, const graph *g, text *out, error *err) {
  partition cut;
  const backend_list *l = &e->backends;
  tme_status st = partition_make(g, l, &cut, err);
  if (st != TME_OK) return st;
  for (int i = 0; i < g->n; i++) {
    const g_node *n = graph_get(g, i);
    int device = n->device, first = device ? device - 1 : 0;
    const char **reason = &cut.reason[i * l->n];
    if (device && cut.of[i] >= 0) text_add(out, "%%%d %s is asked for on %s\n", i, op_name(n->op), l->at[first]->name);
    if (!reason[first]) continue;
    text_add(out, "%%%d %s is left to %s: %s", i, op_name(n->op), l->at[cut.region[cut.of[i]].backend]->name,
             reason[first]);
    for (int k = first + 1; k < l->n && reason[k]; k++) text_add(out, "; %s: %s", l->at[k]->name, reason[k]);
    text_add(out, "\n");
  }
  partition_free(&cut);
  return TME_OK;
}

static void explain_caches(tme_engine *e, text *out) {
  tme_stats s;
  tme_engine_stats(e, &s);
  text_add(out,
           "\ncache of kernels: %llu hit%s and %llu miss%s in memory, %llu hit%s and %llu miss%s on disk; "
           "%llu compiled in %.2f ms\n",
           (unsigned long long)s.hits, s.hits == 1 ? "" : "s", (unsigned long long)s.misses, s.misses == 1 ? "" : "es",
           (unsigned long long)s.disk_hits, s.disk_hits == 1 ? "" : "s", (unsigned long long)s.disk_misses,
           s.disk_misses == 1 ? "" : "es", (unsigned long long)s.compilations, s.compile_ms);
}

/* The graph, which it takes, with its calls expanded, as it is planned. */
static graph *without_calls(graph *g, text *out, error *err) {
  if (!g->nsub) return g;
  graph *whole = pass_inline(g, NULL, NULL, err);
  graph_free(g);
  if (!whole) return NULL;
  text_add(out, "without calls:\n");
  graph_print(whole, out);
  return whole;
}

static tme_status explain(tme_engine *e, eval_run *r, unsigned flags, text *out, error *err) {
  signature s = signature_of(r);
  graph *g = signature_graph(&s, e->context.config.default_dtype, err);
  if (!g) return err->code;
  tme_status st = TME_OK;
  if (flags & TME_EXPLAIN_DOT) {
    graph_dot(g, out);
  } else {
    bool cached = r->plan;
    text_add(out, "graph: %d operation%s, %d input%s%s\n", r->nodes, PLURAL(r->nodes), r->nleaves, PLURAL(r->nleaves),
             r->partial ? " (its first part: it is too large for one plan)" : "");
    graph_print(g, out);
    g = without_calls(g, out, err);
    st = g ? explain_cut(e, g, out, err) : err->code;
    if (st == TME_OK && !cached) {
      r->plan = plan_new(e, &s, err);
      if (!r->plan) st = err->code;
    }
    if (st == TME_OK) {
      text_add(out, "plan: %s, %d region%s\n", cached ? "in the cache" : "not in the cache", r->plan->nsteps,
               r->plan->nsteps == 1 ? "" : "s");
      explain_regions(r->plan, flags, out);
      explain_caches(e, out);
    }
  }
  graph_free(g);
  return st;
}

char *tme_explain(tme_scope *s, tme_array *const *a, int n, unsigned flags) {
  if (eval_list(s, "explain", a, n) != TME_OK) return NULL;
  tme_engine *e = s->engine;
  error err = {.code = TME_OK};
  text out = {0};
  eval_run *r = run_take(e);
  if (!r) fail_memory(&err, "explain", sizeof *r);
  trace_result t = r ? eval_look(e, r, a, n, false, &err) : TRACE_FAILED;
  if (t == TRACE_NOTHING) text_add(&out, "nothing to do: all is computed\n");
  if (t == TRACE_READY) explain(e, r, flags, &out, &err);
  if (r) {
    plan_release(NULL, r->plan);
    r->plan = NULL;
    run_give(e, r);
  }
  if (out.failed) fail_memory(&err, "explain", out.len);
  if (err.code == TME_OK) return out.s;
  text_free(&out);
  scope_fail(s, &err);
  return NULL;
}

void tme_string_free(char *s) { mem_free(s); }
