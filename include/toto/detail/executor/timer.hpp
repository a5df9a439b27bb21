// SPDX-License-Identifier: MIT
//
// Timer nodes, the heap they wait in, and TimerService: the one thread of the process that watches the clock for
// executors which have no thread to spare for it. It starts with the first timer and ends when there has been none for
// a second. Read next: ../sleep_for.hpp, ../event_loop.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_TIMER_HPP
#define TOTO_DETAIL_EXECUTOR_TIMER_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "../../duration.hpp"
#include "../ground/fork.hpp"
#include "../ground/lean_std.hpp"
#include "../ground/lock.hpp"
#include "../ground/wait_list.hpp"
#include "executor_core.hpp"

namespace toto::inline v0_1::detail {

/// A continuation that is due at a point in time.
template <class Runtime>
struct TimerNode : Continuation {
  static constexpr std::size_t kNotWaiting = (std::numeric_limits<std::size_t>::max)();

  typename Runtime::Clock::time_point deadline{};
  std::uint64_t sequence = 0;       // timers of one deadline fire in order
  std::size_t place = kNotWaiting;  // in the heap
  /// Where it comes back to; null: the timer's own thread. Owned while it waits in the TimerService; a loop tells by it
  /// whether it still has the timer.
  ExecutorCore<Runtime>* home = nullptr;
};

/// The first time that is not over yet, in steps of `period`, or of a tick of the clock, from `last`.
template <class Clock>
typename Clock::time_point next_time(typename Clock::time_point last, Duration period) noexcept {
  using TimePoint = typename Clock::time_point;
  using Length = typename Clock::duration;
  const auto whole = std::chrono::duration_cast<Length>(period.nanoseconds());
  const Length step = whole < Length(1) ? Length(1) : whole;
  const TimePoint now = Clock::now();
  if (now > last) {
    last += (now - last) / step * step;  // at one go: a short period may have passed any number of times
  }
  return last > (TimePoint::max)() - step ? (TimePoint::max)() : last + step;
}

/// A binary heap of timers that one in its middle can leave. Its owner's mutex guards it.
template <class Runtime>
class TimerHeap {
 public:
  using Node = TimerNode<Runtime>;

  bool empty() const noexcept { return nodes_.empty(); }
  Node& first() const noexcept { return *nodes_.front(); }

  /// Throws: std::bad_alloc.
  void add(Node& node) {
    nodes_.push_back(&node);
    node.sequence = ++sequence_;
    node.place = nodes_.size() - 1;
    rise(node.place);
  }

  void remove(Node& node) noexcept {
    const std::size_t place = node.place;
    Node* const last = nodes_.back();
    nodes_.pop_back();
    node.place = Node::kNotWaiting;
    if (last != &node) {
      put(*last, place);
      rise(place);
      sink(last->place);
    }
    if (nodes_.empty() && nodes_.capacity() > kKept) {
      std::vector<Node*>().swap(nodes_);  // what a burst took is given back
    }
  }

  /// Leaves every timer where it is: nobody waits any more.
  void forget() noexcept {
    for (Node* const node : nodes_) {
      node->place = Node::kNotWaiting;
    }
    nodes_.clear();
  }

 private:
  static constexpr std::size_t kKept = 64;  // so that a timer that comes again needs no memory

  static bool before(const Node& a, const Node& b) noexcept {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence;
  }
  void put(Node& node, std::size_t place) noexcept {
    nodes_[place] = &node;
    node.place = place;
  }
  void exchange(std::size_t a, std::size_t b) noexcept {
    Node& moved = *nodes_[a];
    put(*nodes_[b], a);
    put(moved, b);
  }
  void rise(std::size_t place) noexcept {
    while (place > 0 && before(*nodes_[place], *nodes_[(place - 1) / 2])) {
      exchange(place, (place - 1) / 2);
      place = (place - 1) / 2;
    }
  }
  void sink(std::size_t place) noexcept {
    for (;;) {
      std::size_t least = place;
      for (const std::size_t child : {2 * place + 1, 2 * place + 2}) {
        if (child < nodes_.size() && before(*nodes_[child], *nodes_[least])) {
          least = child;
        }
      }
      if (least == place) {
        return;
      }
      exchange(place, least);
      place = least;
    }
  }

