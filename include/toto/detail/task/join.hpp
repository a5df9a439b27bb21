// SPDX-License-Identifier: MIT
//
// Join: counts the children a coroutine waits for, and resumes it once, when all are over. It is shared by the awaiting
// coroutine, which may be destroyed meanwhile, and by the children that are not over. JoinOwner: what an awaiter has of
// it. Read next: ../gather/gathering.hpp.

#ifndef TOTO_DETAIL_TASK_JOIN_HPP
#define TOTO_DETAIL_TASK_JOIN_HPP

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "../executor/timer.hpp"
#include "../executor/whereabouts.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// Its word: waiting -> done (the coroutine is being resumed) | posted (its continuation is on its way) | abandoned (it
/// was destroyed) | blocked (it is being destroyed, and a thread sleeps until the children are over); posted -> done |
/// abandoned; blocked -> done. Compare-exchanges release and acquire, as in task_state.hpp.
template <class Runtime>
class Join : public RefCounted<Runtime> {
 public:
  using Worker = detail::Worker<Runtime>;

  explicit Join(std::size_t children = 0) noexcept : remaining_(children + 1) { node_.join = this; }

  /// The coroutine will continue ahead of what waits at its home. Before started().
  void hurry() noexcept { ahead_ = true; }

  /// Stores the waiting coroutine and its home: the calling thread's executor, unless a home is given. `homebound`: the
  /// coroutine has an owner, is away, and comes home by this. Called before started().
  template <class Promise>
  void arm(std::coroutine_handle<Promise> coroutine, Home<Runtime> home = Home<Runtime>::current(nullptr),
           bool homebound = false) noexcept {
    coroutine_ = coroutine;
    strand_ = detail::owned_strand_of(coroutine);
    if (strand_ != nullptr) [[unlikely]] {
      keeper_.store(Ref<Whereabouts>::share(strand_->keeper(homebound)).leak(), std::memory_order_relaxed);
    }
    home_ = std::move(home);
  }

  /// The strand of the coroutine that waits, or null: nobody owns it. Before it may be resumed.
  Strand* starter() const noexcept { return strand_; }

  /// One more child is needed. The caller knows of one that is not over, or has not called started() yet.
  void expect() noexcept {
    remaining_.fetch_add(1, std::memory_order_relaxed);  // nothing to order: it cannot run out meanwhile
  }

  /// A child is over. `worker` if it ended as a task of one; `queue` if it was a task. Returns true if it was the last.
  /// If not, *this may be gone.
  bool child_over(Worker* worker, QueueCore<Runtime>* queue) noexcept {
    // acq_rel: the one that makes it run out sees what every child before has written.
    if (remaining_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
      return false;
    }
    queue_ = Ref<QueueCore<Runtime>>::share(queue);
    resume(worker, queue);
    return true;
  }

  /// All children have been started. Returns true if there is no need to wait, so that the coroutine just continues.
  /// After false, the coroutine may be gone.
  bool started() noexcept {
    // One more than the children: they cannot make it run out before.
    if (remaining_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
      return false;
    }
    word_.store(Word::done, std::memory_order_relaxed);
    return true;
  }

  /// The coroutine is being destroyed, or has been resumed. It is still an owner of this join.
  void leave() noexcept {
    Word seen = word_.load(std::memory_order_relaxed);  // it reads nothing of what the children have written
    while (seen != Word::done && seen != Word::abandoned && !move(seen, Word::abandoned)) {
    }
    take_keeper();  // a user's executor that has ended may still have the node, and the keeper keeps that
  }
  /// The same, and gives up its ownership.
  void abandon() noexcept {
    leave();
    this->release();
  }

 protected:
  ~Join() override { take_keeper(); }

  /// The coroutine is being destroyed, but is going to wait for the children. Returns false if they are over.
  bool block() noexcept {
    Word seen = word_.load(std::memory_order_acquire);
    while (seen != Word::done) {
      const Word next = seen == Word::posted || seen == Word::abandoned ? Word::abandoned : Word::blocked;
      if (move(seen, next)) {
        return next == Word::blocked;
      }
    }
    return false;
  }
  /// After block(): whether no child is left.
  bool is_over() const noexcept { return word_.load(std::memory_order_acquire) == Word::done; }
  /// Wakes the thread that waits for is_over().
  virtual void wake_blocked() noexcept {}

 private:
  enum class Word : std::uint8_t { waiting, posted, done, abandoned, blocked };

