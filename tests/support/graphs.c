/* Random programs: making, building, comparing, shrinking. */
#include "support/graphs.h"
#include "array/call.h"
#include "run/function.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a value: elements, rank; the rank is not TME_MAX_RANK, which is to change no program. */
enum { LARGEST = 6000, DEEPEST = 8 };

typedef struct maker {
  random_graph *g;
  graph_kind kind;
  tme_dtype dtype;
  uint64_t state;
  tme_scope *s;
  tme_array *v[GRAPH_NODES];
  int64_t dims[3];
} maker;

static int below(maker *m, int n) { return (int)(next_random(&m->state) % (uint64_t)n); }

/* ---- leaves ------------------------------------------------------------------------------------------------------------ */

static tme_dtype leaf_dtype(maker *m) {
  static const tme_dtype any[] = {TME_F32, TME_F32, TME_F64, TME_I32, TME_I64, TME_U8, TME_BOOL, TME_C64, TME_F32};
  static const tme_dtype ints[] = {TME_I32, TME_I64, TME_U8, TME_I8, TME_U32, TME_BOOL, TME_U64, TME_I16};
  if (m->kind == GRAPH_SMOOTH) return m->dtype;
  return m->kind == GRAPH_INTS ? ints[below(m, COUNT(ints))] : any[below(m, COUNT(any))];
}

static tme_array *wrap(tme_scope *s, const operand *o) {
  return tme_wrap(s, o->dtype, o->rank, o->shape, o->strides, o->data, NULL, NULL);
}

static int add_leaf(maker *m, const operand *o) {
  random_graph *g = m->g;
  graph_node *n = &g->node[g->n];
  *n = (graph_node){.leaf = true, .c = {.nin = 1, .in = {*o}}};
  operand_make(&n->c.in[0], next_random(&m->state), 0);
  m->v[g->n] = wrap(m->s, &n->c.in[0]);
  return m->v[g->n] ? g->n++ : -1;
}

static void random_leaf(maker *m) {
  /* shapes that broadcast with each other, and multiply */
  static const int shapes[][3] = {{-1, -1, -1}, {2, -1, -1}, {1, 2, -1}, {0, 1, 2},
                                  {3, 2, -1},   {1, 3, -1},  {2, 2, -1}, {0, 2, 2}};
  operand o = {.dtype = leaf_dtype(m), .lo = -2, .hi = 2, .layout = (layout)below(m, LAYOUT_COUNT)};
  const int *shape = shapes[below(m, COUNT(shapes))];
  for (int d = 0; d < 3 && shape[d] >= 0; d++) o.shape[o.rank++] = shape[d] == 3 ? 1 : m->dims[shape[d]];
  if (dtype_is_int(o.dtype)) o.hi = 20, o.lo = -20;
  add_leaf(m, &o);
}

/* ---- calls -------------------------------------------------------------------------------------------------------------- */

/* Rows that are newer than the programs: only GRAPH_EVERY draws them, so that versions with and without them draw the same
 * programs of the kinds that are compared between versions. */
static bool is_new(int op) { return op == OP_divmod || op == OP_modf || op == OP_fraction; }
enum { NEW_ROWS = 3 };

static int before_by_name(const void *a, const void *b) {
  bool x = is_new(*(const int *)a), y = is_new(*(const int *)b);
  if (x != y) return x - y;
  return strcmp(op_name(*(const int *)a), op_name(*(const int *)b));
}

/* The k-th operation by name, new rows last: the same programs, wherever a row stands in the table. */
static int op_by_name(int k) {
  static int order[OP_PUBLIC_COUNT];
  static bool sorted;
  for (int i = 0; i < OP_PUBLIC_COUNT && !sorted; i++) order[i] = i;
  if (!sorted) qsort(order, OP_PUBLIC_COUNT, sizeof *order, before_by_name);
  sorted = true;
  return order[k];
}

static bool smooth(int op) {
  static const int ops[] = {OP_add,          OP_subtract,
                            OP_multiply,     OP_negative,
                            OP_square,       OP_maximum,
                            OP_tanh,         OP_sigmoid,
                            OP_erf,          OP_sin,
                            OP_cos,          OP_softplus,
                            OP_gelu,         OP_silu,
                            OP_relu,         OP_mean,
                            OP_sum,          OP_softmax,
                            OP_logsumexp,    OP_rms_norm,
                            OP_matmul,       OP_max,
                            OP_reshape,      OP_slice,
                            OP_transpose,    OP_expand_dims,
                            OP_flip,         OP_pad,
                            OP_concatenate,  OP_stack,
                            OP_broadcast_to, OP_atan,
                            OP_where,        OP_scaled_dot_product_attention};
  for (int i = 0; i < COUNT(ops); i++)
    if (ops[i] == op) return true;
  return false;
}

