/* take_along_axis, put_along_axis: one walk over the elements that the indices name, in the order of rows. */
#include "backend/reference/combine.h"
#include "backend/reference/iter.h"
#include "base/convert.h"
#include <string.h>

/* What the indices name, element by element: where its place along the axis would be 0, its index, and its value. */
typedef struct walk {
  ref_iter it;
  const int64_t *index;
  char *base, *value;
  int64_t along; /* from one place to the next, in elements */
} walk;

/* `whole` has the places, `values` are broadcast to `part`. False if there are none. */
static bool walk_start(walk *w, const op_type *part, int axis, const ref_array *whole, const op_type *indices,
                       const ref_array *values) {
  int64_t base[TME_MAX_RANK], index[TME_MAX_RANK], value[TME_MAX_RANK], rows[TME_MAX_RANK];
  op_type one = whole->type;
  one.shape[axis] = 1;
  strides_broadcast(part, &one, whole->strides, base);
  type_strides(indices, rows);
  strides_broadcast(part, indices, rows, index);
  broadcast_strides(part, values, value);
  base[axis] = 0;
  w->base = whole->data;
  w->value = values->data;
  w->along = whole->strides[axis];
  return iter_start(&w->it, part->rank, part->shape, 3, (const int64_t *const[]){base, index, value});
}

#define BY_SIZE(size)                                                                                                  \
  switch (size) {                                                                                                      \
    MOVE(1)                                                                                                            \
    MOVE(2)                                                                                                            \
    MOVE(4)                                                                                                            \
    MOVE(8)                                                                                                            \
    MOVE(16)                                                                                                           \
  default: return;                                                                                                     \
  }

/* Elements of `size` bytes: the walk's values become those of their places. */
static void take_all(walk *w, size_t size) {
  do {
    const ref_iter *it = &w->it;
    const int64_t *k = w->index + it->offset[1];
    int64_t n = it->inner, along = w->along, base = it->step[0], index = it->step[1], value = it->step[2];
    const char *from = w->base + it->offset[0] * (int64_t)size;
    char *to = w->value + it->offset[2] * (int64_t)size;
#define MOVE(bytes)                                                                                                    \
  case bytes:                                                                                                          \
    for (int64_t i = 0; i < n; i++)                                                                                    \
      memcpy(to + i * value * bytes, from + (i * base + k[i * index] * along) * bytes, bytes);                         \
    break;
    BY_SIZE(size)
#undef MOVE
  } while (iter_next(&w->it));
}

/* The places get their values; of one place the last one stays. */
static void set_all(walk *w, size_t size) {
  do {
    const ref_iter *it = &w->it;
    const int64_t *k = w->index + it->offset[1];
    int64_t n = it->inner, along = w->along, base = it->step[0], index = it->step[1], value = it->step[2];
    char *to = w->base + it->offset[0] * (int64_t)size;
    const char *from = w->value + it->offset[2] * (int64_t)size;
#define MOVE(bytes)                                                                                                    \
  case bytes:                                                                                                          \
    for (int64_t i = 0; i < n; i++)                                                                                    \
      memcpy(to + (i * base + k[i * index] * along) * bytes, from + i * value * bytes, bytes);                         \
    break;
    BY_SIZE(size)
#undef MOVE
  } while (iter_next(&w->it));
}

/* Values of dtype t with places that are wide. */
static void combine_all(walk *w, int mode, tme_dtype t) {
  enum { SOME = 256, WIDEST = 16 };
  tme_dtype wide = combine_dtype(t);
  int64_t size = (int64_t)tme_dtype_size(t), bytes = (int64_t)tme_dtype_size(wide);
  _Alignas(WIDEST) char v[SOME * WIDEST];
  int64_t at[SOME];
  do {
    const ref_iter *it = &w->it;
    const int64_t *k = w->index + it->offset[1];
    char *to = w->base + it->offset[0] * bytes;
    const char *from = w->value + it->offset[2] * size;
    for (int64_t i = 0; i < it->inner; i += SOME) {
      int64_t n = it->inner - i < SOME ? it->inner - i : SOME;
      convert_run(t, from + i * it->step[2] * size, it->step[2], wide, v, 1, n);
      for (int64_t j = 0; j < n; j++) at[j] = (i + j) * it->step[0] + k[(i + j) * it->step[1]] * w->along;
      combine(mode, t, to, at, v, n);
    }
  } while (iter_next(&w->it));
}

tme_status ref_take_along_axis(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *indices = c->in[1], *out = &c->out[0];
  int axis = (int)c->attrs->take_along_axis.axis;
  int64_t *index = reference_indices("take_along_axis", indices, x->type.shape[axis], axis, e);
  if (!index) return e->code;
  walk w = {.index = index};
  if (walk_start(&w, &out->type, axis, x, &indices->type, out)) take_all(&w, tme_dtype_size(x->type.dtype));
  mem_free(index);
  return TME_OK;
}

/* All of the result is made wide, and rounded once. */
static tme_status put_combined(const ref_call *c, walk *w, int mode, const op_type *part, int axis, error *e) {
  const ref_array *out = &c->out[0];
  tme_dtype t = out->type.dtype;
  ref_array whole = *out;
  whole.type.dtype = combine_dtype(t);
  if (whole.type.dtype != t) { /* at most eight times as many bytes as there are already */
    size_t bytes = (size_t)type_size(&out->type) * tme_dtype_size(whole.type.dtype);
    whole.data = mem_alloc(bytes);
    if (!whole.data) return fail_memory(e, "put_along_axis", bytes);
    convert_run(t, out->data, 1, whole.type.dtype, whole.data, 1, type_size(&out->type));
  }
  if (walk_start(w, part, axis, &whole, &c->in[1]->type, c->in[2])) combine_all(w, mode, t);
  if (whole.data != out->data) {
    convert_run(whole.type.dtype, whole.data, 1, t, out->data, 1, type_size(&out->type));
    mem_free(whole.data);
  }
  return TME_OK;
}

tme_status ref_put_along_axis(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *indices = c->in[1], *out = &c->out[0];
  int axis = (int)c->attrs->put_along_axis.axis, mode = c->attrs->put_along_axis.mode;
  size_t size = tme_dtype_size(x->type.dtype);
  int64_t *index = reference_indices("put_along_axis", indices, x->type.shape[axis], axis, e);
  if (!index) return e->code;
  copy_strided(x->type.rank, x->type.shape, size, x->data, x->strides, out->data, out->strides);
  op_type part = x->type;
  part.shape[axis] = indices->type.shape[axis];
  walk w = {.index = index};
  tme_status s = TME_OK;
  if (mode != PUT_ALONG_AXIS_MODE_SET)
    s = put_combined(c, &w, mode, &part, axis, e);
  else if (walk_start(&w, &part, axis, out, &indices->type, c->in[2]))
    set_all(&w, size);
  mem_free(index);
  return s;
}
