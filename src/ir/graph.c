/* Building the compiler's graph, and showing it. */
#include "ir/graph.h"
#include "base/grow.h"
#include "ir/subgraph.h"
#include <stdio.h>
#include <string.h>

graph *graph_new(int nroots) {
  graph *g = mem_calloc(1, sizeof *g);
  if (!g) return NULL;
  g->root = mem_calloc((size_t)nroots, sizeof *g->root);
  if (!g->root) {
    mem_free(g);
    return NULL;
  }
  g->nroots = nroots;
  g->default_float = TME_F32;
  return g;
}

graph *graph_like(const graph *g, int nroots) {
  graph *r = graph_new(nroots);
  if (!r) return NULL;
  r->default_float = g->default_float;
  r->nleaves = g->nleaves;
  r->nargs = g->nargs;
  return r;
}

graph *graph_clone(const graph *g) {
  graph *c = graph_like(g, g->nroots);
  if (!c) return NULL;
  for (int i = 0; i < g->n; i++) graph_copy_node(c, g, i, g->in + g->node[i].first_in);
  memcpy(c->root, g->root, sizeof *g->root * (size_t)g->nroots);
  if (!c->failed && c->err.code == TME_OK) return c;
  graph_free(c);
  return NULL;
}

void graph_free(graph *g) {
  if (!g) return;
  for (int i = 0; i < g->nsub; i++) subgraph_release(g->sub[i]);
  mem_free(g->sub);
  mem_free(g->node);
  mem_free(g->in);
  mem_free(g->attrs);
  mem_free(g->more);
  mem_free(g->strides);
  mem_free(g->root);
  mem_free(g);
}

/* Room for a node with so many inputs, bytes of attributes and further outputs. */
static bool reserve(graph *g, int nin, int nattrs, int nmore) {
  bool few = nin <= INT32_MAX / 2 - g->nin && nattrs <= INT32_MAX / 2 - g->nattrs;
  bool ok = few && grow(&g->node, &g->cap, g->n + 1, sizeof *g->node) &&
            grow(&g->in, &g->cap_in, g->nin + nin, sizeof *g->in) &&
            grow(&g->attrs, &g->cap_attrs, g->nattrs + nattrs, sizeof *g->attrs) &&
            grow(&g->more, &g->cap_more, g->nmore + nmore, sizeof *g->more);
  if (!ok) g->failed = true;
  return ok;
}

