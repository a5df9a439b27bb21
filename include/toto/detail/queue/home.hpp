// SPDX-License-Identifier: MIT
//
// Home: where a coroutine that awaits continues. run_in_place(): if that is nowhere. Read next:
// ../task/result_state.hpp.

#ifndef TOTO_DETAIL_QUEUE_HOME_HPP
#define TOTO_DETAIL_QUEUE_HOME_HPP

#include <cstdint>
#include <utility>

#include "../executor/continuation.hpp"
#include "../executor/executor_core.hpp"
#include "../ground/annotations.hpp"
#include "../ground/ref.hpp"
#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

/// Runs the node here, because no other thread is left to do it. What is run in the same way meanwhile nests to a
/// limited depth; the rest follows.
template <class Runtime>
TOTO_COLD void run_in_place(Continuation& node) noexcept {
  struct Nested {
    int depth = 0;
    ContinuationList later;
  };
  constexpr int kDeepest = 100;
  Nested& nested = Runtime::template Local<Nested, Nested>::get();
  if (nested.depth == kDeepest) {
    nested.later.push_back(node);
    return;
  }
  ++nested.depth;
  node.run(node, Turn::on_executor);
  while (nested.depth == 1 && !nested.later.empty()) {
    Continuation& next = nested.later.pop_front();
    next.run(next, Turn::on_executor);
  }
  --nested.depth;
}

/// Where a coroutine that awaits continues: on an executor, or nowhere in particular.
template <class Runtime>
class Home {
 public:
  using Executor = ExecutorCore<Runtime>;

  Home() noexcept = default;
  explicit Home(Ref<Executor> executor) noexcept : Home(executor.leak(), kOwned) {}
  Home(Home&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
  Home& operator=(Home&& other) noexcept {
    std::swap(word_, other.word_);
    return *this;
  }
  ~Home() {
    if ((word_ & kOwned) != 0) {
      executor()->release();
    }
  }

  /// The calling thread's executor. `known` lives as long as the home anyway: it needs no counting.
  static Home current(const Executor* known) noexcept { return of(ThreadContext<Runtime>::current(), known); }
  static Home of(const ThreadContext<Runtime>& thread, const Executor* known) noexcept {
    Executor* const executor = thread.executor;
    return executor != nullptr && executor != known ? Home(Ref<Executor>::share(executor)) : Home(executor, 0);
  }

  /// Null: nowhere in particular.
  Executor* executor() const noexcept { return reinterpret_cast<Executor*>(word_ & ~kOwned); }

  /// Whether `worker` may resume the coroutine itself, as soon as it has finished what it is doing: not if it has
  /// another one to resume then, or is in run_local().
  bool may_resume_here(const Worker<Runtime>* worker) const noexcept {
    return worker != nullptr && !worker->resume_next && !worker->in_run_local &&
           (executor() == nullptr || executor() == &worker->core);
  }

  /// Posts the continuation to its home, if there is a home that has not ended; `ahead` of what waits there, if the
  /// home is a queue: only for a coroutine that is to cancel others. After true, the node and this may be gone.
  bool try_post(Continuation& node, bool ahead = false) noexcept {
    Home home = std::move(*this);  // this may live in the node's block
    Executor* const executor = home.executor();
    if (executor != nullptr && (ahead ? executor->post_front(node) : executor->post(node))) {
      return true;
    }
    *this = std::move(home);
    return false;
  }

  /// Posts the continuation to its home; if there is no home, or it has ended, to `worker`, which runs it after what it
  /// is doing; or else to a worker of `queue`, ahead of queued tasks; or, if that has ended too, runs it here. After
  /// this the node and this may be gone.
  void post(Continuation& node, Worker<Runtime>* worker, QueueCore<Runtime>& queue, bool ahead = false) noexcept {
    if (try_post(node, ahead)) {
      return;
    }
    if (worker != nullptr) {
      worker->local.push_back(node);
    } else if (!queue.post_front(node)) {
      detail::run_in_place<Runtime>(node);
    }
  }

 private:
  static constexpr std::uintptr_t kOwned = 1;  // in the pointer's lowest bit: there is one in each task

  Home(Executor* executor, std::uintptr_t owned) noexcept
      : word_(executor != nullptr ? reinterpret_cast<std::uintptr_t>(executor) | owned : 0) {}

  std::uintptr_t word_ = 0;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_HOME_HPP
