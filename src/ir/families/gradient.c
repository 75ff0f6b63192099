/* gradient: differences of the elements on both sides, weighed so that they are exact for parabolas; at the ends of those
 * on one side, exact for straight lines or parabolas. */
#include "ir/graph.h"

tme_status infer_gradient(op_call *c, op_type *out, error *e) {
  const op_type *y = c->in[0], *x = c->in[1];
  gradient_attrs *a = &c->attrs->gradient;
  tme_status s = infer_takes(c, TAKES_INT | TAKES_FLOAT | TAKES_COMPLEX, "numbers", e);
  if (s == TME_OK) s = infer_axis(c, &a->axis, y->rank, e);
  if (s != TME_OK) return s;
  int64_t n = y->shape[a->axis];
  if (a->edge_order != 1 && a->edge_order != 2)
    return fail(e, TME_ERR_ARGUMENT, "gradient: edge_order is %lld, expected 1 or 2", (long long)a->edge_order);
  if (n <= a->edge_order)
    return fail(e, TME_ERR_SHAPE, "gradient: axis %lld has %lld elements, expected at least %lld", (long long)a->axis,
                (long long)n, (long long)a->edge_order + 1);
  if (x && (x->rank != 1 || x->shape[0] != n)) {
    char shape[SHAPE_TEXT];
    type_shape_text(x, shape);
    return fail(e, TME_ERR_SHAPE, "gradient: x of shape %s, expected (%lld,)", shape, (long long)n);
  }
  *out = *y;
  out->dtype = infer_float(c, infer_promote(c, 0, 2));
  for (int i = 0; i < 2; i++) infer_want(c, i, out->dtype);
  return TME_OK;
}

/* y along an axis of n elements, at distances dx, or `widths`, of which there is one less. */
typedef struct differences {
  graph *g;
  int y, axis, widths;
  int64_t n;
  tme_dtype t;
  double dx;
} differences;

static int number(const differences *d, double v) { return graph_number(d->g, d->t, v); }
static int plus(const differences *d, int x, int y) { return graph_bin(d->g, OP_add, x, y); }
static int minus(const differences *d, int x, int y) { return graph_bin(d->g, OP_subtract, x, y); }
static int over(const differences *d, int x, int y) { return graph_bin(d->g, OP_divide, x, y); }
static int times(const differences *d, int x, int y) { return graph_bin(d->g, OP_multiply, x, y); }

static int part(const differences *d, int x, int64_t from, int64_t to) {
  return graph_part(d->g, x, d->axis, from, to);
}

/* From elements [from, to) to those that follow them: how far y rises for each unit. */
static int slope(const differences *d, int64_t from, int64_t to) {
  int rise = minus(d, part(d, d->y, from + 1, to + 1), part(d, d->y, from, to));
  return over(d, rise, d->widths < 0 ? number(d, d->dx) : part(d, d->widths, from, to));
}

/* The slopes on both sides, each weighed with the width of the other one's side. */
static int inside(const differences *d) {
  int64_t n = d->n;
  if (d->widths < 0) return over(d, minus(d, part(d, d->y, 2, n), part(d, d->y, 0, n - 2)), number(d, 2 * d->dx));
  int left = part(d, d->widths, 0, n - 2), right = part(d, d->widths, 1, n - 1);
  int sum = plus(d, times(d, right, slope(d, 0, n - 2)), times(d, left, slope(d, 1, n - 1)));
  return over(d, sum, plus(d, left, right));
}

/* At element `at`, next to slope `near`: beyond it by half of its width, as far as the slopes go on from `next` to it. */
static int at_end(const differences *d, int64_t near, int64_t next, int64_t order) {
  int first = slope(d, near, near + 1);
  if (order == 1) return first;
  int change = minus(d, first, slope(d, next, next + 1)), share = number(d, 0.5);
  if (d->widths >= 0) {
    int width = part(d, d->widths, near, near + 1);
    share = over(d, width, plus(d, width, part(d, d->widths, next, next + 1)));
  }
  return plus(d, first, times(d, change, share));
}

int decompose_gradient(graph *g, const g_site *s) {
  const gradient_attrs *a = &s->attrs->gradient;
  int x = s->in[1] < 0 ? -1 : graph_wide(g, s->in[1]), y = graph_wide(g, s->in[0]), axis = (int)a->axis;
  if (y < 0 || (s->in[1] >= 0 && x < 0)) return -1;
  op_type type = graph_get(g, y)->type, line = {.rank = type.rank};
  differences d = {.g = g, .y = y, .axis = axis, .widths = -1, .n = type.shape[axis], .t = type.dtype, .dx = a->dx};
  for (int i = 0; i < type.rank; i++) line.shape[i] = i == axis ? d.n : 1;
  if (x >= 0) {
    x = graph_reshape(g, x, line.rank, line.shape);
    d.widths = minus(&d, part(&d, x, 1, d.n), part(&d, x, 0, d.n - 1));
    if (d.widths < 0) return -1;
  }
  int parts[3] = {at_end(&d, 0, 1, a->edge_order)}, n = 1;
  if (d.n > 2) parts[n++] = inside(&d);
  parts[n++] = at_end(&d, d.n - 2, d.n - 3, a->edge_order);
  op_attrs along = {.concatenate = {.axis = axis}};
  return graph_cast(g, graph_op(g, OP_concatenate, parts, n, &along), s->node->type.dtype);
}
