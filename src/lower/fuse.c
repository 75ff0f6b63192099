/* Fusion works on whole groups. A product or a reduction starts a group; what follows it element by element, as long as
 * its other operands can be computed before the group, joins. What no group holds is inlined into its readers, unless
 * it is asked for, or too expensive to compute more than once: then it is a map of its own. */
#include "base/grow.h"
#include "lower/depends.h"
#include "lower/fuse_size.h"
#include <string.h>

enum {
  /* Instructions of a kernel: what is larger would take long to compile and gain nothing. The code of passes over rows
   * and of tiles is unrolled. */
  MOST_OF_MAP = 2048,
  MOST_OF_ROWS = 768,
  MOST_OF_TILE = 512,
  MOST_ARRAYS = 48,    /* arrays and literals that one kernel reads, about */
  MOST_REDUCTIONS = 16 /* of one group */
};
/* Values up to this cost and size are computed again by every reader rather than stored: a load costs about as much. */
#define CHEAP 3
#define SMALL 64

typedef struct fuser {
  const graph *g;
  const lower_target *t;
  fusion *f;
  fuse_size size;
  int *counted;  /* per node: the kernel that counted it last among the arrays it reads, or -1 */
  depends after; /* what depends on the group being made */
  int *asked;    /* nodes that may join it: a heap, the first one on top; */
  int nasked;
  int *asked_by; /* per node: the group that asked it last, or -1 */
} fuser;

static const g_node *at(const fuser *u, int i) { return &u->g->node[i]; }

static void store(fuser *u, int i, const char *why) {
  if (at(u, i)->op != OP_leaf && !u->f->stored[i]) u->f->stored[i] = why;
}

static void add_member(fuser *u, int gr, int i) {
  group *G = &u->f->groups[gr];
  G->member[G->nmembers++] = i;
  u->f->group_of[i] = gr;
}

/* Members are added to the last group alone: its table begins where that of the group before it ends. */
static int group_add(fuser *u, group_kind kind, int seed, const op_type *full, uint32_t axes) {
  fusion *f = u->f;
  if (!grow(&f->groups, &f->cap_groups, f->ngroups + 1, sizeof *f->groups)) return -1;
  const group *before = f->ngroups ? &f->groups[f->ngroups - 1] : NULL;
  int *member = before ? before->member + before->nmembers : f->members;
  f->groups[f->ngroups] = (group){kind, seed, *full, axes, member, 0};
  add_member(u, f->ngroups, seed);
  return f->ngroups++;
}

/* ---- where a member's dimensions lie ----------------------------------------------------------------------------- */

/* Gives `n`, an elementwise node or a view, its place in group `gr` from the places of its inputs that are members.
 * False if some input lies across: an element of `n` would need another row than its own. */
