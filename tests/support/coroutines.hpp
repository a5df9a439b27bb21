// SPDX-License-Identifier: MIT
//
// Coroutine types that toto does not know, as a program may have them: one that looks after itself, one whose owner
// destroys it whenever it likes, one whose promise looks at everything that is awaited.

#ifndef TOTO_TESTS_SUPPORT_COROUTINES_HPP
#define TOTO_TESTS_SUPPORT_COROUTINES_HPP

#include <atomic>
#include <coroutine>
#include <exception>
#include <toto/tasks.hpp>
#include <utility>

namespace toto_tests {

/// Begins when it is called, on the caller's thread, and is gone when it has ended. Nobody waits for it. What leaves
/// it as an exception ends the test program.
struct FireAndForget {
  struct promise_type {
    FireAndForget get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

/// Begins when it is called. The object owns the coroutine, and destroys it in whatever state it is.
class Owned {
 public:
  struct promise_type {
    Owned get_return_object() noexcept { return Owned(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };

  Owned() noexcept = default;
  Owned(Owned&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(coroutine_, other.coroutine_);
    return *this;
  }
  ~Owned() { destroy(); }

  void destroy() noexcept {
    if (coroutine_) {
      std::exchange(coroutine_, nullptr).destroy();
    }
  }
  /// Where the coroutine cannot be running.
  bool done() const noexcept { return coroutine_.done(); }

 private:
  explicit Owned(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}

  std::coroutine_handle<promise_type> coroutine_;
};

/// What an Observed coroutine has done so far. Thread-safe.
struct Awaits {
  std::atomic<int> asked{0};      // calls of await_ready
  std::atomic<int> suspended{0};  // times the coroutine stayed suspended
  std::atomic<int> resumed{0};    // calls of await_resume
};

/// Like FireAndForget, but its promise has an await_transform that counts. Its first parameter is an Awaits.
struct Observed {
  struct promise_type {
    template <class... Rest>
    explicit promise_type(Awaits& awaits, Rest&&... /*rest*/) noexcept : awaits_(awaits) {}

    Observed get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }

    template <class Awaiter>
    class Counting {
     public:
      Counting(Awaiter awaiter, Awaits& awaits) : awaiter_(std::move(awaiter)), awaits_(awaits) {}

      bool await_ready() {
        ++awaits_.asked;
        return awaiter_.await_ready();
      }
      TOTO_NOINLINE bool await_suspend(std::coroutine_handle<promise_type> coroutine) {
        Awaits& awaits = awaits_;
        ++awaits.suspended;  // beforehand: if the coroutine stays suspended, *this may be gone afterwards
        if (awaiter_.await_suspend(coroutine)) {
          return true;
        }
        --awaits.suspended;
        return false;
      }
      decltype(auto) await_resume() {
        ++awaits_.resumed;
        return awaiter_.await_resume();
      }

     private:
      Awaiter awaiter_;
      Awaits& awaits_;
    };

    template <class Awaitable>
    auto await_transform(Awaitable&& awaitable) {
      using Awaiter = decltype(std::forward<Awaitable>(awaitable).operator co_await());
      return Counting<Awaiter>(std::forward<Awaitable>(awaitable).operator co_await(), awaits_);
    }

   private:
    Awaits& awaits_;
  };
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_COROUTINES_HPP
