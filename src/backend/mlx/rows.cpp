// Reductions and what works along rows.
#include "backend/mlx/region.h"

#include <cmath>

namespace tme_mlx {

namespace {

double count_of(const op_type &t, uint32_t axes) {
  double n = 1;
  for (int d = 0; d < t.rank; d++)
    if (axes >> d & 1) n *= static_cast<double>(t.shape[d]);
  return n;
}

bool is_empty(const op_type &t) {
  for (int d = 0; d < t.rank; d++)
    if (!t.shape[d]) return true;
  return false;
}

// A product of n numbers is rounded n times: of many, in twice the width.
array product(const array &x, tme_dtype t, double n, const std::vector<int> &axes, bool keepdims, bool gpu) {
  bool many = n > 512;
  if (many && t == TME_C64)
    throw declined{"long products of complex numbers would be rounded to complex64 at every step"};
  if (many && gpu && is_float(t)) throw declined{"long products are made in float64, which MLX has on the CPU alone"};
  if (!many || !is_float(t) || t == TME_F64) return mx::prod(x, axes, keepdims);
  return mx::astype(mx::prod(mx::astype(x, mx::float64), axes, keepdims), x.dtype());
}

// MLX's kernels expect at least one element.
array reduce(int op, const array &x, const op_type &type, const op_type &in, uint32_t mask, bool keepdims, bool gpu) {
  if (is_empty(in)) return mx::full(shape_of(type), constant(type.dtype, op == OP_prod || op == OP_all));
  if (!mask) return x;
  std::vector<int> axes = axes_of(mask);
  switch (op) {
  case OP_sum:
    return is_float(type.dtype) || is_complex(type.dtype) ? sum_over(x, axes, keepdims) : mx::sum(x, axes, keepdims);
  case OP_prod: return product(x, type.dtype, count_of(in, mask), axes, keepdims, gpu);
  case OP_min: return mx::min(x, axes, keepdims);
  case OP_max: return mx::max(x, axes, keepdims);
  case OP_any: return mx::any(x, axes, keepdims);
  default: return mx::all(x, axes, keepdims);
  }
}

array log_sum_exp(const context &c, const array &x, const std::vector<int> &axes, bool keepdims) {
  array m = axes.empty() ? x : mx::max(x, axes, true);
  m = mx::where(mx::isfinite(m), m, p_number(c, 0)); // an infinite maximum would make x - m NaN
  array sum = sum_over(p_exp(c, mx::subtract(x, m)), axes, keepdims);
  if (!keepdims && !axes.empty()) m = mx::squeeze(m, axes);
  return mx::add(mx::log(sum), m);
}

// The mean taken away, and then what its rounding left.
array centre(const array &x, const std::vector<int> &axes, const array &count) {
  array d = mx::subtract(x, mx::divide(sum_over(x, axes, true), count));
  return mx::subtract(d, mx::divide(sum_over(d, axes, true), count));
}

array statistics(values &v, int i) {
  const g_node &n = v.g->node[i];
  const statistics_attrs &a = graph_attrs(v.g, i)->statistics;
  const op_type &in = input_type(v, i, 0);
  tme_dtype t = is_half(in.dtype) ? TME_F32 : in.dtype;
  context c = {t, v.gpu, false};
  double count = count_of(in, a.axes.mask);
  if (is_empty(in)) return mx::full(shape_of(n.type), saturated(n.type.dtype, n.op == OP_logsumexp ? -INFINITY : NAN));
  array x = mx::astype(input(v, i, 0), dtype_of(t));
  std::vector<int> axes = axes_of(a.axes.mask);
  if (n.op == OP_logsumexp) return narrow(log_sum_exp(c, x, axes, a.keepdims), n.type.dtype);
  array total = p_number(c, count);
  mx::Dtype to = dtype_of(n.type.dtype);
  if (n.op == OP_mean) return mx::astype(mx::divide(sum_over(x, axes, a.keepdims), total), to);
  array d = centre(x, axes, total);
  array squares = sum_over(mx::multiply(d, d), axes, a.keepdims);
  array var = mx::divide(squares, p_number(c, std::fmax(count - a.correction, 0)));
  return mx::astype(n.op == OP_std ? mx::sqrt(var) : var, to);
}

// MLX's search passes NaN over.
array search(values &v, int i) {
  const g_node &n = v.g->node[i];
  uint32_t axes = graph_attrs(v.g, i)->argreduce.axes.mask;
  const op_type &in = input_type(v, i, 0);
  array x = input(v, i, 0);
  int axis = 0;
  if (in.rank != 1 && axes == (1u << in.rank) - 1)
    x = mx::reshape(x, {-1});
  else
    while (!(axes >> axis & 1)) axis++;
  array at = n.op == OP_argmin ? mx::argmin(x, axis) : mx::argmax(x, axis);
  if (is_float(in.dtype)) {
    array nan = mx::isnan(x);
    at = mx::where(mx::any(nan, axis), mx::argmax(mx::astype(nan, mx::uint8), axis), at);
  }
  return mx::reshape(mx::astype(at, mx::int64), shape_of(n.type));
}

array softmax(values &v, int i) {
  const g_node &n = v.g->node[i];
  std::vector<int> axes = axes_of(graph_attrs(v.g, i)->softmax.axes.mask);
  tme_dtype t = n.type.dtype;
  array x = input(v, i, 0);
  if (is_empty(n.type)) return x;
  context c = {is_half(t) ? TME_F32 : t, v.gpu, false};
  if (n.op == OP_softmax) return narrow(softmax_along(c, x, axes), t);
  x = widen(x, t);
  array d = mx::subtract(x, mx::max(x, axes, true));
  return narrow(mx::subtract(d, mx::log(sum_over(p_exp(c, d), axes, true))), t);
}

array norm(values &v, int i) {
  const g_node &n = v.g->node[i];
  tme_dtype t = n.type.dtype;
  double eps = graph_attrs(v.g, i)->norm.eps;
  array x = input(v, i, 0);
  if (is_empty(n.type)) return x;
  std::optional<array> weight, bias;
  if (has_input(v, i, 1)) weight = input(v, i, 1);
  if (has_input(v, i, 2)) bias = input(v, i, 2);
  bool centred = n.op == OP_layer_norm;
  // MLX's own take eps as f32, and round 16-bit rows before the weight.
  if (t == TME_F32 && v.gpu) {
    float e = static_cast<float>(eps);
    return centred ? mx::fast::layer_norm(x, weight, bias, e) : mx::fast::rms_norm(x, weight, e);
  }
  context c = {is_half(t) ? TME_F32 : t, v.gpu, false};
  x = widen(x, t);
  int last = n.type.rank - 1;
  array count = p_number(c, static_cast<double>(n.type.shape[last]));
  if (centred) x = centre(x, {last}, count);
  array square = mx::divide(sum_over(mx::multiply(x, x), {last}, true), count);
  array y = mx::divide(x, mx::sqrt(mx::add(square, p_number(c, eps))));
  if (weight) y = mx::multiply(y, widen(*weight, t));
  if (bias) y = mx::add(y, widen(*bias, t));
  return narrow(y, t);
}

} // namespace

// MLX's own adds up a row in few accumulators.
array softmax_along(const context &c, const array &x, const std::vector<int> &axes) {
  constexpr int MOST_SOFTMAX = 1024;
  int row = 1;
  for (int axis : axes) row = std::min(row * std::min(x.shape(axis), MOST_SOFTMAX + 1), MOST_SOFTMAX + 1);
  if (c.type != TME_F64 && row <= MOST_SOFTMAX) return mx::softmax(x, axes, true);
  array wide = mx::astype(x, dtype_of(c.type)), p = p_exp(c, mx::subtract(wide, mx::max(wide, axes, true)));
  return mx::divide(p, sum_over(p, axes, true));
}

std::vector<array> mlx_reduce(values &v, int i) {
  const g_node &n = v.g->node[i];
  const reduce_attrs &a = graph_attrs(v.g, i)->reduce;
  tme_dtype t = n.type.dtype;
  array x = widen(input(v, i, 0), t);
  return {narrow(reduce(n.op, x, n.type, input_type(v, i, 0), a.axes.mask, a.keepdims, v.gpu), t)};
}

std::vector<array> mlx_statistics(values &v, int i) { return {statistics(v, i)}; }
std::vector<array> mlx_argreduce(values &v, int i) { return {search(v, i)}; }
std::vector<array> mlx_softmax(values &v, int i) { return {softmax(v, i)}; }
std::vector<array> mlx_norm(values &v, int i) { return {norm(v, i)}; }

} // namespace tme_mlx
