/* Fusion works on whole groups. A product or a reduction starts a group; what follows it element by element, as long as
 * its other operands can be computed before the group, joins. What no group holds is inlined into its readers, unless
 * it is asked for, or too dear to compute more than once: then it is a map of its own. */
#include "compile/fuse.h"
#include <string.h>

/* A kernel with more values than this would take long to compile and gain nothing. */
#define MAX_INLINED 192
/* Values up to this cost are computed again by every reader rather than stored: a load costs about as much. */
#define CHEAP 3

typedef struct fuser {
  const graph *g;
  fusion *f;
  uint8_t *down;  /* scratch: nodes that depend on the group being made */
  int *users_of;  /* consumers of node i: users[users_of[i] ... users_of[i + 1]] */
  int *users;
  uint8_t *is_root;
} fuser;

node_class node_classify(int op) {
  switch (op) {
  case OP_leaf:
  case OP_literal:
  case OP_iota:
    return CLASS_SOURCE;
  case OP_pick:
    return CLASS_PICK;
  case OP_astype:
    return CLASS_MAP;
  case OP_reshape:
  case OP_transpose:
  case OP_slice:
  case OP_broadcast_to:
  case OP_pad:
  case OP_concatenate:
    return CLASS_VIEW;
  case OP_take:
    return CLASS_TAKE;
  case OP_matmul:
    return CLASS_MATMUL;
  case OP_scaled_dot_product_attention:
    return CLASS_ATTENTION;
  case OP_svd:
  case OP_svdvals:
    return CLASS_LIBRARY;
  default:
    break;
  }
  if (op < OP_PUBLIC_COUNT) {
    op_family family = op_get(op)->family;
    if (family == FAMILY_elementwise)
      return CLASS_MAP;
    if (family == FAMILY_reduce)
      return CLASS_REDUCE;
  }
  return CLASS_COMPOSITE;
}

static const g_node *at(const fuser *u, int i) { return &u->g->node[i]; }

static void store(fuser *u, int i, const char *why) {
  if (at(u, i)->op != OP_leaf && !u->f->stored[i])
    u->f->stored[i] = why;
}

static int group_add(fuser *u, group_kind kind, int seed, const op_type *full, uint32_t axes) {
  fusion *f = u->f;
  if (f->ngroups == f->cap_groups) {
    int cap = f->cap_groups ? 2 * f->cap_groups : 16;
    group *p = mem_realloc(f->groups, (size_t)cap * sizeof *p);
    if (!p)
      return -1;
    f->groups = p;
    f->cap_groups = cap;
  }
  f->groups[f->ngroups] = (group){kind, seed, *full, axes};
  f->group_of[seed] = f->ngroups;
  return f->ngroups++;
}

/* ---- where a member's dimensions lie -------------------------------------------------------------------------------- */

/* Gives `n`, an elementwise node or a view, its place in group `gr` from the places of its inputs that are members.
 * False if some input lies across: an element of `n` would need another row than its own. */
static bool place(const fuser *u, int gr, int n, dim_map *out) {
  const group *G = &u->f->groups[gr];
  const g_node *node = at(u, n);
  node_class c = node_classify(node->op);
  memset(out->map, -1, sizeof out->map);
  for (int k = 0; k < node->nin; k++) {
    int i = graph_in(u->g, n, k);
    if (i < 0 || u->f->group_of[i] != gr)
      continue;
    const op_type *t = &at(u, i)->type;
    const dim_map *m = &u->f->maps[i];
    if (c == CLASS_VIEW && node->op == OP_reshape) {
      /* only extents of 1 may come and go */
      int d = 0;
      for (int s = 0; s < t->rank; s++) {
        if (t->shape[s] == 1)
          continue;
        while (d < node->type.rank && node->type.shape[d] == 1)
          d++;
        if (d == node->type.rank || node->type.shape[d] != t->shape[s])
          return false;
        out->map[d++] = m->map[s];
      }
    } else {
      int shift = node->type.rank - t->rank;
      for (int s = 0; s < t->rank; s++) {
        if (t->shape[s] == 1)
          continue;
        if (out->map[s + shift] >= 0 && out->map[s + shift] != m->map[s])
          return false;
        out->map[s + shift] = m->map[s];
      }
    }
  }
  /* The element of n at the group's point (p, r) must be one of its own: n has the full space, or rows alone. */
  bool full = node->type.rank == G->full.rank, rows = true;
  for (int d = 0; d < node->type.rank && full; d++)
    full = node->type.shape[d] == G->full.shape[d] && (out->map[d] < 0 || out->map[d] == d);
  if (full) {
    for (int d = 0; d < node->type.rank; d++)
      out->map[d] = node->type.shape[d] == 1 ? -1 : (int8_t)d;
    return true;
  }
  if (G->kind != GROUP_ROWS)
    return false;
  uint32_t seen = 0;
  for (int d = 0; d < node->type.rank; d++) {
    if (node->type.shape[d] == 1)
      continue;
    if (out->map[d] < 0 || (G->axes >> out->map[d] & 1))
      rows = false;
    else
      seen |= 1u << out->map[d];
  }
  for (int d = 0; d < G->full.rank; d++)
    if (G->full.shape[d] != 1 && !(G->axes >> d & 1) && !(seen >> d & 1))
      rows = false;
  return rows;
}

