/* logspace, geomspace, vander: powers. Numbers are made in f64. */
#include "ir/graph.h"
#include <math.h>

tme_status infer_geometric(op_call *c, op_type *out, error *e) {
  geometric_attrs *a = &c->attrs->geometric;
  const char *name = op_name(c->op);
  tme_status s = infer_dtype(c, &a->dtype, c->default_float, e);
  if (s != TME_OK) return s;
  if (!(dtype_kind(a->dtype) & (TAKES_FLOAT | TAKES_COMPLEX)))
    return fail(e, TME_ERR_DTYPE, "%s: makes floating numbers, not %s", name, tme_dtype_name(a->dtype));
  if (a->num < 0) return fail(e, TME_ERR_ARGUMENT, "%s: num is %lld, expected 0 or more", name, (long long)a->num);
  double start = number_value(&a->start), stop = number_value(&a->stop);
  a->start = number_of_double(start);
  a->stop = number_of_double(stop);
  if (c->op == OP_logspace && !(a->base > 0))
    return fail(e, TME_ERR_ARGUMENT, "logspace: base is %g, expected a number above 0", a->base);
  if (c->op == OP_geomspace && !(start / stop > 0 && isfinite(start) && isfinite(stop)))
    return fail(e, TME_ERR_ARGUMENT, "geomspace: from %g to %g, expected finite numbers of one sign, not 0", start,
                stop);
  *out = (op_type){.dtype = a->dtype, .rank = 1, .shape = {a->num}};
  return TME_OK;
}

static int linspace(graph *g, double start, double stop, const geometric_attrs *a) {
  op_attrs line = {.create = {.start = number_of_double(start),
                              .stop = number_of_double(stop),
                              .num = a->num,
                              .endpoint = a->endpoint,
                              .dtype = TME_F64}};
  return graph_op(g, OP_linspace, NULL, 0, &line);
}

/* The ends as they were given: the logarithms' own round. */
static int geomspace(graph *g, const geometric_attrs *a) {
  double start = number_value(&a->start), stop = number_value(&a->stop);
  int y = graph_un(g, OP_exp, linspace(g, 0, log(stop / start), a));
  y = graph_bin(g, OP_multiply, y, graph_number(g, TME_F64, start));
  if (!a->endpoint || a->num < 2) return y;
  int i = graph_iota(g, TME_I64, 1, &a->num, 0);
  int last = graph_bin(g, OP_equal, i, graph_number(g, TME_I64, (double)(a->num - 1)));
  return graph_op(g, OP_where, (int[]){last, graph_number(g, TME_F64, stop), y}, 3, NULL);
}

int decompose_geometric(graph *g, const g_site *s) {
  const geometric_attrs *a = &s->attrs->geometric;
  int y;
  if (s->node->op == OP_geomspace)
    y = geomspace(g, a);
  else
    y = graph_bin(g, OP_pow, graph_number(g, TME_F64, a->base),
                  linspace(g, number_value(&a->start), number_value(&a->stop), a));
  return graph_cast(g, y, a->dtype);
}

tme_status infer_vander(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  int64_t *columns = &c->attrs->vander.columns;
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT | TAKES_COMPLEX, "numbers", e);
  if (s != TME_OK) return s;
  if (x->rank != 1)
    return fail(e, TME_ERR_SHAPE, "vander: takes a vector, not an array of %d dimension%s", x->rank, PLURAL(x->rank));
  if (*columns == -1) *columns = x->shape[0];
  if (*columns < 0) return fail(e, TME_ERR_ARGUMENT, "vander: %lld columns, expected 0 or more", (long long)*columns);
  *out = (op_type){.dtype = x->dtype, .rank = 2, .shape = {x->shape[0], *columns}};
  return TME_OK;
}

/* Halves of the powers multiplied, as often as the number of columns has digits: every dtype has that, and rounds little. */
int decompose_vander(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int64_t n = type->shape[1];
  int power = graph_iota(g, TME_I64, 2, (int64_t[]){1, n}, 1);
  if (!type_size(type)) return graph_broadcast(g, graph_number(g, type->dtype, 0), 2, type->shape);
  if (!s->attrs->vander.increasing) power = graph_bin(g, OP_subtract, graph_number(g, TME_I64, (double)(n - 1)), power);
  int x = graph_wide(g, graph_reshape(g, s->in[0], 2, (int64_t[]){type->shape[0], 1}));
  if (x < 0) return -1;
  int one = graph_number(g, graph_get(g, x)->type.dtype, 1), y = one;
  for (int64_t bit = 1; bit < n; bit *= 2) {
    int set = graph_bin(g, OP_bitwise_and, power, graph_number(g, TME_I64, (double)bit));
    set = graph_bin(g, OP_not_equal, set, graph_number(g, TME_I64, 0));
    y = graph_bin(g, OP_multiply, y, graph_op(g, OP_where, (int[]){set, x, one}, 3, NULL));
    x = graph_bin(g, OP_multiply, x, x);
  }
  return graph_cast(g, graph_broadcast(g, y, 2, type->shape), type->dtype);
}
