// SPDX-License-Identifier: MIT
//
// Join: counts down the children a coroutine waits for, and continues it once, after the last. It is shared
// by the awaiting coroutine, which may be destroyed meanwhile, and by every child that is not over. Read
// next: ../when_all.hpp.

#ifndef TOTO_DETAIL_JOIN_HPP
#define TOTO_DETAIL_JOIN_HPP

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "../task.hpp"
#include "../task_handle.hpp"
#include "task_state.hpp"

namespace toto::inline v0::detail {

/// Its word: waiting -> done (the coroutine is being resumed) | posted (its continuation is on its way) |
/// abandoned (it was destroyed); posted -> done | abandoned. Compare-exchanges with acquire and release, as
/// in task_state.hpp.
template <class Runtime>
class Join final : public RefCounted<Runtime>, public Observer<Runtime> {
 public:
  using Worker = detail::Worker<Runtime>;

  Join(std::coroutine_handle<> coroutine, std::size_t children) noexcept
      : remaining_(children + 1), coroutine_(coroutine), home_(Home<Runtime>::current(nullptr)) {
    node_.join = this;
  }

  /// A handle's task is over.
  void completed(Worker* worker, QueueCore<Runtime>& queue) noexcept override {
    if (count_down()) {
      queue_ = Ref<QueueCore<Runtime>>::share(&queue);
      resume(worker, &queue);
    }
    this->release();
  }
  void forgotten() noexcept override { this->release(); }

  /// A Task that was started is over; it is still on the calling thread's stack.
  static void ended(void* context) noexcept {
    Join& join = *static_cast<Join*>(context);
    if (join.count_down()) {
      join.resume(nullptr, nullptr);
    }
    join.release();
  }

  /// Counts off children that were over from the start, and the one for starting. True: all are over, and the
  /// coroutine goes on by itself. After false, the coroutine may be gone.
  bool started(std::size_t over) noexcept {
    const std::size_t step = over + 1;
    if (remaining_.fetch_sub(step, std::memory_order_acq_rel) != step) {
      return false;
    }
    word_.store(Word::done, std::memory_order_relaxed);
    return true;
  }

  /// The coroutine is being destroyed, or has been resumed.
  void abandon() noexcept {
    Word seen = word_.load(std::memory_order_acquire);
    while (seen != Word::done && !move(seen, Word::abandoned)) {
    }
    this->release();
  }

 private:
  enum class Word : std::uint8_t { waiting, posted, done, abandoned };

  struct Node : Continuation {
    Join* join = nullptr;
  };

  ~Join() override = default;

  // acq_rel: the last one sees what every child has written.
  bool count_down() noexcept { return remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

  bool move(Word& from, Word to) noexcept {
    return word_.compare_exchange_strong(from, to, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  void resume(Worker* worker, QueueCore<Runtime>* queue) noexcept {
    Word seen = Word::waiting;
    if (home_.is_here(worker)) {
      if (move(seen, Word::done)) {
        worker->resume_next = coroutine_;
      }
      return;
    }
    if (!move(seen, Word::posted)) {
      return;  // abandoned
    }
    this->retain();  // for the node
    node_.run = [](Continuation& node, Turn turn) noexcept {
      Join& join = *static_cast<Node&>(node).join;
      if (turn == Turn::homeless && join.queue_ && join.queue_->post_front(node)) {
        return;
      }
      Word posted = Word::posted;
      if (join.move(posted, Word::done)) {
        join.coroutine_.resume();
      }
      join.release();
    };
    if (queue != nullptr) {
      home_.post(node_, worker, *queue);
    } else if (!home_.try_post(node_)) {
      node_.run(node_, Turn::on_executor);  // nowhere in particular: here
    }
  }

  typename Runtime::template Atomic<std::size_t> remaining_;
  typename Runtime::template Atomic<Word> word_{Word::waiting};
  std::coroutine_handle<> coroutine_;
  Home<Runtime> home_;
  Ref<QueueCore<Runtime>> queue_;  // of the last child, for a coroutine whose home ends
  Node node_;
};

/// One child of a combinator: a handle's task, which runs already, or a Task, which is started.
template <class T, class Runtime>
class HandleChild {
 public:
  using Result = T;
  explicit HandleChild(TaskHandle<T, Runtime>& handle) : state_(HandleAccess::take(handle)) {
    if (state_ == nullptr) {
      throw NoState("toto: one of the handles has no task: default-constructed, moved from, or its result taken");
    }
  }
  HandleChild(HandleChild&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  HandleChild& operator=(HandleChild&&) = delete;
  ~HandleChild() {
    if (state_ != nullptr) {
      state_->drop();
    }
  }

  bool ready() const noexcept { return state_->ready(); }
  /// False: it is over already, and the join will not be told.
  bool start(Join<Runtime>& join) {
    join.retain();
    if (state_->observe(join)) {
      return true;
    }
    join.release();
    return false;
  }
  T take() { return state_->take(); }

 private:
  TaskState<T, Runtime>* state_;
};

template <class T, class Runtime>
class TaskChild {
 public:
  using Result = T;
  explicit TaskChild(Task<T>&& task) : task_(std::move(task)) {
    if (!task_.valid()) {
      throw NoState("toto: one of the tasks is empty: default-constructed or moved from");
    }
  }

  static bool ready() noexcept { return false; }
  bool start(Join<Runtime>& join) {
    join.retain();
    TaskAccess::start(task_, &Join<Runtime>::ended, &join);
    return true;
  }
  T take() { return TaskAccess::take(task_); }

 private:
  Task<T> task_;
};

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_JOIN_HPP
