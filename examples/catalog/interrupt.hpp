// SPDX-License-Identifier: MIT
//
// Ctrl-C ends a run cleanly: code that produces work checks `interrupted()` and stops producing, and what has
// been hashed by then is kept. A second Ctrl-C kills, as usual.

#ifndef CATALOG_INTERRUPT_HPP
#define CATALOG_INTERRUPT_HPP

namespace catalog {

/// From now on SIGINT and SIGTERM only set the flag, once.
void catch_interrupts();

/// Whether a signal has arrived, or `interrupt` was called. Thread-safe.
bool interrupted() noexcept;

/// Ends the run in the same way from inside, when one part of it has failed. Thread-safe.
void interrupt() noexcept;

}  // namespace catalog

#endif  // CATALOG_INTERRUPT_HPP
