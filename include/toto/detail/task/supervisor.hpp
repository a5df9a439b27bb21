// SPDX-License-Identifier: MIT
//
// Supervisor: watches a task for its queue's observer, its token and its start_by limit: it notifies the observer of
// the task's events, and takes the task out of the queue when a stop is requested, or when it is too late for it to
// begin. Read next: submission.hpp, ../../observer.hpp.

#ifndef TOTO_DETAIL_TASK_SUPERVISOR_HPP
#define TOTO_DETAIL_TASK_SUPERVISOR_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "../../observer.hpp"
#include "../../options.hpp"
#include "../executor/timer.hpp"
#include "../ground/ref.hpp"
#include "../ground/result.hpp"
#include "../queue/queue_core.hpp"
#include "../queue/task_list.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// Numbers the tasks of a process that somebody follows.
template <class Runtime>
struct TaskNumbers {
  typename Runtime::template Atomic<std::uint64_t> last{0};

  /// Throws: std::bad_alloc, the first time.
  static std::uint64_t next() {
    return Runtime::template global<TaskNumbers>().last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
};

/// The part of a Supervisor's interface that can be used without compiling it: only files that make queues with
/// options, or set options or a token for a task, compile it.
template <class Runtime>
class SupervisorBase {
 public:
  using State = TaskState<Runtime>;
  using Worker = detail::Worker<Runtime>;

  SupervisorBase(const SupervisorBase&) = delete;
  SupervisorBase& operator=(const SupervisorBase&) = delete;
  virtual ~SupervisorBase() = default;

  /// Adds the task to its queue. After this the task may be gone, unless it has a handle.
  /// Throws: what adding throws; then it is over for whoever follows it.
  virtual void add(bool reserved) = 0;

  /// The task is about to be added, for the first time or again.
  virtual void announce() noexcept = 0;

  /// It was not added after all, and is about to be over: cancelled, for whoever follows it, whatever its result says.
  void refused() noexcept { refused_ = true; }

  /// It has been added, and has a handle: takes it out again if it was to be cancelled meanwhile.
  virtual void added() noexcept = 0;

  /// A worker has taken the task. Returns false if the task must not run; then it has ended, and may be gone. `begun`:
  /// null for a plain task.
  virtual bool begin(Worker& worker, BegunTask<Runtime>* begun) noexcept = 0;

  /// It is over: on this worker, or on another thread.
  virtual void finished(const Worker* worker) noexcept = 0;

  /// Its awaiter resumes, on this thread.
  virtual void resumed() noexcept = 0;

  /// Whether the task is over, and was cancelled because it was too late for it to begin.
  bool too_late() const noexcept { return too_late_; }
  /// Whether there is a time by which the task has to begin.
  virtual bool timed() const noexcept = 0;
  QueueObserver* observer() const noexcept { return state_.core().observer(); }
  TaskInfo info() const noexcept { return {.queue = {}, .name = what_, .number = number_}; }
  TaskEvent event_on(std::size_t thread) const noexcept { return {state_.core().name(), number_, what_, thread}; }

 protected:
  SupervisorBase(State& state, std::string_view what, std::uint64_t number) noexcept
      : state_(state), what_(what), number_(number) {}

  State& state_;
  const std::string_view what_;
  const std::uint64_t number_;
  bool refused_ = false;
  bool too_late_ = false;  // written by whoever takes the task out, before it is over
};

template <class Runtime>
class Supervisor;

/// What a task needs beyond being run: a priority, a deadline, a token.
template <class Runtime>
class Control {
 public:
  void set(const TaskOptions& options) noexcept {
    options_ = options;
    choose_maker();
  }
  void set(typename Runtime::StopToken token) noexcept {
    token_ = std::move(token);
    choose_maker();
  }

  const TaskOptions& options() const noexcept { return options_; }
  const typename Runtime::StopToken& token() const noexcept { return token_; }

  /// Returns null if a task of that queue needs no supervisor.
  MakeSupervisor<Runtime> supervisor_maker(const QueueCore<Runtime>& core) const noexcept {
    return make_supervisor_ != nullptr ? make_supervisor_ : core.supervisor_maker();
  }

 private:
  void choose_maker() noexcept {
    const bool needed = !options_.start_by.is_never() || token_.stop_possible() || !options_.name.empty();
    make_supervisor_ = needed ? &Supervisor<Runtime>::make : nullptr;
  }

  TaskOptions options_{};
  typename Runtime::StopToken token_{};
  MakeSupervisor<Runtime> make_supervisor_ = nullptr;
};

template <class Runtime>
class Supervisor final : public SupervisorBase<Runtime>, private TimerNode<Runtime> {
 public:
  using Base = SupervisorBase<Runtime>;
  using State = typename Base::State;
  using Worker = typename Base::Worker;

  /// From here on the task may be asked to cancel.
  static Base* make(void* memory, State& state, const Control<Runtime>& control) {
    return ::new (memory) Supervisor(state, control);
  }

