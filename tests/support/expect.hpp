// SPDX-License-Identifier: MIT
//
// What programs that are tests check themselves with: prints each thing that is expected, and counts what failed.

#ifndef TOTO_TESTS_SUPPORT_EXPECT_HPP
#define TOTO_TESTS_SUPPORT_EXPECT_HPP

#include <cstdio>
#include <string_view>

namespace toto_tests {

inline int failures = 0;

/// On the main thread.
inline void expect(bool condition, std::string_view what) {
  std::printf("%s  %.*s\n", condition ? "ok    " : "FAILED", static_cast<int>(what.size()), what.data());
  failures += condition ? 0 : 1;
}

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_EXPECT_HPP