/* A reduction's result: its kept dimensions in order. */
static void place_reduction(const fuser *u, int gr, int n, dim_map *out) {
  const group *G = &u->f->groups[gr];
  const op_type *t = &at(u, n)->type;
  memset(out->map, -1, sizeof out->map);
  bool keep = t->rank == G->full.rank;
  for (int s = 0, d = 0; s < G->full.rank; s++) {
    bool reduced = G->axes >> s & 1;
    if (reduced && !keep)
      continue;
    if (!reduced && G->full.shape[s] != 1)
      out->map[d] = (int8_t)s;
    d++;
  }
}

/* ---- groups that follow a seed ------------------------------------------------------------------------------------- */

/* Marks all that depends on members of group `gr`, other groups counted as a whole: a group that loads one of its values
 * runs after it, with everything it makes. */
static void mark_down(fuser *u, int gr) {
  const fusion *f = u->f;
  int n = u->g->n, first = f->groups[gr].seed;
  memset(u->down, 0, (size_t)n);
  for (bool changed = true; changed;) {
    changed = false;
    for (int i = 0; i < n; i++) {
      bool d = f->group_of[i] == gr;
      for (int k = 0; k < at(u, i)->nin && !d; k++) {
        int j = graph_in(u->g, i, k);
        d = j >= 0 && u->down[j];
      }
      if (!d || u->down[i])
        continue;
      u->down[i] = 1;
      int other = f->group_of[i];
      if (other < 0 || other == gr)
        continue;
      for (int j = f->groups[other].seed; j < n; j++)
        if (f->group_of[j] == other && !u->down[j]) {
          u->down[j] = 1;
          changed |= j < i;
        }
      changed |= f->groups[other].seed < first;
    }
  }
}

/* All operands of n are members of `gr` or can be computed before it. */
static bool ready(const fuser *u, int gr, int n) {
  for (int k = 0; k < at(u, n)->nin; k++) {
    int i = graph_in(u->g, n, k);
    if (i >= 0 && u->down[i] && u->f->group_of[i] != gr)
      return false;
  }
  return true;
}

/* Bytes of the numbers a sum is made in; 0 for reductions whose order does not matter. Groups have one such size, as the
 * order of a sum must not depend on what is computed beside it. */
static size_t sum_bytes(const g_node *n) {
  if (n->op != OP_sum && n->op != OP_prod)
    return 0;
  tme_dtype r = dtype_real(n->type.dtype);
  return dtype_is_float(r) ? (r == TME_F64 ? 8 : 4) : 0;
}