/* Whether some operand is to be indices of what is no "x" along axis 0: cells have such. */
static bool has_other_indices(int op) {
  const op_def *d = op_get(op);
  for (int i = 0; i < d->nparams; i++) {
    const char *name = d->params[i].name;
    if (strstr(name, "_indices") || !strcmp(name, "targets") || !strcmp(name, "sorter")) return true;
  }
  return d->family == FAMILY_moe_mix;
}

/* Whether values may be refused, as quantiles beyond 1 are. */
static bool looks_at_values(int op) {
  op_family f = op_get(op)->family;
  return f == FAMILY_quantile || f == FAMILY_histogram || op == OP_digitize || op == OP_bincount;
}

static bool wanted(const maker *m, int op) {
  const op_def *d = op_get(op);
  /* Bits of what is rounded elsewhere have no bounds. */
  if (op_is_conditioned(op) || op == OP_view) return false;
  if (m->kind == GRAPH_EVERY) return true;
  if (d->outputs != 1 || op_has_identities(op) || d->family == FAMILY_create || looks_at_values(op)) return false;
  return m->kind != GRAPH_SMOOTH || smooth(op);
}

static void random_shape(maker *m, cell *c, const char *name, const tme_array *x) {
  int64_t v[TME_MAX_RANK], size = tme_array_size(x);
  int rank = tme_array_rank(x), n = 0;
  if (!strcmp(op_name(c->op), "broadcast_to")) {
    v[n++] = 1 + below(m, 3);
    for (int d = 0; d < rank && n < DEEPEST; d++) v[n++] = tme_array_shape(x)[d];
  } else if (!strcmp(op_name(c->op), "transpose")) {
    for (n = 0; n < rank; n++) v[n] = n;
    for (int d = rank - 1; d > 0; d--) {
      int e = below(m, d + 1);
      int64_t t = v[d];
      v[d] = v[e];
      v[e] = t;
    }
  } else {
    int64_t factor = 1 + below(m, 6);
    if (factor > 1 && size % factor == 0) v[n++] = factor;
    v[n++] = -1;
  }
  cell_ints(c, name, n, v);
}

static void random_perdim(maker *m, cell *c, const op_param *p, const tme_array *x) {
  int64_t v[TME_MAX_RANK];
  for (int d = 0; d < tme_array_rank(x); d++) {
    int64_t n = tme_array_shape(x)[d];
    if (c->op == OP_pad)
      v[d] = below(m, 3);
    else if (!strcmp(p->name, "step"))
      v[d] = (int64_t[]){1, 1, 2, -1, -2}[below(m, 5)];
    else
      v[d] = below(m, 2) ? TME_NONE : below(m, (int)n + 1) - (below(m, 2) ? n : 0);
  }
  cell_ints(c, p->name, tme_array_rank(x), v);
}

static void random_axes(maker *m, cell *c, const op_param *p, const tme_array *x) {
  int64_t v[TME_MAX_RANK];
  int n = 0;
  if (!tme_array_rank(x) || !below(m, 3)) return;
  for (int d = 0; d < tme_array_rank(x); d++)
    if (below(m, 2)) v[n++] = d;
  if (n) cell_ints(c, p->name, n, v);
}

static int pick_source(maker *m) {
  /* recent nodes more often: chains */
  int n = m->g->n, k = below(m, n);
  return below(m, 2) ? k : n - 1 - below(m, n < 4 ? n : 4);
}

/* Indices must be in range: they are of axis 0. */
static bool takes_indices(const op_def *d) {
  for (int i = 0; i < d->nparams; i++)
    if (!strcmp(d->params[i].name, "indices")) return true;
  return false;
}

static int pick_indices(maker *m, const tme_array *x) {
  if (!tme_array_rank(x) || !tme_array_shape(x)[0]) return -1;
  operand o = {.dtype = TME_I64, .rank = 1, .shape = {1 + below(m, 9)}, .fill = FILL_INDEX};
  o.hi = (double)tme_array_shape(x)[0];
  o.lo = -o.hi;
  return add_leaf(m, &o);
}