  std::vector<Node*> nodes_;
  std::uint64_t sequence_ = 0;
};

/// What can be asked of the TimerService without compiling it.
template <class Runtime>
class TimerServiceBase {
 public:
  virtual ~TimerServiceBase() = default;
  virtual void add(TimerNode<Runtime>& node, ExecutorCore<Runtime>* home) = 0;
  virtual void stop() noexcept = 0;

  /// The thread of the timers is about to call post() of an executor of the program's own, or comes back from it.
  virtual void enter_post() noexcept = 0;
  virtual void leave_post() noexcept = 0;
  /// Waits until that thread has come back from the post() that it is in. False: the deadline has passed before.
  virtual bool wait_until_posted(typename Runtime::Clock::time_point deadline) noexcept = 0;
  virtual void rest_until(typename Runtime::Clock::time_point deadline) noexcept = 0;
};

/// Where the TimerService is found, once somebody in the program has used a timer; before that, there is none. At the
/// end of the process this stops it, before whatever is older than this: who may come to need timers later has this
/// made early.
template <class Runtime>
class TimersAtHand {
 public:
  using Service = TimerServiceBase<Runtime>;

  static TimersAtHand& instance() { return Runtime::template global<TimersAtHand>(); }

  TimersAtHand() {
    Runtime::at_exit([] { instance().end(); });
  }
  /// A process never comes to this; a simulated one does, at the end of a schedule.
  ~TimersAtHand() { delete service(); }

  /// Whether the calling thread is the one that watches the clock.
  static bool& is_this_thread() noexcept { return Runtime::template Local<bool, TimersAtHand>::get(); }

  /// Null: there is none yet.
  Service* service() const noexcept { return service_.load(std::memory_order_acquire); }

  /// The service, which is this one from now on if there was none.
  Service* propose(Service* made) noexcept {
    Service* before = nullptr;
    if (!service_.compare_exchange_strong(before, made, std::memory_order_seq_cst, std::memory_order_acquire)) {
      return before;
    }
    if (ended_.load(std::memory_order_seq_cst)) {  // pairs with end(): one of the two sees the other
      made->stop();
    }
    return made;
  }

 private:
  void end() noexcept {
    ended_.store(true, std::memory_order_seq_cst);
    if (Service* const last = service_.load(std::memory_order_seq_cst)) {
      last->stop();
    }
  }

  typename Runtime::template Atomic<Service*> service_{nullptr};
  typename Runtime::template Atomic<bool> ended_{false};
};

/// While a thread is in post() of an executor of the program's own. Workers are joined before their queue has ended;
/// the thread of the timers nobody can join, but one can wait until it has come back.
template <class Runtime>
class InPost {
 public:
  InPost() noexcept
      : timers_(TimersAtHand<Runtime>::is_this_thread() ? TimersAtHand<Runtime>::instance().service() : nullptr) {
    if (timers_ != nullptr) {
      timers_->enter_post();
    }
  }
  ~InPost() {
    if (timers_ != nullptr) {
      timers_->leave_post();
    }
  }
  InPost(const InPost&) = delete;
  InPost& operator=(const InPost&) = delete;

