/* Random numbers element by element: each is a function of its block of random bits, and fuses into what reads it. */
#include "ir/families/random.h"
#include "ir/inverse_normal.h"
#include "ir/threefry.h"
#include <math.h>
#include <string.h>

/* ---- inference ------------------------------------------------------------------------------------------------------- */

static const char *operand_name(const op_call *c, int i) {
  const op_def *d = op_get(c->op);
  for (int p = 0; p < d->nparams; p++)
    if (d->params[p].kind <= PARAM_ARRAYS && d->params[p].input == i) return d->params[p].name;
  return "?";
}

static tme_status misfit(const op_call *c, int i, const op_type *to, error *e) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  type_shape_text(c->in[i], a);
  type_shape_text(to, b);
  return fail(e, TME_ERR_SHAPE, "%s: %s of shape %s does not broadcast to %s", op_name(c->op), operand_name(c, i), a,
              b);
}

tme_status infer_drawn(op_call *c, int from, int to, int own, op_list *shape, op_type *out, error *e) {
  tme_status s = infer_extents(c, shape, out, e);
  for (int i = from; i < to && s == TME_OK; i++) {
    if (!c->in[i]) continue;
    op_type x = *c->in[i], both = {0};
    if (x.rank < own) {
      char given[SHAPE_TEXT];
      type_shape_text(&x, given);
      return fail(e, TME_ERR_SHAPE, "%s: %s has shape %s, expected %d dimension%s or more", op_name(c->op),
                  operand_name(c, i), given, own, PLURAL(own));
    }
    x.rank -= own;
    if (!type_broadcast(out, &x, &both) || (shape->n >= 0 && !type_same_shape(&both, out))) return misfit(c, i, out, e);
    out->rank = both.rank;
    memcpy(out->shape, both.shape, sizeof both.shape);
  }
  shape->n = out->rank;
  memcpy(shape->v, out->shape, sizeof *shape->v * (size_t)out->rank);
  return s;
}

tme_status infer_floating_in(op_call *c, int from, int to, tme_dtype *t, tme_dtype in, error *e) {
  tme_dtype own = TME_DTYPE_NONE;
  for (int i = from; i < to; i++) {
    const op_type *x = c->in[i];
    if (!x) continue;
    if (dtype_is_complex(x->dtype))
      return fail(e, TME_ERR_DTYPE, "%s: %s is %s, expected real numbers", op_name(c->op), operand_name(c, i),
                  tme_dtype_name(x->dtype));
    if (!x->weak && dtype_is_float(x->dtype)) own = own == TME_DTYPE_NONE ? x->dtype : tme_dtype_promote(own, x->dtype);
  }
  tme_status s = infer_dtype(c, t, own == TME_DTYPE_NONE ? c->default_float : own, e);
  if (s != TME_OK) return s;
  if (!dtype_is_float(*t))
    return fail(e, TME_ERR_DTYPE, "%s: makes real floating numbers, not %s", op_name(c->op), tme_dtype_name(*t));
  for (int i = from; i < to; i++) infer_want(c, i, in == TME_DTYPE_NONE ? dtype_wide(*t) : in);
  return TME_OK;
}

tme_status infer_floating(op_call *c, int from, int to, tme_dtype *t, error *e) {
  return infer_floating_in(c, from, to, t, TME_DTYPE_NONE, e);
}

tme_status infer_counts(const op_call *c, tme_dtype *t, error *e) {
  tme_status s = infer_dtype(c, t, TME_I64, e);
  if (s != TME_OK || dtype_is_int(*t) || dtype_is_float(*t)) return s;
  return fail(e, TME_ERR_DTYPE, "%s: makes numbers that count, not %s", op_name(c->op), tme_dtype_name(*t));
}

