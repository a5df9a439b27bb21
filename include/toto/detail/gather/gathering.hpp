// SPDX-License-Identifier: MIT
//
// The room `gather`: several awaited as one. A Gathering is the join of a combinator or a group; each of what it waits
// for is a Child, which tells it once that it is over. May use everything below it: ground, executor, queue, task, loop.
// Read next: child.hpp (what can be awaited), children.hpp (a tuple or a vector of them), awaiter.hpp (all, or the
// first), fail_fast.hpp (all, or cancel), ../../task_group.hpp.

#ifndef TOTO_DETAIL_GATHER_GATHERING_HPP
#define TOTO_DETAIL_GATHER_GATHERING_HPP

#include <cstddef>

#include "../task/join.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class Child;

/// A join of children. `shares`: how often they own it. Where the coroutine waits for all of them, they own it together:
/// the last one that is over gives that back, so that no child pays for a reference.
template <class Runtime>
class Gathering : public Join<Runtime> {
 public:
  Gathering(std::size_t children, std::size_t shares) noexcept : Join<Runtime>(children) { this->retain(shares); }

  /// `child` is over. On the thread where it ended; runs no user code. After this *this may be gone.
  virtual void over(Child<Runtime>& child, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept = 0;
  /// Instead of over(): the awaiter has dropped the child's handle.
  virtual void forgotten() noexcept { count(nullptr, nullptr); }

 protected:
  ~Gathering() override = default;

  void count(Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept {
    if (this->child_over(worker, queue)) {
      this->release();
    }
  }

  /// All have been started but `missing`, which will not tell. False: the coroutine waits, and may be gone.
  virtual bool goes_on(std::size_t missing) noexcept {
    if (!this->started(missing)) {
      return false;
    }
    this->release();
    return true;
  }
};

/// One of several that are awaited. It belongs to its gathering, in one block with it or in a list.
template <class Runtime>
class Child : public Observer<Runtime> {
 public:
  virtual ~Child() = default;

  /// A task that has not begun never will; a running one is asked to stop. Thread-safe, also when it is over.
  virtual void cancel() noexcept = 0;
  /// The coroutine is being destroyed: destroys a Task that is not over, which counts. A handle's task runs on.
  virtual void forsake() noexcept = 0;
  /// It ended with an exception, or was cancelled. Over, and nobody has taken the result.
  virtual bool failed() const noexcept = 0;
  /// That exception is a TaskCancelled.
  virtual bool was_cancelled() const noexcept = 0;
  /// Throws: that exception.
  virtual void rethrow() = 0;

  // For the list of a group, which owns it then; guarded by its mutex.
  Child* next = nullptr;
  Child* previous = nullptr;
  enum class Listed : unsigned char { never, open, over } listed = Listed::never;

 protected:
  Child() noexcept = default;
  /// Of one that has not been started.
  Child(Child&&) noexcept {}  // NOLINT(performance-noexcept-move-constructor)

  Gathering<Runtime>* gathering_ = nullptr;  // once started

 private:
  void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept final {
    gathering_->over(*this, worker, &queue);
  }
  void forgotten() noexcept final { gathering_->forgotten(); }
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_GATHERING_HPP
