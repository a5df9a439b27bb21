// SPDX-License-Identifier: MIT
//
// QtExecutor: coroutines on Qt's event loop. Opt-in: tasks.hpp does not include it. Needs QtCore of Qt 6, or of Qt 5.10
// or newer. docs/how-to/toolkits.md has an example, and says what happens when the window, the loop or the queue ends.

#ifndef TOTO_QT_HPP
#define TOTO_QT_HPP

#include <QtCore/QMetaObject>
#include <QtCore/QObject>
#include <utility>

#include "executor.hpp"

namespace toto::inline v0_1 {

/// An executor: posted functions run in the event loop of the thread that made this object, in the order posted.
///
/// Qt drops the events of a destroyed object. So events are sent to an object of this executor, not to a window. A
/// coroutine that refers to a window belongs in a TaskScope that is a member of that window.
/// Lifetime: must be destroyed on the thread that made it, and must outlive the queues and loops whose tasks are
/// awaited on it. Posted functions that have not run by then are dropped.
/// Thread safety: Thread-safe, except with destruction.
class QtExecutor {
 public:
  QtExecutor() = default;
  QtExecutor(const QtExecutor&) = delete;
  QtExecutor& operator=(const QtExecutor&) = delete;

  /// Runs `function()` once, later. If memory runs out, the process ends.
  template <class Function>
  void post(Function function) noexcept {
    QMetaObject::invokeMethod(&receiver_, std::move(function), Qt::QueuedConnection);
  }

 private:
  QObject receiver_;
};

static_assert(UserExecutor<QtExecutor>);

}  // namespace toto::inline v0_1

#endif  // TOTO_QT_HPP
