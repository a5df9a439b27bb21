// SPDX-License-Identifier: MIT
//
// What BasicTaskQueue::call() returns: a task that lives in the frame of the coroutine that awaits it, together with
// its callable, arguments and result. Nothing is allocated. Read next: task_state.hpp.

#ifndef TOTO_DETAIL_TASK_CALL_AWAITER_HPP
#define TOTO_DETAIL_TASK_CALL_AWAITER_HPP

#include <coroutine>
#include <type_traits>
#include <utility>

#include "../ground/lock.hpp"
#include "../ground/temporaries.hpp"
#include "../ground/wait_list.hpp"
#include "coroutine_state.hpp"
#include "submission.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// The task, to be awaited once, in place: it cannot be moved. Base is the state that yield_task would allocate; where
/// that would be freed, this one notifies the frame that it may be destroyed. `kTemporary`: see temporaries.hpp.
template <class Runtime, bool kTemporary, class F, class... Args>
class [[nodiscard("co_await it: call() alone calls nothing")]] CallAwaitable final
    : SupervisedState<Runtime, StateFor<Runtime, F, Args...>> {
  using Base = SupervisedState<Runtime, StateFor<Runtime, F, Args...>>;

 public:
  static constexpr bool kMustBeStored = kTemporary;

  template <class... As>
  explicit CallAwaitable(QueueCore<Runtime>& core, As&&... call) : Base(core, std::forward<As>(call)...) {
    if (const MakeSupervisor<Runtime> make = core.supervisor_maker()) [[unlikely]] {
      this->supervise(make, {});
    }
  }
  ~CallAwaitable() {
    if (stage_ == Stage::waiting) {
      abandon();
    } else if (stage_ == Stage::over) {
      this->core().return_reference();
    }
  }

  bool await_ready() const {
    if (stage_ != Stage::not_added) {
      throw NoState("toto: this call has already been awaited");
    }
    return false;
  }
  template <class Promise>
  TOTO_NOINLINE void await_suspend(std::coroutine_handle<Promise> coroutine) {
    add(coroutine);  // *this may be gone after this line
  }
  typename CallTraits<Runtime, F, Args...>::Result await_resume() {
    stage_ = Stage::over;
    return this->take_resumed();
  }

  template <class Self = CallAwaitable>
    requires kTemporary
  void operator co_await() && noexcept {
    static_assert(!std::is_same_v<Self, CallAwaitable>, TOTO_STORE_THE_HANDLE_FIRST);
  }

 private:
  enum class Stage : unsigned char { not_added, waiting, over };

  void add(std::coroutine_handle<> coroutine) {
    const ThreadContext<Runtime>& here = ThreadContext<Runtime>::current();
    this->await_from_start(coroutine, Home<Runtime>::of(here, &this->core()));
    stage_ = Stage::waiting;
    // A worker returns to its loop at once from the coroutine that it has resumed there, and comes to the task.
    const bool returns = here.worker != nullptr && here.worker->on_top == coroutine;
    try {
      if (!returns || !this->core().keep_next(*here.worker, *this)) {
        detail::add_to_queue<Runtime>(*this);  // *this may be gone after this line
      }
    } catch (...) {
      stage_ = Stage::not_added;  // it was not queued: the coroutine continues here, with the exception
      throw;
    }
  }

  void destroy() noexcept override {
    const Lock lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

  /// The coroutine is being destroyed while it waits.
  /// Blocks: while the task runs, which is asked to stop. A task that is queued is taken out, and so is the
  /// continuation of one that is over.
  void abandon() noexcept {
    this->drop();
    if (!this->ready()) {
      this->cancel();
      QueueCore<Runtime>::run_local_here();
    }
    bool withdrawn = false;
    {
      const Lock lock(mutex_);
      changed_.wait(mutex_, [&]() TOTO_REQUIRES(mutex_) {
        withdrawn = place_ != nullptr && place_->withdraw(*this);  // if not, whoever ends that place has it in hand
        return withdrawn || over_;
      });
    }
    if (withdrawn) {
      Base::resume_posted(*this, Turn::on_executor);  // which only calls destroy(): it is `abandoned`
    }
  }

  void hand_over(Worker<Runtime>* worker) noexcept override {
    auto home = Ref<ExecutorCore<Runtime>>::share(this->home());
    Notice<Runtime> notice(home.get());
    {
      const Lock lock(mutex_);
      this->run = &run_posted;
      if (home && home->post_silently(*this, notice)) {
        place_ = home.get();
        changed_.notify_all();
      } else {
        home = {};
        if (Home<Runtime>().may_resume_here(worker) && worker->local.empty()) {
          this->run = &Base::resume_posted;  // at once, before anything of the user's can destroy the coroutine
          worker->local.push_back(*this);
        } else {
          post_to_queue();  // which has not ended: it counts this thread, or this is its worker (I8)
        }
      }
    }
    if (home) {
      home->announce(notice);  // *this may be gone
    }
  }

  static void run_posted(Continuation& node, Turn turn) noexcept {
    auto& state = static_cast<CallAwaitable&>(node);
    {
      const Lock lock(state.mutex_);  // whoever has handed it over touches nothing of this any more
      if (turn == Turn::homeless && state.post_to_queue()) {
        return;
      }
    }
    Base::resume_posted(node, Turn::on_executor);
  }

  /// Ahead of queued tasks. A worker that takes it from there waits for the mutex. Returns false if the queue has
  /// ended.
  bool post_to_queue() noexcept TOTO_REQUIRES(mutex_) {
    place_ = this->core().post_front(*this) ? &this->core() : nullptr;
    changed_.notify_all();
    return place_ != nullptr;
  }

  typename Runtime::Mutex mutex_;
  bool over_ TOTO_GUARDED_BY(mutex_) = false;
  ExecutorCore<Runtime>* place_ TOTO_GUARDED_BY(mutex_) = nullptr;  // where the continuation can be taken back
  WaitList<Runtime> changed_ TOTO_GUARDED_BY(mutex_);
  Stage stage_ = Stage::not_added;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_CALL_AWAITER_HPP
