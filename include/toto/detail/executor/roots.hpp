// SPDX-License-Identifier: MIT
//
// Roots: the coroutines that an executor has started, by spawn() or for a TaskScope, and owns until they have ended.
// Read next: whereabouts.hpp, ../task/started_task.hpp, ../loop/loop_core.hpp, ../../task_scope.hpp.
//
// Invariants (docs/design.md has all; tests cite them as [inv.W1]):
//  W1  A root is in the list, or released, to destroy itself where it ends, or over. It changes under the mutex, once.
//  W2  While a root is queued at its home, either the home reaches it in turn, or withdraw() has taken it back.
//  W3  Each scope is notified once that it has no root any more, without the mutex, whoever took out the last root.

#ifndef TOTO_DETAIL_EXECUTOR_ROOTS_HPP
#define TOTO_DETAIL_EXECUTOR_ROOTS_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
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
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 protected:
  ~RootScope() override = default;

 private:
  friend Roots<Runtime>;
  /// Called when the last coroutine has ended, without a lock, on any thread.
  virtual void emptied() noexcept = 0;

  typename Runtime::template Atomic<std::size_t> size_{0};  // changed with the mutex of the roots
  Ref<RootScope> next_emptied_;                             // while whoever ends the home is about to tell it
};

/// A coroutine with an owner: it begins in its turn at its home, and is destroyed there when it has ended. If it has no
/// home, because the home has ended or the owner has released the coroutine, it destroys itself where it ends.
template <class Runtime>
class Root : public Continuation, public Whereabouts {
 public:
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
    if (turn == Turn::on_executor) {
      report(failure());
    } else {
      print();
    }
    forget();
  }
  void forget() noexcept;

 private:
  friend Roots<Runtime>;

  virtual void destroy_coroutine() noexcept = 0;
  virtual std::exception_ptr failure() const noexcept = 0;

  void stranded() noexcept override;
  void come(Turn turn) noexcept;
  void report(std::exception_ptr thrown) noexcept {
    if (thrown != nullptr && (!scope_ || detail::concerns_anybody(thrown))) {
      home_->fail(std::move(thrown));
    }
  }
  void print() const noexcept {
    const std::exception_ptr thrown = failure();
    if (thrown != nullptr && detail::concerns_anybody(thrown)) {
      detail::print_failure({"a coroutine whose owner has ended"}, thrown);
    }
  }

  struct First final : Strand {};

  First strand_;
  const Ref<ExecutorCore<Runtime>> home_;
  const Ref<RootScope<Runtime>> scope_;  // null: none
  // Guarded by the mutex of the roots.
  bool listed_ = false;
  bool queued_ = false;  // at home: to begin, or to be collected
  bool ended_ = false;
  bool let_go_ = false;
  Root* next_root_ = nullptr;
  Root* previous_root_ = nullptr;
};

template <class Runtime>
class Roots {
 public:
  using Root = detail::Root<Runtime>;
  using Scope = RootScope<Runtime>;

  explicit Roots(ExecutorCore<Runtime>& home) noexcept : home_(home) {}

