// SPDX-License-Identifier: MIT
//
// FailFast: a gathering that cancels the remaining children as soon as one has failed, and waits for all of them. Read
// next: ../../when_all_or_cancel.hpp, ../../task_group.hpp.

#ifndef TOTO_DETAIL_GATHER_FAIL_FAST_HPP
#define TOTO_DETAIL_GATHER_FAIL_FAST_HPP

#include <coroutine>
#include <cstddef>
#include <memory>
#include <utility>

#include "../ground/lock.hpp"
#include "gathering.hpp"

namespace toto::inline v0_1::detail {

/// Invariants:
///  S1  culprit_ is the first child that failed, apart from those that were cancelled here. It is set once.
///  S2  The thread that sets culprit_ posts canceller_, once. The canceller counts as a child until it has run, so the
///      gathering cannot end while children are being cancelled.
///  S3  While a thread visits the children, without the mutex, none is taken out of the list or destroyed.
/// Cancelling runs user code (stop callbacks, the destructors of captures). Therefore the canceller is a separate
/// continuation at the coroutine's home, and never runs in the middle of what ended a child. It goes ahead of what is
/// queued there, because the tasks it cancels may be among that.
template <class Runtime>
class FailFast : public Gathering<Runtime> {
 public:
  FailFast() noexcept { canceller_.gathering = this; }

  /// Stores the waiting coroutine; called on its own thread.
  template <class Promise>
  void arm(std::coroutine_handle<Promise> coroutine) noexcept {
    Gathering<Runtime>::arm(coroutine);
    cancel_home_ = Home<Runtime>::current(nullptr);
  }
  bool ready() const noexcept { return this->empty(); }
  /// A Task does not begin after a failure. False: the coroutine is suspended, and may be gone.
  /// Throws: what starting a Task throws.
  bool start() {
    this->retain();
    for (Child<Runtime>* child = this->children_.front(); child != nullptr; child = child->next) {
      if (!child->is_task() || !cancelled()) {
        this->start_one(*child);
      }
    }
    return this->continues();
  }
  /// The coroutine is being destroyed. This object owns the tasks of handles until all have ended, because they may be
  /// cancelled.
  void forsake() noexcept {
    visit([](Child<Runtime>& child) { child.forsake(); });
  }

  /// Returns whether anything started now would be cancelled. Thread-safe.
  bool cancelled() const noexcept {
    const Lock lock(mutex_);
    return cancelled_ || culprit_ != nullptr;
  }
  /// Cancels all children: tasks that have not begun never will, and the others are asked to stop. Thread-safe.
  void cancel() noexcept {
    {
      const Lock lock(mutex_);
      if (std::exchange(cancelled_, true)) {
        return;
      }
    }
    stop();
    visit([](Child<Runtime>& child) { child.cancel(); });
  }

  /// Throws: the first failure, if a child failed. All children have ended.
  void rethrow_failure() TOTO_NO_THREAD_SAFETY_ANALYSIS {
    if (culprit_ != nullptr) {
      culprit_->rethrow();
    }
  }

  void over(Child<Runtime>& child, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept final {
    if (child.failed() && blame(child, child.was_cancelled())) {
      this->retain();
      if (queue != nullptr) {
        cancel_home_.post(canceller_, worker, *queue, true);
      } else if (!cancel_home_.try_post(canceller_, true)) {
        canceller_.run(canceller_, Turn::on_executor);  // no particular home: here
      }
    }
    dismiss(child);
    this->count(worker, queue);
  }

 protected:
  ~FailFast() override = default;

  /// Once, before children are cancelled.
  virtual void stop() noexcept {}

  /// The list owns the child from now on. False: the caller must cancel it.
  bool enlist(Child<Runtime>& child) noexcept {
    const Lock lock(mutex_);
    child.listed = true;
    this->children_.push_back(child);
    return !cancelled_;
  }
  /// The child has ended, and has not been counted. If it is in the list, it is destroyed, unless it is the culprit.
  void dismiss(Child<Runtime>& child) noexcept {
    {
      const Lock lock(mutex_);
      child.over = true;
      if (!child.listed || visitors_ != 0) {
        return;
      }
      this->children_.remove(child);
      if (std::addressof(child) == culprit_) {
        kept_.reset(culprit_);
        return;
      }
    }
    delete std::addressof(child);
  }

  /// The coroutine is being destroyed: the canceller may be on its way to the calling thread, and would run too late.
  void dispense_with_canceller() noexcept {
    if (take_canceller()) {
      this->count(nullptr, nullptr);
    }
  }

 private:
  struct Canceller : Continuation {
    Canceller() noexcept {
      this->run = [](Continuation& node, Turn) noexcept {
        FailFast& self = *static_cast<Canceller&>(node).gathering;
        if (self.take_canceller()) {
          self.cancel();
          self.count(nullptr, nullptr);
        }
        self.release();
      };
    }
    FailFast* gathering = nullptr;
  };

  /// Returns true if the canceller must be posted.
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

  /// The caller that gets true does the canceller's work, or has done it already, and counts it.
  bool take_canceller() noexcept {
    const Lock lock(mutex_);
    return std::exchange(cancel_due_, false);
  }

  /// Calls `function(child)` for each child, from the last to the first: a task that stops at once must not let the
  /// next one begin. The last visitor destroys the children that were dismissed meanwhile.
  template <class Function>
  void visit(Function function) noexcept {
    Lock lock(mutex_);
    ++visitors_;
    Child<Runtime>* child = this->children_.back();
    lock.unlock();
    for (; child != nullptr; child = child->previous) {
      function(*child);
    }
    lock.lock();
    LinkedList<Child<Runtime>> dismissed;
    child = --visitors_ == 0 ? this->children_.front() : nullptr;
    while (child != nullptr) {
      Child<Runtime>& here = *std::exchange(child, child->next);
      if (here.listed && here.over) {
        this->children_.remove(here);
        if (std::addressof(here) == culprit_) {
          kept_.reset(culprit_);
        } else {
          dismissed.push_back(here);
        }
      }
    }
    lock.unlock();
    while (!dismissed.empty()) {
      delete std::addressof(dismissed.pop_front());
    }
  }

  mutable typename Runtime::Mutex mutex_;  // guards the list of a group's children, too
  bool cancelled_ TOTO_GUARDED_BY(mutex_) = false;
  bool cancel_due_ TOTO_GUARDED_BY(mutex_) = false;  // canceller_ is on its way, and counts
  Child<Runtime>* culprit_ TOTO_GUARDED_BY(mutex_) = nullptr;
  std::unique_ptr<Child<Runtime>> kept_ TOTO_GUARDED_BY(mutex_);  // the culprit, once it has left the list
  std::size_t visitors_ TOTO_GUARDED_BY(mutex_) = 0;
  Home<Runtime> cancel_home_;
  Canceller canceller_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_FAIL_FAST_HPP
