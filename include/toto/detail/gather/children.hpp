// SPDX-License-Identifier: MIT
//
// The children of a combinator: handles' tasks, which run already, and Tasks, which it starts; kept in a tuple or in a
// vector, and what they give. They are part of the combinator's awaiter here, which waits for all of them. Read next:
// ../when_all.hpp, shared_children.hpp.

#ifndef TOTO_DETAIL_GATHER_CHILDREN_HPP
#define TOTO_DETAIL_GATHER_CHILDREN_HPP

#include <coroutine>
#include <cstddef>
#include <iterator>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../../task.hpp"
#include "../../task_handle.hpp"
#include "../ground/lean_std.hpp"
#include "../ground/ranges.hpp"
#include "../task/join.hpp"

namespace toto::inline v0_1::detail {

/// A join that handles' tasks tell directly.
template <class Runtime>
class JoinOfAll final : public Join<Runtime>, public Observer<Runtime> {
 public:
  explicit JoinOfAll(std::size_t children) noexcept : Join<Runtime>(children, children) {}

  /// A handle's task is over.
  void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept override {
    this->child_over(worker, &queue);
    this->release();
  }
  void forgotten() noexcept override { this->release(); }

  /// A Task that was started is over; it is still on the calling thread's stack.
  static void ended(void* context) noexcept {
    auto& join = *static_cast<JoinOfAll*>(context);
    join.child_over(nullptr, nullptr);
    join.release();
  }

 protected:
  ~JoinOfAll() override = default;
};

template <class T, class Runtime>
class HandleNode;
template <class T, class Runtime>
class TaskNode;
template <class Node>
class SharedChild;

[[noreturn]] inline void throw_empty_handle() {
  throw NoState("toto: one of the handles has no task: default-constructed, moved from, or its result taken");
}
[[noreturn]] inline void throw_empty_task() {
  throw NoState("toto: one of the tasks is empty: default-constructed or moved from");
}

/// A handle's task, which runs already.
template <class T, class Runtime>
class HandleChild {
 public:
  using Result = T;
  explicit HandleChild(TaskHandle<T, Runtime>& handle) : state_(HandleAccess::take(handle)) {
    if (state_ == nullptr) {
      throw_empty_handle();
    }
  }
  HandleChild(HandleChild&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  HandleChild& operator=(HandleChild&&) = delete;
  ~HandleChild() {
    if (state_ != nullptr) {
      state_->drop();
    }
  }

  bool ready() const noexcept { return state_->ready(); }
  /// False: it is over already, and the join will not be told.
  bool start(JoinOfAll<Runtime>& join) {
    join.retain();
    if (state_->observe(join)) {
      return true;
    }
    join.release();
    return false;
  }
  T take() { return std::exchange(state_, nullptr)->consume_resumed(); }

 private:
  TaskState<T, Runtime>* state_;
};

/// A Task. It is destroyed with the awaiter, whether or not it has ended.
template <class T, class Runtime>
class TaskChild {
 public:
  using Result = T;
  explicit TaskChild(Task<T>&& task) : task_(std::move(task)) {
    if (!task_.valid()) {
      throw_empty_task();
    }
  }
  TaskChild(TaskChild&& other) noexcept : task_(std::move(other.task_)), join_(std::exchange(other.join_, nullptr)) {}
  TaskChild& operator=(TaskChild&&) = delete;
  ~TaskChild() {
    if (join_ != nullptr && !TaskAccess::ended(task_)) {
      task_ = Task<T>();
      join_->release();  // it will not tell any more
    }
  }

  static bool ready() noexcept { return false; }
  bool start(JoinOfAll<Runtime>& join) {
    join.retain();
    join_ = &join;
    try {
      TaskAccess::start(task_, &JoinOfAll<Runtime>::ended, &join, join.starter());
    } catch (...) {
      join_ = nullptr;
      join.release();
      throw;
    }
    return true;
  }
  T take() { return TaskAccess::take(task_); }

