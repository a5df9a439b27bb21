// SPDX-License-Identifier: MIT
//
// AwaitableInstance: wraps an object so that its methods run in a task queue and their results are awaited. Calls
// through one wrapper never overlap, so the object needs no lock of its own. Read next: instance_pool.hpp.

#ifndef TOTO_AWAITABLE_INSTANCE_HPP
#define TOTO_AWAITABLE_INSTANCE_HPP

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "detail/ground/invoke.hpp"
#include "detail/ground/parameters.hpp"
#include "errors.hpp"
#include "task_handle.hpp"
#include "task_queue.hpp"

namespace toto::inline v0_1 {

template <class T, class Runtime = StdRuntime>
class AwaitableInstance;

namespace detail {

template <class T>
inline constexpr bool kIsAwaitableInstance = false;
template <class T, class Runtime>
inline constexpr bool kIsAwaitableInstance<AwaitableInstance<T, Runtime>> = true;

/// The type of the object that a wrapper's first argument stands for.
template <class Source>
struct InstanceOf {
  using Type = Source;
};
template <class T>
struct InstanceOf<std::shared_ptr<T>> {
  using Type = T;
};
template <class T, class Deleter>
struct InstanceOf<std::unique_ptr<T, Deleter>> {
  using Type = T;
};
template <class T>
struct InstanceOf<std::weak_ptr<T>> {
  using Type = T;
};

template <class Source>
struct InstanceOf<const Source> {
  using Owned = typename InstanceOf<Source>::Type;
  using Type = std::conditional_t<std::is_same_v<Owned, Source>, const Source, Owned>;
};

/// How a wrapper knows its object: by reference, as an owner, or as an observer of somebody else's.
template <class T>
using InstanceSource = std::variant<T*, std::shared_ptr<T>, std::weak_ptr<T>>;

template <class Source>
inline constexpr bool kObserves = false;
template <class T>
inline constexpr bool kObserves<std::weak_ptr<T>> = true;

template <class T, class Source>
InstanceSource<T> make_source(Source&& source) {
  constexpr bool kIsObject = std::is_convertible_v<std::remove_reference_t<Source>*, T*>;  // whatever it converts to
  if constexpr (kIsObject && std::is_lvalue_reference_v<Source>) {
    return std::addressof(source);
  } else if constexpr (kObserves<std::remove_cvref_t<Source>> && std::is_convertible_v<Source, std::weak_ptr<T>>) {
    return std::weak_ptr<T>(std::forward<Source>(source));
  } else if constexpr (!kIsObject && std::is_convertible_v<Source, std::shared_ptr<T>>) {
    std::shared_ptr<T> owner(std::forward<Source>(source));
    if (owner.get() == nullptr) {
      throw std::invalid_argument("toto: instance is null; an AwaitableInstance needs an object to call");
    }
    return owner;
  } else {
    constexpr bool kValue = !std::is_lvalue_reference_v<Source> && std::is_constructible_v<T, Source>;
    static_assert(
        kValue,
        "toto: an AwaitableInstance<T> is made of a T, of a std::shared_ptr or std::unique_ptr that owns one, "
        "or of a std::weak_ptr");
    if constexpr (kValue) {
      return std::make_shared<T>(std::forward<Source>(source));
    } else {
      return {};
    }
  }
}

/// One call of a wrapper, as it is given to the queue. Owns the object, if the wrapper does, until the call is over.
template <class T, class Runtime, class F>
class InstanceCall {
 public:
  template <class Fn>
  InstanceCall(const InstanceSource<T>& source, Fn&& function)
      : source_(source), function_(std::forward<Fn>(function)) {}

  template <class... Args>
    requires std::is_invocable_v<F, T&, Args...>
  decltype(auto) operator()(Args&&... args) {
    return detail::invoke(std::move(function_), object(), std::forward<Args>(args)...);
  }
  /// A callable that is no member function has the token before the object.
  template <class... Args>
    requires(!std::is_invocable_v<F, T&, typename Runtime::StopToken, Args...> &&
             std::is_invocable_v<F, typename Runtime::StopToken, T&, Args...>)
  decltype(auto) operator()(typename Runtime::StopToken token, Args&&... args) {
    return detail::invoke(std::move(function_), std::move(token), object(), std::forward<Args>(args)...);
  }

 private:
  T& object() {
    if (T** const reference = std::get_if<T*>(std::addressof(source_))) {
      return **reference;
    }
    if (std::weak_ptr<T>* const observed = std::get_if<std::weak_ptr<T>>(std::addressof(source_))) {
      std::shared_ptr<T> owner = observed->lock();
      if (owner.get() == nullptr) {
        throw InstanceGone("toto: the object of this AwaitableInstance has died; it was only observed (weak_ptr)");
      }
      source_ = std::move(owner);  // for the length of the call
    }
    return *std::get<std::shared_ptr<T>>(source_);
  }

