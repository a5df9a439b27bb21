// SPDX-License-Identifier: MIT
//
// How a coroutine waits for a permit. PermitWait: its place in line, perhaps for a limited time. PermitAwaiter: what is
// awaited. PreparedPermit: awaits the task that makes a permit ready. take_permit(): waits until it has one that is
// ready. Read next: join.hpp, ../pool/pool_use.hpp.

#ifndef TOTO_DETAIL_TASK_PERMIT_WAIT_HPP
#define TOTO_DETAIL_TASK_PERMIT_WAIT_HPP

#include <coroutine>
#include <exception>
#include <utility>

#include "../../task.hpp"
#include "../../task_handle.hpp"
#include "../executor/timer.hpp"
#include "../ground/annotations.hpp"
#include "join.hpp"
#include "permits.hpp"

namespace toto::inline v0_1::detail {

/// Owned by the coroutine until it leaves, by its timer, and by the thread that has granted the permit, or refused it.
template <class Runtime>
class PermitWait final : public LineJoin<Runtime, PermitRequest<Runtime>>, private TimerNode<Runtime> {
 public:
  using Owner = Permits<Runtime>;
  using Request = PermitRequest<Runtime>;

  /// The suspended coroutine will continue on the calling thread's executor.
  /// Throws: std::bad_alloc.
  template <class Promise>
  PermitWait(Ref<Owner> owner, const Request& wanted, std::coroutine_handle<Promise> coroutine)
      : LineJoin<Runtime, Request>(coroutine, owner->queue_named({}), wanted), owner_(std::move(owner)) {}

  /// Returns true if the coroutine has a permit; false: it will be resumed, or has been.
  /// Throws: why it does not wait, or why there is no timer.
  bool begin(bool again) {
    this->deadline = this->request.deadline;
    timed_ = this->deadline != (Runtime::Clock::time_point::max)() && this->deadline > Runtime::Clock::now();
    if (timed_) {
      this->run = [](Continuation& node, Turn) noexcept {
        const Ref<PermitWait> self = Ref<PermitWait>::adopt(&static_cast<PermitWait&>(node));
        if (self->owner_->expire(*self, self->failure_)) {
          TimerService<Runtime>::instance().has_run();
          self->notify();
        }
      };
      TimerService<Runtime>::instance().arm(*this, *this);
    }
    return owner_->take_or_wait(*this, again);  // if the time is up by now, that is seen under the mutex
  }

  /// The coroutine continues.
  /// Throws: why it gets no permit.
  HeldPermit<Runtime> get() {
    HeldPermit<Runtime> granted = detail::in_hand(*owner_, std::exchange(this->request.permit, nullptr));
    if (granted == nullptr) {
      std::rethrow_exception(failure_ ? std::exchange(failure_, nullptr) : owner_->refusal());
    }
    return granted;
  }
  /// The coroutine has what it wanted, or is being destroyed.
  void end() noexcept {
    if (timed_) {
      TimerService<Runtime>::instance().disarm(*this, *this);
    }
    owner_->leave(*this);
  }

 protected:
  ~PermitWait() override = default;

 private:
  const Ref<Owner> owner_;
  std::exception_ptr failure_;
  bool timed_ = false;
};

/// To be awaited once, in place.
template <class Runtime>
class PermitAwaiter {
 public:
  /// `again`: see Permits::take_or_wait().
  PermitAwaiter(Permits<Runtime>& owner, const PermitRequest<Runtime>& wanted, bool again = false) noexcept
      : owner_(owner), wanted_(wanted), again_(again) {}
  PermitAwaiter(const PermitAwaiter&) = delete;
  PermitAwaiter& operator=(const PermitAwaiter&) = delete;
  ~PermitAwaiter() {
    if (wait_) {
      wait_->end();
    }
  }

  static bool await_ready() noexcept { return false; }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    const auto kept = Ref<PermitWait<Runtime>>::share(
        &wait_.adopt(new PermitWait<Runtime>(Ref<Permits<Runtime>>::share(&owner_), wanted_, coroutine)));
    return !kept->begin(again_);  // *this may be gone after this line
  }
  /// The permit may not be ready.
  HeldPermit<Runtime> await_resume() { return wait_->get(); }

 private:
  Permits<Runtime>& owner_;
  const PermitRequest<Runtime>& wanted_;
  const bool again_;
  JoinOwner<PermitWait<Runtime>> wait_;
};

/// Awaits the task that makes a permit ready, by a join. So if the coroutine is destroyed after the task has ended, the
/// permit is given back at once, even if the coroutine's home keeps the continuation for long: that is the join's.
template <class Runtime>
class PreparedPermit : public HandleAwaiter<HeldPermit<Runtime>, Runtime> {
 public:
  explicit PreparedPermit(TaskHandle<HeldPermit<Runtime>, Runtime> task) noexcept
      : HandleAwaiter<HeldPermit<Runtime>, Runtime>(task.operator co_await()) {}
  /// If the coroutine is being destroyed, a task that has not begun gives the permit back now.
  ~PreparedPermit() {
    if (this->state() != nullptr) {
      join_.abandon();
      this->state()->cancel_queued();
    }
  }

  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    JoinOfTask<Runtime>& join = join_.adopt(new JoinOfTask<Runtime>());
    join.arm(coroutine);
    join.observe(*this->state());
    return !join.started();  // *this may be gone after this line
  }

 private:
  JoinOwner<JoinOfTask<Runtime>> join_;
};

TOTO_COROUTINES_BEGIN
/// Returns a permit that is ready. `held`: one that is not, or none.
template <class Runtime>
Task<HeldPermit<Runtime>> take_permit(Ref<Permits<Runtime>> owner, PermitRequest<Runtime> wanted,
                                      HeldPermit<Runtime> held) {
  for (bool again = false;; again = true) {
    if (held == nullptr) {
      held = co_await PermitAwaiter<Runtime>(*owner, wanted, again);
      if (owner->ready(*held)) {
        break;
      }
    }
    held = co_await PreparedPermit<Runtime>(owner->prepare(std::move(held)));
    if (held != nullptr) {
      break;
    }
  }
  co_return std::move(held);
}
TOTO_COROUTINES_END

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_PERMIT_WAIT_HPP