static bool place(const fuser *u, int gr, int n, dim_map *out) {
  const group *G = &u->f->groups[gr];
  const g_node *node = at(u, n);
  op_class c = op_classify(node->op);
  memset(out->map, -1, sizeof out->map);
  for (int k = 0; k < node->nin; k++) {
    int i = graph_in(u->g, n, k);
    if (i < 0 || u->f->group_of[i] != gr) continue;
    const op_type *t = &at(u, i)->type;
    const dim_map *m = &u->f->maps[i];
    if (c == CLASS_VIEW && node->op == OP_reshape) {
      /* only extents of 1 may come and go */
      int d = 0;
      for (int s = 0; s < t->rank; s++) {
        if (t->shape[s] == 1) continue;
        while (d < node->type.rank && node->type.shape[d] == 1) d++;
        if (d == node->type.rank || node->type.shape[d] != t->shape[s]) return false;
        out->map[d++] = m->map[s];
      }
    } else {
      int shift = node->type.rank - t->rank;
      for (int s = 0; s < t->rank; s++) {
        if (t->shape[s] == 1) continue;
        if (out->map[s + shift] >= 0 && out->map[s + shift] != m->map[s]) return false;
        out->map[s + shift] = m->map[s];
      }
    }
  }
  /* The element of n at the group's point (p, r) must be one of its own: n has the full space, or rows alone. */
  bool full = node->type.rank == G->full.rank, rows = true;
  for (int d = 0; d < node->type.rank && full; d++)
    full = node->type.shape[d] == G->full.shape[d] && (out->map[d] < 0 || out->map[d] == d);
  if (full) {
    for (int d = 0; d < node->type.rank; d++) out->map[d] = node->type.shape[d] == 1 ? -1 : (int8_t)d;
    return true;
  }
  if (G->kind != GROUP_ROWS) return false;
  uint32_t seen = 0;
  for (int d = 0; d < node->type.rank; d++) {
    if (node->type.shape[d] == 1) continue;
    /* two dimensions of one origin: every row meets every other one */
    if (out->map[d] < 0 || ((G->axes | seen) >> out->map[d] & 1))
      rows = false;
    else
      seen |= 1u << out->map[d];
  }
  for (int d = 0; d < G->full.rank; d++)
    if (G->full.shape[d] != 1 && !(G->axes >> d & 1) && !(seen >> d & 1)) rows = false;
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
    if (reduced && !keep) continue;
    if (!reduced && G->full.shape[s] != 1) out->map[d] = (int8_t)s;
    d++;
  }
}

/* ---- how large kernels get --------------------------------------------------------------------------------------- */

/* Arrays that kernel `kernel` may come to read because it reads node i: the node itself if it gets stored, or what the
 * node is computed from. */
static int arrays_of(const fuser *u, int i) {
  int n = u->f->stored[i] || at(u, i)->op == OP_leaf ? 1 : u->size.arrays[i];
  return n <= FEW_ARRAYS ? n : 1;
}

/* The same for all operands of n that the kernel did not count before and that are not members of group gr. */
static int new_arrays(fuser *u, int kernel, int gr, int n, bool count) {
  int sum = 0;
  for (int k = 0; k < at(u, n)->nin; k++) {
    int i = graph_in(u->g, n, k);
    if (i < 0 || u->counted[i] == kernel || (gr >= 0 && u->f->group_of[i] == gr)) continue;
    sum += arrays_of(u, i);
    if (count) u->counted[i] = kernel;
  }
  return sum;
}

static int most_of(group_kind kind) {
  return kind == GROUP_MATMUL ? MOST_OF_TILE : kind == GROUP_ROWS ? MOST_OF_ROWS : MOST_OF_MAP;
}

/* ---- groups that follow a seed ----------------------------------------------------------------------------------- */

/* All operands of n are members of `gr` or can be computed before it. */
static bool ready(fuser *u, int gr, int n) {
  for (int k = 0; k < at(u, n)->nin; k++) {
    int i = graph_in(u->g, n, k);
    if (i >= 0 && u->f->group_of[i] != gr && depends_on(&u->after, i)) return false;
  }
  return true;
}

/* Bytes of the numbers a sum is made in; 0 for reductions whose order does not matter. Groups have one such size, as
 * the order of a sum must not depend on what is computed beside it. */
static size_t sum_bytes(const g_node *n) {
  if (n->op != OP_sum && n->op != OP_prod) return 0;
  tme_dtype r = dtype_real(n->type.dtype);
  return dtype_is_float(r) ? tme_dtype_size(dtype_held(r)) : 0;
}

/* A reduction that is ready joins those of the same rows; `below`: it reads a member. */
static bool joins_as_reduction(const fuser *u, int gr, int n, bool *below) {
  const group *G = &u->f->groups[gr];
  const g_node *node = at(u, n);
  int x = graph_in(u->g, n, 0);
  if (G->kind != GROUP_ROWS || !type_same_shape(&at(u, x)->type, &G->full) ||
      graph_attrs(u->g, n)->reduce.axes.mask != G->axes)
    return false;
  bool beside = false; /* a reduction of the same values */
  for (int k = 0; k < G->nmembers; k++) {
    int i = G->member[k];
    if (op_classify(at(u, i)->op) != CLASS_REDUCE) continue;
    if (sum_bytes(at(u, i)) && sum_bytes(node) && sum_bytes(at(u, i)) != sum_bytes(node)) return false;
    beside |= graph_in(u->g, i, 0) == x;
  }
  *below = u->f->group_of[x] == gr; /* x lies in the full space itself, it is no row that is spread over it */
  return *below || beside;
}

