// SPDX-License-Identifier: MIT
//
// What the user has set on a queue. ErrorSink: reports exceptions that no one will observe. ThreadHooks: what
// each thread calls when it begins and when it ends. Read next: worker_loop.hpp.

#ifndef TOTO_DETAIL_QUEUE_HOOKS_HPP
#define TOTO_DETAIL_QUEUE_HOOKS_HPP

#include <exception>
#include <type_traits>
#include <utility>

#include "../../stats.hpp"
#include "../ground/callable.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../ground/unseen.hpp"

namespace toto::inline v0_1::detail {

/// A callable of the user's, shared by the queue and whoever is calling it.
template <class Runtime, class... Args>
class Hook : public RefCounted<Runtime> {
 public:
  /// May be called by several threads at a time. Throws: what the user's callable throws.
  virtual void operator()(Args... args) = 0;

  /// Returns: none for a null callable. Throws: std::bad_alloc; what copying or moving the callable throws.
  template <class F>
  static Ref<Hook> make(F&& callable) {
    struct Of final : Hook {
      explicit Of(F&& of) : function(std::forward<F>(of)) {}
      void operator()(Args... args) override { static_cast<void>(function(std::forward<Args>(args)...)); }
      std::decay_t<F> function;
    };
    return detail::is_null(callable) ? Ref<Hook>() : Ref<Hook>::adopt(new Of(std::forward<F>(callable)));
  }
};

template <class Runtime>
using ErrorHook = Hook<Runtime, std::exception_ptr, const TaskInfo&>;

/// Thread-safe. The hook is called without a lock, and may do anything; what it throws is ignored.
template <class Runtime>
class ErrorSink {
 public:
  /// None: a line on stderr.
  void set(Ref<ErrorHook<Runtime>> hook) noexcept {
    const Lock lock(mutex_);
    std::swap(hook_, hook);  // the former one is destroyed after the lock
  }

  void report(const std::exception_ptr& failure, const TaskInfo& task) noexcept {
    Ref<ErrorHook<Runtime>> hook;
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
      (*hook)(failure, task);
    } catch (...) {  // there is nobody left to see it
    }
  }

 private:
  typename Runtime::Mutex mutex_;
  Ref<ErrorHook<Runtime>> hook_ TOTO_GUARDED_BY(mutex_);
};

/// Guarded by the queue's mutex.
template <class Runtime>
struct ThreadHooks {
  Ref<Hook<Runtime>> start;  // null: none
  Ref<Hook<Runtime>> end;
  bool failed = false;  // `start` has thrown, has been reported, and has not succeeded since
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_HOOKS_HPP
