/* A value at an index as instructions. Views are index arithmetic; what is stored is loaded; the rest is computed from
 * its operands. */
#include "base/grow.h"
#include "kernel/kernel_util.h"
#include "lower/lower.h"
#include "ops/views.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the builder's tables -------------------------------------------------------------------------------------------- */

bool builder_init(builder *b, lowering *l, const char *name) {
  memset(b, 0, sizeof *b);
  b->l = l;
  b->group = -1;
  b->k = kernel_new(name);
  return b->k != NULL;
}

void builder_free(builder *b) {
  kernel_free(b->k);
  mem_free(b->bind);
  mem_free(b->args);
  mem_free(b->memo);
}

/* Room for one more element; marks the kernel as failed when there is none. */
static bool room(builder *b, void *table, int n, int *cap, size_t size) {
  if (grow(table, cap, n + 1, size)) return true;
  b->k->failed = true;
  return false;
}

static int bind_slot(builder *b, int slot, int buf) {
  if (buf < 0 || !room(b, &b->bind, buf, &b->cap_bind, sizeof *b->bind)) return -1;
  b->bind[buf] = slot;
  b->nbind = buf + 1;
  return buf;
}

int builder_buffer(builder *b, int slot, k_buf_role role) {
  for (int i = 0; i < b->nbind; i++)
    if (b->bind[i] == slot) return i;
  const struct slot *s = &b->l->p->slots[slot];
  int64_t lo = 0, hi = s->size;
  if (s->leaf >= 0) {
    hi = 1;
    for (int d = 0; d < s->type.rank; d++) {
      int64_t reach = (s->type.shape[d] - 1) * s->strides[d];
      *(reach < 0 ? &lo : &hi) += reach;
    }
    if (type_size(&s->type) == 0) lo = hi = 0;
  }
  int words = dtype_is_complex(s->type.dtype) ? 2 : 1;
  return bind_slot(b, slot, k_buf_add(b->k, role, dtype_real(s->type.dtype), lo * words, hi * words));
}

int builder_scratch(builder *b, tme_dtype t, int64_t size) {
  return bind_slot(b, -1, k_buf_add(b->k, BUF_SCRATCH, t, 0, size));
}

int builder_arg(builder *b, int literal, int word, int64_t value) {
  for (int i = 0; i < b->nargs; i++)
    if (literal >= 0 && b->args[i].literal == literal && b->args[i].word == word) return i;
  if (!room(b, &b->args, b->nargs, &b->cap_args, sizeof *b->args)) return -1;
  b->args[b->nargs] = (step_arg){literal, word, value};
  return b->nargs++;
}

/* ---- loads and stores ------------------------------------------------------------------------------------------------ */

static int linear(kernel *k, int rank, const int64_t *shape, const int64_t *strides, const int *ix) {
  int at = ix_const(k, 0);
  for (int d = 0; d < rank; d++)
    if (shape[d] != 1) at = ix_add(k, at, ix_mul(k, ix[d], strides[d]));
  return at;
}

static expr_value load_words(builder *b, tme_dtype t, int buf, int at, int dyn, int64_t dyn_scale, int guard) {
  kernel *k = b->k;
  int words = dtype_is_complex(t) ? 2 : 1;
  expr_value v = {-1, -1};
  for (int w = 0; w < words; w++) {
    int access = k_access_add(k, buf, ix_add(k, ix_mul(k, at, words), ix_const(k, w)));
    if (access < 0) return v;
    k->acc[access].guard = guard;
    k->acc[access].dyn = dyn;
    k->acc[access].dyn_scale = dyn_scale * words;
    int x = k_cast(k, dtype_held(t), k_load(k, access));
    *(w ? &v.im : &v.re) = x;
  }
  return v;
}

static expr_value load_slot(builder *b, int slot, const int *ix, int guard) {
  const struct slot *s = &b->l->p->slots[slot];
  int buf = builder_buffer(b, slot, BUF_IN);
  if (buf < 0) return (expr_value){-1, -1};
  int at = linear(b->k, s->type.rank, s->type.shape, s->strides, ix);
  return load_words(b, s->type.dtype, buf, at, -1, 0, guard);
}

void builder_store(builder *b, int node, const int *ix, expr_value v) {
  const op_type *t = &b->l->g->node[node].type;
  int64_t strides[TME_MAX_RANK];
  type_strides(t, strides);
  int buf = builder_buffer(b, b->l->slot_of[node], BUF_OUT);
  int at = linear(b->k, t->rank, t->shape, strides, ix);
  int words = dtype_is_complex(t->dtype) ? 2 : 1;
  for (int w = 0; w < words && buf >= 0; w++) {
    int access = k_access_add(b->k, buf, ix_add(b->k, ix_mul(b->k, at, words), ix_const(b->k, w)));
    if (access >= 0) k_store(b->k, access, k_cast(b->k, dtype_real(t->dtype), w ? v.im : v.re));
  }
}

