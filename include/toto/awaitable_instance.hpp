// SPDX-License-Identifier: MIT
//
// AwaitableInstance: wraps an object so that its methods run on a task queue and their results can be awaited. Calls
// through one wrapper never overlap, so the object needs no lock. Read next: instance_pool.hpp.

#ifndef TOTO_AWAITABLE_INSTANCE_HPP
#define TOTO_AWAITABLE_INSTANCE_HPP

#include <string_view>
#include <type_traits>
#include <utility>

#include "detail/ground/object_ref.hpp"
#include "detail/task/bound_call.hpp"
#include "queue_choice.hpp"
#include "task_handle.hpp"
#include "task_queue.hpp"

namespace toto::inline v0_1 {

namespace detail {

/// One call through a wrapper, as passed to the queue, with its own reference to the object.
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
/// Calls methods of one object on a task queue.
///
///   toto::AwaitableInstance counter(Counter{});
///   const int value = co_await counter(&Counter::increment);
///
/// Calls run one at a time, in the order in which they were made, however many threads the queue has. A method that
/// returns a Task counts as one call until that coroutine ends. Copies of a wrapper share its order; two wrappers made
/// from the same object have independent orders. A waiting call holds no thread.
/// Lifetime: an object passed by reference must outlive every call. An object that the wrapper owns (from a value, a
/// shared_ptr or a unique_ptr) lives until the last wrapper and the last accepted call have ended, and is destroyed on
/// the thread where that happens; its destructor must not throw. A weak_ptr is locked during each call; once the object
/// is gone, calls throw InstanceGone. A reference that a method returns is valid only as long as the object.
/// Thread safety: Thread-safe, except with assignment and destruction.
template <class T, class Runtime = StdRuntime>
class AwaitableInstance {
 public:
  /// Wraps `instance`: a T& is referred to; a T&&, shared_ptr<T> or unique_ptr<T> is owned; a weak_ptr<T> is observed.
  /// Calls run on `queue`: a queue, or the name of one, which is made with one thread if it does not exist. Once the
  /// queue has closed, calls throw QueueClosed. If T is given explicitly, `instance` may be of a derived class.
  /// Throws: std::invalid_argument for a null instance or an empty name; std::bad_alloc.
  template <class Instance>
    requires(!detail::kIsA<std::remove_cvref_t<Instance>, toto::AwaitableInstance>)
  explicit AwaitableInstance(Instance&& instance, QueueChoice<Runtime> queue = "pool")
      : object_(detail::ObjectRef<T>::from(std::forward<Instance>(instance))),
        core_(detail::Ref<Core>::share(&queue.core([](std::string_view name) -> Core& {
          return detail::QueueAccess::core(BasicTaskQueue<Runtime>::instance(name));
        }))),
        lane_(detail::Ref<Lane>::adopt(new Lane(1))) {}

  /// Calls `std::invoke(fn, object, args...)` on the queue, and returns a handle to the result, as yield_task does.
  /// `fn` is a member pointer, or any callable that takes the object first. If `fn` cannot be called like that, it is
  /// given a StopToken: a member function before its arguments, any other callable before the object. The callable and
  /// the arguments are copied or moved now, as with std::thread. The call runs whether or not the handle is awaited.
  /// Throws: QueueClosed; QueueFull; std::invalid_argument for a null `fn`; std::bad_alloc; std::system_error if no
  /// thread is alive and none can be started. In each case nothing will be called.
  template <class F, class... Args>
  auto operator()(F&& fn, Args&&... args) const {
    using Call = detail::InstanceCall<T, Runtime, std::decay_t<F>>;
    static_assert(detail::CallTraits<Runtime, Call, Args...>::kValid,
                  "toto: fn cannot be called with the instance and these arguments; they are copied or moved as with "
                  "std::thread: use std::ref to pass a reference");
    using Result = typename detail::CallTraits<Runtime, Call, Args...>::Result;
    using Handle = detail::HandleFrom<Result, Runtime, F, Args...>;
    detail::check_callable(fn);
    return detail::submit_call<Handle>(*core_, lane_, detail::Control<Runtime>(), false,
                                       Call{object_, std::forward<F>(fn)}, std::forward<Args>(args)...);
  }

  /// Returns a wrapper of the same object whose calls may overlap, up to the queue's number of threads.
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
  detail::Ref<Lane> lane_;  // with a limit of 1; null: calls may overlap
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
