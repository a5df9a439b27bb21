// SPDX-License-Identifier: MIT
//
// Which sanitizers the test is built with, for tests that do less under a slow one.

#ifndef TOTO_TESTS_SUPPORT_SANITIZERS_HPP
#define TOTO_TESTS_SUPPORT_SANITIZERS_HPP

#if defined(__has_feature)
#define TOTO_TESTS_HAS_FEATURE(feature) __has_feature(feature)
#else
#define TOTO_TESTS_HAS_FEATURE(feature) 0
#endif

namespace toto_tests {

#if defined(__SANITIZE_THREAD__) || TOTO_TESTS_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__) || TOTO_TESTS_HAS_FEATURE(address_sanitizer)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

/// `plain` in an ordinary build, `sanitized` in an instrumented one.
template <class T>
constexpr T scaled(T plain, T sanitized) {
  return kThreadSanitizer || kAddressSanitizer ? sanitized : plain;
}

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_SANITIZERS_HPP
