// SPDX-License-Identifier: MIT
//
// Folder: gather. Uses: ground executor queue task.
// Awaiting several things as one. A Gathering is the join of a combinator or a group; each thing it waits for is a
// Child, which notifies it once, when it has ended. Read next: child.hpp (what can be gathered), awaiter.hpp (how a
// combinator is made of these), ../../task_group.hpp.

#ifndef TOTO_DETAIL_GATHER_GATHERING_HPP
#define TOTO_DETAIL_GATHER_GATHERING_HPP

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

#include "../../errors.hpp"
#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
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
  bool failed() const noexcept { return state_ != nullptr ? state_->outcome() != Outcome::value : task_failed_; }
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
  // Of a group's child, guarded by its mutex.
  bool listed = false;       // it belongs to the list
  bool over = false;         // it has ended
  std::size_t visitors = 0;  // that use it

 protected:
  explicit Child(TaskState<Runtime>* state) noexcept : state_(state) {}

  virtual std::exception_ptr failure() const noexcept = 0;

  TaskState<Runtime>* state_;                // of a handle's task; null for a Task
  Gathering<Runtime>* gathering_ = nullptr;  // once started
  bool task_failed_ = false;                 // written before it says that it has ended

 private:
  void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept final {
    gathering_->over(*this, worker, &queue);
  }
  void forgotten() noexcept final { gathering_->forgotten(); }
};

/// When a gathering lets its coroutine continue: when all children have ended, or already when the first one has ended,
/// or has failed.
enum class Until : unsigned char { all, first, failure };

/// A join of children. With Until::failure, its coroutine then cancels the others, and awaits it again: it is at its
/// home, and so cancelling, which runs user code, never happens in the middle of what ended a child.
///
/// Handles' tasks, when all are awaited, are watched one at a time, from the last to the first: the tasks of one queue
/// mostly end in the order of adding, so nearly all have ended when the last one has, and cost nothing more. They count
/// as one child.
///
/// Invariants:
///  S1  decider_ is the first child that ended or failed, whichever the gathering is about. It is set once.
///  S2  The coroutine counts as a child unless it waits. When a child has decided, it resumes the coroutine instead of
///      being counted, and so the count cannot run out before the coroutine waits again.
///  S3  A child owns the gathering from its start to its end.
template <class Runtime>
class Gathering : public Join<Runtime> {
 public:
  using Worker = detail::Worker<Runtime>;

  explicit Gathering(Until until) noexcept : until_(until) {}

  /// Only before it is awaited.
  void add(Child<Runtime>& child) noexcept { children_.push_back(child); }
  bool empty() const noexcept { return children_.empty(); }

  /// The coroutine waits. The first time, this starts the children. Returns false if the coroutine is suspended; then
  /// it may be gone.
  /// Throws: what starting a Task throws.
  template <class Promise>
  bool await(std::coroutine_handle<Promise> coroutine) {
    this->arm(coroutine);
    if (waits_ == 0) {
      start();
    }
    ++waits_;
    count(nullptr, nullptr);  // the coroutine itself
    return this->started();
  }
  /// The child that has decided, or null.
  Child<Runtime>* decider() const noexcept { return decider_.load(std::memory_order_relaxed); }

  /// Cancels all children but the one that has decided, from the last to the first: a task that stops at once must not
  /// let the next one begin.
  void cancel() noexcept {
    for (Child<Runtime>* child = children_.back(); child != nullptr; child = child->previous) {
      if (child != decider()) {
        child->cancel();
      }
    }
  }
  /// The same, and detaches them. Returns the place of the one that has decided.
  std::size_t detach_losers() noexcept {
    cancel();
    std::size_t place = 0;
    std::size_t place_of_winner = 0;
    for (Child<Runtime>* child = children_.front(); child != nullptr; child = child->next, ++place) {
      if (child != decider()) {
        child->lose();
      } else {
        place_of_winner = place;
      }
    }
    return place_of_winner;
  }
  /// The coroutine is being destroyed, and has left.
  void forsake() noexcept {
    {
      const Lock lock(mutex_);
      unseen_ = nullptr;
    }
    for (Child<Runtime>* child = children_.front(); child != nullptr; child = child->next) {
      child->forsake();
      if (until_ != Until::failure || child->is_task()) {  // else over() may be looking at it
        child->lose();
      }
    }
  }