/* The bounds in 64 bits, so that their difference is that of the numbers. */
static tme_status infer_integers(op_call *c, tme_dtype *t, error *e) {
  tme_status s = infer_dtype(c, t, TME_I64, e);
  if (s != TME_OK) return s;
  if (!dtype_is_int(*t))
    return fail(e, TME_ERR_DTYPE, "%s: makes integers, not %s", op_name(c->op), tme_dtype_name(*t));
  for (int i = 0; i < 2; i++) {
    if (c->in[i] && dtype_kind(c->in[i]->dtype) > TAKES_INT)
      return fail(e, TME_ERR_DTYPE, "%s: %s is %s, expected whole numbers", op_name(c->op), operand_name(c, i),
                  tme_dtype_name(c->in[i]->dtype));
    infer_want(c, i, dtype_is_signed(*t) ? TME_I64 : TME_U64);
  }
  return TME_OK;
}

tme_status infer_random(op_call *c, op_type *out, error *e) {
  random_attrs *a = &c->attrs->random;
  int key = c->nin - 1;
  tme_dtype flag = dtype_wide(infer_float(c, c->in[0] ? c->in[0]->dtype : TME_BOOL));
  tme_dtype *t = c->op == OP_random_bernoulli ? &flag : &a->dtype;
  tme_status s = infer_key(c, key, e);
  if (s == TME_OK) s = infer_drawn(c, 0, key, 0, &a->shape, out, e);
  if (s == TME_OK) s = c->op == OP_random_integers ? infer_integers(c, t, e) : infer_floating(c, 0, key, t, e);
  out->dtype = c->op == OP_random_bernoulli ? TME_BOOL : *t;
  return s;
}

/* ---- distributions ---------------------------------------------------------------------------------------------------- */

static int number(graph *g, tme_dtype t, double v) { return graph_number(g, t, v); }
static int select(graph *g, int condition, int x, int y) {
  int in[3] = {condition, x, y};
  return graph_op(g, OP_where, in, 3, NULL);
}
static int fma_of(graph *g, int x, int y, int z) {
  int in[3] = {x, y, z};
  return graph_op(g, OP_fma, in, 3, NULL);
}

/* What is being made: the dtype that it is computed in, and the block of each element in the shape of the result. */
typedef struct drawing {
  graph *g;
  const g_site *s;
  tme_dtype t;
  int key;
} drawing;

static int shaped(const drawing *d, int x) {
  return graph_reshape(d->g, x, d->s->node->type.rank, d->s->node->type.shape);
}
static g_block blocks(const drawing *d, g_stream stream) {
  return graph_blocks(d->g, d->key, type_size(&d->s->node->type), stream);
}
static int unit(const drawing *d) {
  return shaped(d, graph_unit(d->g, blocks(d, FIRST_BLOCKS), d->s->node->type.dtype));
}
static int signed_unit(const drawing *d) { return shaped(d, graph_signed_unit(d->g, blocks(d, FIRST_BLOCKS), d->t)); }

/* x scale + loc, of which either may be absent. */
static int placed(graph *g, int x, int loc, int scale) {
  if (scale < 0) return loc < 0 ? x : graph_bin(g, OP_add, x, loc);
  return loc < 0 ? graph_bin(g, OP_multiply, x, scale) : fma_of(g, x, scale, loc);
}

/* What rounding brings to `high` is the number before it. */
static int uniform(const drawing *d, int low, int high) {
  graph *g = d->g;
  tme_dtype t = d->s->node->type.dtype;
  int x = unit(d);
  if (low < 0 && high < 0) return x;
  if (low < 0) low = number(g, d->t, 0);
  if (high < 0) high = number(g, d->t, 1);
  x = graph_cast(g, fma_of(g, x, graph_bin(g, OP_subtract, high, low), low), t);
  int before = graph_bin(g, OP_nextafter, graph_cast(g, high, t), graph_cast(g, low, t));
  return select(g, graph_bin(g, OP_less_equal, low, high), graph_bin(g, OP_minimum, x, before), number(g, t, NAN));
}

