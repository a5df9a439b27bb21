// SPDX-License-Identifier: MIT
//
// TimerService: the process's thread that waits for deadlines, for executors which have no thread for that. The thread
// starts with the first timer and ends when there has been no timer for a second. Files that use no timers do not
// compile its life. Read next: ../../sleep_for.hpp, ../../event_loop.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_TIMER_HPP
#define TOTO_DETAIL_EXECUTOR_TIMER_HPP

#include <memory>
#include <new>
#include <utility>

#include "../../duration.hpp"
#include "../ground/fork.hpp"
#include "../ground/lean_std.hpp"
#include "../ground/lock.hpp"
#include "../ground/wait_list.hpp"
#include "executor_core.hpp"
#include "timer_heap.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class TimerService final : private ForkAware<Runtime> {
 public:
  using Node = TimerNode<Runtime>;
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;

  /// The service of this process, made at its first use. At the end of the process its thread ends, before anything
  /// older than the service is destroyed. So whatever may need timers later calls this first.
  /// Throws: std::bad_alloc, the first time.
  static TimerService& instance() {
    Posts<Runtime>::instance();  // what ends must not have to make it; not in the constructor: see watch_forks()
    TimerService& service = Runtime::template global<TimerService>();
    service.watch_forks();
    return service;
  }

  static bool is_this_thread() noexcept { return ThreadContext<Runtime>::current().is_timers; }

  TOTO_COLD TimerService() : ForkAware<Runtime>(ForkRank::timers) {
    Runtime::at_exit([] { instance().stop(); });
  }
  /// Called only under the simulator, at the end of a schedule. Timers that are not due are dropped.
  TOTO_COLD ~TimerService() {
    while (!heap_.empty()) {
      Node& node = heap_.first();
      heap_.remove(node);
      if (node.home != nullptr) {
        node.home->release();
      } else {
        node.run(node, Turn::homeless);
      }
    }
  }

  /// Posts `node` to `home` at node.deadline. Thread-safe.
  /// Throws: std::bad_alloc, std::system_error if the thread cannot be started; then nothing has changed.
  void add(Node& node, ExecutorCore<Runtime>* home) {
    const Lock lock(mutex_);
    start_ = &TimerService::start_thread;
    add_locked(node, home);
  }
  /// The same without a home, for files that do not compile the thread. Returns false if no file has used a timer yet,
  /// or the process is ending.
  bool add_if_used(Node& node) {
    const Lock lock(mutex_);
    const bool can = start_ != nullptr && !stopped_;
    if (can) {
      add_locked(node, nullptr);
    }
    return can;
  }
  /// From now on add_if_used() returns true, and arm() may be called.
  void use() noexcept {
    const Lock lock(mutex_);
    start_ = &TimerService::start_thread;
  }

  /// Takes back a node that has not begun to run, from here or from its home. The caller makes sure that the node does
  /// not begin to run at its home now; if the node is running on the timer thread, this waits until it has run.
  /// Thread-safe. Returns true if the node was not due yet.
  bool remove(Node& node, ExecutorCore<Runtime>* home) noexcept {
    {
      const Lock lock(mutex_);
      if (home == nullptr && !is_this_thread()) {
        fired_.wait(mutex_, [&]() TOTO_REQUIRES(mutex_) { return firing_ != &node; });
      }
      if (node.place == Node::kNotWaiting) {
        if (home != nullptr) {
          home->withdraw(node);  // posting happens under this mutex: it is there
        }
        return false;
      }
      heap_.remove(node);
      if (heap_.empty()) {
        parker_.unpark();  // the thread has no deadline to sleep to any more
      }
    }
    if (home != nullptr) {
      home->release();
    }
    return true;
  }

  /// On the timer thread, by a node that it is running and that a remove() may wait for: nothing touches the node any
  /// more. Before what may run the user's code, which may wait for that remove().
  void has_run() noexcept {
    const Lock lock(mutex_);
    firing_ = nullptr;
    fired_.notify_all();
  }

  /// Adds a timer without a home that is part of `owner`, a RefCounted object, and keeps `owner` alive until disarm()
  /// has returned, or until the timer has run, on either turn, and has released its owner. Somebody has called use():
  /// this does not compile the thread.
  /// Throws: std::bad_alloc, std::system_error; then nothing has changed.
  template <class Owner>
  void arm(Node& node, Owner& owner) {
    auto owned = Ref<Owner>::share(std::addressof(owner));
    {
      const Lock lock(mutex_);
      add_locked(node, nullptr);
    }
    owned.leak();  // the timer's from now on; it may have run
  }

  /// Takes back the timer. Once this has returned, the timer does not run, unless this is the timer thread.
  template <class Owner>
  void disarm(Node& node, Owner& owner) noexcept {
    if (remove(node, nullptr)) {
      owner.release();
    }
  }

  /// Ends the thread, unless there are timers, and, on any other thread, waits for that until the deadline. The next
  /// timer starts it again.
  TOTO_COLD void rest_until(TimePoint deadline) noexcept {
    if (is_this_thread()) {
      return;
    }
    const Lock lock(mutex_);
    if (running_ && heap_.empty()) {
      hurries_ = true;
      parker_.unpark();
      fired_.wait_until(mutex_, deadline, [this]() TOTO_REQUIRES(mutex_) { return !hurries_; });
    }
    if (!running_ && thread_.joinable()) {
      thread_.join();  // it has left its last critical section
    }
  }

 private:
  static constexpr std::chrono::seconds kLinger{1};

  void add_locked(Node& node, ExecutorCore<Runtime>* home) TOTO_REQUIRES(mutex_) {
    start_locked();
    heap_.add(node);
    node.home = home;
    if (home != nullptr) {
      home->retain();
    }
    if (&heap_.first() == &node) {
      parker_.unpark();
    }
  }

  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  TOTO_COLD void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_) {
    if (in_child) {  // the homes of the sleepers were threads that are gone
      heap_.forget();
      running_ = hurries_ = false;
      firing_ = nullptr;
      fired_ = {};
      if (thread_.joinable()) {
        static_cast<void>(new (std::nothrow) typename Runtime::Thread(std::move(thread_)));  // not to be joined
      }
    }
    mutex_.unlock();
  }

  /// Starts the thread unless it runs.
  TOTO_COLD void start_locked() TOTO_REQUIRES(mutex_) {
    if (running_ || stopped_) {
      return;
    }
    if (thread_.joinable()) {
      thread_.join();  // it has left its last critical section
    }
    (this->*start_)();
    running_ = true;
  }
  TOTO_COLD void start_thread() {
    thread_ = typename Runtime::Thread("toto-timer", [this] { watch(); });
  }

  TOTO_COLD void watch() noexcept {
    ThreadContext<Runtime>::current().is_timers = true;
    mutex_.lock();
    for (TimePoint idle_since = Clock::now(); !stopped_;) {
      const TimePoint now = Clock::now();
      if (heap_.empty() && (hurries_ || now - idle_since >= kLinger)) {
        break;
      }
      if (std::exchange(hurries_, false)) {
        fired_.notify_all();
      }
      if (!heap_.empty() && heap_.first().deadline <= now) {
        fire_locked(heap_.first());
        idle_since = now;
        continue;
      }
      const TimePoint until = heap_.empty() ? idle_since + kLinger : heap_.first().deadline;
      mutex_.unlock();
      parker_.park_until(until);
      mutex_.lock();
    }
    running_ = hurries_ = false;
    fired_.notify_all();
    mutex_.unlock();
  }

  void fire_locked(Node& node) noexcept TOTO_REQUIRES(mutex_) {
    heap_.remove(node);
    ExecutorCore<Runtime>* const home = node.home;
    // Under the mutex, so that remove() finds the node either here or at its home.
    Notice<Runtime> notice(home);
    const bool posted = home != nullptr && home->post_silently(node, notice);
    firing_ = posted ? nullptr : &node;
    mutex_.unlock();
    if (posted) {
      home->announce(notice);
    } else {
      node.run(node, Turn::on_executor);  // it has no executor, or none any more
    }
    if (home != nullptr) {
      home->release();
    }
    mutex_.lock();
    firing_ = nullptr;
    fired_.notify_all();
  }

  TOTO_COLD void stop() noexcept {
    mutex_.lock();
    stopped_ = true;
    parker_.unpark();
    mutex_.unlock();
    if (thread_.joinable() && !is_this_thread()) {
      thread_.join();
    }
  }

  typename Runtime::Mutex mutex_;
  void (TimerService::*start_)()
      TOTO_GUARDED_BY(mutex_) = nullptr;  // start_thread, once a file that compiles it is used
  TimerHeap<Runtime> heap_ TOTO_GUARDED_BY(mutex_);
  bool running_ TOTO_GUARDED_BY(mutex_) = false;
  bool hurries_ TOTO_GUARDED_BY(mutex_) = false;          // a thread waits until it ends
  bool stopped_ TOTO_GUARDED_BY(mutex_) = false;          // the process is ending
  const Node* firing_ TOTO_GUARDED_BY(mutex_) = nullptr;  // running on the timer's own thread
  WaitList<Runtime> fired_ TOTO_GUARDED_BY(mutex_);
  typename Runtime::Thread thread_;
  typename Runtime::Parker parker_;
};

/// Lets the timer thread run `node` at once, because no other thread is left to do it. Returns false if there is no
/// memory for that, no thread, if no timer has been used yet, or if the process is ending.
template <class Runtime>
TOTO_COLD bool run_on_timers(Continuation& node) noexcept {
  struct Stray : TimerNode<Runtime> {
    Continuation* node = nullptr;
  };
  std::unique_ptr<Stray> stray(new (std::nothrow) Stray);
  if (stray == nullptr) {
    return false;
  }
  stray->node = &node;
  stray->deadline = Runtime::Clock::now();
  stray->run = [](Continuation& timer, Turn) noexcept {
    const std::unique_ptr<Stray> self(&static_cast<Stray&>(timer));
    self->node->run(*self->node, Turn::on_executor);
  };
  try {
    if (!TimerService<Runtime>::instance().add_if_used(*stray)) {
      return false;
    }
  } catch (...) {
    return false;
  }
  static_cast<void>(stray.release());  // it frees itself
  return true;
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_TIMER_HPP
