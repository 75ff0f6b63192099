/* tme_compile: a graph over inputs without values, planned once and called with the values. A call walks no graph and
 * looks nothing up. */
#include "run/eval.h"
#include "base/grow.h"
#include "run/plan.h"
#include "run/transfer.h"
#include <string.h>

struct tme_function {
  tme_engine *engine; /* a reference */
  plan *plan;
  int nin, nout, nleaves;
  op_type *in, *out;
  int *out_root;    /* the plan's root that each output is */
  int *leaf_input;  /* per leaf of the plan: the input that it is, or -1 */
  array_view *leaf; /* the others: a reference to each buffer */
  uint64_t *arg;
};

static void *copy_of(const void *p, size_t n, size_t size) {
  void *q = mem_alloc(n * size + 1);
  if (q && n) memcpy(q, p, n * size);
  return q;
}

/* The place of `a` in a list, or -1. */
static int find(tme_array *const *list, int n, const tme_array *a) {
  for (int i = 0; i < n; i++)
    if (list[i] == a) return i;
  return -1;
}

static tme_status check_inputs(tme_array *const *in, int n, error *e) {
  for (int i = 0; i < n; i++) {
    if (in[i]->node->op != OP_leaf || array_buffer(in[i]))
      return fail(e, TME_ERR_ARGUMENT, "compile: input %d has a value: inputs are made with tme_input", i);
    if (find(in, i, in[i]) >= 0) return fail(e, TME_ERR_ARGUMENT, "compile: input %d is given twice", i);
  }
  return TME_OK;
}

static tme_status check_outputs(tme_array *const *out, int n, error *e) {
  if (n < 1) return fail(e, TME_ERR_ARGUMENT, "compile: no outputs are given");
  for (int i = 0; i < n; i++)
    if (array_buffer(out[i]) || out[i]->node->op == OP_leaf || out[i]->node->op == OP_literal)
      return fail(e, TME_ERR_ARGUMENT, "compile: output %d is %s: there is nothing to compute", i,
                  out[i]->node->op == OP_leaf && !array_buffer(out[i]) ? "an input" : "computed already");
  return TME_OK;
}

/* Which inputs the plan's leaves are; references to the buffers of the others. */
static tme_status take_leaves(tme_function *f, const eval_run *r, tme_array *const *in, error *e) {
  f->leaf = mem_calloc((size_t)r->nleaves + 1, sizeof *f->leaf);
  f->leaf_input = mem_alloc(((size_t)r->nleaves + 1) * sizeof *f->leaf_input);
  if (!f->leaf || !f->leaf_input) return fail_memory(e, "compile", (size_t)r->nleaves * sizeof *f->leaf);
  for (int i = 0; i < r->nleaves; i++) {
    f->leaf_input[i] = r->input[i] ? find(in, f->nin, r->input[i]) : -1;
    if (r->input[i] && f->leaf_input[i] < 0)
      return fail(e, TME_ERR_ARGUMENT, "compile: an output needs an input that is not in the list");
    f->leaf[f->nleaves] = r->leaf[i];
    if (!r->input[i]) buffer_retain(r->leaf[i].buf);
    f->nleaves++;
  }
  return TME_OK;
}

static tme_status fill(tme_function *f, eval_run *r, tme_array *const *in, tme_array *const *out, error *e) {
  trace_result t = eval_look(f->engine, r, out, f->nout, true, e);
  if (t == TRACE_FAILED) return e->code;
  if (t == TRACE_NOTHING) return check_outputs(out, f->nout, e);
  if (r->partial)
    return fail(e, TME_ERR_UNSUPPORTED, "compile: the graph is too large for one plan (over %d operations)", r->nodes);
  tme_status st = r->plan ? TME_OK : eval_plan(f->engine, r, e);
  if (st == TME_OK) st = take_leaves(f, r, in, e);
  if (st != TME_OK) return st;
  f->in = mem_alloc(((size_t)f->nin + 1) * sizeof *f->in);
  f->out = mem_alloc((size_t)f->nout * sizeof *f->out);
  f->out_root = mem_alloc((size_t)f->nout * sizeof *f->out_root);
  f->arg = copy_of(r->arg, 2 * (size_t)r->nargs, sizeof *r->arg);
  if (!f->in || !f->out || !f->out_root || !f->arg) return fail_memory(e, "compile", sizeof *f->in);
  for (int i = 0; i < f->nin; i++) f->in[i] = in[i]->type;
  for (int i = 0; i < f->nout; i++) {
    f->out[i] = out[i]->type;
    f->out_root[i] = find(r->root, r->nroots, out[i]);
    if (f->out_root[i] < 0) return check_outputs(out, f->nout, e); /* a view whose origin was computed meanwhile */
  }
  f->plan = r->plan;
  r->plan = NULL;
  return TME_OK;
}