  /// Whether there is no root. A hint, for callers that what is posted notifies of a change. Thread-safe.
  bool empty() const noexcept { return size() == 0; }
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  /// Owns `root` from now on. It begins in its turn, unless the home has ended. Thread-safe.
  void spawn(Root& root) noexcept {
    const auto home = Ref<ExecutorCore<Runtime>>::share(std::addressof(home_));
    std::uint64_t ticket = 0;
    Lock lock(mutex_);
    const bool posted = !ended_ && home->post_silently(root, ticket);
    if (posted) {
      root.queued_ = true;
      list_locked(root);
    }
    lock.unlock();
    if (posted) {
      home->announce(ticket);
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
    GivenUp given_up;
    for (Root* next = first_; next != nullptr;) {
      give_up_locked(*std::exchange(next, next->next_root_), given_up);
    }
    lock.unlock();
    given_up.finish();
  }
  /// The same for the coroutines of a scope.
  void end(const Scope& scope) noexcept {
    Lock lock(mutex_);
    GivenUp given_up;
    for (Root* next = first_; next != nullptr;) {
      Root& root = *std::exchange(next, next->next_root_);
      if (root.scope_.get() == std::addressof(scope)) {
        give_up_locked(root, given_up);
      }
    }
    lock.unlock();
    given_up.finish();
  }
  /// The same for one coroutine that belongs to no scope.
  void end(Root& root) noexcept {
    Lock lock(mutex_);
    GivenUp given_up;
    give_up_locked(root, given_up);
    lock.unlock();
    given_up.finish();
  }

  /// For forks.
  typename Runtime::Mutex& mutex() noexcept TOTO_RETURN_CAPABILITY(mutex_) { return mutex_; }

 private:
  friend Root;

  /// What to do without the mutex, because destroying a coroutine runs user code.
  struct GivenUp {
    Root* over = nullptr;    // to be destroyed
    Root* scoped = nullptr;  // to be forsaken. This is one of their owners
    Ref<Scope> emptied;      // and so on by next_emptied_: several, if the home ends

    void finish() noexcept {
      while (over != nullptr) {
        Root& root = *std::exchange(over, over->next_root_);
        if (root.scope_) {
          root.forsake();  // others that nobody waits for may be left
        }
        root.drop();
      }
      while (scoped != nullptr) {
        const auto root = Ref<Root>::adopt(std::exchange(scoped, scoped->next_root_));
        root->forsake();
      }
      while (emptied) {
        const Ref<Scope> told = std::exchange(emptied, std::move(emptied->next_emptied_));
        told->emptied();
      }
    }
  };

  /// The home no longer owns it.
  void give_up_locked(Root& root, GivenUp& given_up) noexcept TOTO_REQUIRES(mutex_) {
    if (std::exchange(root.queued_, false) && !home_.withdraw(root)) {
      root.queued_ = true;  // whoever ends the home comes to it
      return;
    }
    if (unlist_locked(root)) {
      root.scope_->next_emptied_ = std::exchange(given_up.emptied, root.scope_);
    }
    root.let_go_ = !root.ended_ && (root.scope_ || root.any_away());
    if (!root.let_go_) {
      root.next_root_ = std::exchange(given_up.over, &root);
    } else if (root.scope_) {
      root.retain();
      root.next_root_ = std::exchange(given_up.scoped, &root);
    }
  }

  void list_locked(Root& root) noexcept TOTO_REQUIRES(mutex_) {
    root.listed_ = true;
    root.next_root_ = first_;
    if (first_ != nullptr) {
      first_->previous_root_ = &root;
    }
    first_ = &root;
    change(size_, 1);
    if (root.scope_) {
      change(root.scope_->size_, 1);
    }
  }
  /// Returns true if it was the last of its scope.
  bool unlist_locked(Root& root) noexcept TOTO_REQUIRES(mutex_) {
    if (!std::exchange(root.listed_, false)) {
      return false;
    }
    (root.previous_root_ != nullptr ? root.previous_root_->next_root_ : first_) = root.next_root_;
    if (root.next_root_ != nullptr) {
      root.next_root_->previous_root_ = root.previous_root_;
    }
    change(size_, -1);
    return root.scope_ && change(root.scope_->size_, -1) == 0;
  }
  static void tell(const Ref<Scope>& emptied) noexcept {
    if (emptied) {
      emptied->emptied();
    }
  }
  /// With the mutex.
  static std::size_t change(typename Runtime::template Atomic<std::size_t>& size, int by) noexcept {
    const std::size_t after = size.load(std::memory_order_relaxed) + static_cast<std::size_t>(by);
    size.store(after, std::memory_order_relaxed);
    return after;
  }

  ExecutorCore<Runtime>& home_;  // this is a part of it
  typename Runtime::Mutex mutex_;
  Root* first_ TOTO_GUARDED_BY(mutex_) = nullptr;
  bool ended_ TOTO_GUARDED_BY(mutex_) = false;
  typename Runtime::template Atomic<std::size_t> size_{0};
};

template <class Runtime>
void Root<Runtime>::on_end(void* context) noexcept {
  Root& self = *static_cast<Root*>(context);
  const auto home = self.home_;
  Roots<Runtime>& roots = *home->roots();
  std::uint64_t ticket = 0;
  Lock lock(roots.mutex_);
  self.ended_ = true;
  if (!self.let_go_ && home->post_silently(self, ticket)) {
    self.queued_ = true;
    lock.unlock();
    home->announce(ticket);
    return;
  }
  self.let_go_ = false;
  const Ref<RootScope<Runtime>> emptied = roots.unlist_locked(self) ? self.scope_ : Ref<RootScope<Runtime>>();
  lock.unlock();
  self.print();
  self.drop();
  Roots<Runtime>::tell(emptied);
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
  const Ref<RootScope<Runtime>> emptied = roots.unlist_locked(*this) ? scope_ : Ref<RootScope<Runtime>>();
  lock.unlock();
  if (scope_) {
    forsake();  // losers of its combinators may be left
  }
  drop();
  Roots<Runtime>::tell(emptied);
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
      report(std::current_exception());
      forget();
    }
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_ROOTS_HPP
