// SPDX-License-Identifier: MIT
//
// Roots: the coroutines that an executor has started, by spawn() or for a TaskScope, and owns until they have ended.
// Read next: whereabouts.hpp, ../task/started_task.hpp, ../loop/loop_core.hpp, ../../task_scope.hpp.
//
// Invariants (docs/design.md has all; tests cite them as [inv.W1]):
//  W1  A root is in the list, or released, to destroy itself where it ends, or over. It changes under the mutex, once.
//  W2  While a root is queued at its home, either the home reaches it in turn, or withdraw() has taken it back.
//  W3  Whoever has taken out the last root of a scope notifies the scope, without the mutex.

#ifndef TOTO_DETAIL_EXECUTOR_ROOTS_HPP
#define TOTO_DETAIL_EXECUTOR_ROOTS_HPP

#include <atomic>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <utility>

#include "../ground/annotations.hpp"
#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../ground/unseen.hpp"
#include "continuation.hpp"
#include "executor_core.hpp"
#include "whereabouts.hpp"

namespace toto::inline v0_1::detail {

/// A set of an executor's coroutines that end together.
template <class Runtime>
class RootScope : public RefCounted<Runtime> {
 public:
  /// Acquire: whoever sees that none is left, on any thread, sees what they have done. Pairs with count_locked().
  std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }

 protected:
  ~RootScope() override = default;

 private:
  friend Roots<Runtime>;
  /// Called after the last coroutine has ended, without a lock, on any thread; maybe several times, and maybe when
  /// another one has been added already.
  virtual void emptied() noexcept = 0;

  typename Runtime::template Atomic<std::size_t> size_{0};  // changed with the mutex of the roots
};

/// A coroutine with an owner: it begins in its turn at its home, and is destroyed there when it has ended. If it has no
/// home, because the home has ended or the owner has released the coroutine, it destroys itself where it ends.
template <class Runtime>
class Root : public Continuation, public Whereabouts {
 public:
  // In a LinkedList of roots. Those of the Continuation are its home's.
  Root* next = nullptr;
  Root* previous = nullptr;

  explicit Root(ExecutorCore<Runtime>& home, Ref<RootScope<Runtime>> scope = {}) noexcept
      : Whereabouts(home.identity(), static_cast<bool>(scope)),
        home_(Ref<ExecutorCore<Runtime>>::share(&home)),
        scope_(std::move(scope)) {
    this->run = [](Continuation& node, Turn turn) noexcept { static_cast<Root&>(node).come(turn); };
  }

  /// The coroutine has ended, or will not continue. Frees this, unless some of its strands are left.
  void drop() noexcept {
    destroy_coroutine();
    this->release();
  }

  /// On the coroutine's own stack, on whatever thread.
  static void on_end(void* context) noexcept;

 protected:
  ExecutorCore<Runtime>& home() const noexcept { return *home_; }

  /// On the home's thread, with begin_strand(). After this the object may be gone.
  /// Throws: NoState.
  virtual void begin() = 0;
  Strand* begin_strand() noexcept {
    strand_.begin_at_home(*this);
    return &strand_;
  }
  /// The coroutine has ended, and its home has reached it in turn, or has ended.
  virtual void collect(Turn turn) noexcept {
    report(failure(), turn);
    forget();
  }
  void forget() noexcept;

 private:
  friend Roots<Runtime>;

  virtual void destroy_coroutine() noexcept = 0;
  virtual std::exception_ptr failure() const noexcept = 0;

  void stranded() noexcept override;
  void come(Turn turn) noexcept;
  void report(std::exception_ptr thrown, Turn turn) const noexcept {
    const bool has_owner = turn == Turn::on_executor;
    if (thrown == nullptr || !((has_owner && !scope_) || detail::concerns_anybody(thrown))) {
      return;
    }
    if (has_owner) {
      home_->fail(std::move(thrown));
    } else {
      detail::print_failure({"a coroutine that outlived its owner"}, thrown);
    }
  }

