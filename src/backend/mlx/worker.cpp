#include "backend/mlx/worker.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace tme_mlx {

namespace {

struct worker {
  std::mutex lock;
  std::condition_variable more;
  std::deque<std::function<void()>> queue;

  worker() {
    std::thread([this] { work(); }).detach();
  }

  [[noreturn]] void work() {
    for (;;) {
      std::unique_lock hold(lock);
      more.wait(hold, [this] { return !queue.empty(); });
      std::function<void()> task = std::move(queue.front());
      queue.pop_front();
      hold.unlock();
      task();
    }
  }

  void add(std::function<void()> task) {
    std::lock_guard hold(lock);
    queue.push_back(std::move(task));
    more.notify_one();
  }
};

// Never destroyed: MLX's own threads do not end before the process either.
worker &the_worker() {
  static worker *const w = new worker;
  return *w;
}

} // namespace

void on_worker(const std::function<void()> &task) {
  // The flag may be gone as soon as the waiter has seen it: nothing of it is used after that.
  auto state = std::make_shared<std::atomic<bool>>(false);
  the_worker().add([&task, state] {
    task();
    state->store(true, std::memory_order_release);
    state->notify_one();
  });
  state->wait(false, std::memory_order_acquire);
}

void later_on_worker(std::function<void()> task) { the_worker().add(std::move(task)); }

} // namespace tme_mlx