  InstanceSource<T> source_;
  F function_;
};

/// Where the token goes; the object counts among the arguments of what is no member function.
template <class Token, class T, class Runtime, class F, class... Args>
inline constexpr bool kTakesToken<Token, InstanceCall<T, Runtime, F>, Args...> =
    (detail::may_take<F, std::is_member_function_pointer_v<F> ? 0 : 1, Token>() &&
     std::is_invocable_v<F, T&, Token, Args...>) ||
    (detail::may_take<F, 0, Token>() && std::is_invocable_v<F, Token, T&, Args...>);

}  // namespace detail

/// Calls methods of one object in a task queue.
///
///   toto::AwaitableInstance counter(Counter{});
///   const int value = co_await counter(&Counter::increment);
///
/// Calls run in the order in which they were made and never overlap, however many threads the queue has; a method that
/// returns a Task is one call until that coroutine has ended. Copies of a wrapper share its order; two wrappers made of
/// one object are two orders. A waiting call holds no thread.
/// Lifetime: a wrapper made from a reference needs the object to outlive every call. One made from an owner (a value,
/// shared_ptr, unique_ptr) shares it with every accepted call; the object is destroyed with the last of them, on
/// whatever thread that is. One made from a weak_ptr owns it during each call, and throws InstanceGone in calls that
/// come too late. A method's returned reference is the caller's to use with care: the object must still live.
/// Thread safety: Thread-safe, except with assignment and destruction.
template <class T, class Runtime>
class AwaitableInstance {
 public:
  /// Wraps `instance`: a T& is referred to; a T&&, shared_ptr<T> or unique_ptr<T> is owned; a weak_ptr<T> is observed.
  /// Calls run in the queue of that name, which is made with one thread if there is none.
  /// Throws: std::invalid_argument for a null instance or an empty name; std::bad_alloc.
  template <class Instance>
    requires(!detail::kIsAwaitableInstance<std::remove_cvref_t<Instance>>)
  explicit AwaitableInstance(Instance&& instance, std::string_view queue_name = "pool")
      : AwaitableInstance(std::forward<Instance>(instance), BasicTaskQueue<Runtime>::instance(queue_name)) {}

  /// The same in `queue`. Calls after that queue has closed throw QueueClosed.
  /// Throws: also std::invalid_argument for a queue with Overflow::caller_runs, which could not keep their order.
  template <class Instance>
    requires(!detail::kIsAwaitableInstance<std::remove_cvref_t<Instance>>)
  AwaitableInstance(Instance&& instance, BasicTaskQueue<Runtime>& queue)
      : source_(detail::make_source<T>(std::forward<Instance>(instance))),
        core_(detail::Ref<Core>::share(&detail::QueueAccess::core(queue))),
        lane_(detail::Ref<Lane>::adopt(new Lane(1))) {
    core_->require_order("an AwaitableInstance");
  }

  /// Calls `std::invoke(fn, object, args...)` in the queue; `fn` is a member pointer or any callable that takes the
  /// object first. One that cannot be called like that is given a StopToken in front: a member function of its
  /// arguments, others of the object. Copies or moves the callable and the arguments now, as std::thread does it.
  /// Returns: a handle to the result, as yield_task does; the call runs whether or not it is awaited.
  /// Throws: QueueClosed; QueueFull; std::invalid_argument for a null `fn`; std::bad_alloc; std::system_error if no
  /// thread lives and none can be started. Then there is no call.
  template <class F, class... Args>
  auto operator()(F&& fn, Args&&... args) const {
    using Call = detail::InstanceCall<T, Runtime, std::decay_t<F>>;
    static_assert(detail::CallTraits<Runtime, Call, Args...>::kValid,
                  "toto: fn cannot be called with the instance and these arguments; they are copied or moved as "
                  "std::thread does it: use std::ref to pass a reference");
    using Result = typename detail::CallTraits<Runtime, Call, Args...>::Result;
    using Handle = detail::HandleFrom<Result, Runtime, F, Args...>;
    detail::check_callable(fn);
    return detail::submit_call<Handle>(*core_, lane_, detail::Control<Runtime>(), false,
                                       Call(source_, std::forward<F>(fn)), std::forward<Args>(args)...);
  }

  /// A wrapper of the same object whose calls may overlap, as far as the queue has threads.
  AwaitableInstance concurrent() const {
    AwaitableInstance overlapping(*this);
    overlapping.lane_ = {};
    return overlapping;
  }

 private:
  using Core = detail::QueueCore<Runtime>;
  using Lane = detail::Lane<Runtime>;

  detail::InstanceSource<T> source_;
  detail::Ref<Core> core_;
  detail::Ref<Lane> lane_;  // of one; none: calls may overlap
};

template <class Instance>
  requires(!detail::kIsAwaitableInstance<std::remove_cvref_t<Instance>>)
AwaitableInstance(Instance&&)
    -> AwaitableInstance<typename detail::InstanceOf<std::remove_reference_t<Instance>>::Type>;
template <class Instance>
AwaitableInstance(Instance&&, std::string_view)
    -> AwaitableInstance<typename detail::InstanceOf<std::remove_reference_t<Instance>>::Type>;
template <class Instance, class Runtime>
AwaitableInstance(Instance&&, BasicTaskQueue<Runtime>&)
    -> AwaitableInstance<typename detail::InstanceOf<std::remove_reference_t<Instance>>::Type, Runtime>;

}  // namespace toto::inline v0_1

#endif  // TOTO_AWAITABLE_INSTANCE_HPP
