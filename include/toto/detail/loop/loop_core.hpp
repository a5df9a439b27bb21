// SPDX-License-Identifier: MIT
//
// Folder: loop. Uses: ground executor queue task.
// The event loop that comes with the library. Your own loop needs none of it.
//
// LoopCore: the shared part of an EventLoop: what is posted, the timers, the coroutines that the loop has spawned. It
// outlives the EventLoop for as long as a coroutine may still come back.

#ifndef TOTO_DETAIL_LOOP_LOOP_CORE_HPP
#define TOTO_DETAIL_LOOP_LOOP_CORE_HPP

#include <atomic>
#include <exception>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "../../errors.hpp"
#include "../../task.hpp"
#include "../executor/executor_core.hpp"
#include "../executor/roots.hpp"
#include "../executor/timer.hpp"
#include "../ground/fork.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../ground/spin.hpp"
#include "../ground/text.hpp"
#include "../ground/wait_list.hpp"
#include "../queue/queue_core.hpp"
#include "../task/started_task.hpp"

namespace toto::inline v0_1::detail {

/// Runs to its end the Task that a callable returns, and keeps the callable until then.
template <class F>
Task<> run_to_end(F function) {
  auto task = function();  // by its name: see temporaries.hpp
  co_await task;
}

/// How a loop ends: by EventLoop's destructor, wherever that is called.
///  - While run() is not on a stack: immediately.
///  - In what the loop runs: the destructor returns, and run() cleans up as soon as that code has returned to it.
///  - On another thread: run() cleans up, and the destructor waits until it has.
/// Cleaning up destroys the coroutines that the loop has started and that wait here (roots.hpp). Coroutines that are
/// away are released: each is destroyed where it ends. The core lives as long as anything refers to it.
template <class Runtime>
class LoopCore final : public ExecutorCore<Runtime>, private ForkAware<Runtime> {
 public:
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;
  using Timer = TimerNode<Runtime>;

  /// Throws: std::bad_alloc.
  explicit LoopCore(void* owner) : ForkAware<Runtime>(ForkRank::executors), owner_(owner) {
    TimerService<Runtime>::instance();  // its end needs them
    this->watch_forks();
  }

  bool post_silently(Continuation& node, Notice<Runtime>& notice) noexcept override {
    const Lock lock(mutex_);
    if (gone_) {
      return false;
    }
    nodes_.push_back(node);
    notice.ticket = std::exchange(sleeping_, false) ? 1 : 0;
    return true;
  }
  /// Without the mutex: the thread that is woken may run at once, instead of the one that wakes it, and needs it.
  void announce(Notice<Runtime>& notice) noexcept override {
    if (notice.ticket != 0) {
      parker_.unpark();
    }
  }

  bool withdraw(Continuation& node) noexcept override {
    const Lock lock(mutex_);
    if (!nodes_.holds(node)) {
      return false;
    }
    nodes_.remove(node);
    return true;
  }

  bool add_timer(Timer& node) override {
    const Lock lock(mutex_);
    timers_.add(node);
    node.home = this;
    if (&timers_.first() == &node) {
      wake_locked();
    }
    return true;
  }

  bool remove_timer(Timer& node) noexcept override {
    {
      const Lock lock(mutex_);
      handed_over_.wait(mutex_, [&]() TOTO_REQUIRES(mutex_) { return leaving_ != &node; });
      if (node.home == this) {
        if (node.place != Timer::kNotWaiting) {
          timers_.remove(node);
        } else {
          nodes_.remove(node);  // due, and on its way
        }
        return true;
      }
    }
    TimerService<Runtime>::instance().remove(node, nullptr);  // it took the timer over when the loop ended
    return true;
  }

  void* event_loop() noexcept override { return owner_.load(std::memory_order_relaxed); }

  /// Posts a function object that the loop owns. One that returns a Task is a coroutine, which the loop owns.
  /// Throws: std::bad_alloc.
  template <class F>
  void post_function(F&& fn) {
    if constexpr (IsTask<std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>>::value) {
      detail::spawn_on<Runtime>(*this, detail::run_to_end<std::decay_t<F>>(std::forward<F>(fn)));
    } else {
      const auto self = Ref<ExecutorCore<Runtime>>::share(this);  // what is posted may end the loop
      auto* const posted = new Posted<std::decay_t<F>>(*this, std::forward<F>(fn));
      if (!this->post(*posted)) {
        delete posted;
      }
    }
  }

  /// Takes back a timer that is not due yet. Returns false if it was due.
  bool take_back(Timer& node) noexcept {
    const Lock lock(mutex_);
    if (node.place == Timer::kNotWaiting) {
      return false;
    }
    timers_.remove(node);
    wake_locked();  // run() may have nothing else to wait for
    return true;
  }

