// SPDX-License-Identifier: MIT
//
// What a pool asks of its user about an instance that goes out or comes back: InstanceCheck, a callable whose type is
// forgotten. Read next: pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_HOOKS_HPP
#define TOTO_DETAIL_POOL_POOL_HOOKS_HPP

#include <type_traits>
#include <utility>

#include "../../version.hpp"
#include "../ground/invoke.hpp"
#include "../ground/parameters.hpp"

namespace toto::inline v0_1::detail {

class InstanceCheck {
 public:
  InstanceCheck() = default;
  InstanceCheck(const InstanceCheck&) = delete;
  InstanceCheck& operator=(const InstanceCheck&) = delete;
  virtual ~InstanceCheck() = default;

  /// Whether the object, an instance of the pool, is good. `failed`: its holder ended by an exception. Called without
  /// any lock, by several threads at a time.
  /// Throws: what the user's callable throws.
  virtual bool good(void* object, bool failed) = 0;
};

/// Says whether an instance is good. Not whatever converts to bool: many a function returns 0 when all is well.
template <class R>
concept Verdict = std::is_same_v<std::remove_cvref_t<R>, bool>;

/// What a hook may return: nothing, or that.
template <class R>
concept VerdictOrNothing = std::is_void_v<R> || Verdict<R>;

/// Takes `failed` behind the instance.
template <class F, class T>
concept ToldOfFailure = detail::may_take<F, std::is_member_pointer_v<std::remove_cvref_t<F>> ? 0 : 1, bool>() &&
                        std::is_invocable_v<F, T&, bool>;

/// What may be told of an instance of type T that comes back.
template <class F, class T>
concept ReturnHook =
    (ToldOfFailure<F, T> && requires { requires VerdictOrNothing<std::invoke_result_t<F, T&, bool>>; }) ||
    (!ToldOfFailure<F, T> && requires { requires VerdictOrNothing<std::invoke_result_t<F, T&>>; });

/// `F` is called with a T&, or with that and `failed`. What returns nothing has no objection.
template <class T, class F>
class CallableCheck final : public InstanceCheck {
 public:
  template <class Fn>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): it is never copied
  explicit CallableCheck(Fn&& check) : check_(std::forward<Fn>(check)) {}

  bool good(void* object, bool failed) override {
    T& instance = *static_cast<T*>(object);
    if constexpr (ToldOfFailure<F&, T>) {
      return said([&]() -> decltype(auto) { return detail::invoke(check_, instance, failed); });
    } else {
      return said([&]() -> decltype(auto) { return detail::invoke(check_, instance); });
    }
  }

 private:
  template <class Call>
  static bool said(Call call) {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return true;
    } else {
      return call();
    }
  }

  F check_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_HOOKS_HPP
