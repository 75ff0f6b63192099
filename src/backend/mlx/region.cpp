#include "backend/mlx/region.h"

#include <limits>

namespace tme_mlx {

std::vector<int> axes_of(uint32_t mask) {
  std::vector<int> axes;
  for (int d = 0; d < TME_MAX_RANK; d++)
    if (mask >> d & 1) axes.push_back(d);
  return axes;
}

array widen(const array &x, tme_dtype t) { return is_half(t) ? mx::astype(x, mx::float32) : x; }
array narrow(const array &x, tme_dtype t) { return is_half(t) ? mx::astype(x, dtype_of(t)) : x; }

namespace {

void check_type(const op_type &t, bool gpu) {
  dtype_of(t.dtype);
  if (gpu && t.dtype == TME_F64) throw declined{"MLX has float64 on the CPU alone"};
  int64_t n = 1;
  for (int d = 0; d < t.rank; d++) {
    if (t.shape[d] > std::numeric_limits<int32_t>::max()) n = std::numeric_limits<int64_t>::max();
    if (__builtin_mul_overflow(n, t.shape[d], &n)) break;
  }
  if (n > std::numeric_limits<int32_t>::max()) throw declined{"MLX counts elements in 32 bits"};
}

array build_elementwise(values &v, int i) {
  const g_node &n = v.g->node[i];
  bool where = n.op == OP_where;
  const array &x = input(v, i, 0);
  const array in[3] = {x, n.nin > 1 ? input(v, i, 1) : x, n.nin > 2 ? input(v, i, 2) : x};
  return elementwise(n.op, v.gpu, input_type(v, i, where).dtype, in);
}

std::vector<array> build_op(values &v, int i) {
  const g_node &n = v.g->node[i];
  if (is_elementwise(n.op)) return {build_elementwise(v, i)};
  // All others by name: an operation that is added to ops.def must be mapped here, or be declined.
  switch (static_cast<op_id>(n.op)) {
  case OP_astype: return {cast(input(v, i, 0), input_type(v, i, 0).dtype, n.type.dtype, v.gpu)};
  case OP_sum:
  case OP_prod:
  case OP_min:
  case OP_max:
  case OP_any:
  case OP_all:
  case OP_mean:
  case OP_var:
  case OP_std:
  case OP_logsumexp:
  case OP_argmin:
  case OP_argmax:
  case OP_softmax:
  case OP_log_softmax:
  case OP_layer_norm:
  case OP_rms_norm: return build_rows(v, i);
  case OP_matmul:
  case OP_scaled_dot_product_attention:
  case OP_attention_weights:
  case OP_svd:
  case OP_svdvals: return build_products(v, i);
  case OP_reshape:
  case OP_transpose:
  case OP_slice:
  case OP_broadcast_to:
  case OP_squeeze:
  case OP_expand_dims:
  case OP_flip:
  case OP_pad:
  case OP_concatenate:
  case OP_stack:
  case OP_take:
  case OP_zeros:
  case OP_ones:
  case OP_full:
  case OP_arange:
  case OP_linspace:
  case OP_eye:
  case OP_iota: return build_shape(v, i);
  case OP_pick: return {v.of[static_cast<size_t>(graph_in(v.g, i, 0))].at(static_cast<size_t>(n.leaf))};
  case OP_leaf: // made by the function itself
  case OP_literal: break;
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc) case OP_##name:
#include "ops/ops.def"
  case OP_COUNT: break;
  }
  throw declined{"not an operation of MLX"};
}

} // namespace

void build_node(values &v, int i) {
  const g_node &n = v.g->node[i];
  check_type(n.type, v.gpu);
  for (int k = 0; k < n.nin; k++)
    if (has_input(v, i, k)) check_type(input_type(v, i, k), v.gpu);
  v.of[static_cast<size_t>(i)] = build_op(v, i);
}

} // namespace tme_mlx
