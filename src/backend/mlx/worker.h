// The one thread that does all work of MLX: its streams and its cache of compiled functions belong to threads.
#ifndef TME_MLX_WORKER_H
#define TME_MLX_WORKER_H

#include <functional>

namespace tme_mlx {

// Runs the task there and waits for it. The task must not throw.
void on_worker(const std::function<void()> &task);
// The same without waiting.
void post_to_worker(std::function<void()> task);

} // namespace tme_mlx

#endif