static bool joins_as_reduction(const fuser *u, int gr, int n) {
  const group *G = &u->f->groups[gr];
  const g_node *node = at(u, n);
  int x = graph_in(u->g, n, 0);
  if (G->kind != GROUP_ROWS || !type_same_shape(&at(u, x)->type, &G->full) || graph_attrs(u->g, n)->axes != G->axes)
    return false;
  for (int i = G->seed; i < n; i++)
    if (u->f->group_of[i] == gr && node_classify(at(u, i)->op) == CLASS_REDUCE && sum_bytes(at(u, i)) &&
        sum_bytes(node) && sum_bytes(at(u, i)) != sum_bytes(node))
      return false;
  if (u->f->group_of[x] == gr) /* it must lie in the full space itself, not be a row that is spread over it */
    return true;
  for (int i = G->seed; i < n; i++) /* beside a reduction of the same values */
    if (u->f->group_of[i] == gr && node_classify(at(u, i)->op) == CLASS_REDUCE && graph_in(u->g, i, 0) == x)
      return !u->down[n];
  return u->down[n] && ready(u, gr, n);
}

/* Lets everything join that follows the group's seed element by element. */
static void grow(fuser *u, int gr) {
  fusion *f = u->f;
  int members = 1, seed = f->groups[gr].seed;
  mark_down(u, gr);
  for (int i = seed + 1; i < u->g->n && members < MAX_INLINED; i++) {
    node_class c = node_classify(at(u, i)->op);
    if (f->group_of[i] >= 0 || !ready(u, gr, i))
      continue;
    if (c == CLASS_REDUCE) {
      if (!joins_as_reduction(u, gr, i))
        continue;
      bool below = u->down[i];
      f->group_of[i] = gr;
      place_reduction(u, gr, i, &f->maps[i]);
      if (!below) { /* a sibling: what follows it counts as well, and nothing that was taken may depend on it */
        mark_down(u, gr);
        bool sound = true;
        for (int j = seed; j <= i && sound; j++)
          sound = f->group_of[j] != gr || ready(u, gr, j);
        if (!sound) {
          f->group_of[i] = -1;
          mark_down(u, gr);
          continue;
        }
      }
    } else {
      bool view = c == CLASS_VIEW && (at(u, i)->op == OP_reshape || at(u, i)->op == OP_broadcast_to) &&
                  f->groups[gr].kind == GROUP_ROWS;
      if ((c != CLASS_MAP && !view) || !u->down[i] || !place(u, gr, i, &f->maps[i]))
        continue;
      f->group_of[i] = gr;
    }
    members++;
  }
}

/* ---- what is stored ------------------------------------------------------------------------------------------------- */

/* The node below a chain of views that move elements without guards. */
static int view_base(const fuser *u, int i) {
  while (node_classify(at(u, i)->op) == CLASS_VIEW && at(u, i)->op != OP_pad && at(u, i)->op != OP_concatenate)
    i = graph_in(u->g, i, 0);
  return i;
}

static void store_operand(fuser *u, int i, const char *why) {
  if (i < 0)
    return;
  int b = view_base(u, i);
  if (at(u, b)->op != OP_literal && at(u, b)->op != OP_iota)
    store(u, b, why);
}

static void store_what_must_be(fuser *u) {
  const graph *g = u->g;
  for (int r = 0; r < g->nroots; r++)
    store(u, g->root[r], "asked for");
  for (int i = 0; i < g->n; i++) {
    const g_node *n = at(u, i);
    switch (node_classify(n->op)) {
    case CLASS_MATMUL:
      store_operand(u, graph_in(g, i, 0), "operand of matmul");
      store_operand(u, graph_in(g, i, 1), "operand of matmul");
      break;
    case CLASS_ATTENTION:
      for (int k = 0; k < n->nin; k++)
        store_operand(u, graph_in(g, i, k), "operand of attention");
      store(u, i, "attention ends a kernel");
      break;
    case CLASS_TAKE:
      for (int k = 0; k < 2; k++)
        if (node_classify(at(u, graph_in(g, i, k))->op) != CLASS_SOURCE || at(u, graph_in(g, i, k))->op != OP_leaf)
          store(u, graph_in(g, i, k), "gathered from");
      break;
    case CLASS_LIBRARY:
      store(u, graph_in(g, i, 0), "operand of a library call");
      store(u, i, "made by a library call");
      break;
    case CLASS_PICK:
      store(u, i, "made by a library call");
      break;
    default:
      break;
    }
  }
}

/* How dear a value is to compute again, its inlined operands included. */
static int own_cost(int op) {
  switch (node_classify(op)) {
  case CLASS_SOURCE:
  case CLASS_VIEW:
    return 0;
  case CLASS_MAP:
    return op < OP_PUBLIC_COUNT && op_get(op)->ulp > 0 ? 8 : 1;
  default:
    return 1000;
  }
}

