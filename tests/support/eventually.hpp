// SPDX-License-Identifier: MIT
//
// Waiting for something that is not announced, such as the end of a thread in the system's list.

#ifndef TOTO_TESTS_SUPPORT_EVENTUALLY_HPP
#define TOTO_TESTS_SUPPORT_EVENTUALLY_HPP

#include <chrono>
#include <thread>

#include "gate.hpp"

namespace toto_tests {

/// Looks every millisecond. True as soon as `condition()` is; false after `limit`.
template <class Condition>
bool eventually(Condition condition, std::chrono::steady_clock::duration limit = kPatience) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return condition();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_EVENTUALLY_HPP
