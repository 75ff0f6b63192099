/* Views by strides: axes in another order, diagonals, any strides. */
#include "ops/views.h"
#include <string.h>

static void move(const strided_attrs *a, int rank, int order[static TME_MAX_RANK]) {
  unsigned moved = 0;
  int next = 0;
  for (int i = 0; i < rank; i++) order[i] = -1;
  for (int i = 0; i < a->source.n; i++) {
    order[a->destination.v[i]] = (int)a->source.v[i];
    moved |= 1u << a->source.v[i];
  }
  for (int i = 0; i < rank; i++) {
    if (order[i] >= 0) continue;
    while (moved >> next & 1) next++;
    order[i] = next++;
  }
}

void strided_order(int op, const op_attrs *attrs, int rank, int order[static TME_MAX_RANK]) {
  const strided_attrs *a = &attrs->strided;
  if (op == OP_moveaxis) {
    move(a, rank, order);
    return;
  }
  int64_t one = op == OP_swapaxes ? a->axis1 : rank - 2, other = op == OP_swapaxes ? a->axis2 : rank - 1;
  for (int d = 0; d < rank; d++) order[d] = d;
  order[one] = (int)other;
  order[other] = (int)one;
}

static int64_t diagonal(const op_type *x, const int64_t *strides, const strided_attrs *a, const op_type *type,
                        int64_t *out) {
  int n = 0;
  for (int d = 0; d < x->rank; d++)
    if (d != a->axis1 && d != a->axis2) out[n++] = strides[d];
  out[n] = strides[a->axis1] + strides[a->axis2];
  if (!type_size(type)) return 0;
  return a->offset < 0 ? -a->offset * strides[a->axis1] : a->offset * strides[a->axis2];
}

void strided_view(int op, const op_type *x, const int64_t *strides, const op_attrs *attrs, const op_type *type,
                  int64_t *offset, int64_t *out) {
  const strided_attrs *a = &attrs->strided;
  int order[TME_MAX_RANK];
  *offset = 0;
  switch (op) {
  case OP_diagonal: *offset = diagonal(x, strides, a, type, out); return;
  case OP_as_strided:
    memcpy(out, a->strides.v, sizeof *out * (size_t)type->rank);
    *offset = type_size(type) ? a->offset : 0;
    return;
  default:
    strided_order(op, attrs, x->rank, order);
    for (int d = 0; d < x->rank; d++) out[d] = strides[order[d]];
  }
}