  Strand strand_;
  const Ref<ExecutorCore<Runtime>> home_;
  const Ref<RootScope<Runtime>> scope_;  // null: none
  // Guarded by the mutex of the roots.
  bool listed_ = false;
  bool queued_ = false;  // at home: to begin, or to be collected
  bool ended_ = false;
  bool let_go_ = false;
  bool over_ = false;  // read by the thread that has written it
};

template <class Runtime>
class Roots {
 public:
  using Root = detail::Root<Runtime>;
  using Scope = RootScope<Runtime>;

  explicit Roots(ExecutorCore<Runtime>& home) noexcept : home_(home) {}

  /// A hint, for callers that what is posted notifies of a change. Thread-safe.
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  /// Owns `root` from now on. It begins in its turn, unless the home has ended. Thread-safe.
  void spawn(Root& root) noexcept {
    const auto home = Ref<ExecutorCore<Runtime>>::share(std::addressof(home_));
    Notice<Runtime> notice(home.get());
    Lock lock(mutex_);
    const bool posted = !ended_ && home->post_silently(root, notice);
    if (posted) {
      root.queued_ = true;
      list_locked(root);
    }
    lock.unlock();
    if (posted) {
      home->announce(notice);
    } else {
      root.drop();
    }
  }
  /// The same, but the coroutine begins now. On the home's thread. After this `root` may be gone.
  /// Throws: NoState; then it is gone.
  void start(Root& root) {
    {
      const Lock lock(mutex_);
      list_locked(root);
    }
    try {
      root.begin();
    } catch (...) {
      root.forget();
      throw;
    }
  }

  /// The home ends. Coroutines that wait there are destroyed, and none begins any more. Those that are away are
  /// released; if they belong to a scope, they never come home. On the home's thread, or while that runs nothing.
  void end() noexcept {
    Lock lock(mutex_);
    ended_ = true;
    finish(give_up_locked(nullptr), lock);
  }
  /// The same for the coroutines of a scope.
  void end(const Scope& scope) noexcept {
    Lock lock(mutex_);
    finish(give_up_locked(std::addressof(scope)), lock);
  }
  /// The same for one coroutine that is not in the list.
  void end(Root& root) noexcept {
    Lock lock(mutex_);
    LinkedList<Root> given_up;
    give_up_locked(root, given_up);
    finish(given_up, lock);
  }

  /// For forks.
  typename Runtime::Mutex& mutex() noexcept TOTO_RETURN_CAPABILITY(mutex_) { return mutex_; }

 private:
  friend Root;

  /// Gives up the roots of a scope, or, with null, all. Returns those to be passed to finish().
  LinkedList<Root> give_up_locked(const Scope* scope) noexcept TOTO_REQUIRES(mutex_) {
    LinkedList<Root> given_up;
    for (Root* next = roots_.front(); next != nullptr;) {
      Root& root = *std::exchange(next, next->next);
      if (scope == nullptr || root.scope_.get() == scope) {
        give_up_locked(root, given_up);
      }
    }
    return given_up;
  }
  /// The home no longer owns it. `given_up` has a reference to each.
  void give_up_locked(Root& root, LinkedList<Root>& given_up) noexcept TOTO_REQUIRES(mutex_) {
    if (std::exchange(root.queued_, false) && !home_.withdraw(root)) {
      root.queued_ = true;  // whoever ends the home comes to it
      return;
    }
    unlist_locked(root);
    root.let_go_ = !root.ended_ && (root.scope_ || root.any_away());
    root.over_ = !root.let_go_;
    if (root.let_go_) {
      root.retain();
    }
    given_up.push_front(root);
  }
  /// Unlocks, because destroying a coroutine runs user code.
  static void finish(LinkedList<Root> given_up, Lock<typename Runtime::Mutex>& lock) noexcept TOTO_RELEASE(lock) {
    lock.unlock();
    for (const bool scoped : {true, false}) {  // those in scopes first: a scope's owner may live in a coroutine
      for (Root* root = given_up.front(); root != nullptr; root = root->next) {
        if (scoped == static_cast<bool>(root->scope_)) {
          if (scoped) {
            root->forsake();  // also if it is over: others that nobody waits for may be left
          }
          if (root->over_) {
            root->destroy_coroutine();
          }
        }
      }
    }
    while (!given_up.empty()) {
      const auto root = Ref<Root>::adopt(&given_up.pop_front());
      tell(root->scope_);
    }
  }

