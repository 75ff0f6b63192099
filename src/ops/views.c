#include "ops/views.h"

void type_strides(const op_type *t, int64_t strides[AT_LEAST(TME_MAX_RANK)]) {
  int64_t step = 1;
  for (int d = t->rank - 1; d >= 0; d--) {
    strides[d] = step;
    step *= t->shape[d] > 0 ? t->shape[d] : 1;
  }
}

bool strides_contiguous(const op_type *t, const int64_t *strides) {
  int64_t step = 1;
  for (int d = t->rank - 1; d >= 0; d--) {
    if (t->shape[d] == 0) return true;
    if (t->shape[d] != 1 && strides[d] != step) return false;
    step *= t->shape[d];
  }
  return true;
}

void strides_broadcast(const op_type *to, const op_type *x, const int64_t *strides, int64_t *out) {
  int lead = to->rank - x->rank;
  for (int d = 0; d < to->rank; d++) out[d] = d < lead || x->shape[d - lead] == 1 ? 0 : strides[d - lead];
}

/* The offset of a slice, which strides[] steps through. */
static int64_t slice(const op_type *x, const int64_t *strides, const op_attrs *a, const op_type *type, int64_t *out) {
  int64_t offset = 0;
  for (int d = 0; d < x->rank; d++) {
    offset += type->shape[d] ? a->view.start.v[d] * strides[d] : 0;
    out[d] = a->view.step.v[d] * strides[d];
  }
  return type_size(type) ? offset : 0;
}

static int64_t flip(const op_type *x, const int64_t *strides, const op_attrs *a, int64_t *out) {
  int64_t offset = 0;
  for (int d = 0; d < x->rank; d++) {
    out[d] = strides[d];
    if (!(a->dims.axes.mask >> d & 1)) continue;
    out[d] = -strides[d];
    offset += (x->shape[d] - 1) * strides[d];
  }
  return type_size(x) ? offset : 0;
}

/* Windows overlap: their dimensions step through the same memory as the axes that they are cut from. */
static void windows(const op_type *x, const int64_t *strides, const windows_attrs *a, int64_t *out) {
  for (int d = 0; d < x->rank; d++) out[d] = strides[d];
  for (int i = 0; i < a->axis.n; i++) {
    int64_t *axis = &out[a->axis.v[i]];
    out[x->rank + i] = *axis * a->dilation.v[i];
    *axis *= a->stride.v[i];
  }
}

/* A reshape without a copy: runs of dimensions that are one in memory are cut anew. */
static bool reshape(const op_type *x, const int64_t *strides_of_x, const op_type *type, int64_t *out) {
  if (!type_size(type)) {
    type_strides(type, out);
    return true;
  }
  int64_t shape[TME_MAX_RANK], strides[TME_MAX_RANK]; /* x without extents of 1 */
  int rank = 0, from = 0, to = 0;
  for (int d = 0; d < x->rank; d++) {
    if (x->shape[d] == 1) continue;
    shape[rank] = x->shape[d];
    strides[rank++] = strides_of_x[d];
  }
  while (from < rank && to < type->rank) {
    int from_end = from + 1, to_end = to + 1;
    int64_t a = shape[from], b = type->shape[to];
    while (a != b) {
      if (a < b)
        a *= shape[from_end++];
      else
        b *= type->shape[to_end++];
    }
    for (int d = from; d + 1 < from_end; d++)
      if (strides[d] != strides[d + 1] * shape[d + 1]) return false;
    int64_t step = strides[from_end - 1];
    for (int d = to_end - 1; d >= to; d--) {
      out[d] = step;
      step *= type->shape[d];
    }
    from = from_end;
    to = to_end;
  }
  for (; to < type->rank; to++) out[to] = 1;
  return true;
}

static int64_t bound(int64_t v, int64_t n, int64_t lo, int64_t hi) {
  if (v < 0) v = v < -n ? -1 : v + n;
  return v < lo ? lo : v > hi ? hi : v;
}

int64_t slice_extent(int64_t n, int64_t *start, int64_t *stop, int64_t *step) {
  if (*step == TME_NONE) *step = 1;
  int64_t count = 0;
  if (*step > 0) {
    *start = *start == TME_NONE ? 0 : bound(*start, n, 0, n);
    *stop = *stop == TME_NONE ? n : bound(*stop, n, 0, n);
    if (*stop > *start) count = (*stop - *start - 1) / *step + 1;
  } else {
    *start = *start == TME_NONE ? n - 1 : bound(*start, n, -1, n - 1);
    *stop = *stop == TME_NONE ? -1 : bound(*stop, n, -1, n - 1);
    /* step may be INT64_MIN + 1: the distance is what is divided */
    if (*start > *stop) count = (*stop - *start + 1) / *step + 1;
  }
  if (count == 0) {
    *start = *stop = 0;
    *step = 1;
  } else if (count == 1) {
    *stop = *start + 1;
    *step = 1;
  } else {
    *stop = *start + (count - 1) * *step + (*step > 0 ? 1 : -1);
    if (*stop < 0) *stop = TME_NONE;
  }
  return count;
}

bool op_is_view(int op) {
  const op_def *d = op_get(op);
  return d && (d->family == FAMILY_view || d->family == FAMILY_dims || d->family == FAMILY_windows ||
               d->family == FAMILY_reshaped || d->family == FAMILY_strided);
}

bool op_view(int op, const op_type *x, const int64_t *strides, const op_attrs *attrs, const op_type *type,
             int64_t *offset, int64_t *out) {
  *offset = 0;
  op_family family = op_get(op)->family;
  if (family == FAMILY_reshaped) return reshape(x, strides, type, out);
  if (family == FAMILY_strided) {
    if (op == OP_as_strided && !strides_contiguous(x, strides)) return false;
    strided_view(op, x, strides, attrs, type, offset, out);
    return true;
  }
  switch (op) {
  case OP_reshape:
  case OP_squeeze:
  case OP_expand_dims: return reshape(x, strides, type, out);
  case OP_transpose:
    for (int d = 0; d < x->rank; d++) out[d] = strides[attrs->view.axes.v[d]];
    return true;
  case OP_slice: *offset = slice(x, strides, attrs, type, out); return true;
  case OP_flip: *offset = flip(x, strides, attrs, out); return true;
  case OP_broadcast_to: strides_broadcast(type, x, strides, out); return true;
  case OP_sliding_window_view: windows(x, strides, &attrs->windows, out); return true;
  default: return false;
  }
}