enum { NOBODY = -1, SEVERAL = -2 };

/* From the last node to the first: a value with several readers in different kernels is stored unless it is cheap. */
static bool store_shared(fuser *u) {
  const graph *g = u->g;
  fusion *f = u->f;
  int *cost = mem_calloc((size_t)g->n + 1, sizeof *cost), *reader = mem_calloc((size_t)g->n + 1, sizeof *reader);
  int *load = mem_calloc((size_t)g->n + 1, sizeof *load); /* values inlined into a kernel, by the kernel's last node */
  bool ok = cost && reader && load;
  for (int i = 0; i < g->n && ok; i++) {
    cost[i] = own_cost(at(u, i)->op);
    for (int k = 0; k < at(u, i)->nin; k++) {
      int j = graph_in(g, i, k);
      if (j >= 0 && !f->stored[j])
        cost[i] = cost[i] + cost[j] > 1000 ? 1000 : cost[i] + cost[j];
    }
  }
  for (int i = g->n - 1; i >= 0 && ok; i--) {
    node_class c = node_classify(at(u, i)->op);
    int mine = f->group_of[i];
    /* A kernel is named by its group, or by the node that it stores. */
    int kernel_of_users = NOBODY;
    for (int k = u->users_of[i]; k < u->users_of[i + 1]; k++) {
      int r = reader[u->users[k]];
      kernel_of_users = kernel_of_users == NOBODY || kernel_of_users == r ? r : SEVERAL;
    }
    if (mine >= 0) {
      reader[i] = g->n + mine;
      if (kernel_of_users != NOBODY && kernel_of_users != g->n + mine)
        store(u, i, "read by another kernel");
      continue;
    }
    if (!f->stored[i] && c != CLASS_SOURCE) {
      if (kernel_of_users == SEVERAL && cost[i] > CHEAP)
        store(u, i, "used by several kernels");
      else if (kernel_of_users >= 0 && kernel_of_users < g->n && ++load[kernel_of_users] > MAX_INLINED)
        store(u, i, "the kernel is full");
    }
    if (f->stored[i]) {
      reader[i] = i;
      group_kind kind = c == CLASS_LIBRARY || c == CLASS_PICK ? GROUP_LIBRARY
                        : c == CLASS_ATTENTION              ? GROUP_ATTENTION
                                                            : GROUP_MAP;
      ok = c == CLASS_PICK || group_add(u, kind, i, &at(u, i)->type, 0) >= 0;
      for (int d = 0; d < TME_MAX_RANK; d++)
        f->maps[i].map[d] = d < at(u, i)->type.rank && at(u, i)->type.shape[d] != 1 ? (int8_t)d : -1;
    } else {
      reader[i] = kernel_of_users;
    }
  }
  mem_free(cost);
  mem_free(reader);
  mem_free(load);
  return ok;
}

/* ---- the order of the groups ----------------------------------------------------------------------------------------- */

typedef struct sorter {
  fuser *u;
  uint8_t *state; /* per group: 0 new, 1 open, 2 placed */
  uint8_t *seen;  /* per node, while one group is looked at */
  int *stack;     /* nodes */
  int placed;
} sorter;

/* Depth first through what the groups load. Recursion is as deep as the groups are chained. */
static void place_group(sorter *s, int gr) {
  const fuser *u = s->u;
  const fusion *f = u->f;
  s->state[gr] = 1;
  int n = u->g->n;
  int *todo = mem_alloc((size_t)n * sizeof *todo);
  uint8_t *seen = mem_calloc((size_t)n, 1);
  int top = 0;
  if (todo && seen) {
    for (int i = 0; i < n; i++)
      if (f->group_of[i] == gr) {
        seen[i] = 1;
        todo[top++] = i;
      }
    while (top) {
      int i = todo[--top];
      for (int k = 0; k < at(u, i)->nin; k++) {
        int j = graph_in(u->g, i, k);
        if (j < 0 || seen[j])
          continue;
        seen[j] = 1;
        int other = f->group_of[j];
        if (other < 0)
          todo[top++] = j;
        else if (other != gr && s->state[other] == 0)
          place_group(s, other);
      }
    }
    s->state[gr] = 2;
    f->order[s->placed++] = gr;
  }
  mem_free(todo);
  mem_free(seen);
}

