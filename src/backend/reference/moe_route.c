/* moe_route: in float64, rounded once. */
#include "backend/reference/iter.h"
#include <math.h>
#include <string.h>

typedef struct routing {
  int64_t tokens, experts, k;
  double *logits, *weights; /* (tokens, experts); (tokens, k) */
  double *share, *taken;    /* per expert: the sum of its probabilities, choices */
  int64_t *indices;         /* (tokens, k) */
} routing;

/* Whether expert i is to be chosen before j: NaN comes last. */
static bool before(const double *x, int64_t i, int64_t j) {
  if (x[i] == x[j] || (isnan(x[i]) && isnan(x[j]))) return i < j;
  return isnan(x[j]) || x[i] > x[j];
}

/* The k largest, in order. */
static void choose(const double *x, int64_t n, int64_t k, int64_t *chosen) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) {
    if (count == k && !before(x, i, chosen[k - 1])) continue;
    int64_t at = count < k ? count++ : k - 1;
    for (; at && before(x, i, chosen[at - 1]); at--) chosen[at] = chosen[at - 1];
    chosen[at] = i;
  }
}

static void route(routing *r, int64_t token) {
  const double *x = r->logits + token * r->experts;
  int64_t *chosen = r->indices + token * r->k;
  double *w = r->weights + token * r->k, sum = 0, all = 0;
  choose(x, r->experts, r->k, chosen);
  double most = x[chosen[0]];
  for (int64_t i = 0; i < r->experts; i++) all += exp(x[i] - most);
  for (int64_t i = 0; i < r->experts; i++) r->share[i] += exp(x[i] - most) / all;
  for (int64_t j = 0; j < r->k; j++) {
    sum += w[j] = exp(x[chosen[j]] - most);
    r->taken[chosen[j]]++;
  }
  for (int64_t j = 0; j < r->k; j++) w[j] = isnan(all) ? all : w[j] / sum;
}

/* First choices of all before second ones. */
static void limit(routing *r, int64_t capacity, double *used) {
  memset(used, 0, sizeof *used * (size_t)r->experts);
  for (int64_t j = 0; j < r->k; j++)
    for (int64_t t = 0; t < r->tokens; t++)
      if (used[r->indices[t * r->k + j]]++ >= (double)capacity) r->weights[t * r->k + j] = 0;
}

static void store(const ref_array *out, const double *from) {
  int64_t strides[TME_MAX_RANK];
  type_strides(&out->type, strides);
  convert_strided(out->type.rank, out->type.shape, TME_F64, (const char *)from, strides, out->type.dtype, out->data,
                  out->strides);
}

static void add_noise(routing *r, const ref_array *x, double *room) {
  int64_t n = r->tokens * r->experts, strides[TME_MAX_RANK];
  type_strides(&x->type, strides);
  convert_strided(x->type.rank, x->type.shape, x->type.dtype, x->data, x->strides, TME_F64, (char *)room, strides);
  for (int64_t i = 0; i < n; i++) r->logits[i] += room[i];
}

tme_status ref_moe_route(ref_call *c, error *e) {
  const ref_array *x = c->in[0];
  routing r = {.experts = x->type.shape[x->type.rank - 1], .k = c->attrs->moe_route.k};
  r.tokens = type_size(&x->type) / r.experts;
  size_t n = (size_t)type_size(&x->type), chosen = (size_t)(r.tokens * r.k), experts = (size_t)r.experts, numbers;
  if (__builtin_mul_overflow(n, 2 * sizeof(double), &numbers)) return fail_memory(e, "moe_route", SIZE_MAX);
  r.logits = mem_calloc(n + 1, sizeof *r.logits);
  r.weights = mem_calloc(chosen + 1, sizeof *r.weights);
  r.share = mem_calloc(3 * experts, sizeof *r.share);
  double *room = c->in[1] ? mem_calloc(n + 1, sizeof *room) : NULL, loss = 0;
  tme_status s = TME_OK;
  if (!r.logits || !r.weights || !r.share || (c->in[1] && !room)) {
    s = fail_memory(e, "moe_route", numbers);
  } else {
    int64_t strides[TME_MAX_RANK];
    type_strides(&x->type, strides);
    convert_strided(x->type.rank, x->type.shape, x->type.dtype, x->data, x->strides, TME_F64, (char *)r.logits,
                    strides);
    if (room) add_noise(&r, c->in[1], room);
    r.taken = r.share + experts;
    r.indices = (int64_t *)(void *)c->out[1].data;
    for (int64_t t = 0; t < r.tokens; t++) route(&r, t);
    if (c->attrs->moe_route.capacity >= 0) limit(&r, c->attrs->moe_route.capacity, r.taken + experts);
    double scale = (double)r.experts / ((double)r.tokens * (double)r.tokens * (double)r.k);
    for (int64_t i = 0; i < r.experts && r.tokens; i++) loss += r.share[i] * r.taken[i] * scale;
    store(&c->out[0], r.weights);
    store(&c->out[2], &loss);
  }
  mem_free(r.logits);
  mem_free(r.weights);
  mem_free(r.share);
  mem_free(room);
  return s;
}
