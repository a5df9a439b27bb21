// SPDX-License-Identifier: MIT
//
// Catch2, version 2.13 or 3, under one roof: what the tests use has the same name and meaning with both.
// Assertions belong on the test's main thread: version 2 does not protect them.

#ifndef TOTO_TESTS_SUPPORT_CATCH_HPP
#define TOTO_TESTS_SUPPORT_CATCH_HPP

#if __has_include(<catch2/catch_test_macros.hpp>)
#define TOTO_TESTS_CATCH_3 1
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
#else
#define TOTO_TESTS_CATCH_3 0
#include <catch2/catch.hpp>
// Catch2 3 has this. Here the rest of the test case is not run, and the reason is shown.
#define SKIP(...)                       \
  do {                                  \
    WARN("SKIPPED: " << (__VA_ARGS__)); \
    return;                             \
  } while (false)
#endif

#include <string>

namespace toto_tests {

/// Matches a text that contains `part`, for REQUIRE_THROWS_WITH and REQUIRE_THAT.
inline auto contains(const std::string& part) {
#if TOTO_TESTS_CATCH_3
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

/// Matches an exception whose what() is `text`, for REQUIRE_THROWS_MATCHES.
inline auto has_message(const std::string& text) {
  return Catch::Matchers::Message(text);
}

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_CATCH_HPP
