/* random_multivariate_normal: standard normal numbers times the symmetric root of the covariance matrix, which there is one of, also
 * where some of its singular values are 0. */
#include "ir/families/random.h"
#include <string.h>

tme_status infer_random_multivariate_normal(op_call *c, op_type *out, error *e) {
  random_multivariate_normal_attrs *a = &c->attrs->random_multivariate_normal;
  const op_type *mean = c->in[0], *cov = c->in[1];
  char m[SHAPE_TEXT], v[SHAPE_TEXT];
  type_shape_text(mean, m);
  type_shape_text(cov, v);
  int64_t n = mean->rank ? mean->shape[mean->rank - 1] : -1;
  if (n < 0 || cov->rank < 2 || cov->shape[cov->rank - 1] != n || cov->shape[cov->rank - 2] != n)
    return fail(e, TME_ERR_SHAPE, "%s: mean %s and cov %s, expected (..., n) and (..., n, n)", op_name(c->op), m, v);
  /* Vectors and matrices have batches that broadcast to each other. */
  op_type batch = *cov;
  batch.rank--;
  const op_type *in[3] = {mean, &batch, c->in[2]};
  op_call vectors = *c;
  vectors.in = in;
  tme_status s = infer_key(c, 2, e);
  if (s == TME_OK) s = infer_drawn(&vectors, 0, 2, 1, &a->shape, out, e);
  if (s == TME_OK) s = infer_floating(c, 0, 2, &a->dtype, e);
  if (s != TME_OK) return s;
  if (out->rank > TME_MAX_RANK - 2)
    return fail(e, TME_ERR_SHAPE, "%s: %d dimensions of vectors, more than the %d supported", op_name(c->op), out->rank,
                TME_MAX_RANK - 2);
  out->dtype = a->dtype;
  out->shape[out->rank++] = n;
  return TME_OK;
}

int decompose_random_multivariate_normal(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int mean = s->in[0], cov = s->in[1];
  if (mean < 0 || cov < 0) return -1;
  tme_dtype t = graph_get(g, cov)->type.dtype;
  op_attrs normal = {.random = {.shape.n = type->rank + 1, .dtype = t}}, full = {.svd = {.full_matrices = true}};
  op_type rows = *type;
  rows.shape[rows.rank] = rows.shape[rows.rank - 1];
  rows.shape[rows.rank++ - 1] = 1;
  memcpy(normal.random.shape.v, rows.shape, sizeof *rows.shape * (size_t)rows.rank);
  int draw[3] = {-1, -1, s->in[2]}, z = graph_op(g, OP_random_normal, draw, 3, &normal);
  int svd = graph_op(g, OP_svd, &cov, 1, &full);
  if (svd < 0) return -1;
  op_type values = *graph_output(g, svd, 1), vectors = *graph_output(g, svd, 2);
  int deviation = graph_un(g, OP_sqrt, graph_pick(g, svd, 1, &values)), vt = graph_pick(g, svd, 2, &vectors);
  int64_t n = values.shape[values.rank - 1];
  values.shape[values.rank - 1] = 1;
  values.shape[values.rank++] = n;
  op_attrs swapped = {.view = {.axes.n = vectors.rank}};
  for (int d = 0; d < vectors.rank; d++) swapped.view.axes.v[d] = d < vectors.rank - 2 ? d : 2 * vectors.rank - 3 - d;
  int v = graph_op(g, OP_transpose, &vt, 1, &swapped);
  v = graph_bin(g, OP_multiply, v, graph_reshape(g, deviation, values.rank, values.shape));
  int x = graph_bin(g, OP_matmul, z, graph_bin(g, OP_matmul, v, vt));
  x = graph_reshape(g, x, type->rank, type->shape);
  return graph_cast(g, graph_bin(g, OP_add, x, mean), type->dtype);
}
