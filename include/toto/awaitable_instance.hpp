// SPDX-License-Identifier: MIT
//
// AwaitableInstance: wraps an object so that its methods run in a task queue and their results are awaited. Calls
// through one wrapper never overlap, so the object needs no lock of its own. Read next: instance_pool.hpp.

#ifndef TOTO_AWAITABLE_INSTANCE_HPP
#define TOTO_AWAITABLE_INSTANCE_HPP

#include <string_view>
#include <type_traits>
#include <utility>

#include "detail/ground/object_ref.hpp"
#include "detail/task/call_on.hpp"
#include "queue_choice.hpp"
#include "task_handle.hpp"
#include "task_queue.hpp"

namespace toto::inline v0_1 {

namespace detail {

/// One call of a wrapper, as it is given to the queue, with its share of the object.
template <class T, class Runtime, class F>
struct InstanceCall {
  template <class... Args>
    requires CallableOn<typename Runtime::StopToken, F, T, Args...>
  decltype(auto) operator()(Args&&... args) {
    return detail::call_on<typename Runtime::StopToken>(std::move(function), object.get(), std::forward<Args>(args)...);
  }
  ObjectRef<T> object;
  F function;
};

}  // namespace detail

// given: struct Counter { int increment() { return 1; } };
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
/// whatever thread that is, and must not throw then. One made from a weak_ptr owns it during each call, and throws
/// InstanceGone in calls that come too late. A method's returned reference is the caller's to use with care: the object must still live.
/// Thread safety: Thread-safe, except with assignment and destruction.
template <class T, class Runtime = StdRuntime>
class AwaitableInstance {
 public:
  /// Wraps `instance`: a T& is referred to; a T&&, shared_ptr<T> or unique_ptr<T> is owned; a weak_ptr<T> is observed.
  /// Calls run in `queue`: a queue, or the name of one, which is made with one thread if there is none. After it has
  /// closed they throw QueueClosed.
  /// With T named, `instance` may be of a derived class.
  /// Throws: std::invalid_argument for a null instance or an empty name; std::bad_alloc.
  template <class Instance>
    requires(!detail::kIsA<std::remove_cvref_t<Instance>, toto::AwaitableInstance>)
  explicit AwaitableInstance(Instance&& instance, QueueChoice<Runtime> queue = "pool")
      : object_(detail::ObjectRef<T>::from(std::forward<Instance>(instance))),
        core_(detail::Ref<Core>::share(&queue.core([](std::string_view name) -> Core& {
          return detail::QueueAccess::core(BasicTaskQueue<Runtime>::instance(name));
        }))),
        lane_(detail::Ref<Lane>::adopt(new Lane(1))) {}

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
                                       Call{object_, std::forward<F>(fn)}, std::forward<Args>(args)...);
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

  detail::ObjectRef<T> object_;
  detail::Ref<Core> core_;
  detail::Ref<Lane> lane_;  // of one; none: calls may overlap
};

template <class Instance>
  requires(!detail::kIsA<std::remove_cvref_t<Instance>, toto::AwaitableInstance>)
AwaitableInstance(Instance&&) -> AwaitableInstance<typename detail::Referred<std::remove_reference_t<Instance>>::Type>;
template <class Instance>
AwaitableInstance(Instance&&, std::string_view)
    -> AwaitableInstance<typename detail::Referred<std::remove_reference_t<Instance>>::Type>;
template <class Instance, class Runtime>
AwaitableInstance(Instance&&, BasicTaskQueue<Runtime>&)
    -> AwaitableInstance<typename detail::Referred<std::remove_reference_t<Instance>>::Type, Runtime>;

}  // namespace toto::inline v0_1

#endif  // TOTO_AWAITABLE_INSTANCE_HPP
