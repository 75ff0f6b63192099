/* dct, idct, dst, idst of the types 1 to 4 (as SciPy has them), by real transforms of the same length: Makhoul (1980). After
 * inference n is given. */
#include "ir/along.h"
#include <math.h>

static bool is_sine(int op) { return op == OP_dst || op == OP_idst; }
static bool is_inverse(int op) { return op == OP_idct || op == OP_idst; }

/* Half the period of what the elements stand for. */
static int64_t half_period(int op, const dct_attrs *a) {
  return a->type != 1 ? a->n : is_sine(op) ? a->n + 1 : a->n - 1;
}

tme_status infer_dct(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  dct_attrs *a = &c->attrs->dct;
  const char *name = op_name(c->op);
  if (a->type < 1 || a->type > 4)
    return fail(e, TME_ERR_ARGUMENT, "%s: type is %lld, expected 1, 2, 3 or 4", name, (long long)a->type);
  tme_status s = infer_axis(c, &a->axis, x->rank, e);
  if (s != TME_OK) return s;
  if (a->n == -1) a->n = x->shape[a->axis];
  int least = a->type == 1 && !is_sine(c->op) ? 2 : 1;
  if (a->n < least)
    return fail(e, TME_ERR_ARGUMENT, "%s: a transform of %lld numbers, expected %d or more", name, (long long)a->n,
                least);
  tme_dtype t = dtype_wide(infer_float(c, x->dtype));
  infer_want(c, 0, t);
  *out = *x;
  out->dtype = t;
  out->shape[a->axis] = a->n;
  return TME_OK;
}

typedef struct transform {
  graph *g;
  tme_dtype dtype; /* real */
  int rank, axis;
  int64_t n;
} transform;

static int number(const transform *t, double v) { return graph_number(t->g, t->dtype, v); }
static int times(const transform *t, int x, double v) { return graph_bin(t->g, OP_multiply, x, number(t, v)); }

/* exp(i pi (k + shift) step), k < count, along the axis. */
static int turns(const transform *t, int64_t count, double shift, double step) {
  graph *g = t->g;
  int k = along_numbers(g, TME_F64, t->rank, t->axis, count);
  if (shift != 0) k = graph_bin(g, OP_add, k, graph_number(g, TME_F64, shift));
  k = graph_bin(g, OP_multiply, k, graph_number(g, TME_F64, 3.14159265358979323846 * step));
  int re = graph_cast(g, graph_un(g, OP_cos, k), t->dtype), im = graph_cast(g, graph_un(g, OP_sin, k), t->dtype);
  return graph_bin(g, OP_complex, re, im);
}

/* x times -1, or another number, where k is odd; likewise where k is `place`. */
static int at_odd(const transform *t, int x, double v) {
  int k = along_numbers(t->g, TME_I64, t->rank, t->axis, t->n);
  int in[3] = {graph_bin(t->g, OP_bitwise_and, k, graph_number(t->g, TME_I64, 1)), times(t, x, v), x};
  in[0] = graph_cast(t->g, in[0], TME_BOOL);
  return graph_op(t->g, OP_where, in, 3, NULL);
}

static int at_place(const transform *t, int x, int64_t place, double v) {
  int k = along_numbers(t->g, TME_I64, t->rank, t->axis, t->n);
  int in[3] = {graph_bin(t->g, OP_equal, k, graph_number(t->g, TME_I64, (double)place)), times(t, x, v), x};
  return graph_op(t->g, OP_where, in, 3, NULL);
}

static int fourier(const transform *t, int op, int x, int64_t n) {
  op_attrs a = {.fft = {.n = n, .axis = t->axis, .norm = FFT_NORM_FORWARD}};
  if (op != OP_irfft) a.fft.norm = FFT_NORM_BACKWARD;
  return graph_op(t->g, op, &x, 1, &a);
}

/* Of x, then x backwards without its ends. */
static int first(const transform *t, int x) {
  graph *g = t->g;
  int back = along_flip(g, along_part(g, x, t->axis, 1, t->n - 1), t->axis);
  return graph_un(g, OP_real, fourier(t, OP_rfft, along_join(g, x, back, t->axis), 2 * t->n - 2));
}

/* Of 0, x, 0, and x backwards with another sign. */
static int first_sine(const transform *t, int x) {
  graph *g = t->g;
  int zero = times(t, along_part(g, x, t->axis, 0, 1), 0);
  int back = graph_un(g, OP_negative, along_flip(g, x, t->axis));
  int odd = along_join(g, along_join(g, zero, x, t->axis), along_join(g, zero, back, t->axis), t->axis);
  int y = graph_un(g, OP_imag, fourier(t, OP_rfft, odd, 2 * t->n + 2));
  return graph_un(g, OP_negative, along_part(g, y, t->axis, 1, t->n + 1));
}

/* Even elements, then odd ones backwards. */
static int second(const transform *t, int x) {
  graph *g = t->g;
  int64_t n = t->n, half = n / 2;
  if (n > 1) {
    int odd = along_flip(g, along_steps(g, x, t->axis, 1, n, 2), t->axis);
    x = along_join(g, along_steps(g, x, t->axis, 0, n, 2), odd, t->axis);
  }
  int y = graph_bin(g, OP_multiply, fourier(t, OP_rfft, x, n), turns(t, half + 1, 0, -0.5 / (double)n));
  int re = times(t, graph_un(g, OP_real, y), 2);
  if (n < 3) return along_length(g, re, t->axis, n);
  int im = times(t, graph_un(g, OP_imag, along_part(g, y, t->axis, 1, (n + 1) / 2)), -2);
  return along_join(g, re, along_flip(g, im, t->axis), t->axis);
}

