// SPDX-License-Identifier: MIT
//
// What a combinator gives, to be awaited: its children, and, if it has to wait for them, a gathering that they move
// into. AllOf waits for all of them, FirstOf for one. Read next: fail_fast.hpp, ../../when_all.hpp.

#ifndef TOTO_DETAIL_GATHER_AWAITER_HPP
#define TOTO_DETAIL_GATHER_AWAITER_HPP

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "../../errors.hpp"
#include "../ground/lock.hpp"
#include "../ground/temporaries.hpp"
#include "children.hpp"

namespace toto::inline v0_1::detail {

/// A gathering that has its children in the same block.
template <class Base, class ChildrenT>
class Block : public Base {
 public:
  using Children = ChildrenT;

  template <class... Counts>
  explicit Block(Children&& children, Counts... counts) noexcept : Base(counts...), children_(std::move(children)) {}

  Children& children() noexcept { return children_; }

 protected:
  ~Block() override = default;

  /// Calls `start(child)` for each, which says whether it has started the child. Returns how many of `counted` it has
  /// not started.
  /// Throws: what `start` throws; the coroutine goes on by itself then.
  template <class Start>
  std::size_t start_each(std::size_t counted, Start start) {
    std::size_t missing = counted;
    try {
      children_.for_each([&](auto& child) { missing -= start(child) ? 1U : 0U; });
    } catch (...) {
      this->leave();
      static_cast<void>(this->goes_on(missing));
      throw;
    }
    return missing;
  }

  Children children_;
};

/// Waits for all. Handles' tasks are watched one at a time, from the last to the first: those of one queue mostly end
/// in the order of adding, so that nearly all are over when the last is, and have cost nothing beyond their own ends.
/// They count as one; Tasks count one by one.
template <class Runtime, class Children, class Take>
class AllOf final : public Block<Gathering<Runtime>, Children> {
 public:
  explicit AllOf(Children&& children) noexcept
      : Block<Gathering<Runtime>, Children>(std::move(children), children.count_lazy() + 1, 1U),
        unseen_(this->children_.size()) {}

  static bool ready(Children& children) noexcept {
    return children.find_last(children.size(), [](const auto& child) { return !child.ready(); }) == 0;
  }
  /// False: the coroutine waits, and may be gone.
  /// Throws: what starting a Task throws.
  bool start() {
    const std::size_t missing = this->start_each(this->children_.count_lazy() + 1, [this](auto& child) {
      if constexpr (kIsLazy<decltype(child)>) {
        child.start(*this);
      }
      return kIsLazy<decltype(child)>;
    });
    return this->goes_on(missing - (watch_next() ? 1 : 0));
  }
  void forsake() noexcept {
    {
      const Lock lock(mutex_);
      forsaken_ = true;
    }
    this->children_.for_each([](auto& child) {
      child.forsake();
      child.lose();
    });
  }
  static auto take(AllOf*, Children& children) { return children.take_all(Take()); }

  void over(Child<Runtime>&, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept override {
    if (queue == nullptr || !watch_next()) {
      this->count(worker, queue);
    }
  }

 private:
  ~AllOf() override = default;

  /// False: no handle's task is left to be watched. After true, *this may be gone.
  bool watch_next() noexcept {
    const Lock lock(mutex_);
    unseen_ = forsaken_ ? 0 : this->children_.find_last(unseen_, [this](auto& child) {
      if constexpr (kIsLazy<decltype(child)>) {
        return false;
      } else {
        return child.watch(*this);
      }
    });
    return unseen_ != 0;
  }

  typename Runtime::Mutex mutex_;  // keeps watch_next() and forsake() apart
  std::size_t unseen_ TOTO_GUARDED_BY(mutex_);
  bool forsaken_ TOTO_GUARDED_BY(mutex_) = false;
};

/// Waits for the first, which alone counts; each child owns the gathering until it is over.
template <class Runtime, class Children, template <class> class Result>
class FirstOf final : public Block<Gathering<Runtime>, Children> {
 public:
  /// The coroutine takes the losers out before they begin: some may stand in front of it, where it lives.
  explicit FirstOf(Children&& children) noexcept
      : Block<Gathering<Runtime>, Children>(std::move(children), 1U, children.size()) {
    this->hurry();
  }

