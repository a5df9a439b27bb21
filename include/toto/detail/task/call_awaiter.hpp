// SPDX-License-Identifier: MIT
//
// What BasicTaskQueue::call() returns: a task that lives in the frame of the coroutine that awaits it, together with
// its callable, arguments and result. Nothing is allocated. Read next: task_state.hpp.

#ifndef TOTO_DETAIL_TASK_CALL_AWAITER_HPP
#define TOTO_DETAIL_TASK_CALL_AWAITER_HPP

#include <coroutine>
#include <utility>

#include "../ground/lock.hpp"
#include "../ground/temporaries.hpp"
#include "../ground/wait_list.hpp"
#include "coroutine_state.hpp"
#include "supervisor.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// The task. Base is the state that yield_task would allocate; this state is not freed when it is no longer needed, but
/// notifies the frame that it may be destroyed.
template <class Runtime, class Base, class F>
class FramedState final : public SupervisedState<Runtime, Base> {
 public:
  template <class... As>
  explicit FramedState(QueueCore<Runtime>& core, As&&... call)
      : SupervisedState<Runtime, Base>(core, std::forward<As>(call)...) {
    if (const MakeSupervisor<Runtime> make = core.supervisor_maker()) [[unlikely]] {
      this->supervise(make, detail::type_name<F>(), {});
    }
  }
  ~FramedState() = default;

  void destroy() noexcept override {
    const Lock lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

  /// Blocks: until destroy() has been called.
  void wait_until_over() noexcept {
    QueueCore<Runtime>::run_local_here();
    const Lock lock(mutex_);
    changed_.wait(mutex_, [this]() TOTO_REQUIRES(mutex_) { return over_; });
  }

  /// Takes back the continuation of a task that is over, which is on its way to `home`, or there, or, if `home` has
  /// ended, in the task's queue.
  void withdraw_from(ExecutorCore<Runtime>& home) noexcept {
    const Lock lock(mutex_);
    wait_until_handed_over();
    if (!in_queue_ && !home.withdraw(*this)) {
      // Whoever ends the home has it in hand.
      changed_.wait(mutex_, [this]() TOTO_REQUIRES(mutex_) { return in_queue_; });
    }
    if (in_queue_) {
      this->core().withdraw(*this);
    }
  }

 private:
  void hand_over(Worker<Runtime>* worker) noexcept override {
    typename Home<Runtime>::Announcement announcement;
    bool taken = true;
    {
      const Lock lock(mutex_);
      this->run = &run_posted;
      if (!this->send_home_silently(announcement)) {
        if (comes_at_once(worker)) {
          worker->local.push_back(*this);
        } else {
          taken = post_to_queue();
        }
      }
      handed_over_ = true;
      changed_.notify_all();
    }
    if (taken) {
      announcement.make();  // *this may be gone
    } else {
      Base::resume_posted(*this, Turn::on_executor);  // no other thread is left to do it
    }
  }

  /// To what is put into its `local` now, before anything of the user's can destroy the coroutine. What stands there
  /// longer could not be taken back from other threads.
  static bool comes_at_once(const Worker<Runtime>* worker) noexcept {
    return worker != nullptr && !worker->resume_next && !worker->in_run_local && worker->local.empty();
  }

  static void run_posted(Continuation& node, Turn turn) noexcept {
    if (!static_cast<FramedState&>(node).moves_on(turn)) {
      Base::resume_posted(node, Turn::on_executor);
    }
  }

  /// Its home has ended, and the task's queue has it now; after true, *this may be gone.
  bool moves_on(Turn turn) noexcept {
    const Lock lock(mutex_);
    wait_until_handed_over();
    if (turn != Turn::homeless || !post_to_queue()) {
      return false;
    }
    changed_.notify_all();
    return true;
  }

  /// Ahead of queued tasks. A worker that takes it from there waits for the mutex.
  bool post_to_queue() noexcept TOTO_REQUIRES(mutex_) {
    in_queue_ = this->core().post_front(*this);
    return in_queue_;
  }

  /// From then on the thread that hands the continuation over touches nothing of this, once it has left the mutex.
  void wait_until_handed_over() noexcept TOTO_REQUIRES(mutex_) {
    changed_.wait(mutex_, [this]() TOTO_REQUIRES(mutex_) { return handed_over_; });
  }

  typename Runtime::Mutex mutex_;
  bool over_ TOTO_GUARDED_BY(mutex_) = false;
  bool handed_over_ TOTO_GUARDED_BY(mutex_) = false;
  bool in_queue_ TOTO_GUARDED_BY(mutex_) = false;  // the continuation: not at its home
  WaitList<Runtime> changed_ TOTO_GUARDED_BY(mutex_);
};

/// To be awaited once, in place: it cannot be moved.
template <class Runtime, bool kTemporary, class F, class... Args>
class [[nodiscard("co_await it: call() alone calls nothing")]] CallAwaitable {
 public:
  using State = FramedState<Runtime, StateFor<Runtime, F, Args...>, F>;
  using R = typename CallTraits<Runtime, F, Args...>::Result;
  static constexpr bool kMustBeStored = kTemporary;

