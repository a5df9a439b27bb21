// SPDX-License-Identifier: MIT
//
// Reports an exception that no one will observe, where no hook was set for it: a line on stderr.

#ifndef TOTO_DETAIL_GROUND_UNSEEN_HPP
#define TOTO_DETAIL_GROUND_UNSEEN_HPP

#include <cstddef>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <string_view>

#include "../../errors.hpp"

namespace toto::inline v0_1::detail {

/// Whether the exception is to be reported: not if it is one of the library's own, which mean that a task was not run
/// or not waited for.
inline bool concerns_anybody(const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const TaskCancelled&) {
    return false;
  } catch (const QueueClosed&) {
    return false;
  } catch (const TimedOut&) {
    return false;
  } catch (...) {
    return true;
  }
}

/// `what`: as in {"a task on queue '", name, "'"}. Allocates nothing; what is too long is cut.
inline void print_failure(std::initializer_list<std::string_view> what, const std::exception_ptr& failure) noexcept {
  char text[1024];
  std::size_t size = 0;
  for (const std::string_view piece : what) {
    size += piece.copy(text + size, sizeof text - size);
  }
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "toto: %.*s failed: %s\n", static_cast<int>(size), text, error.what());
  } catch (...) {
    std::fprintf(stderr, "toto: %.*s failed with an exception that is not a std::exception\n", static_cast<int>(size),
                 text);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_UNSEEN_HPP
