// SPDX-License-Identifier: MIT
//
// Fibre: a context of execution with its own stack, switched to and from without the system. The simulator runs every
// simulated thread on one. A switch is a few instructions on x86-64 and AArch64, swapcontext elsewhere; it also swaps
// what a thread knows of its stack (exceptions in flight, trampolines), and tells AddressSanitizer and ThreadSanitizer.
// Read next: scheduler.hpp.

#ifndef TOTO_TESTING_FIBRE_HPP
#define TOTO_TESTING_FIBRE_HPP

#if !defined(__unix__) && !defined(__APPLE__)
#error "toto/testing needs mmap and either x86-64, AArch64 or swapcontext: Linux, macOS or a BSD"
#endif

#include <cxxabi.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "../detail/ground/annotations.hpp"
#include "../detail/ground/trampoline.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TOTO_DETAIL_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define TOTO_DETAIL_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TOTO_DETAIL_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define TOTO_DETAIL_TSAN 1
#endif
#if defined(TOTO_DETAIL_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(TOTO_DETAIL_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

// TOTO_TESTING_UCONTEXT: use swapcontext even where there is something faster.
#if defined(TOTO_TESTING_UCONTEXT) || !(defined(__x86_64__) || defined(__aarch64__))
#define TOTO_DETAIL_UCONTEXT 1
#include <ucontext.h>
#endif

// GCC has noipa: a caller otherwise knows which registers a function leaves alone, and keeps values there.
#if defined(__clang__)
#define TOTO_DETAIL_OPAQUE __attribute__((__noinline__))
#else
#define TOTO_DETAIL_OPAQUE __attribute__((noipa))
#endif

namespace __cxxabiv1 {
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept;  // libc++abi has it, but does not declare it
}  // namespace __cxxabiv1

namespace toto::inline v0_1::testing::detail {

/// What an exception in flight or being handled leaves in thread-local storage, behind __cxa_get_globals(): two words
/// of the Itanium C++ ABI, and a third one, for clean-ups, of the exception handling ABI for the Arm architecture.
class ExceptionsInFlight {
 public:
  void save() noexcept { std::memcpy(words_.data(), abi::__cxa_get_globals(), sizeof words_); }
  void restore() const noexcept {
    std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), words_.data(), sizeof words_);
  }

 private:
#if defined(__arm__) && !defined(__USING_SJLJ_EXCEPTIONS__) && !defined(__ARM_DWARF_EH__)
  static constexpr std::size_t kWords = 3;
#else
  static constexpr std::size_t kWords = 2;
#endif

  std::array<void*, kWords> words_{};
};

/// Memory for a stack, with a page below it that must not be touched.
class Stack {
 public:
  /// Throws: std::bad_alloc.
  Stack() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    // Pages cost something only once they are touched.
    void* const mapped =
        mmap(nullptr, page_ + kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
      throw std::bad_alloc();
    }
    mapping_ = static_cast<std::byte*>(mapped);
    mprotect(mapping_, page_, PROT_NONE);
  }
  ~Stack() { munmap(mapping_, page_ + kSize); }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  std::byte* bottom() const noexcept { return mapping_ + page_; }
  std::byte* top() const noexcept { return bottom() + kSize; }
  static constexpr std::size_t size() noexcept { return kSize; }

 private:
  static constexpr std::size_t kSize = std::size_t{1} << 20;

  std::size_t page_;
  std::byte* mapping_ = nullptr;
};

/// A context of execution: the one this thread of the system is in, or a new one with its own stack.
///
/// Thread safety: One thread at a time. A fibre stays on the thread of the system that first ran it.
class Fibre {
 public:
  using Body = void (*)(void*);

  /// The context of the caller.
  Fibre() noexcept;

  /// A new context. It does nothing until it is given a body and switched to.
  /// Throws: std::bad_alloc.
  explicit Fibre(std::unique_ptr<Stack> stack);

  ~Fibre();
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  /// The next switch to this fibre calls `body`, provided that the fibre is new, or that its last body has switched
  /// away for good, ready to return when it is switched to. So one fibre serves many bodies.
  void set_body(Body body, void* argument) noexcept {
    body_ = body;
    argument_ = argument;
  }

  /// Switches from this fibre, the running one, to `next`. Returns when another fibre switches back.
  void switch_to(Fibre& next) noexcept;

  /// Whether `object` is a local variable on this fibre, which has its own stack and is running.
  bool holds(const void* object) const noexcept;

  /// The fibre's own stack. Not for the context of the caller, which has none.
  const Stack& stack() const noexcept { return *stack_; }

