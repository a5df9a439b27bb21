// SPDX-License-Identifier: MIT
//
// WayHome: how a coroutine that belongs to a scope, and is away, awaits a task and continues at its home. Read next:
// ../executor/whereabouts.hpp, ../../task_handle.hpp.

#ifndef TOTO_DETAIL_TASK_WAY_HOME_HPP
#define TOTO_DETAIL_TASK_WAY_HOME_HPP

#include <coroutine>
#include <utility>

#include "join.hpp"
#include "observer.hpp"

namespace toto::inline v0_1::detail {

/// Part of an awaiter.
template <class Runtime>
class WayHome {
 public:
  WayHome() noexcept = default;
  /// Before it is awaited.
  WayHome(WayHome&&) noexcept {}
  WayHome& operator=(WayHome&&) = delete;
  ~WayHome() {
    if (wait_ != nullptr) {
      wait_->abandon();
    }
  }

  /// Suspends until the task is over; to be continued at `home`. After this the coroutine may be gone.
  /// Throws: std::bad_alloc.
  template <class Promise>
  bool suspend(std::coroutine_handle<Promise> coroutine, Home<Runtime> home, TaskStateBase<Runtime>& state) {
    auto* const wait = new Wait();
    wait_ = wait;
    wait->arm(coroutine, std::move(home), true);
    wait->retain();                      // for the task
    static_cast<void>(wait->started());  // false: its child is not over
    if (!state.observe(*wait)) {
      wait->child_over(nullptr, nullptr);
      wait->release();
    }
    return true;
  }

 private:
  class Wait final : public Join<Runtime>, public Observer<Runtime> {
   public:
    Wait() noexcept : Join<Runtime>(1) {}

    void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept override {
      this->child_over(worker, std::addressof(queue));
      this->release();
    }
    void forgotten() noexcept override { this->release(); }

   protected:
    ~Wait() override = default;
  };

  Wait* wait_ = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_WAY_HOME_HPP