static bool set_array(maker *m, graph_node *n, const op_param *p) {
  int src = !strcmp(p->name, "indices") ? pick_indices(m, m->v[n->src[0]]) : pick_source(m);
  if (src < 0) return false;
  n->src[n->c.nin] = src;
  cell_in(&n->c, p->name, tme_array_dtype(m->v[src]), tme_array_rank(m->v[src]), tme_array_shape(m->v[src]));
  return true;
}

static bool fill_call(maker *m, graph_node *n) {
  cell *c = &n->c;
  const op_def *d = op_get(c->op);
  for (int i = 0; i < d->nparams; i++) {
    const op_param *p = &d->params[i];
    const tme_array *x = c->nin ? m->v[n->src[0]] : NULL;
    switch (p->kind) {
    case PARAM_ARRAY:
      if (!set_array(m, n, p)) return false;
      break;
    case PARAM_OPTIONAL_ARRAY:
      if (!below(m, 3) && !set_array(m, n, p)) return false;
      break;
    case PARAM_ARRAYS:
      for (int k = 0; k < 2; k++)
        if (!set_array(m, n, p)) return false;
      break;
    case PARAM_AXIS:
    case PARAM_OPTIONAL_AXIS: cell_int(c, p->name, takes_indices(d) ? 0 : below(m, 4) - 2); break;
    case PARAM_AXES: random_axes(m, c, p, x); break;
    case PARAM_INTS: random_shape(m, c, p->name, x); break;
    case PARAM_PERDIM: random_perdim(m, c, p, x); break;
    case PARAM_BOOL: cell_int(c, p->name, below(m, 2)); break;
    case PARAM_DTYPE: /* whole numbers of rounded means may differ by 1 */
      if (c->op != OP_mean) cell_int(c, p->name, leaf_dtype(m));
      break;
    case PARAM_INT: /* a result whose size depends on values is none of a graph's */
      if (!strcmp(p->name, "size")) cell_int(c, p->name, below(m, 9));
      break;
    case PARAM_FLOAT:
    case PARAM_NUMBER:
    case PARAM_TEXT:
    case PARAM_CHOICE: break;
    }
  }
  return true;
}

static bool fits(const maker *m, tme_array *y) {
  tme_dtype t = tme_array_dtype(y);
  if (tme_array_size(y) > LARGEST || tme_array_rank(y) > DEEPEST) return false;
  if (m->kind == GRAPH_SMOOTH) return t == m->dtype;
  return m->kind != GRAPH_INTS || t == TME_BOOL || dtype_is_int(t);
}

/* A node that can stand for the operand, or -1. */
static int pick_like(maker *m, const operand *o) {
  int n = m->g->n, first = n ? below(m, n) : 0;
  for (int k = 0; k < n; k++) {
    const tme_array *x = m->v[(first + k) % n];
    if (tme_array_dtype(x) == o->dtype && tme_array_rank(x) == o->rank &&
        !memcmp(tme_array_shape(x), o->shape, sizeof *o->shape * (size_t)o->rank))
      return (first + k) % n;
  }
  return -1;
}

/* A call as the matrix has it: of nodes where some have the operands' types, else of leaves. */
static bool draw_call(maker *m, graph_node *n) {
  if (!matrix_draw(n->c.op, next_random(&m->state), &n->c)) return false;
  for (int k = 0; k < n->c.nin; k++)
    if (operand_size(&n->c.in[k]) > LARGEST) return false;
  for (int k = 0; k < n->c.nin; k++) {
    operand *o = &n->c.in[k];
    bool own = o->fill == FILL_INDEX || op_has_domain(n->c.op) || !below(m, 4);
    n->src[k] = own ? -1 : pick_like(m, o);
    if (n->src[k] < 0 && m->g->n < GRAPH_NODES - 1) n->src[k] = add_leaf(m, o);
    if (n->src[k] < 0) return false;
  }
  return true;
}

