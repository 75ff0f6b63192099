#include "backend/reference/iter.h"
#include "base/convert.h"
#include <string.h>

/* Whether a step along dimension d is, for all arrays, as long as all of the dimension after it. */
static bool collapses(const ref_iter *it, int d, const int64_t *strides, int64_t extent) {
  for (int a = 0; a < it->n; a++)
    if (it->stride[a][d] != strides[a] * extent) return false;
  return true;
}

bool iter_start(ref_iter *it, int rank, const int64_t *shape, int n, const int64_t *const *strides) {
  memset(it, 0, sizeof *it);
  it->n = n;
  it->inner = 1;
  for (int d = 0; d < rank; d++) {
    int64_t step[ITER_MAX] = {0};
    if (shape[d] == 0) return false;
    if (shape[d] == 1) continue;
    for (int a = 0; a < n; a++) step[a] = strides[a][d];
    int last = it->rank - 1;
    if (last >= 0 && collapses(it, last, step, shape[d])) {
      it->shape[last] *= shape[d];
    } else {
      it->shape[++last] = shape[d];
      it->rank++;
    }
    for (int a = 0; a < n; a++) it->stride[a][last] = step[a];
  }
  if (it->rank == 0) return true;
  it->rank--;
  it->inner = it->shape[it->rank];
  for (int a = 0; a < n; a++) it->step[a] = it->stride[a][it->rank];
  return true;
}

bool iter_next(ref_iter *it) {
  for (int d = it->rank - 1; d >= 0; d--) {
    bool carry = ++it->index[d] == it->shape[d];
    for (int a = 0; a < it->n; a++) it->offset[a] += carry ? -it->stride[a][d] * (it->shape[d] - 1) : it->stride[a][d];
    if (!carry) return true;
    it->index[d] = 0;
  }
  return false;
}

void broadcast_strides(const op_type *shape, const ref_array *x, int64_t out[static TME_MAX_RANK]) {
  strides_broadcast(shape, &x->type, x->strides, out);
}

ref_space dims_of(const op_type *t, const int64_t *strides, uint32_t axes) {
  ref_space r = {.size = 1};
  for (int d = 0; d < t->rank; d++) {
    if (!(axes >> d & 1)) continue;
    r.shape[r.rank] = t->shape[d];
    r.stride[r.rank++] = strides[d];
    r.size *= t->shape[d];
  }
  return r;
}

#define COPY(type)                                                                                                     \
  for (int64_t i = 0; i < it.inner; i++) ((type *)dst)[i * it.step[1]] = ((const type *)src)[i * it.step[0]];          \
  break

typedef struct pair {
  uint64_t v[2];
} pair;

void copy_strided(int rank, const int64_t *shape, size_t size, const char *from, const int64_t *from_strides, char *to,
                  const int64_t *to_strides) {
  ref_iter it;
  const int64_t *strides[2] = {from_strides, to_strides};
  for (bool more = iter_start(&it, rank, shape, 2, strides); more; more = iter_next(&it)) {
    const void *src = from + it.offset[0] * (int64_t)size;
    void *dst = to + it.offset[1] * (int64_t)size;
    if (it.step[0] == 1 && it.step[1] == 1) {
      memcpy(dst, src, size * (size_t)it.inner);
      continue;
    }
    switch (size) {
    case 1: COPY(uint8_t);
    case 2: COPY(uint16_t);
    case 4: COPY(uint32_t);
    case 8: COPY(uint64_t);
    default: COPY(pair);
    }
  }
}

void convert_strided(int rank, const int64_t *shape, tme_dtype from, const char *src, const int64_t *src_strides,
                     tme_dtype to, char *dst, const int64_t *dst_strides) {
  if (from == to && from != TME_BOOL) {
    copy_strided(rank, shape, tme_dtype_size(from), src, src_strides, dst, dst_strides);
    return;
  }
  ref_iter it;
  const int64_t *strides[2] = {src_strides, dst_strides};
  for (bool more = iter_start(&it, rank, shape, 2, strides); more; more = iter_next(&it))
    convert_run(from, src + it.offset[0] * (int64_t)tme_dtype_size(from), it.step[0], to,
                dst + it.offset[1] * (int64_t)tme_dtype_size(to), it.step[1], it.inner);
}