static bool sort_groups(fuser *u) {
  fusion *f = u->f;
  sorter s = {.u = u};
  f->order = mem_alloc(((size_t)f->ngroups + 1) * sizeof *f->order);
  s.state = mem_calloc((size_t)f->ngroups + 1, 1);
  if (f->order && s.state)
    for (int i = 0; i < f->ngroups; i++)
      if (!s.state[i])
        place_group(&s, i);
  bool ok = f->order && s.state && s.placed == f->ngroups;
  mem_free(s.state);
  return ok;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

static bool index_users(fuser *u) {
  const graph *g = u->g;
  for (int i = 0; i < g->n; i++)
    for (int k = 0; k < at(u, i)->nin; k++)
      if (graph_in(g, i, k) >= 0)
        u->users_of[graph_in(g, i, k) + 1]++;
  for (int i = 0; i < g->n; i++)
    u->users_of[i + 1] += u->users_of[i];
  u->users = mem_alloc(((size_t)u->users_of[g->n] + 1) * sizeof *u->users);
  int *next = mem_alloc(((size_t)g->n + 1) * sizeof *next);
  if (u->users && next) {
    memcpy(next, u->users_of, (size_t)g->n * sizeof *next);
    for (int i = 0; i < g->n; i++)
      for (int k = 0; k < at(u, i)->nin; k++)
        if (graph_in(g, i, k) >= 0)
          u->users[next[graph_in(g, i, k)]++] = i;
  }
  bool ok = u->users && next;
  mem_free(next);
  return ok;
}

static bool make_groups(fuser *u) {
  const graph *g = u->g;
  for (int i = 0; i < g->n; i++) {
    node_class c = node_classify(at(u, i)->op);
    if (u->f->group_of[i] >= 0 || (c != CLASS_MATMUL && c != CLASS_REDUCE))
      continue;
    const op_type *full = c == CLASS_MATMUL ? &at(u, i)->type : &at(u, graph_in(g, i, 0))->type;
    uint32_t axes = c == CLASS_MATMUL ? 0 : graph_attrs(g, i)->axes;
    int gr = group_add(u, c == CLASS_MATMUL ? GROUP_MATMUL : GROUP_ROWS, i, full, axes);
    if (gr < 0)
      return false;
    if (c == CLASS_REDUCE)
      place_reduction(u, gr, i, &u->f->maps[i]);
    else
      for (int d = 0; d < TME_MAX_RANK; d++)
        u->f->maps[i].map[d] = d < full->rank && full->shape[d] != 1 ? (int8_t)d : -1;
    grow(u, gr);
  }
  return true;
}

fusion *fuse(const graph *g, error *e) {
  size_t n = (size_t)g->n;
  fusion *f = mem_calloc(1, sizeof *f);
  fuser u = {.g = g, .f = f};
  bool ok = f != NULL;
  if (ok) {
    f->n = g->n;
    f->group_of = mem_alloc((n + 1) * sizeof *f->group_of);
    f->maps = mem_calloc(n + 1, sizeof *f->maps);
    f->stored = mem_calloc(n + 1, sizeof *f->stored);
    u.down = mem_calloc(n + 1, 1);
    u.users_of = mem_calloc(n + 1, sizeof *u.users_of);
    ok = f->group_of && f->maps && f->stored && u.down && u.users_of;
  }
  if (ok) {
    for (size_t i = 0; i < n; i++)
      f->group_of[i] = -1;
    store_what_must_be(&u);
    ok = index_users(&u) && make_groups(&u) && store_shared(&u) && sort_groups(&u);
  }
  mem_free(u.down);
  mem_free(u.users_of);
  mem_free(u.users);
  if (ok)
    return f;
  fusion_free(f);
  fail_memory(e, "fuse", n * 64);
  return NULL;
}

void fusion_free(fusion *f) {
  if (!f)
    return;
  mem_free(f->groups);
  mem_free(f->order);
  mem_free(f->group_of);
  mem_free(f->maps);
  mem_free(f->stored);
  mem_free(f);
}
