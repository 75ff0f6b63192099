/* cov, corrcoef: the product of deviations. */
#include "ir/graph.h"
#include <math.h>

/* Variables and observations; false if there are more than two dimensions. */
static bool measure(const op_type *x, bool rowvar, int64_t *variables, int64_t *observations) {
  bool rows = rowvar || x->rank < 2;
  int64_t m = x->rank == 2 ? x->shape[0] : 1, n = x->rank == 2 ? x->shape[1] : x->rank ? x->shape[0] : 1;
  *variables = rows ? m : n;
  *observations = rows ? n : m;
  return x->rank <= 2;
}

static tme_status misfit(const op_call *c, const op_type *x, const char *name, const char *expected, error *e) {
  char shape[SHAPE_TEXT];
  type_shape_text(x, shape);
  return fail(e, TME_ERR_SHAPE, "%s: %s has shape %s, expected %s", op_name(c->op), name, shape, expected);
}

tme_status infer_covariance(op_call *c, op_type *out, error *e) {
  covariance_attrs *a = &c->attrs->covariance;
  const op_type *x = c->in[0], *y = c->in[1], *w = c->op == OP_cov ? c->in[2] : NULL;
  int64_t variables, observations, more = 0, same = 0;
  if (!measure(x, a->rowvar, &variables, &observations)) return misfit(c, x, "x", "at most two dimensions", e);
  if (y && !measure(y, a->rowvar, &more, &same)) return misfit(c, y, "y", "at most two dimensions", e);
  if (y && same != observations) return misfit(c, y, "y", "as many observations as x", e);
  if (w && (w->rank != 1 || w->shape[0] != observations))
    return misfit(c, w, "weights", "a vector, one for each observation", e);
  if (w && dtype_is_complex(w->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: weights are %s, expected real numbers", op_name(c->op),
                tme_dtype_name(w->dtype));
  tme_dtype t = infer_float(c, infer_promote(c, 0, 2));
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  if (w) infer_want(c, 2, dtype_real(t));
  variables += more;
  *out = (op_type){.dtype = t, .rank = variables == 1 ? 0 : 2, .shape = {variables, variables}};
  return TME_OK;
}

static int in_rows(graph *g, int x, bool rowvar) {
  if (x < 0) return -1;
  op_type t = graph_get(g, x)->type;
  op_attrs swapped = {.view = {.axes = {2, {1, 0}}}};
  if (t.rank == 2) return rowvar ? x : graph_op(g, OP_transpose, &x, 1, &swapped);
  return graph_reshape(g, x, 2, (int64_t[]){1, t.rank ? t.shape[0] : 1});
}

static int sum_rows(graph *g, int x) { return graph_reduce(g, OP_sum, x, 2, true); }

int decompose_covariance(graph *g, const g_site *s) {
  const covariance_attrs *a = &s->attrs->covariance;
  const op_type *type = &s->node->type;
  bool whole = s->node->op == OP_cov;
  int x = in_rows(g, graph_wide(g, s->in[0]), a->rowvar), w = whole && s->in[2] >= 0 ? graph_wide(g, s->in[2]) : -1;
  if (x < 0) return -1;
  if (s->in[1] >= 0) {
    op_attrs first = {.concatenate = {.axis = 0}};
    int both[2] = {x, in_rows(g, graph_wide(g, s->in[1]), a->rowvar)};
    x = graph_op(g, OP_concatenate, both, 2, &first);
    if (x < 0) return -1;
  }
  tme_dtype t = graph_get(g, x)->type.dtype, real = dtype_real(t);
  int64_t variables = graph_get(g, x)->type.shape[0];
  double n = (double)graph_get(g, x)->type.shape[1];
  int weight = w < 0 ? graph_number(g, real, n) : graph_reduce(g, OP_sum, w, 1, false);
  int mean = graph_bin(g, OP_divide, sum_rows(g, w < 0 ? x : graph_bin(g, OP_multiply, x, w)), weight);
  int d = graph_bin(g, OP_subtract, x, mean), divisor = weight;
  if (whole && a->correction != 0) {
    int part =
        w < 0 ? graph_number(g, real, 1)
              : graph_bin(g, OP_divide, graph_reduce(g, OP_sum, graph_bin(g, OP_multiply, w, w), 1, false), weight);
    part = graph_bin(g, OP_multiply, part, graph_number(g, real, a->correction));
    divisor = graph_bin(g, OP_maximum, graph_bin(g, OP_subtract, weight, part), graph_number(g, real, 0));
  }
  op_attrs swapped = {.view = {.axes = {2, {1, 0}}}};
  int other = graph_op(g, OP_transpose, &d, 1, &swapped);
  if (dtype_is_complex(t)) other = graph_un(g, OP_conj, other);
  int c = graph_bin(g, OP_matmul, w < 0 ? d : graph_bin(g, OP_multiply, d, w), other);
  if (!whole) {
    /* Over both norms of the deviations. */
    int size = graph_un(g, OP_abs, d), norm = graph_un(g, OP_sqrt, sum_rows(g, graph_bin(g, OP_multiply, size, size)));
    c = graph_bin(g, OP_divide, graph_bin(g, OP_divide, c, norm), graph_reshape(g, norm, 2, (int64_t[]){1, variables}));
    if (!dtype_is_complex(t))
      c = graph_bin(g, OP_maximum, graph_bin(g, OP_minimum, c, graph_number(g, t, 1)), graph_number(g, t, -1));
  } else {
    c = graph_bin(g, OP_divide, c, divisor);
  }
  return graph_reshape(g, graph_cast(g, c, type->dtype), type->rank, type->shape);
}
