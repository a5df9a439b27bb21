// SPDX-License-Identifier: MIT
//
// What the examples check themselves with: prints a sentence that is true, and ends the program with 1 at the
// first one that is not. Not part of the library.

#ifndef TOTO_EXAMPLES_EXPECT_HPP
#define TOTO_EXAMPLES_EXPECT_HPP

#include <cstdio>
#include <cstdlib>

inline void expect(bool is_true, const char* sentence) {
  std::printf("%s %s\n", is_true ? "ok  " : "NOT ", sentence);
  std::fflush(stdout);
  if (!is_true) {
    std::_Exit(1);
  }
}

#endif  // TOTO_EXAMPLES_EXPECT_HPP
