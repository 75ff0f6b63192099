/* Tracing: an iterative walk in post-order that numbers values by marks in the arrays. */
#include "run/trace.h"
#include "base/fork.h"
#include "base/grow.h"
#include <string.h>

/* The literals that may shape the code; all others are arguments. */
const double literal_special[SPECIAL_COUNT] = {0, 1, -1, 2, 3, 0.5};

/* Longer graphs are computed in parts, so that neither a plan nor its compilation grows without bound. */
enum { MOST_NODES = 16384, MARK_BITS = 24 };

#ifdef TME_TEST_HOOKS
static int most_nodes = MOST_NODES;
void trace_cut_after(int nodes) { most_nodes = nodes ? nodes : MOST_NODES; }
#else
static const int most_nodes = MOST_NODES;
#endif

eval_run *run_take(tme_engine *e) {
  for (int i = 0; i < COUNT(e->runs); i++) {
    eval_run *r = atomic_exchange_explicit(&e->runs[i], NULL, memory_order_acquire);
    if (r) return r;
  }
  return mem_calloc(1, sizeof(eval_run));
}

void run_give(tme_engine *e, eval_run *r) {
  run_drop(r);
  if (r->cap_stack > MOST_NODES * 4 || r->cap_sig > MOST_NODES * 4) {
    run_free(r);
    return;
  }
  for (int i = 0; r && i < COUNT(e->runs); i++) r = atomic_exchange_explicit(&e->runs[i], r, memory_order_acq_rel);
  run_free(r);
}

void run_free(eval_run *r) {
  if (!r) return;
  void *tables[] = {r->sig, r->leaf, r->input, r->arg, r->root, r->out, r->slot, r->stack, r->call, r->drop};
  for (int i = 0; i < COUNT(tables); i++) mem_free(tables[i]);
  mem_free(r);
}

void run_drop(eval_run *r) {
  for (int i = 0; i < r->nleaves; i++) buffer_release(r->leaf[i].buf);
  for (int i = 0; i < r->ncalls; i++) subgraph_release(r->call[i]);
  for (int i = 0; i < r->ndrop; i++) node_release(r->drop[i]);
  r->nleaves = r->ncalls = r->ndrop = 0;
}

/* ---- writing the words ------------------------------------------------------------------------------------------- */

static bool room(eval_run *r, int words) { return grow(&r->sig, &r->cap_sig, r->nsig + words, sizeof *r->sig); }
static void put(eval_run *r, uint64_t w) { r->sig[r->nsig++] = w; }

static bool marked(const eval_run *r, uint64_t mark) { return mark >> MARK_BITS == r->epoch; }

/* The number of a value whose words were written. */
static uint64_t number(eval_run *r) { return r->epoch << MARK_BITS | (uint64_t)r->values++; }
static uint32_t value_of(uint64_t mark) { return (uint32_t)(mark & (((uint64_t)1 << MARK_BITS) - 1)); }

static bool is_input(const tme_array *a) { return a->node->op == OP_leaf && !array_buffer(a); }

/* A part of the function before this one computes it. */
static bool is_made(const eval_run *r, const tme_array *a) { return r->made && pointer_map_get(r->made, a) >= 0; }

/* Its value comes from elsewhere: nothing is computed for it. */
static bool is_given(const eval_run *r, const tme_array *a) {
  return array_buffer(a) || a->node->op == OP_literal || a->node->op == OP_leaf || is_made(r, a);
}

static bool write_leaf(eval_run *r, tme_array *a) {
  int rank = a->type.rank;
  if (!room(r, 1 + 2 * rank) || !grow(&r->leaf, &r->cap_leaf, r->nleaves + 1, sizeof *r->leaf) ||
      !grow(&r->input, &r->cap_input, r->nleaves + 1, sizeof *r->input))
    return false;
  bool later = is_input(a) || is_made(r, a); /* its value comes with a call */
  bool contiguous = later || strides_contiguous(&a->type, a->strides);
  r->input[r->nleaves] = later ? a : NULL;
  array_view *v = &r->leaf[r->nleaves++];
  v->buf = later ? NULL : buffer_retain(array_buffer(a));
  v->dtype = a->type.dtype;
  v->rank = rank;
  v->offset = a->offset;
  put(r, OP_leaf | (uint64_t)a->type.dtype << 16 | (uint64_t)rank << 24 | (uint64_t)contiguous << 32);
  for (int d = 0; d < rank; d++) put(r, (uint64_t)(v->shape[d] = a->type.shape[d]));
  if (contiguous)
    type_strides(&a->type, v->strides);
  else
    for (int d = 0; d < rank; d++) put(r, (uint64_t)(v->strides[d] = a->strides[d]));
  a->mark = number(r);
  return true;
}