/* The way back, 2 n times as large. */
static int third(const transform *t, int x) {
  graph *g = t->g;
  int64_t n = t->n, half = n / 2, even = n - half;
  int zero = times(t, along_part(g, x, t->axis, 0, 1), 0);
  int back = along_join(g, zero, along_flip(g, along_part(g, x, t->axis, even, n), t->axis), t->axis);
  int y = graph_bin(g, OP_complex, along_part(g, along_length(g, x, t->axis, half + 1), t->axis, 0, half + 1),
                    graph_un(g, OP_negative, n > 1 ? back : zero));
  y = fourier(t, OP_irfft, graph_bin(g, OP_multiply, y, turns(t, half + 1, 0, 0.5 / (double)n)), n);
  if (n < 2) return y;
  /* v[0], v[n - 1], v[1], v[n - 2], ... */
  int pair[2] = {along_part(g, y, t->axis, 0, even), along_flip(g, along_part(g, y, t->axis, even, n), t->axis)};
  pair[1] = along_length(g, pair[1], t->axis, even);
  op_attrs a = {.stack = {.axis = t->axis + 1}};
  int both = graph_op(g, OP_stack, pair, 2, &a);
  if (both < 0) return -1;
  op_type whole = graph_get(g, y)->type;
  whole.shape[t->axis] = 2 * even;
  return along_part(g, graph_reshape(g, both, t->rank, whole.shape), t->axis, 0, n);
}

/* Of even length by half as many complex numbers, else by twice as many. */
static int fourth(const transform *t, int x) {
  graph *g = t->g;
  int64_t n = t->n;
  double step = 1 / (double)n;
  if (n % 2) {
    int y = graph_bin(g, OP_multiply, x, turns(t, n, 0, -0.5 * step));
    y = along_part(g, fourier(t, OP_fft, y, 2 * n), t->axis, 0, n);
    return times(t, graph_un(g, OP_real, graph_bin(g, OP_multiply, y, turns(t, n, 0.5, -0.5 * step))), 2);
  }
  int odd = along_flip(g, along_steps(g, x, t->axis, 1, n, 2), t->axis);
  int y = graph_bin(g, OP_complex, along_steps(g, x, t->axis, 0, n, 2), odd);
  y = fourier(t, OP_fft, graph_bin(g, OP_multiply, y, turns(t, n / 2, 0, -step)), n / 2);
  y = graph_bin(g, OP_multiply, y, turns(t, n / 2, 0.25, -step));
  int pair[2] = {graph_un(g, OP_real, y), along_flip(g, graph_un(g, OP_negative, graph_un(g, OP_imag, y)), t->axis)};
  op_attrs a = {.stack = {.axis = t->axis + 1}};
  int both = graph_op(g, OP_stack, pair, 2, &a);
  if (both < 0) return -1;
  op_type whole = graph_get(g, x)->type;
  return times(t, graph_reshape(g, both, t->rank, whole.shape), 2);
}

/* Without factors. Sines are cosines of x backwards, or with changing signs. */
static int plain(const transform *t, int x, int type, bool sine) {
  graph *g = t->g;
  switch (type) {
  case 1: return sine ? first_sine(t, x) : first(t, x);
  case 2: return sine ? along_flip(g, second(t, at_odd(t, x, -1)), t->axis) : second(t, x);
  case 3: return sine ? at_odd(t, third(t, along_flip(g, x, t->axis)), -1) : third(t, x);
  default: return sine ? at_odd(t, fourth(t, along_flip(g, x, t->axis)), -1) : fourth(t, x);
  }
}

/* What makes an orthogonal matrix of it, beside one factor. */
static int ends_before(const transform *t, int x, int type, bool sine) {
  const double root = 1.41421356237309504880;
  if (type == 3) return at_place(t, x, sine ? t->n - 1 : 0, root);
  if (type != 1 || sine) return x;
  return at_place(t, at_place(t, x, 0, root), t->n - 1, root);
}

static int ends_after(const transform *t, int x, int type, bool sine) {
  const double root = 0.70710678118654752440;
  if (type == 2) return at_place(t, x, sine ? t->n - 1 : 0, root);
  if (type != 1 || sine) return x;
  return at_place(t, at_place(t, x, 0, root), t->n - 1, root);
}

static int real_transform(const transform *t, int x, int op, const dct_attrs *a) {
  static const int inverse[] = {0, 1, 3, 2, 4};
  bool sine = is_sine(op), ortho = a->norm == DCT_NORM_ORTHO;
  int type = is_inverse(op) ? inverse[a->type] : (int)a->type;
  double period = 2 * (double)half_period(op, a);
  if (x >= 0) x = along_length(t->g, x, t->axis, t->n);
  if (ortho) x = ends_before(t, x, type, sine);
  x = plain(t, x, type, sine);
  if (ortho) return times(t, ends_after(t, x, type, sine), 1 / sqrt(period));
  return (a->norm == DCT_NORM_FORWARD) != is_inverse(op) ? times(t, x, 1 / period) : x;
}

int decompose_dct(graph *g, const g_site *s) {
  const dct_attrs *a = &s->attrs->dct;
  const op_type *type = &s->node->type;
  transform t = {g, dtype_real(type->dtype), type->rank, (int)a->axis, a->n};
  int x = s->in[0], op = s->node->op;
  if (!dtype_is_complex(type->dtype)) return real_transform(&t, x, op, a);
  return graph_bin(g, OP_complex, real_transform(&t, graph_un(g, OP_real, x), op, a),
                   real_transform(&t, graph_un(g, OP_imag, x), op, a));
}
