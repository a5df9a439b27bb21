// SPDX-License-Identifier: MIT
//
// StdRuntime: the only place where toto touches threads, locks, clocks, atomics and thread-local storage. Every other
// header reaches them through a template parameter, the runtime policy, so that the same code runs on the operating
// system (StdRuntime) and under a deterministic scheduler with virtual time (toto::testing::SimRuntime). The idea comes
// from folly's Atom parameter and Rust's loom and shuttle. Read next: executor.hpp, task_queue.hpp.

#ifndef TOTO_RUNTIME_HPP
#define TOTO_RUNTIME_HPP

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdlib>
#include <version>

#include "detail/ground/annotations.hpp"
#include "detail/ground/futex.hpp"
#include "detail/ground/lean_std.hpp"
#include "detail/ground/system_thread.hpp"

#if defined(__cpp_lib_jthread)
#include <stop_token>
#else
#include "detail/ground/stop_token.hpp"
#endif
#if defined(__unix__) || defined(__APPLE__)
#define TOTO_DETAIL_POSIX 1
#include <pthread.h>
#if defined(__ELF__)
#define TOTO_DETAIL_UNLOADS 1  // the system can take a shared library out of a process
#include <semaphore.h>
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define TOTO_DETAIL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TOTO_DETAIL_ASAN 1
#endif
#endif
#if defined(TOTO_DETAIL_ASAN)
#include <sanitizer/asan_interface.h>
#endif

#if !defined(TOTO_DETAIL_FUTEX)
#include <condition_variable>
#include <mutex>
#endif
#if defined(TOTO_DETAIL_UNLOADS)
#include <new>

namespace toto::inline v0_1::detail {
// Of the Itanium C++ ABI. The function is called at exit, or when the library is unloaded whose address this is.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" int __cxa_atexit(void (*function)(void*), void* argument, void* library) noexcept;
}  // namespace toto::inline v0_1::detail
#endif

namespace toto::inline v0_1 {

/// The runtime policy for real programs: a thin, inlined layer over the standard library, and, on Linux, over the futex
/// system call for locks and sleeping threads.
///
/// A runtime policy is a class with the members of this one. The library uses nothing else that waits, orders memory or
/// reads a clock. Class templates take the policy as their last parameter, with this one as the default, or are called
/// Basic..., with an alias for this one; Task has no such parameter. sync_wait, sleep_for, resume_on, current_executor
/// and with_task_group take it as their first template argument.
struct StdRuntime {
  /// True if a freed block may be kept and reused without the allocator's knowledge. False under AddressSanitizer,
  /// which could not detect a use after free.
#if defined(TOTO_DETAIL_ASAN)
  static constexpr bool recycles_memory = false;
#else
  static constexpr bool recycles_memory = true;
#endif
  /// True if spinning before sleeping may pay off: for about a microsecond, or, where spinning has paid off before, for
  /// ten to fifty.
  static constexpr bool spins = true;

  /// True if the process can fork.
#if defined(TOTO_DETAIL_POSIX)
  static constexpr bool forks = true;
#else
  static constexpr bool forks = false;
#endif

  template <class T>
  using Atomic = std::atomic<T>;

  /// A mutual exclusion lock, not recursive.
#if defined(TOTO_DETAIL_FUTEX)
  using Mutex = detail::FutexMutex;
#else
  class TOTO_CAPABILITY("mutex") Mutex {
   public:
    void lock() TOTO_ACQUIRE() { mutex_.lock(); }
    bool try_lock() TOTO_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
    void unlock() noexcept TOTO_RELEASE() { mutex_.unlock(); }

   private:
    std::mutex mutex_;
  };
#endif

  /// A steady clock: setting the time of day does not move it.
  struct Clock {
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;
    static time_point now() noexcept { return std::chrono::steady_clock::now(); }
  };

