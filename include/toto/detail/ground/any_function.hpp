// SPDX-License-Identifier: MIT
//
// AnyFunction: a type-erased, move-only callable, like std::move_only_function, without <functional>.

#ifndef TOTO_DETAIL_GROUND_ANY_FUNCTION_HPP
#define TOTO_DETAIL_GROUND_ANY_FUNCTION_HPP

#include <memory>
#include <type_traits>
#include <utility>

#include "../../version.hpp"

namespace toto::inline v0_1::detail {

template <class Signature>
class AnyFunction;

/// Holds a callable, or none.
template <class R, class... Args>
class AnyFunction<R(Args...)> {
 public:
  AnyFunction() noexcept = default;
  /// Throws: std::bad_alloc; what copying or moving the callable throws.
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, AnyFunction>)
  explicit AnyFunction(F&& function) : held_(std::make_unique<Of<std::decay_t<F>>>(std::forward<F>(function))) {}

  explicit operator bool() const noexcept { return held_ != nullptr; }
  /// Must not be empty. Throws: what the callable throws.
  R operator()(Args... args) const { return held_->call(std::forward<Args>(args)...); }

 private:
  struct Any {
    Any() = default;
    Any(const Any&) = delete;
    Any& operator=(const Any&) = delete;
    virtual ~Any() = default;
    virtual R call(Args... args) = 0;
  };
  template <class F>
  struct Of final : Any {
    explicit Of(F&& of) : function(std::move(of)) {}
    explicit Of(const F& of) : function(of) {}
    R call(Args... args) override { return function(std::forward<Args>(args)...); }
    F function;
  };

  std::unique_ptr<Any> held_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_ANY_FUNCTION_HPP