tme_function *tme_compile(tme_scope *s, tme_array *const *inputs, int ninputs, tme_array *const *outputs,
                          int noutputs) {
  if (eval_list(s, "compile", inputs, ninputs) != TME_OK || eval_list(s, "compile", outputs, noutputs) != TME_OK)
    return NULL;
  error err = {.code = TME_OK};
  tme_function *f = NULL;
  if (check_inputs(inputs, ninputs, &err) == TME_OK && check_outputs(outputs, noutputs, &err) == TME_OK) {
    f = mem_calloc(1, sizeof *f);
    eval_run *r = f ? run_take(s->engine) : NULL;
    if (f) {
      f->engine = s->engine;
      context_retain(&s->engine->context);
      f->nin = ninputs;
      f->nout = noutputs;
    }
    tme_status st = r ? fill(f, r, inputs, outputs, &err) : fail_memory(&err, "compile", sizeof *f);
    if (r) {
      plan_release(NULL, r->plan);
      r->plan = NULL;
      run_give(s->engine, r);
    }
    if (st != TME_OK) {
      tme_function_free(f);
      f = NULL;
    }
  }
  scope_fail(s, &err);
  return f;
}

void tme_function_free(tme_function *f) {
  if (!f) return;
  for (int i = 0; i < f->nleaves; i++)
    if (f->leaf_input[i] < 0) buffer_release(f->leaf[i].buf);
  plan_release(NULL, f->plan);
  mem_free(f->in);
  mem_free(f->out);
  mem_free(f->out_root);
  mem_free(f->leaf_input);
  mem_free(f->leaf);
  mem_free(f->arg);
  context_release(&f->engine->context);
  mem_free(f);
}

/* ---- calls ------------------------------------------------------------------------------------------------------------- */

static tme_status check_values(const tme_function *f, tme_array *const *in, error *e) {
  for (int i = 0; i < f->nin; i++) {
    const op_type *want = &f->in[i], *got = &in[i]->type;
    if (want->dtype == got->dtype && type_same_shape(want, got)) continue;
    char a[200], b[200];
    type_shape_text(got, a);
    type_shape_text(want, b);
    return fail(e, want->dtype != got->dtype ? TME_ERR_DTYPE : TME_ERR_SHAPE,
                "call: input %d is %s %s, the function was compiled for %s %s", i, tme_dtype_name(got->dtype), a,
                tme_dtype_name(want->dtype), b);
  }
  return TME_OK;
}

/* The plan's leaves of this call, row-major; a reference to each buffer. */
static tme_status bind(const tme_function *f, eval_run *r, tme_array *const *in, error *e) {
  bool noisy = !f->engine->context.config.quiet_numeric;
  for (int i = 0; i < f->nleaves; i++) {
    array_view *v = &r->leaf[i], *own = &f->leaf[i];
    tme_array *a = f->leaf_input[i] < 0 ? NULL : in[f->leaf_input[i]];
    *v = *own;
    if (!a) {
      buffer_retain(v->buf);
    } else if (strides_contiguous(&a->type, a->strides)) {
      v->buf = buffer_retain(array_buffer(a));
      v->offset = a->offset;
    } else {
      array_view lies = *own, host;
      lies.buf = array_buffer(a);
      lies.offset = a->offset;
      memcpy(lies.strides, a->strides, sizeof lies.strides);
      tme_status st = view_to_host(f->engine, &lies, &host, e);
      if (st != TME_OK) return st;
      st = view_to_rows(f->engine, &host, v, e);
      buffer_release(host.buf);
      if (st != TME_OK) return st;
    }
    r->nleaves = i + 1;
    if (noisy && v->buf->failure) return eval_numeric(v->buf, e);
  }
  return TME_OK;
}

