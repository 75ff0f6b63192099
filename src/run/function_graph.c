/* The graph of a function, from the words of its parts; and calls of it that are computed later. */
#include "array/array.h"
#include "array/call.h"
#include "run/function.h"
#include <string.h>

typedef struct joiner {
  const tme_function *f;
  function_graph *t;
  graph *g;
  int *input; /* the leaf that each input is */
  int *value; /* the node that each value of the parts is */
} joiner;

void function_graph_free(function_graph *t) {
  if (!t) return;
  subgraph_release(t->graph);
  mem_free(t->taken);
  mem_free(t->arg);
  mem_free(t->arg_dtype);
  mem_free(t);
}

/* Leaf i of the part, in the whole graph. */
static int leaf_of(joiner *j, const part *p, int i) {
  leaf_source from = p->source[i];
  if (from.kind == LEAF_VALUE) return j->value[from.number];
  if (from.kind == LEAF_INPUT) return j->input[from.number];
  op_type t = view_type(&p->leaf[i]);
  j->t->taken[j->t->ntaken] = p->leaf[i];
  return graph_leaf(j->g, &t, p->leaf[i].strides, j->f->nin + j->t->ntaken++);
}

/* Its argument i, likewise. */
static int arg_of(joiner *j, const part *p, int i) {
  int n = j->t->nargs++;
  memcpy(j->t->arg + 2 * n, p->arg + 2 * i, 2 * sizeof *p->arg);
  return graph_literal_arg(j->g, j->t->arg_dtype[n], n);
}

static void note_dtypes(const graph *g, tme_dtype *arg_dtype) {
  for (int i = 0; i < g->n; i++) {
    const g_node *n = graph_get(g, i);
    if (n->op == OP_literal && n->leaf >= 0) arg_dtype[n->leaf] = n->type.dtype;
  }
}

/* The part is called, and gives its values. `in`: room for the operands. */
static bool call_part(joiner *j, const part *p, subgraph *s, int *in) {
  int outputs = subgraph_graph(s)->nroots;
  note_dtypes(subgraph_graph(s), j->t->arg_dtype + j->t->nargs);
  for (int i = 0; i < p->nleaves; i++) in[i] = leaf_of(j, p, i);
  for (int i = 0; i < p->nargs; i++) in[p->nleaves + i] = arg_of(j, p, i);
  int call = graph_call(j->g, s, in, p->nleaves + p->nargs);
  for (int i = 0; i < outputs; i++)
    j->value[p->first_value + i] = outputs == 1 ? call : graph_pick(j->g, call, i, &subgraph_outputs(s)[i]);
  return !j->g->failed;
}

static tme_status add_part(joiner *j, const part *p, error *e) {
  signature sig = {.words = p->words, .n = p->nwords, .nroots = p->plan->nroots, .call = p->call};
  graph *g = signature_graph(&sig, j->g->default_float, e);
  subgraph *s = g ? subgraph_new(g, e) : NULL;
  if (!s) return e->code;
  int *in = mem_alloc(((size_t)p->nleaves + (size_t)p->nargs + 1) * sizeof *in);
  bool ok = in && call_part(j, p, s, in);
  mem_free(in);
  subgraph_release(s);
  return ok ? TME_OK : fail_memory(e, "function", (size_t)p->nleaves * sizeof(g_node));
}

/* Calls within the parts are the caller's. */
static bool is_within(const graph *g, int call, void *whole) {
  (void)call;
  return g != whole;
}

static bool make_room(joiner *j) {
  const tme_function *f = j->f;
  function_graph *t = j->t;
  size_t leaves = 0, args = 0;
  for (int k = 0; k < f->nparts; k++) {
    leaves += (size_t)f->part[k].nleaves;
    args += (size_t)f->part[k].nargs;
  }
  j->g = graph_new(f->nout);
  j->input = mem_alloc((size_t)f->nin * sizeof *j->input);
  j->value = mem_alloc((size_t)f->nvalues * sizeof *j->value);
  t->taken = mem_alloc(leaves * sizeof *t->taken);
  t->arg = mem_alloc(2 * args * sizeof *t->arg);
  t->arg_dtype = mem_alloc(args * sizeof *t->arg_dtype);
  return j->g && j->input && j->value && t->taken && t->arg && t->arg_dtype;
}