  /// A handle that is ready has won, before any Task is started.
  static bool ready(Children& children) noexcept {
    return children.find_last(children.size(), [](const auto& child) { return child.ready(); }) != 0;
  }
  bool start() {
    return goes_on(this->start_each(this->children_.size(), [this](auto& child) {
      const bool open = first() == nullptr;
      if (open) {
        child.start(*this);
      }
      return open;
    }));
  }
  void forsake() noexcept {
    this->children_.for_each([](auto& child) {
      child.forsake();
      child.lose();
    });
  }
  static auto take(FirstOf* gathering, Children& children) {
    std::size_t winner = children.size();
    // One that has become ready since then has not won: the last that is seen is the first in their order.
    children.find_last(children.size(), [&, index = children.size()](const auto& child) mutable {
      --index;
      if (gathering != nullptr ? gathering->first() == std::addressof(child) : child.ready()) {
        winner = index;
      }
      return false;
    });
    // The last first: one that stops at once shall not let the next one begin.
    children.find_last(children.size(), [&, index = children.size()](auto& child) mutable {
      if (--index != winner) {
        child.cancel();
      }
      return false;
    });
    children.for_each([&, index = std::size_t{0}](auto& child) mutable {
      if (index++ != winner) {
        child.lose();
      }
    });
    return children.template take_one<Result>(winner);
  }

  void over(Child<Runtime>& child, Worker<Runtime>* worker, QueueCore<Runtime>* queue) noexcept override {
    Child<Runtime>* nobody = nullptr;
    // Release: pairs with first().
    if (first_.compare_exchange_strong(nobody, std::addressof(child), std::memory_order_release,
                                       std::memory_order_relaxed)) {
      this->child_over(worker, queue);
    }
    this->release();
  }
  void forgotten() noexcept override { this->release(); }

 private:
  ~FirstOf() override = default;

  bool goes_on(std::size_t missing) noexcept override {
    this->release(missing);  // the coroutine keeps *this
    return this->started();
  }

  const Child<Runtime>* first() const noexcept { return first_.load(std::memory_order_acquire); }

  typename Runtime::template Atomic<Child<Runtime>*> first_{nullptr};
};

/// Awaits a combinator's children, once.
template <class Gathering>
class GatherAwaiter {
 public:
  using Children = typename Gathering::Children;

  explicit GatherAwaiter(Children&& children) noexcept : children_(std::move(children)) {}
  GatherAwaiter(GatherAwaiter&& other) noexcept
      : children_(std::move(other.children_)), used_(std::exchange(other.used_, true)) {}
  GatherAwaiter& operator=(GatherAwaiter&&) = delete;
  ~GatherAwaiter() {
    if (gathering_ != nullptr) {
      gathering_->leave();
      gathering_->forsake();
      gathering_->release();
    }
  }

  bool await_ready() {
    if (used_) {
      throw NoState("toto: this was awaited already: what when_all, when_any and the like give is awaited once");
    }
    return Gathering::ready(children_);
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    auto* const gathering = new Gathering(std::move(children_));
    gathering_ = gathering;
    gathering->arm(coroutine);
    // Children cannot resume the coroutine before that has counted them: it, and with it *this, stays until then.
    return !gathering->start();  // after true, *this may be gone
  }
  auto await_resume() {
    if (gathering_ == nullptr) {
      return Gathering::take(nullptr, children_);
    }
    const auto gathering = Ref<Gathering>::adopt(std::exchange(gathering_, nullptr));
    gathering->leave();
    return Gathering::take(gathering.get(), gathering->children());
  }

 private:
  Children children_;
  Gathering* gathering_ = nullptr;
  bool used_ = false;
};

/// `Kind::Gathering` of what is given, to be awaited.
template <class Kind, class... As>
auto gather(std::remove_reference_t<As>&... awaitables) {
  using Runtime = typename RuntimeOf<std::remove_reference_t<As>...>::Type;
  using Children = TupleOfChildren<typename ChildOf<std::remove_reference_t<As>>::template Type<Runtime>...>;
  using Awaiter = GatherAwaiter<typename Kind::template Gathering<Runtime, Children>>;
  return Awaitable<Awaiter, (is_unstored<As>() || ...)>(
      Awaiter(Children{typename ChildOf<std::remove_reference_t<As>>::template Type<Runtime>(
          ChildOf<std::remove_reference_t<As>>::give(awaitables))...}));
}
template <class Kind, class Range>
auto gather_range(std::remove_reference_t<Range>& awaitables) {
  using A = ElementOf<Range>;
  using Runtime = typename RuntimeOf<A>::Type;
  using Children = VectorOfChildren<typename ChildOf<A>::template Type<Runtime>>;
  using Awaiter = GatherAwaiter<typename Kind::template Gathering<Runtime, Children>>;
  Children children(awaitables);
  if constexpr (requires { Kind::check(children); }) {
    Kind::check(children);
  }
  return Awaitable<Awaiter, kDestroyedTwice<Range>>(Awaiter(std::move(children)));
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_AWAITER_HPP
