/* random_sobol: from each point to the next one direction number changes (Antonov & Saleev, 1979). Scrambled are the direction
 * numbers, by a random matrix each (Matousek, 1998), and what they give, by random bits: that costs nothing at a point. */
#include "backend/reference/draws.h"
#include "base/convert.h"
#include "base/sobol.h"
#include "base/threads.h"

enum { BLOCK = 64 };

typedef struct sequence {
  uint32_t direction[SOBOL_BITS], shift;
} sequence;

typedef struct work {
  const ref_array *out;
  sequence dimension[SOBOL_DIMENSIONS];
} work;

/* Bit r of each number, from the highest one on, becomes itself and some of the bits above it, which ones is random. */
static void scramble(sequence *s, random_key key) {
  uint32_t rows[SOBOL_BITS];
  for (int r = 0; r < SOBOL_BITS; r++) {
    uint32_t own = UINT32_C(1) << (31 - r), above = ~(own | (own - 1));
    rows[r] = own | (threefry(key, 0, (uint32_t)r).word[0] & above);
  }
  for (int j = 0; j < SOBOL_BITS; j++) {
    uint32_t v = 0;
    for (int r = 0; r < SOBOL_BITS; r++) v |= (uint32_t)(__builtin_popcount(rows[r] & s->direction[j]) & 1) << (31 - r);
    s->direction[j] = v;
  }
  s->shift = threefry(key, 1, 0).word[0];
}

static uint32_t point(const sequence *s, int64_t i) {
  uint64_t gray = (uint64_t)i ^ (uint64_t)i >> 1;
  uint32_t x = s->shift;
  for (int j = 0; j < SOBOL_BITS && gray >> j; j++)
    if (gray >> j & 1) x ^= s->direction[j];
  return x;
}

static void make_points(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread;
  const work *w = user;
  const op_type *type = &w->out->type;
  int64_t n = type->shape[0], dims = type->shape[1], size = (int64_t)tme_dtype_size(type->dtype);
  int digits = dtype_get(type->dtype)->digits, drop = digits < SOBOL_BITS ? SOBOL_BITS - digits : 0;
  for (int64_t from = t0 * BLOCK; from < t1 * BLOCK && from < n; from += BLOCK) {
    int64_t m = n - from < BLOCK ? n - from : BLOCK;
    for (int64_t d = 0; d < dims; d++) {
      const sequence *s = &w->dimension[d];
      uint32_t x = point(s, from);
      double v[BLOCK];
      for (int64_t i = 0; i < m; i++) {
        v[i] = (double)(x >> drop << drop) * 0x1p-32;
        if (i + 1 < m) x ^= s->direction[__builtin_ctzll((uint64_t)(from + i + 1))];
      }
      convert_run(TME_F64, v, 1, type->dtype, w->out->data + (from * dims + d) * size, dims, m);
    }
  }
}

tme_status ref_random_sobol(ref_call *c, error *e) {
  work *w = mem_alloc(sizeof *w);
  if (!w) return fail_memory(e, op_name(c->op), sizeof *w);
  w->out = &c->out[0];
  for (int d = 0; d < w->out->type.shape[1]; d++) {
    sobol_directions(d, w->dimension[d].direction);
    w->dimension[d].shift = 0;
    if (c->in[0]) scramble(&w->dimension[d], threefry_at(key_at(c->in[0]), (uint64_t)d));
  }
  threads_for(c->threads, ceil_div(w->out->type.shape[0], BLOCK), 1, make_points, w);
  mem_free(w);
  return TME_OK;
}
