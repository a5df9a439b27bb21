// SPDX-License-Identifier: MIT
//
// ErrorSink: where the exceptions of a queue's tasks go that nobody will see: to the hook that on_error() has set, or to
// a line on stderr.

#ifndef TOTO_DETAIL_QUEUE_ERROR_SINK_HPP
#define TOTO_DETAIL_QUEUE_ERROR_SINK_HPP

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "../../errors.hpp"
#include "../../stats.hpp"
#include "../ground/error_hook.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"

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

  void report(const std::exception_ptr& failure, const std::string& queue) noexcept {
    Ref<Hook> hook;
    {
      const Lock lock(mutex_);
      hook = hook_;
    }
    try {
      if (hook) {
        hook->tell(failure, TaskInfo{queue});
        return;
      }
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      if (!hook) {
        std::fprintf(stderr, "toto: a task on queue '%s' failed: %s\n", queue.c_str(), error.what());
      }
    } catch (...) {
      if (!hook) {
        std::fprintf(stderr, "toto: a task on queue '%s' failed with an exception that is not a std::exception\n",
                     queue.c_str());
      }
    }
  }

  /// Whether it is the task's own, and not one of the library's, which say that a task was not run or not waited for.
  static bool concerns_anybody(const std::exception_ptr& failure) noexcept {
    try {
      std::rethrow_exception(failure);
    } catch (const TaskCancelled&) {
      return false;
    } catch (const QueueClosed&) {
      return false;
    } catch (const TimedOut&) {
      return false;
    } catch (...) {
      return true;
    }
  }

 private:
  typename Runtime::Mutex mutex_;
  Ref<Hook> hook_ TOTO_GUARDED_BY(mutex_);
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_ERROR_SINK_HPP
