/* vector_norm, matrix_norm, cond. */
#include "ir/graph.h"
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

/* ---- types ----------------------------------------------------------------------------------------------------------- */

static tme_status infer_real(op_call *c, op_type *out, error *e) {
  tme_status s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT | TAKES_COMPLEX, "numbers", e);
  tme_dtype t = infer_float(c, c->in[0]->dtype);
  infer_want(c, 0, t);
  out->dtype = dtype_real(t);
  return s;
}

/* What the text says, so that equal norms have equal attributes. */
static tme_status infer_order(const op_call *c, char ord[OP_TEXT], const char *none, error *e) {
  static const char *const known[] = {"fro", "nuc", "1", "-1", "2", "-2", "inf", "-inf"};
  char *end, number[40];
  if (!*ord) snprintf(ord, OP_TEXT, "%s", none);
  double v = strtod(ord, &end);
  bool is_number = end != ord && !*end;
  snprintf(number, sizeof number, "%g", v);
  for (int i = 0; i < COUNT(known); i++) {
    if (strcmp(known[i], is_number ? number : ord) != 0) continue;
    memset(ord, 0, OP_TEXT);
    memcpy(ord, known[i], strlen(known[i]));
    return TME_OK;
  }
  return fail(e, TME_ERR_ARGUMENT,
              "%s: ord is '%s', expected 'fro', 'nuc', '1', '2', 'inf' or one of the numbers with a minus",
              op_name(c->op), ord);
}

tme_status infer_vector_norm(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  vector_norm_attrs *a = &c->attrs->vector_norm;
  tme_status s = infer_real(c, out, e);
  if (s == TME_OK) s = infer_axes(c, &a->axes, x->rank, false, e);
  if (s != TME_OK) return s;
  if (isnan(a->ord)) return fail(e, TME_ERR_ARGUMENT, "vector_norm: ord is NaN");
  for (int d = 0; d < x->rank; d++)
    if (a->ord == -(double)INFINITY && a->axes.mask >> d & 1 && !x->shape[d])
      return fail(e, TME_ERR_SHAPE, "vector_norm: of no element there is no smallest one: axis %d", d);
  infer_reduced(x, a->axes.mask, a->keepdims, out);
  return TME_OK;
}

/* The smallest one of nothing. */
static tme_status refuse_nothing(const op_call *c, const char *ord, error *e) {
  const op_type *x = c->in[0];
  if (*ord != '-' || (x->shape[x->rank - 1] && x->shape[x->rank - 2])) return TME_OK;
  char shape[SHAPE_TEXT];
  type_shape_text(x, shape);
  return fail(e, TME_ERR_SHAPE, "%s: matrices of shape %s have nothing that is the smallest", op_name(c->op), shape);
}

tme_status infer_matrix_norm(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  matrix_norm_attrs *a = &c->attrs->matrix_norm;
  op_type batch;
  tme_status s = infer_matrices(c, 0, false, &batch, e);
  if (s == TME_OK) s = infer_order(c, a->ord, "fro", e);
  if (s == TME_OK) s = refuse_nothing(c, a->ord, e);
  if (s != TME_OK) return s;
  out->dtype = dtype_real(batch.dtype);
  infer_reduced(x, 3u << (x->rank - 2), a->keepdims, out);
  return TME_OK;
}

tme_status infer_cond(op_call *c, op_type *out, error *e) {
  cond_attrs *a = &c->attrs->cond;
  tme_status s = infer_order(c, a->ord, "2", e);
  bool values = strstr(a->ord, "2");
  if (s == TME_OK) s = infer_matrices(c, 0, !values, out, e);
  const op_type *x = c->in[0];
  if (s == TME_OK && !(x->shape[x->rank - 1] && x->shape[x->rank - 2]))
    return fail(e, TME_ERR_SHAPE, "cond: of a matrix without elements there is none");
  out->dtype = dtype_real(out->dtype);
  return s;
}

/* ---- what they are made of ----------------------------------------------------------------------------------------------- */