/* A copy of the node; `more`: the types of its outputs after the first one. */
static int add(graph *g, const g_node *n, const int *in, const op_attrs *attrs, const op_type *more) {
  enum { ALIGNMENT = _Alignof(op_attrs) };
  g_node copy = *n;
  const op_def *d = attrs ? op_get(copy.op) : NULL;
  int bytes = d ? (int)((d->attrs_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT) : 0;
  if (g->failed || g->err.code != TME_OK || !reserve(g, copy.nin, bytes, copy.outputs - 1)) return -1;
  copy.type.weak = false;
  copy.first_in = g->nin;
  copy.attrs = -1;
  if (copy.nin) memcpy(g->in + g->nin, in, sizeof *in * (size_t)copy.nin);
  g->nin += copy.nin;
  if (d) {
    memcpy(g->attrs + g->nattrs, attrs, d->attrs_size);
    copy.attrs = g->nattrs;
    g->nattrs += bytes;
  }
  copy.more = g->nmore;
  for (int k = 1; k < copy.outputs; k++) g->more[g->nmore++] = more[k - 1];
  g->node[g->n] = copy;
  return g->n++;
}

int graph_copy(graph *g, const g_node *n, const int *in, const op_attrs *attrs) { return add(g, n, in, attrs, NULL); }

/* The index of what is called; -1 on failure. */
static int index_of(graph *g, subgraph *s) {
  for (int i = g->nsub - 1; i >= 0; i--)
    if (g->sub[i] == s) return i;
  if (!grow(&g->sub, &g->cap_sub, g->nsub + 1, sizeof *g->sub)) {
    g->failed = true;
    return -1;
  }
  g->sub[g->nsub] = subgraph_retain(s);
  return g->nsub++;
}

int graph_copy_node(graph *g, const graph *from, int i, const int *in) {
  const g_node *n = &from->node[i];
  if (n->op == OP_leaf) return graph_leaf(g, &n->type, graph_strides(from, i), n->leaf);
  if (from->node[i].op == OP_call) {
    int x = graph_call(g, from->sub[from->node[i].leaf], in, from->node[i].nin);
    if (x >= 0) graph_set_device(g, x, from->node[i].device);
    return x;
  }
  return add(g, &from->node[i], in, graph_attrs(from, i), from->more ? &from->more[from->node[i].more] : NULL);
}

int graph_leaf(graph *g, const op_type *t, const int64_t *strides, int number) {
  g_node n = {.op = OP_leaf, .outputs = 1, .type = *t, .leaf = number, .strides = g->nstrides};
  /* More than it takes, so that a graph of scalars has the table, too. */
  if (!grow(&g->strides, &g->cap_strides, g->nstrides + TME_MAX_RANK, sizeof *g->strides)) {
    g->failed = true;
    return -1;
  }
  memcpy(g->strides + g->nstrides, strides, sizeof *strides * (size_t)t->rank);
  g->nstrides += t->rank;
  int x = graph_copy(g, &n, NULL, NULL);
  if (x >= 0 && number >= g->nleaves) g->nleaves = number + 1;
  return x;
}

int graph_literal_arg(graph *g, tme_dtype t, int arg) {
  g_node n = {.op = OP_literal, .outputs = 1, .type = {.dtype = t}, .leaf = arg};
  int x = graph_copy(g, &n, NULL, NULL);
  if (x >= 0 && arg >= g->nargs) g->nargs = arg + 1;
  return x;
}

int graph_literal(graph *g, tme_dtype t, const uint64_t bits[2]) {
  g_node n = {.op = OP_literal, .outputs = 1, .type = {.dtype = t}, .leaf = -1, .bits = {bits[0], bits[1]}};
  return graph_copy(g, &n, NULL, NULL);
}

int graph_number(graph *g, tme_dtype t, double v) {
  uint64_t bits[2];
  literal_bits(t, v, bits);
  return graph_literal(g, t, bits);
}

int graph_iota(graph *g, tme_dtype t, int rank, const int64_t *shape, int axis) {
  g_node n = {.op = OP_iota, .outputs = 1, .type = {.dtype = t, .rank = rank}, .leaf = axis};
  memcpy(n.type.shape, shape, sizeof *shape * (size_t)rank);
  return graph_copy(g, &n, NULL, NULL);
}

int graph_pick(graph *g, int x, int output, const op_type *t) {
  if (x < 0) return -1;
  g_node n = {.op = OP_pick, .outputs = 1, .nin = 1, .type = *t, .leaf = output};
  return graph_copy(g, &n, &x, NULL);
}

int graph_barrier(graph *g, int x) {
  if (x < 0) return -1;
  g_node n = {.op = OP_barrier, .outputs = 1, .nin = 1, .type = g->node[x].type};
  return graph_copy(g, &n, &x, NULL);
}

int graph_call(graph *g, subgraph *s, const int *in, int nin) {
  const graph *f = subgraph_graph(s);
  if (g->failed || subgraph_check_count(s, nin, &g->err) != TME_OK ||
      subgraph_check_precision(s, g->default_float, &g->err) != TME_OK)
    return -1;
  for (int k = 0; k < nin; k++)
    if (in[k] < 0 || subgraph_check_operand(s, k, &g->node[in[k]].type, &g->err) != TME_OK) return -1;
  const op_type *out = subgraph_outputs(s);
  g_node n = {.op = OP_call, .outputs = (uint16_t)f->nroots, .nin = nin, .type = out[0], .leaf = index_of(g, s)};
  return n.leaf < 0 ? -1 : add(g, &n, in, NULL, &out[1]);
}

bool graph_has(const graph *g, int op) {
  for (int i = 0; i < g->n; i++)
    if (g->node[i].op == op) return true;
  return false;
}

/* graph_op with room for the inputs' types, their casts and the numbers of the cast inputs. */
static int apply(graph *g, int op, const int *in, int nin, const op_attrs *attrs, const op_type **types,
                 tme_dtype *cast, int *to) {
  const op_def *d = op_get(op);
  for (int i = 0; i < nin; i++) {
    bool optional = false;
    for (int p = 0; d && p < d->nparams; p++)
      optional |= d->params[p].kind == PARAM_OPTIONAL_ARRAY && d->params[p].input == i;
    if (in[i] < 0 && !optional) return -1;
    types[i] = in[i] < 0 ? NULL : &g->node[in[i]].type;
  }
  op_attrs a;
  if (attrs && d)
    attrs_copy(d, &a, attrs);
  else
    memset(&a, 0, d ? d->attrs_size : 0);
  op_type out[OP_MAX_OUTPUTS];
  op_call c = {.op = op, .nin = nin, .in = types, .attrs = &a, .default_float = g->default_float, .cast = cast};
  if (op_infer(&c, out, &g->err) != TME_OK) return -1;
  for (int i = 0; i < nin; i++) {
    to[i] = in[i] >= 0 && cast[i] != TME_DTYPE_NONE ? graph_cast(g, in[i], cast[i]) : in[i];
    if (in[i] >= 0 && to[i] < 0) return -1;
  }
  g_node n = {.op = (uint16_t)op, .outputs = (uint16_t)d->outputs, .nin = nin, .type = out[0]};
  return add(g, &n, to, d->family == FAMILY_elementwise ? NULL : &a, &out[1]);
}

int graph_op(graph *g, int op, const int *in, int nin, const op_attrs *attrs) {
  enum { FEW = 8 };
  if (g->failed || g->err.code != TME_OK) return -1;
  const op_type *few_types[FEW];
  tme_dtype few_cast[FEW];
  int few_to[FEW];
  if (nin <= FEW) return apply(g, op, in, nin, attrs, few_types, few_cast, few_to);
  const op_type **types = mem_calloc((size_t)nin, sizeof *types);
  tme_dtype *cast = mem_calloc((size_t)nin, sizeof *cast);
  int *to = mem_calloc((size_t)nin, sizeof *to);
  int x = -1;
  if (types && cast && to)
    x = apply(g, op, in, nin, attrs, types, cast, to);
  else
    g->failed = true;
  mem_free(types);
  mem_free(cast);
  mem_free(to);
  return x;
}

int graph_un(graph *g, int op, int x) { return graph_op(g, op, &x, 1, NULL); }

int graph_bin(graph *g, int op, int x, int y) {
  int in[2] = {x, y};
  return graph_op(g, op, in, 2, NULL);
}

int graph_cast(graph *g, int x, tme_dtype t) {
  if (x < 0 || g->node[x].type.dtype == t) return x;
  op_attrs a = {.cast = {t}};
  g_node n = {.op = OP_astype, .outputs = 1, .nin = 1, .type = g->node[x].type};
  n.type.dtype = t;
  return graph_copy(g, &n, &x, &a);
}

int graph_wide(graph *g, int x) {
  if (x < 0) return -1;
  tme_dtype t = g->node[x].type.dtype;
  return dtype_is_narrow(t) ? graph_cast(g, x, dtype_wide(t)) : x;
}

int graph_reduce(graph *g, int op, int x, uint32_t axes, bool keepdims) {
  op_attrs a = {.reduce = {.axes = axes_from_mask(axes), .keepdims = keepdims}};
  return graph_op(g, op, &x, 1, &a);
}

int graph_max_any(graph *g, int x, uint32_t axes) {
  op_attrs a = {.max_any = true, .reduce = {.axes = axes_from_mask(axes), .keepdims = true}};
  return graph_op(g, OP_max, &x, 1, &a);
}

int graph_centred(graph *g, int squares, int sum, int left) {
  if (squares < 0) return -1;
  tme_dtype t = g->node[squares].type.dtype;
  /* The squares of finite deviations may be infinite, and what is taken from them must not be so too: that is NaN. */
  int most = graph_number(g, t, dtype_get(t)->most);
  int lost = graph_bin(g, OP_minimum, graph_bin(g, OP_multiply, sum, left), most);
  return graph_bin(g, OP_maximum, graph_bin(g, OP_subtract, squares, lost), graph_number(g, t, 0));
}

/* reshape or broadcast_to; x itself where it has that shape already. */
static int with_shape(graph *g, int op, int x, int rank, const int64_t *shape) {
  if (x < 0) return -1;
  op_type t = {.rank = rank};
  op_attrs a = {.view = {.shape.n = rank}};
  memcpy(t.shape, shape, sizeof *shape * (size_t)rank);
  memcpy(a.view.shape.v, shape, sizeof *shape * (size_t)rank);
  return type_same_shape(&t, &g->node[x].type) ? x : graph_op(g, op, &x, 1, &a);
}

int graph_reshape(graph *g, int x, int rank, const int64_t *shape) { return with_shape(g, OP_reshape, x, rank, shape); }

int graph_broadcast(graph *g, int x, int rank, const int64_t *shape) {
  return with_shape(g, OP_broadcast_to, x, rank, shape);
}

int graph_adjoint(graph *g, int x) {
  if (x < 0) return -1;
  op_type t = g->node[x].type;
  op_attrs a = {.view = {.axes.n = t.rank}};
  for (int d = 0; d < t.rank; d++) a.view.axes.v[d] = d < t.rank - 2 ? d : 2 * t.rank - 3 - d;
  if (dtype_is_complex(t.dtype)) x = graph_un(g, OP_conj, x);
  return graph_op(g, OP_transpose, &x, 1, &a);
}

int graph_identity(graph *g, tme_dtype t, int rank, const int64_t *shape) {
  int row = graph_iota(g, TME_I64, rank, shape, rank - 2), column = graph_iota(g, TME_I64, rank, shape, rank - 1);
  return graph_cast(g, graph_bin(g, OP_equal, row, column), t);
}

int graph_part(graph *g, int x, int axis, int64_t from, int64_t to) {
  if (x < 0) return -1;
  const op_type *t = &g->node[x].type;
  op_attrs a = {.view = {.start.n = t->rank, .stop.n = t->rank, .step.n = t->rank}};
  for (int d = 0; d < t->rank; d++) {
    a.view.start.v[d] = d == axis ? from : 0;
    a.view.stop.v[d] = d == axis ? to : t->shape[d];
    a.view.step.v[d] = 1;
  }
  return to - from == t->shape[axis] ? x : graph_op(g, OP_slice, &x, 1, &a);
}

/* ---- what was written ------------------------------------------------------------------------------------------- */

static int written_of(const graph *g, const g_node *n) {
  if (n->written) return n->written - 1;
  bool number = n->op == OP_broadcast_to && n->nin && g->node[g->in[n->first_in]].op == OP_literal;
  return number ? OP_full : n->op;
}

void graph_set_device(graph *g, int first, int device) {
  for (int i = first; i < g->n && device; i++)
    if (!g->node[i].device) g->node[i].device = (uint8_t)device;
}

void graph_set_written(graph *g, int first, const graph *from, int node) {
  graph_set_device(g, first, from->node[node].device);
  int op = written_of(from, &from->node[node]);
  for (int i = first; i < g->n; i++)
    if (!g->node[i].written) g->node[i].written = (uint16_t)(1 + op);
}

const char *graph_written(const graph *g, int node) { return op_name(written_of(g, &g->node[node])); }

/* ---- for people -------------------------------------------------------------------------------------------------- */

static void add_list(text *out, const op_list *l) {
  text_add(out, "(");
  for (int i = 0; i < l->n; i++) {
    if (l->v[i] == TME_NONE)
      text_add(out, "%snone", i ? ", " : "");
    else
      text_add(out, "%s%lld", i ? ", " : "", (long long)l->v[i]);
  }
  text_add(out, ")");
}

static void add_axes(text *out, uint32_t axes) {
  const char *sep = "";
  text_add(out, "(");
  for (int d = 0; d < TME_MAX_RANK; d++) {
    if (!(axes >> d & 1)) continue;
    text_add(out, "%s%d", sep, d);
    sep = ", ";
  }
  text_add(out, ")");
}

static void add_attr(const op_param *p, const void *value, text *out) {
  char number[32];
  switch (p->kind) {
  case PARAM_ARRAY:
  case PARAM_OPTIONAL_ARRAY:
  case PARAM_ARRAYS: break;
  case PARAM_AXES: add_axes(out, ((const op_axes *)value)->mask); break;
  case PARAM_INTS:
  case PARAM_PERDIM: add_list(out, value); break;
  case PARAM_FLOAT: text_add(out, "%.17g", *(const double *)value); break;
  case PARAM_NUMBER:
    number_text(value, number);
    text_add(out, "%s", number);
    break;
  case PARAM_DTYPE: text_add(out, "%s", tme_dtype_name(*(const tme_dtype *)value)); break;
  case PARAM_BOOL: text_add(out, "%s", *(const bool *)value ? "true" : "false"); break;
  case PARAM_AXIS:
  case PARAM_OPTIONAL_AXIS:
  case PARAM_INT: text_add(out, "%lld", (long long)*(const int64_t *)value); break;
  case PARAM_TEXT: text_add(out, "'%s'", (const char *)value); break;
  case PARAM_CHOICE: {
    int length;
    const char *name = choice_name(p, *(const int *)value, &length);
    text_add(out, "%.*s", length, name);
    break;
  }
  }
}

static void add_attrs(const op_def *d, const op_attrs *a, const char *sep, text *out) {
  for (int i = 0; i < d->nparams; i++) {
    const op_param *p = &d->params[i];
    if (p->kind <= PARAM_ARRAYS) continue;
    text_add(out, "%s%s=", sep, p->name);
    add_attr(p, attrs_get(a, p), out);
  }
}

static void add_literal(const g_node *n, text *out) {
  double v[2];
  if (n->leaf >= 0) {
    text_add(out, " argument %d", n->leaf);
    return;
  }
  literal_value(n->type.dtype, n->bits, v);
  if (dtype_is_complex(n->type.dtype))
    text_add(out, " %.9g%+.9gi", v[0], v[1]);
  else if (n->type.dtype == TME_I64)
    text_add(out, " %lld", (long long)n->bits[0]);
  else if (n->type.dtype == TME_U64)
    text_add(out, " %llu", (unsigned long long)n->bits[0]);
  else
    text_add(out, " %.17g", v[0]);
}

static void add_detail(const graph *g, int i, const char *sep, const pointer_map *subs, text *out) {
  const g_node *n = &g->node[i];
  if (n->op == OP_leaf) text_add(out, " %d", n->leaf);
  if (n->op == OP_literal) add_literal(n, out);
  if (n->op == OP_iota) text_add(out, " axis %d", n->leaf);
  if (n->op == OP_pick) text_add(out, " %d", n->leaf);
  if (n->op == OP_call) text_add(out, " of graph %d", pointer_map_get(subs, g->sub[n->leaf]));
  if (n->op < OP_PUBLIC_COUNT && n->attrs >= 0) add_attrs(op_get(n->op), graph_attrs(g, i), sep, out);
}

static void print_one(const graph *g, const pointer_map *subs, text *out) {
  for (int i = 0; i < g->n; i++) {
    const g_node *n = &g->node[i];
    char shape[SHAPE_TEXT];
    type_shape_text(&n->type, shape);
    text_add(out, "%%%d = %s %s %s", i, op_name(n->op), tme_dtype_name(n->type.dtype), shape);
    add_detail(g, i, " ", subs, out);
    for (int k = 0; k < n->nin; k++) {
      if (graph_in(g, i, k) < 0)
        text_add(out, " none");
      else
        text_add(out, " %%%d", graph_in(g, i, k));
    }
    if (n->op == OP_leaf) {
      op_list strides = {.n = n->type.rank};
      memcpy(strides.v, graph_strides(g, i), sizeof *strides.v * (size_t)strides.n);
      text_add(out, " strides ");
      add_list(out, &strides);
    }
    text_add(out, "\n");
  }
  text_add(out, "roots");
  for (int r = 0; r < g->nroots; r++) text_add(out, " %%%d", g->root[r]);
  text_add(out, "\n");
}

void graph_print(const graph *g, text *out) {
  subgraph_list l;
  if (subgraph_list_make(&l, g))
    print_one(g, &l.number, out);
  else
    out->failed = true;
  for (int k = 0; k < l.n && !out->failed; k++) {
    text_add(out, "graph %d\n", k);
    print_one(subgraph_graph(l.sub[k]), &l.number, out);
  }
  subgraph_list_free(&l);
}

/* Nodes of sub-graph `k` begin with g<k>; of the whole graph (-1) with nothing. */
static void dot_one(const graph *g, int k, const pointer_map *subs, text *out) {
  char in[16] = "";
  if (k >= 0) snprintf(in, sizeof in, "g%d", k);
  for (int i = 0; i < g->n; i++) {
    const g_node *n = &g->node[i];
    char shape[SHAPE_TEXT];
    type_shape_text(&n->type, shape);
    text_add(out, "  %sn%d [label=\"%s", in, i, op_name(n->op));
    add_detail(g, i, "\\n", subs, out);
    text_add(out, "\\n%s %s\"];\n", tme_dtype_name(n->type.dtype), shape);
    for (int o = 0; o < n->nin; o++)
      if (graph_in(g, i, o) >= 0) text_add(out, "  %sn%d -> %sn%d;\n", in, graph_in(g, i, o), in, i);
  }
  for (int r = 0; r < g->nroots; r++)
    text_add(out, "  %sr%d [label=\"result %d\", shape=ellipse];\n  %sn%d -> %sr%d;\n", in, r, r, in, g->root[r], in,
             r);
}

void graph_dot(const graph *g, text *out) {
  subgraph_list l;
  text_add(out, "digraph tme {\n  rankdir=TB;\n  node [shape=box, fontname=\"monospace\"];\n");
  if (subgraph_list_make(&l, g))
    dot_one(g, -1, &l.number, out);
  else
    out->failed = true;
  for (int k = 0; k < l.n && !out->failed; k++) {
    text_add(out, "  subgraph cluster_%d {\n  label=\"graph %d\";\n", k, k);
    dot_one(subgraph_graph(l.sub[k]), k, &l.number, out);
    text_add(out, "  }\n");
  }
  text_add(out, "}\n");
  subgraph_list_free(&l);
}
