// SPDX-License-Identifier: MIT
//
// How a task gets into its queue: submit() adds a state that was made. ControlledState: a state with what not every
// task has: a token that cancels it, a time by which it has to begin, an observer. Read next:
// ../queue_view.hpp, ../task_queue.hpp.

#ifndef TOTO_DETAIL_SUBMISSION_HPP
#define TOTO_DETAIL_SUBMISSION_HPP

#include <atomic>
#include <optional>
#include <type_traits>
#include <utility>

#include "../options.hpp"
#include "../task_handle.hpp"
#include "call_state.hpp"
#include "followed_state.hpp"
#include "queue_core.hpp"
#include "timer.hpp"

namespace toto::inline v0::detail {

/// The handle type for a call: one that must be stored before it is awaited, where the compiler demands it.
template <class Runtime, class F, class... Args>
using HandleFor = HandleFrom<typename CallTraits<Runtime, F, Args...>::Result, Runtime, F, Args...>;

/// Adds a state that was just made to its queue. `reserved`: the caller has a reservation there.
/// Throws: what adding throws; the state is freed then.
template <class Runtime>
void submit(QueueCore<Runtime>& core, TaskStateBase<Runtime>& state, bool reserved = false) {
  try {
    core.add(state, reserved);
  } catch (...) {
    state.destroy();
    throw;
  }
}

/// How a task is to be treated that is not just to be run.
template <class Runtime>
struct Control {
  TaskOptions options;
  typename Runtime::StopToken token;

  bool needs_state(const QueueCore<Runtime>& core) const noexcept {
    return core.follows() || !options.start_by.is_never() || token.stop_possible();
  }
};

/// The state of a task with a token, a deadline or an observer. It lets go of token and timer when it is freed.
template <class Runtime, class Base, class F>
class ControlledState final : public FollowedState<Runtime, Base, F> {
 public:
  using Followed = FollowedState<Runtime, Base, F>;
  using Worker = detail::Worker<Runtime>;

  template <class... As>
  ControlledState(QueueCore<Runtime>& core, const Control<Runtime>& control, As&&... call)
      : Followed(core, std::forward<As>(call)...) {
    timer_.state = this;
    timer_.run = [](Continuation& node, Turn) noexcept { static_cast<Timer&>(node).state->expire(); };
    timer_.deadline = control.options.start_by.after(Runtime::Clock::now());
    if (timed()) {
      TimerService<Runtime>::instance().add(timer_, nullptr);
    }
    if (control.token.stop_possible()) {
      on_stop_.emplace(control.token, OnStop{*this});
    }
  }

  /// Adds it, and takes it out again if it has been cancelled meanwhile.
  /// Throws: what adding throws; the state is freed then.
  void submit(bool reserved) {
    try {
      this->add_followed(reserved);
    } catch (...) {
      destroy();
      throw;
    }
    added_.store(true, std::memory_order_seq_cst);  // pairs with ask_to_cancel(): one of the two sees the other
    if (asked_.load(std::memory_order_seq_cst)) {
      this->cancel();
    } else if (late()) {  // the timer may have come before
      this->cancel_queued();
    }
  }

  void run_on(Worker& worker) override {
    if (asked_.load(std::memory_order_seq_cst) || late()) {
      this->core().count_unrun(worker);
      this->discard();
    } else {
      Followed::run_on(worker);
    }
  }

  void destroy() noexcept override {
    this->~ControlledState();
    deallocate_state<ControlledState, Runtime>(this);
  }

 private:
  struct Timer : TimerNode<Runtime> {
    ControlledState* state = nullptr;
  };
  struct OnStop {
    ControlledState& state;
    void operator()() const noexcept { state.ask_to_cancel(); }
  };
  using OnStopCallback = typename Runtime::template StopCallback<OnStop>;

  ~ControlledState() {
    on_stop_.reset();
    if (timed()) {
      TimerService<Runtime>::instance().remove(timer_, nullptr);
    }
  }

  bool timed() const noexcept { return timer_.deadline != Runtime::Clock::time_point::max(); }

  bool late() const noexcept { return timed() && Runtime::Clock::now() >= timer_.deadline; }

  /// On the thread of the timers: a task that has begun goes on. Touches nothing after it has cancelled.
  void expire() noexcept {
    const auto core = Ref<QueueCore<Runtime>>::share(&this->core());
    if (added_.load(std::memory_order_seq_cst)) {
      this->cancel_queued();
    }
  }

  /// On whatever thread, by the token. Touches nothing after it has cancelled.
  void ask_to_cancel() noexcept {
    const auto core = Ref<QueueCore<Runtime>>::share(&this->core());
    asked_.store(true, std::memory_order_seq_cst);
    if (added_.load(std::memory_order_seq_cst)) {
      this->cancel();
    }
  }

  typename Runtime::template Atomic<bool> asked_{false};
  typename Runtime::template Atomic<bool> added_{false};
  Timer timer_;
  std::optional<OnStopCallback> on_stop_;
};

/// Adds `fn(args...)` to the queue, in a lane or none, and gives its handle; for void, none.
/// Throws: std::bad_alloc, std::system_error, QueueClosed, QueueFull, what copying throws, std::invalid_argument for a
/// null callable.
template <class Handle, class Runtime, class F, class... Args>
Handle submit_call(QueueCore<Runtime>& core, const Ref<Lane<Runtime>>& lane, const Control<Runtime>& control,
                   bool reserved, F&& fn, Args&&... args) {
  require_callable<Runtime, F, Args...>();
  using Base = StateFor<Runtime, Stored<F>, Stored<Args>...>;
  constexpr bool kForgotten = std::is_void_v<Handle>;
  const auto set_up = [&](QueuedTask<Runtime>& task) {
    task.lane = lane;
    task.priority = static_cast<signed char>(control.options.priority);
  };
  check_callable(fn, args...);
  if (control.needs_state(core)) {
    using State = ControlledState<Runtime, Base, Stored<F>>;
    State* const state =
        construct_state<State, Runtime>(core, control, std::forward<F>(fn), std::forward<Args>(args)...);
    set_up(*state);
    state->submit(reserved);
    if constexpr (kForgotten) {
      state->drop();
    } else {
      return HandleAccess::make<Handle>(state);
    }
  } else {
    Base* const state = construct_state<Base, Runtime>(core, std::forward<F>(fn), std::forward<Args>(args)...);
    set_up(*state);
    if constexpr (kForgotten) {
      state->let_go();
      submit(core, *state, reserved);
    } else {
      submit(core, *state, reserved);
      return HandleAccess::make<Handle>(state);
    }
  }
}

/// Room for one task, booked until it is used.
template <class Runtime>
class Reservation {
 public:
  /// Throws: QueueClosed.
  Reservation(QueueCore<Runtime>& core, typename Runtime::Clock::time_point deadline)
      : core_(core), reserved_(core.reserve_until(deadline)) {}
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() {
    if (reserved_) {
      core_.return_reservation();
    }
  }

  explicit operator bool() const noexcept { return reserved_; }
  /// The task has been added with it.
  void use() noexcept { reserved_ = false; }

 private:
  QueueCore<Runtime>& core_;
  bool reserved_;
};

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_SUBMISSION_HPP