/* Nodes that may join are looked at once, in order. */
static void ask(fuser *u, int gr, int i) {
  if (u->f->group_of[i] >= 0 || u->asked_by[i] == gr) return;
  u->asked_by[i] = gr;
  int k = u->nasked++;
  for (; k && u->asked[(k - 1) / 2] > i; k = (k - 1) / 2) u->asked[k] = u->asked[(k - 1) / 2];
  u->asked[k] = i;
}

static int next_asked(fuser *u) {
  int first = u->asked[0], last = u->asked[--u->nasked], k = 0;
  for (int down; (down = 2 * k + 1) < u->nasked; k = down) {
    down += down + 1 < u->nasked && u->asked[down + 1] < u->asked[down];
    if (u->asked[down] >= last) break;
    u->asked[k] = u->asked[down];
  }
  u->asked[k] = last;
  return first;
}

/* Who reads a member may join; and who reduces what a member does. */
static void ask_beside(fuser *u, int gr, int member) {
  const fusion *f = u->f;
  for (int k = f->users_of[member]; k < f->users_of[member + 1]; k++) ask(u, gr, f->users[k]);
  if (op_classify(at(u, member)->op) != CLASS_REDUCE) return;
  int x = graph_in(u->g, member, 0);
  for (int k = f->users_of[x]; k < f->users_of[x + 1]; k++)
    if (f->users[k] > member && op_classify(at(u, f->users[k])->op) == CLASS_REDUCE) ask(u, gr, f->users[k]);
}

/* Nothing that was taken depends on the last member, a reduction beside others; else it leaves the group. */
static bool is_sound(fuser *u, int gr) {
  group *G = &u->f->groups[gr];
  bool sound = true;
  depends_start(&u->after, gr);
  for (int k = 0; k < G->nmembers && sound; k++) sound = ready(u, gr, G->member[k]);
  if (sound) return true;
  u->f->group_of[G->member[--G->nmembers]] = -1;
  depends_start(&u->after, gr);
  return false;
}

/* Lets everything join that follows the group's seed element by element. */
static void grow_group(fuser *u, int gr) {
  fusion *f = u->f;
  int seed = f->groups[gr].seed, kernel = u->g->n + gr, most = most_of(f->groups[gr].kind), reductions = 1;
  int size = u->size.own[seed], arrays = new_arrays(u, kernel, gr, seed, true);
  depends_start(&u->after, gr);
  ask_beside(u, gr, seed);
  while (u->nasked) {
    int i = next_asked(u);
    op_class c = op_classify(at(u, i)->op);
    bool read = f->users_of[i + 1] > f->users_of[i]; /* the reshapes of results are not */
    if ((!read && !f->stored[i]) || size + u->size.own[i] > most ||
        arrays + new_arrays(u, kernel, gr, i, false) + (f->stored[i] != NULL) > MOST_ARRAYS || !ready(u, gr, i))
      continue;
    if (c == CLASS_REDUCE) {
      bool below;
      if (reductions == MOST_REDUCTIONS || !joins_as_reduction(u, gr, i, &below)) continue;
      add_member(u, gr, i);
      place_reduction(u, gr, i, &f->maps[i]);
      if (!below && !is_sound(u, gr)) continue;
      reductions++;
    } else {
      bool view = c == CLASS_VIEW && (at(u, i)->op == OP_reshape || at(u, i)->op == OP_broadcast_to) &&
                  f->groups[gr].kind == GROUP_ROWS;
      if ((c != CLASS_MAP && !view) || !place(u, gr, i, &f->maps[i])) continue;
      add_member(u, gr, i);
    }
    size += u->size.own[i];
    arrays += new_arrays(u, kernel, gr, i, true) + (f->stored[i] != NULL);
    ask_beside(u, gr, i);
  }
  depends_end(&u->after);
}

