/* From a region to steps: decompose, split, simplify, fuse, lower each group. */
#include "lower/program.h"
#include "lower/lower.h"
#include "ops/views.h"
#include <stdio.h>
#include <string.h>

static const char *node_supported(const graph *g, int i) {
  const g_node *n = &g->node[i];
  const char *why = dtype_no_kernels(n->type.dtype);
  for (int k = 0; k < n->nin && !why; k++)
    if (graph_in(g, i, k) >= 0) why = dtype_no_kernels(g->node[graph_in(g, i, k)].type.dtype);
  if (why) return why;
  if (n->op >= OP_PUBLIC_COUNT) return NULL;
  tme_dtype t =
      n->nin && graph_in(g, i, n->nin - 1) >= 0 ? g->node[graph_in(g, i, n->nin - 1)].type.dtype : n->type.dtype;
  return op_supports(n->op, t);
}

/* The node alone, its operands leaves. NULL on failure. */
static graph *alone(const graph *g, int i, error *e) {
  const g_node *n = &g->node[i];
  graph *one = graph_new(n->outputs);
  int *in = mem_alloc(((size_t)n->nin + 1) * sizeof *in);
  bool ok = one && in;
  for (int k = 0; ok && k < n->nin; k++) {
    int of = graph_in(g, i, k);
    int64_t strides[TME_MAX_RANK];
    if (of >= 0) type_strides(&g->node[of].type, strides);
    in[k] = of >= 0 ? graph_leaf(one, &g->node[of].type, strides, k) : -1;
  }
  int x = ok ? graph_copy_node(one, g, i, in) : -1;
  for (int o = 0; x >= 0 && o < n->outputs; o++)
    one->root[o] = n->outputs > 1 ? graph_pick(one, x, o, graph_output(g, i, o)) : x;
  mem_free(in);
  if (ok && x >= 0 && !one->failed) return one;
  graph_free(one);
  fail_memory(e, op_name(n->op), sizeof *one);
  return NULL;
}

/* A composite can be lowered if all can that it is made of. */
static const char *parts_supported(const graph *g, int i) {
  error e = {0};
  graph *one = alone(g, i, &e), *parts = one ? pass_decompose(one, NULL, &e) : NULL;
  const char *why = parts ? NULL : "it could not be taken apart";
  for (int k = 0; !why && k < parts->n; k++) why = node_supported(parts, k);
  graph_free(parts);
  graph_free(one);
  return why;
}

const char *program_supports(const graph *g, int i) {
  const char *why = node_supported(g, i);
  bool composite = g->node[i].op < OP_PUBLIC_COUNT && op_classify(g->node[i].op) == CLASS_COMPOSITE;
  return why || !composite ? why : parts_supported(g, i);
}

static tme_status lower_library(lowering *l, int gr, error *e) {
  const graph *g = l->g;
  int i = l->f->groups[gr].seed;
  step *s = lower_step_new(l->p, STEP_LIBRARY);
  if (!s) return fail_memory(e, op_name(g->node[i].op), sizeof *s);
  snprintf(s->label, sizeof s->label, "%s", op_name(g->node[i].op));
  s->node = i;
  s->nin = g->node[i].nin;
  s->in = mem_alloc(((size_t)s->nin + 1) * sizeof *s->in);
  if (!s->in) return fail_memory(e, s->label, (size_t)s->nin * sizeof *s->in);
  for (int k = 0; k < s->nin; k++) s->in[k] = graph_in(g, i, k) < 0 ? -1 : l->slot_of[graph_in(g, i, k)];
  s->nout = g->node[i].outputs;
  for (int k = 0; k < s->nout; k++) s->out[k] = k ? -1 : l->slot_of[i];
  for (int k = l->f->users_of[i]; k < l->f->users_of[i + 1]; k++) {
    int j = l->f->users[k];
    if (g->node[j].op == OP_pick) s->out[g->node[j].leaf] = l->slot_of[j];
  }
  return TME_OK;
}

/* The indices of a take are checked once, before the first kernel that gathers with them. */
static tme_status check_bounds(lowering *l, uint8_t *checked, error *e) {
  const graph *g = l->g;
  for (int k = 0; k < l->nnodes; k++) {
    int i = l->node[k];
    if (checked[i] || g->node[i].op != OP_take) continue;
    checked[i] = 1;
    step *s = lower_step_new(l->p, STEP_BOUNDS);
    if (!s) return fail_memory(e, "take", sizeof *s);
    snprintf(s->label, sizeof s->label, "take: bounds");
    s->node = i;
    s->in = mem_alloc(sizeof *s->in);
    if (!s->in) return fail_memory(e, "take", sizeof *s->in);
    s->nin = 1;
    s->in[0] = l->slot_of[graph_in(g, i, 1)];
  }
  return TME_OK;
}

/* The slot of a node if it is stored; `empty` becomes false if it has elements. */
static tme_status add_slot(lowering *l, int i, bool *empty, error *e) {
  const op_type *t = &l->g->node[i].type;
  if (!l->f->stored[i]) return TME_OK;
  *empty &= type_size(t) == 0;
  return lower_slot(l, t, i, type_size(t)) < 0 ? fail_memory(e, "lower", sizeof(struct slot)) : TME_OK;
}