/* Each part is called in turn, and the calls are expanded. */
static tme_status join(joiner *j, error *e) {
  const tme_function *f = j->f;
  if (!make_room(j)) return fail_memory(e, "function", (size_t)f->nvalues * sizeof *j->value);
  j->g->default_float = f->engine->context.config.default_dtype;
  for (int i = 0; i < f->nin; i++) {
    int64_t strides[TME_MAX_RANK];
    type_strides(&f->in[i], strides);
    j->input[i] = graph_leaf(j->g, &f->in[i], strides, i);
  }
  tme_status st = TME_OK;
  for (int k = 0; k < f->nparts && st == TME_OK; k++) st = add_part(j, &f->part[k], e);
  for (int i = 0; i < f->nout && st == TME_OK; i++) j->g->root[i] = j->value[f->out_value[i]];
  graph *whole = st == TME_OK ? pass_inline(j->g, is_within, j->g, e) : NULL;
  j->t->graph = whole ? subgraph_new(whole, e) : NULL;
  return j->t->graph ? TME_OK : e->code;
}

const function_graph *function_trace(tme_function *f, error *e) {
  function_graph *t = atomic_load_explicit(&f->traced, memory_order_acquire), *before = NULL;
  if (t) return t;
  joiner j = {.f = f, .t = mem_calloc(1, sizeof *j.t)};
  tme_status st = j.t ? join(&j, e) : fail_memory(e, "function", sizeof *j.t);
  graph_free(j.g);
  mem_free(j.input);
  mem_free(j.value);
  if (st == TME_OK && atomic_compare_exchange_strong(&f->traced, &before, j.t)) return j.t;
  function_graph_free(j.t);
  return before; /* another thread was faster; or NULL */
}

/* ---- calls that are computed later ------------------------------------------------------------------------------- */

static node *node_of_view(tme_engine *e, const array_view *v) {
  op_type t = view_type(v);
  buffer *b = v->buf->drawn ? keys_next(&e->context.keys, e->context.pool) : buffer_retain(v->buf);
  node *n = !b ? NULL : node_new(e, OP_leaf, NULL, 0, NULL, &t, 1);
  if (n)
    array_set(&n->out[0], b, v->offset, v->strides);
  else
    buffer_release(b);
  return n;
}

/* An argument back to the number that it was made of: 16-bit floats come as f32. */
static node *node_of_arg(tme_engine *e, tme_dtype t, const uint64_t *bits) {
  double v[2];
  literal_value(dtype_wide(t), bits, v);
  return node_literal(e, t, false,
                      t == TME_I64   ? number_of_int((int64_t)bits[0])
                      : t == TME_U64 ? number_of_uint(bits[0])
                                     : number_of_double(v[0]));
}

static tme_status apply_to(tme_scope *s, const tme_function *f, const function_graph *t, tme_array *const *inputs,
                           tme_array **all, tme_array **outputs) {
  int n = f->nin, more = t->ntaken + t->nargs;
  tme_status st = TME_OK;
  memcpy(all, inputs, sizeof *all * (size_t)n);
  for (int i = 0; i < more && st == TME_OK; i++) {
    int arg = i - t->ntaken;
    node *own =
        arg < 0 ? node_of_view(s->engine, &t->taken[i]) : node_of_arg(s->engine, t->arg_dtype[arg], &t->arg[2 * arg]);
    if (own)
      all[n++] = &own->out[0];
    else
      st = fail_memory(&s->err, "call", sizeof *own);
  }
  if (st == TME_OK) st = array_call(s, t->graph, all, n, outputs);
  while (n > f->nin) node_release(all[--n]->node);
  return st;
}

tme_status function_apply(tme_scope *s, tme_function *f, tme_array *const *inputs, int ninputs, tme_array **outputs) {
  for (int i = 0; i < f->nout; i++) outputs[i] = NULL;
  if (ninputs != f->nin)
    return fail(&s->err, TME_ERR_ARGUMENT, "call: %d input%s, the function has %d", ninputs, PLURAL(ninputs), f->nin);
  if (f->engine != s->engine) return fail(&s->err, TME_ERR_ARGUMENT, "call: the function belongs to another engine");
  error e = {.code = TME_OK};
  const function_graph *t = function_trace(f, &e);
  if (!t) return scope_fail(s, &e);
  size_t n = (size_t)f->nin + (size_t)t->ntaken + (size_t)t->nargs;
  tme_array **all = mem_alloc(n * sizeof *all);
  tme_status st = all ? apply_to(s, f, t, inputs, all, outputs) : fail_memory(&s->err, "call", n * sizeof *all);
  mem_free(all);
  return st;
}