 private:
  TimerServiceBase<Runtime>* const timers_;
};

/// For what ends, or says that all is over: from its return on nobody is in post() of an executor any more because of
/// what had been resumed, or destroyed, before. False: not by the deadline.
/// Blocks: for the rest of one call of post(), unless this is the thread of the timers.
template <class Runtime>
bool wait_until_posted(typename Runtime::Clock::time_point deadline = (Runtime::Clock::time_point::max)()) noexcept {
  if (TimersAtHand<Runtime>::is_this_thread()) {
    return true;
  }
  auto* const timers = TimersAtHand<Runtime>::instance().service();
  return timers == nullptr || timers->wait_until_posted(deadline);
}

/// Lets the thread of the timers run `node`, which nobody else is left to run, at once. False: there is no memory for
/// that, no thread, or no service.
template <class Runtime>
TOTO_COLD bool run_on_timers(Continuation& node) noexcept {
  struct Stray : TimerNode<Runtime> {
    Continuation* node = nullptr;
  };
  auto* const service = TimersAtHand<Runtime>::instance().service();
  std::unique_ptr<Stray> stray(service != nullptr ? new (std::nothrow) Stray : nullptr);
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
    service->add(*stray, nullptr);
  } catch (...) {
    return false;
  }
  static_cast<void>(stray.release());  // it frees itself
  return true;
}

template <class Runtime>
class TimerService final : public TimerServiceBase<Runtime>, private ForkAware<Runtime> {
 public:
  using Node = TimerNode<Runtime>;
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;

  /// The one of this process, made at its first use.
  /// Throws: std::bad_alloc, the first time.
  static TimerService& instance() {
    TimerServiceBase<Runtime>* const known = TimersAtHand<Runtime>::instance().service();
    return static_cast<TimerService&>(known != nullptr ? *known : first_use());
  }

