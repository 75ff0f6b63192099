// Products of matrices, attention, decompositions.
#include "backend/mlx/region.h"

#include <cmath>

namespace tme_mlx {

namespace {

// On the CPU MLX adds up 16-bit products in steps of its own: f32 there, one rounding at the end.
array wide_on_cpu(const values &v, const array &x, tme_dtype t) { return v.gpu ? x : widen(x, t); }

array matmul(values &v, int i) {
  const g_node &n = v.g->node[i];
  tme_dtype t = n.type.dtype;
  if (!is_float(t) && !is_complex(t)) throw declined{"MLX multiplies matrices of floating numbers alone"};
  array x = wide_on_cpu(v, input(v, i, 0), t), y = wide_on_cpu(v, input(v, i, 1), t);
  array r = mx::matmul(x, y);
  return r.dtype() == dtype_of(t) ? r : mx::astype(r, dtype_of(t));
}

// ---- attention -------------------------------------------------------------------------------------------------------

// Each head of k or v repeated for the group of heads of q that share it.
array repeat_heads(const array &x, int64_t heads) {
  if (x.ndim() < 3) return x;
  int64_t own = x.shape(-3);
  return own == 1 || own >= heads || heads % own ? x : mx::repeat(x, static_cast<int>(heads / own), -3);
}

// p v without the values that weigh 0, which may be NaN or infinite: those that are so are counted apart from the others.
array sums_of_seen(const array &p, const array &v) {
  array zero = mx::zeros({}, v.dtype()), infinity = mx::full({}, INFINITY, v.dtype()), nan = mx::isnan(v);
  array seen = mx::astype(mx::not_equal(p, zero), v.dtype());
  array sums = mx::matmul(p, mx::where(mx::isfinite(v), v, zero));
  for (const array &bound : {infinity, mx::negative(infinity)}) {
    array reached = mx::astype(mx::logical_or(nan, mx::equal(v, bound)), v.dtype());
    sums = mx::add(sums, mx::where(mx::greater(mx::matmul(seen, reached), zero), bound, zero));
  }
  return sums;
}

// The result, or the weights alone. Without a mask a value that weighs 0 is one that underflowed, and is read.
array attention(values &v, int i, bool weights) {
  const g_node &n = v.g->node[i];
  const op_attrs &a = *graph_attrs(v.g, i);
  double scale = weights ? a.weights.scale : a.attention.scale;
  bool causal = weights ? a.weights.causal : a.attention.causal;
  tme_dtype t = n.type.dtype, w = is_half(t) ? TME_F32 : t;
  context c = {w, v.gpu, false};
  array q = widen(input(v, i, 0), t), k = widen(input(v, i, 1), t);
  int rows = q.shape(-2), keys = k.shape(-2), mask_at = weights ? 2 : 3;
  if (!keys) return mx::full(shape_of(n.type), NAN, dtype_of(t));
  int64_t heads = q.ndim() > 2 ? q.shape(-3) : 1;
  k = repeat_heads(k, heads);
  array s = mx::multiply(mx::matmul(q, mx::swapaxes(k, -1, -2)), p_number(c, scale));
  array never = p_number(c, -INFINITY);
  bool masked = has_input(v, i, mask_at);
  if (masked) {
    array mask = input(v, i, mask_at);
    if (mask.dtype() != mx::bool_) {
      mask = mx::astype(mask, dtype_of(w));
      s = mx::add(s, mask);
      mask = mx::not_equal(mask, never);
    }
    s = mx::where(mask, s, never);
  }
  if (causal) {
    array row = mx::reshape(mx::arange(keys - rows, keys, 1), {rows, 1});
    s = mx::where(mx::less_equal(mx::arange(0, keys, 1), row), s, never);
  }
  array p = s.size() ? softmax_along(c, s, {-1}) : s;
  if (weights) return narrow(p, t);
  array values_of_keys = repeat_heads(widen(input(v, i, 2), t), heads);
  return narrow(masked || causal ? sums_of_seen(p, values_of_keys) : mx::matmul(p, values_of_keys), t);
}

// ---- singular values -------------------------------------------------------------------------------------------------

// MLX decomposes on the CPU alone, in full alone, and ends the process where LAPACK reports an error, as it does for NaN:
// such matrices are replaced by zeros before, and by NaN afterwards.
std::vector<array> decompose(values &v, int i) {
  const g_node &n = v.g->node[i];
  const op_type &in = input_type(v, i, 0);
  tme_dtype t = in.dtype;
  if (is_complex(t)) throw declined{"MLX has no singular values of complex matrices"};
  int64_t rows = in.shape[in.rank - 2], columns = in.shape[in.rank - 1], least = std::min(rows, columns);
  for (int d = 0; d < in.rank; d++)
    if (!in.shape[d]) throw declined{"MLX decomposes no empty matrices"};
  bool vectors = n.op == OP_svd, full = vectors && graph_attrs(v.g, i)->svd.full_matrices;
  if (vectors && !full && std::max(rows, columns) > 8 * least)
    throw declined{"MLX has no thin form of the svd: it would compute all vectors of a long matrix"};
  array x = widen(input(v, i, 0), t);
  array good = mx::all(mx::isfinite(x), std::vector<int>{-2, -1}, true);
  array safe = mx::where(good, x, mx::zeros_like(x));
  std::vector<array> out = mx::linalg::svd(safe, vectors, mx::Device(mx::Device::cpu));
  if (vectors && !full) {
    mx::Shape start(static_cast<size_t>(in.rank), 0), stop = out[0].shape();
    stop[static_cast<size_t>(in.rank - 1)] = static_cast<mx::ShapeElem>(least);
    out[0] = mx::slice(out[0], start, stop);
    stop = out[2].shape();
    stop[static_cast<size_t>(in.rank - 2)] = static_cast<mx::ShapeElem>(least);
    out[2] = mx::slice(out[2], start, stop);
  }
  array nan = constant(is_half(t) ? TME_F32 : t, NAN);
  for (size_t o = 0; o < out.size(); o++) {
    bool values_only = !vectors || o == 1;
    out[o] = narrow(mx::where(values_only ? mx::squeeze(good, -1) : good, out[o], nan), t);
  }
  v.checks.push_back({false, i, TME_BOOL, 0, 0});
  v.checked.push_back(mx::flatten(mx::logical_not(good)));
  return out;
}

} // namespace

std::vector<array> mlx_matmul(values &v, int i) { return {matmul(v, i)}; }
std::vector<array> mlx_attention(values &v, int i) { return {attention(v, i, false)}; }
std::vector<array> mlx_weights(values &v, int i) { return {attention(v, i, true)}; }
std::vector<array> mlx_svd(values &v, int i) { return decompose(v, i); }

} // namespace tme_mlx
