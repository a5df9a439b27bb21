// SPDX-License-Identifier: MIT
//
// What toto throws. Every type here derives from toto::Error. Wrong arguments are reported as std::invalid_argument,
// and a thread that cannot be started as the system's std::system_error.

#ifndef TOTO_ERRORS_HPP
#define TOTO_ERRORS_HPP

#include <stdexcept>
#include <string>

#include "version.hpp"

namespace toto::inline v0_1 {

/// The base of everything the library itself throws.
/// Thread safety: One thread at a time.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A task was added to a closed queue, or a coroutine asked for room in one; or a coroutine moved to an ended queue
/// with schedule(). The message names the queue.
struct QueueClosed : Error {
  using Error::Error;
};

/// A bounded queue had no room for the task. The message names the queue and its bound.
struct QueueFull : Error {
  using Error::Error;
};

/// The task will never run, or its thread was forcibly unwound. A task that was asked to stop while running still has a
/// result.
struct TaskCancelled : Error {
  using Error::Error;
};

/// The time limit of a wait has passed. The task itself may continue.
struct TimedOut : Error {
  using Error::Error;
};

/// An instance of a closed pool was requested.
struct PoolClosed : Error {
  using Error::Error;
};

/// The object of an AwaitableInstance over a weak_ptr has been destroyed.
struct InstanceGone : Error {
  using Error::Error;
};

/// A handle, Task, lease, admission or awaitable is empty: default-constructed, moved from, or used already.
struct NoState : Error {
  using Error::Error;
};

/// This blocking wait could never end. The message says which thread waits for what.
struct DeadlockError : Error {
  using Error::Error;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_ERRORS_HPP
