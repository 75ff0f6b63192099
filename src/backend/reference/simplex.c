/* Dirichlet's vectors, and counts of outcomes: a vector at a time, which has a key of its own. */
#include "backend/reference/draws.h"
#include "backend/reference/iter.h"
#include "backend/reference/rejection.h"
#include "base/convert.h"
#include "base/threads.h"
#include <math.h>
#include <string.h>

typedef struct work {
  const ref_call *c;
  random_key key;
  const ref_array *p, *n; /* alpha, or the probabilities, and the trials */
  op_type batch;          /* of the vectors */
  int64_t k;              /* their length */
  int64_t p_strides[TME_MAX_RANK], n_strides[TME_MAX_RANK];
  double *room; /* k numbers for each thread */
} work;

static int64_t offset_of(const op_type *batch, const int64_t *strides, int64_t i) {
  int64_t at = 0;
  for (int d = batch->rank - 1; d >= 0; i /= batch->shape[d--]) at += i % batch->shape[d] * strides[d];
  return at;
}

static void load(const work *w, int64_t i, double *to) {
  const ref_array *p = w->p;
  int64_t at = offset_of(&w->batch, w->p_strides, i) * (int64_t)tme_dtype_size(p->type.dtype);
  convert_run(p->type.dtype, p->data + at, p->strides[p->type.rank - 1], TME_F64, to, 1, w->k);
}

static void dirichlet(stream *s, double *v, int64_t k) {
  double most = -INFINITY, sum = 0;
  for (int64_t j = 0; j < k; j++) {
    v[j] = draw_log_gamma(s, v[j]);
    most = v[j] > most ? v[j] : most;
  }
  for (int64_t j = 0; j < k; j++) sum += v[j] = exp(v[j] - most);
  for (int64_t j = 0; j < k; j++) v[j] /= sum;
}

/* Outcome by outcome, each a binomial number of the trials that are left. */
static void multinomial(stream *s, double *v, int64_t k, double trials) {
  double left = 1;
  for (int64_t j = 0; j < k; j++) {
    double p = v[j], among = j == k - 1 || p >= left ? 1 : p / left;
    v[j] = left > 0 && p > 0 ? draw_binomial(s, trials, among) : 0;
    trials -= v[j];
    left -= p;
  }
  /* What rounding left of the probabilities. */
  for (int64_t j = k - 1; j >= 0 && trials > 0; j--) {
    if (v[j] <= 0) continue;
    v[j] += trials;
    trials = 0;
  }
}

static void draw_vectors(void *user, int thread, int64_t t0, int64_t t1) {
  const work *w = user;
  const ref_array *out = &w->c->out[0];
  double *v = w->room + thread * w->k;
  for (int64_t i = t0; i < t1; i++) {
    stream s = stream_of(w->key, (uint64_t)i);
    load(w, i, v);
    if (w->n) {
      double trials;
      memcpy(&trials, w->n->data + offset_of(&w->batch, w->n_strides, i) * (int64_t)sizeof trials, sizeof trials);
      multinomial(&s, v, w->k, trials);
    } else {
      dirichlet(&s, v, w->k);
    }
    convert_run(TME_F64, v, 1, out->type.dtype, out->data + i * w->k * (int64_t)tme_dtype_size(out->type.dtype), 1,
                w->k);
  }
}

/* Each vector of probabilities that is there, once. */
static tme_status check_vectors(const work *w, error *e) {
  const ref_array *p = w->p;
  op_type own = p->type;
  own.rank--;
  int64_t strides[TME_MAX_RANK];
  memcpy(strides, p->strides, sizeof strides);
  work each = *w;
  each.batch = own;
  memcpy(each.p_strides, strides, sizeof strides);
  tme_status s = TME_OK;
  for (int64_t i = 0; i < type_size(&own) && s == TME_OK; i++) {
    load(&each, i, w->room);
    s = check_probabilities(op_name(w->c->op), w->room, w->k, p->type.dtype, e);
  }
  return s;
}

static tme_status check(const work *w, error *e) {
  static const draw_range positive = {0, 0x1p1000, true, false, "a positive number"},
                          trials = {0, 0x1p62, false, true, "a whole number, 0 to 2^62"};
  const char *op = op_name(w->c->op);
  if (!w->n) return check_range(op, "alpha", w->p, &positive, e);
  tme_status s = check_range(op, "n", w->n, &trials, e);
  return s == TME_OK ? check_vectors(w, e) : s;
}

tme_status ref_simplex(ref_call *c, error *e) {
  bool counts = c->op == OP_random_multinomial;
  work w = {.c = c, .key = key_at(c->in[c->nin - 1]), .p = c->in[counts], .n = counts ? c->in[0] : NULL};
  w.batch = c->out[0].type;
  w.k = w.batch.shape[--w.batch.rank];
  if (!type_size(&c->out[0].type)) return TME_OK;
  ref_array vectors = *w.p;
  vectors.type.rank--;
  broadcast_strides(&w.batch, &vectors, w.p_strides);
  if (w.n) broadcast_strides(&w.batch, w.n, w.n_strides);
  size_t bytes;
  bool fits = mul_size((size_t)w.k, sizeof(double) * (size_t)(c->threads ? threads_count(c->threads) : 1), &bytes);
  w.room = fits ? mem_alloc(bytes) : NULL;
  if (!w.room) return fail_memory(e, op_name(c->op), fits ? bytes : SIZE_MAX);
  tme_status s = check(&w, e);
  if (s == TME_OK) threads_for(c->threads, type_size(&w.batch), 1, draw_vectors, &w);
  mem_free(w.room);
  return s;
}