  struct Node : Continuation {
    Join* join = nullptr;
  };

  bool move(Word& from, Word to) noexcept {
    return word_.compare_exchange_strong(from, to, std::memory_order_release, std::memory_order_acquire);
  }

  void resume(Worker* worker, QueueCore<Runtime>* queue) noexcept {
    Word seen = Word::waiting;
    if (home_.may_resume_here(worker)) {
      const std::coroutine_handle<> coroutine = coroutine_;
      if (move(seen, Word::done)) {
        worker->resume_next = coroutine;
        return;
      }
    } else if (move(seen, Word::posted)) {
      post(worker, queue);
      return;
    }
    if (seen == Word::blocked) {
      word_.store(Word::done, std::memory_order_release);  // pairs with is_over()
      wake_blocked();
    }
  }

  /// Null: there is none, or it was taken: by the node, or by leave(), after which the word is not `posted`.
  Ref<Whereabouts> take_keeper() noexcept {
    if (keeper_.load(std::memory_order_relaxed) == nullptr) [[likely]] {
      return {};
    }
    return Ref<Whereabouts>::adopt(keeper_.exchange(nullptr, std::memory_order_acq_rel));  // pairs with itself
  }

  /// Whoever owns the coroutine has gone: it is not resumed any more, and may be destroyed by this.
  bool is_kept_away(const Ref<Whereabouts>& keeper) noexcept {
    if (keeper.get() == nullptr || !keeper->forsaken()) {
      return false;
    }
    Strand::keep_away(*strand_, *keeper, [this] { return word_.load(std::memory_order_acquire) == Word::posted; });
    return true;
  }

  void post(Worker* worker, QueueCore<Runtime>* queue) noexcept {
    this->retain();  // for the node
    node_.run = [](Continuation& node, Turn turn) noexcept {
      Join& join = *static_cast<Node&>(node).join;
      if (turn == Turn::homeless && join.word_.load(std::memory_order_relaxed) != Word::abandoned &&
          ((join.queue_ && join.queue_->post_front(node)) || detail::run_on_timers<Runtime>(node))) {
        return;
      }
      const Ref<Whereabouts> keeper = join.take_keeper();  // the coroutine may go in this
      Word posted = Word::posted;
      if (!join.is_kept_away(keeper) && join.move(posted, Word::done)) {
        join.coroutine_.resume();
      }
      join.release();
    };
    if (queue != nullptr) {
      home_.post(node_, worker, *queue, ahead_);
    } else if (!home_.try_post(node_, ahead_)) {
      node_.run(node_, Turn::on_executor);  // nowhere in particular: here
    }
  }

  typename Runtime::template Atomic<std::size_t> remaining_;
  typename Runtime::template Atomic<Word> word_{Word::waiting};
  std::coroutine_handle<> coroutine_;
  Strand* strand_ = nullptr;
  Home<Runtime> home_;
  typename Runtime::template Atomic<Whereabouts*> keeper_{nullptr};  // owned by whoever takes it out
  Ref<QueueCore<Runtime>> queue_;  // of the last child, for a coroutine whose home ends
  bool ahead_ = false;
  Node node_;
};

/// A join of one child: a task that it observes, or whatever else calls child_over().
template <class Runtime>
class JoinOfOne final : public Join<Runtime>, public Observer<Runtime> {
 public:
  JoinOfOne() noexcept : Join<Runtime>(1) {}

  void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept override {
    this->child_over(worker, std::addressof(queue));
    this->release();
  }
  void forgotten() noexcept override { this->release(); }

 protected:
  ~JoinOfOne() override = default;
};

/// Part of an awaiter: the join on which its coroutine waits, or none. It can be moved before it is awaited.
template <class J>
class JoinOwner {
 public:
  JoinOwner() noexcept = default;
  JoinOwner(JoinOwner&&) noexcept {}
  JoinOwner& operator=(JoinOwner&&) = delete;
  ~JoinOwner() { abandon(); }

  J& adopt(J* join) noexcept {
    abandon();  // the one of an earlier await
    join_ = join;
    return *join;
  }
  void abandon() noexcept {
    if (join_ != nullptr) {
      std::exchange(join_, nullptr)->abandon();
    }
  }
  explicit operator bool() const noexcept { return join_ != nullptr; }
  J& operator*() const noexcept { return *join_; }
  J* operator->() const noexcept { return join_; }

 private:
  J* join_ = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_JOIN_HPP