  /// This fibre, left in the middle of its body, will never run again. What its stack refers to is not a leak, as long
  /// as this object lives.
  void abandon();

 private:
  [[noreturn]] static void enter(void* unused, void* unused_too, Fibre* self) noexcept;
  void prepare() noexcept;
  void leave_for(Fibre& next) noexcept;
  void arrive() noexcept;

  Body body_ = nullptr;
  void* argument_ = nullptr;
  std::unique_ptr<Stack> stack_;
  ExceptionsInFlight exceptions_;
  toto::detail::Trampoline* trampolines_ = nullptr;
  Fibre* came_from_ = nullptr;
#if defined(TOTO_DETAIL_UCONTEXT)
  ucontext_t context_;
  static inline thread_local Fibre* entering_ = nullptr;
#else
  void* stack_pointer_ = nullptr;
#endif
#if defined(TOTO_DETAIL_ASAN)
  const void* bottom_ = nullptr;
  std::size_t size_ = 0;
  void* fake_stack_ = nullptr;
  std::vector<void*> remembered_;  ///< what an abandoned stack refers to: the leak detector does not look there
#endif
#if defined(TOTO_DETAIL_TSAN)
  void* tsan_fibre_ = nullptr;
#endif
};

/// Fibres between two bodies, for reuse: no system call for a simulated thread.
class FibrePool {
 public:
  /// The pool of this thread of the system.
  static FibrePool& instance() {
    static thread_local FibrePool pool;
    return pool;
  }

  /// Throws: std::bad_alloc.
  std::unique_ptr<Fibre> take() {
    if (idle_.empty()) {
      return std::make_unique<Fibre>(std::make_unique<Stack>());
    }
    std::unique_ptr<Fibre> fibre = std::move(idle_.back());
    idle_.pop_back();
    return fibre;
  }
  void give(std::unique_ptr<Fibre> fibre) { idle_.push_back(std::move(fibre)); }

 private:
  std::vector<std::unique_ptr<Fibre>> idle_;
};