/* ---- what is stored ---------------------------------------------------------------------------------------------- */

/* The node below a chain of views that move elements without guards. */
static int view_base(const fuser *u, int i) {
  while (op_classify(at(u, i)->op) == CLASS_VIEW && at(u, i)->op != OP_pad && at(u, i)->op != OP_concatenate)
    i = graph_in(u->g, i, 0);
  return i;
}

static void store_operand(fuser *u, int i, const char *why) {
  if (i < 0) return;
  int b = view_base(u, i);
  if (at(u, b)->op != OP_literal && at(u, b)->op != OP_iota) store(u, b, why);
}

static void store_what_must_be(fuser *u) {
  const graph *g = u->g;
  for (int r = 0; r < g->nroots; r++) store(u, g->root[r], "asked for");
  for (int i = 0; i < g->n; i++) {
    const g_node *n = at(u, i);
    switch (op_classify(n->op)) {
    case CLASS_MATMUL: {
      int operands[2];
      u->t->product_operands(u->t, g, i, operands);
      for (int k = 0; k < 2; k++) store_operand(u, operands[k], "operand of matmul");
      break;
    }
    case CLASS_ATTENTION:
      for (int k = 0; k < n->nin; k++) store_operand(u, graph_in(g, i, k), "operand of attention");
      store(u, i, "attention ends a kernel");
      break;
    case CLASS_TAKE:
      for (int k = 0; k < 2; k++) {
        int op = at(u, graph_in(g, i, k))->op;
        bool counts = k == 0 && op == OP_iota && at(u, graph_in(g, i, k))->type.rank == 1; /* the index is the value */
        if (op != OP_leaf && !counts) store(u, graph_in(g, i, k), "gathered from");
      }
      break;
    case CLASS_LIBRARY:
      for (int k = 0; k < n->nin; k++)
        if (graph_in(g, i, k) >= 0) store(u, graph_in(g, i, k), "operand of a library call");
      store(u, i, "made by a library call");
      break;
    case CLASS_PICK: store(u, i, "made by a library call"); break;
    default: break;
    }
  }
}

/* How expensive a value is to compute again, its inlined operands included. */
static int own_cost(int op) {
  switch (op_classify(op)) {
  case CLASS_SOURCE:
  case CLASS_VIEW: return 0;
  case CLASS_MAP: return op_is_expensive(op) ? 8 : 1;
  default: return 1000;
  }
}

enum { NOBODY = -1, SEVERAL = -2 };

/* What is known of kernels while their values are handed out: a kernel is named by its group, or by the node that it
 * stores. */
typedef struct sharing {
  int *cost;   /* per node: to compute it again */
  int *reader; /* per node: the kernel that computes it */
  int *size;   /* per kernel: instructions */
  int *arrays; /* per kernel: arrays that it reads and writes */
  index_sets indices;
} sharing;

static bool sharing_init(sharing *s, fuser *u) {
  size_t n = (size_t)u->g->n, kernels = n + (size_t)u->f->ngroups + 1;
  *s = (sharing){.cost = mem_calloc(n + 1, sizeof *s->cost), .reader = mem_calloc(n + 1, sizeof *s->reader)};
  s->size = mem_calloc(kernels, sizeof *s->size);
  s->arrays = mem_calloc(kernels, sizeof *s->arrays);
  if (!index_sets_init(&s->indices, u->g->n) || !s->cost || !s->reader || !s->size || !s->arrays) return false;
  memset(u->counted, 0xff, n * sizeof *u->counted);
  for (int i = 0; i < u->g->n; i++) {
    if (u->f->group_of[i] >= 0) s->size[n + (size_t)u->f->group_of[i]] += u->size.own[i];
    s->cost[i] = own_cost(at(u, i)->op);
    for (int k = 0; k < at(u, i)->nin; k++) {
      int j = graph_in(u->g, i, k);
      if (j >= 0 && !u->f->stored[j]) s->cost[i] = s->cost[i] + s->cost[j] > 1000 ? 1000 : s->cost[i] + s->cost[j];
    }
  }
  return true;
}

