// SPDX-License-Identifier: MIT
//
// LoopCore: the shared part of an EventLoop, which outlives it for as long as a coroutine may still want to come back:
// what is posted, the timers, the coroutines it has spawned.

#ifndef TOTO_DETAIL_LOOP_LOOP_CORE_HPP
#define TOTO_DETAIL_LOOP_LOOP_CORE_HPP

#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include "../../task.hpp"
#include "../executor/executor_core.hpp"
#include "../executor/timer.hpp"
#include "../ground/fork.hpp"
#include "../ground/lock.hpp"
#include "../ground/spin.hpp"
#include "../ground/wait_list.hpp"
#include "../queue/queue_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class LoopCore final : public ExecutorCore<Runtime>, private ForkAware<Runtime> {
 public:
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;
  using Timer = TimerNode<Runtime>;

  explicit LoopCore(void* owner) : ForkAware<Runtime>(ForkRank::executors), owner_(owner) { this->watch_forks(); }

  bool post(Continuation& node) noexcept override {
    const Lock lock(mutex_);
    if (gone_) {
      return false;
    }
    nodes_.push_back(node);
    wake_locked();
    return true;
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
    TimerService<Runtime>::instance().remove(node, nullptr);  // it has taken the timer over at the end of the loop
    return true;
  }

  void* event_loop() noexcept override { return owner_; }

  /// Posts a function object that the loop owns.
  /// Throws: std::bad_alloc.
  template <class F>
  void post_function(F&& fn) {
    auto* const posted = new Posted<std::decay_t<F>>(*this, std::forward<F>(fn));
    if (!post(*posted)) {
      delete posted;
    }
  }

  /// Takes back a timer whose time has not come. False: it has.
  bool take_back(Timer& node) noexcept {
    const Lock lock(mutex_);
    if (node.place == Timer::kNotWaiting) {
      return false;
    }
    timers_.remove(node);
    wake_locked();  // run() may have nothing else to wait for
    return true;
  }

  /// run() throws it. On the loop's thread.
  void fail(std::exception_ptr failure) noexcept { failure_ = std::move(failure); }

  void spawn(Task<> task) {
    auto spawned_object = std::make_unique<Spawned>(*this, std::move(task));
    const Lock lock(mutex_);
    if (gone_) {
      return;  // a loop that is being destroyed starts nothing
    }
    Spawned* const spawned = spawned_object.release();
    spawned->next_spawned = spawned_;
    if (spawned_ != nullptr) {
      spawned_->previous_spawned = spawned;
    }
    spawned_ = spawned;
    spawned->queued = true;
    nodes_.push_back(*spawned);
    wake_locked();
  }

  void stop() noexcept {
    const Lock lock(mutex_);
    stopping_ = true;
    wake_locked();
  }

  /// Calls `start()`, and runs until stop(), or until `done()`, which is called with the mutex held before each step.
  /// False: it was stopped.
  /// Throws: what a posted function or a spawned coroutine threw; std::logic_error, and then nothing has been started.
  template <class Start, class Done>
  bool run(Start start, Done done) {
    const ExecutorScope<Runtime> here(this);
    Lock lock(mutex_);
    if (running_) {
      throw std::logic_error("toto: this event loop is running already; co_await instead of run_sync, or post");
    }
    const Running running(*this);
    lock.unlock();
    start();
    lock.lock();
    for (;;) {
      if (std::exchange(stopping_, false)) {
        return false;
      }
      collect_due_locked();
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

  /// Nothing is posted, waiting for its time, or spawned and not ended. Requires mutex_: called by run().
  bool empty_locked() const noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS {
    return nodes_.empty() && timers_.empty() && spawned_ == nullptr;
  }

  /// The end of the loop: destroys spawned coroutines that have not ended, drops posted functions, and lets every other
  /// coroutine that would come back continue elsewhere.
  void finish() noexcept {
    mutex_.lock();
    while (Spawned* const spawned = spawned_) {
      unlink_locked(*spawned);
      mutex_.unlock();
      delete spawned;
      mutex_.lock();
    }
    gone_ = true;
    owner_ = nullptr;
    while (!nodes_.empty() || !timers_.empty()) {
      Continuation* node = nullptr;
      if (!nodes_.empty()) {
        node = &nodes_.pop_front();
      } else {
        Timer& timer = timers_.first();
        timers_.remove(timer);
        node = &timer;
      }
      leaving_ = node;
      mutex_.unlock();
      make_timers();
      node->run(*node, Turn::homeless);
      mutex_.lock();
      leaving_ = nullptr;
      handed_over_.notify_all();
    }
    mutex_.unlock();
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

  struct Spawned final : Continuation {
    Spawned(LoopCore& loop, Task<> spawned) : core(loop), task(std::move(spawned)) {
      this->run = [](Continuation& node, Turn) noexcept { static_cast<Spawned&>(node).start(); };
    }

    void start() noexcept {
      queued = false;
      try {
        TaskAccess::start(task, &Spawned::ended, this);  // after this the object may be gone
      } catch (...) {
        core.failure_ = std::current_exception();
        collect();
      }
    }

    /// On the coroutine's own stack, on whatever thread: the rest is done by the loop.
    static void ended(void* context) noexcept {
      auto& self = *static_cast<Spawned*>(context);
      self.run = [](Continuation& node, Turn) noexcept {
        auto& spawned = static_cast<Spawned&>(node);
        try {
          TaskAccess::take(spawned.task);
        } catch (...) {
          spawned.core.failure_ = std::current_exception();
        }
        spawned.collect();
      };
      const Lock lock(self.core.mutex_);
      self.queued = true;
      self.core.nodes_.push_back(self);
      self.core.wake_locked();
    }

    void collect() noexcept {
      queued = false;
      {
        const Lock lock(core.mutex_);
        core.unlink_locked(*this);
      }
      delete this;
    }

    LoopCore& core;
    Task<> task;
    bool queued = false;  // in core.nodes_
    Spawned* next_spawned = nullptr;
    Spawned* previous_spawned = nullptr;
  };

  struct Running {
    explicit Running(LoopCore& loop) noexcept : core(loop) { core.running_ = true; }
    ~Running() { core.running_ = false; }
    LoopCore& core;
  };

  /// Whoever is homeless may need them: see run_on_timers().
  static void make_timers() noexcept {
    try {
      TimerService<Runtime>::instance();
    } catch (...) {  // no memory: it does without
    }
  }

  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  void after_fork(bool) noexcept override TOTO_RELEASE(mutex_) { mutex_.unlock(); }

  void wake_locked() noexcept TOTO_REQUIRES(mutex_) {
    if (std::exchange(sleeping_, false)) {
      parker_.unpark();
    }
  }

  void collect_due_locked() noexcept TOTO_REQUIRES(mutex_) {
    if (timers_.empty()) {
      return;
    }
    for (const TimePoint now = Clock::now(); !timers_.empty() && timers_.first().deadline <= now;) {
      Timer& timer = timers_.first();
      timers_.remove(timer);
      nodes_.push_back(timer);
    }
  }

  void unlink_locked(Spawned& spawned) noexcept TOTO_REQUIRES(mutex_) {
    (spawned.previous_spawned != nullptr ? spawned.previous_spawned->next_spawned : spawned_) = spawned.next_spawned;
    if (spawned.next_spawned != nullptr) {
      spawned.next_spawned->previous_spawned = spawned.previous_spawned;
    }
    if (spawned.queued) {
      nodes_.remove(spawned);
    }
  }

  typename Runtime::Mutex mutex_;
  ContinuationList nodes_ TOTO_GUARDED_BY(mutex_);
  TimerHeap<Runtime> timers_ TOTO_GUARDED_BY(mutex_);
  Spawned* spawned_ TOTO_GUARDED_BY(mutex_) = nullptr;
  bool running_ TOTO_GUARDED_BY(mutex_) = false;
  bool stopping_ TOTO_GUARDED_BY(mutex_) = false;
  bool sleeping_ TOTO_GUARDED_BY(mutex_) = false;
  bool gone_ TOTO_GUARDED_BY(mutex_) = false;
  /// What finish() has taken out, while that finds another place. Compared only: it may be gone already.
  const Continuation* leaving_ TOTO_GUARDED_BY(mutex_) = nullptr;
  WaitList<Runtime> handed_over_ TOTO_GUARDED_BY(mutex_);
  void* owner_;                 // the EventLoop
  std::exception_ptr failure_;  // the loop's thread only
  typename Runtime::Parker parker_;
  SpinBudget<Runtime> spins_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_LOOP_LOOP_CORE_HPP
