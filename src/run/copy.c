#include "run/copy.h"
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

void view_pack(const array_view *v, const void *data, void *dst) {
  op_type t = view_type(v);
  size_t size = tme_dtype_size(v->dtype);
  int64_t total = type_size(&t);
  if (total == 0) return;
  if (strides_contiguous(&t, v->strides)) {
    memcpy(dst, data, (size_t)total * size);
    return;
  }
  int outer = v->rank - 1;
  int64_t row = v->shape[outer], at[TME_MAX_RANK] = {0};
  const char *src = data;
  char *to = dst;
  for (int64_t done = 0; done < total; done += row) {
    copy_row(to, src, row, v->strides[outer], size);
    to += (size_t)row * size;
    for (int d = outer - 1; d >= 0; d--) {
      src += v->strides[d] * (int64_t)size;
      if (++at[d] < v->shape[d]) break;
      src -= v->strides[d] * v->shape[d] * (int64_t)size;
      at[d] = 0;
    }
  }
}
