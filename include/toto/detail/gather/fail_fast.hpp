// SPDX-License-Identifier: MIT
//
// FailFast: a gathering that cancels the children that are left as soon as one has failed, and then waits for all of
// them. AllOrCancel: that of a combinator. Read next: ../../when_all_or_cancel.hpp, ../../task_group.hpp.

#ifndef TOTO_DETAIL_GATHER_FAIL_FAST_HPP
#define TOTO_DETAIL_GATHER_FAIL_FAST_HPP

#include <cstddef>
#include <memory>
#include <utility>

#include "../ground/lock.hpp"
#include "awaiter.hpp"

namespace toto::inline v0_1::detail {

/// Invariants:
///  S1  culprit_ is the first child that failed, apart from those that were cancelled here. It is set once.
///  S2  Whoever sets it posts canceller_, once, which counts as a child until it has run: the gathering cannot be over
///      while children are being cancelled.
///  S3  While children are being cancelled, none is destroyed: they may be over.
/// Cancelling runs user code (stop callbacks, the destructors of captures). Therefore it is a continuation of its own,
/// at the coroutine's home, and never runs in the middle of what ended a child. It goes ahead of what is queued there,
/// which may be what it is to cancel.
template <class Runtime>
class FailFast : public Gathering<Runtime> {
 public:
  explicit FailFast(std::size_t children) noexcept
      : Gathering<Runtime>(children, 1), cancel_home_(Home<Runtime>::current(nullptr)) {
    canceller_.scope = this;
  }

  /// Whether anything started now would be cancelled. Thread-safe.
  bool cancelled() const noexcept {
    const Lock lock(mutex_);
    return cancelled_ || culprit_ != nullptr;
  }

  /// What has not begun never will; the rest is asked to stop. Thread-safe.
  void cancel() noexcept {
    {
      const Lock lock(mutex_);
      if (std::exchange(cancelled_, true)) {
        return;
      }
    }
    cancel_children();
  }

  void over(Child<Runtime>& child, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept final {
    if (child.failed() && blame(child, child.was_cancelled())) {
      this->retain();
      if (queue != nullptr) {
        cancel_home_.post(canceller_, worker, *queue, true);
      } else if (!cancel_home_.try_post(canceller_, true)) {
        canceller_.run(canceller_, Turn::on_executor);  // nowhere in particular: here
      }
    }
    dismiss(child);
    this->count(worker, queue);
  }

  /// Throws: the first failure, if there was one. All are over.
  void rethrow_failure() TOTO_NO_THREAD_SAFETY_ANALYSIS {
    if (culprit_ != nullptr) {
      culprit_->rethrow();
    }
  }

 protected:
  ~FailFast() override = default;

  /// Once. The last first: one that stops at once shall not let the next one begin.
  virtual void cancel_children() noexcept = 0;
  /// The child is over and has not been counted; it may be gone after this.
  virtual void dismiss(Child<Runtime>&) noexcept {}

  /// Whoever gets true does what the canceller is for, or has done it already, and counts it.
  bool take_canceller() noexcept {
    const Lock lock(mutex_);
    return std::exchange(cancel_due_, false);
  }

  mutable typename Runtime::Mutex mutex_;
  bool cancelled_ TOTO_GUARDED_BY(mutex_) = false;
  Child<Runtime>* culprit_ TOTO_GUARDED_BY(mutex_) = nullptr;

 private:
  struct Canceller : Continuation {
    Canceller() noexcept {
      this->run = [](Continuation& node, Turn) noexcept {
        FailFast& self = *static_cast<Canceller&>(node).scope;
        if (self.take_canceller()) {
          self.cancel();
          self.count(nullptr, nullptr);
        }
        self.release();
      };
    }
    FailFast* scope = nullptr;
  };

  /// True: the canceller is to be posted.
  bool blame(Child<Runtime>& child, bool was_cancelled) noexcept {
    const Lock lock(mutex_);
    if (culprit_ != nullptr || (cancelled_ && was_cancelled)) {
      return false;
    }
    culprit_ = std::addressof(child);
    cancel_due_ = !cancelled_;
    if (cancel_due_) {
      this->expect();  // the child itself has not been counted yet
    }
    return cancel_due_;
  }

  bool cancel_due_ TOTO_GUARDED_BY(mutex_) = false;  // canceller_ is on its way, and counts
  Home<Runtime> cancel_home_;
  Canceller canceller_;
};

/// Its children stay until all are over and cancelled, also if the coroutine is destroyed before.
template <class Runtime, class Children>
class AllOrCancel final : public Block<FailFast<Runtime>, Children> {
 public:
  explicit AllOrCancel(Children&& children) noexcept
      : Block<FailFast<Runtime>, Children>(std::move(children), children.size()) {}

  static bool ready(const Children& children) noexcept { return children.size() == 0; }
  bool start() {
    return this->goes_on(this->start_each(this->children_.size(), [this](auto& child) {
      const bool open = !kIsLazy<decltype(child)> || !this->cancelled();
      if (open) {
        child.start(*this);
      }
      return open;
    }));
  }
  void forsake() noexcept {
    this->children_.for_each([](auto& child) { child.forsake(); });
  }
  static auto take(AllOrCancel* gathering, Children& children) {
    if (gathering != nullptr) {
      gathering->rethrow_failure();
    }
    return children.take_all(TakeElement());
  }

 private:
  ~AllOrCancel() override = default;

  void cancel_children() noexcept override {
    this->children_.find_last(this->children_.size(), [](auto& child) {
      child.cancel();
      return false;
    });
  }
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_FAIL_FAST_HPP