static bool try_call(maker *m) {
  graph_node made = {0};
  int op = op_by_name(below(m, m->kind == GRAPH_EVERY ? OP_PUBLIC_COUNT : OP_PUBLIC_COUNT - NEW_ROWS)),
      before = m->g->n;
  tme_array *in[CELL_INPUTS] = {NULL}, *out[OP_MAX_OUTPUTS];
  if (!wanted(m, op)) return false;
  cell_init(&made.c, op, true);
  /* Without a key each engine draws other numbers; cells have one. */
  bool cells_alone = op_get(op)->key >= 0 || has_other_indices(op);
  if (cells_alone && m->kind != GRAPH_EVERY) return false;
  cells_alone |= op_has_domain(op) || op_get(op)->family == FAMILY_create;
  bool drawn = m->kind == GRAPH_EVERY && (cells_alone || below(m, 2));
  bool good = drawn ? draw_call(m, &made) : fill_call(m, &made);
  for (int k = 0; k < made.c.nin; k++) in[k] = m->v[made.src[k]];
  good = good && m->g->n < GRAPH_NODES && cell_apply(m->s, &made.c, in, out) == TME_OK && fits(m, out[0]);
  tme_clear_error(m->s);
  if (!good) {
    while (m->g->n > before) operand_free(&m->g->node[--m->g->n].c.in[0]);
    return false;
  }
  m->g->node[m->g->n] = made;
  m->v[m->g->n++] = out[0];
  return true;
}

void graph_make(random_graph *g, uint64_t seed, graph_kind kind, tme_dtype t, tme_engine *scratch) {
  maker m = {.g = g, .kind = kind, .dtype = t, .state = seed, .s = tme_scope_new(scratch)};
  /* The generator adds a constant to its state and mixes it: states that are near would give each other's numbers. */
  m.state = next_random(&m.state) * 0xd1342543de82ef95u;
  memset(g, 0, sizeof *g);
  for (int d = 0; d < 3; d++) m.dims[d] = 1 + below(&m, d == 0 ? 4 : 18);
  int leaves = 2 + below(&m, 4), calls = 5 + below(&m, 36);
  for (int i = 0; i < leaves; i++) random_leaf(&m);
  for (int i = 0, tries = 0; i < calls && tries < 4000 && g->n < GRAPH_NODES - 2; tries++) i += try_call(&m);
  for (int i = 0; i < g->n; i++) g->node[i].root = !g->node[i].leaf && (i == g->n - 1 || !below(&m, 6));
  tme_scope_free(m.s);
}

void graph_release(random_graph *g) {
  for (int i = 0; i < g->n; i++)
    if (g->node[i].leaf) operand_free(&g->node[i].c.in[0]);
  g->n = 0;
}

void graph_print_nodes(const random_graph *g) {
  char call[400];
  for (int i = 0; i < g->n; i++) {
    const graph_node *n = &g->node[i];
    if (n->leaf) {
      const operand *o = &n->c.in[0];
      op_type t = {.dtype = o->dtype, .rank = o->rank};
      memcpy(t.shape, o->shape, sizeof t.shape);
      char shape[SHAPE_TEXT];
      type_shape_text(&t, shape);
      printf("  %%%d = leaf %s %s layout %d\n", i, tme_dtype_name(o->dtype), shape, (int)o->layout);
      continue;
    }
    cell_text(&n->c, call, sizeof call);
    printf("  %%%d = %s of", i, call);
    for (int k = 0; k < n->c.nin; k++) printf(" %%%d", n->src[k]);
    printf("%s\n", n->root ? "  (root)" : "");
  }
}

/* ---- which programs ------------------------------------------------------------------------------------------------------ */

graph_turns graph_turns_of(int count) {
  const char *only = getenv("TME_RANDOM_SEED"), *seconds = getenv("TME_RANDOM_SECONDS");
  if (only && *only) return (graph_turns){.seed = strtoull(only, NULL, 10), .left = 1};
  graph_turns t = {.seed = matrix_seed() % 1000000000, .left = count};
  if (seconds && *seconds) t.until = now_ms() + 1e3 * atof(seconds);
  return t;
}

bool graph_next(graph_turns *t, uint64_t *seed) {
  bool more = t->until > 0 ? now_ms() < t->until : t->left-- > 0;
  *seed = t->seed++;
  return more;
}

/* ---- evaluation ---------------------------------------------------------------------------------------------------------- */

/* Which sign a computed NaN has is not promised: negations and the order of operands are the code generator's choice.
 * Programs ask for the signs of numbers alone. */
static void read_signs_of_numbers(tme_scope *s, int op, tme_array **in) {
  tme_array **x = op == OP_signbit ? &in[0] : op == OP_copysign ? &in[1] : NULL;
  if (x && dtype_is_float(tme_array_dtype(*x)))
    *x = tme_where(s, tme_isnan(s, *x), tme_full(s, NULL, 0, 1, tme_array_dtype(*x)), *x);
}

