// SPDX-License-Identifier: MIT
//
// Folder: ground.
// What the other folders are built from, each in its own header: references, lists, results, callables, text, locks,
// memory, and what differs between platforms. Knows nothing of tasks, executors or coroutines.
//
// Annotations that a compiler can check: which mutex guards which field (Clang's -Wthread-safety), and which function
// must stay out of line or is seldom called. They expand to nothing where the compiler does not know them.

#ifndef TOTO_DETAIL_GROUND_ANNOTATIONS_HPP
#define TOTO_DETAIL_GROUND_ANNOTATIONS_HPP

#include "../../version.hpp"

#if defined(__clang__)
#define TOTO_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define TOTO_THREAD_ANNOTATION(x)
#endif

#define TOTO_CAPABILITY(x) TOTO_THREAD_ANNOTATION(capability(x))
#define TOTO_SCOPED_CAPABILITY TOTO_THREAD_ANNOTATION(scoped_lockable)
#define TOTO_GUARDED_BY(x) TOTO_THREAD_ANNOTATION(guarded_by(x))
#define TOTO_REQUIRES(...) TOTO_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define TOTO_ACQUIRE(...) TOTO_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define TOTO_TRY_ACQUIRE(...) TOTO_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define TOTO_RELEASE(...) TOTO_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define TOTO_RETURN_CAPABILITY(x) TOTO_THREAD_ANNOTATION(lock_returned(x))
#define TOTO_NO_THREAD_SAFETY_ANALYSIS TOTO_THREAD_ANNOTATION(no_thread_safety_analysis)

// A function the compiler must not inline: thread-local getters (the address may not be cached over a
// suspension) and await_suspend (its locals may not move into the coroutine frame, LLVM issue 56301).
#if defined(_MSC_VER) && !defined(__clang__)
#define TOTO_NOINLINE __declspec(noinline)
#else
#define TOTO_NOINLINE __attribute__((__noinline__))
#endif

// A function that is seldom called: one that starts, ends, refuses or reports something. It is optimised for size,
// which is also faster to compile, and not inlined into its callers.
#if defined(_MSC_VER) && !defined(__clang__)
#define TOTO_COLD __declspec(noinline)
#else
#define TOTO_COLD __attribute__((__cold__, __noinline__))
#endif

// Around coroutines: GCC warns about a null pointer that it inserts itself at the end of each, in system headers, too
// (-Wzero-as-null-pointer-constant).
#if defined(__GNUC__) && !defined(__clang__)
#define TOTO_COROUTINES_BEGIN \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wzero-as-null-pointer-constant\"")
#define TOTO_COROUTINES_END _Pragma("GCC diagnostic pop")
#else
#define TOTO_COROUTINES_BEGIN
#define TOTO_COROUTINES_END
#endif

// A short test before a long function, in the path of every task. Whether GCC inlined it would otherwise depend on how
// much the program has grown already.
#if defined(_MSC_VER) && !defined(__clang__)
#define TOTO_ALWAYS_INLINE __forceinline
#else
#define TOTO_ALWAYS_INLINE inline __attribute__((__always_inline__))
#endif

#endif  // TOTO_DETAIL_GROUND_ANNOTATIONS_HPP
