#include "backend/mlx/function.h"

#include <cstdio>
#include <cstring>

namespace tme_mlx {

// A block of MLX's CPU allocator begins with its size, its data lies behind. A block that "begins" where the foreign
// memory does, and an array that begins before its block's data, are never written to nor freed by MLX; a size read
// there only decides between sharing and copying.
array wrap_host_memory(void *data, mx::Shape shape, mx::Dtype dtype, const std::function<void()> &done) {
  mx::allocator::Data block(mx::allocator::Buffer(data), [done](mx::allocator::Buffer) { done(); });
  array behind(std::move(block), shape, dtype), x(shape, dtype, nullptr, {});
  int64_t header = static_cast<int64_t>(sizeof(size_t) / mx::size_of(dtype));
  x.copy_shared_buffer(behind, behind.strides(), behind.flags(), behind.data_size(), -header);
  x.set_status(array::Status::available);
  return x;
}

namespace {

void report(error *e, tme_status code, const std::string &text) {
  if (e->code != TME_OK) return;
  e->code = code;
  std::snprintf(e->text, sizeof e->text, "%s", text.c_str());
}

// ---- the function ----------------------------------------------------------------------------------------------------

// Dimensions in the order in which they lie in memory, back to their own.
array in_own_order(const array &x, const mlx_layout &l, int rank) {
  bool sorted = true;
  std::vector<int> back(static_cast<size_t>(rank));
  for (int k = 0; k < rank; k++) {
    back[static_cast<size_t>(l.order[k])] = k;
    sorted = sorted && l.order[k] == k;
  }
  return l.pack || sorted ? x : mx::transpose(x, back);
}

void find_dependants(mlx_function &f) {
  for (const check &c : f.checks) {
    std::vector<bool> reached(static_cast<size_t>(f.g->n), false), roots;
    reached[static_cast<size_t>(c.node)] = true;
    for (int i = c.node + 1; i < f.g->n; i++)
      for (int k = 0; k < f.g->node[i].nin; k++) {
        int x = graph_in(f.g, i, k);
        if (x >= 0 && reached[static_cast<size_t>(x)]) reached[static_cast<size_t>(i)] = true;
      }
    for (int r = 0; r < f.g->nroots; r++) roots.push_back(reached[static_cast<size_t>(f.g->root[r])]);
    f.depends.push_back(roots);
  }
}

// The inputs are the leaves, then the run-time literals.
std::vector<array> build(mlx_function &f, const std::vector<array> &in) {
  const graph *g = f.g;
  values v = {g, uses_gpu(f.options), {}, {}, {}};
  v.of.resize(static_cast<size_t>(g->n));
  for (int i = 0; i < g->n; i++) {
    const g_node &n = g->node[i];
    size_t number = static_cast<size_t>(n.leaf);
    if (n.op == OP_leaf)
      v.of[static_cast<size_t>(i)] = {in_own_order(in[number], f.layouts[number], n.type.rank)};
    else if (n.op == OP_literal)
      v.of[static_cast<size_t>(i)] = {n.leaf < 0 ? literal(n.type.dtype, n.bits)
                                                 : in[static_cast<size_t>(g->nleaves) + number]};
    else
      build_node(v, i);
  }
  std::vector<array> out;
  for (int r = 0; r < g->nroots; r++) out.push_back(mx::contiguous(v.of[static_cast<size_t>(g->root[r])][0]));
  for (const array &x : v.checked) out.push_back(mx::contiguous(x));
  if (!f.built) { // others may read them from now on
    f.checks = std::move(v.checks);
    find_dependants(f);
    f.built = true;
  }
  return out;
}

// ---- operands and results --------------------------------------------------------------------------------------------

mx::Shape stored_shape(const g_node &leaf, const mlx_layout &l) {
  mx::Shape s;
  for (int k = 0; k < leaf.type.rank; k++)
    s.push_back(static_cast<mx::ShapeElem>(leaf.type.shape[l.pack ? k : l.order[k]]));
  return s;
}

array wrap(const mlx_input &in, mx::Shape shape, mx::Dtype dtype) {
  auto done = [release = in.release, owner = in.owner] { release(owner); };
  void *data = const_cast<void *>(in.data);
  size_t n = 1;
  for (auto d : shape) n *= static_cast<size_t>(d);
  if (!n) {
    done();
    return mx::zeros(shape, dtype);
  }
  // MLX's own way: on Metal without a copy.
  if (!device_of().zero_copy || n * mx::size_of(dtype) < sizeof(size_t))
    return array(data, std::move(shape), dtype, [done](void *) { done(); });
  return wrap_host_memory(data, std::move(shape), dtype, done);
}

array argument(tme_dtype t, const uint64_t *bits) {
  if (!is_half(t)) return literal(t, bits);
  float v; // 16-bit floats come as f32
  std::memcpy(&v, bits, sizeof v);
  return t == TME_F16 ? array(static_cast<mx::float16_t>(v), mx::float16)
                      : array(static_cast<mx::bfloat16_t>(v), mx::bfloat16);
}

// The operands. All of them are taken over, whatever happens.
std::vector<array> operands(const mlx_function &f, const mlx_input *in, const uint64_t *args) {
  std::vector<array> x;
  x.reserve(static_cast<size_t>(f.g->nleaves + f.g->nargs));
  std::vector<const g_node *> leaf(static_cast<size_t>(f.g->nleaves)), arg(static_cast<size_t>(f.g->nargs));
  for (int i = 0; i < f.g->n; i++) {
    const g_node &n = f.g->node[i];
    if (n.op == OP_leaf) leaf[static_cast<size_t>(n.leaf)] = &n;
    if (n.op == OP_literal && n.leaf >= 0) arg[static_cast<size_t>(n.leaf)] = &n;
  }
  size_t k = 0;
  try {
    for (; k < leaf.size(); k++)
      x.push_back(wrap(in[k], stored_shape(*leaf[k], f.layouts[k]), dtype_of(leaf[k]->type.dtype)));
  } catch (...) { // the operand that failed has been let go of
    while (++k < leaf.size()) in[k].release(in[k].owner);
    throw;
  }
  for (k = 0; k < arg.size(); k++) x.push_back(argument(arg[k]->type.dtype, &args[2 * k]));
  return x;
}

bool check_indices(const check &c, const array &x, error *e) {
  const int64_t *v = x.data<int64_t>();
  for (size_t i = 0; i < x.size(); i++) {
    bool huge = c.dtype == TME_U64 && v[i] < 0;
    if (!huge && v[i] >= -c.extent && v[i] < c.extent) continue;
    std::string index = huge ? std::to_string(static_cast<uint64_t>(v[i])) : std::to_string(v[i]);
    report(e, TME_ERR_INDEX,
           "take: index " + index + " at position " + std::to_string(i) + " is out of range for axis " +
               std::to_string(c.axis) + " with extent " + std::to_string(c.extent));
    return false;
  }
  return true;
}

void note_failures(const array &bad, const std::vector<bool> &roots, mlx_output *out) {
  const bool *flags = bad.data<bool>();
  for (size_t m = 0; m < bad.size(); m++)
    if (flags[m]) {
      for (size_t r = 0; r < roots.size(); r++)
        if (roots[r] && out[r].failed_matrix < 0) out[r].failed_matrix = static_cast<int64_t>(m);
      return;
    }
}

} // namespace

std::unique_ptr<mlx_function> make_function(const mlx_options &o, const graph *g) {
  auto f = std::make_unique<mlx_function>();
  f->options = o;
  f->g = g;
  f->layouts.resize(static_cast<size_t>(g->nleaves));
  for (int i = 0; i < g->n; i++)
    if (g->node[i].op == OP_leaf) f->layouts[static_cast<size_t>(g->node[i].leaf)] = mlx_layout_of(g, i);
  std::function<std::vector<array>(const std::vector<array> &)> call = [p = f.get()](const std::vector<array> &in) {
    return build(*p, in);
  };
  // What has no operands is all constants to MLX's compile.
  f->call = o.compile && g->nleaves + g->nargs ? mx::compile(call) : call;
  return f;
}

std::vector<array> start_function(mlx_function &f, const mlx_input *in, const uint64_t *args) {
  std::vector<array> results = f.call(operands(f, in, args));
  mx::async_eval(results);
  return results;
}

tme_status take_results(const mlx_function &f, std::vector<array> &results, mlx_output *out, error *e) {
  size_t roots = static_cast<size_t>(f.g->nroots);
  for (array &x : results) x.wait();
  for (size_t r = 0; r < roots; r++) out[r] = {nullptr, 0, nullptr, -1};
  for (size_t k = 0; k < f.checks.size(); k++) {
    if (!f.checks[k].indices)
      note_failures(results[roots + k], f.depends[k], out);
    else if (!check_indices(f.checks[k], results[roots + k], e))
      return e->code;
  }
  for (size_t r = 0; r < roots; r++) {
    auto handle = std::make_unique<array>(results[r]);
    out[r].bytes = handle->nbytes();
    out[r].data = out[r].bytes ? handle->data<char>() : nullptr;
    out[r].handle = handle.release();
  }
  return TME_OK;
}

} // namespace tme_mlx
