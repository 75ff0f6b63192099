/* scatter: a copy of x, then update after update. What is combined is so in a wide dtype, all updates of one place one after the
 * other, and rounded once: many small updates of one element are not lost. */
#include "backend/reference/combine.h"
#include "backend/reference/iter.h"
#include <stdlib.h>
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
  int axis;
  op_type part;                  /* the updates, broadcast */
  int64_t strides[TME_MAX_RANK]; /* theirs */
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

/* An update and the place that it goes to. */
typedef struct update {
  int64_t index, number;
} update;

static int by_place(const void *a, const void *b) {
  const update *x = a, *y = b;
  if (x->index != y->index) return x->index < y->index ? -1 : 1;
  return (x->number > y->number) - (x->number < y->number);
}

/* Place by place. */
static tme_status combine_sorted(const scatter *s, error *e) {
  tme_dtype t = s->out->type.dtype, wide = combine_dtype(t);
  size_t bytes = (size_t)s->slice.size * tme_dtype_size(wide);
  update *u = mem_alloc((size_t)s->n * sizeof *u);
  char *to = mem_alloc(bytes), *v = mem_alloc(bytes);
  bool ok = u && to && v;
  for (int64_t i = 0; ok && i < s->n; i++) u[i] = (update){s->index[i], i};
  if (ok) qsort(u, (size_t)s->n, sizeof *u, by_place);
  int64_t rows[TME_MAX_RANK];
  op_type slice = {.rank = s->slice.rank};
  for (int d = 0; d < slice.rank; d++) slice.shape[d] = s->slice.shape[d];
  type_strides(&slice, rows);
  for (int64_t i = 0, end; ok && i < s->n; i = end) {
    char *place = place_at(s, u[i].index);
    convert_strided(slice.rank, slice.shape, t, place, s->slice.stride, wide, to, rows);
    for (end = i; end < s->n && u[end].index == u[i].index; end++) {
      convert_strided(slice.rank, slice.shape, t, update_at(s, u[end].number), s->from, wide, v, rows);
      combine(s->mode, t, to, NULL, v, s->slice.size);
    }
    convert_strided(slice.rank, slice.shape, wide, to, rows, t, place, s->slice.stride);
  }
  mem_free(u);
  mem_free(to);
  mem_free(v);
  return ok ? TME_OK : fail_memory(e, "scatter", (size_t)s->n * sizeof *u + 2 * bytes);
}

/* All elements made wide, and combined in the updates' order: no sorting, where they are not many more than the updates. */
static bool is_dense(const scatter *s) {
  enum { MOST = 32 };
  size_t updates, bytes;
  return mul_size((size_t)s->n, (size_t)s->slice.size, &updates) && mul_size(updates, 16, &bytes) &&
         (size_t)type_size(&s->out->type) / MOST <= updates;
}

static tme_status combine_dense(const scatter *s, error *e) {
  const op_type *t = &s->out->type;
  tme_dtype wide = combine_dtype(t->dtype);
  size_t size = tme_dtype_size(wide), all = (size_t)type_size(t) * size, more = (size_t)type_size(&s->part) * size;
  char *to = mem_alloc(all), *v = mem_alloc(more);
  if (to && v) {
    int64_t rows[TME_MAX_RANK], before = 1, behind = 1, extent = t->shape[s->axis];
    for (int d = 0; d < s->axis; d++) before *= t->shape[d];
    for (int d = s->axis + 1; d < t->rank; d++) behind *= t->shape[d];
    type_strides(t, rows);
    convert_strided(t->rank, t->shape, t->dtype, s->out->data, s->out->strides, wide, to, rows);
    type_strides(&s->part, rows);
    convert_strided(s->part.rank, s->part.shape, t->dtype, s->updates, s->strides, wide, v, rows);
    for (int64_t b = 0; b < before; b++) {
      char *row = to + (size_t)(b * extent * behind) * size;
      const char *from = v + (size_t)(b * s->n * behind) * size;
      if (behind == 1)
        combine(s->mode, t->dtype, row, s->index, from, s->n);
      else
        for (int64_t i = 0; i < s->n; i++)
          combine(s->mode, t->dtype, row + (size_t)(s->index[i] * behind) * size, NULL,
                  from + (size_t)(i * behind) * size, behind);
    }
    type_strides(t, rows);
    convert_strided(t->rank, t->shape, wide, to, rows, t->dtype, s->out->data, s->out->strides);
  }
  bool ok = to && v;
  mem_free(to);
  mem_free(v);
  return ok ? TME_OK : fail_memory(e, "scatter", all + more);
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
  s.axis = axis;
  s.part.rank = x->type.rank - 1 + rank;
  for (int d = 0; d < s.part.rank; d++)
    s.part.shape[d] = d < axis          ? x->type.shape[d]
                      : d < axis + rank ? indices->type.shape[d - axis]
                                        : x->type.shape[d - rank + 1];
  broadcast_strides(&s.part, updates, s.strides);
  for (int d = 0; d < s.slice.rank; d++) s.from[d] = s.strides[d < axis ? d : d + rank];
  for (int d = 0; d < rank; d++) {
    s.shape[d] = indices->type.shape[d];
    s.stride[d] = s.strides[axis + d];
  }
  s.updates = updates->data;
  tme_status st = TME_OK;
  if (s.n && s.slice.size) {
    if (s.mode == SCATTER_MODE_SET)
      set_all(&s);
    else
      st = is_dense(&s) ? combine_dense(&s, e) : combine_sorted(&s, e);
  }
  mem_free(index);
  return st;
}
