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

} // namespace

std::vector<array> mlx_elementwise(values &v, int i) {
  const g_node &n = v.g->node[i];
  bool where = n.op == OP_where;
  const array &x = input(v, i, 0);
  const array in[3] = {x, n.nin > 1 ? input(v, i, 1) : x, n.nin > 2 ? input(v, i, 2) : x};
  return {elementwise(n.op, v.gpu, input_type(v, i, where).dtype, in)};
}

std::vector<array> mlx_several(values &v, int i) {
  static constexpr struct {
    int op, first, second;
  } rows[] = {
#define ELEMENTWISE_TWO(name, rule, signature, first, second, doc) {OP_##name, OP_##first, OP_##second},
#include "ops/ops.def"
  };
  const g_node &n = v.g->node[i];
  const array &x = input(v, i, 0);
  const array in[3] = {x, input(v, i, n.nin - 1), x};
  tme_dtype t = input_type(v, i, 0).dtype;
  for (const auto &r : rows)
    if (r.op == n.op) return {elementwise(r.first, v.gpu, t, in), elementwise(r.second, v.gpu, t, in)};
  throw declined{"not an operation of MLX"};
}

std::vector<array> mlx_cast(values &v, int i) {
  return {cast(input(v, i, 0), input_type(v, i, 0).dtype, v.g->node[i].type.dtype, v.gpu)};
}

namespace {

constexpr op_family family_of[] = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc) FAMILY_elementwise,
#define STRUCTURED(name, family, signature, outputs, doc) FAMILY_##family,
#include "ops/ops.def"
};

using build_fn = std::vector<array>(values &v, int i);
constexpr build_fn *builders[FAMILY_COUNT] = {
#define MLX_YES(name) mlx_##name
#define MLX_NO(name) nullptr
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) MLX_##mlx(name),
#include "ops/families.def"
};

std::vector<array> build_op(values &v, int i) {
  const g_node &n = v.g->node[i];
  if (n.op == OP_pick) return {v.of[static_cast<size_t>(graph_in(v.g, i, 0))].at(static_cast<size_t>(n.leaf))};
  if (n.op == OP_iota) return {iota(v, i)};
  if (n.op == OP_barrier) return mx::depends({input(v, i, 0)}, {}); // what MLX's compile takes for nothing else
  build_fn *build = n.op < OP_PUBLIC_COUNT ? builders[family_of[n.op]] : nullptr;
  if (!build) throw declined{"not an operation of MLX"};
  return build(v, i);
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
