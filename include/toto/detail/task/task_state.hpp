// SPDX-License-Identifier: MIT
//
// Folder: task. Uses: ground executor line queue.
// One task, from its submission to whoever waits for its result; the permits that tasks and coroutines hold.
//
// TaskState: what a task and its handle share, in one block of recycled memory. One atomic word says who owns the
// block and who has come first, the worker or the waiter. EndObserver: notified of the end of a task, where neither a
// coroutine nor a thread waits for it directly: when_all and its relatives, time limits, Asio. Read next:
// ../queue/home.hpp; blocking.hpp (how a thread waits).
//
// The word:
//   pending    not over; the handle exists and nobody waits. The task and the handle, or the awaiter that has taken its
//              place, share the block.
//   awaited    not over; a coroutine waits, and says in the block where it continues.
//   observed   not over; an observer (when_all) waits to be notified.
//   blocked    not over; threads sleep in a list that the queue's mutex guards.
//   dropped    not over, and no one will ask: the task owns the block and frees it at its end.
//   done       over; the handle owns the block.
//   posted     over; the coroutine's continuation is on its way, and shares the block with the awaiter.
//   abandoned  over; the coroutine was destroyed meanwhile: its continuation frees the block when it runs.
//
//   pending -> awaited | observed | blocked | dropped | done      awaited -> dropped | posted | done
//   observed -> dropped | done      blocked -> done | pending (the last wait timed out)      dropped -> freed
//   posted -> done | abandoned      done -> posted (resume_on of a task that is over)      done, abandoned -> freed
//
// Invariant I10 (docs/design.md): the second to arrive, task or waiter, sees all that the first one wrote, and resumes,
// once. After publishing, a side touches nothing that the other may free.

#ifndef TOTO_DETAIL_TASK_TASK_STATE_HPP
#define TOTO_DETAIL_TASK_TASK_STATE_HPP

#include <coroutine>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "../executor/timer.hpp"
#include "../ground/result.hpp"
#include "../queue/home.hpp"
#include "../queue/queue_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class SupervisorBase;
template <class Runtime>
class WaitGraph;

/// Notified when a task has ended.
template <class Runtime>
class EndObserver {
 public:
  /// Once for each task observed, on the thread that completed it: `worker` if that is a worker at the end of a task.
  /// `queue` is the task's. Runs no user code.
  virtual void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept = 0;
  /// Instead of completed(), if the handle was dropped before the end.
  virtual void forgotten() noexcept = 0;

 protected:
  ~EndObserver() = default;
};

template <class Runtime>
class TaskState : public QueuedTask<Runtime> {
 public:
  using Core = QueueCore<Runtime>;
  using Worker = detail::Worker<Runtime>;
  using TimePoint = typename Core::TimePoint;

  Core& core() const noexcept { return *core_; }

  /// Thread-safe.
  bool ready() const noexcept final { return is_over(word_.load(std::memory_order_acquire)); }

  /// Waits until the task is over or the deadline has passed; true if it is over. Several threads may wait. This, and
  /// what the WaitGraph asks, is defined in blocking.hpp.
  /// Throws: DeadlockError.
  bool wait_until(TimePoint deadline);

  /// Returns true if the task will never run. False: it is over, or was claimed by a worker and is asked to stop.
  bool cancel() noexcept {
    if (cancel_queued()) {
      return true;
    }
    request_stop();
    return false;
  }

  /// The same without asking a running one to stop. `mark`: see QueueCore::cancel().
  bool cancel_queued(bool* mark = nullptr) noexcept { return withdraw() || core_->cancel(*this, mark); }

  /// The coroutine will be resumed at `home` when the task is over. Returns false if it is over already. One waiter.
  /// After true, the caller and this block may be gone.
  bool await(std::coroutine_handle<> coroutine, Home<Runtime> home) noexcept {
    waiter_.coroutine = coroutine;
    home_ = std::move(home);
    Word seen = Word::pending;
    // Release: pairs with the completer's acquire, who reads waiter_ and home_. Acquire: the result, if it is over.
    return word_.compare_exchange_strong(seen, Word::awaited, std::memory_order_release, std::memory_order_acquire);
  }

