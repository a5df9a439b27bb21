// SPDX-License-Identifier: MIT
//
// Admission: room for one task in a bounded queue, for which a coroutine has waited without holding a thread. Read
// next: task_queue.hpp.

#ifndef TOTO_ADMISSION_HPP
#define TOTO_ADMISSION_HPP

#include <coroutine>
#include <utility>

#include "detail/ground/text.hpp"
#include "detail/queue/queue_gate.hpp"
#include "detail/queue/room.hpp"
#include "detail/task/join.hpp"
#include "detail/task/submission.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

/// Room for one task, reserved until the task is added or the Admission is destroyed.
/// Thread safety: One thread at a time.
template <class Runtime = StdRuntime>
class [[nodiscard("destroying it releases the room")]] Admission {
 public:
  Admission(Admission&& other) noexcept : core_(std::move(other.core_)) {}
  Admission& operator=(Admission&& other) noexcept {
    Admission moved(std::move(other));
    std::swap(core_, moved.core_);
    return *this;
  }
  ~Admission() {
    if (core_) {
      core_->give_back_room();
    }
  }

  /// Returns whether the room is still reserved: false once a task has been added, or after a move.
  bool valid() const noexcept { return static_cast<bool>(core_); }

  /// Adds one task; never waits for room, and never fails for lack of room. If this throws, the room stays reserved.
  /// Throws: as BasicTaskQueue::add_task, except QueueFull; NoState if the room was already used.
  template <class F, class... Args>
  void add_task(F&& fn, Args&&... args) {
    submit<void>(std::forward<F>(fn), std::forward<Args>(args)...);
    core_ = {};
  }

  /// The same, but returns a handle to the result.
  template <class F, class... Args>
  [[nodiscard("dropping the handle detaches the task; say std::move(handle).detach(), or use add_task")]] detail::
      HandleFor<Runtime, F, Args...>
      yield_task(F&& fn, Args&&... args) {
    auto handle = submit<detail::HandleFor<Runtime, F, Args...>>(std::forward<F>(fn), std::forward<Args>(args)...);
    core_ = {};
    return handle;
  }

 private:
  friend detail::Access;
  using Core = detail::QueueCore<Runtime>;

  explicit Admission(detail::Ref<Core> core) noexcept : core_(std::move(core)) {}

  template <class Handle, class F, class... Args>
  Handle submit(F&& fn, Args&&... args) {
    if (!core_) {
      throw NoState("toto: this Admission has been used, or was moved from");
    }
    return detail::submit_call<Handle>(*core_, {}, detail::Control<Runtime>(), true, std::forward<F>(fn),
                                       std::forward<Args>(args)...);
  }

  detail::Ref<Core> core_;
};

namespace detail {

/// What queue.admission() returns.
template <class Runtime>
class [[nodiscard("co_await it: nothing is reserved before that")]] AdmissionAwaiter {
 public:
  explicit AdmissionAwaiter(Ref<QueueCore<Runtime>> core) noexcept : core_(std::move(core)) {}
  AdmissionAwaiter(AdmissionAwaiter&&) noexcept = default;
  AdmissionAwaiter& operator=(AdmissionAwaiter&&) = delete;
  ~AdmissionAwaiter() { leave(); }

  bool await_ready() {
    if (QueueGate(*core_).reserve_room_until((Runtime::Clock::time_point::min)())) {
      reserved_ = Access::make<Admission<Runtime>>(core_);
    }
    return reserved_.valid();
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    Wait& wait = wait_.adopt(new Wait(coroutine, *core_, RoomRequest{}));
    if (!QueueGate(*core_).reserve_room_or_wait(wait)) {  // then *this may be gone
      return true;
    }
    reserved_ = Access::make<Admission<Runtime>>(core_);
    return false;
  }
  Admission<Runtime> await_resume() {
    leave();
    if (!reserved_.valid()) {
      throw QueueClosed(detail::join({"toto: queue '", core_->name(), "' has closed and admits no more tasks"}));
    }
    return std::move(reserved_);
  }

 private:
  using Wait = LineJoin<Runtime, RoomRequest>;

  void leave() noexcept {
    if (wait_) {
      if (QueueGate(*core_).leave_line(*wait_)) {
        reserved_ = Access::make<Admission<Runtime>>(core_);
      }
      wait_.abandon();
    }
  }

  const Ref<QueueCore<Runtime>> core_;
  JoinOwner<Wait> wait_;
  Admission<Runtime> reserved_ = Access::make<Admission<Runtime>>(Ref<QueueCore<Runtime>>());
};

}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_ADMISSION_HPP
