// A region as a function of MLX, compiled or not.
#ifndef TME_MLX_FUNCTION_H
#define TME_MLX_FUNCTION_H

#include "backend/mlx/region.h"

namespace tme_mlx {

// What was found when MLX was opened.
struct device_state {
  bool opened, gpu, zero_copy;
};
const device_state &device_of();
// Makes the choice hold for the worker's thread.
void choose_device(const mlx_options &o);
bool uses_gpu(const mlx_options &o);

// Lets MLX's CPU compiler write into a folder of our own while this lives: it takes the folder from the environment, and
// its own, of a name that anybody can foresee, would let other users choose what code is run.
class private_folder {
public:
  explicit private_folder(const char *folder);
  ~private_folder();
  private_folder(const private_folder &) = delete;
  private_folder &operator=(const private_folder &) = delete;

private:
  bool set, had;
  std::string before;
};

} // namespace tme_mlx

struct mlx_function {
  mlx_options options;
  const graph *g;
  std::vector<mlx_layout> layouts;
  std::function<std::vector<mlx::core::array>(const std::vector<mlx::core::array> &)> call;
  bool built = false;                     // `checks` and `depends` are there
  std::vector<tme_mlx::check> checks;     // behind the roots in what `call` returns
  std::vector<std::vector<bool>> depends; // per check and root: whether the root is computed from it
};

namespace tme_mlx {

// The memory itself as an array; `done` is called when MLX is done with it. Only where `zero_copy` holds.
array wrap_host_memory(void *data, mx::Shape shape, mx::Dtype dtype, const std::function<void()> &done);
std::unique_ptr<mlx_function> make_function(const mlx_options &o, const graph *g);
// On the worker: starts the computation.
std::vector<array> start_function(mlx_function &f, const mlx_input *in, const uint64_t *args);
// On any thread: waits for it.
tme_status take_results(const mlx_function &f, std::vector<array> &results, mlx_output *out, error *e);

} // namespace tme_mlx

#endif
