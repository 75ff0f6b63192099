/* Gamma, beta, Poisson and binomial numbers: those of a block at a time, in f64, by as many threads as there are. */
#include "backend/reference/draws.h"
#include "backend/reference/iter.h"
#include "backend/reference/rejection.h"
#include "base/convert.h"
#include "base/threads.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 256 };

typedef struct work {
  const ref_call *c;
  random_key key;
  int params;
  int64_t strides[2][TME_MAX_RANK]; /* of the parameters, broadcast */
} work;

static double param_at(const ref_array *x, int64_t offset) {
  double v;
  memcpy(&v, x->data + offset * (int64_t)sizeof v, sizeof v);
  return v;
}

static double draw(int op, stream *s, double a, double b) {
  switch (op) {
  case OP_random_gamma: return exp(draw_log_gamma(s, a)) * b;
  case OP_random_poisson: return draw_poisson(s, a);
  case OP_random_binomial: return draw_binomial(s, a, b);
  default: {
    /* x / (x + y), of logarithms: both may be as good as 0. */
    double x = draw_log_gamma(s, a), y = draw_log_gamma(s, b);
    return 1 / (1 + exp(y - x));
  }
  }
}

static void draw_blocks(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread;
  const work *w = user;
  const ref_array *out = &w->c->out[0];
  const op_type *type = &out->type;
  int64_t size = type_size(type), end = t1 * BLOCK < size ? t1 * BLOCK : size;
  double v[BLOCK];
  for (int64_t from = t0 * BLOCK; from < end; from += BLOCK) {
    int64_t n = end - from < BLOCK ? end - from : BLOCK;
    for (int64_t i = 0; i < n; i++) {
      double p[2] = {1, 1};
      for (int k = 0; k < w->params; k++) {
        int64_t at = 0, rest = from + i;
        for (int d = type->rank - 1; d >= 0; rest /= type->shape[d--]) at += rest % type->shape[d] * w->strides[k][d];
        if (w->c->in[k]) p[k] = param_at(w->c->in[k], at);
      }
      stream s = stream_of(w->key, (uint64_t)(from + i));
      v[i] = draw(w->c->op, &s, p[0], p[1]);
    }
    convert_run(TME_F64, v, 1, type->dtype, out->data + from * (int64_t)tme_dtype_size(type->dtype), 1, n);
  }
}

static tme_status check(const ref_call *c, error *e) {
  static const draw_range positive = {0, 0x1p1000, true, false, "a positive number"},
                          scale = {0, 0x1p1000, false, false, "0 or more"},
                          mean = {0, 0x1p62, false, false, "0 to 2^62"},
                          trials = {0, 0x1p62, false, true, "a whole number, 0 to 2^62"},
                          probability = {0, 1, false, false, "0 to 1"};
  const char *op = op_name(c->op);
  const ref_array *const *in = c->in;
  tme_status s;
  switch (c->op) {
  case OP_random_gamma:
    s = check_range(op, "a", in[0], &positive, e);
    return s == TME_OK && in[1] ? check_range(op, "scale", in[1], &scale, e) : s;
  case OP_random_poisson: return check_range(op, "lam", in[0], &mean, e);
  case OP_random_binomial:
    s = check_range(op, "n", in[0], &trials, e);
    return s == TME_OK ? check_range(op, "p", in[1], &probability, e) : s;
  default:
    s = check_range(op, "a", in[0], &positive, e);
    return s == TME_OK ? check_range(op, "b", in[1], &positive, e) : s;
  }
}

tme_status ref_variates(ref_call *c, error *e) {
  work w = {.c = c, .key = key_at(c->in[c->nin - 1]), .params = c->nin - 1};
  tme_status s = check(c, e);
  if (s != TME_OK) return s;
  for (int k = 0; k < w.params; k++)
    if (c->in[k]) broadcast_strides(&c->out[0].type, c->in[k], w.strides[k]);
  threads_for(c->threads, ceil_div(type_size(&c->out[0].type), BLOCK), 1, draw_blocks, &w);
  return TME_OK;
}
