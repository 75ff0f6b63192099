/* tme_compile: a graph over inputs without values, planned once and called with the values. A call walks no graph and
 * looks nothing up. A graph too large for one plan is cut into parts, as an evaluation is; values go from one to another. */
#include "run/function.h"
#include "array/array.h"
#include "base/grow.h"
#include "run/eval.h"
#include "run/transfer.h"
#include <string.h>

/* `number`: of each input. */
static tme_status check_inputs(tme_array *const *in, int n, pointer_map *number, error *e) {
  for (int i = 0; i < n; i++) {
    if (in[i]->node->op != OP_leaf || array_buffer(in[i]))
      return fail(e, TME_ERR_ARGUMENT, "compile: input %d has a value: inputs are made with tme_input", i);
    if (pointer_map_get(number, in[i]) >= 0) return fail(e, TME_ERR_ARGUMENT, "compile: input %d is given twice", i);
    if (!pointer_map_add(number, in[i], i)) return fail_memory(e, "compile", (size_t)n * sizeof *in);
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

/* A function being made. */
typedef struct making {
  tme_function *f;
  eval_run *r;
  tme_array *const *in, *const *out;
  pointer_map input; /* number of each */
  pointer_map made;  /* the value that an array is, of the parts so far; */
  node **kept;       /* a reference to the node of each such array: others may be done with it meanwhile */
  int nkept, cap_kept;
} making;

static void *copy_of(const void *p, size_t n, size_t size) {
  void *q = mem_alloc(n * size + 1);
  if (q && n) memcpy(q, p, n * size);
  return q;
}

/* Where the part's leaves have their values from; references to the buffers of its own. */
static tme_status take_leaves(making *m, part *p, error *e) {
  const eval_run *r = m->r;
  p->leaf = mem_calloc((size_t)r->nleaves, sizeof *p->leaf);
  p->source = mem_calloc((size_t)r->nleaves, sizeof *p->source);
  p->arg = copy_of(r->arg, 2 * (size_t)r->nargs, sizeof *r->arg);
  p->nargs = r->nargs;
  if (!p->leaf || !p->source || !p->arg) return fail_memory(e, "compile", (size_t)r->nleaves * sizeof *p->leaf);
  for (int i = 0; i < r->nleaves; i++) {
    int input = r->input[i] ? pointer_map_get(&m->input, r->input[i]) : -1;
    int value = r->input[i] ? pointer_map_get(&m->made, r->input[i]) : -1;
    if (r->input[i] && input < 0 && value < 0)
      return fail(e, TME_ERR_ARGUMENT, "compile: an output needs an input that is not in the list");
    p->source[i] = value >= 0   ? (leaf_source){LEAF_VALUE, value}
                   : input >= 0 ? (leaf_source){LEAF_INPUT, input}
                                : (leaf_source){LEAF_OWN, 0};
    p->leaf[i] = r->leaf[i];
    if (!r->input[i]) buffer_retain(r->leaf[i].buf);
    p->nleaves++;
  }
  return TME_OK;
}

/* The words, to make the function's graph of if someone asks for it. */
static tme_status keep_words(part *p, const eval_run *r, error *e) {
  p->words = copy_of(r->sig, (size_t)r->nsig, sizeof *r->sig);
  p->call = copy_of(r->call, (size_t)r->ncalls, sizeof *r->call);
  p->nwords = r->nsig;
  if (!p->words || !p->call) return fail_memory(e, "compile", (size_t)r->nsig * sizeof *r->sig);
  for (; p->ncalls < r->ncalls; p->ncalls++) subgraph_retain(r->call[p->ncalls]);
  return TME_OK;
}

/* What was traced becomes a part, and its roots values that others may read. */
static tme_status add_part(making *m, error *e) {
  tme_function *f = m->f;
  eval_run *r = m->r;
  tme_status st = r->plan ? TME_OK : eval_plan(f->engine, r, e);
  if (st != TME_OK) return st;
  if (!grow(&f->part, &f->cap_parts, f->nparts + 1, sizeof *f->part) || r->nroots > INT32_MAX - f->nvalues ||
      !grow(&m->kept, &m->cap_kept, m->nkept + r->nroots, sizeof *m->kept))
    return fail_memory(e, "compile", sizeof *f->part);
  part *p = &f->part[f->nparts++];
  *p = (part){.plan = r->plan, .first_value = f->nvalues};
  r->plan = NULL;
  st = keep_words(p, r, e);
  if (st == TME_OK) st = take_leaves(m, p, e);
  for (int i = 0; i < r->nroots && st == TME_OK; i++) {
    m->kept[m->nkept++] = node_retain(r->root[i]->node);
    if (!pointer_map_add(&m->made, r->root[i], f->nvalues++)) st = fail_memory(e, "compile", sizeof *f->part);
  }
  return st;
}

/* Finds which values no part needs any more. */
static bool find_dead(tme_function *f) {
  int *last = mem_alloc((size_t)f->nvalues * sizeof *last); /* per value: the part that reads it last */
  if (!last) return false;
  for (int k = 0; k < f->nparts; k++) {
    for (int i = 0; i < f->part[k].nleaves; i++)
      if (f->part[k].source[i].kind == LEAF_VALUE) last[f->part[k].source[i].number] = k;
    for (int i = 0; i < f->part[k].plan->nroots; i++) last[f->part[k].first_value + i] = k;
  }
  for (int i = 0; i < f->nout; i++) last[f->out_value[i]] = f->nparts;
  bool ok = buckets_make(&f->dead, last, f->nvalues, f->nparts);
  mem_free(last);
  return ok;
}

static tme_status make_parts(making *m, error *e) {
  m->r->made = &m->made;
  for (bool more = true; more;) {
    run_drop(m->r);
    trace_result t = eval_look(m->f->engine, m->r, m->out, m->f->nout, true, e);
    if (t == TRACE_FAILED) return e->code;
    if (t == TRACE_NOTHING) return TME_OK;
    tme_status st = add_part(m, e);
    if (st != TME_OK) return st;
    more = m->r->partial;
  }
  return TME_OK;
}

static tme_status fill(making *m, error *e) {
  tme_function *f = m->f;
  tme_status st = make_parts(m, e);
  if (st != TME_OK) return st;
  f->in = mem_alloc((size_t)f->nin * sizeof *f->in);
  f->out = mem_alloc((size_t)f->nout * sizeof *f->out);
  f->out_value = mem_alloc((size_t)f->nout * sizeof *f->out_value);
  if (!f->in || !f->out || !f->out_value) return fail_memory(e, "compile", sizeof *f->in);
  for (int i = 0; i < f->nin; i++) f->in[i] = m->in[i]->type;
  for (int i = 0; i < f->nout; i++) {
    f->out[i] = m->out[i]->type;
    f->out_value[i] = pointer_map_get(&m->made, m->out[i]);
    if (f->out_value[i] < 0) return check_outputs(m->out, f->nout, e); /* computed meanwhile */
  }
  return find_dead(f) ? TME_OK : fail_memory(e, "compile", (size_t)f->nvalues * sizeof(int));
}

static tme_status make(tme_function *f, tme_array *const *in, tme_array *const *out, error *e) {
  making m = {.f = f, .in = in, .out = out};
  tme_status st = check_inputs(in, f->nin, &m.input, e);
  if (st == TME_OK) st = check_outputs(out, f->nout, e);
  if (st == TME_OK) {
    m.r = run_take(f->engine);
    st = m.r ? fill(&m, e) : fail_memory(e, "compile", sizeof *m.r);
  }
  if (m.r) {
    plan_release(NULL, m.r->plan);
    m.r->plan = NULL;
    m.r->made = NULL;
    run_give(f->engine, m.r);
  }
  for (int i = 0; i < m.nkept; i++) node_release(m.kept[i]);
  mem_free(m.kept);
  pointer_map_free(&m.input);
  pointer_map_free(&m.made);
  return st;
}

tme_function *tme_compile(tme_scope *s, tme_array *const *inputs, int ninputs, tme_array *const *outputs,
                          int noutputs) {
  if (eval_list(s, "compile", inputs, ninputs) != TME_OK || eval_list(s, "compile", outputs, noutputs) != TME_OK)
    return NULL;
  error err = {.code = TME_OK};
  tme_function *f = mem_calloc(1, sizeof *f);
  if (f) {
    f->engine = s->engine;
    context_retain(&s->engine->context);
    f->nin = ninputs;
    f->nout = noutputs;
    if (make(f, inputs, outputs, &err) != TME_OK) {
      tme_function_free(f);
      f = NULL;
    }
  } else {
    fail_memory(&err, "compile", sizeof *f);
  }
  scope_fail(s, &err);
  return f;
}

void tme_function_free(tme_function *f) {
  if (!f) return;
  for (int k = 0; k < f->nparts; k++) {
    part *p = &f->part[k];
    for (int i = 0; i < p->nleaves; i++)
      if (p->source[i].kind == LEAF_OWN) buffer_release(p->leaf[i].buf);
    plan_release(NULL, p->plan);
    for (int i = 0; i < p->ncalls; i++) subgraph_release(p->call[i]);
    mem_free(p->call);
    mem_free(p->words);
    mem_free(p->leaf);
    mem_free(p->source);
    mem_free(p->arg);
  }
  mem_free(f->part);
  function_graph_free(f->traced);
  buckets_free(&f->dead);
  mem_free(f->in);
  mem_free(f->out);
  mem_free(f->out_value);
  context_release(&f->engine->context);
  mem_free(f);
}

/* ---- calls ------------------------------------------------------------------------------------------------------------- */

static tme_status check_values(const tme_function *f, tme_array *const *in, error *e) {
  for (int i = 0; i < f->nin; i++) {
    const op_type *want = &f->in[i], *got = &in[i]->type;
    if (want->dtype == got->dtype && type_same_shape(want, got)) continue;
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    type_shape_text(got, a);
    type_shape_text(want, b);
    return fail(e, want->dtype != got->dtype ? TME_ERR_DTYPE : TME_ERR_SHAPE,
                "call: input %d is %s %s, the function was compiled for %s %s", i, tme_dtype_name(got->dtype), a,
                tme_dtype_name(want->dtype), b);
  }
  return TME_OK;
}

/* The elements in rows, as a part expects them. */
static tme_status in_rows(const tme_function *f, const array_view *given, array_view *out, error *e) {
  op_type t = view_type(given);
  if (strides_contiguous(&t, given->strides)) {
    *out = *given;
    type_strides(&t, out->strides); /* also where an extent of 1 has another */
    buffer_retain(out->buf);
    return TME_OK;
  }
  array_view host;
  tme_status st = view_to_host(f->engine, given, &host, e);
  if (st != TME_OK) return st;
  st = view_to_rows(f->engine, &host, out, e);
  buffer_release(host.buf);
  return st;
}

/* The part's leaves in this call, a reference to each buffer. */
static tme_status bind(const tme_function *f, const part *p, eval_run *r, tme_array *const *in, const array_view *value,
                       error *e) {
  for (int i = 0; i < p->nleaves; i++) {
    array_view *v = &r->leaf[i];
    leaf_source from = p->source[i];
    const tme_array *a = from.kind == LEAF_INPUT ? in[from.number] : NULL;
    tme_status st = TME_OK;
    *v = p->leaf[i];
    if (from.kind == LEAF_VALUE) {
      st = in_rows(f, &value[from.number], v, e);
    } else if (!a && v->buf->drawn) {
      v->buf = keys_next(&f->engine->context.keys, f->engine->context.pool);
      if (!v->buf) st = fail_memory(e, "call", sizeof(uint64_t));
    } else if (!a) {
      buffer_retain(v->buf);
    } else {
      v->buf = array_buffer(a);
      v->offset = a->offset;
      if (strides_contiguous(&a->type, a->strides)) {
        buffer_retain(v->buf);
      } else {
        array_view given = array_elements(a);
        st = in_rows(f, &given, v, e);
      }
    }
    if (st != TME_OK) return st;
    r->nleaves = i + 1;
    if (eval_numeric(f->engine, v->buf, e) != TME_OK) return e->code;
  }
  return TME_OK;
}

/* New arrays of the scope with the results; all or none. */
static tme_status give(tme_scope *s, const tme_function *f, const array_view *value, tme_array **out, error *e) {
  if (!scope_reserve(s, f->nout)) return fail_memory(e, "call", sizeof *out);
  for (int i = 0; i < f->nout; i++) {
    const array_view *v = &value[f->out_value[i]];
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

static tme_status run_part(const tme_function *f, int k, eval_run *r, tme_array *const *in, array_view *value,
                           const stop_request *stop, error *e) {
  const part *p = &f->part[k];
  if (!grow(&r->leaf, &r->cap_leaf, p->nleaves, sizeof *r->leaf) ||
      !grow(&r->slot, &r->cap_slot, p->plan->nslots, sizeof *r->slot))
    return fail_memory(e, "call", sizeof *r->slot);
  tme_status st = bind(f, p, r, in, value, e);
  array_view *root = value + p->first_value;
  plan_call c = {.leaf = r->leaf, .arg = p->arg, .out = root, .slot = r->slot, .stop = stop, .wait = true};
  if (st == TME_OK) {
    st = plan_run(p->plan, &c, e);
    for (int i = 0; i < p->plan->nroots && st != TME_OK; i++) root[i].buf = NULL;
  }
  run_drop(r);
  return st;
}

static void release(array_view *v) {
  buffer_release(v->buf);
  v->buf = NULL;
}

static tme_status run_traced(tme_scope *s, const tme_function *f, eval_run *r, tme_array *const *in, tme_array **out,
                             error *e) {
  if (!grow(&r->out, &r->cap_out, f->nvalues, sizeof *r->out)) return fail_memory(e, "call", sizeof *r->out);
  array_view *value = r->out;
  for (int i = 0; i < f->nvalues; i++) value[i].buf = NULL;
  tme_status st = TME_OK;
  for (int k = 0; k < f->nparts && st == TME_OK; k++) {
    st = run_part(f, k, r, in, value, &s->stop, e);
    if (st == TME_OK && k == f->nparts - 1) atomic_fetch_add_explicit(&f->engine->evaluations, 1, memory_order_relaxed);
    for (int i = 0; i < f->part[k].plan->nroots && st == TME_OK; i++)
      st = eval_numeric(f->engine, value[f->part[k].first_value + i].buf, e);
    for (int i = f->dead.first[k]; i < f->dead.first[k + 1] && st == TME_OK; i++) release(&value[f->dead.item[i]]);
  }
  if (st == TME_OK) st = give(s, f, value, out, e);
  for (int i = 0; i < f->nvalues; i++) release(&value[i]);
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
  if (st == TME_OK) st = evaluate(f->engine, inputs, ninputs, &s->stop, &err);
  if (st == TME_OK) {
    eval_run *r = run_take(f->engine);
    st = r ? run_traced(s, f, r, inputs, outputs, &err) : fail_memory(&err, "call", sizeof *r);
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
