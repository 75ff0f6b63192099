/* stage(n) = max over its inputs of stage(input) + (another backend does the input). Between two nodes of one stage and
 * one backend there is no way through another backend, so these nodes form a convex region, and the largest such. */
#include "run/partition.h"
#include "base/buckets.h"
#include "base/grow.h"
#include <string.h>

typedef struct cutter {
  const graph *g;
  const backend_list *backends;
  partition *out;
  int *stage;
  int *choice;  /* the backend that does it */
  int *user;    /* the region that this node was copied to last, for `copy` */
  int *copy;    /* its number there */
  bool *wanted; /* its value leaves its region */
} cutter;

static bool is_source(const g_node *n) { return n->op == OP_leaf || n->op == OP_literal || n->op == OP_iota; }

/* Computed where its operand is. */
static bool goes_along(const g_node *n) { return n->op == OP_pick || n->op == OP_barrier; }

/* The first backend, from the one on that is asked for, that supports the node; the last one, which does, is not asked. */
static int first_choice(cutter *c, int i) {
  int device = graph_get(c->g, i)->device, k = device ? device - 1 : 0;
  for (; k < c->backends->n - 1; k++) {
    backend *b = c->backends->at[k];
    const char **reason = &c->out->reason[i * c->backends->n + k];
    *reason = b->supports(b, c->g, i);
    if (!*reason) break;
  }
  return k;
}

bool region_fits(const graph *g, backend *b) {
  for (int i = 0; i < g->n; i++) {
    const g_node *n = graph_get(g, i);
    if (!is_source(n) && !goes_along(n) && b->supports(b, g, i)) return false;
  }
  return true;
}

static void choose(cutter *c) {
  for (int i = 0; i < c->g->n; i++) {
    const g_node *n = graph_get(c->g, i);
    if (is_source(n)) continue;
    c->choice[i] = goes_along(n) ? c->choice[graph_in(c->g, i, 0)] : first_choice(c, i);
    for (int k = 0; k < n->nin; k++) {
      int x = graph_in(c->g, i, k);
      if (x < 0 || is_source(graph_get(c->g, x))) continue;
      int s = c->stage[x] + (c->choice[x] != c->choice[i]);
      if (s > c->stage[i]) c->stage[i] = s;
    }
  }
}

/* Numbers the regions by stage, those of the preferred backends first. */
static bool number(cutter *c) {
  int stages = 0, backends = c->backends->n;
  for (int i = 0; i < c->g->n; i++)
    if (c->stage[i] >= stages) stages = c->stage[i] + 1;
  int *of = mem_calloc((size_t)stages, (size_t)backends * sizeof *of);
  if (!of) return false;
  for (int i = 0; i < c->g->n; i++)
    if (!is_source(graph_get(c->g, i))) of[backends * c->stage[i] + c->choice[i]] = 1;
  for (int k = 0; k < backends * stages; k++) of[k] = of[k] ? c->out->n++ : -1;
  for (int i = 0; i < c->g->n; i++)
    c->out->of[i] = is_source(graph_get(c->g, i)) ? -1 : of[backends * c->stage[i] + c->choice[i]];
  mem_free(of);
  c->out->region = mem_calloc((size_t)c->out->n, sizeof *c->out->region);
  if (!c->out->region) return false;
  for (int i = 0; i < c->g->n; i++) {
    if (c->out->of[i] < 0) continue;
    region *r = &c->out->region[c->out->of[i]];
    r->backend = c->choice[i];
    r->stage = c->stage[i];
  }
  return true;
}

/* Which values leave their regions. */
static void find_roots(cutter *c) {
  for (int i = 0; i < c->g->n; i++)
    for (int k = 0; k < graph_get(c->g, i)->nin; k++) {
      int x = graph_in(c->g, i, k);
      if (x >= 0 && c->out->of[x] >= 0 && c->out->of[x] != c->out->of[i]) c->wanted[x] = true;
    }
  for (int r = 0; r < c->g->nroots; r++) c->wanted[c->g->root[r]] = true;
  for (int i = 0; i < c->g->n; i++)
    if (c->wanted[i] && c->out->of[i] >= 0) c->out->region[c->out->of[i]].nroots++;
}

static bool append(int **list, int n, int *cap, int v) {
  if (!grow(list, cap, n + 1, sizeof **list)) return false;
  (*list)[n] = v;
  return true;
}