static tme_status lower_group(lowering *l, int gr, uint8_t *checked, error *e) {
  const graph *g = l->g;
  const group *G = &l->f->groups[gr];
  lower_nodes(l, gr);
  tme_status status = check_bounds(l, checked, e);
  bool empty = true;
  for (int k = 0; k < G->nmembers && status == TME_OK; k++) status = add_slot(l, G->member[k], &empty, e);
  for (int k = l->f->users_of[G->seed]; k < l->f->users_of[G->seed + 1] && status == TME_OK; k++)
    if (g->node[l->f->users[k]].op == OP_pick) status = add_slot(l, l->f->users[k], &empty, e);
  if (status != TME_OK) return status;
  /* A call looks at what it is given, even where it gives nothing: a probability of 2 is refused. */
  if (empty && G->kind != GROUP_LIBRARY) return TME_OK;
  switch (G->kind) {
  case GROUP_LIBRARY: return lower_library(l, gr, e);
  case GROUP_MATMUL: return l->t->product(l, gr, e);
  case GROUP_ATTENTION: return l->t->attention(l, gr, e);
  default: return l->t->rows(l, gr, e);
  }
}

/* Slots of the region's inputs come first. */
static tme_status add_leaves(lowering *l, error *e) {
  const graph *g = l->g;
  for (int i = 0; i < g->n; i++) {
    if (g->node[i].op != OP_leaf) continue;
    int s = lower_slot(l, &g->node[i].type, i, type_size(&g->node[i].type));
    if (s < 0) return fail_memory(e, "lower", sizeof(struct slot));
    l->p->slots[s].leaf = g->node[i].leaf;
    memcpy(l->p->slots[s].strides, graph_strides(g, i), sizeof *g->strides * (size_t)g->node[i].type.rank);
  }
  return TME_OK;
}

static void note_stored(const lowering *l) {
  char shape[SHAPE_TEXT];
  for (int i = 0; i < l->g->n; i++) {
    if (!l->f->stored[i]) continue;
    type_shape_text(&l->g->node[i].type, shape);
    text_add(&l->p->notes, "%%%d %s %s %s is stored: %s\n", i, op_name(l->g->node[i].op),
             tme_dtype_name(l->g->node[i].type.dtype), shape, l->f->stored[i]);
  }
}

static tme_status lower_all(lowering *l, error *e) {
  uint8_t *checked = mem_calloc((size_t)l->g->n + 1, 1);
  tme_status status = checked ? add_leaves(l, e) : fail_memory(e, "lower", (size_t)l->g->n);
  for (int i = 0; i < l->f->ngroups && status == TME_OK; i++) status = lower_group(l, l->f->order[i], checked, e);
  mem_free(checked);
  if (status != TME_OK) return status;
  for (int r = 0; r < l->g->nroots; r++) l->p->root_slot[r] = l->slot_of[l->g->root[r]];
  note_stored(l);
  return TME_OK;
}

/* A reshape of a value that is computed here is that value: both lie in memory row-major. What it is computed from is
 * computed in its own shape, so that, say, a transpose keeps two dimensions to be cut into tiles. */
static int without_reshapes(const graph *g, int root) {
  int i = root;
  while (g->node[i].op == OP_reshape) i = graph_in(g, i, 0);
  return op_classify(g->node[i].op) == CLASS_SOURCE ? root : i;
}

static tme_status set_roots(program *p, error *e) {
  size_t n = (size_t)p->g->nroots + 1;
  p->root_slot = mem_alloc(n * sizeof *p->root_slot);
  p->root_type = mem_alloc(n * sizeof *p->root_type);
  if (!p->root_slot || !p->root_type) return fail_memory(e, "lower", n * sizeof *p->root_type);
  for (int r = 0; r < p->g->nroots; r++) {
    p->root_type[r] = p->g->node[p->g->root[r]].type;
    p->g->root[r] = without_reshapes(p->g, p->g->root[r]);
  }
  return TME_OK;
}

/* The graph that is fused. */
static graph *prepare(const graph *region, const lower_target *t, error *e) {
  graph *decomposed = pass_decompose(region, NULL, e),
        *split = decomposed && t->split ? t->split(decomposed, e) : decomposed;
  graph *simple = split ? pass_simplify(split, e) : NULL;
  if (split != decomposed) graph_free(split);
  graph_free(decomposed);
  if (!simple || !graph_has(simple, OP_barrier)) return simple;
  graph *plain = pass_drop_barriers(simple, e);
  graph_free(simple);
  return plain;
}

program *program_lower(const graph *region, const lower_target *t, error *e) {
  program *p = mem_calloc(1, sizeof *p);
  if (!p) {
    fail_memory(e, "lower", sizeof *p);
    return NULL;
  }
  p->g = prepare(region, t, e);
  tme_status status = p->g ? set_roots(p, e) : TME_ERR_JIT;
  fusion *f = status == TME_OK ? fuse(p->g, t, e) : NULL;
  if (f) {
    lowering l = {.g = p->g, .f = f, .p = p, .t = t};
    size_t n = (size_t)p->g->n + 1;
    l.slot_of = mem_alloc(n * sizeof *l.slot_of);
    l.node = mem_alloc(n * sizeof *l.node);
    l.place = mem_alloc(n * sizeof *l.place);
    if (l.slot_of && l.node && l.place) {
      for (int i = 0; i < p->g->n; i++) l.slot_of[i] = l.place[i] = -1;
      status = lower_all(&l, e);
    } else {
      status = fail_memory(e, "lower", (size_t)p->g->n * sizeof(int));
    }
    mem_free(l.slot_of);
    mem_free(l.node);
    mem_free(l.place);
  }
  if (!f || status != TME_OK) {
    program_free(p);
    p = NULL;
  }
  fusion_free(f);
  return p;
}

void program_free(program *p) {
  if (!p) return;
  for (int i = 0; i < p->nsteps; i++) {
    kernel_free(p->steps[i].kernel);
    mem_free(p->steps[i].bind);
    mem_free(p->steps[i].args);
    mem_free(p->steps[i].in);
  }
  mem_free(p->steps);
  mem_free(p->slots);
  mem_free(p->root_slot);
  mem_free(p->root_type);
  graph_free(p->g);
  text_free(&p->notes);
  mem_free(p);
}