/* New arrays of the scope with the results; all or none. */
static tme_status give(tme_scope *s, const tme_function *f, const array_view *root, tme_array **out, error *e) {
  if (!scope_reserve(s, f->nout)) return fail_memory(e, "call", sizeof *out);
  for (int i = 0; i < f->nout; i++) {
    const array_view *v = &root[f->out_root[i]];
    node *n = node_new(s->engine, OP_leaf, NULL, 0, NULL, &f->out[i], 1);
    if (!n) {
      while (i--) node_release(out[i]->node);
      return fail_memory(e, "call", sizeof *n);
    }
    array_set(&n->out[0], buffer_retain(v->buf), v->offset, v->strides);
    out[i] = &n->out[0];
  }
  for (int i = 0; i < f->nout; i++) scope_add(s, out[i]);
  return TME_OK;
}

static tme_status run(tme_scope *s, const tme_function *f, eval_run *r, tme_array *const *in, tme_array **out,
                      error *e) {
  plan *p = f->plan;
  if (!grow(&r->leaf, &r->cap_leaf, f->nleaves, sizeof *r->leaf) ||
      !grow(&r->out, &r->cap_out, p->nroots, sizeof *r->out) ||
      !grow(&r->slot, &r->cap_slot, p->nslots, sizeof *r->slot))
    return fail_memory(e, "call", sizeof *r->slot);
  tme_status st = bind(f, r, in, e);
  if (st != TME_OK) return st;
  plan_call c = {.leaf = r->leaf, .arg = f->arg, .out = r->out, .slot = r->slot};
  st = plan_run(p, &c, e);
  if (st != TME_OK) return st;
  atomic_fetch_add_explicit(&f->engine->evaluations, 1, memory_order_relaxed);
  for (int i = 0; i < p->nroots && st == TME_OK; i++)
    if (r->out[i].buf->failure && !f->engine->context.config.quiet_numeric) st = eval_numeric(r->out[i].buf, e);
  if (st == TME_OK) st = give(s, f, r->out, out, e);
  for (int i = 0; i < p->nroots; i++) buffer_release(r->out[i].buf);
  return st;
}

static tme_status call(tme_scope *s, const tme_function *f, tme_array *const *inputs, int ninputs,
                       tme_array **outputs) {
  if (!s) return TME_ERR_ARGUMENT;
  if (!f || !outputs) return scope_null(s, f ? "call: the list of results" : "call: the function");
  /* The count comes first: with a wrong one the list may be shorter than it says. */
  if (ninputs != f->nin)
    return fail(&s->err, TME_ERR_ARGUMENT, "call: %d input%s, the function has %d", ninputs, PLURAL(ninputs), f->nin);
  tme_status st = eval_list(s, "call", inputs, ninputs);
  if (st != TME_OK) return st;
  error err;
  err.code = TME_OK;
  if (f->engine != s->engine) st = fail(&err, TME_ERR_ARGUMENT, "call: the function belongs to another engine");
  if (st == TME_OK) st = check_values(f, inputs, &err);
  if (st == TME_OK) st = evaluate(f->engine, inputs, ninputs, NULL, &err);
  if (st == TME_OK) {
    eval_run *r = run_take(f->engine);
    st = r ? run(s, f, r, inputs, outputs, &err) : fail_memory(&err, "call", sizeof *r);
    if (r) run_give(f->engine, r);
  }
  return st == TME_OK ? st : scope_fail(s, &err);
}

/* The results are written last, so that they may take the place of the inputs. */
tme_status tme_call(tme_scope *s, const tme_function *f, tme_array *const *inputs, int ninputs, tme_array **outputs) {
  tme_status st = call(s, f, inputs, ninputs, outputs);
  for (int i = 0; st != TME_OK && f && outputs && i < f->nout; i++) outputs[i] = NULL;
  return st;
}