static void sharing_free(sharing *s) {
  mem_free(s->cost);
  mem_free(s->reader);
  mem_free(s->size);
  mem_free(s->arrays);
  index_sets_free(&s->indices);
}

/* Computes node i inside the kernel of its readers, if that does not grow too large. */
static void inline_in(fuser *u, sharing *s, int i, int kernel) {
  int most = kernel < u->g->n ? MOST_OF_MAP : most_of(u->f->groups[kernel - u->g->n].kind);
  int own = u->size.own[i], count = s->indices.count[i];
  int size = count > most / own ? most + 1 : own * count;
  bool few = u->size.arrays[i] <= FEW_ARRAYS; /* counted with the first value that reads it */
  /* A view of what is stored is not worth storing: loading it costs the same. */
  bool tiny = few && u->size.all[i] <= 8;
  if (!tiny && s->size[kernel] + size > most) {
    store(u, i, "the kernel is full");
  } else if (!few && s->arrays[kernel] + new_arrays(u, kernel, -1, i, false) - 1 > MOST_ARRAYS) {
    store(u, i, "the kernel reads enough arrays");
  } else {
    s->size[kernel] = size_add(s->size[kernel], size);
    if (!few) s->arrays[kernel] += new_arrays(u, kernel, -1, i, true) - 1;
  }
}

/* The kernel that reads node i, if it is one. */
static int reader_of(const fuser *u, const sharing *s, int i) {
  int kernel = NOBODY;
  for (int k = u->f->users_of[i]; k < u->f->users_of[i + 1]; k++) {
    int r = s->reader[u->f->users[k]];
    kernel = kernel == NOBODY || kernel == r ? r : SEVERAL;
  }
  return kernel;
}

/* Node i is stored by a kernel of its own. */
static bool own_kernel(fuser *u, sharing *s, int i) {
  op_class c = op_classify(at(u, i)->op);
  group_kind kind = c == CLASS_LIBRARY || c == CLASS_PICK ? GROUP_LIBRARY
                    : c == CLASS_ATTENTION                ? GROUP_ATTENTION
                                                          : GROUP_MAP;
  s->reader[i] = i;
  s->size[i] = u->size.own[i];
  s->arrays[i] = 1 + new_arrays(u, i, -1, i, true);
  for (int d = 0; d < TME_MAX_RANK; d++)
    u->f->maps[i].map[d] = d < at(u, i)->type.rank && at(u, i)->type.shape[d] != 1 ? (int8_t)d : -1;
  return c == CLASS_PICK || group_add(u, kind, i, &at(u, i)->type, 0) >= 0;
}

/* From the last node to the first: a value with several readers in different kernels is stored unless it is cheap, and
 * so is one that would make its reader's kernel too large. */
static bool store_shared(fuser *u) {
  const graph *g = u->g;
  fusion *f = u->f;
  sharing s;
  bool ok = sharing_init(&s, u);
  for (int i = g->n - 1; i >= 0 && ok; i--) {
    int kernel = reader_of(u, &s, i);
    if (f->group_of[i] >= 0) {
      int own = s.reader[i] = g->n + f->group_of[i];
      if (kernel != NOBODY && kernel != own) store(u, i, "read by another kernel");
      s.arrays[own] += new_arrays(u, own, f->group_of[i], i, true) + (f->stored[i] != NULL);
      index_sets_own(&s.indices, i);
      continue;
    }
    index_sets_inlined(&s.indices, g, i, f->users + f->users_of[i], f->users_of[i + 1] - f->users_of[i]);
    if (!f->stored[i] && op_classify(at(u, i)->op) != CLASS_SOURCE) {
      if (kernel == SEVERAL && (s.cost[i] > CHEAP || u->size.arrays[i] > FEW_ARRAYS || u->size.all[i] > SMALL))
        store(u, i, "used by several kernels");
      else if (kernel >= 0)
        inline_in(u, &s, i, kernel);
    }
    s.reader[i] = kernel;
    if (f->stored[i]) {
      ok = own_kernel(u, &s, i);
      index_sets_own(&s.indices, i);
    }
  }
  sharing_free(&s);
  return ok;
}