static tme_array *leaf_value(tme_scope *s, const operand *o, bool wide) {
  tme_array *v = wrap(s, o);
  return wide && dtype_is_float(o->dtype) ? tme_astype(s, v, TME_F64) : v;
}

bool graph_apply(tme_scope *s, const graph_node *n, tme_array *const *in, tme_array **out) {
  tme_array *x[CELL_INPUTS] = {NULL};
  for (int k = 0; k < n->c.nin; k++) x[k] = in[k];
  read_signs_of_numbers(s, n->c.op, x);
  return cell_apply(s, &n->c, x, out) == TME_OK;
}

static tme_array *call_value(tme_scope *s, const graph_node *n, tme_array **v) {
  tme_array *in[CELL_INPUTS], *out[OP_MAX_OUTPUTS] = {NULL};
  for (int k = 0; k < n->c.nin; k++) in[k] = v[n->src[k]];
  return graph_apply(s, n, in, out) ? out[0] : NULL;
}

bool graph_build(const random_graph *g, tme_scope *s, bool each, bool wide, tme_array **v) {
  for (int i = 0; i < g->n; i++) {
    const graph_node *n = &g->node[i];
    v[i] = n->leaf ? leaf_value(s, &n->c.in[0], wide) : call_value(s, n, v);
    if (!v[i] || (each && tme_eval(s, v[i]) != TME_OK)) return false;
  }
  return true;
}

/* Nodes [from, to) over `v`, some of them behind barriers. */
static bool build_some(const random_graph *g, int from, int to, tme_scope *s, uint64_t *state, tme_array **v) {
  for (int i = from; i < to; i++) {
    const graph_node *n = &g->node[i];
    v[i] = n->leaf ? leaf_value(s, &n->c.in[0], false) : call_value(s, n, v);
    if (v[i] && next_random(state) % 4 == 0) v[i] = array_barrier(s, v[i]);
    if (!v[i]) return false;
  }
  return true;
}

/* What a function of nodes [from, to) is made of: what it is given, and what it gives. */
typedef struct range {
  int nin, nout, in[GRAPH_NODES], out[GRAPH_NODES];
  tme_array *inputs[GRAPH_NODES], *given[GRAPH_NODES], *outputs[GRAPH_NODES], *got[GRAPH_NODES];
} range;

/* The same nodes as a call of a function; leaves among them are what it takes in. */
static bool call_some(const random_graph *g, int from, int to, tme_scope *s, uint64_t *state, tme_array **v) {
  range r = {0};
  tme_array *body[GRAPH_NODES] = {NULL};
  for (int i = from; i < to; i++)
    for (int k = 0; !g->node[i].leaf && k < g->node[i].c.nin; k++) {
      int x = g->node[i].src[k];
      if (x >= from || body[x]) continue;
      body[x] = tme_input(s, tme_array_dtype(v[x]), tme_array_rank(v[x]), tme_array_shape(v[x]));
      r.inputs[r.nin] = body[x];
      r.given[r.nin++] = v[x];
    }
  if (!build_some(g, from, to, s, state, body)) return false;
  for (int i = from; i < to; i++) {
    v[i] = body[i];
    if (array_buffer(body[i])) continue; /* leaves and views of them */
    r.out[r.nout] = i;
    r.outputs[r.nout++] = body[i];
  }
  if (!r.nout) return true;
  tme_function *f = tme_compile(s, r.inputs, r.nin, r.outputs, r.nout);
  bool good = f && function_apply(s, f, r.given, r.nin, r.got) == TME_OK;
  for (int k = 0; k < r.nout && good; k++) v[r.out[k]] = r.got[k];
  tme_function_free(f);
  return good;
}

bool graph_build_called(const random_graph *g, tme_scope *s, uint64_t seed, tme_array **v) {
  for (int from = 0, to; from < g->n; from = to) {
    to = from + 1 + (int)(next_random(&seed) % 6);
    if (to > g->n) to = g->n;
    if (!(next_random(&seed) % 2 ? call_some : build_some)(g, from, to, s, &seed, v)) return false;
  }
  return true;
}

bool graph_build_noisy(const random_graph *g, tme_scope *s, double noise, uint64_t seed, tme_array **v) {
  for (int i = 0; i < g->n; i++) {
    const graph_node *n = &g->node[i];
    v[i] = n->leaf ? leaf_value(s, &n->c.in[0], true) : call_value(s, n, v);
    double one = 1 + (next_random(&seed) & 1 ? noise : -noise);
    if (v[i] && !n->leaf && dtype_is_float(tme_array_dtype(v[i]))) v[i] = tme_multiply(s, v[i], tme_number(s, one));
    if (!v[i]) return false;
  }
  return true;
}