  /// Puts one thread to sleep until another thread wakes it. A parker holds at most one token: unpark() stores it,
  /// park() takes it. One thread parks; any number may unpark. Both ways of parking may return spuriously, so the
  /// caller checks again, whatever park_until() returns; (time_point::max)() means no deadline. The parker may be
  /// destroyed as soon as the woken thread has taken the token.
  ///
  /// Each sleeping thread has its own parker, so no condition variable here ever has two waiters: glibc before
  /// 2.41 can lose a signal if there are several waiters (glibc bug 25847).
#if defined(TOTO_DETAIL_FUTEX)
  using Parker = detail::FutexParker;
#else
  class Parker {
   public:
    void park() { park_until((Clock::time_point::max)()); }

    bool park_until(Clock::time_point deadline) {
      std::unique_lock lock(mutex_);
      const auto has_token = [this] { return token_.load(std::memory_order_relaxed); };
      if (deadline == (Clock::time_point::max)()) {
        wakened_.wait(lock, has_token);
      } else {
        wakened_.wait_until(lock, deadline, has_token);
      }
      return token_.exchange(false, std::memory_order_relaxed);
    }

    // Signals while the parker's own lock is held: the woken thread returns only with that lock.
    void unpark() noexcept {
      const std::lock_guard lock(mutex_);
      token_.store(true, std::memory_order_relaxed);
      wakened_.notify_one();
    }

    bool has_token() const noexcept { return token_.load(std::memory_order_relaxed); }

   private:
    std::mutex mutex_;
    std::condition_variable wakened_;
    std::atomic<bool> token_{false};  // guarded by mutex_; atomic, for readers without the lock
  };
#endif

  /// A joinable thread: SystemThread(name, body, block_signals).
  using Thread = detail::SystemThread;

  template <class T, class Tag>
  using Local = detail::ThreadLocal<T, Tag>;

  /// The only T of this process, made when it is first used and never destroyed: threads that outlive main may use it.
  template <class T>
  static T& global() {
    static T* const object = new T;
    return *object;
  }

#if defined(__cpp_lib_jthread)
  using StopSource = std::stop_source;
  using StopToken = std::stop_token;
  template <class Callback>
  using StopCallback = std::stop_callback<Callback>;
#else
  using StopSource = detail::BasicStopSource<StdRuntime>;
  using StopToken = detail::BasicStopToken<StdRuntime>;
  template <class Callback>
  using StopCallback = detail::BasicStopCallback<StdRuntime, Callback>;
#endif

  /// A named place in the library's code. Does nothing here; under a simulator, a possible switch or fault.
  static void point(const char* /*name*/) noexcept {}

  static void fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }

  /// Hints to the processor that this thread is polling a flag.
  static void relax() noexcept { detail::relax(); }

  static unsigned processors() noexcept { return detail::processors(); }

  /// Runs `drain` when the process exits normally, or when the shared library that contains this code is unloaded.
  /// Never inlined: libraries that share this function also share the drain, which belongs to the library that contains
  /// it.
  TOTO_COLD static void at_exit(void (*drain)()) noexcept {
#if defined(TOTO_DETAIL_UNLOADS)
    static_cast<void>(thread_ends());  // what was registered first is called last: the drains still need it
#endif
    register_end(drain);
  }

  /// In a function passed to at_exit(): whether the process will continue without this code. If so, no thread may be
  /// running the code when that function returns.
  static bool unloading() noexcept {
#if defined(TOTO_DETAIL_UNLOADS)
    int posted = 1;
    if (sem_t* const exit = exit_begun()) {
      sem_getvalue(exit, &posted);
    }
    return posted == 0;
#else
    return false;
#endif
  }

  /// Calls `end` when the calling thread ends; a thread has one such function. Returns false if it will not be called.
  ///
  /// Where libraries can be unloaded, this does not use a thread-local with a destructor. The first of those in each
  /// thread waits for the loader's lock. A thread that loads or unloads a library holds that lock, and may be waiting
  /// for this thread. Such a thread-local also keeps the library loaded for as long as the thread lives.
  TOTO_COLD static bool at_thread_end(void (*end)()) noexcept {
#if defined(TOTO_DETAIL_UNLOADS)
    const ThreadEnds& ends = thread_ends();
    return ends.made && pthread_setspecific(ends.key, reinterpret_cast<const void*>(end)) == 0;
#elif defined(__MINGW32__) && !defined(__clang__)
    // GCC's thread-locals there are freed before their destructors run.
    static_cast<void>(end);
    return false;
#else
    struct Guard {
      void (*end)() = nullptr;
      ~Guard() { end(); }
    };
    static thread_local Guard guard;
    guard.end = end;
    return true;
#endif
  }

