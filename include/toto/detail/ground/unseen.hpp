// SPDX-License-Identifier: MIT
//
// Reports an exception that no one will observe, where no hook was set for it: a line on stderr.

#ifndef TOTO_DETAIL_GROUND_UNSEEN_HPP
#define TOTO_DETAIL_GROUND_UNSEEN_HPP

#include <cstdio>
#include <exception>

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

/// `what`: as in {"a task on queue '", name, "'"}.
inline void print_failure(const char* const (&what)[3], const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "toto: %s%s%s failed: %s\n", what[0], what[1], what[2], error.what());
  } catch (...) {
    std::fprintf(stderr, "toto: %s%s%s failed with an exception that is not a std::exception\n", what[0], what[1],
                 what[2]);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_UNSEEN_HPP