bool graph_eval_roots(const random_graph *g, tme_scope *s, tme_array **v) {
  tme_array *roots[GRAPH_NODES];
  int n = 0;
  for (int i = 0; i < g->n; i++)
    if (g->node[i].root) roots[n++] = v[i];
  return tme_eval_all(s, roots, n) == TME_OK;
}

static bool same_element(tme_dtype t, const char *a, const char *b) {
  if (!memcmp(a, b, tme_dtype_size(t))) return true;
  if (!dtype_is_float(dtype_real(t))) return false;
  double x[2], y[2];
  element_value(t, a, x);
  element_value(t, b, y);
  bool same = true;
  for (int p = 0; p < 2; p++) same &= (isnan(x[p]) && isnan(y[p])) || (x[p] == y[p] && signbit(x[p]) == signbit(y[p]));
  return same;
}

int graph_differs(const random_graph *g, tme_scope *a, tme_array **va, tme_scope *b, tme_array **vb) {
  for (int i = 0; i < g->n; i++) {
    if (!g->node[i].root) continue;
    tme_dtype t = tme_array_dtype(va[i]);
    size_t size = tme_dtype_size(t);
    const char *x = tme_data(a, va[i]), *y = tme_data(b, vb[i]);
    for (int64_t k = 0; k < tme_array_size(va[i]); k++)
      if (!same_element(t, x + (size_t)k * size, y + (size_t)k * size)) return i;
  }
  return -1;
}

/* ---- shrinking ------------------------------------------------------------------------------------------------------------- */

/* Without the nodes that no root needs; they keep their numbers' order. */
static void drop_unneeded(random_graph *g) {
  bool needed[GRAPH_NODES] = {false};
  int moved[GRAPH_NODES], n = 0;
  for (int i = g->n - 1; i >= 0; i--) {
    needed[i] |= g->node[i].root;
    for (int k = 0; needed[i] && !g->node[i].leaf && k < g->node[i].c.nin; k++) needed[g->node[i].src[k]] = true;
  }
  for (int i = 0; i < g->n; i++) {
    if (!needed[i]) {
      if (g->node[i].leaf) operand_free(&g->node[i].c.in[0]);
      continue;
    }
    for (int k = 0; !g->node[i].leaf && k < g->node[i].c.nin; k++) g->node[i].src[k] = moved[g->node[i].src[k]];
    moved[i] = n;
    g->node[n++] = g->node[i];
  }
  g->n = n;
}

/* The node as a leaf with the value it has on engine e. */
static bool cut(random_graph *g, int i, tme_engine *e) {
  tme_array *v[GRAPH_NODES];
  tme_scope *s = tme_scope_new(e);
  bool good = graph_build(g, s, false, false, v);
  const char *data = good ? tme_data(s, v[i]) : NULL;
  if (data) {
    graph_node leaf = {.leaf = true, .c = {.nin = 1}};
    leaf.c.in[0] = (operand){.dtype = tme_array_dtype(v[i]), .rank = tme_array_rank(v[i]), .hi = 1};
    memcpy(leaf.c.in[0].shape, tme_array_shape(v[i]), sizeof(int64_t) * (size_t)tme_array_rank(v[i]));
    operand_copy(&leaf.c.in[0], data);
    g->node[i] = leaf;
  }
  tme_scope_free(s);
  return data != NULL;
}

void graph_shrink(random_graph *g, tme_engine *e, graph_check *fails, void *user) {
  for (int i = 0; i < g->n; i++) {
    /* one root alone, if that is enough */
    if (!g->node[i].root) continue;
    random_graph one = *g;
    for (int k = 0; k < one.n; k++) one.node[k].root = k == i;
    if (!fails(&one, user)) continue;
    *g = one;
    break;
  }
  drop_unneeded(g);
  for (int i = 0; i < g->n; i++) {
    if (g->node[i].leaf || g->node[i].root) continue;
    random_graph less = *g;
    if (!cut(&less, i, e)) continue;
    if (!fails(&less, user)) {
      operand_free(&less.node[i].c.in[0]);
      continue;
    }
    *g = less;
    drop_unneeded(g);
    i = -1;
  }
}
