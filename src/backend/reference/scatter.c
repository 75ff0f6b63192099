/* scatter: a copy of x, then update after update. What is combined is so in a wide dtype, all updates of one place one after the
 * other, and rounded once: many small updates of one element are not lost. */
#include "backend/reference/combine.h"
#include "backend/reference/iter.h"
#include "backend/reference/sort_radix.h"
#include <string.h>

typedef struct scatter {
  const ref_array *out;
  int mode;
  const int64_t *index;                              /* of each update, row-major over the dimensions of the indices */
  int64_t n, step;                                   /* how many; elements from one place to the next along the axis */
  ref_space slice;                                   /* what lies at one place, in the result */
  int64_t from[TME_MAX_RANK];                        /* strides of an update over it */
  int indices;                                       /* dimensions of the indices */
  int64_t shape[TME_MAX_RANK], stride[TME_MAX_RANK]; /* of the indices, in the updates */
  const char *updates;
} scatter;

/* Where update i begins. */
static const char *update_at(const scatter *s, int64_t i) {
  int64_t at = 0;
  for (int d = s->indices - 1; d >= 0; d--) {
    at += i % s->shape[d] * s->stride[d];
    i /= s->shape[d];
  }
  return s->updates + at * (int64_t)tme_dtype_size(s->out->type.dtype);
}

static char *place_at(const scatter *s, int64_t index) {
  return s->out->data + index * s->step * (int64_t)tme_dtype_size(s->out->type.dtype);
}

/* Whether one step leads from each update to the next. */
static bool in_steps(const scatter *s, int64_t *step) {
  *step = s->indices ? s->stride[s->indices - 1] : 0;
  for (int d = 0; d + 1 < s->indices; d++)
    if (s->stride[d] != s->stride[d + 1] * s->shape[d + 1]) return false;
  return true;
}

/* One element at each place. */
static void set_elements(const scatter *s, int64_t step, size_t size) {
  char *to = s->out->data;
  const char *from = s->updates;
#define SET(bytes)                                                                                                     \
  case bytes:                                                                                                          \
    for (int64_t i = 0; i < s->n; i++) memcpy(to + s->index[i] * s->step * bytes, from + i * step * bytes, bytes);     \
    return;
  switch (size) {
    SET(1)
    SET(2)
    SET(4)
    SET(8)
    SET(16)
  default: return;
  }
#undef SET
}

static void set_all(const scatter *s) {
  size_t size = tme_dtype_size(s->out->type.dtype);
  int64_t step;
  if (s->slice.size == 1 && in_steps(s, &step)) {
    set_elements(s, step, size);
    return;
  }
  for (int64_t i = 0; i < s->n; i++)
    copy_strided(s->slice.rank, s->slice.shape, size, update_at(s, i), s->from, place_at(s, s->index[i]),
                 s->slice.stride);
}

/* ---- combining --------------------------------------------------------------------------------------------------------- */

/* The updates in the order of their places, of each place in their own; where those of each place begin. */
typedef struct order {
  char *memory;
  const keyed *update; /* key: the place, place: the update's number */
  int64_t *begin, places;
} order;

static bool order_make(const scatter *s, threads *t, order *o) {
  radix r;
  size_t counts = radix_bytes(&r, t, s->n), n = (size_t)s->n, pairs, bytes;
  bool fits = mul_size(2 * n, sizeof(keyed), &pairs) && add_size(pairs + counts, (n + 1) * sizeof *o->begin, &bytes);
  o->memory = fits ? mem_alloc(bytes) : NULL;
  if (!o->memory) return false;
  keyed *a = (keyed *)(void *)o->memory;
  r.count = (int64_t *)(void *)(o->memory + pairs);
  o->begin = (int64_t *)(void *)(o->memory + pairs + counts);
  for (int64_t i = 0; i < s->n; i++) a[i] = (keyed){(uint64_t)s->index[i], (uint64_t)i};
  o->update = sort_keyed(a, a + n, s->n, &r);
  o->places = 0;
  for (int64_t i = 0; i < s->n; i++)
    if (!i || o->update[i].key != o->update[i - 1].key) o->begin[o->places++] = i;
  o->begin[o->places] = s->n;
  return true;
}

/* What combining works on; each thread has a slice that is wide, and one for an update. */
typedef struct combining {
  const scatter *s;
  const order *o;
  char *memory;
  size_t bytes;
  op_type slice;
  int64_t rows[TME_MAX_RANK];
  bool plain; /* updates lie as the result's slices do, row-major */
} combining;