/* ---- the order of the groups ------------------------------------------------------------------------------------- */

/* The graph with each group as one unit: units 0 ... n - 1 are the nodes outside groups, n + g is group g. */
typedef struct units {
  int n;
  int *first; /* per unit: where the units that it needs start in `needs`, and at the end of all */
  int *needs;
  int *next; /* per unit: where the search goes on */
  int *stack;
  uint8_t *state; /* 0 new, 1 open, 2 placed */
} units;

static int unit_of(const fuser *u, int i) { return u->f->group_of[i] < 0 ? i : u->g->n + u->f->group_of[i]; }

static bool units_init(units *s, const fuser *u) {
  const graph *g = u->g;
  size_t n = (size_t)g->n + (size_t)u->f->ngroups;
  *s = (units){.n = (int)n, .first = mem_calloc(n + 2, sizeof *s->first)};
  s->needs = mem_alloc(((size_t)g->nin + 1) * sizeof *s->needs);
  s->next = mem_alloc((n + 1) * sizeof *s->next);
  s->stack = mem_alloc((n + 1) * sizeof *s->stack);
  s->state = mem_calloc(n + 1, 1);
  if (!s->first || !s->needs || !s->next || !s->stack || !s->state) return false;
  for (int i = 0; i < g->n; i++) s->first[unit_of(u, i) + 1] += at(u, i)->nin;
  for (int i = 0; i < s->n; i++) {
    s->first[i + 1] += s->first[i];
    s->next[i] = s->first[i];
  }
  for (int i = 0; i < g->n; i++)
    for (int k = 0; k < at(u, i)->nin; k++) {
      int j = graph_in(g, i, k);
      s->needs[s->next[unit_of(u, i)]++] = j < 0 ? unit_of(u, i) : unit_of(u, j);
    }
  memcpy(s->next, s->first, n * sizeof *s->next);
  return true;
}

static void units_free(units *s) {
  mem_free(s->first);
  mem_free(s->needs);
  mem_free(s->next);
  mem_free(s->stack);
  mem_free(s->state);
}

/* Depth first from one group; every group is placed behind all that it loads. False if units need each other. */
static bool place_group(units *s, fusion *f, int start, int *placed) {
  int top = 0, n = f->n;
  s->stack[top++] = start;
  s->state[start] = 1;
  while (top) {
    int unit = s->stack[top - 1];
    if (s->next[unit] == s->first[unit + 1]) {
      s->state[unit] = 2;
      if (unit >= n) f->order[(*placed)++] = unit - n;
      top--;
      continue;
    }
    int need = s->needs[s->next[unit]++];
    if (need == unit || s->state[need] == 2) continue;
    if (s->state[need] == 1) return false;
    s->state[need] = 1;
    s->stack[top++] = need;
  }
  return true;
}