 private:
  Task<T> task_;
  JoinOfAll<Runtime>* join_ = nullptr;  // once started; it may be gone when the task has ended
};

/// What one child contributes to a tuple or vector of results.
template <class T>
using Element = std::conditional_t<
    std::is_void_v<T>, std::monostate,
    std::conditional_t<std::is_reference_v<T>, std::reference_wrapper<std::remove_reference_t<T>>, T>>;

/// Constant where it refuses to be moved, so that containers copy it.
template <class E>
using Passed = std::conditional_t<std::is_move_constructible_v<E>, E, const E>;

template <class Child>
Passed<Element<typename Child::Result>> take_element(Child& child) {
  if constexpr (std::is_void_v<typename Child::Result>) {
    child.take();
    return {};
  } else {
    return child.take();
  }
}

/// Which kind of child an argument of a combinator becomes: one of the awaiter's own, or one that is shared.
template <class A>
struct ChildOf;
template <class T, class Runtime>
struct ChildOf<TaskHandle<T, Runtime>> {
  template <class Default>
  using RuntimeOr = Runtime;
  template <class Default>
  using Type = HandleChild<T, Runtime>;
  template <class Default>
  using Shared = SharedChild<HandleNode<T, Runtime>>;
};
template <class T, class Runtime>
struct ChildOf<UnstoredHandle<T, Runtime>> : ChildOf<TaskHandle<T, Runtime>> {};
template <class T>
struct ChildOf<Task<T>> {
  template <class Default>
  using RuntimeOr = Default;
  template <class Default>
  using Type = TaskChild<T, Default>;
  template <class Default>
  using Shared = SharedChild<TaskNode<T, Default>>;
};

template <class T>
struct ChildOf<UnstoredTask<T>> : ChildOf<Task<T>> {};

/// The runtime of the first handle; StdRuntime if there are only tasks.
template <class... As>
struct RuntimeOf {
  using Type = StdRuntime;
};
template <class A, class... As>
struct RuntimeOf<A, As...> {
  using Type = typename ChildOf<A>::template RuntimeOr<typename RuntimeOf<As...>::Type>;
};

/// A handle or Task that can be emptied; a constant one cannot.
template <class A>
inline constexpr bool kIsChild =
    IsHandle<std::remove_reference_t<A>>::value || IsTask<std::remove_reference_t<A>>::value;

template <class R>
concept RangeOfChildren = InputRange<R> && kIsChild<std::iter_reference_t<IteratorOf<R>>>;

/// What combinators take.
template <class... As>
concept Gatherable = (kIsChild<As> && ...) || (sizeof...(As) == 1 && (RangeOfChildren<As> || ...));

/// Says what they take, when they were given something else.
template <class... As>
std::suspend_never refuse_children() {
  static_assert(Gatherable<As...>,
                "toto: when_all, when_any and the like take handles and Tasks, or one range of them, and empty them: "
                "no constant ones, nothing else");
  return {};
}

template <class A>
inline constexpr bool kUnstored = false;
template <class T, class Runtime>
inline constexpr bool kUnstored<UnstoredHandle<T, Runtime>> = true;
template <class T>
inline constexpr bool kUnstored<UnstoredTask<T>> = true;

/// How an argument is handed to its child: a handle is emptied in place, a task is moved.
template <class T, class Runtime>
TaskHandle<T, Runtime>& as_child(TaskHandle<T, Runtime>& handle) noexcept {
  return handle;
}
template <class T>
Task<T>&& as_child(Task<T>& task) noexcept {
  return std::move(task);
}

/// Children of different types. take() gives all results, or throws the first failure in the order of the arguments;
/// every child is over then.
template <class... Children>
class TupleOfChildren {
 public:
  explicit TupleOfChildren(Children&&... children) noexcept : children_(std::move(children)...) {}

  static constexpr std::size_t size() noexcept { return sizeof...(Children); }
  template <class Function>
  void for_each(Function function) {
    std::apply([&](auto&... child) { (static_cast<void>(function(child)), ...); }, children_);
  }
  template <class Function>
  void for_each(Function function) const {
    std::apply([&](const auto&... child) { (static_cast<void>(function(child)), ...); }, children_);
  }
  /// From the last to the first; the function is told the index, too.
  template <class Function>
  void for_each_backwards(Function function) {
    [&]<std::size_t... kIndices>(std::index_sequence<kIndices...>) {
      constexpr std::size_t kLast = sizeof...(Children) - 1;
      (static_cast<void>(function(kLast - kIndices, std::get<kLast - kIndices>(children_))), ...);
    }(std::index_sequence_for<Children...>());
  }
  auto take() {
    return std::apply(
        [](auto&... child) {
          // Braces: from left to right.
          return std::tuple<Element<typename std::remove_reference_t<decltype(child)>::Result>...>{
              detail::take_element(child)...};
        },
        children_);
  }

 protected:
  std::tuple<Children...> children_;
};

/// Of a range, which is consumed.
template <class Child, class Range>
std::vector<Child> children_of(Range& awaitables) {
  std::vector<Child> children;
  if constexpr (requires { std::ranges::size(awaitables); }) {
    children.reserve(static_cast<std::size_t>(std::ranges::size(awaitables)));
  }
  for (auto&& awaitable : awaitables) {
    children.emplace_back(detail::as_child(awaitable));
  }
  return children;
}

template <class Child>
class VectorOfChildren {
 public:
  explicit VectorOfChildren(std::vector<Child> children) noexcept : children_(std::move(children)) {}

  std::size_t size() const noexcept { return children_.size(); }
  template <class Function>
  void for_each(Function function) {
    for (Child& child : children_) {
      function(child);
    }
  }
  template <class Function>
  void for_each(Function function) const {
    for (const Child& child : children_) {
      function(child);
    }
  }
  template <class Function>
  void for_each_backwards(Function function) {
    for (std::size_t i = children_.size(); i-- > 0;) {
      function(i, children_[i]);
    }
  }
  auto take() {
    if constexpr (std::is_void_v<typename Child::Result>) {
      for (Child& child : children_) {
        child.take();
      }
    } else {
      std::vector<Element<typename Child::Result>> results;
      results.reserve(children_.size());
      for (Child& child : children_) {
        results.push_back(detail::take_element(child));
      }
      return results;
    }
  }

 protected:
  std::vector<Child> children_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_CHILDREN_HPP