/* ---- views ------------------------------------------------------------------------------------------------------------ */

static int both(kernel *k, int a, int b) { return a < 0 ? b : b < 0 ? a : k_bin(k, K_AND, a, b); }

/* lo <= ix < hi as a bool value, or -1 where it always holds. */
static int within(kernel *k, int ix, int64_t lo, int64_t hi) {
  int guard = -1;
  if (ix < 0) return -1;
  if (k->ix[ix].lo < lo) guard = both(k, guard, k_bin(k, K_GE, k_index(k, ix), k_const_i(k, TME_I64, lo)));
  if (k->ix[ix].hi >= hi) guard = both(k, guard, k_bin(k, K_LT, k_index(k, ix), k_const_i(k, TME_I64, hi)));
  return guard;
}

static expr_value choose(builder *b, int cond, expr_value x, expr_value y) {
  expr_value v = {k_select(b->k, cond, x.re, y.re), -1};
  if (x.im >= 0) v.im = k_select(b->k, cond, x.im, y.im);
  return v;
}

static expr_value value_pad(builder *b, int node, const int *ix, int guard) {
  kernel *k = b->k;
  const graph *g = b->l->g;
  const op_attrs *a = graph_attrs(g, node);
  int x = graph_in(g, node, 0), inner[TME_MAX_RANK], inside = -1;
  const op_type *t = &g->node[x].type;
  uint64_t bits[2];
  number_bits(&a->view.value, t->dtype, bits);
  if (type_size(t) == 0) return expr_const(k, t->dtype, bits);
  for (int d = 0; d < t->rank; d++) {
    inner[d] = ix_add(k, ix[d], ix_const(k, -a->view.before.v[d]));
    inside = both(k, inside, within(k, inner[d], 0, t->shape[d]));
  }
  expr_value v = builder_value(b, x, inner, both(k, guard, inside));
  if (inside < 0) return v;
  expr_value border = expr_const(k, t->dtype, bits);
  return choose(b, inside, v, border);
}

static expr_value value_concatenate(builder *b, int node, const int *ix, int guard) {
  kernel *k = b->k;
  const graph *g = b->l->g;
  int axis = (int)graph_attrs(g, node)->concatenate.axis, n = g->node[node].nin;
  int64_t start = g->node[node].type.shape[axis];
  expr_value v = {-1, -1};
  /* from the last part to the first: select(i < end of part, part, rest) */
  for (int p = n - 1; p >= 0; p--) {
    int x = graph_in(g, node, p), inner[TME_MAX_RANK];
    int64_t extent = g->node[x].type.shape[axis];
    start -= extent;
    if (extent == 0) continue;
    memcpy(inner, ix, sizeof(int) * (size_t)g->node[node].type.rank);
    inner[axis] = ix_add(k, ix[axis], ix_const(k, -start));
    int here = within(k, inner[axis], 0, extent);
    expr_value part = builder_value(b, x, inner, both(k, guard, here));
    int before_end = v.re < 0 ? -1 : within(k, inner[axis], INT64_MIN, extent);
    v = before_end < 0 ? part : choose(b, before_end, part, v);
  }
  return v;
}

static expr_value value_view(builder *b, int node, const int *ix, int guard) {
  kernel *k = b->k;
  const graph *g = b->l->g;
  const op_type *t = &g->node[node].type;
  const op_attrs *a = graph_attrs(g, node);
  int op = g->node[node].op, x = graph_in(g, node, 0), inner[TME_MAX_RANK];
  const op_type *tx = &g->node[x].type;
  int64_t strides[TME_MAX_RANK];
  switch (op) {
  case OP_broadcast_to: return builder_operand(b, x, t->rank, ix, guard);
  case OP_reshape: {
    type_strides(t, strides);
    int at = linear(k, t->rank, t->shape, strides, ix);
    type_strides(tx, strides);
    bool outermost = true; /* its quotient needs no remainder */
    for (int d = 0; d < tx->rank; d++) {
      if (tx->shape[d] == 1) {
        inner[d] = ix_const(k, 0);
        continue;
      }
      inner[d] = ix_div(k, at, strides[d]);
      if (!outermost) inner[d] = ix_mod(k, inner[d], tx->shape[d]);
      outermost = false;
    }
    return builder_value(b, x, inner, guard);
  }
  case OP_transpose:
    for (int d = 0; d < t->rank; d++) inner[a->view.axes.v[d]] = ix[d];
    return builder_value(b, x, inner, guard);
  case OP_slice:
    for (int d = 0; d < t->rank; d++)
      inner[d] = ix_add(k, ix_mul(k, ix[d], a->view.step.v[d]), ix_const(k, a->view.start.v[d]));
    return builder_value(b, x, inner, guard);
  case OP_sliding_window_view:
    memcpy(inner, ix, sizeof *inner * (size_t)tx->rank);
    for (int i = a->windows.axis.n - 1; i >= 0; i--) { /* the last windows were cut from those before them */
      int *axis = &inner[a->windows.axis.v[i]];
      *axis =
          ix_add(k, ix_mul(k, *axis, a->windows.stride.v[i]), ix_mul(k, ix[tx->rank + i], a->windows.dilation.v[i]));
    }
    return builder_value(b, x, inner, guard);
  case OP_pad: return value_pad(b, node, ix, guard);
  default: return value_concatenate(b, node, ix, guard);
  }
}

