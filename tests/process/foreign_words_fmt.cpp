// SPDX-License-Identifier: MIT
//
// covers: [R10]
//
// toto/fmt.hpp behind what other headers define as macros; see foreign_words.cpp. fmt itself comes first.
//
// nothing precompiled: the headers have to read what is defined before them

#include <fmt/format.h>
// Then the words:
#include "support/expect.hpp"
#include "support/foreign_words.hpp"
// Then the library:
#include <toto/fmt.hpp>
#include <toto/tasks.hpp>

using namespace toto_tests;

int main() {
  toto::TaskQueue queue;
  queue.yield_task([] {}).get();
  expect(fmt::format("{}", toto::Duration(std::chrono::milliseconds(3))) == "3ms", "a duration is formatted");
  expect(fmt::format("{}", queue.stats()).find("1 completed") != std::string::npos, "and so are counts");
  return failures == 0 ? 0 : 1;
}
