/* take: checks all indices, then copies one slice of x per index. */
#include "backend/reference/iter.h"

static tme_status read_indices(const char *op, const ref_array *indices, int64_t extent, int axis, int64_t *to,
                               error *e) {
  int64_t n = type_size(&indices->type), strides[TME_MAX_RANK];
  type_strides(&indices->type, strides);
  convert_strided(indices->type.rank, indices->type.shape, indices->type.dtype, indices->data, indices->strides,
                  TME_I64, (char *)to, strides);
  for (int64_t i = 0; i < n; i++) {
    int64_t v = to[i];
    bool huge = indices->type.dtype == TME_U64 && v < 0;
    if (huge || v < -extent || v >= extent) {
      if (huge)
        return fail(e, TME_ERR_INDEX, "%s: index %llu at position %lld is out of range for axis %d with extent %lld",
                    op, (unsigned long long)v, (long long)i, axis, (long long)extent);
      return fail(e, TME_ERR_INDEX, "%s: index %lld at position %lld is out of range for axis %d with extent %lld", op,
                  (long long)v, (long long)i, axis, (long long)extent);
    }
    if (v < 0) to[i] = v + extent;
  }
  return TME_OK;
}

/* Broadcast ones of a byte may need more memory than can be addressed. */
int64_t *reference_indices(const char *op, const ref_array *indices, int64_t extent, int axis, error *e) {
  size_t bytes;
  bool fits = mul_size((size_t)type_size(&indices->type), sizeof(int64_t), &bytes);
  int64_t *index = fits ? mem_alloc(bytes) : NULL;
  if (!index) {
    fail_memory(e, op, fits ? bytes : SIZE_MAX);
    return NULL;
  }
  if (read_indices(op, indices, extent, axis, index, e) == TME_OK) return index;
  mem_free(index);
  return NULL;
}

tme_status reference_check_indices(const ref_array *indices, int64_t extent, int axis, error *e) {
  int64_t *index = reference_indices("take", indices, extent, axis, e);
  if (!index) return e->code;
  mem_free(index);
  return TME_OK;
}

tme_status ref_take(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *out = &c->out[0];
  int axis = (int)c->attrs->take.axis, rank = c->in[1]->type.rank;
  int64_t n = type_size(&c->in[1]->type), size = (int64_t)tme_dtype_size(x->type.dtype);
  int64_t *index = reference_indices("take", c->in[1], x->type.shape[axis], axis, e);
  if (!index) return e->code;
  uint32_t others = ~(1u << axis);
  ref_space from = dims_of(&x->type, x->strides, others);
  int64_t to[TME_MAX_RANK], step = rank ? out->strides[axis + rank - 1] : 0;
  for (int d = 0; d < from.rank; d++) to[d] = out->strides[d < axis ? d : d + rank];
  for (int64_t i = 0; i < n; i++)
    copy_strided(from.rank, from.shape, (size_t)size, x->data + index[i] * x->strides[axis] * size, from.stride,
                 out->data + i * step * size, to);
  mem_free(index);
  return TME_OK;
}
