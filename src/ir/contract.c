/* Contractions: repeated labels to diagonals, labels of one operand summed, pairs as one (batched) matrix product each. */
#include "ir/contract.h"
#include <string.h>

static uint64_t set_of(const labelled *t) {
  uint64_t set = 0;
  for (int d = 0; d < t->type.rank; d++) set |= (uint64_t)1 << t->label[d];
  return set;
}

static int place_of(const labelled *t, int label) {
  for (int d = 0; d < t->type.rank; d++)
    if (t->label[d] == label) return d;
  return -1;
}

static bool refresh(graph *g, labelled *t) {
  if (t->x >= 0) t->type = graph_get(g, t->x)->type;
  return t->x >= 0;
}

static void drop_label(labelled *t, int d) { memmove(&t->label[d], &t->label[d + 1], (size_t)(t->type.rank - d - 1)); }

/* Without axis d, whose extent is 1. */
static bool squeeze(graph *g, labelled *t, int d) {
  op_type to = t->type;
  memmove(&to.shape[d], &to.shape[d + 1], sizeof *to.shape * (size_t)(to.rank - d - 1));
  t->x = graph_reshape(g, t->x, to.rank - 1, to.shape);
  drop_label(t, d);
  return refresh(g, t);
}

/* Axes that bear one label become one, the last. */
static bool take_diagonals(graph *g, labelled *t) {
  for (int d = 0; d < t->type.rank; d++)
    for (int other = d + 1; other < t->type.rank; other++) {
      if (t->label[other] != t->label[d]) continue;
      int8_t label = t->label[d];
      int narrow = t->type.shape[d] == 1 ? d : t->type.shape[other] == 1 ? other : -1;
      if (narrow >= 0) {
        if (!squeeze(g, t, narrow)) return false;
      } else {
        op_attrs a = {.strided = {.axis1 = d, .axis2 = other}};
        t->x = graph_op(g, OP_diagonal, &t->x, 1, &a);
        drop_label(t, other);
        drop_label(t, d);
        if (!refresh(g, t)) return false;
        t->label[t->type.rank - 1] = label;
      }
      d = -1;
      break;
    }
  return true;
}

/* Sums the axes whose labels are not in `keep`. */
static bool sum_others(graph *g, labelled *t, uint64_t keep) {
  uint32_t axes = 0;
  int n = 0;
  for (int d = 0; d < t->type.rank; d++) {
    if (keep >> t->label[d] & 1)
      t->label[n++] = t->label[d];
    else
      axes |= 1u << d;
  }
  if (!axes) return true;
  tme_dtype dtype = t->type.dtype;
  t->x = graph_reduce(g, OP_sum, t->x, axes, false);
  if (t->x >= 0) t->x = graph_cast(g, t->x, dtype);
  return refresh(g, t);
}

/* The axes of these labels, in this order, as the last ones to come of a shape. */
typedef struct axes {
  int n;
  int8_t label[TME_MAX_RANK];
  int64_t size;
} axes;

static void add(axes *a, const labelled *t, int d) {
  a->label[a->n++] = t->label[d];
  a->size *= t->type.shape[d];
}

static bool arrange(graph *g, labelled *t, const axes *const *lists, int n) {
  op_attrs a = {.view = {.axes.n = t->type.rank}};
  int to = 0;
  bool moved = false;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < lists[i]->n; k++) {
      int from = place_of(t, lists[i]->label[k]);
      moved |= from != to;
      a.view.axes.v[to++] = from;
    }
  if (!moved) return true;
  int8_t label[TME_MAX_RANK];
  for (int d = 0; d < to; d++) label[d] = t->label[a.view.axes.v[d]];
  t->x = graph_op(g, OP_transpose, &t->x, 1, &a);
  memcpy(t->label, label, sizeof label);
  return refresh(g, t);
}

/* The product where nothing is summed: broadcast to each other. */
static int multiply(graph *g, labelled *x, labelled *y, const axes *left, const axes *right) {
  int64_t shape[TME_MAX_RANK];
  int n = 0;
  for (int d = 0; d < x->type.rank; d++) shape[n++] = x->type.shape[d];
  for (int d = 0; d < right->n; d++) shape[n++] = 1;
  int a = graph_reshape(g, x->x, n, shape), batch = y->type.rank - right->n;
  n = 0;
  for (int d = 0; d < batch; d++) shape[n++] = y->type.shape[d];
  for (int d = 0; d < left->n; d++) shape[n++] = 1;
  for (int d = batch; d < y->type.rank; d++) shape[n++] = y->type.shape[d];
  return graph_bin(g, OP_multiply, a, graph_reshape(g, y->x, n, shape));
}

