/* random_indices: with replacement each place by itself; without it a shuffle (Fisher & Yates) that ends after as many as are
 * wanted, or the first of as many exponential clocks as there are places, which tick at the rates p (Efraimidis & Spirakis, 2006). */
#include "backend/reference/draws.h"
#include "base/convert.h"
#include "base/threads.h"
#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

/* Those of the blocks from 2^63 on are the lower bits: as random_integers has it. */
static int64_t whole_below(random_key key, uint64_t i, uint64_t n) {
  uint64_t upper = threefry_bits(key, i), lower = threefry_bits(key, i | UINT64_C(1) << 63);
  return (int64_t)(((wide)upper * n + ((wide)lower * n >> 64)) >> 64);
}

static double unit_of(random_key key, uint64_t i) { return ((double)(threefry_bits(key, i) >> 11) + 0.5) * 0x1p-53; }

typedef struct work {
  random_key key;
  int64_t n;
  int64_t *out;
  const double *sums; /* of the probabilities up to each place; NULL: all are alike */
} work;

static void draw_each(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread;
  const work *w = user;
  for (int64_t i = t0; i < t1; i++) {
    if (!w->sums) {
      w->out[i] = whole_below(w->key, (uint64_t)i, (uint64_t)w->n);
      continue;
    }
    /* The first place whose sum is above the number: one of probability 0 is none. */
    double u = unit_of(w->key, (uint64_t)i) * w->sums[w->n - 1];
    int64_t from = 0, to = w->n - 1;
    while (from < to) {
      int64_t middle = from + (to - from) / 2;
      if (w->sums[middle] > u)
        to = middle;
      else
        from = middle + 1;
    }
    w->out[i] = from;
  }
}

static void shuffle(random_key key, int64_t *at, int64_t n, int64_t wanted) {
  for (int64_t i = 0; i < n; i++) at[i] = i;
  for (int64_t i = 0; i < wanted; i++) {
    int64_t j = i + whole_below(key, (uint64_t)i, (uint64_t)(n - i)), other = at[j];
    at[j] = at[i];
    at[i] = other;
  }
}

typedef struct clock {
  double time;
  int64_t place;
} clock;

static bool is_later(const clock *a, const clock *b) {
  return a->time > b->time || (a->time == b->time && a->place > b->place);
}

/* The latest is on top. */
static void sink(clock *heap, int64_t n, int64_t at) {
  for (int64_t child; (child = 2 * at + 1) < n; at = child) {
    child += child + 1 < n && is_later(&heap[child + 1], &heap[child]);
    if (!is_later(&heap[child], &heap[at])) return;
    clock c = heap[at];
    heap[at] = heap[child];
    heap[child] = c;
  }
}

static void draw_rates(random_key key, const double *p, int64_t n, clock *heap, int64_t wanted, int64_t *out) {
  int64_t held = 0;
  for (int64_t i = 0; i < n; i++) {
    if (p[i] <= 0) continue;
    clock c = {-log(unit_of(key, (uint64_t)i)) / p[i], i};
    if (held < wanted) {
      heap[held++] = c;
      for (int64_t at = held / 2 - 1; held == wanted && at >= 0; at--) sink(heap, held, at);
    } else if (is_later(&heap[0], &c)) {
      heap[0] = c;
      sink(heap, held, 0);
    }
  }
  while (held) {
    out[held - 1] = heap[0].place;
    heap[0] = heap[--held];
    sink(heap, held, 0);
  }
}

static tme_status draw_without(const ref_call *c, const work *w, int64_t wanted, const double *p, error *e) {
  int64_t possible = 0;
  for (int64_t i = 0; p && i < w->n; i++) possible += p[i] > 0;
  if (p && possible < wanted)
    return fail(e, TME_ERR_ARGUMENT, "%s: %lld without replacement, but %lld have a probability above 0",
                op_name(c->op), (long long)wanted, (long long)possible);
  size_t bytes = (size_t)(p ? wanted : w->n) * (p ? sizeof(clock) : sizeof(int64_t));
  bool whole = !p && wanted == w->n;
  void *room = whole ? w->out : mem_alloc(bytes);
  if (!room) return fail_memory(e, op_name(c->op), bytes);
  if (p)
    draw_rates(w->key, p, w->n, room, wanted, w->out);
  else
    shuffle(w->key, room, w->n, wanted);
  if (!p && !whole) memcpy(w->out, room, (size_t)wanted * sizeof *w->out);
  if (!whole) mem_free(room);
  return TME_OK;
}

/* The probabilities as f64, for the caller to free; as their sums where they are drawn with replacement. */
static tme_status load(const ref_call *c, int64_t n, bool sums, double **out, error *e) {
  const ref_array *p = c->in[0];
  double *v = mem_alloc((size_t)n * sizeof *v);
  if (!v) return fail_memory(e, op_name(c->op), (size_t)n * sizeof *v);
  convert_run(p->type.dtype, p->data, p->strides[0], TME_F64, v, 1, n);
  tme_status s = check_probabilities(op_name(c->op), v, n, p->type.dtype, e);
  for (int64_t i = 1; sums && i < n; i++) v[i] += v[i - 1];
  *out = v;
  return s;
}

tme_status ref_random_indices(ref_call *c, error *e) {
  bool replace = c->attrs->random_indices.replace;
  int64_t wanted = type_size(&c->out[0].type);
  work w = {.key = key_at(c->in[1]), .n = c->attrs->random_indices.n, .out = (int64_t *)(void *)c->out[0].data};
  double *p = NULL;
  tme_status s = wanted && c->in[0] ? load(c, w.n, replace, &p, e) : TME_OK;
  w.sums = p;
  if (s == TME_OK && wanted && replace)
    threads_for(c->threads, wanted, 1024, draw_each, &w);
  else if (s == TME_OK && wanted)
    s = draw_without(c, &w, wanted, p, e);
  mem_free(p);
  return s;
}
