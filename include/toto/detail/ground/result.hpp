// SPDX-License-Identifier: MIT
//
// Result: how a task ended: a value, an exception, or one of the library's own reasons, which is stored as a code, so
// that storing it cannot fail.

#ifndef TOTO_DETAIL_GROUND_RESULT_HPP
#define TOTO_DETAIL_GROUND_RESULT_HPP

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../../errors.hpp"
#include "annotations.hpp"
#include "text.hpp"

namespace toto::inline v0_1::detail {

/// Unwound: the task ran, and its thread was ended by force (pthread_exit).
enum class Outcome : std::uint8_t { none, value, exception, cancelled, unwound, taken };

/// What a callable's return type becomes as a result: a reference stays one, an rvalue reference becomes a value.
template <class R>
using ResultOf = std::conditional_t<std::is_lvalue_reference_v<R>, R, std::remove_cv_t<std::remove_reference_t<R>>>;

/// Checks that R can be a result. It may be incomplete.
template <class R>
consteval bool require_result() {
  static_assert(std::is_same_v<R, ResultOf<R>> && !std::is_array_v<R> && !std::is_function_v<R>,
                "toto: a result must be void, an lvalue reference or a value: leave out const and &&, and use "
                "std::array");
  return true;
}

template <class R>
inline constexpr bool kCanBeTaken =
    std::is_void_v<R> || std::is_reference_v<R> || std::is_move_constructible_v<R> || std::is_copy_constructible_v<R>;

/// Checked where a result is handed over: only there is it needed, and only there is R complete.
template <class R>
consteval void require_can_be_taken() {
  static_assert(kCanBeTaken<R>,
                "toto: this result can be neither moved nor copied, so it cannot be handed over: return a "
                "std::unique_ptr to it, or a reference");
}

[[noreturn]] TOTO_COLD inline void throw_cancelled(std::string_view queue, std::string_view how) {
  throw TaskCancelled(join({"toto: a task on queue '", queue, "' ", how}));
}

/// How a result of type R is kept.
template <class R>
struct Kept {
  using Type = R;
};
template <>
struct Kept<void> {
  struct Type {};
};
template <class R>
struct Kept<R&> {
  using Type = R*;
};

/// One thread at a time; the publisher and the taker order the accesses.
template <class R>
class Result {
 public:
  using Value = typename Kept<R>::Type;

  Result() noexcept {}
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  ~Result() { reset(); }

  Outcome outcome() const noexcept { return outcome_; }

  /// Keeps what `function` returns, constructed in place.
  /// Throws: what `function` throws; then nothing is kept.
  template <class F>
  void set_from(F&& function) {
    if constexpr (std::is_void_v<R>) {
      std::forward<F>(function)();
      ::new (static_cast<void*>(std::addressof(value_))) Value{};
    } else if constexpr (std::is_reference_v<R>) {
      ::new (static_cast<void*>(std::addressof(value_))) Value(std::addressof(std::forward<F>(function)()));
    } else {
      ::new (static_cast<void*>(std::addressof(value_))) Value(std::forward<F>(function)());
    }
    outcome_ = Outcome::value;
  }
  /// Keeps how `function` ends: what it returns, or what it throws.
  /// Throws: a forced unwind (pthread_exit), and nothing else; the outcome is `unwound` then.
  template <class F>
  void keep_end_of(F&& function) {
    std::exception_ptr failure;
    try {
      set_from(std::forward<F>(function));
    } catch (...) {
      failure = std::current_exception();
      if (!failure) {
        outcome_ = Outcome::unwound;
        throw;
      }
    }
    // Outside the handler: the exception object is now owned by this result alone, not by this thread too.
    if (failure) [[unlikely]] {
      set_exception(std::move(failure));
    }
  }
  /// Then only this result owns the exception: not every library's exception_ptr is empty after a move.
  void set_exception(std::exception_ptr&& failure) noexcept {
    ::new (static_cast<void*>(std::addressof(failure_))) std::exception_ptr(std::exchange(failure, nullptr));
    outcome_ = Outcome::exception;
  }
  void set_cancelled() noexcept { outcome_ = Outcome::cancelled; }
  void set_unwound() noexcept { outcome_ = Outcome::unwound; }

  /// Returns the failure, if the task failed.
  std::exception_ptr failure() const noexcept { return outcome_ == Outcome::exception ? failure_ : nullptr; }

  /// Moves the value out (copies it, if it cannot be moved), or throws what the task threw, or TaskCancelled naming the
  /// queue. There is no result afterwards.
  R take(std::string_view queue = {}) {
    struct Reset {
      Result& result;
      ~Reset() { result.reset(); }
    };
    detail::require_can_be_taken<R>();
    switch (outcome_) {
      case Outcome::value: {
        const Reset after{*this};
        if constexpr (std::is_void_v<R>) {
          return;
        } else if constexpr (std::is_reference_v<R>) {
          return *value_;
        } else if constexpr (std::is_move_constructible_v<R>) {
          return std::move(value_);
        } else if constexpr (std::is_copy_constructible_v<R>) {
          return std::as_const(value_);
        } else {
          break;  // refused above
        }
      }
      case Outcome::exception: {
        // The only owner is this thread now: the exception is destroyed here, not on the worker.
        const std::exception_ptr failure = std::move(failure_);
        reset();
        std::rethrow_exception(failure);
      }
      case Outcome::cancelled:
        outcome_ = Outcome::taken;
        throw_cancelled(queue, "was cancelled before it ran");
      case Outcome::unwound:
        outcome_ = Outcome::taken;
        throw_cancelled(queue, "has no result: its thread was ended while it ran (pthread_exit)");
      case Outcome::none:
      case Outcome::taken:
        break;
    }
    throw NoState("toto: the result has already been taken");
  }

 private:
  void reset() noexcept {
    if (outcome_ == Outcome::value) {
      value_.~Value();
    } else if (outcome_ == Outcome::exception) {
      failure_.~exception_ptr();
    }
    outcome_ = Outcome::taken;
  }

  union {
    Value value_;
    std::exception_ptr failure_;
  };
  Outcome outcome_ = Outcome::none;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_RESULT_HPP