  void list_locked(Root& root) noexcept TOTO_REQUIRES(mutex_) {
    root.listed_ = true;
    roots_.push_front(root);
    count_locked(root, 1);
  }
  void unlist_locked(Root& root) noexcept TOTO_REQUIRES(mutex_) {
    if (std::exchange(root.listed_, false)) {
      roots_.remove(root);
      count_locked(root, -1);
    }
  }
  void count_locked(Root& root, int by) noexcept TOTO_REQUIRES(mutex_) {
    const auto add = [by](typename Runtime::template Atomic<std::size_t>& size) {
      size.store(size.load(std::memory_order_relaxed) + static_cast<std::size_t>(by), std::memory_order_release);
    };
    add(size_);
    if (root.scope_) {
      add(root.scope_->size_);
    }
  }
  /// After a root of the scope, if there is one, was taken out.
  static void tell(const Ref<Scope>& scope) noexcept {
    if (scope && scope->size() == 0) {
      scope->emptied();
    }
  }

  ExecutorCore<Runtime>& home_;  // this is a part of it
  typename Runtime::Mutex mutex_;
  LinkedList<Root> roots_ TOTO_GUARDED_BY(mutex_);
  bool ended_ TOTO_GUARDED_BY(mutex_) = false;
  typename Runtime::template Atomic<std::size_t> size_{0};
};

template <class Runtime>
void Root<Runtime>::on_end(void* context) noexcept {
  Root& self = *static_cast<Root*>(context);
  const auto home = self.home_;
  Roots<Runtime>& roots = *home->roots();
  {
    Notice<Runtime> notice(home.get());
    Lock lock(roots.mutex_);
    self.ended_ = true;
    if (self.over_) {
      return;  // resumed by what is destroyed before it: finish() destroys it next
    }
    if (!self.let_go_ && home->post_silently(self, notice)) {
      self.queued_ = true;
      lock.unlock();
      home->announce(notice);
      return;
    }
    self.let_go_ = false;
    roots.unlist_locked(self);
  }
  self.report(self.failure(), Turn::homeless);
  const auto scope = self.scope_;
  self.drop();
  Roots<Runtime>::tell(scope);
}

/// Unless the coroutine itself has ended, and only strands were left for which no one waits.
template <class Runtime>
void Root<Runtime>::stranded() noexcept {
  Lock lock(home_->roots()->mutex_);
  const bool is_last = std::exchange(let_go_, false);
  lock.unlock();
  if (is_last) {
    drop();
  }
}

template <class Runtime>
void Root<Runtime>::forget() noexcept {
  const auto home = home_;
  Roots<Runtime>& roots = *home->roots();
  Lock lock(roots.mutex_);
  roots.unlist_locked(*this);
  lock.unlock();
  const auto scope = scope_;
  if (scope) {
    forsake();  // losers of its combinators may be left
  }
  drop();
  Roots<Runtime>::tell(scope);
}

/// Its home has reached it in turn, or has ended.
template <class Runtime>
void Root<Runtime>::come(Turn turn) noexcept {
  Lock lock(home_->roots()->mutex_);
  queued_ = false;
  const bool ended = ended_;
  lock.unlock();
  if (ended) {
    collect(turn);
  } else if (turn == Turn::homeless) {
    forget();
  } else {
    try {
      begin();
    } catch (...) {
      report(std::current_exception(), turn);
      forget();
    }
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_ROOTS_HPP