  /// All have ended, or will be destroyed at their ends: frames of Tasks go now, not with the block.
  void lose_all() noexcept {
    if (until_ != Until::first) {
      for (Child<Runtime>* child = children_.front(); child != nullptr; child = child->next) {
        child->lose();
      }
    }
  }
  /// `child` is over. Called on the thread where it ended, with the `queue` of a handle's task; runs no user code.
  /// After this *this may be gone.
  virtual void over(Child<Runtime>& child, Worker* worker, QueueCore<Runtime>* queue) noexcept {
    if (until_ == Until::all && queue != nullptr && watch_next()) {
      return;
    }
    const bool may_decide = until_ == Until::first || (until_ == Until::failure && child.failed());
    end(may_decide && decide(child), worker, queue);
  }
  /// Instead of over(): the coroutine has dropped a handle's task.
  void forgotten() noexcept { end(false, nullptr, nullptr); }

 protected:
  ~Gathering() override = default;

  /// Starts one more child. The caller knows of one that is not over. After this the child may be gone.
  /// Throws: what starting a Task throws; then the child does not count.
  void start_one(Child<Runtime>& child) {
    expect();
    try {
      child.start(*this);
    } catch (...) {
      end(false, nullptr, nullptr);
      throw;
    }
  }
  /// Returns whether the child is the first that might decide. Pairs with itself: a group that is destroyed lets go of
  /// the first. Otherwise the join orders what the coroutine reads.
  bool decide(Child<Runtime>& child) noexcept {
    Child<Runtime>* nobody = nullptr;
    return decider_.compare_exchange_strong(nobody, std::addressof(child), std::memory_order_release,
                                            std::memory_order_acquire);
  }
  /// A child is over, and has decided or not. After this *this may be gone.
  void end(bool decided, Worker* worker, QueueCore<Runtime>* queue) noexcept {
    if (decided) {
      this->happened(worker, queue, true);  // what has to be cancelled may be queued at its home
    } else {
      count(worker, queue);
    }
    this->release();
  }
  void count(Worker* worker, QueueCore<Runtime>* queue) noexcept {
    // acq_rel: the one that makes it run out sees what every child before has written.
    if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      this->happened(worker, queue);
    }
  }
  bool none_left() const noexcept { return open_.load(std::memory_order_acquire) == 0; }
  /// How often the coroutine has waited.
  unsigned waits() const noexcept { return waits_; }

  mutable typename Runtime::Mutex mutex_;  // keeps watch_next() and forsake() apart, and guards a group's list
  LinkedList<Child<Runtime>> children_;

  /// Handles first, because no Task begins once it is decided.
  /// Throws: what starting a Task throws.
  virtual void start() {
    if (until_ != Until::all) {
      start_those(false);
    } else {
      expect();
      {
        const Lock lock(mutex_);
        unseen_ = children_.back();
      }
      if (!watch_next()) {
        end(false, nullptr, nullptr);
      }
    }
    start_those(true);
  }

 private:
  void expect() noexcept {
    open_.fetch_add(1, std::memory_order_relaxed);  // nothing to order: it cannot run out meanwhile
    this->retain();
  }
  void start_those(bool tasks) {
    for (Child<Runtime>* child = children_.front(); child != nullptr; child = child->next) {
      const bool needed = decider() == nullptr || (until_ == Until::failure && !tasks);
      if (child->is_task() == tasks && needed) {
        start_one(*child);
      }
    }
  }
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

  const Until until_;
  unsigned waits_ = 0;
  typename Runtime::template Atomic<std::size_t> open_{1};  // children that are not over, and the coroutine
  typename Runtime::template Atomic<Child<Runtime>*> decider_{nullptr};
  Child<Runtime>* unseen_ TOTO_GUARDED_BY(mutex_) = nullptr;
};

/// Owns a gathering, and awaits it. Only the coroutine that awaits it destroys it.
template <class Block>
class GatherWait {
 public:
  template <class... As>
  explicit GatherWait(std::in_place_t, As&... arguments) : block_(Ref<Block>::adopt(new Block(arguments...))) {}
  GatherWait(GatherWait&&) noexcept = default;
  GatherWait& operator=(GatherWait&&) = delete;
  ~GatherWait() {
    if (block_) {
      block_->leave();
      block_->forsake();
    }
  }

  bool await_ready() const {
    if (block_.get() == nullptr) {
      throw NoState("toto: this when_all, when_any or the like was already awaited; it can be awaited only once");
    }
    return false;
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    return !block_->await(coroutine);  // after true, *this may be gone
  }
  static void await_resume() noexcept {}

  Block* operator->() const noexcept { return block_.get(); }
  /// Returns what has been awaited.
  auto take() {
    const Ref<Block> block = std::move(block_);
    block->leave();
    try {
      return block->take();
    } catch (...) {
      block->lose_all();  // what was not taken goes now: the block may stay until the coroutine has ended
      throw;
    }
  }

 private:
  Ref<Block> block_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_GATHERING_HPP
