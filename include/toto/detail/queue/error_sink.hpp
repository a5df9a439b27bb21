// SPDX-License-Identifier: MIT
//
// ErrorSink: reports the exceptions of a queue's tasks that no one will observe: to the hook that on_error() has set,
// or in a line on stderr.

#ifndef TOTO_DETAIL_QUEUE_ERROR_SINK_HPP
#define TOTO_DETAIL_QUEUE_ERROR_SINK_HPP

#include <exception>
#include <utility>

#include "../../stats.hpp"
#include "../ground/callable.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../ground/unseen.hpp"

namespace toto::inline v0_1::detail {

/// Shared by the queue and whoever is calling it, possibly several threads at a time.
template <class Runtime>
struct ErrorHook final : RefCounted<Runtime> {
  using Function = AnyFunction<void(std::exception_ptr, const TaskInfo&)>;
  explicit ErrorHook(Function&& called) noexcept : function(std::move(called)) {}
  const Function function;
};

/// Returns: none for a null callable. Throws: std::bad_alloc; what copying or moving the callable throws.
template <class Runtime, class F>
Ref<ErrorHook<Runtime>> make_error_hook(F&& function) {
  if (detail::is_null(function)) {
    return {};
  }
  using Hook = ErrorHook<Runtime>;
  return Ref<Hook>::adopt(new Hook(typename Hook::Function(std::forward<F>(function))));
}

/// Thread-safe. The hook is called without a lock, and may do anything; what it throws is ignored.
template <class Runtime>
class ErrorSink {
 public:
  using Hook = ErrorHook<Runtime>;

  /// None: a line on stderr.
  void set(Ref<Hook> hook) noexcept {
    const Lock lock(mutex_);
    std::swap(hook_, hook);  // the former one is destroyed after the lock
  }

  void report(const std::exception_ptr& failure, const TaskInfo& task) noexcept {
    Ref<Hook> hook;
    {
      const Lock lock(mutex_);
      hook = hook_;
    }
    if (!hook) {
      if (task.name.empty()) {
        detail::print_failure({"a task on queue '", task.queue, "'"}, failure);
      } else {
        detail::print_failure({"a task on queue '", task.queue, "' (", task.name, ")"}, failure);
      }
      return;
    }
    try {
      hook->function(failure, task);
    } catch (...) {  // there is nobody left to see it
    }
  }

 private:
  typename Runtime::Mutex mutex_;
  Ref<Hook> hook_ TOTO_GUARDED_BY(mutex_);
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_ERROR_SINK_HPP