/* The updates of a place lie anywhere: the first bytes of one are fetched while those before it are combined. */
static void fetch_ahead(const combining *c, int64_t i) {
  enum { AHEAD = 4, LINE = 64, MOST = 512 };
  if (!c->plain || i + AHEAD >= c->s->n) return;
  const char *from = update_at(c->s, (int64_t)c->o->update[i + AHEAD].place);
  size_t bytes = (size_t)c->s->slice.size * tme_dtype_size(c->s->out->type.dtype);
  for (size_t b = 0; b < bytes && b < MOST; b += LINE) __builtin_prefetch(from + b);
}

static void combine_places(void *user, int thread, int64_t p0, int64_t p1) {
  const combining *c = user;
  const scatter *s = c->s;
  tme_dtype t = s->out->type.dtype, wide = combine_dtype(t);
  char *to = c->memory + 2 * (size_t)thread * c->bytes, *v = to + c->bytes;
  for (int64_t p = p0; p < p1; p++) {
    int64_t i = c->o->begin[p], end = c->o->begin[p + 1];
    char *place = place_at(s, (int64_t)c->o->update[i].key);
    convert_strided(c->slice.rank, c->slice.shape, t, place, s->slice.stride, wide, to, c->rows);
    for (; i < end; i++) {
      const char *from = update_at(s, (int64_t)c->o->update[i].place);
      fetch_ahead(c, i);
      if (c->plain && t == TME_F32) {
        combine_f32(s->mode, (double *)(void *)to, from, s->slice.size);
        continue;
      }
      convert_strided(c->slice.rank, c->slice.shape, t, from, s->from, wide, v, c->rows);
      combine(s->mode, t, to, NULL, v, s->slice.size);
    }
    convert_strided(c->slice.rank, c->slice.shape, wide, to, c->rows, t, place, s->slice.stride);
  }
}

static tme_status combine_all(const scatter *s, threads *t, error *e) {
  enum { GRAIN = 4096 /* elements that are worth a task */ };
  order o = {0};
  combining c = {.s = s, .o = &o, .slice = {.rank = s->slice.rank}, .plain = true};
  bool ok = order_make(s, t, &o);
  for (int d = 0; d < c.slice.rank; d++) c.slice.shape[d] = s->slice.shape[d];
  type_strides(&c.slice, c.rows);
  for (int d = 0; d < c.slice.rank; d++) c.plain = c.plain && s->from[d] == c.rows[d];
  c.bytes = (size_t)s->slice.size * tme_dtype_size(combine_dtype(s->out->type.dtype));
  size_t all = 0;
  ok = ok && mul_size(c.bytes, 2 * (size_t)threads_count(t), &all);
  c.memory = ok ? mem_alloc(all) : NULL;
  if (c.memory) {
    int64_t each = s->slice.size * (s->n / o.places + 1);
    threads_for(t, o.places, each >= GRAIN ? 1 : GRAIN / each, combine_places, &c);
  }
  ok = c.memory;
  mem_free(c.memory);
  mem_free(o.memory);
  return ok ? TME_OK : fail_memory(e, "scatter", all + 2 * (size_t)s->n * sizeof(keyed));
}

tme_status ref_scatter(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *indices = c->in[1], *updates = c->in[2], *out = &c->out[0];
  int axis = (int)c->attrs->scatter.axis, rank = indices->type.rank;
  scatter s = {.out = out, .mode = c->attrs->scatter.mode, .n = type_size(&indices->type), .indices = rank};
  copy_strided(x->type.rank, x->type.shape, tme_dtype_size(x->type.dtype), x->data, x->strides, out->data,
               out->strides);
  int64_t *index = reference_indices("scatter", indices, x->type.shape[axis], axis, e);
  if (!index) return e->code;
  s.index = index;
  s.step = out->strides[axis];
  s.slice = dims_of(&out->type, out->strides, ~(1u << axis));
  op_type part = {.rank = x->type.rank - 1 + rank}; /* the updates, broadcast */
  int64_t strides[TME_MAX_RANK];
  for (int d = 0; d < part.rank; d++)
    part.shape[d] = d < axis          ? x->type.shape[d]
                    : d < axis + rank ? indices->type.shape[d - axis]
                                      : x->type.shape[d - rank + 1];
  broadcast_strides(&part, updates, strides);
  for (int d = 0; d < s.slice.rank; d++) s.from[d] = strides[d < axis ? d : d + rank];
  for (int d = 0; d < rank; d++) {
    s.shape[d] = indices->type.shape[d];
    s.stride[d] = strides[axis + d];
  }
  s.updates = updates->data;
  tme_status st = TME_OK;
  if (s.n && s.slice.size) {
    if (s.mode == SCATTER_MODE_SET)
      set_all(&s);
    else
      st = combine_all(&s, c->threads, e);
  }
  mem_free(index);
  return st;
}