  /// Returns whether `object` is a local variable of a function that the calling thread is in, and not in the frame of
  /// a coroutine, which may resume on another thread. False where the system cannot say. Slow the first time.
  static bool on_this_stack(const void* object) noexcept {
#if defined(TOTO_DETAIL_ASAN)  // AddressSanitizer keeps locals on the heap, to find uses after return
    if (void* const fake = __asan_get_current_fake_stack()) {
      if (__asan_addr_is_in_fake_stack(fake, const_cast<void*>(object), nullptr, nullptr) != nullptr) {
        return true;
      }
    }
#endif
    using Stack = detail::ThreadStack;
    Stack& stack = Local<Stack, Stack>::get();
    if (!stack.asked) {
      stack.ask();
    }
    constexpr std::compare_three_way compare;  // orders unrelated pointers, as < does not
    return std::is_gteq(compare(object, stack.begin)) && std::is_lt(compare(object, stack.end));
  }

  /// Calls the first function before each fork of this process, the second after the fork in the parent, the third in
  /// the child.
  static void at_fork([[maybe_unused]] void (*before)(), [[maybe_unused]] void (*in_parent)(),
                      [[maybe_unused]] void (*in_child)()) {
#if defined(TOTO_DETAIL_POSIX)
    pthread_atfork(before, in_parent, in_child);
#endif
  }

 private:
  static void register_end(void (*end)()) noexcept {
    std::atexit(end);
#if defined(TOTO_DETAIL_UNLOADS)
    // Called before `end`, but at exit only: the semaphore is no library. It is the system's own function, and the
    // semaphore is never freed, because this code may be gone by then. (Not null for the library: ThreadSanitizer then
    // leaves out the argument.)
    if (sem_t* const exit = exit_begun()) {
      detail::__cxa_atexit(reinterpret_cast<void (*)(void*)>(reinterpret_cast<void (*)()>(&sem_post)), exit, exit);
    }
#endif
  }

#if defined(TOTO_DETAIL_UNLOADS)
  /// Its value is 0 until the process exits. Null: there was no memory for it.
  static sem_t* exit_begun() noexcept {
    static sem_t* const semaphore = [] {
      auto* const made = new (std::nothrow) sem_t;
      if (made != nullptr) {
        sem_init(made, 0, 0);
      }
      return made;
    }();
    return semaphore;
  }

  struct ThreadEnds {
    pthread_key_t key{};
    bool made = false;
  };
  static const ThreadEnds& thread_ends() noexcept {
    static const ThreadEnds ends = [] {
      ThreadEnds made;
      made.made = pthread_key_create(&made.key, [](void* end) { reinterpret_cast<void (*)()>(end)(); }) == 0;
      register_end([] {
        if (unloading()) {
          pthread_key_delete(thread_ends().key);  // threads that have used this code may live on
        }
      });
      return made;
    }();
    return ends;
  }
#endif
};

/// The token through which a running task is asked to stop: std::stop_token where the standard library has it,
/// otherwise a class with the same interface.
using StopToken = StdRuntime::StopToken;
/// The source of StopTokens, through which a stop is requested: std::stop_source where the standard library has it,
/// otherwise a class with the same interface.
using StopSource = StdRuntime::StopSource;

}  // namespace toto::inline v0_1

#undef TOTO_DETAIL_POSIX
#undef TOTO_DETAIL_ASAN
#undef TOTO_DETAIL_FUTEX
#undef TOTO_DETAIL_UNLOADS

#endif  // TOTO_RUNTIME_HPP
