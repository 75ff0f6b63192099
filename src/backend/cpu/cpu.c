/* The CPU's backend: a region becomes a program of steps, each kernel is compiled, and the steps run in order, the tasks
 * of a kernel spread over the engine's threads. */
#include "backend/cpu/jit.h"
#include "backend/cpu/run.h"
#include "backend/cpu/tune.h"
#include "base/threads.h"
#include "emit/emit.h"
#include <string.h>

/* The backend's state. */
typedef struct cpu {
  jit *jit;
  tuner *tuner; /* NULL unless products are tuned */
  atomic_ullong kernels_run;
} cpu;

static jit *jit_of(backend *b) { return ((cpu *)b->state)->jit; }

static void cpu_close(backend *b) {
  tuner_free(((cpu *)b->state)->tuner);
  jit_free(jit_of(b));
  mem_free(b->state);
  mem_free(b);
}

static const char *cpu_supports(backend *b, const graph *g, int node) {
  (void)b;
  return program_supports(g, node);
}

void executable_free(executable *x) {
  if (!x) return;
  for (int i = 0; x->launch && i < x->s.p->nsteps; i++) jit_release(x->launch[i].code);
  mem_free(x->launch);
  steps_free(&x->s);
  mem_free(x);
}

static void cpu_free_executable(backend *b, executable *x) {
  (void)b;
  executable_free(x);
}

static program *lower(backend *b, const graph *region, error *e) {
  tuner *t = ((cpu *)b->state)->tuner;
  return t ? tuner_lower(t, region, e) : program_lower(region, &jit_target(jit_of(b))->base, e);
}

/* The program, which it takes, without code. */
static executable *without_code(backend *b, program *p, error *e) {
  executable *x = mem_calloc(1, sizeof *x);
  if (!x) {
    program_free(p);
    fail_memory(e, "prepare", sizeof *x);
    return NULL;
  }
  x->kernels_run = &((cpu *)b->state)->kernels_run;
  x->jit = jit_of(b);
  if (steps_make(&x->s, p)) x->launch = mem_calloc((size_t)p->nsteps + 1, sizeof *x->launch);
  if (x->launch) return x;
  fail_memory(e, "prepare", (size_t)p->nsteps * sizeof *x->launch);
  executable_free(x);
  return NULL;
}

static tme_status load_kernel(backend *b, const step *s, launch *l, error *e) {
  tme_status st = plan_launch(s, threads_count(b->context->threads), l, e);
  if (st != TME_OK) return st;
  l->code = jit_get(jit_of(b), s->kernel, &l->origin, e);
  return l->code ? TME_OK : e->code;
}

executable *executable_load(backend *b, program *p, error *e) {
  executable *x = without_code(b, p, e);
  for (int i = 0; x && i < x->s.p->nsteps; i++) {
    const step *s = &x->s.p->steps[i];
    if (s->kind != STEP_KERNEL) continue;
    if (context_debug(b->context, 2)) {
      text t = {0};
      kernel_print(s->kernel, &t);
      if (t.s) context_log_text(b->context, TME_LOG_DEBUG, t.s);
      text_free(&t);
    }
    if (load_kernel(b, s, &x->launch[i], e) != TME_OK) {
      executable_free(x);
      return NULL;
    }
  }
  if (!x) return NULL;
  if (concurrent_find(x, threads_count(b->context->threads)) && steps_find_dead(&x->s)) return x;
  fail_memory(e, "prepare", (size_t)x->s.p->nslots * sizeof(int));
  executable_free(x);
  return NULL;
}

static executable *cpu_prepare(backend *b, const graph *region, error *e) {
  program *p = lower(b, region, e);
  return p ? executable_load(b, p, e) : NULL;
}

static tme_status cpu_run(backend *b, executable *x, run_args *a, error *e) { return run_program(b->context, x, a, e); }

