/* sort, argsort, topk: line by line, the lines on all threads, or each line on all where they are few. */
#include "backend/reference/first_keys.h"
#include "backend/reference/lines.h"

enum { GRAIN = 1 << 12 /* elements that are worth another thread */ };

typedef struct job job;
struct job {
  tme_dtype dtype;
  bool descending;
  int64_t k;        /* of topk: how many */
  first_keys first; /* of topk, if it has parts: else all are sorted */
  lines from, values, places;
  radix radix;
  char *rooms;
  size_t keys, room,
      radix_room; /* bytes of a thread: of a line's keys, of what else a line needs, of the digits' counts */
  void (*line)(const job *j, int64_t i, void *keys, char *room, const radix *r);
};

static void copy_elements(int64_t n, int64_t size, const char *from, int64_t from_step, char *to, int64_t to_step) {
  copy_strided(1, &n, (size_t)size, from, &from_step, to, &to_step);
}

/* One element of a line. */
static const char *element(const lines *l, const char *line, int64_t i) { return line + i * l->step * l->size; }

/* Keys say nothing of the signs of zeros: those of the line, in their order, become the result's from place `first` on. */
static void put_zeros(const job *j, const char *from, char *to, int64_t first, int64_t end) {
  const lines *in = &j->from, *out = &j->values;
  for (int64_t i = 0; i < in->n && first < end; i++) {
    const char *p = element(in, from, i);
    if (float_is_zero(p, (size_t)in->size)) copy_elements(1, in->size, p, 1, to + first++ * out->step * out->size, 1);
  }
}

static void sort_line(const job *j, int64_t i, void *keys, char *room, const radix *r) {
  const lines *in = &j->from, *out = &j->values;
  const char *from = lines_at(in, i);
  char *to = lines_at(out, i);
  size_t size = keys_size(j->dtype);
  keys_make(j->dtype, from, in->step, in->n, j->descending, keys);
  char *sorted = size == sizeof(uint32_t) ? (char *)sort_keys_32(keys, (uint32_t *)(void *)room, in->n, r)
                                          : (char *)sort_keys_64(keys, (uint64_t *)(void *)room, in->n, r);
  if (out->step == 1) {
    keys_read(j->dtype, sorted, in->n, j->descending, to);
  } else {
    char *line = sorted == room ? keys : room;
    keys_read(j->dtype, sorted, in->n, j->descending, line);
    copy_elements(in->n, out->size, line, 1, to, out->step);
  }
  if (!dtype_is_float(j->dtype)) return;
  int64_t zeros, first = keys_before_zeros(j->dtype, sorted, in->n, j->descending, &zeros);
  if (zeros) put_zeros(j, from, to, first, first + zeros);
}

static void put_places(const job *j, int64_t i, const int64_t *place, int64_t n) {
  copy_elements(n, (int64_t)sizeof *place, (const char *)place, 1, lines_at(&j->places, i), j->places.step);
}

static void put_values(const job *j, int64_t i, const int64_t *place, int64_t n) {
  const char *from = lines_at(&j->from, i);
  char *to = lines_at(&j->values, i);
  for (int64_t k = 0; k < n; k++)
    copy_elements(1, j->from.size, element(&j->from, from, place[k]), 1, to + k * j->values.step * j->values.size, 1);
}

/* The places come before the rest of the room. */
static int64_t *order_line(const job *j, int64_t i, void *keys, char *room, const radix *r) {
  int64_t n = j->from.n, *place = (int64_t *)(void *)room;
  keys_make(j->dtype, lines_at(&j->from, i), j->from.step, n, j->descending, keys);
  sort_places(j->dtype, keys, n, place + n, r, place, NULL);
  return place;
}

static void argsort_line(const job *j, int64_t i, void *keys, char *room, const radix *r) {
  put_places(j, i, order_line(j, i, keys, room, r), j->from.n);
}