/* With the sign of x, which is uniform in (-1, 1); |x| is the probability to be further out. */
static int normal(const drawing *d) {
  int x = signed_unit(d);
  return graph_bin(d->g, OP_copysign, graph_inverse_normal(d->g, graph_un(d->g, OP_abs, x)), x);
}

static int laplace(const drawing *d) {
  int x = signed_unit(d);
  int out = graph_un(d->g, OP_negative, graph_un(d->g, OP_log, graph_un(d->g, OP_abs, x)));
  return graph_bin(d->g, OP_copysign, out, x);
}

static int logistic(const drawing *d) {
  graph *g = d->g;
  int x = signed_unit(d), t = graph_un(g, OP_abs, x);
  int odds = graph_bin(g, OP_divide, graph_bin(g, OP_subtract, number(g, d->t, 2), t), t);
  return graph_bin(g, OP_copysign, graph_un(g, OP_log, odds), x);
}

static int cauchy(const drawing *d) {
  int x = signed_unit(d);
  int angle = graph_bin(d->g, OP_multiply, x, number(d->g, d->t, 1.5707963267948966192));
  return graph_bin(d->g, OP_divide, number(d->g, d->t, 1), graph_un(d->g, OP_tan, angle));
}

static int exponential(const drawing *d) {
  int t = graph_un(d->g, OP_abs, signed_unit(d));
  return graph_un(d->g, OP_negative, graph_un(d->g, OP_log, t));
}

int graph_gumbel(graph *g, g_block b, tme_dtype t) {
  int x = graph_un(g, OP_abs, graph_signed_unit(g, b, t));
  /* Below 1, which rounding may make of it. */
  if (t == TME_F32) x = graph_bin(g, OP_minimum, x, number(g, t, 0x1.fffffep-1));
  int waited = graph_un(g, OP_negative, graph_un(g, OP_log1p, graph_un(g, OP_negative, x)));
  return graph_un(g, OP_negative, graph_un(g, OP_log, waited));
}

/* The distribution function below 0, where it is small, is erfc's tail: bounds above 0 are mirrored, and the number with them.
 * In f64, whose tails reach 8 standard deviations; further out there are but the bounds. */
static int truncated(const drawing *d, int lower, int upper) {
  graph *g = d->g;
  int half = number(g, TME_F64, -0.70710678118654752440),
      u = shaped(d, graph_unit(g, blocks(d, FIRST_BLOCKS), TME_F64));
  lower = graph_cast(g, lower, TME_F64), upper = graph_cast(g, upper, TME_F64);
  int mirrored = graph_bin(g, OP_greater, lower, number(g, TME_F64, 0));
  int a = select(g, mirrored, graph_un(g, OP_negative, upper), lower);
  int b = select(g, mirrored, graph_un(g, OP_negative, lower), upper);
  int from = graph_un(g, OP_erfc, graph_bin(g, OP_multiply, a, half));
  int to = graph_un(g, OP_erfc, graph_bin(g, OP_multiply, b, half));
  /* Twice the probability to be below, from 0 to 2. */
  int q = fma_of(g, u, graph_bin(g, OP_subtract, to, from), from);
  int t = graph_bin(g, OP_minimum, q, graph_bin(g, OP_subtract, number(g, TME_F64, 2), q));
  int x = graph_inverse_normal(g, graph_bin(g, OP_maximum, t, number(g, TME_F64, 0x1p-1000)));
  x = graph_bin(g, OP_copysign, x, graph_bin(g, OP_subtract, q, number(g, TME_F64, 1)));
  x = graph_bin(g, OP_minimum, graph_bin(g, OP_maximum, x, a), b);
  return select(g, mirrored, graph_un(g, OP_negative, x), x);
}

/* ---- whole numbers ----------------------------------------------------------------------------------------------------- */

static int u64(graph *g, int x) { return graph_cast(g, x, TME_U64); }
static int times(graph *g, int x, int y) { return graph_bin(g, OP_multiply, x, y); }
static int plus(graph *g, int x, int y) { return graph_bin(g, OP_add, x, y); }
static int high_half(graph *g, int x) { return graph_bin(g, OP_right_shift, x, number(g, TME_U64, 32)); }
static int low_half(graph *g, int x) { return graph_bin(g, OP_bitwise_and, x, number(g, TME_U64, 0xffffffff)); }

