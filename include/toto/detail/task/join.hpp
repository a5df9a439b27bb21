// SPDX-License-Identifier: MIT
//
// Join: resumes a coroutine, once, when what it waits for has happened. It is shared by the awaiting coroutine, which
// may be destroyed meanwhile, and by whoever notifies it. JoinOfTask: notified by the end of a task. LineJoin: notified
// when it leaves a line. JoinOwner: what an awaiter has of it. Read next: ../gather/gathering.hpp.

#ifndef TOTO_DETAIL_TASK_JOIN_HPP
#define TOTO_DETAIL_TASK_JOIN_HPP

#include <coroutine>
#include <cstdint>
#include <memory>
#include <utility>

#include "../executor/timer.hpp"
#include "../executor/whereabouts.hpp"
#include "../line/permit_line.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// Its word: arming (the coroutine runs still) -> waiting | happened (the coroutine need not be suspended) -> done (the
/// coroutine continues); waiting -> done | posted (its continuation is on its way) -> done; any of these but done ->
/// abandoned (the coroutine was destroyed). Compare-exchanges release and acquire, as in task_state.hpp.
template <class Runtime>
class Join : public RefCounted<Runtime> {
 public:
  using Worker = detail::Worker<Runtime>;

  Join() noexcept {
    node_.join = this;
    node_.run = &Join::run_posted;
  }

  /// Stores the coroutine that is about to wait, and its home: the calling thread's executor, unless a home is given.
  /// `homebound`: the coroutine has an owner, is away, and comes home by this. Again only when it has continued.
  template <class Promise>
  void arm(std::coroutine_handle<Promise> coroutine, Home<Runtime> home = Home<Runtime>::current(nullptr),
           bool homebound = false) noexcept {
    coroutine_ = coroutine;
    Strand* const strand = detail::owned_strand_of(coroutine);
    if (strand_ != strand) [[unlikely]] {  // only the first time: other threads may be reading it then
      strand_ = strand;
    }
    if (strand != nullptr) [[unlikely]] {
      take_keeper();  // from the last time, if no node has
      keeper_.store(Ref<Whereabouts>::share(strand->keeper(homebound)).leak(), std::memory_order_relaxed);
    }
    home_ = std::move(home);
    word_.store(Word::arming, std::memory_order_relaxed);  // published by whatever lets another thread notify this
  }

  /// The strand of the coroutine that waits, or null: nobody owns it. Before it may be resumed.
  Strand* starter() const noexcept { return strand_; }

  /// Returns true if there is no need to wait, so that the coroutine just continues. After false, it may be gone.
  bool started() noexcept {
    Word seen = Word::arming;
    if (move(seen, Word::waiting)) {
      return false;
    }
    word_.store(Word::done, std::memory_order_relaxed);
    return true;
  }

  /// Instead of started(): the coroutine waits for nothing, and continues at its home. Returns false if that has ended:
  /// the coroutine just continues. After true, it may be gone.
  bool send_home() noexcept {
    this->retain();  // for the node
    word_.store(Word::posted, std::memory_order_relaxed);
    if (home_.try_post(node_)) {
      return true;
    }
    const bool here = may_continue();
    this->release();
    return !here;
  }

  /// What the coroutine waits for, which is notified once each time it waits. `worker` if that was the end of a task on
  /// one; `queue` if it was that of a task. `ahead`: the coroutine continues ahead of what waits at its home. The
  /// caller is an owner.
  virtual void happened(Worker* worker, QueueCore<Runtime>* queue, bool ahead = false) noexcept {
    Word seen = word_.load(std::memory_order_acquire);
    if (seen == Word::arming && move(seen, Word::happened)) {
      return;
    }
    if (seen != Word::waiting) {
      return;  // it was destroyed
    }
    queue_ = Ref<QueueCore<Runtime>>::share(queue);
    if (!home_.may_resume_here(worker)) {
      Notice<Runtime> notice(home_.executor());  // now the coroutine may be destroyed, and its home after it
      if (move(seen, Word::posted)) {
        post(worker, queue, ahead);
      }
    } else if (const std::coroutine_handle<> coroutine = coroutine_; move(seen, Word::done)) {
      worker->resume_next = coroutine;
    }
  }

