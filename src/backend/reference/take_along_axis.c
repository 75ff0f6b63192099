/* take_along_axis, put_along_axis: row after row along the axis. */
#include "backend/reference/combine.h"
#include "backend/reference/iter.h"
#include "base/convert.h"
#include <string.h>

/* The indices as int64, row-major; NULL after an error. */
static int64_t *indices_of(const char *op, const ref_array *indices, int64_t extent, int axis, error *e) {
  size_t bytes = (size_t)type_size(&indices->type) * sizeof(int64_t);
  int64_t *index = mem_alloc(bytes);
  if (!index) {
    fail_memory(e, op, bytes);
    return NULL;
  }
  if (reference_read_indices(op, indices, extent, axis, index, e) == TME_OK) return index;
  mem_free(index);
  return NULL;
}

/* The strides of an array over the rows of `part`: all its dimensions but the axis. */
static void row_strides(const op_type *rows, const op_type *t, const int64_t *strides, int axis, int64_t *out) {
  op_type one = *t;
  one.shape[axis] = 1;
  strides_broadcast(rows, &one, strides, out);
}

tme_status ref_take_along_axis(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *indices = c->in[1], *out = &c->out[0];
  int axis = (int)c->attrs->take_along_axis.axis;
  int64_t *index = indices_of("take_along_axis", indices, x->type.shape[axis], axis, e);
  if (!index) return e->code;
  op_type rows = out->type;
  rows.shape[axis] = 1;
  int64_t names[TME_MAX_RANK], from[TME_MAX_RANK], of_index[TME_MAX_RANK], to[TME_MAX_RANK];
  type_strides(&indices->type, names);
  row_strides(&rows, &x->type, x->strides, axis, from);
  row_strides(&rows, &indices->type, names, axis, of_index);
  row_strides(&rows, &out->type, out->strides, axis, to);
  size_t size = tme_dtype_size(x->type.dtype);
  int64_t n = out->type.shape[axis], by = (int64_t)size;
  ref_iter it;
  const int64_t *const strides[] = {from, of_index, to};
  for (bool more = n && iter_start(&it, rows.rank, rows.shape, 3, strides); more; more = iter_next(&it))
    for (int64_t i = 0; i < it.inner; i++) {
      const char *src = x->data + (it.offset[0] + i * it.step[0]) * by;
      const int64_t *k = index + it.offset[1] + i * it.step[1];
      char *dst = out->data + (it.offset[2] + i * it.step[2]) * by;
      for (int64_t a = 0; a < n; a++)
        memcpy(dst + a * out->strides[axis] * by, src + k[a * names[axis]] * x->strides[axis] * by, size);
    }
  mem_free(index);
  return TME_OK;
}

/* A row of the result, the indices and the updates for it, and room for both in the dtype in which they are combined. */
typedef struct row {
  tme_dtype t, wide;
  int mode;
  char *to, *wide_to, *wide_v;
  int64_t extent, to_step;
  const int64_t *index;
  int64_t n, index_step;
  const char *v;
  int64_t v_step;
} row;

static void put_row(const row *r) {
  size_t size = tme_dtype_size(r->t), wide = tme_dtype_size(r->wide);
  int64_t by = (int64_t)size;
  if (r->mode == PUT_ALONG_AXIS_MODE_SET) {
    for (int64_t a = 0; a < r->n; a++)
      memcpy(r->to + r->index[a * r->index_step] * r->to_step * by, r->v + a * r->v_step * by, size);
    return;
  }
  convert_run(r->t, r->to, r->to_step, r->wide, r->wide_to, 1, r->extent);
  convert_run(r->t, r->v, r->v_step, r->wide, r->wide_v, 1, r->n);
  for (int64_t a = 0; a < r->n; a++)
    combine(r->mode, r->t, r->wide_to + (size_t)r->index[a * r->index_step] * wide, r->wide_v + (size_t)a * wide, 1);
  convert_run(r->wide, r->wide_to, 1, r->t, r->to, r->to_step, r->extent);
}

static void put_rows(const ref_call *c, row *r, int axis, const int64_t *index) {
  const ref_array *indices = c->in[1], *updates = c->in[2], *out = &c->out[0];
  op_type rows = out->type, part = out->type;
  rows.shape[axis] = 1;
  part.shape[axis] = r->n;
  int64_t names[TME_MAX_RANK], to[TME_MAX_RANK], of_index[TME_MAX_RANK], values[TME_MAX_RANK], from[TME_MAX_RANK];
  type_strides(&indices->type, names);
  broadcast_strides(&part, updates, values);
  row_strides(&rows, &out->type, out->strides, axis, to);
  row_strides(&rows, &indices->type, names, axis, of_index);
  row_strides(&rows, &part, values, axis, from);
  r->to_step = out->strides[axis];
  r->index_step = names[axis];
  r->v_step = values[axis];
  int64_t by = (int64_t)tme_dtype_size(r->t);
  ref_iter it;
  const int64_t *const strides[] = {to, of_index, from};
  for (bool more = r->n && iter_start(&it, rows.rank, rows.shape, 3, strides); more; more = iter_next(&it))
    for (int64_t i = 0; i < it.inner; i++) {
      r->to = out->data + (it.offset[0] + i * it.step[0]) * by;
      r->index = index + it.offset[1] + i * it.step[1];
      r->v = updates->data + (it.offset[2] + i * it.step[2]) * by;
      put_row(r);
    }
}

tme_status ref_put_along_axis(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *indices = c->in[1], *out = &c->out[0];
  int axis = (int)c->attrs->put_along_axis.axis;
  copy_strided(x->type.rank, x->type.shape, tme_dtype_size(x->type.dtype), x->data, x->strides, out->data,
               out->strides);
  row r = {.t = x->type.dtype,
           .wide = combine_dtype(x->type.dtype),
           .mode = c->attrs->put_along_axis.mode,
           .extent = x->type.shape[axis],
           .n = indices->type.shape[axis]};
  int64_t *index = indices_of("put_along_axis", indices, r.extent, axis, e);
  if (!index) return e->code;
  bool sets = r.mode == PUT_ALONG_AXIS_MODE_SET;
  size_t size = tme_dtype_size(r.wide), bytes = ((size_t)r.extent + (size_t)r.n) * size;
  r.wide_to = sets ? NULL : mem_alloc(bytes);
  r.wide_v = r.wide_to ? r.wide_to + (size_t)r.extent * size : NULL;
  bool ok = sets || r.wide_to;
  if (ok) put_rows(c, &r, axis, index);
  mem_free(r.wide_to);
  mem_free(index);
  return ok ? TME_OK : fail_memory(e, "put_along_axis", bytes);
}