/* The upper 64 bits of a product of 64-bit numbers. */
static int times_high(graph *g, int x, int y) {
  int x1 = high_half(g, x), x0 = low_half(g, x), y1 = high_half(g, y), y0 = low_half(g, y);
  int a = times(g, x0, y1), b = times(g, x1, y0);
  int carry = plus(g, plus(g, high_half(g, times(g, x0, y0)), low_half(g, a)), low_half(g, b));
  return plus(g, plus(g, times(g, x1, y1), high_half(g, a)), plus(g, high_half(g, b), high_half(g, carry)));
}

/* floor(bits span / 2^64), or / 2^128 where spans are of 64 bits: no number is preferred by more than span / 2^64 of its
 * probability. */
static int integers(const drawing *d, int low, int high) {
  graph *g = d->g;
  tme_dtype t = d->s->node->type.dtype, wide = dtype_is_signed(t) ? TME_I64 : TME_U64;
  if (high < 0) {
    high = low;
    low = number(g, wide, 0);
  }
  int span = graph_bin(g, OP_subtract, u64(g, high), u64(g, low)), steps;
  g_block b = blocks(d, FIRST_BLOCKS);
  if (tme_dtype_size(t) < 8) {
    int upper = shaped(d, u64(g, b.hi)), lower = shaped(d, u64(g, b.lo));
    steps = high_half(g, plus(g, times(g, upper, span), high_half(g, times(g, lower, span))));
  } else {
    int upper = shaped(d, graph_bits64(g, b)), lower = shaped(d, graph_bits64(g, blocks(d, SECOND_BLOCKS)));
    int rest = times(g, upper, span), sum = plus(g, rest, times_high(g, lower, span));
    steps = plus(g, times_high(g, upper, span), u64(g, graph_bin(g, OP_less, sum, rest)));
  }
  int x = graph_cast(g, plus(g, u64(g, low), steps), t);
  return select(g, graph_bin(g, OP_less, low, high), x, graph_cast(g, low, t));
}

static int draw(const drawing *d) {
  graph *g = d->g;
  const int *in = d->s->in;
  switch (d->s->node->op) {
  case OP_random_uniform: return uniform(d, in[0], in[1]);
  case OP_random_normal: return placed(g, normal(d), in[0], in[1]);
  case OP_random_laplace: return placed(g, laplace(d), in[0], in[1]);
  case OP_random_logistic: return placed(g, logistic(d), in[0], in[1]);
  case OP_random_cauchy: return placed(g, cauchy(d), in[0], in[1]);
  case OP_random_gumbel: return placed(g, shaped(d, graph_gumbel(g, blocks(d, FIRST_BLOCKS), d->t)), in[0], in[1]);
  case OP_random_exponential: return placed(g, exponential(d), -1, in[0]);
  case OP_random_truncated_normal: return truncated(d, in[0], in[1]);
  case OP_random_integers: return integers(d, in[0], in[1]);
  default: return REWRITE_KEEP;
  }
}

static int bernoulli(const drawing *d, int p) {
  tme_dtype t = p < 0 ? TME_F32 : graph_get(d->g, p)->type.dtype;
  int u = shaped(d, graph_unit(d->g, blocks(d, FIRST_BLOCKS), t));
  return graph_bin(d->g, OP_less, u, p < 0 ? number(d->g, t, 0.5) : p);
}

int decompose_random(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  drawing d = {g, s, dtype_wide(type->dtype), s->in[s->node->nin - 1]};
  int x = s->node->op == OP_random_bernoulli ? bernoulli(&d, s->in[0]) : draw(&d);
  return graph_broadcast(g, graph_cast(g, x, type->dtype), type->rank, type->shape);
}