static bool none_of(const op_type *x, uint32_t axes) {
  for (int d = 0; d < x->rank; d++)
    if (axes >> d & 1 && !x->shape[d]) return true;
  return false;
}

/* The largest or smallest size along the axes, which stay; of nothing 0. */
static int extreme(graph *g, int x, bool largest, uint32_t axes) {
  if (x < 0) return -1;
  op_type t = g->node[x].type;
  if (!none_of(&t, axes)) return graph_reduce(g, largest ? OP_max : OP_min, x, axes, true);
  return graph_reduce(g, OP_sum, x, axes, true);
}

static int norm(graph *g, int x, double ord, uint32_t axes) {
  int size = graph_un(g, OP_abs, x);
  if (size < 0) return -1;
  tme_dtype t = g->node[size].type.dtype;
  if (isinf(ord)) return extreme(g, size, ord > 0, axes);
  if (ord == 0) return graph_reduce(g, OP_sum, graph_cast(g, graph_cast(g, size, TME_BOOL), t), axes, true);
  if (ord == 1) return graph_reduce(g, OP_sum, size, axes, true);
  if (ord == 2) return graph_un(g, OP_sqrt, graph_reduce(g, OP_sum, graph_bin(g, OP_multiply, size, size), axes, true));
  int powers = graph_bin(g, OP_pow, size, graph_number(g, t, ord));
  return graph_bin(g, OP_pow, graph_reduce(g, OP_sum, powers, axes, true), graph_number(g, t, 1 / ord));
}

static int shaped(graph *g, int x, const op_type *out) {
  return graph_reshape(g, graph_cast(g, x, out->dtype), out->rank, out->shape);
}

int decompose_vector_norm(graph *g, const g_site *s) {
  const vector_norm_attrs *a = &s->attrs->vector_norm;
  return shaped(g, norm(g, graph_wide(g, s->in[0]), a->ord, a->axes.mask), &s->node->type);
}

/* With the last two axes, or of singular values the last one, of extent 1. */
static int matrix_norm(graph *g, int x, const char *ord) {
  if (x < 0) return -1;
  int rank = g->node[x].type.rank;
  uint32_t row = 1u << (rank - 1), column = 1u << (rank - 2);
  if (!strcmp(ord, "fro")) return norm(g, x, 2, row | column);
  if (!strcmp(ord, "nuc")) return graph_reduce(g, OP_sum, graph_un(g, OP_svdvals, x), column, true);
  bool largest = *ord != '-';
  if (strstr(ord, "2")) return extreme(g, graph_un(g, OP_svdvals, x), largest, column);
  bool columns = strstr(ord, "1");
  return extreme(g, norm(g, x, 1, columns ? column : row), largest, columns ? row : column);
}

int decompose_matrix_norm(graph *g, const g_site *s) {
  return shaped(g, matrix_norm(g, graph_wide(g, s->in[0]), s->attrs->matrix_norm.ord), &s->node->type);
}

/* Of the zero matrix it is infinite too. */
static int ratio(graph *g, int x, bool inverse) {
  int values = graph_un(g, OP_svdvals, x);
  if (values < 0) return -1;
  op_type t = g->node[values].type;
  int large = extreme(g, values, true, 1u << (t.rank - 1)), small = extreme(g, values, false, 1u << (t.rank - 1));
  int zero = graph_number(g, t.dtype, 0), inf = graph_number(g, t.dtype, (double)INFINITY);
  int y = inverse ? graph_bin(g, OP_divide, small, large) : graph_bin(g, OP_divide, large, small);
  return graph_op(g, OP_where, (int[]){graph_bin(g, OP_equal, large, zero), inf, y}, 3, NULL);
}

int decompose_cond(graph *g, const g_site *s) {
  const char *ord = s->attrs->cond.ord;
  int x = graph_wide(g, s->in[0]), y;
  if (strstr(ord, "2")) {
    y = ratio(g, x, *ord == '-');
  } else {
    y = graph_bin(g, OP_multiply, matrix_norm(g, x, ord), matrix_norm(g, graph_un(g, OP_inv, x), ord));
  }
  return shaped(g, y, &s->node->type);
}
