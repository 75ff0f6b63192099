/* Graphs that are called: immutable, counted, each with a number of its own. */
#include "ir/subgraph.h"
#include "base/grow.h"
#include <stdatomic.h>

struct subgraph {
  atomic_int refs;
  uint64_t number;
  graph *g;
  int size;
  op_type *out;     /* per root */
  op_type *operand; /* per leaf, then per argument; */
  bool *read;       /* whether the graph has it */
  subgraph *next;   /* work list of subgraph_release: nobody holds it any more */
};

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static tme_status note_operands(subgraph *s, error *e) {
  const graph *g = s->g;
  for (int i = 0; i < g->n; i++) {
    const g_node *n = graph_get(g, i);
    int k = n->op == OP_leaf ? n->leaf : n->op == OP_literal && n->leaf >= 0 ? g->nleaves + n->leaf : -1;
    if (k < 0) continue;
    const op_type *before = s->read[k] ? &s->operand[k] : &n->type;
    if (before->dtype != n->type.dtype || !type_same_shape(before, &n->type))
      return fail(e, TME_ERR_ARGUMENT, "sub-graph: operand %d has two types", k);
    s->operand[k] = n->type;
    s->read[k] = true;
  }
  return TME_OK;
}

static tme_status measure(subgraph *s, error *e) {
  const graph *g = s->g;
  int64_t size = g->n;
  for (int i = 0; i < g->n && size <= SUBGRAPH_MOST; i++)
    if (graph_get(g, i)->op == OP_call) size += g->sub[graph_get(g, i)->leaf]->size;
  if (size > SUBGRAPH_MOST)
    return fail(e, TME_ERR_UNSUPPORTED, "sub-graph: its calls expand to more than %d operations", SUBGRAPH_MOST);
  s->size = (int)size;
  return TME_OK;
}

static tme_status fill(subgraph *s, error *e) {
  const graph *g = s->g;
  if (g->nroots < 1 || g->nroots > UINT16_MAX)
    return fail(e, TME_ERR_ARGUMENT, "sub-graph: %d outputs, expected 1 to %d", g->nroots, UINT16_MAX);
  size_t operands = (size_t)g->nleaves + (size_t)g->nargs;
  s->out = mem_calloc((size_t)g->nroots, sizeof *s->out);
  s->operand = mem_calloc(operands, sizeof *s->operand);
  s->read = mem_calloc(operands, sizeof *s->read);
  if (!s->out || !s->operand || !s->read) return fail_memory(e, "sub-graph", operands * sizeof *s->operand);
  for (int r = 0; r < g->nroots; r++) s->out[r] = graph_get(g, g->root[r])->type;
  tme_status st = note_operands(s, e);
  return st == TME_OK ? measure(s, e) : st;
}

subgraph *subgraph_new(graph *g, error *e) {
  static atomic_ullong made;
  subgraph *s = mem_calloc(1, sizeof *s);
  if (!s) {
    fail_memory(e, "sub-graph", sizeof *s);
    graph_free(g);
    return NULL;
  }
  atomic_init(&s->refs, 1);
  s->number = atomic_fetch_add(&made, 1) + 1;
  s->g = g;
  if (fill(s, e) == TME_OK) return s;
  subgraph_release(s);
  return NULL;
}

subgraph *subgraph_retain(subgraph *s) {
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  return s;
}

/* Puts it on the list if this was its last reference. */
static void drop(subgraph *s, subgraph **list) {
  if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  s->next = *list;
  *list = s;
}

void subgraph_release(subgraph *s) {
  subgraph *list = NULL;
  if (s) drop(s, &list);
  while (list) {
    s = list;
    list = s->next;
    for (int i = 0; i < s->g->nsub; i++) drop(s->g->sub[i], &list);
    s->g->nsub = 0;
    graph_free(s->g);
    mem_free(s->out);
    mem_free(s->operand);
    mem_free(s->read);
    mem_free(s);
  }
}

const graph *subgraph_graph(const subgraph *s) { return s->g; }
uint64_t subgraph_number(const subgraph *s) { return s->number; }
int subgraph_size(const subgraph *s) { return s->size; }
const op_type *subgraph_outputs(const subgraph *s) { return s->out; }

/* ---- calls ------------------------------------------------------------------------------------------------------- */

tme_status subgraph_check_count(const subgraph *s, int nin, error *e) {
  int leaves = s->g->nleaves, args = s->g->nargs;
  if (nin == leaves + args) return TME_OK;
  return fail(e, TME_ERR_ARGUMENT, "call: %d operand%s, the sub-graph takes %d: %d input%s and %d number%s", nin,
              PLURAL(nin), leaves + args, leaves, PLURAL(leaves), args, PLURAL(args));
}

tme_status subgraph_check_operand(const subgraph *s, int k, const op_type *given, error *e) {
  const op_type *want = &s->operand[k];
  if (!s->read[k] || (want->dtype == given->dtype && type_same_shape(want, given))) return TME_OK;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  type_shape_text(given, a);
  type_shape_text(want, b);
  return fail(e, want->dtype != given->dtype ? TME_ERR_DTYPE : TME_ERR_SHAPE,
              "call: operand %d is %s %s, the sub-graph takes %s %s", k, tme_dtype_name(given->dtype), a,
              tme_dtype_name(want->dtype), b);
}

tme_status subgraph_check_precision(const subgraph *s, tme_dtype default_float, error *e) {
  if (s->g->default_float == default_float) return TME_OK;
  return fail(e, TME_ERR_ARGUMENT, "call: the sub-graph was made for precision %s, the graph for %s",
              tme_dtype_name(s->g->default_float), tme_dtype_name(default_float));
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static bool list_calls(subgraph_list *l, const graph *g) {
  for (int i = 0; i < g->nsub; i++) {
    if (pointer_map_get(&l->number, g->sub[i]) >= 0) continue;
    if (!grow(&l->sub, &l->cap, l->n + 1, sizeof *l->sub) || !pointer_map_add(&l->number, g->sub[i], l->n))
      return false;
    l->sub[l->n++] = g->sub[i];
  }
  return true;
}

bool subgraph_list_make(subgraph_list *l, const graph *g) {
  *l = (subgraph_list){0};
  bool ok = list_calls(l, g);
  for (int k = 0; k < l->n && ok; k++) ok = list_calls(l, subgraph_graph(l->sub[k]));
  return ok;
}

void subgraph_list_free(subgraph_list *l) {
  mem_free(l->sub);
  pointer_map_free(&l->number);
}