static bool write_literal(eval_run *r, tme_array *a) {
  tme_dtype t = a->type.dtype;
  uint64_t bits[2], special[2], code = LITERAL_ARG;
  if (!room(r, 1) || !grow(&r->arg, &r->cap_arg, 2 * (r->nargs + 1), sizeof *r->arg)) return false;
  number_bits(&a->node->literal, t, bits);
  double value = number_value(&a->node->literal);
  for (int i = 0; i < SPECIAL_COUNT; i++) {
    if (!(value == literal_special[i])) continue;
    literal_bits(t, literal_special[i], special);
    /* By bits, so that -0 is not 0. */
    if (bits[0] == special[0] && bits[1] == special[1]) code = (uint64_t)i;
  }
  put(r, OP_literal | (uint64_t)t << 16 | code << 24);
  if (code == LITERAL_ARG) {
    literal_convert(t, dtype_wide(t), bits); /* as kernels take arguments */
    memcpy(&r->arg[2 * r->nargs++], bits, sizeof bits);
  }
  a->mark = number(r);
  return true;
}

/* The number of an input, whose words are written here if it is a leaf or a literal that was not met before. */
static bool input_value(eval_run *r, tme_array *a, uint32_t *out) {
  if (!a) {
    *out = NO_VALUE;
    return true;
  }
  if (!marked(r, a->mark) && !(a->node->op != OP_literal || array_buffer(a) ? write_leaf(r, a) : write_literal(r, a)))
    return false;
  r->has_input |= is_input(a);
  *out = value_of(a->mark);
  return true;
}

/* Two numbers to a word. */
static void put_value(eval_run *r, int i, uint32_t v) {
  if (i % 2 == 0)
    put(r, v);
  else
    r->sig[r->nsig - 1] |= (uint64_t)v << 32;
}

/* What a call calls: the sub-graph itself, which is not to be mistaken for another one, lives as long as the run. */
static bool write_call(eval_run *r, const node *n) {
  if (!grow(&r->call, &r->cap_call, r->ncalls + 1, sizeof *r->call)) return false;
  r->call[r->ncalls++] = subgraph_retain(n->sub);
  put(r, subgraph_number(n->sub));
  r->nodes = r->nodes < SUBGRAPH_MOST ? r->nodes + subgraph_size(n->sub) : r->nodes;
  return true;
}

/* A node whose inputs have their numbers, leaves and literals excepted. */
static bool write_node(eval_run *r, tme_array *a) {
  node *n = a->node;
  if (n->outputs == 1 || !marked(r, n->mark)) {
    uint32_t v;
    for (int i = 0; i < n->nin; i++)
      if (!input_value(r, n->in[i], &v)) return false;
    if (!room(r, 3 + n->nin + (n->attrs ? ATTRS_MOST_WORDS : 0))) return false;
    put(r, n->op | (uint64_t)n->device << 16 | (uint64_t)n->nin << 32);
    for (int i = 0; i < n->nin; i++) put_value(r, i, n->in[i] ? value_of(n->in[i]->mark) : NO_VALUE);
    if (n->attrs) r->nsig += attrs_write(op_get(n->op), n->attrs, r->sig + r->nsig);
    if (n->op == OP_call && !write_call(r, n)) return false;
    n->mark = number(r);
    r->nodes++;
  }
  a->mark = n->mark;
  if (n->outputs == 1) return true;
  if (!room(r, 1)) return false;
  put(r, OP_pick | (uint64_t)(a - n->out) << 16 | (uint64_t)value_of(n->mark) << 32);
  a->mark = number(r);
  return true;
}

/* ---- walking ----------------------------------------------------------------------------------------------------- */

static bool push(eval_run *r, tme_array *a) {
  if (!grow(&r->stack, &r->cap_stack, r->depth + 1, sizeof *r->stack)) return false;
  r->stack[r->depth++] = (trace_frame){a, 0};
  return true;
}

/* Lets go of the inputs of a computed node; the references are dropped once the lock is free. There must be room. */
void run_let_go(eval_run *r, node *n) {
  for (int i = 0; i < n->nin; i++)
    if (n->in[i]) r->drop[r->ndrop++] = n->in[i]->node;
  n->nin = 0;
}

/* A view of an array that was computed meanwhile is computed too. False if it is something else. */
static bool settle_view(eval_run *r, tme_array *a) {
  node *n = a->node;
  if (!op_is_view(n->op) || !array_buffer(n->in[0])) return false;
  int64_t offset, strides[TME_MAX_RANK];
  if (!grow(&r->drop, &r->cap_drop, r->ndrop + n->nin, sizeof *r->drop)) return false;
  if (!array_view_of(n->op, n->in[0], n->attrs, &a->type, &offset, strides)) return false;
  array_set(a, buffer_retain(array_buffer(n->in[0])), offset, strides);
  run_let_go(r, n);
  return true;
}

/* Adds an array to the roots, once: it counts as running from here on. */
static bool add_root(eval_run *r, tme_array *a) {
  if (a->running == r->process) return true;
  if (!grow(&r->root, &r->cap_root, r->nroots + 1, sizeof *r->root)) return false;
  r->root[r->nroots++] = a;
  a->running = r->process;
  return true;
}

/* The graph is cut here: what the waiting nodes on the stack have of their inputs is computed first, beside the roots that
 * were met. */
