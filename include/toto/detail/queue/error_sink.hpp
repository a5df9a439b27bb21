// SPDX-License-Identifier: MIT
//
// ErrorSink: reports the exceptions of a queue's tasks that no one will observe: to the hook that on_error() has set,
// or in a line on stderr.

#ifndef TOTO_DETAIL_QUEUE_ERROR_SINK_HPP
#define TOTO_DETAIL_QUEUE_ERROR_SINK_HPP

#include <exception>
#include <utility>

#include "../../stats.hpp"
#include "../ground/error_hook.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../ground/unseen.hpp"

namespace toto::inline v0_1::detail {

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
      hook->tell(failure, task);
    } catch (...) {  // there is nobody left to see it
    }
  }

 private:
  typename Runtime::Mutex mutex_;
  Ref<Hook> hook_ TOTO_GUARDED_BY(mutex_);
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_ERROR_SINK_HPP