  template <class... As>
  explicit CallAwaitable(QueueCore<Runtime>& core, As&&... call) : state_(core, std::forward<As>(call)...) {}
  CallAwaitable(const CallAwaitable&) = delete;
  CallAwaitable& operator=(const CallAwaitable&) = delete;

  /// The coroutine is being destroyed, or has its result.
  /// Blocks: while the task runs, which is asked to stop. A task that is queued is taken out.
  ~CallAwaitable() {
    if (!added_) {
      return;
    }
    switch (state_.leave()) {
      case State::Left::not_over:
        state_.cancel();
        state_.wait_until_over();
        break;
      case State::Left::posted:
        state_.withdraw_from(home_ ? *home_ : state_.core());
        state_.core().return_reference();
        break;
      case State::Left::over:
        state_.core().return_reference();
        break;
    }
  }

  /// Refers to the call: GCC 12 copies an awaiter that operator co_await returns by reference.
  class Awaiter {
   public:
    explicit Awaiter(CallAwaitable& call) noexcept : call_(call) {}
    bool await_ready() const {
      if (call_.added_) {
        throw NoState("toto: this call has already been awaited");
      }
      return false;
    }
    template <class Promise>
    TOTO_NOINLINE void await_suspend(std::coroutine_handle<Promise> coroutine) {
      call_.add(coroutine);  // *this may be gone after this line
    }
    R await_resume() { return call_.state_.take_resumed(); }

   private:
    CallAwaitable& call_;
  };

  Awaiter operator co_await() & noexcept { return Awaiter(*this); }
  template <class Self = CallAwaitable>
  Awaiter operator co_await() && noexcept {
    static_assert(!kTemporary || !std::is_same_v<Self, CallAwaitable>, TOTO_STORE_THE_HANDLE_FIRST);
    return Awaiter(*this);
  }

 private:
  void add(std::coroutine_handle<> coroutine) {
    const ThreadContext<Runtime>& here = ThreadContext<Runtime>::current();
    home_ = Ref<ExecutorCore<Runtime>>::share(here.executor != &state_.core() ? here.executor : nullptr);
    state_.await_from_start(coroutine, Home<Runtime>::of(here, &state_.core()));
    added_ = true;
    // A worker returns to its loop at once from the coroutine that it has resumed there, and comes to the task.
    const bool returns = here.worker != nullptr && here.worker->on_top == coroutine;
    try {
      if (!returns || !state_.core().keep_next(*here.worker, state_)) {
        detail::add_to_queue(state_);  // *this may be gone after this line
      }
    } catch (...) {
      added_ = false;  // it was not queued: the coroutine continues here, with the exception
      throw;
    }
  }

  Ref<ExecutorCore<Runtime>> home_;  // null: the queue, or nowhere
  State state_;
  bool added_ = false;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_CALL_AWAITER_HPP
