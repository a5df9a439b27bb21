// SPDX-License-Identifier: MIT
//
// What StdRuntime builds on the system's threads: SystemThread, ThreadLocal, ThreadStack; the number of processors, and
// the pause of a thread that spins before it sleeps. Read next: ../../runtime.hpp.

#ifndef TOTO_DETAIL_GROUND_SYSTEM_THREAD_HPP
#define TOTO_DETAIL_GROUND_SYSTEM_THREAD_HPP

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#elif defined(_MSC_VER)
#include <intrin.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#define TOTO_DETAIL_POSIX 1
#include <pthread.h>
#include <signal.h>
#endif

#include "annotations.hpp"

namespace toto::inline v0_1::detail {

/// One T for each thread and Tag. T has a constexpr default constructor, and no destructor: see at_thread_end(). It
/// is behind a function that is never inlined, because compilers otherwise keep the address of a thread-local across
/// a suspension, and the coroutine may resume on another thread (LLVM issues 47179 and 63022).
template <class T, class Tag>
class ThreadLocal {
 public:
  TOTO_NOINLINE static T& get() noexcept {
    static_assert(std::is_trivially_destructible_v<T>);
    // Not a static member: with MinGW, two files that have one do not link.
    static constinit thread_local T value{};
    return value;
  }
};

/// A joinable thread. It must have been joined, detached or moved from when it is destroyed.
class SystemThread {
 public:
  SystemThread() noexcept = default;

  /// Starts `body`, a callable without arguments. The caller truncates the name to what the system shows (15 characters
  /// on Linux). With `block_signals`, the thread blocks asynchronous signals from the start. Otherwise it has the
  /// signal mask of the starting thread, or, if the starting thread was itself started with `block_signals`, the mask
  /// that that thread would have had without.
  ///
  /// Throws: std::system_error if the system cannot start a thread.
  template <class Body>
  SystemThread(std::string name, Body body, bool block_signals = false)
      : thread_(start(std::move(name), std::move(body), block_signals)) {}

  bool joinable() const noexcept { return thread_.joinable(); }
  void join() { thread_.join(); }
  void detach() { thread_.detach(); }

 private:
  // std::thread gets a function and a pointer, no type of this library. From a shared library that hides its symbols,
  // GCC exports what std::thread makes of a closure. The thread would then run the code of another module that
  // exports the same symbol, for example the program's, which has other thread-locals.
  template <class Body>
  static std::thread start(std::string name, Body body, bool block_signals) {
    const StartingSignals starting(block_signals);
    struct Start {
      std::string name;
      Body body;
      SignalMask mask;
    };
    auto start = std::make_unique<Start>(Start{std::move(name), std::move(body), starting.of_new_thread()});
    std::thread thread(
        +[](void* memory) {
          const std::unique_ptr<Start> mine(static_cast<Start*>(memory));
          mine->mask.take();
          set_current_name(mine->name);
          mine->body();
        },
        static_cast<void*>(start.get()));
    static_cast<void>(start.release());
    return thread;
  }

  static void set_current_name([[maybe_unused]] const std::string& name) noexcept {
#if defined(__linux__)
    pthread_setname_np(pthread_self(), name.c_str());
#elif defined(__APPLE__)
    pthread_setname_np(name.c_str());
#endif
  }

#if defined(TOTO_DETAIL_POSIX)
  /// How this library has changed a thread's signal mask.
  struct SignalMask {
    bool blocks = false;  // asynchronous signals, because of block_signals
    sigset_t without{};   // the mask it would have otherwise
    bool changes = false;

    void take() const noexcept {
      if (blocks) {
        ThreadLocal<SignalMask, SignalMask>::get() = *this;
      } else if (changes) {
        pthread_sigmask(SIG_SETMASK, &without, nullptr);
      }
    }
  };

  /// Blocks signals while a thread is being started whose mask will differ from that of the starting one, which it
  /// inherits. Signals for a thread's own faults are not blocked.
  class StartingSignals {
   public:
    explicit StartingSignals(bool block) noexcept {
      const SignalMask& here = ThreadLocal<SignalMask, SignalMask>::get();
      if (!block && !here.blocks) {
        return;
      }
      sigset_t blocked;
      sigfillset(&blocked);
      for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
        sigdelset(&blocked, fault);
      }
      pthread_sigmask(SIG_BLOCK, &blocked, &before_);
      mask_ = {block, here.blocks ? here.without : before_, true};
    }
    ~StartingSignals() {
      if (mask_.changes) {
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
      }
    }
    StartingSignals(const StartingSignals&) = delete;
    StartingSignals& operator=(const StartingSignals&) = delete;

    const SignalMask& of_new_thread() const noexcept { return mask_; }

   private:
    SignalMask mask_;
    sigset_t before_{};
  };
#else
  struct SignalMask {
    void take() const noexcept {}
  };
  struct StartingSignals {
    explicit StartingSignals(bool /*block*/) noexcept {}
    static SignalMask of_new_thread() noexcept { return {}; }
  };
#endif

  std::thread thread_;
};

/// Hints to the processor that this thread is polling a flag. On AArch64 `yield` does nothing on most processors;
/// Rust's std::hint::spin_loop uses `isb`, which takes about as long as a pause elsewhere.
inline void relax() noexcept {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_pause();
#elif defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

/// Returns how many of the program's threads can run at the same time; 0 if that is unknown. On Linux a program can be
/// confined to some of the processors (taskset, containers), which hardware_concurrency() does not tell. The main
/// thread is asked: the calling one may have been given an affinity by a hook.
inline unsigned count_processors() noexcept {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(getpid(), sizeof allowed, &allowed) == 0) {
    return static_cast<unsigned>(CPU_COUNT(&allowed));
  }
#endif
  return std::thread::hardware_concurrency();
}

/// The system is asked once. Not a local static, because its guard may be held by a thread that a fork leaves behind.
inline unsigned processors() noexcept {
  static constinit std::atomic<unsigned> known{0};
  unsigned count = known.load(std::memory_order_relaxed);
  if (count == 0) {
    count = detail::count_processors();
    known.store(count, std::memory_order_relaxed);
  }
  return count;
}

/// Where the calling thread keeps its local variables.
struct ThreadStack {
  const void* begin = nullptr;
  const void* end = nullptr;
  bool asked = false;

  void ask() noexcept {
    asked = true;
#if defined(__linux__)
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
      return;
    }
    void* lowest = nullptr;
    std::size_t size = 0;
    if (pthread_attr_getstack(&attributes, &lowest, &size) == 0) {
      begin = lowest;
      end = static_cast<const char*>(lowest) + size;
    }
    pthread_attr_destroy(&attributes);
#elif defined(__APPLE__)
    end = pthread_get_stackaddr_np(pthread_self());
    begin = static_cast<const char*>(end) - pthread_get_stacksize_np(pthread_self());
#endif
  }
};

}  // namespace toto::inline v0_1::detail

#undef TOTO_DETAIL_POSIX

#endif  // TOTO_DETAIL_GROUND_SYSTEM_THREAD_HPP
