// SPDX-License-Identifier: MIT
//
// CallSite: the source line of a call, for reports about who holds an instance. std::source_location would do, but
// Clang before 16 does not have it.

#ifndef TOTO_CALL_SITE_HPP
#define TOTO_CALL_SITE_HPP

#include <string>

#include "detail/ground/text.hpp"
#include "version.hpp"

namespace toto::inline v0_1 {

/// A line of source code. As a default argument, `CallSite where = CallSite::current()`, it is the caller's line. The
/// members of InstancePool that take an instance have a CallSite as their last parameter, except operator() and the
/// calls of await(). Trivially copyable; the file name lives as long as the program.
/// Thread safety: One thread at a time.
struct CallSite {
  const char* file = "";
  unsigned line = 0;  ///< 0: unknown

  static constexpr CallSite current(const char* file = __builtin_FILE(),
                                    unsigned line = static_cast<unsigned>(__builtin_LINE())) noexcept {
    return {file, line};
  }

  /// Returns "src/main.cpp:12", or "" if it is unknown.
  std::string text() const { return line == 0 ? std::string() : detail::join({file, ":", detail::Digits(line)}); }
};

}  // namespace toto::inline v0_1

#endif  // TOTO_CALL_SITE_HPP