/* A value from outside region number `k`, as a node of it; -1 on failure. */
static int copy_source(cutter *c, int k, int x) {
  region *r = &c->out->region[k];
  const g_node *n = graph_get(c->g, x);
  if (c->user[x] == k) return c->copy[x];
  int id = -1;
  if (n->op == OP_iota || (n->op == OP_literal && n->leaf < 0)) {
    id = graph_copy(r->graph, n, NULL, NULL);
  } else if (n->op == OP_literal) {
    if (append(&r->arg, r->nargs, &r->cap_arg, n->leaf)) id = graph_literal_arg(r->graph, n->type.dtype, r->nargs++);
  } else {
    /* What another region computes arrives row-major. */
    int64_t row_major[TME_MAX_RANK];
    type_strides(&n->type, row_major);
    if (append(&r->leaf, r->nleaves, &r->cap_leaf, x))
      id = graph_leaf(r->graph, &n->type, n->op == OP_leaf ? graph_strides(c->g, x) : row_major, r->nleaves++);
  }
  c->user[x] = k;
  c->copy[x] = id;
  return id;
}

static bool copy_node(cutter *c, int i) {
  const g_node *n = graph_get(c->g, i);
  int k = c->out->of[i], few[8];
  region *r = &c->out->region[k];
  int *in = n->nin <= COUNT(few) ? few : mem_calloc((size_t)n->nin, sizeof *in);
  bool ok = in != NULL;
  for (int j = 0; ok && j < n->nin; j++) {
    int x = graph_in(c->g, i, j);
    in[j] = x < 0 ? -1 : c->out->of[x] == k ? c->copy[x] : copy_source(c, k, x);
    ok = x < 0 || in[j] >= 0;
  }
  if (ok) {
    /* A node is copied once to its own region, and as a leaf to those of its users. */
    c->copy[i] = graph_copy_node(r->graph, c->g, i, in);
    c->user[i] = k;
    ok = c->copy[i] >= 0;
  }
  if (in != few) mem_free(in);
  if (ok && c->wanted[i]) {
    r->graph->root[r->nroots] = c->copy[i];
    r->root[r->nroots++] = i;
  }
  return ok;
}

/* Region after region, since `copy` holds one number per node. */
static bool build(cutter *c) {
  for (int k = 0; k < c->out->n; k++) {
    region *r = &c->out->region[k];
    r->graph = graph_new(r->nroots);
    r->root = mem_calloc((size_t)r->nroots, sizeof *r->root);
    if (!r->graph || !r->root) return false;
    r->graph->default_float = c->g->default_float;
    r->nroots = 0;
  }
  buckets nodes;
  bool ok = buckets_make(&nodes, c->out->of, c->g->n, c->out->n);
  for (int i = 0; ok && i < nodes.first[c->out->n]; i++) ok = copy_node(c, nodes.item[i]);
  buckets_free(&nodes);
  return ok;
}

tme_status partition_make(const graph *g, const backend_list *backends, partition *out, error *e) {
  size_t n = (size_t)g->n;
  *out = (partition){.of = mem_calloc(n, sizeof *out->of),
                     .reason = mem_calloc(n, (size_t)backends->n * sizeof *out->reason)};
  cutter c = {.g = g,
              .backends = backends,
              .out = out,
              .stage = mem_calloc(n, sizeof *c.stage),
              .choice = mem_calloc(n, sizeof *c.choice),
              .user = mem_calloc(n, sizeof *c.user),
              .copy = mem_calloc(n, sizeof *c.copy),
              .wanted = mem_calloc(n, sizeof *c.wanted)};
  bool ok = out->of && out->reason && c.stage && c.choice && c.user && c.copy && c.wanted;
  if (ok) {
    memset(c.user, 0xff, n * sizeof *c.user);
    choose(&c);
    ok = number(&c);
  }
  if (ok) {
    find_roots(&c);
    ok = build(&c);
  }
  mem_free(c.stage);
  mem_free(c.choice);
  mem_free(c.user);
  mem_free(c.copy);
  mem_free(c.wanted);
  if (ok) return TME_OK;
  partition_free(out);
  return fail_memory(e, "plan", n * sizeof(g_node));
}

void partition_free(partition *p) {
  for (int k = 0; k < p->n && p->region; k++) {
    graph_free(p->region[k].graph);
    mem_free(p->region[k].leaf);
    mem_free(p->region[k].arg);
    mem_free(p->region[k].root);
  }
  mem_free(p->region);
  mem_free(p->of);
  mem_free(p->reason);
  *p = (partition){0};
}