/* x[..., indices[...], ...]: the indices were checked by a step before; negative ones count from the end. */
static expr_value value_take(builder *b, int node, const int *ix, int guard) {
  kernel *k = b->k;
  const graph *g = b->l->g;
  int axis = (int)graph_attrs(g, node)->take.axis, x = graph_in(g, node, 0), indices = graph_in(g, node, 1);
  int nindex = g->node[indices].type.rank, inner[TME_MAX_RANK];
  expr_value at = builder_value(b, indices, ix + axis, guard);
  int i = k_cast(k, TME_I64, at.re);
  int n = k_const_i(k, TME_I64, g->node[x].type.shape[axis]);
  i = k_select(k, k_bin(k, K_LT, i, k_const_i(k, TME_I64, 0)), k_bin(k, K_ADD, i, n), i);
  if (b->l->slot_of[x] < 0) return (expr_value){k_cast(k, g->node[x].type.dtype, i), -1}; /* iota */
  const struct slot *s = &b->l->p->slots[b->l->slot_of[x]];
  for (int d = 0; d < s->type.rank; d++) inner[d] = d < axis ? ix[d] : d == axis ? ix_const(k, 0) : ix[d - 1 + nindex];
  int buf = builder_buffer(b, b->l->slot_of[x], BUF_IN);
  if (buf < 0) return (expr_value){-1, -1};
  int base = linear(k, s->type.rank, s->type.shape, s->strides, inner);
  return load_words(b, s->type.dtype, buf, base, i, s->strides[axis], guard);
}

/* ---- any value -------------------------------------------------------------------------------------------------------- */

static expr_value value_literal(builder *b, const g_node *n) {
  tme_dtype real = dtype_held(n->type.dtype);
  if (n->leaf < 0) return expr_const(b->k, n->type.dtype, n->bits);
  expr_value v = {-1, -1};
  v.re = k_emit(b->k, K_ARG, real, -1, -1, -1, (uint64_t)builder_arg(b, n->leaf, 0, 0));
  if (dtype_is_complex(n->type.dtype))
    v.im = k_emit(b->k, K_ARG, real, -1, -1, -1, (uint64_t)builder_arg(b, n->leaf, 1, 0));
  return v;
}

static expr_value value_map(builder *b, int node, const int *ix, int guard) {
  const graph *g = b->l->g;
  const g_node *n = &g->node[node];
  expr_value in[3];
  for (int k = 0; k < n->nin; k++) in[k] = builder_operand(b, graph_in(g, node, k), n->type.rank, ix, guard);
  int last = graph_in(g, node, n->nin - 1); /* its dtype is the one computed in: of where, too */
  tme_dtype t = g->node[last].type.dtype;
  return n->op == OP_astype ? expr_cast(b->k, in[0], t, n->type.dtype) : expr_emit(b->k, n->op, t, in);
}

static expr_value compute(builder *b, int node, const int *ix, int guard) {
  const graph *g = b->l->g;
  const g_node *n = &g->node[node];
  expr_value v = {-1, -1};
  if (b->special && b->special(b, node, ix, guard, &v)) return v;
  bool own = b->group >= 0 && b->l->f->group_of[node] == b->group;
  if (b->l->slot_of[node] >= 0 && !own) return load_slot(b, b->l->slot_of[node], ix, guard);
  switch (op_classify(n->op)) {
  case CLASS_SOURCE:
    if (n->op == OP_literal) return value_literal(b, n);
    v.re = k_cast(b->k, n->type.dtype, k_index(b->k, ix[n->leaf]));
    return v;
  case CLASS_MAP: return value_map(b, node, ix, guard);
  case CLASS_VIEW: return value_view(b, node, ix, guard);
  case CLASS_TAKE: return value_take(b, node, ix, guard);
  default: b->failure = "a value is needed that no earlier step stores"; return v;
  }
}