  /// Stores a failure, which run() will throw. On the loop's thread.
  void fail(std::exception_ptr failure) noexcept override { failure_ = std::move(failure); }
  Roots<Runtime>* roots() noexcept override { return &roots_; }

  /// Starts the coroutine now. Called on the loop's thread.
  /// Throws: std::bad_alloc.
  void start(Task<> task) { roots_.start(*new StartedTask<void, Runtime>(*this, std::move(task))); }

  void stop() noexcept {
    const Lock lock(mutex_);
    stopping_ = true;
    wake_locked();
  }

  /// Runs until stop(), until the loop is destroyed, or until nothing is left.
  /// Throws: as run().
  void run_all() {
    run([] {}, [this] { return empty_locked(); });
  }

  /// Runs until the task has ended, and returns its result.
  /// Throws: what the task threw; Error, if the loop was stopped or destroyed before; and as run().
  template <class T>
  T run_one(Task<T> task) {
    struct Forget {
      LoopCore& core;
      SyncRoot<T>& root;
      ~Forget() { core.roots_.end(root); }
    };
    const auto kept = Ref<LoopCore>::share(this);  // until the last line
    auto* const root = new SyncRoot<T>(*this, std::move(task));
    const Forget at_the_end{*this, *root};
    if (!run([root] { root->begin(); }, [root] { return root->collected; })) {
      if (event_loop() != nullptr) {
        throw Error("toto: the event loop was stopped before run_sync was done");
      }
      if (!root->collected) {
        throw Error("toto: the event loop was destroyed before run_sync was done");
      }
    }
    return TaskAccess::take(root->task);
  }

  /// The end of the loop; how it is cleaned up is described above.
  /// Blocks: while another thread is in run().
  void finish() noexcept {
    {
      const Lock lock(mutex_);
      ending_ = true;
      owner_.store(nullptr, std::memory_order_relaxed);
      if (runner_ == nullptr) {
        clean_up_locked();
      } else if (runner_ != this_thread()) {
        wake_locked();
        left_.wait(mutex_, [this]() TOTO_REQUIRES(mutex_) { return runner_ == nullptr; });
      } else {
        wake_locked();  // it may be about to sleep
        return;
      }
    }
    Posts<Runtime>::instance().wait_for_timers();
  }

 private:
  /// Calls `start()`, and runs until stop(), or until the loop is destroyed, or until `done()`, which is called with
  /// the mutex held before each step. Returns false if the loop was stopped or destroyed.
  /// Throws: what a posted function or a coroutine threw; std::logic_error, and then nothing has been started.
  template <class Start, class Done>
  bool run(Start start, Done done) {
    const auto kept = Ref<LoopCore>::share(this);
    enter();
    struct Leave {
      LoopCore& core;
      ~Leave() { core.leave(); }
    };
    const Leave at_the_end{*this};
    const CurrentExecutor<Runtime> here(this);
    start();
    Lock lock(mutex_);
    for (;;) {
      if (ending_ || std::exchange(stopping_, false)) {
        return false;
      }
      if (!timers_.empty()) {
        collect_due_locked(Clock::now());
      }
      if (done()) {
        return true;
      }
      if (!nodes_.empty()) {
        Continuation& node = nodes_.pop_front();
        lock.unlock();
        node.run(node, Turn::on_executor);
        lock.lock();
        if (failure_) {
          std::rethrow_exception(std::exchange(failure_, nullptr));
        }
      } else {
        sleeping_ = true;
        const TimePoint until = timers_.empty() ? (TimePoint::max)() : timers_.first().deadline;
        lock.unlock();
        QueueCore<Runtime>::run_local_here();
        spins_.spin([this] { return parker_.has_token(); });
        spins_.paid(parker_.has_token());
        parker_.park_until(until);
        lock.lock();
        sleeping_ = false;
      }
    }
  }

  /// Whether nothing is posted, no timer is pending, and every coroutine that was started has ended. Requires mutex_:
  /// called by run().
  bool empty_locked() const noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS {
    return nodes_.empty() && timers_.empty() && roots_.size() == 0;
  }

  /// Identifies a thread, and has no other use.
  static const void* this_thread() noexcept { return &ThreadContext<Runtime>::current(); }

  void enter() {
    const Lock lock(mutex_);
    if (runner_ != nullptr) {
      throw std::logic_error("toto: this event loop is already running; co_await instead of run_sync, or post");
    }
    runner_ = this_thread();
  }
  void leave() noexcept {
    const Lock lock(mutex_);
    if (ending_) {
      clean_up_locked();
    }
    runner_ = nullptr;
    left_.notify_all();
  }