#if !defined(TOTO_DETAIL_UCONTEXT)
// Pushes the address to return to, stores the stack pointer in *from, loads `to` as the stack pointer, and returns to
// the address found there. All other callee-saved registers are listed as clobbered, so that the compiler saves them.
// The third argument stays in its register, where a new fibre's enter() finds it as its own third one.
TOTO_DETAIL_OPAQUE inline void switch_stack(void** from, void* to, Fibre* next) noexcept {
#if defined(__x86_64__)
  asm volatile(
      "leaq -128(%%rsp), %%rsp\n\t"  // the red zone may hold something
      "pushq %%rbp\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "movq %%rsp, (%%rdi)\n\t"
      "movq %%rsi, %%rsp\n\t"
      "popq %%rax\n\t"
      "jmpq *%%rax\n"
      "1:\n\t"
      "popq %%rbp\n\t"
      "leaq 128(%%rsp), %%rsp\n\t"
      : "+D"(from), "+S"(to), "+d"(next)
      :
      : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
#else
  register void** first asm("x0") = from;
  register void* second asm("x1") = to;
  register Fibre* third asm("x2") = next;
  asm volatile(
      "stp x29, x30, [sp, #-32]!\n\t"
      "adr x9, 1f\n\t"
      "str x9, [sp, #16]\n\t"
      "mov x9, sp\n\t"
      "str x9, [x0]\n\t"
      "mov sp, x1\n\t"
      "ldr x9, [sp, #16]\n\t"
      "br x9\n"
      "1:\n\t"
      "ldp x29, x30, [sp], #32\n\t"
      : "+r"(first), "+r"(second), "+r"(third)
      :
      : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x19", "x20",
        "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
        "memory", "cc");
#endif
}
#endif

inline Fibre::Fibre() noexcept {
#if defined(TOTO_DETAIL_TSAN)
  tsan_fibre_ = __tsan_get_current_fiber();
#endif
}

inline Fibre::Fibre(std::unique_ptr<Stack> stack) : stack_(std::move(stack)) {
#if defined(TOTO_DETAIL_ASAN)
  bottom_ = stack_->bottom();
  size_ = Stack::size();
#endif
#if defined(TOTO_DETAIL_TSAN)
  tsan_fibre_ = __tsan_create_fiber(0);
#endif
  prepare();
}

inline Fibre::~Fibre() {
#if defined(TOTO_DETAIL_ASAN)
  if (stack_ != nullptr) {
    __asan_unpoison_memory_region(stack_->bottom(), Stack::size());
  }
#endif
#if defined(TOTO_DETAIL_TSAN)
  if (stack_ != nullptr) {
    __tsan_destroy_fiber(tsan_fibre_);
  }
#endif
}

#if defined(TOTO_DETAIL_ASAN)
// A word of a stack, whether or not a variable lives there.
__attribute__((__noinline__, no_sanitize("address"))) inline void* read_unchecked(const std::byte* word) noexcept {
  return *reinterpret_cast<void* const volatile*>(word);
}
#endif

inline void Fibre::prepare() noexcept {
#if defined(TOTO_DETAIL_UCONTEXT)
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_->bottom();
  context_.uc_stack.ss_size = Stack::size();
  context_.uc_link = nullptr;
  makecontext(&context_, +[] { enter(nullptr, nullptr, entering_); }, 0);
#elif defined(__x86_64__)
  // enter() finds the stack as after a call: a return address, here none, below a multiple of 16.
  auto** const words = reinterpret_cast<void**>(stack_->top()) - 4;
  words[0] = reinterpret_cast<void*>(&enter);
  words[1] = nullptr;
  stack_pointer_ = words;
#else
  auto** const words = reinterpret_cast<void**>(stack_->top()) - 4;
  words[2] = reinterpret_cast<void*>(&enter);
  stack_pointer_ = words;
#endif
}

inline void Fibre::enter(void* /*unused*/, void* /*unused_too*/, Fibre* self) noexcept {
  self->arrive();
  for (;;) {
    self->body_(self->argument_);
  }
}

inline void Fibre::switch_to(Fibre& next) noexcept {
  leave_for(next);
#if defined(TOTO_DETAIL_UCONTEXT)
  entering_ = &next;
  swapcontext(&context_, &next.context_);
#else
  switch_stack(&stack_pointer_, next.stack_pointer_, &next);
#endif
  arrive();
}

inline void Fibre::leave_for(Fibre& next) noexcept {
  exceptions_.save();
  trampolines_ = std::exchange(toto::detail::Trampoline::innermost(), nullptr);
  next.came_from_ = this;
#if defined(TOTO_DETAIL_ASAN)
  __sanitizer_start_switch_fiber(&fake_stack_, next.bottom_, next.size_);
#endif
#if defined(TOTO_DETAIL_TSAN)
  __tsan_switch_to_fiber(next.tsan_fibre_, 0);
#endif
}

inline void Fibre::arrive() noexcept {
#if defined(TOTO_DETAIL_ASAN)
  // Also reports where the stack of the thread of the system is, which nothing else does.
  __sanitizer_finish_switch_fiber(fake_stack_, &came_from_->bottom_, &came_from_->size_);
#endif
  exceptions_.restore();
  toto::detail::Trampoline::innermost() = trampolines_;
}

inline bool Fibre::holds(const void* object) const noexcept {
#if defined(TOTO_DETAIL_ASAN)
  if (void* const fake_stack = __asan_get_current_fake_stack()) {
    if (__asan_addr_is_in_fake_stack(fake_stack, const_cast<void*>(object), nullptr, nullptr) != nullptr) {
      return true;
    }
  }
#endif
  constexpr std::less<const void*> before;
  return !before(object, stack_->bottom()) && before(object, stack_->top());
}

inline void Fibre::abandon() {
#if defined(TOTO_DETAIL_ASAN)
  std::vector<void*> frames;
  for (std::byte* word = stack_->bottom(); word != stack_->top(); word += sizeof(void*)) {
    if (void* const value = read_unchecked(word)) {
      remembered_.push_back(value);
      // Locals may be in a frame that AddressSanitizer keeps elsewhere; the stack then holds the frame's address.
      void* begin = nullptr;
      void* end = nullptr;
      if (fake_stack_ != nullptr && __asan_addr_is_in_fake_stack(fake_stack_, value, &begin, &end) != nullptr &&
          std::find(frames.begin(), frames.end(), begin) == frames.end()) {
        frames.push_back(begin);
        for (auto* local = static_cast<std::byte*>(begin); local < end; local += sizeof(void*)) {
          remembered_.push_back(read_unchecked(local));
        }
      }
    }
  }
#endif
}

}  // namespace toto::inline v0_1::testing::detail

#undef TOTO_DETAIL_ASAN
#undef TOTO_DETAIL_TSAN
#undef TOTO_DETAIL_UCONTEXT
#undef TOTO_DETAIL_OPAQUE

#endif  // TOTO_TESTING_FIBRE_HPP
