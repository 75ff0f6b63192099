// A region of the graph as a graph of MLX.
#ifndef TME_MLX_REGION_H
#define TME_MLX_REGION_H

#include "backend/mlx/primitives.h"

#include <vector>

namespace tme_mlx {

// What must be looked at once the region is computed, for MLX reports no errors from within: values that come behind
// those of the roots.
struct check {
  bool indices; // of a take, as int64: within the extent; else one flag per matrix: it holds NaN or infinity
  int node;
  tme_dtype dtype; // of the indices
  int axis;
  int64_t extent;
};

// The values of a region's nodes while it is built.
struct values {
  const graph *g;
  bool gpu;
  std::vector<std::vector<array>> of; // per node: its outputs
  std::vector<check> checks;
  std::vector<array> checked;
};

// Adds the outputs of node i, whose inputs are there. Throws `declined`, or what MLX throws.
void build_node(values &v, int i);
// One per family that MLX has.
#define MLX_YES(name) std::vector<array> mlx_##name(values &v, int i);
#define MLX_NO(name)
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) MLX_##mlx(name)
#include "ops/families.def"
#undef MLX_YES
#undef MLX_NO
array iota(const values &v, int i);

inline const array &input(const values &v, int i, int k) { return v.of[static_cast<size_t>(graph_in(v.g, i, k))][0]; }
inline bool has_input(const values &v, int i, int k) { return k < v.g->node[i].nin && graph_in(v.g, i, k) >= 0; }
inline const op_type &input_type(const values &v, int i, int k) { return v.g->node[graph_in(v.g, i, k)].type; }
std::vector<int> axes_of(uint32_t mask);
// 16-bit floats as f32, others as they are; and back.
array widen(const array &x, tme_dtype t);
array narrow(const array &x, tme_dtype t);
// Sums of numbers: axes in ascending order; of many terms, in blocks.
array sum_over(const array &x, const std::vector<int> &axes, bool keepdims);
// In the type of the context; 16-bit floats may come and go as such.
array softmax_along(const context &c, const array &x, const std::vector<int> &axes);

} // namespace tme_mlx

#endif
