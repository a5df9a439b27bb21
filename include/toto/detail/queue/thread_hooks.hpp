// SPDX-License-Identifier: MIT
//
// ThreadHooks: what each thread of a queue calls when it begins and when it ends. Read next: worker_loop.hpp.

#ifndef TOTO_DETAIL_QUEUE_THREAD_HOOKS_HPP
#define TOTO_DETAIL_QUEUE_THREAD_HOOKS_HPP

#include <type_traits>
#include <utility>

#include "../ground/callable.hpp"
#include "../ground/ref.hpp"

namespace toto::inline v0_1::detail {

/// Shared by the queue and the threads that call it.
template <class Runtime>
class ThreadHook final : public RefCounted<Runtime> {
 public:
  /// Throws: std::bad_alloc; what copying or moving the callable throws.
  template <class F>
  static Ref<ThreadHook> make(F&& function) {
    return Ref<ThreadHook>::adopt(new ThreadHook(std::forward<F>(function)));
  }

  /// Called by several threads at a time. Throws: what the callable throws.
  void operator()() const { function_(); }

 protected:
  ~ThreadHook() override = default;

 private:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, ThreadHook>)
  explicit ThreadHook(F&& function)
      : function_([held = std::decay_t<F>(std::forward<F>(function))]() mutable { static_cast<void>(held()); }) {}

  AnyFunction<void()> function_;
};

/// Guarded by the queue's mutex.
template <class Runtime>
struct ThreadHooks {
  Ref<ThreadHook<Runtime>> start;  // null: none
  Ref<ThreadHook<Runtime>> end;
  bool failed = false;  // `start` has thrown, has been reported, and has not succeeded since
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_THREAD_HOOKS_HPP