static bool sort_groups(fuser *u, error *e) {
  fusion *f = u->f;
  units s;
  int placed = 0;
  f->order = mem_alloc(((size_t)f->ngroups + 1) * sizeof *f->order);
  bool ok = units_init(&s, u) && f->order, sound = ok;
  for (int i = 0; i < f->ngroups && sound; i++)
    sound = s.state[u->g->n + i] || place_group(&s, f, u->g->n + i, &placed);
  units_free(&s);
  if (ok && !sound) fail(e, TME_ERR_JIT, "fuse: two kernels need each other's values");
  return sound;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static bool index_users(fusion *f, const graph *g) {
  /* counted two places up, so that filling the lists leaves every start where it belongs */
  int *first = f->users_of = mem_calloc((size_t)g->n + 2, sizeof *first);
  f->users = mem_alloc(((size_t)g->nin + 1) * sizeof *f->users);
  if (!first || !f->users) return false;
  for (int i = 0; i < g->n; i++)
    for (int k = 0; k < g->node[i].nin; k++)
      if (graph_in(g, i, k) >= 0) first[graph_in(g, i, k) + 2]++;
  for (int i = 0; i < g->n; i++) first[i + 2] += first[i + 1];
  for (int i = 0; i < g->n; i++)
    for (int k = 0; k < g->node[i].nin; k++)
      if (graph_in(g, i, k) >= 0) f->users[first[graph_in(g, i, k) + 1]++] = i;
  return true;
}

static bool make_groups(fuser *u) {
  const graph *g = u->g;
  for (int i = 0; i < g->n; i++) {
    op_class c = op_classify(at(u, i)->op);
    if (u->f->group_of[i] >= 0 || (c != CLASS_MATMUL && c != CLASS_REDUCE)) continue;
    const op_type *full = c == CLASS_MATMUL ? &at(u, i)->type : &at(u, graph_in(g, i, 0))->type;
    uint32_t axes = c == CLASS_MATMUL ? 0 : graph_attrs(g, i)->reduce.axes.mask;
    int gr = group_add(u, c == CLASS_MATMUL ? GROUP_MATMUL : GROUP_ROWS, i, full, axes);
    if (gr < 0) return false;
    if (c == CLASS_REDUCE)
      place_reduction(u, gr, i, &u->f->maps[i]);
    else
      for (int d = 0; d < TME_MAX_RANK; d++)
        u->f->maps[i].map[d] = d < full->rank && full->shape[d] != 1 ? (int8_t)d : -1;
    grow_group(u, gr);
  }
  return true;
}

fusion *fuse(const graph *g, const lower_target *t, error *e) {
  size_t n = (size_t)g->n;
  fusion *f = mem_calloc(1, sizeof *f);
  fuser u = {.g = g, .t = t, .f = f};
  bool ok = f != NULL;
  if (ok) {
    f->n = g->n;
    f->group_of = mem_alloc((n + 1) * sizeof *f->group_of);
    f->members = mem_alloc((n + 1) * sizeof *f->members);
    f->maps = mem_calloc(n + 1, sizeof *f->maps);
    f->stored = mem_calloc(n + 1, sizeof *f->stored);
    u.counted = mem_alloc((n + 1) * sizeof *u.counted);
    u.asked = mem_alloc((n + 1) * sizeof *u.asked);
    u.asked_by = mem_alloc((n + 1) * sizeof *u.asked_by);
    ok = f->group_of && f->members && f->maps && f->stored && u.counted && u.asked && u.asked_by;
  }
  if (ok) {
    for (size_t i = 0; i < n; i++) f->group_of[i] = u.counted[i] = u.asked_by[i] = -1;
    store_what_must_be(&u);
    ok = index_users(f, g) && depends_init(&u.after, g, f) && fuse_size_init(&u.size, g, f->stored) &&
         make_groups(&u) && store_shared(&u) && sort_groups(&u, e);
  }
  fuse_size_free(&u.size);
  depends_free(&u.after);
  mem_free(u.counted);
  mem_free(u.asked);
  mem_free(u.asked_by);
  if (ok) return f;
  fusion_free(f);
  fail_memory(e, "fuse", n * 64);
  return NULL;
}

void fusion_free(fusion *f) {
  if (!f) return;
  mem_free(f->groups);
  mem_free(f->order);
  mem_free(f->group_of);
  mem_free(f->members);
  mem_free(f->users_of);
  mem_free(f->users);
  mem_free(f->maps);
  mem_free(f->stored);
  mem_free(f);
}
