// SPDX-License-Identifier: MIT
//
// What the user has set on a queue: what is called with exceptions that no one will observe, and what each thread calls
// when it begins and when it ends. Read next: queue_parts.hpp, worker_loop.hpp.

#ifndef TOTO_DETAIL_QUEUE_HOOKS_HPP
#define TOTO_DETAIL_QUEUE_HOOKS_HPP

#include <exception>
#include <type_traits>
#include <utility>

#include "../../stats.hpp"
#include "../ground/callable.hpp"
#include "../ground/ref.hpp"

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

/// Guarded by the queue's mutex; called without it, and may do anything. Null: none.
template <class Runtime>
struct Hooks {
  Ref<Hook<Runtime>> thread_start;
  Ref<Hook<Runtime>> thread_end;
  bool start_failed = false;  // `thread_start` has thrown, has been reported, and has not succeeded since
  Ref<ErrorHook<Runtime>> error;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_HOOKS_HPP
