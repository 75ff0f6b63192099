/* matrix_power, multi_dot: products of matrices in a good order. */
#include "ir/graph.h"

tme_status infer_matrix_power(op_call *c, op_type *out, error *e) {
  int64_t n = c->attrs->matrix_power.n;
  tme_dtype t = c->in[0]->dtype;
  if (t == TME_BOOL) return fail(e, TME_ERR_DTYPE, "matrix_power: takes numbers, not bool");
  op_type batch;
  tme_status s = infer_matrices(c, 0, true, &batch, e);
  if (s != TME_OK) return s;
  *out = *c->in[0];
  if (n < 0) out->dtype = batch.dtype;
  if (c->cast) c->cast[0] = TME_DTYPE_NONE;
  infer_want(c, 0, out->dtype);
  return TME_OK;
}

/* By squaring: n's digits to base 2, from the last one on. */
int decompose_matrix_power(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int64_t n = s->attrs->matrix_power.n;
  uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
  int x = graph_wide(g, s->in[0]), power = -1;
  if (!n) return graph_identity(g, type->dtype, type->rank, type->shape);
  if (n < 0) x = graph_un(g, OP_inv, x);
  for (; left && x >= 0; left /= 2) {
    if (left % 2) power = power < 0 ? x : graph_bin(g, OP_matmul, power, x);
    if (left > 1) x = graph_bin(g, OP_matmul, x, x);
  }
  return x < 0 ? -1 : graph_cast(g, power, type->dtype);
}

enum { MOST_MATRICES = 64 };

/* Rows or columns of array i as a matrix: the first vector is a row, the last one a column. */
static int64_t extent(const op_type *x, bool first, bool columns) {
  if (x->rank == 2) return x->shape[columns];
  return first == columns ? x->shape[0] : 1;
}

tme_status infer_multi_dot(op_call *c, op_type *out, error *e) {
  if (c->nin < 2 || c->nin > MOST_MATRICES)
    return fail(e, TME_ERR_ARGUMENT, "multi_dot: takes 2 to %d arrays, not %d", MOST_MATRICES, c->nin);
  for (int i = 0; i < c->nin; i++) {
    const op_type *x = c->in[i];
    if (!x) return fail(e, TME_ERR_ARGUMENT, "multi_dot: array %d is missing", i);
    bool edge = i == 0 || i == c->nin - 1;
    if (x->rank != 2 && !(edge && x->rank == 1))
      return fail(e, TME_ERR_SHAPE, "multi_dot: array %d has %d dimension%s, expected 2%s", i, x->rank, PLURAL(x->rank),
                  edge ? " or 1" : "");
    int64_t rows = extent(x, i == 0, false), columns = i ? extent(c->in[i - 1], i == 1, true) : rows;
    if (rows != columns)
      return fail(e, TME_ERR_SHAPE, "multi_dot: array %d has %lld rows, expected %lld as the one before has columns", i,
                  (long long)rows, (long long)columns);
  }
  tme_dtype t = infer_promote(c, 0, c->nin);
  if (t == TME_BOOL) return fail(e, TME_ERR_DTYPE, "multi_dot: takes numbers, not bool");
  for (int i = 0; i < c->nin; i++) infer_want(c, i, t);
  const op_type *first = c->in[0], *last = c->in[c->nin - 1];
  out->dtype = t;
  if (first->rank == 2) type_append(out, first->shape[0]);
  if (last->rank == 2) type_append(out, last->shape[1]);
  return TME_OK;
}

typedef struct chain {
  int node[MOST_MATRICES];
  uint8_t split[MOST_MATRICES][MOST_MATRICES]; /* of the product of first..last the last one of its left half */
} chain;

static int product(graph *g, const chain *c, int first, int last) {
  if (first == last) return c->node[first];
  int split = c->split[first][last];
  return graph_bin(g, OP_matmul, product(g, c, first, split), product(g, c, split + 1, last));
}

/* The cheapest order of each part of the list, from the short ones on. */
static void order(chain *c, int n, const double *extents) {
  static const double dear = 1e300;
  double cost[MOST_MATRICES][MOST_MATRICES] = {{0}};
  for (int length = 1; length < n; length++)
    for (int first = 0; first + length < n; first++) {
      int last = first + length;
      cost[first][last] = dear;
      for (int split = first; split < last; split++) {
        double own = extents[first] * extents[split + 1] * extents[last + 1];
        double all = cost[first][split] + cost[split + 1][last] + own;
        if (all >= cost[first][last]) continue;
        cost[first][last] = all;
        c->split[first][last] = (uint8_t)split;
      }
    }
}

int decompose_multi_dot(graph *g, const g_site *s) {
  chain c = {{0}, {{0}}};
  double extents[MOST_MATRICES + 1];
  int n = s->node->nin;
  for (int i = 0; i < n; i++) {
    int x = graph_wide(g, s->in[i]);
    if (x < 0) return -1;
    op_type t = g->node[x].type;
    int64_t shape[2] = {extent(&t, i == 0, false), extent(&t, i == 0, true)};
    c.node[i] = graph_reshape(g, x, 2, shape);
    extents[i] = (double)shape[0];
    extents[i + 1] = (double)shape[1];
  }
  order(&c, n, extents);
  int y = graph_reshape(g, product(g, &c, 0, n - 1), s->node->type.rank, s->node->type.shape);
  return graph_cast(g, y, s->node->type.dtype);
}
