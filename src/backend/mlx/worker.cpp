#include "backend/mlx/worker.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace tme_mlx {

namespace {

// Waking a thread takes longer than handing a small graph to MLX: both sides look for this long before they sleep, and
// leave the processor to the other one meanwhile, if they share it.
template <typename T> void look_for(const T &condition) {
  using clock = std::chrono::steady_clock;
  auto end = clock::now() + std::chrono::microseconds(40);
  while (!condition() && clock::now() < end) std::this_thread::yield();
}

struct worker {
  std::mutex lock;
  std::condition_variable more;
  std::deque<std::function<void()>> queue;
  std::atomic<size_t> waiting = 0; // in the queue

  worker() {
    std::thread([this] { work(); }).detach();
  }

  [[noreturn]] void work() {
    for (;;) {
      look_for([this] { return waiting.load(std::memory_order_relaxed) > 0; });
      std::unique_lock hold(lock);
      more.wait(hold, [this] { return !queue.empty(); });
      std::function<void()> task = std::move(queue.front());
      queue.pop_front();
      waiting--;
      hold.unlock();
      task();
    }
  }

  void add(std::function<void()> task) {
    std::lock_guard hold(lock);
    queue.push_back(std::move(task));
    waiting++;
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
  auto state = std::make_shared<std::atomic<int>>(0);
  the_worker().add([&task, state] {
    task();
    state->store(1, std::memory_order_release);
    state->notify_one();
  });
  look_for([&] { return state->load(std::memory_order_acquire) != 0; });
  state->wait(0, std::memory_order_acquire);
}

void post_to_worker(std::function<void()> task) { the_worker().add(std::move(task)); }

} // namespace tme_mlx
