/* Operations that move elements: copies, where reference_view cannot describe the result. */
#include "backend/reference/convert.h"
#include "backend/reference/iter.h"
#include <string.h>

static void view_transpose(const ref_array *x, const op_attrs *a, ref_array *out) {
  for (int d = 0; d < x->type.rank; d++) out->strides[d] = x->strides[a->list[0].v[d]];
}

static void view_slice(const ref_array *x, const op_attrs *a, const op_type *type, ref_array *out) {
  int64_t offset = 0;
  for (int d = 0; d < x->type.rank; d++) {
    offset += type->shape[d] ? a->list[0].v[d] * x->strides[d] : 0;
    out->strides[d] = a->list[2].v[d] * x->strides[d];
  }
  if (type_size(type)) out->data += offset * (int64_t)tme_dtype_size(type->dtype);
}

static void view_flip(const ref_array *x, const op_attrs *a, ref_array *out) {
  bool any = type_size(&x->type) != 0;
  for (int d = 0; d < x->type.rank; d++) {
    out->strides[d] = x->strides[d];
    if (!(a->axes >> d & 1)) continue;
    out->strides[d] = -x->strides[d];
    if (any) out->data += (x->type.shape[d] - 1) * x->strides[d] * (int64_t)tme_dtype_size(x->type.dtype);
  }
}

/* A reshape without a copy: runs of dimensions that are one in memory are cut anew. */
static bool view_reshape(const ref_array *x, const op_type *type, ref_array *out) {
  if (!type_size(type)) {
    type_strides(type, out->strides);
    return true;
  }
  int64_t shape[TME_MAX_RANK], strides[TME_MAX_RANK]; /* x without extents of 1 */
  int rank = 0, from = 0, to = 0;
  for (int d = 0; d < x->type.rank; d++) {
    if (x->type.shape[d] == 1) continue;
    shape[rank] = x->type.shape[d];
    strides[rank++] = x->strides[d];
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
      out->strides[d] = step;
      step *= type->shape[d];
    }
    from = from_end;
    to = to_end;
  }
  for (; to < type->rank; to++) out->strides[to] = 1;
  return true;
}

bool reference_view(int op, const ref_array *in, const op_attrs *attrs, const op_type *type, ref_array *out) {
  ref_array v = {.type = *type, .data = in->data};
  switch (op) {
  case OP_reshape:
  case OP_squeeze:
  case OP_expand_dims:
    if (!view_reshape(in, type, &v)) return false;
    break;
  case OP_transpose: view_transpose(in, attrs, &v); break;
  case OP_slice: view_slice(in, attrs, type, &v); break;
  case OP_flip: view_flip(in, attrs, &v); break;
  case OP_broadcast_to: broadcast_strides(type, in, v.strides); break;
  default: return false;
  }
  *out = v;
  return true;
}

/* The value in every place, then x over it. */
static void pad(const ref_call *c) {
  const ref_array *x = c->in[0], *out = &c->out[0];
  int64_t none[TME_MAX_RANK] = {0}, offset = 0;
  size_t size = tme_dtype_size(x->type.dtype);
  uint64_t bits[2];
  char value[16];
  number_bits(&c->attrs->num[0], x->type.dtype, bits);
  literal_store(x->type.dtype, bits, value);
  copy_strided(out->type.rank, out->type.shape, size, value, none, out->data, out->strides);
  for (int d = 0; d < x->type.rank; d++) offset += c->attrs->list[0].v[d] * out->strides[d];
  copy_strided(x->type.rank, x->type.shape, size, x->data, x->strides, out->data + offset * (int64_t)size,
               out->strides);
}

tme_status ref_shape(ref_call *c, error *e) {
  (void)e;
  const ref_array *out = &c->out[0];
  ref_array v = *c->in[0];
  int64_t strides[TME_MAX_RANK];
  if (c->op == OP_pad) {
    pad(c);
    return TME_OK;
  }
  /* A reshape that is no view copies x in its own shape: the elements' order is the same. */
  reference_view(c->op, c->in[0], c->attrs, &out->type, &v);
  type_strides(&v.type, strides);
  copy_strided(v.type.rank, v.type.shape, tme_dtype_size(v.type.dtype), v.data, v.strides, out->data, strides);
  return TME_OK;
}