  /// The same before the task is added, which nobody else can see yet.
  void await_from_start(std::coroutine_handle<> coroutine, Home<Runtime> home) noexcept {
    waiter_.coroutine = coroutine;
    home_ = std::move(home);
    word_.store(Word::awaited, std::memory_order_relaxed);  // adding the task publishes it
  }

  /// Like await(), but the coroutine is to continue on `home` also if the task is over. False if `home` has ended.
  bool await_elsewhere(std::coroutine_handle<> coroutine, Home<Runtime> home) noexcept {
    if (await(coroutine, std::move(home))) {
      return true;
    }
    this->run = &resume_posted;
    word_.store(Word::posted, std::memory_order_relaxed);  // over, and the caller owns the block
    if (home_.try_post(*this)) {
      return true;
    }
    word_.store(Word::done, std::memory_order_relaxed);
    return false;
  }

  /// The observer will be notified when the task has ended. Returns false, and does not, if it has ended already.
  bool observe(EndObserver<Runtime>& observer) noexcept {
    waiter_.observer = &observer;
    Word seen = Word::pending;
    return word_.compare_exchange_strong(seen, Word::observed, std::memory_order_release, std::memory_order_acquire);
  }

  /// The end of the handle, or of the coroutine that awaits it.
  void drop() noexcept;

  /// There is no handle: the task frees the block. Before it is queued.
  void let_go() noexcept { word_.store(Word::dropped, std::memory_order_relaxed); }
  /// Destroys the state and returns its block. Does not give back the reference to the core; see free().
  virtual void destroy() noexcept = 0;
  /// How the task ended. It is over.
  virtual Outcome outcome() const noexcept = 0;

  /// Not null if `supervised`.
  virtual SupervisorBase<Runtime>* supervisor() const noexcept { return nullptr; }

  /// The type of its callable; and what an error handler sees of it, but for queue and worker.
  virtual std::string_view what() const noexcept = 0;
  TaskInfo info() const noexcept;

  /// Whether it may come to its end, for all that the graph knows; see Awaited.
  virtual bool may_end(const WaitGraph<Runtime>& graph);
  /// What it waits for itself, if that is not a worker of its queue; see Awaited.
  virtual std::string blocking_details() const;

 protected:
  explicit TaskState(Core& core) noexcept : core_(&core) {}
  ~TaskState() = default;

  /// The task's end: its result is stored and its captures are gone. `worker` if it ended on one. After this the block
  /// may be gone.
  void complete(Worker* worker) noexcept;

  /// The task's own failure, if that is how it ended.
  virtual std::exception_ptr failure() const noexcept = 0;
  /// Posts the awaiting coroutine's continuation to its home. After this the block may be gone.
  virtual void hand_over(Worker* worker) noexcept { home_.post(*this, worker, *core_); }
  /// Where that continues; null: nowhere in particular.
  ExecutorCore<Runtime>* home() const noexcept { return home_.executor(); }
  /// Requests a stop through the task's token, if it has one.
  virtual void request_stop() noexcept {}
  /// Discards a task that waits for something else before it joins its queue. Returns false if it no longer does.
  virtual bool withdraw() noexcept { return false; }
  /// The end of a block that was queued.
  void free() noexcept {
    Core& core = *core_;
    destroy();
    core.return_reference();
  }

  static void resume_posted(Continuation& node, Turn turn) noexcept;

 private:
  enum class Word : std::uint32_t { pending, awaited, observed, blocked, dropped, done, posted, abandoned };
  static bool is_over(Word word) noexcept { return word >= Word::done; }  // done, posted, abandoned

  /// Whether a coroutine waits that may continue on this very worker.
  bool is_awaited_here(Word seen, const Worker* worker) const noexcept {
    return seen == Word::awaited && home_.may_resume_here(worker);
  }
  /// Leaves the coroutine to the loop of `worker`. The word need not be compared before it is changed: only the end of
  /// the awaiter could change it now, and while a coroutine may be resumed here, no other thread may destroy it
  /// (docs/semantics.md, "Not promised").
  void resume_here(Worker& worker) noexcept {
    worker.resume_next = waiter_.coroutine;
    word_.store(Word::done, std::memory_order_relaxed);  // for the WaitGraph: there is no handle any more
  }
  TOTO_NOINLINE void complete_slowly(Worker* worker) noexcept;
  /// Release: pairs with the acquire of whoever comes second. The caller has seen `from` by an acquire, or has got the
  /// block from an executor's mutex.
  bool advance(Word& from, Word to) noexcept {
    return word_.compare_exchange_strong(from, to, std::memory_order_release, std::memory_order_acquire);
  }
  bool wake_blocked() noexcept;
  void report_unseen() const noexcept {
    if (const std::exception_ptr unseen = failure()) {
      core_->report_unseen(unseen, info());
    }
  }

