// SPDX-License-Identifier: MIT
//
// ErrorHook: a queue's handler for exceptions that no one will observe. Read next: ../queue/error_sink.hpp.

#ifndef TOTO_DETAIL_GROUND_ERROR_HOOK_HPP
#define TOTO_DETAIL_GROUND_ERROR_HOOK_HPP

#include <exception>
#include <type_traits>
#include <utility>

#include "../../stats.hpp"
#include "check_callable.hpp"
#include "ref.hpp"

namespace toto::inline v0_1::detail {

/// Shared by the queue and whoever is calling it.
template <class Runtime>
class ErrorHook : public RefCounted<Runtime> {
 public:
  /// May be called by several threads at a time. Throws what the user's callable throws.
  virtual void tell(const std::exception_ptr& failure, const TaskInfo& task) = 0;
};

template <class Runtime, class F>
class CallableErrorHook final : public ErrorHook<Runtime> {
 public:
  template <class Fn>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): it is never copied
  explicit CallableErrorHook(Fn&& function) : function_(std::forward<Fn>(function)) {}

  void tell(const std::exception_ptr& failure, const TaskInfo& task) override {
    static_cast<void>(function_(std::exception_ptr(failure), task));
  }

 private:
  F function_;
};

/// Returns: none for a null callable. Throws: std::bad_alloc; what copying or moving the callable throws.
template <class Runtime, class F>
Ref<ErrorHook<Runtime>> make_error_hook(F&& function) {
  if (detail::is_null(function)) {
    return {};
  }
  return Ref<ErrorHook<Runtime>>::adopt(new CallableErrorHook<Runtime, std::decay_t<F>>(std::forward<F>(function)));
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_ERROR_HOOK_HPP