  /// The coroutine is being destroyed, or has been resumed. It is still an owner of this join.
  void leave() noexcept {
    Word seen = word_.load(std::memory_order_relaxed);  // it reads nothing of what others have written
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

 private:
  enum class Word : std::uint8_t { arming, waiting, happened, posted, done, abandoned };

  struct Node : Continuation {
    Join* join = nullptr;
  };

  bool move(Word& from, Word to) noexcept {
    return word_.compare_exchange_strong(from, to, std::memory_order_release, std::memory_order_acquire);
  }

  /// Null: there is none, or it was taken: by the node, or by leave(), after which the word is not `posted`.
  Ref<Whereabouts> take_keeper() noexcept {
    if (keeper_.load(std::memory_order_relaxed) == nullptr) [[likely]] {
      return {};
    }
    // Relaxed: of those who know of the await, one gets it.
    return Ref<Whereabouts>::adopt(keeper_.exchange(nullptr, std::memory_order_relaxed));
  }

  /// Whoever owns the coroutine has gone: it is not resumed any more, and may be destroyed by this.
  bool is_kept_away(const Ref<Whereabouts>& keeper) noexcept {
    if (keeper.get() == nullptr || !keeper->forsaken()) {
      return false;
    }
    Strand::keep_away(*strand_, *keeper, [this] { return word_.load(std::memory_order_relaxed) == Word::posted; });
    return true;
  }

  void post(Worker* worker, QueueCore<Runtime>* queue, bool ahead) noexcept {
    this->retain();  // for the node
    if (queue != nullptr) {
      home_.post(node_, worker, *queue, ahead);
    } else if (!home_.try_post(node_, ahead)) {
      detail::run_in_place<Runtime>(node_);  // nowhere in particular
    }
  }
  static void run_posted(Continuation& node, Turn turn) noexcept {
    Join& join = *static_cast<Node&>(node).join;
    if (turn == Turn::homeless && join.word_.load(std::memory_order_relaxed) != Word::abandoned &&
        ((join.queue_ && join.queue_->post_front(node)) || detail::run_on_timers<Runtime>(node))) {
      return;
    }
    if (join.may_continue()) {
      join.coroutine_.resume();
    }
    join.release();
  }
  /// Of a coroutine that was posted. It may go in this.
  bool may_continue() noexcept {
    const Ref<Whereabouts> keeper = take_keeper();
    Word posted = Word::posted;
    return !is_kept_away(keeper) && move(posted, Word::done);
  }

  typename Runtime::template Atomic<Word> word_{Word::done};
  std::coroutine_handle<> coroutine_;
  Strand* strand_ = nullptr;
  Home<Runtime> home_;
  typename Runtime::template Atomic<Whereabouts*> keeper_{nullptr};  // owned by whoever takes it out
  Ref<QueueCore<Runtime>> queue_;  // of the task that has ended, for a coroutine whose home ends
  Node node_;
};

/// Notified by the end of a task that it observes, or by whoever else calls happened().
template <class Runtime>
class JoinOfTask : public Join<Runtime>, public EndObserver<Runtime> {
 public:
  /// After this the coroutine is notified, as soon as the task has ended.
  void observe(TaskState<Runtime>& state) noexcept {
    this->retain();  // for the task
    if (!state.observe(*this)) {
      completed(nullptr, state.core());
    }
  }

  void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept override {
    this->happened(worker, std::addressof(queue));
    this->release();
  }
  void forgotten() noexcept final { this->release(); }

 protected:
  ~JoinOfTask() override = default;
};

/// A coroutine's place in a line, which whoever lets it leave shares until the coroutine is notified: a permit is
/// granted under the mutex, the coroutine is resumed without the mutex, and may be destroyed in between.
template <class Runtime, class Request>
class LineJoin : public Join<Runtime>, public LineWaiter<Request> {
 public:
  /// The coroutine is suspended, and will continue at its home; without one, in `queue`.
  template <class Promise>
  LineJoin(std::coroutine_handle<Promise> coroutine, QueueCore<Runtime>& queue, const Request& wanted)
      : LineWaiter<Request>(wanted), without_home_(Ref<QueueCore<Runtime>>::share(&queue)) {
    this->arm(coroutine);
    static_cast<void>(this->started());  // false: nothing has happened yet
  }

  bool told_locked() noexcept final {
    this->retain();  // the coroutine may be destroyed as soon as the mutex is free
    return false;
  }
  bool proceed() noexcept final {
    notify();
    this->release();
    return true;
  }
  bool survives_fork() const noexcept final { return true; }

 protected:
  ~LineJoin() override = default;
  void notify() noexcept { this->happened(nullptr, without_home_.get()); }

 private:
  const Ref<QueueCore<Runtime>> without_home_;
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
