// The module's table, and what it says of MLX.
#include "backend/mlx/function.h"
#include "backend/mlx/worker.h"

#include <mlx/version.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
// Tests build the module a second time with another version.
#ifndef TME_MLX_BUILT
#define TME_MLX_BUILT TEXT(MLX_VERSION_MAJOR) "." TEXT(MLX_VERSION_MINOR) "." TEXT(MLX_VERSION_PATCH)
#endif

namespace tme_mlx {

namespace {

device_state state;

void fail_with(error *e, tme_status code, const char *text) {
  if (e->code != TME_OK) return;
  e->code = code;
  std::snprintf(e->text, sizeof e->text, "mlx: %s", text);
}

// What a task throws becomes an error.
template <typename T> tme_status caught(error *e, tme_status code, const T &task) {
  try {
    task();
  } catch (const declined &d) {
    fail_with(e, TME_ERR_UNSUPPORTED, d.why);
  } catch (const std::bad_alloc &) {
    fail_with(e, TME_ERR_MEMORY, "out of memory");
  } catch (const std::exception &x) {
    fail_with(e, code, x.what());
  } catch (...) {
    fail_with(e, code, "unknown exception");
  }
  return e->code;
}

// The same on MLX's thread.
template <typename T> tme_status guarded(error *e, tme_status code, const T &task) {
  on_worker([&] { caught(e, code, task); });
  return e->code;
}

// MLX's compile calls g++ by this name, and runs uncompiled without an error where `g++ --version` fails. What is wrong
// with it; nullptr: nothing.
const char *try_compiler() {
  char name[] = "g++", option[] = "--version", *arguments[] = {name, option, nullptr};
  posix_spawn_file_actions_t silent;
  posix_spawn_file_actions_init(&silent);
  for (int fd = 0; fd < 3; fd++) posix_spawn_file_actions_addopen(&silent, fd, "/dev/null", O_RDWR, 0);
  pid_t child;
  bool started = posix_spawnp(&child, name, &silent, nullptr, arguments, environ) == 0;
  posix_spawn_file_actions_destroy(&silent);
  if (!started) return "which is not found";
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return nullptr; // a process that ignores SIGCHLD does not learn it
  return status ? "whose --version fails" : nullptr;
}

// Whether MLX's blocks are what wrap_host_memory() takes them for.
bool can_wrap_host_memory() {
  if (mx::is_available(mx::Device(mx::Device::gpu))) return false;
  array probe = mx::full({16}, array(1.0f));
  mx::eval(probe);
  const void *block = probe.buffer().ptr();
  if (probe.data<char>() - static_cast<const char *>(block) != sizeof(size_t) ||
      *static_cast<const size_t *>(block) != probe.nbytes())
    return false;
  float numbers[] = {1, 2, 3, 4};
  bool released = false, right = true;
  {
    array x = wrap_host_memory(numbers, {4}, mx::float32, [&] { released = true; });
    array y = mx::contiguous(x), z = mx::add(y, x);
    mx::eval(y, z);
    for (int i = 0; i < 4; i++)
      right = right && y.data<float>()[i] == numbers[i] && z.data<float>()[i] == 2 * numbers[i];
    right = right && x.data<float>() == numbers;
  }
  mx::synchronize();
  return right && released;
}

void describe_device(mlx_info *out) {
  out->gpu = state.gpu;
  out->zero_copy = state.zero_copy;
  std::snprintf(out->device, sizeof out->device, "%s", state.gpu ? "gpu" : "cpu");
  if (!state.gpu) return;
  const auto &info = mx::device_info(mx::default_device());
  auto name = info.find("device_name");
  if (name != info.end() && std::holds_alternative<std::string>(name->second))
    std::snprintf(out->device, sizeof out->device, "%.60s", std::get<std::string>(name->second).c_str());
}

// ---- the table -------------------------------------------------------------------------------------------------------

const char *loaded() { return mx::version(); }

bool open(const mlx_options *o, mlx_info *out, error *e) {
  *out = {};
  return guarded(e, TME_ERR_DEVICE, [&] {
           if (!state.opened) {
             state.gpu = mx::is_available(mx::Device(mx::Device::gpu));
             state.zero_copy = can_wrap_host_memory();
             mx::enable_compile();
             state.opened = true;
           }
           choose_device(*o);
           describe_device(out);
           out->gpu = uses_gpu(*o);
           if (out->gpu) return;
           static const char *const trouble = try_compiler();
           if (trouble)
             std::snprintf(out->compiler, sizeof out->compiler, "MLX compiles for the CPU by calling g++, %s", trouble);
         }) == TME_OK;
}

const char *supports(const mlx_options *o, const graph *g, int node) {
  const char *why = nullptr;
  on_worker([&] {
    try {
      choose_device(*o);
      values v = {g, uses_gpu(*o), {}, {}, {}};
      v.of.resize(static_cast<size_t>(g->n));
      for (int k = 0; k < g->node[node].nin; k++) {
        int x = graph_in(g, node, k);
        if (x < 0) continue;
        const op_type &t = g->node[x].type;
        v.of[static_cast<size_t>(x)] = {mx::zeros(shape_of(t), dtype_of(t.dtype))};
      }
      build_node(v, node);
    } catch (const declined &d) {
      why = d.why;
    } catch (const std::exception &) {
      why = "MLX does not take these operands";
    }
  });
  return why;
}

mlx_function *make(const mlx_options *o, const graph *g, error *e) {
  std::unique_ptr<mlx_function> f;
  guarded(e, TME_ERR_JIT, [&] {
    choose_device(*o);
    f = make_function(*o, g);
  });
  return f.release();
}

// MLX's trace goes with the function, on the thread that made it.
void free_function(mlx_function *f) {
  if (f) post_to_worker([f] { delete f; });
}

tme_status run(mlx_function *f, const mlx_input *in, const uint64_t *args, mlx_output *out, const char *folder,
               error *e) {
  std::vector<array> results;
  tme_status s = guarded(e, folder ? TME_ERR_JIT : TME_ERR_DEVICE, [&] {
    choose_device(f->options);
    private_folder keep(folder);
    results = start_function(*f, in, args);
  });
  return s == TME_OK ? caught(e, TME_ERR_DEVICE, [&] { take_results(*f, results, out, e); }) : s;
}

// An evaluated array belongs to no stream: any thread may let it go.
void release(void *handle) { delete static_cast<array *>(handle); }

tme_status self_test(const mlx_options *o, const char *folder, error *e) {
  static int tests;
  return guarded(e, TME_ERR_JIT, [&] {
    choose_device(*o);
    private_folder keep(folder);
    float k = static_cast<float>(1024 + ++tests);
    std::function<std::vector<array>(const std::vector<array> &)> f = [k](const std::vector<array> &in) {
      array product = mx::matmul(in[0], in[1]), shift(k, mx::float32);
      return std::vector<array>{mx::subtract(mx::multiply(mx::add(product, shift), array(2.0f)), shift)};
    };
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, want[] = {19, 22, 43, 50};
    auto g = o->compile ? mx::compile(f) : f;
    std::vector<array> out = g({array(a, {2, 2}, mx::float32), array(b, {2, 2}, mx::float32)});
    mx::eval(out);
    for (int i = 0; i < 4; i++)
      if (out[0].data<float>()[i] != 2 * want[i] + k) throw std::runtime_error("the 2x2 product gives wrong values");
  });
}

uint64_t memory() { return mx::get_active_memory() + mx::get_cache_memory(); }

void finish() {
  on_worker([] {});
}

} // namespace

const device_state &device_of() { return state; }

bool uses_gpu(const mlx_options &o) { return state.gpu && !o.cpu; }

void choose_device(const mlx_options &o) {
  mx::Device wanted(uses_gpu(o) ? mx::Device::gpu : mx::Device::cpu);
  if (mx::default_device() != wanted) mx::set_default_device(wanted);
}

private_folder::private_folder(const char *folder) : set(folder != nullptr), had(false) {
  if (!set) return;
  if (const char *v = std::getenv("TMPDIR")) {
    had = true;
    before = v;
  }
  setenv("TMPDIR", folder, 1);
}

private_folder::~private_folder() {
  if (!set) return;
  if (had)
    setenv("TMPDIR", before.c_str(), 1);
  else
    unsetenv("TMPDIR");
}

} // namespace tme_mlx

extern "C" __attribute__((visibility("default"))) const mlx_module tme_mlx_module = {
    MLX_MODULE_VERSION,     TME_MLX_BUILT, tme_mlx::loaded,  tme_mlx::open,      tme_mlx::supports, tme_mlx::make,
    tme_mlx::free_function, tme_mlx::run,  tme_mlx::release, tme_mlx::self_test, tme_mlx::memory,   tme_mlx::finish,
};