static bool cut(eval_run *r, tme_array *last) {
  r->partial = true;
  if (!add_root(r, last)) return false;
  for (int f = 0; f < r->depth; f++) {
    node *n = r->stack[f].a->node;
    for (int i = 0; i < r->stack[f].next; i++) {
      tme_array *x = n->in[i];
      if (x && x != last && marked(r, x->mark) && !is_given(r, x) && !add_root(r, x)) return false;
    }
  }
  return true;
}

static trace_result walk(eval_run *r, tme_array *root) {
  if (root->running == r->process) return TRACE_BUSY;
  r->depth = 0;
  if (!push(r, root)) return TRACE_FAILED;
  while (r->depth) {
    trace_frame *f = &r->stack[r->depth - 1];
    tme_array *a = f->a;
    node *n = a->node;
    if (f->next == 0 && settle_view(r, a)) {
      r->depth--;
      continue;
    }
    tme_array *down = NULL;
    while (f->next < n->nin && !down) {
      tme_array *x = n->in[f->next++];
      if (x && !marked(r, x->mark) && !is_given(r, x)) down = x;
    }
    if (down) {
      if (down->running == r->process) return TRACE_BUSY;
      if (!push(r, down)) return TRACE_FAILED;
      continue;
    }
    r->depth--;
    if (settle_view(r, a)) continue;
    if (!write_node(r, a)) return TRACE_FAILED;
    if (r->nodes >= most_nodes && r->depth) return cut(r, a) ? TRACE_READY : TRACE_FAILED;
  }
  return TRACE_READY;
}

/* A literal that is asked for itself. */
static bool settle_literal(tme_engine *e, tme_array *a) {
  buffer *b = pool_get(e->context.pool, tme_dtype_size(a->type.dtype));
  if (!b) return false;
  uint64_t bits[2];
  number_bits(&a->node->literal, a->type.dtype, bits);
  literal_store(a->type.dtype, bits, b->data);
  array_set(a, b, 0, a->strides);
  return true;
}

/* All outputs of an operation are computed together: what they have in common is most of the work. */
static bool want(eval_run *r, tme_array *a) {
  if (a->node->op == OP_call) return (marked(r, a->mark) || write_node(r, a)) && add_root(r, a);
  for (int i = 0; i < a->node->outputs; i++) {
    tme_array *x = &a->node->out[i];
    if (array_buffer(x) || is_made(r, x)) continue;
    if (!marked(r, x->mark) && !write_node(r, x)) return false;
    if (!add_root(r, x)) return false;
  }
  return true;
}

static trace_result trace_all(tme_engine *e, eval_run *r, tme_array *const *a, int n) {
  for (int i = 0; i < n; i++) {
    if (array_buffer(a[i]) || is_made(r, a[i])) continue;
    if (a[i]->node->op == OP_literal) {
      if (!settle_literal(e, a[i])) return TRACE_FAILED;
      continue;
    }
    if (is_input(a[i])) {
      r->has_input = true;
      continue;
    }
    if (!marked(r, a[i]->mark)) {
      trace_result t = walk(r, a[i]);
      if (t != TRACE_READY || r->partial) return t;
    }
    if (!array_buffer(a[i]) && !want(r, a[i])) return TRACE_FAILED;
  }
  return r->nroots ? TRACE_READY : TRACE_NOTHING;
}

/* What was written so far is forgotten; references wait for run_drop. */
static void forget(eval_run *r) {
  r->nsig = r->nargs = r->nroots = r->values = r->nodes = r->depth = 0;
  r->partial = r->has_input = false;
}

trace_result trace(tme_engine *e, eval_run *r, tme_array *const *a, int n, bool mark, error *err) {
  forget(r);
  r->epoch = ++e->epoch;
  r->process = fork_generation() + 1;
  trace_result t = trace_all(e, r, a, n);
  if (r->has_input && mark) {
    for (int i = 0; i < r->nroots; i++) r->root[i]->running = 0;
    fail(err, TME_ERR_NO_VALUE, "eval: an input of tme_compile has no value");
    return TRACE_FAILED;
  }
  int inputs = 0;
  for (int i = 0; i < r->nroots; i++) inputs += r->root[i]->node->nin;
  if (t == TRACE_READY && (!room(r, 2 + r->nroots) || !grow(&r->out, &r->cap_out, r->nroots, sizeof *r->out) ||
                           !grow(&r->drop, &r->cap_drop, r->ndrop + inputs, sizeof *r->drop) || r->values >> MARK_BITS))
    t = TRACE_FAILED;
  if (t == TRACE_FAILED) fail_memory(err, "eval", sizeof(uint64_t) * (size_t)(r->nsig + 1));
  if (t == TRACE_READY) {
    put(r, SIG_ROOTS | (uint64_t)r->nroots << 32);
    for (int i = 0; i < r->nroots; i++) put_value(r, i, value_of(r->root[i]->mark));
  }
  if (t != TRACE_READY || !mark)
    for (int i = 0; i < r->nroots; i++) r->root[i]->running = 0;
  return t;
}