  ~Supervisor() override {
    on_stop_.reset();
    if (timed()) {
      TimerService<Runtime>::instance().remove(*this, nullptr);
    }
  }

  void add(bool reserved) override {
    QueueCore<Runtime>& core = state_.core();
    announce();
    try {
      if (!reserved && token_.stop_requested()) {
        core.add_beyond_bound(state_);  // what will never run needs no room, and must not wait for it
      } else {
        core.add(state_, reserved);
      }
    } catch (...) {
      this->refused();
      finished(nullptr);
      refused_ = announced_ = false;  // a call() may be awaited again
      throw;
    }
  }

  void announce() noexcept override {
    if (std::exchange(announced_, true)) {
      return;
    }
    if (state_.core().tracks()) {
      state_.core().task_list().add(entry_, what_);
    }
    if (QueueObserver* const told = observer()) {
      told->task_queued(event_on(0));
    }
  }

  void added() noexcept override {
    // Token and timer may have come before, and have not found the task: adding it has had the queue's mutex since.
    if (token_.stop_requested()) {
      state_.cancel();
    } else if (late()) {
      state_.cancel_queued(&too_late_);
    }
  }

  bool begin(Worker& worker, BegunTask<Runtime>* begun) noexcept override {
    const bool asked = token_.stop_requested();  // if it comes later, it finds the task claimed
    if (asked || late()) {
      too_late_ = !asked;
      state_.core().count_unrun();
      state_.discard();
      return false;
    }
    if (state_.core().tracks()) {
      state_.core().task_list().begin(entry_, begun, worker.number);
    }
    if (QueueObserver* const told = observer()) {
      told->task_started(event_on(worker.number));
    }
    return true;
  }

  void finished(const Worker* worker) noexcept override {
    if (state_.core().tracks()) {
      state_.core().task_list().remove(entry_);
    }
    QueueObserver* const told = observer();
    if (told != nullptr && announced_) {
      const Outcome outcome = refused_ ? Outcome::cancelled : state_.outcome();
      const TaskEnd end = outcome == Outcome::value       ? TaskEnd::completed
                          : outcome == Outcome::exception ? TaskEnd::failed
                                                          : TaskEnd::cancelled;
      told->task_finished(event_on(worker != nullptr ? worker->number : 0), end);
    }
  }

  void resumed() noexcept override {
    if (QueueObserver* const told = observer()) {
      const Worker* const worker = ThreadContext<Runtime>::current().worker;
      told->awaiter_resumed(event_on(worker != nullptr ? worker->number : 0));
    }
  }

  bool timed() const noexcept override { return this->deadline != (Runtime::Clock::time_point::max)(); }

 private:
  struct OnStop {
    Supervisor& supervisor;
    void operator()() const noexcept { supervisor.ask_to_cancel(); }
  };
  using OnStopCallback = typename Runtime::template StopCallback<OnStop>;

  Supervisor(State& state, const Control<Runtime>& control)
      : Base(state, control.options().name.empty() ? state.what() : control.options().name,
             TaskNumbers<Runtime>::next()),
        token_(control.token()) {
    state.supervised = true;
    this->run = [](Continuation& node, Turn) noexcept { static_cast<Supervisor&>(node).expire(); };
    this->deadline = control.options().start_by.is_never() ? (Runtime::Clock::time_point::max)()
                                                           : control.options().start_by.after(Runtime::Clock::now());
    if (timed()) {
      TimerService<Runtime>::instance().add(*this, nullptr);
    }
    if (token_.stop_possible()) {
      on_stop_.emplace(token_, OnStop{*this});
    }
  }

  bool late() const noexcept { return timed() && Runtime::Clock::now() >= this->deadline; }

  /// On the timer thread: a task that has begun continues. Touches nothing after it has cancelled.
  void expire() noexcept {
    const auto core = Ref<QueueCore<Runtime>>::share(&state_.core());
    state_.cancel_queued(&too_late_);
  }

  /// On whatever thread, by the token. Touches nothing after it has cancelled.
  void ask_to_cancel() noexcept {
    const auto core = Ref<QueueCore<Runtime>>::share(&state_.core());
    state_.cancel();
  }

  using Base::event_on;
  using Base::observer;
  using Base::refused_;
  using Base::state_;
  using Base::too_late_;
  using Base::what_;
  bool announced_ = false;
  TrackedTask<Runtime> entry_;
  const typename Runtime::StopToken token_;
  std::optional<OnStopCallback> on_stop_;
};

template <class Runtime>
TaskInfo TaskState<Runtime>::info() const noexcept {
  // Null although supervised: the state of a task that was refused is being destroyed, and its supervisor has gone.
  const SupervisorBase<Runtime>* const followed = this->supervised ? supervisor() : nullptr;
  return followed != nullptr ? followed->info() : TaskInfo{.queue = {}, .name = what()};
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_SUPERVISOR_HPP