  /// A process never comes to this; a simulated one does, at the end of a schedule. Whose time has not come is let go.
  TOTO_COLD ~TimerService() override {
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
  void add(Node& node, ExecutorCore<Runtime>* home) override {
    const Lock lock(mutex_);
    node.home = home;
    heap_.add(node);
    try {
      start_locked();
    } catch (...) {
      heap_.remove(node);
      throw;
    }
    if (home != nullptr) {
      home->retain();
    }
    if (&heap_.first() == &node) {
      parker_.unpark();
    }
  }

  /// Takes back a node that has not begun to run, from here or from its home. The caller sees to it that it does not
  /// begin to run at its home now; on the timer's own thread it may: then this waits until it has run. Thread-safe.
  /// True: its time had not come.
  bool remove(Node& node, ExecutorCore<Runtime>* home) noexcept {
    {
      const Lock lock(mutex_);
      if (home == nullptr && !TimersAtHand<Runtime>::is_this_thread()) {
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

  void enter_post() noexcept override {
    const Lock lock(mutex_);
    ++in_posts_;
  }
  void leave_post() noexcept override {
    const Lock lock(mutex_);
    leave_post_locked();
  }
  bool wait_until_posted(TimePoint deadline) noexcept override {
    const Lock lock(mutex_);
    const std::uint64_t before = posts_;
    return posted_.wait_until(mutex_, deadline,
                              [&]() TOTO_REQUIRES(mutex_) { return in_posts_ == 0 || posts_ != before; });
  }

  /// Adds a timer without a home that is a part of `owner`, a RefCounted object, and keeps that: until disarm() has
  /// returned true, or until the timer has run, on whatever turn, which has to release it.
  /// Throws: std::bad_alloc, std::system_error; then nothing has changed.
  template <class Owner>
  void arm(Node& node, Owner& owner) {
    owner.retain();
    try {
      add(node, nullptr);
    } catch (...) {
      owner.release();
      throw;
    }
  }

  /// Takes it back. From its return the timer does not run, unless this is its own thread. True: it has not run.
  template <class Owner>
  bool disarm(Node& node, Owner& owner) noexcept {
    const bool taken = remove(node, nullptr);
    if (taken) {
      owner.release();
    }
    return taken;
  }

 private:
  static constexpr std::chrono::seconds kLinger{1};

  TimerService() : ForkAware<Runtime>(ForkRank::timers) { this->watch_forks(); }

  /// Not a static that threads wait for while one of them makes it: other threads may fork meanwhile, and it would
  /// never be made in the child. Of two that are made at the same time one is thrown away.
  TOTO_COLD static TimerServiceBase<Runtime>& first_use() {
    auto* const made = new TimerService;
    TimerServiceBase<Runtime>* const service = TimersAtHand<Runtime>::instance().propose(made);
    if (service != made) {
      made->ignore_forks();
      delete made;
    }
    return *service;
  }

  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  TOTO_COLD void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_) {
    if (in_child) {  // the sleepers were homed on threads that are gone
      heap_.forget();
      running_ = hurries_ = false;
      firing_ = nullptr;
      fired_ = {};
      in_posts_ = 0;
      posted_ = {};
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
    thread_ = typename Runtime::Thread("toto-timer", [this] { watch(); });
    running_ = true;
  }

  TOTO_COLD void watch() noexcept {
    TimersAtHand<Runtime>::is_this_thread() = true;
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
    std::uint64_t ticket = 0;
    const bool posted = home != nullptr && home->post_silently(node, ticket);
    firing_ = posted ? nullptr : &node;
    in_posts_ += posted ? 1U : 0U;  // already: the coroutine may be destroyed before its home has been told
    mutex_.unlock();
    if (posted) {
      home->announce(ticket);
    } else {
      node.run(node, Turn::on_executor);  // it has no executor, or none any more
    }
    if (home != nullptr) {
      home->release();
    }
    mutex_.lock();
    if (posted) {
      leave_post_locked();
    }
    firing_ = nullptr;
    fired_.notify_all();
  }

  void leave_post_locked() noexcept TOTO_REQUIRES(mutex_) {
    if (--in_posts_ == 0) {  // they may nest, where post() runs things in place
      ++posts_;
      posted_.notify_all();
    }
  }

  /// Ends the thread, unless there are timers, and waits for that until the deadline, if this is another thread. The
  /// next timer starts it again.
  TOTO_COLD void rest_until(TimePoint deadline) noexcept override {
    if (TimersAtHand<Runtime>::is_this_thread()) {
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

  TOTO_COLD void stop() noexcept override {
    mutex_.lock();
    stopped_ = true;
    parker_.unpark();
    mutex_.unlock();
    if (thread_.joinable() && !TimersAtHand<Runtime>::is_this_thread()) {
      thread_.join();
    }
  }

  typename Runtime::Mutex mutex_;
  TimerHeap<Runtime> heap_ TOTO_GUARDED_BY(mutex_);
  bool running_ TOTO_GUARDED_BY(mutex_) = false;
  bool hurries_ TOTO_GUARDED_BY(mutex_) = false;          // somebody waits for its end, if there are no timers
  bool stopped_ TOTO_GUARDED_BY(mutex_) = false;          // the process is ending
  const Node* firing_ TOTO_GUARDED_BY(mutex_) = nullptr;  // running on the timer's own thread
  WaitList<Runtime> fired_ TOTO_GUARDED_BY(mutex_);
  std::size_t in_posts_ TOTO_GUARDED_BY(mutex_) = 0;  // calls of post() that the timer's own thread is in
  std::uint64_t posts_ TOTO_GUARDED_BY(mutex_) = 0;   // and how often it has come back from the outermost one
  WaitList<Runtime> posted_ TOTO_GUARDED_BY(mutex_);
  typename Runtime::Thread thread_;
  typename Runtime::Parker parker_;
};

/// Posts `node` to `executor` at its deadline. After this the node may have run.
/// Throws: std::bad_alloc, std::system_error; then nothing has changed.
template <class Runtime>
void add_timer(ExecutorCore<Runtime>& executor, TimerNode<Runtime>& node) {
  if (!executor.add_timer(node)) {
    TimerService<Runtime>::instance().add(node, &executor);
  }
}

/// Takes it back, if it has not begun to run. The caller sees to it that it does not begin now.
template <class Runtime>
void remove_timer(ExecutorCore<Runtime>& executor, TimerNode<Runtime>& node) noexcept {
  if (!executor.remove_timer(node)) {
    TimerService<Runtime>::instance().remove(node, &executor);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_TIMER_HPP
