// SPDX-License-Identifier: MIT
//
// Folder: executor. Uses: ground.
// Where and when a coroutine continues: executors of any kind, continuations on their way to one, the timers.
//
// ExecutorCore: the shared part of anything coroutines come back to: a queue, a loop, a user's own executor. Waiting
// states own a reference to it, never a bare pointer to the queue or loop, so an executor that has ended is noticed
// rather than touched.

#ifndef TOTO_DETAIL_EXECUTOR_EXECUTOR_CORE_HPP
#define TOTO_DETAIL_EXECUTOR_EXECUTOR_CORE_HPP

#include <cstdint>
#include <exception>

#include "../ground/ref.hpp"
#include "continuation.hpp"
#include "posts.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
struct TimerNode;
template <class Runtime>
class QueueCore;
template <class Runtime>
class Roots;

/// What all cores of one executor have in common: a user's own executor may have several cores.
struct ExecutorIdentity {
  const void* object;
  const void* type;
  friend bool operator==(const ExecutorIdentity&, const ExecutorIdentity&) = default;
};

template <class Runtime>
class ExecutorCore : public RefCounted<Runtime> {
 public:
  /// Runs the node later, on this executor, in the order of posting. Does not allocate, does not run it now.
  /// Returns false, and forgets the node, if this executor has ended.
  /// Thread-safe; the caller owns a reference.
  virtual bool post(Continuation& node) noexcept {
    Notice<Runtime> notice(this);
    const bool posted = post_silently(node, notice);
    if (posted) {
      announce(notice);
    }
    return posted;
  }

  /// The same, but ahead of everything that waits here. A loop and a user's executor have no such place: there this is
  /// the same as post(). Thread-safe.
  virtual bool post_front(Continuation& node) noexcept { return post(node); }

  /// The first half of post(), for a caller that holds a mutex: runs no user code, and starts no thread. After true,
  /// announce() must be called with that notice, without the mutex; the node may have run by then. The notice was made
  /// before anyone could see that the node will be posted. Thread-safe.
  virtual bool post_silently(Continuation& node, Notice<Runtime>& notice) noexcept = 0;
  virtual void announce(Notice<Runtime>& notice) noexcept = 0;
  /// Of a user's executor, on its thread: runs the node with that ticket, if it is still there.
  virtual void run_posted(std::uint64_t /*ticket*/) noexcept {}

  /// Takes back a node that was posted here and has not begun to run. The caller makes sure that it does not begin to
  /// run now. Returns false if this executor has ended; then the thread that ends it is about to run the node on the
  /// turn `homeless`. Thread-safe.
  virtual bool withdraw(Continuation& node) noexcept = 0;

  /// Posts the node here at its deadline. Returns false if this executor does not watch the clock; the caller then uses
  /// the TimerService, which files without timers do not compile.
  /// Throws: std::bad_alloc; then nothing has changed.
  /// Thread-safe.
  virtual bool add_timer([[maybe_unused]] TimerNode<Runtime>& node) { return false; }

  /// Takes back a timer that has not begun to run. The caller makes sure that it does not begin to run now.
  /// Thread-safe.
  virtual bool remove_timer([[maybe_unused]] TimerNode<Runtime>& node) noexcept { return false; }

  virtual ExecutorIdentity identity() const noexcept { return {this, nullptr}; }
  /// Whether this is a user's own executor.
  bool is_users_own() const noexcept { return is_users_own_; }

  /// The EventLoop this is the core of, or null.
  virtual void* event_loop() noexcept { return nullptr; }
  /// The queue that this is, or null: a coroutine that is started there is a task.
  virtual QueueCore<Runtime>* queue() noexcept { return nullptr; }
  /// The coroutines that were started here; null if this is a queue.
  virtual Roots<Runtime>* roots() noexcept { return nullptr; }
  /// Reports what a coroutine that was started here has thrown. Called on this executor. Not called for queues.
  virtual void fail(std::exception_ptr /*failure*/) noexcept {}  // NOLINT(performance-unnecessary-value-param): to keep

 protected:
  explicit ExecutorCore(bool is_users_own = false) noexcept : is_users_own_(is_users_own) {}

 private:
  const bool is_users_own_;
};

template <class Runtime>
Notice<Runtime>::Notice(const ExecutorCore<Runtime>* to) noexcept
    : executor(to != nullptr && to->is_users_own() ? to->identity().object : nullptr) {
  if (executor != nullptr) [[unlikely]] {
    Posts<Runtime>::instance().begin(*this);
  }
}

/// Whether both are the same executor, or both are null.
template <class Runtime>
bool is_same(const ExecutorCore<Runtime>* a, const ExecutorCore<Runtime>* b) noexcept {
  return a == b || (a != nullptr && b != nullptr && a->identity() == b->identity());
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_EXECUTOR_CORE_HPP