  /// Destroys the coroutines that wait here, releases those that are away, drops posted functions, and lets every other
  /// coroutine that would come back continue elsewhere. Nothing that the loop runs is on this thread's stack.
  void clean_up_locked() noexcept TOTO_REQUIRES(mutex_) {
    mutex_.unlock();
    roots_.end();
    TimerService<Runtime>::instance().use();  // coroutines without a home may need it: see run_on_timers()
    mutex_.lock();
    gone_ = true;
    collect_due_locked((TimePoint::max)());
    while (!nodes_.empty()) {
      Continuation& node = nodes_.pop_front();
      leaving_ = &node;
      mutex_.unlock();
      node.run(node, Turn::homeless);
      mutex_.lock();
      leaving_ = nullptr;
      handed_over_.notify_all();
      collect_due_locked((TimePoint::max)());
    }
  }

 protected:
  ~LoopCore() override { this->ignore_forks(); }

 private:
  template <class F>
  struct Posted final : Continuation {
    template <class Fn>
    Posted(LoopCore& loop, Fn&& fn) : core(loop), function(std::forward<Fn>(fn)) {
      this->run = [](Continuation& node, Turn turn) noexcept {
        auto* const self = static_cast<Posted*>(&node);
        if (turn == Turn::on_executor) {
          try {
            static_cast<void>(self->function());
          } catch (...) {
            self->core.failure_ = std::current_exception();  // the loop's own thread throws it from run()
          }
        }
        delete self;
      };
    }
    LoopCore& core;
    F function;
  };

  /// What run_one() waits for.
  template <class T>
  class SyncRoot final : public StartedTask<T, Runtime> {
   public:
    using StartedTask<T, Runtime>::StartedTask;
    bool collected = false;  // the loop's thread only

   private:
    void collect(Turn) noexcept override { collected = true; }
  };

  void describe(std::string& text) const override {
    const Lock lock(mutex_);
    detail::append(
        text, {"event loop: ", runner_ != nullptr ? "running, " : "not running, ", Digits(nodes_.size()), " posted, ",
               Digits(timers_.size()), " timer(s), ", Digits(roots_.size()), " coroutine(s)\n"});
  }
  void before_fork() noexcept override TOTO_ACQUIRE(roots_.mutex(), mutex_) {
    roots_.mutex().lock();
    mutex_.lock();
  }
  void after_fork(bool in_child) noexcept override TOTO_RELEASE(roots_.mutex(), mutex_) {
    if (in_child) {  // there are no other threads here: neither runners nor sleepers, nor whoever was to wake this one
      runner_ = runner_ == this_thread() ? runner_ : nullptr;
      left_ = {};
      handed_over_ = {};
      parker_.unpark();
    }
    mutex_.unlock();
    roots_.mutex().unlock();
  }

  void wake_locked() noexcept TOTO_REQUIRES(mutex_) {
    if (std::exchange(sleeping_, false)) {
      parker_.unpark();
    }
  }

  void collect_due_locked(TimePoint now) noexcept TOTO_REQUIRES(mutex_) {
    while (!timers_.empty() && timers_.first().deadline <= now) {
      Timer& timer = timers_.first();
      timers_.remove(timer);
      nodes_.push_back(timer);
    }
  }

  mutable typename Runtime::Mutex mutex_;
  ContinuationList nodes_ TOTO_GUARDED_BY(mutex_);
  TimerHeap<Runtime> timers_ TOTO_GUARDED_BY(mutex_);
  const void* runner_ TOTO_GUARDED_BY(mutex_) = nullptr;  // the thread that is in run()
  bool stopping_ TOTO_GUARDED_BY(mutex_) = false;
  bool sleeping_ TOTO_GUARDED_BY(mutex_) = false;
  bool ending_ TOTO_GUARDED_BY(mutex_) = false;  // the EventLoop's destructor was called
  bool gone_ TOTO_GUARDED_BY(mutex_) = false;    // nothing comes back any more
  /// What clean_up_locked() has taken out, while it is sent elsewhere. Compared only: it may be gone already.
  const Continuation* leaving_ TOTO_GUARDED_BY(mutex_) = nullptr;
  WaitList<Runtime> handed_over_ TOTO_GUARDED_BY(mutex_);
  WaitList<Runtime> left_ TOTO_GUARDED_BY(mutex_);  // wait until no thread is in run()
  typename Runtime::template Atomic<void*> owner_;  // the EventLoop; null: it is being destroyed
  std::exception_ptr failure_;                      // the loop's thread only
  Roots<Runtime> roots_{*this};                     // its mutex is taken before this one's
  typename Runtime::Parker parker_;
  SpinBudget<Runtime> spins_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_LOOP_LOOP_CORE_HPP