/* Complex numbers cannot be made of their keys. */
static void sort_by_places(const job *j, int64_t i, void *keys, char *room, const radix *r) {
  put_values(j, i, order_line(j, i, keys, room, r), j->from.n);
}

static void topk_line(const job *j, int64_t i, void *keys, char *room, const radix *r) {
  int64_t *place = (int64_t *)(void *)room;
  if (j->first.parts)
    first_keys_find(&j->first, lines_at(&j->from, i), r->threads, place + j->k, place);
  else
    order_line(j, i, keys, room, r);
  put_values(j, i, place, j->k);
  put_places(j, i, place, j->k);
}

static void run_lines(void *user, int thread, int64_t t0, int64_t t1) {
  const job *j = user;
  radix r = j->radix;
  char *keys = j->rooms + (size_t)thread * (j->keys + j->room + j->radix_room);
  r.count = (int64_t *)(void *)(keys + j->keys + j->room);
  for (int64_t i = t0; i < t1; i++) j->line(j, i, keys, keys + j->keys, &r);
}

/* The bytes of room for a line on those threads. False if there are not so many. */
static bool plan_room(job *j, threads *t) {
  int64_t n = j->from.n;
  size_t places = (size_t)n * sizeof(int64_t);
  j->radix_room = radix_bytes(&j->radix, t, n);
  bool fits = mul_size((size_t)n, keys_size(j->dtype), &j->keys);
  if (j->line == topk_line && j->k <= n / 4) {
    j->first = (first_keys){.dtype = j->dtype, .descending = j->descending, .n = n, .step = j->from.step, .k = j->k};
    j->room = first_keys_bytes(&j->first, t);
    fits = fits && add_size(j->room, (size_t)j->k * sizeof(int64_t), &j->room);
    j->keys = 0;
  } else if (j->line == sort_line) {
    j->room = j->keys;
  } else {
    fits = fits && sort_places_bytes(n, &j->room) && add_size(j->room, places, &j->room);
  }
  return fits && add_size(j->keys, (16 - j->keys % 16) % 16, &j->keys) &&
         add_size(j->room, (16 - j->room % 16) % 16, &j->room);
}

static tme_status run_job(const ref_call *c, job *j, error *e) {
  int64_t n = j->from.n, count = j->from.others.size;
  if (!n || !count || (j->line == topk_line && !j->k)) return TME_OK;
  int rooms = c->threads ? threads_count(c->threads) : 1;
  bool apart = count >= rooms;
  size_t one, all;
  bool fits = plan_room(j, apart ? NULL : c->threads) && add_size(j->keys, j->room, &one) &&
              add_size(one, j->radix_room, &one) && mul_size(one, apart ? (size_t)rooms : 1, &all);
  j->rooms = fits ? mem_alloc(all) : NULL;
  if (!j->rooms) return fail_memory(e, op_name(c->op), fits ? all : SIZE_MAX);
  if (apart)
    threads_for(c->threads, count, n < GRAIN ? GRAIN / n : 1, run_lines, j);
  else
    run_lines(j, 0, 0, count);
  mem_free(j->rooms);
  return TME_OK;
}

tme_status ref_sort(ref_call *c, error *e) {
  const sort_attrs *a = &c->attrs->sort;
  const ref_array *x = c->in[0];
  int axis = (int)a->axis;
  bool top = c->op == OP_topk, places = c->op == OP_argsort;
  job j = {.dtype = x->type.dtype,
           .descending = top ? a->largest : a->descending,
           .k = a->k,
           .from = lines_along(x, axis),
           .line = top                               ? topk_line
                   : places                          ? argsort_line
                   : dtype_is_complex(x->type.dtype) ? sort_by_places
                                                     : sort_line};
  if (!places) j.values = lines_along(&c->out[0], axis);
  if (top || places) j.places = lines_along(&c->out[top], axis);
  return run_job(c, &j, e);
}
