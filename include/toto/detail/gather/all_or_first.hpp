// SPDX-License-Identifier: MIT
//
// AllOf and FirstOf: gatherings that wait for all of their children, and for one. Read next: fail_fast.hpp.

#ifndef TOTO_DETAIL_GATHER_ALL_OR_FIRST_HPP
#define TOTO_DETAIL_GATHER_ALL_OR_FIRST_HPP

#include <atomic>
#include <cstddef>
#include <memory>

#include "../ground/lock.hpp"
#include "gathering.hpp"

namespace toto::inline v0_1::detail {

/// The tasks of handles are watched one at a time, from the last to the first: the tasks of one queue mostly end in the
/// order of adding, so nearly all have ended when the last one has, and cost nothing more. All tasks of handles count
/// as one child; each Task counts as one.
template <class Runtime>
class AllOf : public Gathering<Runtime> {
 public:
  bool ready() const noexcept {
    const Child<Runtime>* child = this->children_.back();
    while (child != nullptr && child->ready()) {
      child = child->previous;
    }
    return child == nullptr;
  }
  /// Returns false if the coroutine is suspended; then it may be gone.
  /// Throws: what starting a Task throws.
  bool start() {
    this->retain();
    for (Child<Runtime>* child = this->children_.front(); child != nullptr; child = child->next) {
      if (child->is_task()) {
        this->start_one(*child);
      }
    }
    this->expect();
    {
      const Lock lock(mutex_);
      unseen_ = this->children_.back();
    }
    if (!watch_next()) {
      this->count(nullptr, nullptr);
    }
    return this->continues();
  }
  /// The coroutine is being destroyed.
  void forsake() noexcept {
    {
      const Lock lock(mutex_);
      unseen_ = nullptr;
    }
    Gathering<Runtime>::forsake();
  }
  /// Failures are thrown where the results are taken.
  static void rethrow_failure() noexcept {}

  void over(Child<Runtime>&, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept final {
    if (queue == nullptr || !watch_next()) {
      this->count(worker, queue);
    }
  }

 protected:
  ~AllOf() override = default;

 private:
  /// Returns false if no handle's task is left to be watched. After true, *this may be gone.
  bool watch_next() noexcept {
    const Lock lock(mutex_);
    while (unseen_ != nullptr) {
      Child<Runtime>& child = *unseen_;
      unseen_ = child.previous;
      if (!child.is_task() && child.watch(*this)) {
        return true;
      }
    }
    return false;
  }

  typename Runtime::Mutex mutex_;  // keeps watch_next() and forsake() apart
  Child<Runtime>* unseen_ TOTO_GUARDED_BY(mutex_) = nullptr;
};

/// Only the first child to end counts. Each child owns the gathering until it has ended.
template <class Runtime>
class FirstOf : public Gathering<Runtime> {
 public:
  /// The coroutine cancels the losers before they begin: some may be queued ahead of it at its home.
  FirstOf() noexcept : Gathering<Runtime>(1) { this->hurry(); }

  /// A handle that is ready wins before any Task is started.
  bool ready() noexcept {
    if (first_ready() == nullptr) {
      return false;
    }
    first_.store(first_ready(), std::memory_order_relaxed);  // one that has ended before that is seen now
    return true;
  }
  bool start() {
    for (Child<Runtime>* child = this->children_.front(); child != nullptr && first() == nullptr; child = child->next) {
      this->retain();
      try {
        child->start(*this);
      } catch (...) {
        this->release();
        throw;
      }
    }
    return continues();
  }
  bool continues() noexcept { return this->started(); }

  /// Cancels and detaches the other children. Returns the position of the first to end.
  std::size_t decide() noexcept {
    const Child<Runtime>* const winner = first();
    // From the last to the first: a task that stops at once must not let the next one begin.
    for (Child<Runtime>* child = this->children_.back(); child != nullptr; child = child->previous) {
      if (child != winner) {
        child->cancel();
      }
    }
    std::size_t place = 0;
    std::size_t place_of_winner = 0;
    for (Child<Runtime>* child = this->children_.front(); child != nullptr; child = child->next, ++place) {
      if (child != winner) {
        child->lose();
      } else {
        place_of_winner = place;
      }
    }
    return place_of_winner;
  }

  void over(Child<Runtime>& child, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept final {
    Child<Runtime>* nobody = nullptr;
    // Relaxed: the join orders what the coroutine reads.
    if (first_.compare_exchange_strong(nobody, std::addressof(child), std::memory_order_relaxed)) {
      this->child_over(worker, queue);
    }
    this->release();
  }
  void forgotten() noexcept final { this->release(); }

 protected:
  ~FirstOf() override = default;

 private:
  Child<Runtime>* first() const noexcept { return first_.load(std::memory_order_relaxed); }
  Child<Runtime>* first_ready() const noexcept {
    Child<Runtime>* child = this->children_.front();
    while (child != nullptr && !child->ready()) {
      child = child->next;
    }
    return child;
  }

  typename Runtime::template Atomic<Child<Runtime>*> first_{nullptr};
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_ALL_OR_FIRST_HPP
