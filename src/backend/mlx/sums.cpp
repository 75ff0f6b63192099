// Long sums. MLX adds up what lies along a strided axis one after the other, and few numbers side by side along rows:
// 2e7 f32 ones are 16777216, and a tenth of that many times 0.1 is 1 % off. So no more than MOST_TERMS at a time are left
// to it.
#include "backend/mlx/region.h"

namespace tme_mlx {

namespace {

constexpr int MOST_TERMS = 256, LEAST_TERMS = 64;

// The largest divisor of n that makes good blocks, or MOST_TERMS where the last block is shorter than the others.
int block_of(int n) {
  for (int b = MOST_TERMS; b >= LEAST_TERMS; b--)
    if (n % b == 0) return b;
  return MOST_TERMS;
}

array part(const array &x, int axis, int from, int to) {
  mx::Shape start(x.ndim(), 0), stop = x.shape();
  start[static_cast<size_t>(axis)] = from;
  stop[static_cast<size_t>(axis)] = to;
  return mx::slice(x, start, stop);
}

// Along one axis, which stays with an extent of 1.
array sum_along(const array &x, int axis) {
  int n = x.shape(axis);
  if (n <= MOST_TERMS) return mx::sum(x, axis, true);
  int block = block_of(n), blocks = n / block, whole = blocks * block;
  mx::Shape shape = x.shape();
  shape[static_cast<size_t>(axis)] = block;
  shape.insert(shape.begin() + axis, blocks);
  array sums = mx::sum(mx::reshape(part(x, axis, 0, whole), shape), axis + 1, false);
  if (whole < n) sums = mx::concatenate({sums, mx::sum(part(x, axis, whole, n), axis, true)}, axis);
  return sum_along(sums, axis);
}

} // namespace

array sum_over(const array &x, const std::vector<int> &axes, bool keepdims) {
  double terms = 1;
  for (int axis : axes) terms *= x.shape(axis);
  if (axes.empty()) return x;
  if (terms <= MOST_TERMS) return mx::sum(x, axes, keepdims);
  array sum = x;
  for (auto axis = axes.rbegin(); axis != axes.rend(); axis++) sum = sum_along(sum, *axis);
  return keepdims ? sum : mx::squeeze(sum, axes);
}

} // namespace tme_mlx
