// SPDX-License-Identifier: MIT
//
// What toto throws. Every type derives from toto::Error; wrong arguments are std::invalid_argument, and a thread that
// cannot be started is the std::system_error the system gave.

#ifndef TOTO_ERRORS_HPP
#define TOTO_ERRORS_HPP

#include <stdexcept>
#include <string>

#include "version.hpp"

namespace toto::inline v0_1 {

/// The base of everything the library itself throws.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A task was added to a queue that has closed. The text names the queue.
struct QueueClosed : Error {
  using Error::Error;
};

/// A bounded queue had no room for the task. The text names the queue and its bound.
struct QueueFull : Error {
  using Error::Error;
};

/// The task will never run, or its thread was unwound by force. One that was asked to stop and did gives its result.
struct TaskCancelled : Error {
  using Error::Error;
};

/// The wait ended, not the task.
struct TimedOut : Error {
  using Error::Error;
};

/// An instance of a pool that has closed is wanted.
struct PoolClosed : Error {
  using Error::Error;
};

/// An AwaitableInstance over a weak_ptr whose object has died.
struct InstanceGone : Error {
  using Error::Error;
};

/// A handle, Task, lease, admission or awaitable is empty: default-constructed, moved from, or used already.
struct NoState : Error {
  using Error::Error;
};

/// This blocking wait could never end. The text says who waits for whom.
struct DeadlockError : Error {
  using Error::Error;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_ERRORS_HPP