static void describe_kernel(backend *b, const step *s, launch l, unsigned flags, text *out) {
  static const char *const origins[] = {"in memory", "on disk", "compiled now"};
  error no_code = {.code = TME_OK}, no_text = {.code = TME_OK};
  bool borrowed = l.code;
  if (!borrowed) load_kernel(b, s, &l, &no_code);
  double operations = (double)l.tasks * s->kernel->task_ops;
  text_add(
      out,
      "kernel %s: %lld task%s, about %.0f us, %.0f operation%s, %d thread%s, %lld byte%s of scratch; code: %s%s%s\n",
      s->label, (long long)l.tasks, PLURAL(l.tasks), (double)l.tasks * s->kernel->task_cost * 1e-3, operations,
      PLURAL(operations), l.threads, PLURAL(l.threads), (long long)s->kernel->scratch_bytes,
      PLURAL(s->kernel->scratch_bytes), l.code ? origins[l.origin] : "none, ", no_code.text,
      l.code && jit_is_quick(l.code) ? ", in full when it has run for long" : "");
  if (!borrowed) jit_release(l.code);
  if (flags & TME_EXPLAIN_IR) kernel_print(s->kernel, out);
  if (flags & TME_EXPLAIN_SOURCE) emit_c(s->kernel, out);
  if (!(flags & TME_EXPLAIN_ASM)) return;
  kernel *full = s->kernel->full_unroll ? kernel_full(s->kernel) : NULL;
  if (jit_disassemble(jit_of(b), full ? full : s->kernel, false, out, &no_text) != TME_OK)
    text_add(out, "no machine code: %s\n", no_text.text);
  kernel_free(full);
}

static void cpu_describe(backend *b, const graph *region, const executable *x, unsigned flags, text *out) {
  error why = {.code = TME_OK};
  program *lowered = x ? NULL : lower(b, region, &why);
  executable *own = lowered ? without_code(b, lowered, &why) : NULL;
  if (!x) x = own;
  if (!x) {
    text_add(out, "  not lowered: %s\n", why.text);
    return;
  }
  program *p = x->s.p;
  if (flags & TME_EXPLAIN_PASSES) {
    text_add(out, "after decompose and simplify:\n");
    graph_print(p->g, out);
  }
  if (p->notes.s) text_bytes(out, p->notes.s, p->notes.len);
  for (int i = 0; i < p->nsteps; i++) {
    const step *s = &p->steps[i];
    if (s->kind != STEP_KERNEL) {
      text_add(out, "step %d: %s%s\n", i, s->kind == STEP_LIBRARY ? "library call " : "", s->label);
      continue;
    }
    text_add(out, "step %d: ", i);
    describe_kernel(b, s, x->launch[i], flags, out);
  }
  executable_free(own);
}

static bool cpu_has_jit(backend *b) { return jit_usable(jit_of(b)); }

static void cpu_status(backend *b, tme_jit_status *out) { jit_self_test(jit_of(b), out); }

static void cpu_stats(backend *b, tme_stats *out) {
  jit_stats(jit_of(b), out);
  out->kernels_run += atomic_load(&((cpu *)b->state)->kernels_run);
}

static void cpu_clear_cache(backend *b) {
  jit_clear(jit_of(b));
  tuner_clear(((cpu *)b->state)->tuner);
}

backend *backend_cpu_new(context *c, error *e) {
  backend *b = mem_calloc(1, sizeof *b);
  if (!b) {
    fail_memory(e, "cpu", sizeof *b);
    return NULL;
  }
  *b = (backend){.version = BACKEND_VERSION,
                 .name = "cpu",
                 .device = "cpu",
                 .host_memory = true,
                 .pooled = true,
                 .context = c,
                 .close = cpu_close,
                 .supports = cpu_supports,
                 .prepare = cpu_prepare,
                 .free_executable = cpu_free_executable,
                 .run = cpu_run,
                 .describe = cpu_describe,
                 .has_jit = cpu_has_jit,
                 .status = cpu_status,
                 .stats = cpu_stats,
                 .clear_cache = cpu_clear_cache};
  cpu *state = mem_calloc(1, sizeof *state);
  if (!state)
    fail_memory(e, "cpu", sizeof *state);
  else
    state->jit = jit_new(c, e);
  bool tune = state && state->jit && c->config.tune;
  if (tune) state->tuner = tuner_new(b, state->jit, e);
  if (!state || !state->jit || (tune && !state->tuner)) {
    if (state) jit_free(state->jit);
    mem_free(state);
    mem_free(b);
    return NULL;
  }
  b->state = state;
  return b;
}
