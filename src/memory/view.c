#include "memory/view.h"
#include <stdlib.h>
#include <string.h>

bool view_span(const array_view *v, int64_t *first, int64_t *last) {
  int64_t lo = 0, hi = 0, size = (int64_t)tme_dtype_size(v->dtype), bytes;
  *first = *last = 0;
  for (int d = 0; d < v->rank; d++)
    if (v->shape[d] == 0) return true;
  for (int d = 0; d < v->rank; d++) {
    int64_t reach;
    if (v->shape[d] <= 1) continue;
    if (__builtin_mul_overflow(v->strides[d], v->shape[d] - 1, &reach)) return false;
    if (__builtin_add_overflow(reach < 0 ? lo : hi, reach, reach < 0 ? &lo : &hi)) return false;
  }
  if (__builtin_sub_overflow(hi, lo, &bytes) || __builtin_add_overflow(bytes, 1, &bytes) ||
      __builtin_mul_overflow(bytes, size, &bytes) || __builtin_mul_overflow(lo, size, &bytes))
    return false;
  *first = lo;
  *last = hi + 1;
  return true;
}

/* n elements at a distance of `stride` elements. */
static void copy_row(char *dst, const char *src, int64_t n, int64_t stride, size_t size) {
  if (stride == 1) {
    memcpy(dst, src, (size_t)n * size);
    return;
  }
  int64_t step = stride * (int64_t)size;
#define COPY(bytes)                                                                                                    \
  case bytes:                                                                                                          \
    for (int64_t i = 0; i < n; i++) memcpy(dst + i * bytes, src + i * step, bytes);                                    \
    return;
  switch (size) {
    COPY(1)
    COPY(2)
    COPY(4)
    COPY(8)
    COPY(16)
  default: return;
  }
#undef COPY
}

/* The dimension that lies closest together in memory, where that is not the last one: -1 else. */
static int nearest(const array_view *v) {
  int last = v->rank - 1, best = -1;
  int64_t least = llabs(v->strides[last]);
  for (int d = 0; d < last; d++)
    if (v->shape[d] > 1 && llabs(v->strides[d]) < least && v->strides[d] != 0) {
      least = llabs(v->strides[d]);
      best = d;
    }
  return best;
}

/* Dimension d and the last one, in squares whose lines stay in the cache from one of their rows to the next; `row`:
 * elements of the result from one index of d to the next. */
static void copy_squares(char *dst, const char *src, const array_view *v, int d, int64_t row, size_t size) {
  enum { SIDE = 32 };
  int last = v->rank - 1;
  int64_t step = v->strides[d], far = v->strides[last], n = v->shape[d], m = v->shape[last];
  for (int64_t i0 = 0; i0 < n; i0 += SIDE)
    for (int64_t j = 0; j < m; j += SIDE)
      for (int64_t i = i0; i < n && i < i0 + SIDE; i++)
        copy_row(dst + (i * row + j) * (int64_t)size, src + (i * step + j * far) * (int64_t)size,
                 m - j < SIDE ? m - j : SIDE, far, size);
}

void view_pack(const array_view *v, const void *data, void *dst) {
  op_type t = view_type(v);
  size_t size = tme_dtype_size(v->dtype);
  int64_t total = type_size(&t), place[TME_MAX_RANK], at[TME_MAX_RANK] = {0};
  if (total == 0) return;
  if (strides_contiguous(&t, v->strides)) {
    memcpy(dst, data, (size_t)total * size);
    return;
  }
  type_strides(&t, place);
  int last = v->rank - 1, near = nearest(v);
  int64_t piece = v->shape[last] * (near < 0 ? 1 : v->shape[near]);
  const char *src = data;
  char *to = dst;
  for (int64_t done = 0; done < total; done += piece) {
    if (near < 0)
      copy_row(to, src, v->shape[last], v->strides[last], size);
    else
      copy_squares(to, src, v, near, place[near], size);
    for (int d = last - 1; d >= 0; d--) {
      if (d == near) continue;
      src += v->strides[d] * (int64_t)size;
      to += place[d] * (int64_t)size;
      if (++at[d] < v->shape[d]) break;
      src -= v->strides[d] * v->shape[d] * (int64_t)size;
      to -= place[d] * v->shape[d] * (int64_t)size;
      at[d] = 0;
    }
  }
}
