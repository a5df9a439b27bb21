// SPDX-License-Identifier: MIT
//
// Trampoline: runs coroutines that await each other one after another from one place, instead of on top of each other.
// It is for compilers that do not promise to make a jump of "symmetric transfer", which does the same: GCC does from
// -O2 on, and not for its sanitizers, and no macro tells. Read next: ../../task.hpp.

#ifndef TOTO_DETAIL_GROUND_TRAMPOLINE_HPP
#define TOTO_DETAIL_GROUND_TRAMPOLINE_HPP

#include <coroutine>

#include "../../runtime.hpp"

namespace toto::inline v0_1::detail {

class Trampoline;

/// What the promise of a coroutine that takes part has: which trampoline has resumed it last. Only compared, by the
/// coroutine itself: that trampoline may be gone.
class Jumper {
  friend Trampoline;
  const Trampoline* resumed_by_ = nullptr;
};

/// A local variable. A coroutine that awaits another one, or ends, names the one that is to go on, and returns to the
/// trampoline that has resumed it. Without such a one it opens one, on its own stack: the one that awaits is the host
/// of its trampoline. If what it waits for ends there, it has not suspended at all.
///
/// Whether the calling coroutine was resumed by the thread's innermost trampoline takes two comparisons: the trampoline
/// says whom it has resumed, and that one by whom. One of them alone could be a memory: of a coroutine whose place in
/// memory another one has now, or of a trampoline whose place on the stack another one has.
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
  /// `from` goes on.
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

  /// `from` has ended, and `to` goes on: by resuming what this returns. That is `to` itself where no trampoline has
  /// resumed `from`, as after a wait: to open one here would put noexcept, which final suspensions have to be, below
  /// what a forced unwind has to come through.
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

  /// The one that the calling thread has opened last, and not left: its stack's. Whoever gives a thread another stack
  /// has to exchange it.
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
  bool back_ = false;  // the host goes on by itself
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_TRAMPOLINE_HPP
