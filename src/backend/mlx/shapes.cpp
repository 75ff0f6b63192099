// Views, joins, selection, creation.
#include "backend/mlx/region.h"

namespace tme_mlx {

namespace {

mx::ShapeElem extent(int64_t v) { return static_cast<mx::ShapeElem>(v); }

array slice(const array &x, const view_attrs &a) {
  mx::Shape start, stop, step;
  for (int d = 0; d < a.start.n; d++) {
    int64_t end = a.stop.v[d];
    start.push_back(extent(a.start.v[d]));
    // Before the first element: for MLX -1 would be the last one.
    stop.push_back(end == TME_NONE ? -x.shape(d) - 1 : extent(end));
    step.push_back(extent(a.step.v[d]));
  }
  return mx::slice(x, start, stop, step);
}

array pad(values &v, int i) {
  const view_attrs &a = graph_attrs(v.g, i)->view;
  tme_dtype t = v.g->node[i].type.dtype;
  mx::Shape low, high;
  std::vector<int> axes;
  for (int d = 0; d < a.before.n; d++) {
    axes.push_back(d);
    low.push_back(extent(a.before.v[d]));
    high.push_back(extent(a.after.v[d]));
  }
  if (axes.empty()) return input(v, i, 0);
  return mx::pad(input(v, i, 0), axes, low, high, value_of(t, a.value));
}

array join(values &v, int i) {
  std::vector<array> parts;
  for (int k = 0; k < v.g->node[i].nin; k++) parts.push_back(input(v, i, k));
  const op_attrs &a = *graph_attrs(v.g, i);
  if (v.g->node[i].op == OP_stack) return mx::stack(parts, static_cast<int>(a.stack.axis));
  return mx::concatenate(parts, static_cast<int>(a.concatenate.axis));
}

// MLX reads wherever an index points to: out of range ones are brought into range, and reported afterwards.
array take(values &v, int i) {
  const op_type &from = input_type(v, i, 0);
  int axis = static_cast<int>(graph_attrs(v.g, i)->take.axis);
  int64_t n = from.shape[axis];
  if (!n) throw declined{"MLX selects nothing from an empty axis"};
  array index = mx::astype(input(v, i, 1), mx::int64);
  v.checks.push_back({true, i, input_type(v, i, 1).dtype, axis, n});
  v.checked.push_back(mx::flatten(index));
  array last = constant(TME_I64, static_cast<double>(n - 1)), zero = constant(TME_I64, 0);
  index = mx::where(mx::less(index, zero), mx::add(index, constant(TME_I64, static_cast<double>(n))), index);
  index = mx::minimum(mx::maximum(index, zero), last);
  array x = input(v, i, 0);
  // Empty results, and slices without elements, have nothing to be taken.
  if (!x.size() || !index.size()) return mx::zeros(shape_of(v.g->node[i].type), x.dtype());
  return mx::take(x, index, axis);
}

// start + i * step: of whole numbers in int64, whose sums wrap to those of uint64, else in f64.
array steps(values &v, const op_type &type, const op_number &start, const op_number &step) {
  bool whole = is_int(type.dtype);
  if (!whole && v.gpu) throw declined{"MLX has float64 on the CPU alone, in which these numbers are made"};
  tme_dtype t = whole ? TME_I64 : TME_F64;
  array i = mx::astype(mx::arange(0, static_cast<int>(type.shape[0]), 1), dtype_of(t));
  return mx::add(mx::multiply(i, value_of(t, step)), value_of(t, start));
}

array arange(values &v, int i) {
  const op_type &type = v.g->node[i].type;
  const create_attrs &a = graph_attrs(v.g, i)->create;
  array y = steps(v, type, a.start, a.step);
  return cast(y, is_int(type.dtype) ? TME_I64 : TME_F64, type.dtype, v.gpu);
}

array linspace(values &v, int i) {
  const op_type &type = v.g->node[i].type;
  const create_attrs &a = graph_attrs(v.g, i)->create;
  int64_t n = a.num, parts = a.endpoint ? n - 1 : n;
  double start = a.start.v.f, stop = a.stop.v.f; // floats, after inference
  op_number step = {NUMBER_FLOAT, {parts > 0 ? (stop - start) / static_cast<double>(parts) : 0}};
  array y = steps(v, type, a.start, step);
  if (a.endpoint && n > 1) {
    array last = mx::equal(mx::arange(0, static_cast<int>(n), 1), constant(TME_I32, static_cast<double>(n - 1)));
    y = mx::where(last, constant(TME_F64, stop), y);
  }
  return cast(y, TME_F64, type.dtype, v.gpu);
}

array eye(values &v, int i) {
  const op_type &type = v.g->node[i].type;
  int64_t k = graph_attrs(v.g, i)->create.k;
  array row = mx::astype(mx::arange(0, extent(type.shape[0]), 1), mx::int64);
  array column = mx::astype(mx::arange(0, extent(type.shape[1]), 1), mx::int64);
  row = mx::reshape(mx::add(row, array(k, mx::int64)), {extent(type.shape[0]), 1});
  return mx::astype(mx::equal(row, column), dtype_of(type.dtype));
}

} // namespace

array iota(const values &v, int i) {
  const g_node &n = v.g->node[i];
  mx::Shape along(static_cast<size_t>(n.type.rank), 1);
  int64_t count = n.type.shape[n.leaf];
  along[static_cast<size_t>(n.leaf)] = extent(count);
  array x = mx::reshape(mx::arange(0, extent(count), 1), along);
  return mx::broadcast_to(cast(x, TME_I32, n.type.dtype, v.gpu), shape_of(n.type));
}

std::vector<array> mlx_view(values &v, int i) {
  const g_node &n = v.g->node[i];
  const op_attrs *a = graph_attrs(v.g, i);
  switch (n.op) {
  case OP_reshape: return {mx::reshape(input(v, i, 0), shape_of(n.type))};
  case OP_transpose:
    return {mx::transpose(input(v, i, 0), std::vector<int>(a->view.axes.v, a->view.axes.v + n.type.rank))};
  case OP_slice: return {slice(input(v, i, 0), a->view)};
  case OP_broadcast_to: return {mx::broadcast_to(input(v, i, 0), shape_of(n.type))};
  case OP_pad: return {pad(v, i)};
  default: throw declined{"not a view of MLX"};
  }
}

std::vector<array> mlx_dims(values &v, int i) {
  const g_node &n = v.g->node[i];
  const op_attrs *a = graph_attrs(v.g, i);
  switch (n.op) {
  case OP_squeeze: return {mx::squeeze(input(v, i, 0), axes_of(a->dims.axes.mask))};
  case OP_expand_dims: return {mx::reshape(input(v, i, 0), shape_of(n.type))};
  case OP_flip: return {mx::flip(input(v, i, 0), axes_of(a->dims.axes.mask))};
  default: throw declined{"not a view of MLX"};
  }
}

std::vector<array> mlx_concatenate(values &v, int i) { return {join(v, i)}; }
std::vector<array> mlx_stack(values &v, int i) { return {join(v, i)}; }
std::vector<array> mlx_take(values &v, int i) { return {take(v, i)}; }

std::vector<array> mlx_create(values &v, int i) {
  const g_node &n = v.g->node[i];
  const op_attrs *a = graph_attrs(v.g, i);
  tme_dtype t = n.type.dtype;
  switch (n.op) {
  case OP_zeros: return {mx::full(shape_of(n.type), saturated(t, 0))};
  case OP_ones: return {mx::full(shape_of(n.type), saturated(t, 1))};
  case OP_full: return {mx::full(shape_of(n.type), value_of(t, a->create.value))};
  case OP_arange: return {arange(v, i)};
  case OP_linspace: return {linspace(v, i)};
  case OP_eye: return {eye(v, i)};
  default: throw declined{"MLX does not create this"};
  }
}

} // namespace tme_mlx
