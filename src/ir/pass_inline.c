/* Calls to what they compute. */
#include "base/grow.h"
#include "ir/subgraph.h"

/* A graph that is being copied: the whole one, or one that is called. */
typedef struct frame {
  const graph *g;
  int device; /* where what asks for none is to run: where the call was to */
  int at;     /* the node to look at next */
  int *map;   /* per node: what it has become; of an expanded call -2 less where its outputs begin */
} frame;

typedef struct inliner {
  graph *to;
  inline_keep *keep;
  void *user;
  frame *stack;
  int *out; /* the outputs of the calls that were expanded */
  int *in;  /* operands of a node */
  int depth, nout, cap_stack, cap_out, cap_in;
  int64_t size; /* nodes of the graphs that were begun */
} inliner;

static bool push(inliner *x, const graph *g, int device) {
  x->size += g->n;
  if (!grow(&x->stack, &x->cap_stack, x->depth + 1, sizeof *x->stack)) return false;
  int *map = mem_alloc(((size_t)g->n + 1) * sizeof *map);
  if (!map) return false;
  x->stack[x->depth++] = (frame){g, device, 0, map};
  return true;
}

/* What node i of the frame's graph has become: of a call the first output. */
static int became(const inliner *x, const frame *f, int i) {
  int v = f->map[i];
  return v <= -2 ? x->out[-2 - v] : v;
}

/* Operand k of the call that the top frame is. */
static int operand(const inliner *x, int k) {
  const frame *caller = &x->stack[x->depth - 2];
  return became(x, caller, graph_in(caller->g, caller->at, k));
}

static int copy(inliner *x, const frame *f, int i) {
  const g_node *n = graph_get(f->g, i);
  if (!grow(&x->in, &x->cap_in, n->nin, sizeof *x->in)) return -1;
  for (int k = 0; k < n->nin; k++) x->in[k] = graph_in(f->g, i, k) < 0 ? -1 : became(x, f, graph_in(f->g, i, k));
  int y = graph_copy_node(x->to, f->g, i, x->in);
  if (y >= 0) graph_set_device(x->to, y, f->device);
  return y;
}

/* What the top frame's next node becomes, which is no call to be expanded; -1 on failure. */
static int next_node(inliner *x) {
  const frame *f = &x->stack[x->depth - 1];
  const g_node *n = graph_get(f->g, f->at);
  bool called = x->depth > 1;
  if (n->op == OP_leaf && called) return operand(x, n->leaf);
  if (n->op == OP_literal && n->leaf >= 0 && called) return operand(x, f->g->nleaves + n->leaf);
  int outputs = n->op == OP_pick ? f->map[graph_in(f->g, f->at, 0)] : 0;
  return outputs <= -2 ? x->out[-2 - outputs + n->leaf] : copy(x, f, f->at);
}

/* The graph that the top frame's next node calls, if that is to be expanded. */
static const graph *next_call(const inliner *x) {
  const frame *f = &x->stack[x->depth - 1];
  const g_node *n = graph_get(f->g, f->at);
  if (n->op != OP_call || (x->keep && x->keep(f->g, f->at, x->user))) return NULL;
  return subgraph_graph(f->g->sub[n->leaf]);
}

static bool begin(inliner *x, const graph *call) {
  const frame *f = &x->stack[x->depth - 1];
  int device = graph_get(f->g, f->at)->device;
  if (x->size + call->n <= SUBGRAPH_MOST) return push(x, call, device ? device : f->device);
  fail(&x->to->err, TME_ERR_UNSUPPORTED, "the calls expand to more than %d operations", SUBGRAPH_MOST);
  return false;
}

/* The outputs of the top frame, which is done. */
static bool give(inliner *x) {
  frame *f = &x->stack[x->depth - 1];
  const graph *g = f->g;
  if (!grow(&x->out, &x->cap_out, x->nout + g->nroots, sizeof *x->out)) return false;
  frame *caller = &x->stack[x->depth - 2];
  caller->map[caller->at++] = -2 - x->nout;
  for (int r = 0; r < g->nroots; r++) x->out[x->nout++] = became(x, f, g->root[r]);
  mem_free(f->map);
  x->depth--;
  return true;
}

static bool expand(inliner *x) {
  for (;;) {
    frame *f = &x->stack[x->depth - 1];
    if (f->at == f->g->n) {
      if (x->depth == 1) return true;
      if (!give(x)) return false;
      continue;
    }
    const graph *call = next_call(x);
    if (call) {
      if (!begin(x, call)) return false;
      continue;
    }
    int y = next_node(x);
    if (y < 0) return false;
    f->map[f->at++] = y;
  }
}

graph *pass_inline(const graph *g, inline_keep *keep, void *user, error *e) {
  inliner x = {.to = graph_like(g, g->nroots), .keep = keep, .user = user};
  bool ok = x.to && push(&x, g, 0) && expand(&x);
  for (int r = 0; r < g->nroots && ok; r++) x.to->root[r] = became(&x, &x.stack[0], g->root[r]);
  while (x.depth) mem_free(x.stack[--x.depth].map);
  mem_free(x.stack);
  mem_free(x.out);
  mem_free(x.in);
  graph *used = ok ? pass_reachable(x.to, e) : NULL;
  if (!ok && x.to && x.to->err.code != TME_OK) fail(e, x.to->err.code, "inline: %s", x.to->err.text);
  if (!used) fail_memory(e, "inline", (size_t)g->n * sizeof(g_node));
  graph_free(x.to);
  return used;
}