  mutable typename Runtime::template Atomic<Word> word_{Word::pending};
  Core* core_;  // one reference, taken when the task was queued
  /// Who waits; the word says which of them.
  mutable union {
    std::coroutine_handle<> coroutine;
    EndObserver<Runtime>* observer;
    WaitList<Runtime> blocked;
  } waiter_{};
  Home<Runtime> home_;
};

template <class Runtime>
inline void TaskState<Runtime>::complete(Worker* worker) noexcept {
  Word seen = word_.load(std::memory_order_acquire);
  if (this->lane || this->supervised) {
    complete_slowly(worker);
  } else if (is_awaited_here(seen, worker)) {
    resume_here(*worker);
  } else if (seen != Word::pending || !advance(seen, Word::done)) {
    complete_slowly(worker);
  }
}

template <class Runtime>
void TaskState<Runtime>::complete_slowly(Worker* worker) noexcept {
  if (this->lane) {
    core_->leave_lane(*this);
  }
  if (this->supervised) [[unlikely]] {
    supervisor()->finished(worker);
  }
  Word seen = word_.load(std::memory_order_acquire);
  for (;;) {
    switch (seen) {
      case Word::pending:
        if (advance(seen, Word::done)) {
          return;
        }
        break;
      case Word::awaited: {
        if (is_awaited_here(seen, worker)) {
          resume_here(*worker);
          return;
        }
        Notice<Runtime> notice(home());  // from here on the coroutine may be destroyed, and its home after it
        if (advance(seen, Word::posted)) {
          this->run = &resume_posted;  // still ours: whoever destroys the coroutine now only says `abandoned`
          hand_over(worker);
          return;
        }
        break;
      }
      case Word::observed: {
        EndObserver<Runtime>* const observer = waiter_.observer;
        Core& core = *core_;
        if (advance(seen, Word::done)) {
          observer->completed(worker, core);
          return;
        }
        break;
      }
      case Word::blocked:
        if (wake_blocked()) {
          return;
        }
        seen = word_.load(std::memory_order_acquire);
        break;
      case Word::dropped:
        report_unseen();
        free();
        return;
      case Word::done:
      case Word::posted:
      case Word::abandoned:
        std::terminate();  // completed twice
    }
  }
}

template <class Runtime>
void TaskState<Runtime>::drop() noexcept {
  Word seen = word_.load(std::memory_order_acquire);
  for (;;) {
    switch (seen) {
      case Word::pending:
      case Word::awaited:
        if (advance(seen, Word::dropped)) {
          return;  // home_ is released with the block, by the task
        }
        break;
      case Word::observed: {
        EndObserver<Runtime>* const observer = waiter_.observer;
        if (advance(seen, Word::dropped)) {
          observer->forgotten();
          return;
        }
        break;
      }
      case Word::done:
        report_unseen();
        free();
        return;
      case Word::posted:
        if (advance(seen, Word::abandoned)) {
          return;
        }
        break;
      case Word::blocked:
      case Word::dropped:
      case Word::abandoned:
        std::terminate();  // destroyed while a thread waits on it, or twice
    }
  }
}

template <class Runtime>
void TaskState<Runtime>::resume_posted(Continuation& node, Turn turn) noexcept {
  auto& state = static_cast<TaskState&>(node);
  // Its home has ended: on to the task's queue, or, if that has ended too, the timer thread, or else right here.
  if (turn == Turn::homeless && state.word_.load(std::memory_order_relaxed) != Word::abandoned &&
      (state.core_->post_front(node) || detail::run_on_timers<Runtime>(node))) {
    return;
  }
  const std::coroutine_handle<> coroutine = state.waiter_.coroutine;
  Word seen = Word::posted;
  if (state.advance(seen, Word::done)) {
    coroutine.resume();
  } else {
    state.report_unseen();
    state.free();
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_TASK_STATE_HPP
