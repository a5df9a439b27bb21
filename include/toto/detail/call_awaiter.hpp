// SPDX-License-Identifier: MIT
//
// What BasicTaskQueue::call() gives: a task that lives in the frame of the coroutine that awaits it, its callable, its
// arguments and its result included. Nothing is allocated. Read next: task_state.hpp.

#ifndef TOTO_DETAIL_CALL_AWAITER_HPP
#define TOTO_DETAIL_CALL_AWAITER_HPP

#include <coroutine>
#include <utility>

#include "call_state.hpp"
#include "lock.hpp"
#include "supervisor.hpp"
#include "task_state.hpp"
#include "temporaries.hpp"
#include "wait_list.hpp"

namespace toto::inline v0::detail {

/// The task. Base is the state that yield_task would allocate; this one is not freed when nobody needs it any more, but
/// tells the frame that it may go.
template <class Runtime, class Base, class F>
class FramedState final : public FollowedState<Runtime, Base, F> {
 public:
  using FollowedState<Runtime, Base, F>::FollowedState;
  ~FramedState() = default;

  /// `resumer`: a worker that comes to the task at once, if it keeps it; or null.
  /// Throws: what adding throws.
  void add(Worker<Runtime>* resumer) {
    if (resumer == nullptr || &resumer->core != &this->core() || this->supervised ||
        !resumer->core.keep(*resumer, *this)) {
      this->add_followed();
    }
  }

  void destroy() noexcept override {
    const Lock lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

  /// Blocks: until destroy() has been called.
  void wait_until_over() noexcept {
    const Lock lock(mutex_);
    changed_.wait(mutex_, [this]() TOTO_REQUIRES(mutex_) { return over_; });
  }

  /// Takes back the continuation of a task that is over, which is on its way to `home`, or there; or, if that has
  /// ended, at the task's own queue.
  void withdraw_from(ExecutorCore<Runtime>& home) noexcept {
    wait_until_handed_over();
    if (!home.withdraw(*this)) {
      this->core().withdraw(*this);
    }
  }

 private:
  void hand_over(Worker<Runtime>* worker) noexcept override {
    typename Home<Runtime>::Announcement announcement;
    {
      const Lock lock(mutex_);
      this->run = [](Continuation& node, Turn turn) noexcept {
        auto& state = static_cast<FramedState&>(node);
        state.wait_until_handed_over();
        if (turn == Turn::homeless && state.core().post_front(node)) {
          return;
        }
        Base::resume_posted(node, Turn::on_executor);  // here: from the thread of the timers nobody could take it back
      };
      announcement = Base::hand_over_silently(worker);
      handed_over_ = true;
      changed_.notify_all();
    }
    announcement.make();  // *this may be gone
  }

  /// From its return the thread that hands the continuation over touches nothing of this.
  void wait_until_handed_over() noexcept {
    const Lock lock(mutex_);
    changed_.wait(mutex_, [this]() TOTO_REQUIRES(mutex_) { return handed_over_; });
  }

  typename Runtime::Mutex mutex_;
  bool over_ TOTO_GUARDED_BY(mutex_) = false;
  bool handed_over_ TOTO_GUARDED_BY(mutex_) = false;
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
  /// Blocks: while the task runs, which is asked to stop. One that is queued is taken out.
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
        throw NoState("toto: this call was awaited before");
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
    // A worker returns to its loop at once from the coroutine that it has resumed there.
    Worker<Runtime>* const resumer = here.worker != nullptr && here.worker->on_top == coroutine ? here.worker : nullptr;
    try {
      state_.add(resumer);  // *this may be gone after this line
    } catch (...) {
      added_ = false;  // it was not queued: the coroutine goes on here, with the exception
      throw;
    }
  }

  Ref<ExecutorCore<Runtime>> home_;  // null: the queue, or nowhere
  State state_;
  bool added_ = false;
};

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_CALL_AWAITER_HPP
