// SPDX-License-Identifier: MIT
//
// Children that may outlive the coroutine that waits for them, or are told to stop: those of when_any,
// when_all_or_cancel and TaskGroup. Each is a node with two owners, whoever waits for it and the running task, and
// reports its end to a Gathering. Read next: ../when_any.hpp, scope.hpp.

#ifndef TOTO_DETAIL_GATHER_SHARED_CHILDREN_HPP
#define TOTO_DETAIL_GATHER_SHARED_CHILDREN_HPP

#include <exception>
#include <utility>

#include "../../errors.hpp"
#include "../../task.hpp"
#include "../../task_handle.hpp"
#include "../task/join.hpp"
#include "children.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class ChildNode;

/// A join that is told which child is over, and how.
template <class Runtime>
class Gathering : public Join<Runtime> {
 public:
  using Join<Runtime>::Join;

  /// Before the child is counted; on the thread where it ended. Runs no user code.
  virtual void ended(ChildNode<Runtime>& child, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept = 0;

 protected:
  ~Gathering() override = default;
};

template <class Runtime>
class ChildNode : public RefCounted<Runtime> {
 public:
  // For the list of a Scope, guarded by its mutex.
  ChildNode* next = nullptr;
  ChildNode* previous = nullptr;
  enum class Listed : unsigned char { nowhere, open, told } listed = Listed::nowhere;

  /// A task that has not begun never will; a running one is asked to stop. Thread-safe.
  virtual void cancel() noexcept = 0;
  /// The awaiting coroutine is being destroyed: a Task goes with it, unless it is over; a handle's task runs on.
  virtual void forsake() noexcept = 0;
  /// It ended with an exception, or was cancelled. Over, and nobody has taken the result.
  virtual bool failed() const noexcept = 0;
  /// That exception is a TaskCancelled.
  virtual bool was_cancelled() const noexcept = 0;
  /// Throws: that exception.
  virtual void rethrow() = 0;

 protected:
  ~ChildNode() override = default;

  bool started() const noexcept { return gathering_ != nullptr; }
  /// The running task becomes an owner.
  void begin(Gathering<Runtime>& gathering) noexcept {
    gathering_ = &gathering;
    gathering.retain();
    this->retain();
  }
  /// Takes begin() back.
  void not_begun() noexcept {
    gathering_->release();
    gathering_ = nullptr;
    this->release();
  }
  /// It is over. After this the node may be gone.
  void over(Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept {
    Gathering<Runtime>& gathering = *gathering_;
    gathering.ended(*this, worker, queue);
    this->release();
    gathering.child_over(worker, queue);
    gathering.release();
  }

 private:
  Gathering<Runtime>* gathering_ = nullptr;
};

inline bool is_task_cancelled(const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const TaskCancelled&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// A handle's task.
template <class T, class Runtime>
class HandleNode final : public ChildNode<Runtime>, public Observer<Runtime> {
 public:
  using Value = T;
  using Argument = TaskHandle<T, Runtime>&;
  static constexpr bool kIsLazy = false;

  /// Without a task yet.
  HandleNode() noexcept = default;
  explicit HandleNode(TaskHandle<T, Runtime>& handle) { adopt(handle); }

  /// Throws: NoState.
  void adopt(TaskHandle<T, Runtime>& handle) {
    state_ = HandleAccess::take(handle);
    if (state_ == nullptr) {
      throw_empty_handle();
    }
  }

  bool ready() const noexcept { return state_->ready(); }
  void start(Gathering<Runtime>& gathering) noexcept {
    this->begin(gathering);
    if (!state_->observe(*this)) {
      this->over(nullptr, &state_->core());
    }
  }
  T take() { return state_->take_resumed(); }

  void cancel() noexcept override { state_->cancel(); }
  void forsake() noexcept override {}
  bool failed() const noexcept override { return state_->outcome() != Outcome::value; }
  bool was_cancelled() const noexcept override {
    const Outcome outcome = state_->outcome();
    return outcome == Outcome::cancelled || outcome == Outcome::unwound || detail::is_task_cancelled(state_->failure());
  }
  void rethrow() override { state_->take(); }

  void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept override { this->over(worker, &queue); }
  void forgotten() noexcept override {}  // the node does not drop a task that runs

 protected:
  ~HandleNode() override {
    if (state_ != nullptr) {
      state_->drop();
    }
  }

 private:
  TaskState<T, Runtime>* state_ = nullptr;
};

/// A Task. Nothing can stop it, except that its frame is destroyed.
template <class T, class Runtime>
class TaskNode final : public ChildNode<Runtime> {
 public:
  using Value = T;
  using Argument = Task<T>&&;
  static constexpr bool kIsLazy = true;

  /// Throws: NoState.
  explicit TaskNode(Task<T>&& task) : task_(std::move(task)) {
    if (!task_.valid()) {
      throw_empty_task();
    }
  }

  static bool ready() noexcept { return false; }
  /// Throws: NoState, if the task runs already.
  void start(Gathering<Runtime>& gathering) {
    this->begin(gathering);
    try {
      TaskAccess::start(task_, &TaskNode::task_ended, this, gathering.starter());  // after this the node may be gone
    } catch (...) {
      this->not_begun();
      throw;
    }
  }
  T take() { return TaskAccess::take(task_); }

  void cancel() noexcept override {}
  void forsake() noexcept override {
    if (this->started() && !over_.load(std::memory_order_acquire)) {  // pairs with task_ended()
      task_ = Task<T>();
      this->over(nullptr, nullptr);
    }
  }
  /// The same, but the frame stays until the node goes.
  void give_up() noexcept {
    if (this->started() && !over_.load(std::memory_order_acquire)) {  // pairs with task_ended()
      this->over(nullptr, nullptr);
    }
  }
  bool failed() const noexcept override { return task_.valid() && TaskAccess::failure(task_) != nullptr; }
  bool was_cancelled() const noexcept override { return detail::is_task_cancelled(TaskAccess::failure(task_)); }
  void rethrow() override { TaskAccess::take(task_); }

 protected:
  ~TaskNode() override = default;

 private:
  /// It is still on the calling thread's stack.
  static void task_ended(void* context) noexcept {
    auto& node = *static_cast<TaskNode*>(context);
    node.over_.store(true, std::memory_order_release);
    node.over(nullptr, nullptr);
  }

  Task<T> task_;
  typename Runtime::template Atomic<bool> over_{false};
};

/// The awaiter's share of a node.
template <class Node>
class SharedChild {
 public:
  using Result = typename Node::Value;

  /// Throws: NoState, std::bad_alloc.
  explicit SharedChild(typename Node::Argument argument)
      : node_(Ref<Node>::adopt(new Node(static_cast<typename Node::Argument>(argument)))) {}

  bool ready() const noexcept { return node_->ready(); }
  Result take() { return node_->take(); }
  Node& node() noexcept { return *node_; }

 private:
  Ref<Node> node_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_SHARED_CHILDREN_HPP
