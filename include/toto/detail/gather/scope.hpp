// SPDX-License-Identifier: MIT
//
// Scope: a join that cancels the children that are left as soon as one has failed, and then waits for all of them. Read
// next: ../when_all_or_cancel.hpp, ../task_group.hpp.

#ifndef TOTO_DETAIL_GATHER_SCOPE_HPP
#define TOTO_DETAIL_GATHER_SCOPE_HPP

#include <cstddef>
#include <utility>

#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "shared_children.hpp"

namespace toto::inline v0_1::detail {

/// Invariants:
///  S1  culprit_ is the first child that failed, apart from those that were cancelled here. It is set once.
///  S2  Whoever sets it posts canceller_, once, which counts as a child until it has run: the scope cannot be over
///      while children are being cancelled.
///  S3  A child in a list is not over: it may be retained there, and cancelled without the lock.
/// Cancelling runs user code (stop callbacks, the destructors of captures). Therefore it is a continuation of its own,
/// at the home of the scope, and never runs in the middle of what ended a child. It goes ahead of what is queued there,
/// which may be what it is to cancel.
template <class Runtime>
class Scope : public Gathering<Runtime> {
 public:
  using Child = ChildNode<Runtime>;

  explicit Scope(std::size_t children) noexcept
      : Gathering<Runtime>(children, children), cancel_home_(Home<Runtime>::current(nullptr)) {
    canceller_.scope = this;
  }

  /// The child takes part, and is started next. False: it is to be cancelled then.
  /// Thread-safe.
  bool enter(Child& child) noexcept {
    const Lock lock(mutex_);
    child.listed = Child::Listed::open;
    open_.push_back(child);
    return !cancelled_;
  }

  /// The child could not be started.
  void leave(Child& child) noexcept {
    const Lock lock(mutex_);
    unlist_locked(child);
  }

  void ended(Child& child, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept override {
    bool must_cancel = false;
    if (child.failed()) {
      const bool expected = cancelled() && child.was_cancelled();
      const Lock lock(mutex_);
      if (!expected && !culprit_) {
        culprit_ = Ref<Child>::share(&child);
        must_cancel = cancel_due_ = !cancelled_;
      }
      if (must_cancel) {
        this->expect();  // the child itself has not been counted yet
      }
    }
    {
      const Lock lock(mutex_);
      unlist_locked(child);
    }
    if (must_cancel) {
      this->retain();
      if (queue != nullptr) {
        cancel_home_.post(canceller_, worker, *queue, true);
      } else if (!cancel_home_.try_post(canceller_, true)) {
        canceller_.run(canceller_, Turn::on_executor);  // nowhere in particular: here
      }
    }
  }

  /// Whether anything started now would be cancelled. Thread-safe.
  bool cancelled() const noexcept {
    const Lock lock(mutex_);
    return cancelled_ || culprit_;
  }

  /// What has not begun never will; the rest is asked to stop. Thread-safe.
  void cancel() noexcept {
    Lock lock(mutex_);
    if (!cancelled_) {
      cancelled_ = true;
      lock.unlock();
      stop();
      lock.lock();
    }
    // The last first: one that stops at once shall not let the next one begin.
    while (!open_.empty()) {
      Child& child = open_.pop_back();
      child.listed = Child::Listed::told;
      told_.push_back(child);
      child.retain();
      lock.unlock();
      child.cancel();
      child.release();
      lock.lock();
    }
  }

  /// The coroutine is being destroyed: destroys Tasks that are not over.
  void forsake() noexcept {
    cancel();
    if (take_canceller()) {
      this->child_over(nullptr, nullptr);  // it may be on its way to the calling thread, and would come too late
    }
    Lock lock(mutex_);
    while (!told_.empty()) {
      Child& child = told_.pop_front();
      child.listed = Child::Listed::nowhere;
      child.retain();
      lock.unlock();
      child.forsake();
      child.release();
      lock.lock();
    }
  }

  /// Throws: the first failure, if there was one. All are over.
  void rethrow_failure() {
    if (culprit_) {
      culprit_->rethrow();
    }
  }

 protected:
  ~Scope() override = default;

  /// Once, before children are cancelled.
  virtual void stop() noexcept {}

 private:
  struct Canceller : Continuation {
    Canceller() noexcept {
      this->run = [](Continuation& node, Turn) noexcept {
        Scope& self = *static_cast<Canceller&>(node).scope;
        if (self.take_canceller()) {
          self.cancel();
          self.child_over(nullptr, nullptr);
        }
        self.release();
      };
    }
    Scope* scope = nullptr;
  };

  /// Whoever gets true does what the canceller is for, or has done it already, and counts it.
  bool take_canceller() noexcept {
    const Lock lock(mutex_);
    return std::exchange(cancel_due_, false);
  }

  void unlist_locked(Child& child) noexcept TOTO_REQUIRES(mutex_) {
    if (child.listed != Child::Listed::nowhere) {
      (child.listed == Child::Listed::open ? open_ : told_).remove(child);
      child.listed = Child::Listed::nowhere;
    }
  }

  mutable typename Runtime::Mutex mutex_;
  LinkedList<Child> open_ TOTO_GUARDED_BY(mutex_);
  LinkedList<Child> told_ TOTO_GUARDED_BY(mutex_);  // cancelled
  bool cancelled_ TOTO_GUARDED_BY(mutex_) = false;
  bool cancel_due_ TOTO_GUARDED_BY(mutex_) = false;  // canceller_ is on its way, and counts
  Ref<Child> culprit_;  // set with mutex_; read without by the coroutine, when all are over
  Home<Runtime> cancel_home_;
  Canceller canceller_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_SCOPE_HPP
