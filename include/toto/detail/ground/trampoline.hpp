// SPDX-License-Identifier: MIT
//
// Trampoline: runs coroutines that await each other one after another from one place, instead of on top of each other.
// It is for compilers that do not guarantee that "symmetric transfer", which does the same, becomes a jump: with GCC it
// does from -O2 on, but not with its sanitizers, and no macro tells which. Read next: ../../task.hpp.

#ifndef TOTO_DETAIL_GROUND_TRAMPOLINE_HPP
#define TOTO_DETAIL_GROUND_TRAMPOLINE_HPP

#include <coroutine>

#include "../../runtime.hpp"

namespace toto::inline v0_1::detail {

class Trampoline;

/// Base of the promise of a coroutine that takes part: stores which trampoline has resumed it last. Only compared, by
/// the coroutine itself: that trampoline may be gone.
class Jumper {
  friend Trampoline;
  const Trampoline* resumed_by_ = nullptr;
};

/// A local variable. A coroutine that awaits another one, or ends, names the next one to run, and returns to the
/// trampoline that has resumed it. If there is no trampoline, the coroutine starts one on its own stack and is its
/// host. If what the host waits for ends there, the host has not suspended at all.
///
/// It takes two comparisons to decide whether the calling coroutine was resumed by the thread's innermost trampoline:
/// the trampoline stores which coroutine it has resumed, and the coroutine which trampoline has resumed it. One of
/// these alone could be out of date: another coroutine, or another trampoline, may be at the same address by now.
class Trampoline {
 public:
  /// A coroutine, and its promise; null if it is of another library.
  struct Target {
    std::coroutine_handle<> coroutine;
    Jumper* jumper = nullptr;
  };

  Trampoline(const Trampoline&) = delete;
  Trampoline& operator=(const Trampoline&) = delete;

  /// `from` awaits `to`, which has not begun. True: it stays suspended, and may be gone. False: `to` has ended, and
  /// `from` continues.
  static bool await(Target from, Target to) {
    Trampoline*& innermost = Trampoline::innermost();
    if (innermost != nullptr && from.jumper != nullptr && innermost->runs(*from.jumper)) {
      innermost->next_ = to;
      return true;
    }
    Trampoline mine(innermost, from.coroutine);
    mine.run(to);  // `from` may be gone after this line
    return !mine.back_;
  }

  /// `from` has ended, and `to` continues, by resuming what this returns. That is `to` itself if no trampoline has
  /// resumed `from`, as after a wait: opening one here would put a noexcept function, which a final suspension must be,
  /// below code through which a forced unwind must pass.
  static std::coroutine_handle<> end(const Jumper& from, Target to) noexcept {
    Trampoline* const top = innermost();
    if (top == nullptr || !top->runs(from)) {
      return to.coroutine;
    }
    if (to.coroutine == top->host_) {
      top->back_ = true;
    } else {
      top->next_ = to;
    }
    return std::noop_coroutine();
  }

  /// The innermost one on the calling thread's stack. Code that switches a thread to another stack must exchange it.
  static Trampoline*& innermost() noexcept { return StdRuntime::Local<Trampoline*, Trampoline>::get(); }

 private:
  Trampoline(Trampoline*& innermost, std::coroutine_handle<> host) noexcept
      : innermost_(innermost), outer_(innermost), host_(host) {
    innermost_ = this;
  }
  ~Trampoline() { innermost_ = outer_; }

  bool runs(const Jumper& coroutine) const noexcept { return coroutine.resumed_by_ == this && running_ == &coroutine; }

  void run(Target target) {
    do {
      running_ = target.jumper;
      if (target.jumper != nullptr) {
        target.jumper->resumed_by_ = this;
      }
      next_ = {};
      target.coroutine.resume();
      target = next_;
    } while (target.coroutine);
  }

  Trampoline*& innermost_;
  Trampoline* const outer_;
  const std::coroutine_handle<> host_;
  const Jumper* running_ = nullptr;
  Target next_;
  bool back_ = false;  // the host continues by itself
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_TRAMPOLINE_HPP
