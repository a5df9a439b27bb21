// SPDX-License-Identifier: MIT
//
// Folder: gather. Uses: ground executor queue task.
// Awaiting several things as one. A Gathering is the join of a combinator or a group; each thing it waits for is a
// Child, which notifies it once, when it has ended. Read next: child.hpp (what can be gathered), all_or_first.hpp and
// fail_fast.hpp (what is waited for), awaiter.hpp (how a combinator is made of these), ../../task_group.hpp.

#ifndef TOTO_DETAIL_GATHER_GATHERING_HPP
#define TOTO_DETAIL_GATHER_GATHERING_HPP

#include <exception>
#include <utility>

#include "../../errors.hpp"
#include "../ground/linked_list.hpp"
#include "../task/join.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class Gathering;

/// One of several things that are awaited: a handle's task, which runs already, or a Task, which its gathering starts.
/// It lives in one block with its gathering, or is owned by a group's list.
template <class Runtime>
class Child : public Observer<Runtime> {
 public:
  Child(Child&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Child& operator=(Child&&) = delete;
  virtual ~Child() { Child::lose(); }

  bool is_task() const noexcept { return state_ == nullptr; }
  bool ready() const noexcept { return state_ != nullptr && state_->ready(); }
  /// Starts it, or watches it: from now on it may notify `gathering` of its end.
  /// Throws: what starting a Task throws; then the child will not notify its gathering.
  virtual void start(Gathering<Runtime>& gathering) {
    if (!watch(gathering)) {
      gathering.over(*this, nullptr, &state_->core());
    }
  }
  /// The same for a handle's task. Returns false if the task has ended already; then it does not notify.
  bool watch(Gathering<Runtime>& gathering) noexcept {
    gathering_ = &gathering;
    return !state_->ready() && state_->observe(*this);
  }

  /// Cancels the child: a task that has not begun never will, and a running task is asked to stop. Thread-safe, also
  /// after its end.
  void cancel() noexcept {
    if (state_ != nullptr) {
      state_->cancel();
    }
  }
  /// No one will ask for the child's result, which is destroyed when the child ends. A Task runs until then, and its
  /// frame is destroyed with the result.
  virtual void lose() noexcept {
    if (state_ != nullptr) {
      std::exchange(state_, nullptr)->drop();
    }
  }
  /// The coroutine is being destroyed: a Task that has begun is destroyed with it, and notifies its gathering.
  virtual void forsake() noexcept {}

  /// Whether the child ended with an exception or was cancelled. Requires that it has ended, and that its result was
  /// not taken.
  bool failed() const noexcept {
    return state_ != nullptr ? state_->outcome() != Outcome::value : failure() != nullptr;
  }
  /// Whether that exception is a TaskCancelled.
  bool was_cancelled() const noexcept {
    const std::exception_ptr thrown = failure();
    try {
      if (thrown) {
        std::rethrow_exception(thrown);
      }
    } catch (const TaskCancelled&) {
      return true;
    } catch (...) {
      return false;
    }
    return true;  // only the library's own reason is kept as a code
  }
  /// Throws: that exception.
  virtual void rethrow() = 0;

  // In the list of its gathering.
  Child* next = nullptr;
  Child* previous = nullptr;
  /// Of a group's child, guarded by its mutex: it belongs to the list; it is over.
  bool listed = false;
  bool over = false;

 protected:
  explicit Child(TaskState<Runtime>* state) noexcept : state_(state) {}

  virtual std::exception_ptr failure() const noexcept = 0;

  TaskState<Runtime>* state_;                // of a handle's task; null for a Task
  Gathering<Runtime>* gathering_ = nullptr;  // once started

 private:
  void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept final {
    gathering_->over(*this, worker, &queue);
  }
  void forgotten() noexcept final { gathering_->forgotten(); }
};

/// A join of children that together own one reference to it, once it has been started. The last child to end releases
/// it, so that no child needs its own.
template <class Runtime>
class Gathering : public Join<Runtime> {
 public:
  using Join<Runtime>::Join;

  /// Only before it is awaited.
  void add(Child<Runtime>& child) noexcept { children_.push_back(child); }
  bool empty() const noexcept { return children_.empty(); }

  /// `child` is over. Called on the thread where it ended; runs no user code. After this *this may be gone.
  virtual void over(Child<Runtime>& child, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept = 0;
  /// Instead of over(): the coroutine has dropped a handle's task.
  virtual void forgotten() noexcept { count(nullptr, nullptr); }

  /// The coroutine is being destroyed.
  void forsake() noexcept {
    for (Child<Runtime>* child = children_.front(); child != nullptr; child = child->next) {
      child->forsake();
      child->lose();
    }
  }

  /// All have been started. Returns false if the coroutine is suspended; then it may be gone.
  bool continues() noexcept {
    if (!this->started()) {
      return false;
    }
    this->release();
    return true;
  }

 protected:
  ~Gathering() override = default;

  /// Counts one more child and starts it. After this the child may be gone.
  /// Throws: what starting a Task throws; then the child does not count.
  void start_one(Child<Runtime>& child) {
    this->expect();
    try {
      child.start(*this);
    } catch (...) {
      count(nullptr, nullptr);
      throw;
    }
  }
  void count(Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept {
    if (this->child_over(worker, queue)) {
      this->release();
    }
  }

  LinkedList<Child<Runtime>> children_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_GATHERING_HPP