/* *x becomes the product of both; labels in `keep` stay. */
static bool contract_pair(graph *g, labelled *x, labelled *y, uint64_t keep) {
  uint64_t of_x = set_of(x), of_y = set_of(y);
  /* Of labels in both an extent of 1 stands for any. */
  for (int d = x->type.rank - 1; d >= 0; d--) {
    int other = place_of(y, x->label[d]);
    if (other < 0 || x->type.shape[d] == y->type.shape[other]) continue;
    if (!(x->type.shape[d] == 1 ? squeeze(g, x, d) : squeeze(g, y, other))) return false;
  }
  of_x = set_of(x), of_y = set_of(y);
  if (!sum_others(g, x, keep | of_y) || !sum_others(g, y, keep | of_x)) return false;
  axes batch = {0, {0}, 1}, left = batch, summed = batch, right = batch;
  for (int d = 0; d < x->type.rank; d++) {
    bool shared = of_y >> x->label[d] & 1, kept = keep >> x->label[d] & 1;
    add(!shared ? &left : kept ? &batch : &summed, x, d);
  }
  for (int d = 0; d < y->type.rank; d++)
    if (!(of_x >> y->label[d] & 1)) add(&right, y, d);
  int rank = batch.n + left.n + right.n;
  if (rank > TME_MAX_RANK) {
    if (g->err.code == TME_OK)
      fail(&g->err, TME_ERR_SHAPE, "a product on the way has %d dimensions, more than the %d supported", rank,
           TME_MAX_RANK);
    return false;
  }
  if (!arrange(g, x, (const axes *const[]){&batch, &left, &summed}, 3)) return false;
  if (!arrange(g, y, (const axes *const[]){&batch, &summed, &right}, 3)) return false;
  int64_t shape[TME_MAX_RANK];
  int8_t label[TME_MAX_RANK];
  int n = 0;
  for (int d = 0; d < batch.n + left.n; d++, n++) shape[n] = x->type.shape[d], label[n] = x->label[d];
  for (int d = batch.n + summed.n; d < y->type.rank; d++, n++) shape[n] = y->type.shape[d], label[n] = y->label[d];
  if (!summed.n) {
    x->x = multiply(g, x, y, &left, &right);
  } else {
    int lead = batch.n > 0;
    int64_t rows[3] = {batch.size, left.size, summed.size}, columns[3] = {batch.size, summed.size, right.size};
    int a = graph_reshape(g, x->x, 2 + lead, rows + !lead), b = graph_reshape(g, y->x, 2 + lead, columns + !lead);
    x->x = graph_reshape(g, graph_bin(g, OP_matmul, a, b), n, shape);
  }
  memcpy(x->label, label, sizeof label);
  return refresh(g, x);
}

int graph_contract(graph *g, labelled *term, int terms, const int8_t *out, int n) {
  tme_dtype dtype = term[0].type.dtype;
  uint64_t result = 0;
  double extent[MOST_LABELS];
  uint64_t *set = mem_alloc(sizeof *set * (size_t)terms);
  int(*pair)[2] = mem_alloc(sizeof *pair * (size_t)terms), y = -1;
  if (!set || !pair) {
    g->failed = true;
    goto end;
  }
  for (int i = 0; i < MOST_LABELS; i++) extent[i] = 1;
  for (int i = 0; i < n; i++) result |= (uint64_t)1 << out[i];
  for (int i = 0; i < terms; i++) {
    labelled *t = &term[i];
    t->x = graph_wide(g, t->x);
    if (!refresh(g, t) || !take_diagonals(g, t)) goto end;
    set[i] = set_of(t);
    for (int d = 0; d < t->type.rank; d++)
      if (t->type.shape[d] != 1) extent[t->label[d]] = (double)t->type.shape[d];
  }
  contract_order(set, terms, result, extent, pair);
  for (int left = terms; left > 1; left--) {
    int a = pair[terms - left][0], b = pair[terms - left][1];
    uint64_t keep = result;
    for (int i = 0; i < left; i++)
      if (i != a && i != b) keep |= set_of(&term[i]);
    if (!contract_pair(g, &term[a], &term[b], keep)) goto end;
    term[b] = term[left - 1];
  }
  axes order = {0, {0}, 1};
  for (int i = 0; i < n; i++) order.label[order.n++] = out[i];
  if (sum_others(g, &term[0], result) && arrange(g, &term[0], (const axes *const[]){&order}, 1))
    y = graph_cast(g, term[0].x, dtype);
end:
  mem_free(set);
  mem_free(pair);
  return y;
}