expr_value builder_value(builder *b, int node, const int *ix, int guard) {
  int rank = b->l->g->node[node].type.rank;
  for (int i = b->nmemo - 1; i >= 0; i--)
    if (b->memo[i].node == node && b->memo[i].guard == guard &&
        memcmp(b->memo[i].ix, ix, sizeof(int) * (size_t)rank) == 0)
      return b->memo[i].v;
  expr_value v = {-1, -1};
  if (b->failure || b->k->failed) return v;
  v = compute(b, node, ix, guard);
  if (room(b, &b->memo, b->nmemo, &b->cap_memo, sizeof *b->memo)) {
    built_value *m = &b->memo[b->nmemo++];
    *m = (built_value){.node = node, .guard = guard, .v = v};
    memcpy(m->ix, ix, sizeof(int) * (size_t)rank);
  }
  return v;
}

expr_value builder_operand(builder *b, int node, int rank, const int *ix, int guard) {
  const op_type *t = &b->l->g->node[node].type;
  int own[TME_MAX_RANK];
  for (int d = 0; d < t->rank; d++) own[d] = t->shape[d] == 1 ? ix_const(b->k, 0) : ix[rank - t->rank + d];
  return builder_value(b, node, own, guard);
}

/* ---- steps ------------------------------------------------------------------------------------------------------------ */

step *lower_step_new(program *p, step_kind kind) {
  if (!grow(&p->steps, &p->cap_steps, p->nsteps + 1, sizeof *p->steps)) return NULL;
  step *s = &p->steps[p->nsteps++];
  memset(s, 0, sizeof *s);
  s->kind = kind;
  return s;
}

int lower_slot(lowering *l, const op_type *t, int node, int64_t size) {
  program *p = l->p;
  if (!grow(&p->slots, &p->cap_slots, p->nslots + 1, sizeof *p->slots)) return -1;
  struct slot *s = &p->slots[p->nslots];
  *s = (struct slot){.type = *t, .leaf = -1, .node = node, .size = size};
  type_strides(t, s->strides);
  if (node >= 0) l->slot_of[node] = p->nslots;
  return p->nslots++;
}

tme_status lower_step(builder *b, const char *label, error *e) {
  kernel *k = b->k;
  if (b->failure) return fail(e, TME_ERR_JIT, "%s: %s", label, b->failure);
  if (k->failed) return kernel_failure(k, label, e);
  tme_status status = b->l->t->finish(b->l->t, k, e);
  if (status != TME_OK) return status;
  step *s = lower_step_new(b->l->p, STEP_KERNEL);
  if (!s) return fail_memory(e, label, sizeof *s);
  snprintf(s->label, sizeof s->label, "%s", label);
  s->kernel = k;
  s->args = b->args;
  s->nargs = b->nargs;
  s->bind = b->bind;
  s->nbind = b->nbind;
  b->k = NULL;
  b->args = NULL;
  b->bind = NULL;
  return TME_OK;
}

static void add_node(lowering *l, int i) {
  if (l->place[i] >= 0) return;
  l->place[i] = l->nknown;
  l->node[l->nknown++] = i;
}

static bool is_computed_inside(const lowering *l, int gr, int i) {
  return (l->f->group_of[i] < 0 || l->f->group_of[i] == gr) && op_classify(l->g->node[i].op) != CLASS_PICK;
}

static int compare(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  return (x > y) - (x < y);
}

void lower_nodes(lowering *l, int gr) {
  const group *G = &l->f->groups[gr];
  for (int k = 0; k < l->nknown; k++) l->place[l->node[k]] = -1;
  l->nknown = 0;
  for (int k = 0; k < G->nmembers; k++)
    if (l->f->stored[G->member[k]]) add_node(l, G->member[k]);
  for (int at = 0; at < l->nknown; at++)
    for (int k = 0; k < l->g->node[l->node[at]].nin; k++) {
      int i = graph_in(l->g, l->node[at], k);
      if (i >= 0 && is_computed_inside(l, gr, i)) add_node(l, i);
    }
  l->nnodes = l->nknown;
  qsort(l->node, (size_t)l->nnodes, sizeof *l->node, compare);
  for (int at = 0; at < l->nnodes; at++) {
    l->place[l->node[at]] = at;
    for (int k = 0; k < l->g->node[l->node[at]].nin; k++)
      if (graph_in(l->g, l->node[at], k) >= 0) add_node(l, graph_in(l->g, l->node[at], k));
  }
}

void lower_label(const lowering *l, char *out, size_t size) {
  size_t len = 0;
  out[0] = '\0';
  for (int k = 0; k < l->nnodes && len < size; k++) {
    int op = l->g->node[l->node[k]].op;
    if (op_classify(op) == CLASS_SOURCE) continue;
    const char *name = op_name(op);
    if (len + strlen(name) + 6 > size) {
      snprintf(out + len, size - len, "+...");
      break;
    }
    len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "+" : "", name);
  }
}
