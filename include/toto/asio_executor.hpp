// SPDX-License-Identifier: MIT
//
// AsioExecutor: a queue as an Asio executor, for post, co_spawn, bind_executor and everything else that takes one. Part
// of <toto/asio.hpp>.

#ifndef TOTO_ASIO_EXECUTOR_HPP
#define TOTO_ASIO_EXECUTOR_HPP

#include <utility>

#include "detail/asio/asio_waits.hpp"
#include "detail/ground/ref.hpp"
#include "detail/task/submission.hpp"
#include "task_queue.hpp"

namespace toto::inline v0_1 {
inline namespace TOTO_DETAIL_ASIO {

/// An Asio executor that runs everything as tasks of a queue, never in place:
/// `asio::co_spawn(toto::AsioExecutor(queue), session(), asio::detached)`. It converts to any_io_executor; its
/// execution context is Asio's system_context, in which timers and sockets made from it live.
///
/// The tasks are added even if the queue is full, so nothing blocks. Their exceptions go to the queue's on_error. Once
/// the queue is closed, executing throws QueueClosed, so close it only after the operations that would come back have
/// ended.
/// Lifetime: may outlive the queue.
/// Thread safety: Thread-safe, except with assignment and destruction.
template <class Runtime = StdRuntime>
class BasicAsioExecutor {
 public:
  BasicAsioExecutor(BasicTaskQueue<Runtime>& queue) noexcept  // NOLINT(google-explicit-constructor)
      : core_(detail::Ref<Core>::share(&detail::QueueAccess::core(queue))) {}

  // What Asio requires of an executor.

  /// Throws: QueueClosed, std::bad_alloc, std::system_error.
  template <class Function>
  void execute(Function&& function) const {
    core_->beyond_bound([&](bool reserved) {
      detail::submit_call<void>(*core_, {}, detail::Control<Runtime>(), reserved, std::forward<Function>(function));
    });
  }
  static detail::net::execution_context& query(detail::net::execution::context_t) noexcept {
    return detail::net::query(detail::net::system_executor(), detail::net::execution::context);
  }
  static constexpr detail::net::execution::blocking_t query(detail::net::execution::blocking_t) noexcept {
    return detail::net::execution::blocking.never;
  }
  // In brackets: <AssertMacros.h> has such a macro.
  BasicAsioExecutor(require)(detail::net::execution::blocking_t::never_t) const noexcept { return *this; }
  friend bool operator==(const BasicAsioExecutor& a, const BasicAsioExecutor& b) noexcept {
    return a.core_.get() == b.core_.get();
  }

 private:
  using Core = detail::QueueCore<Runtime>;

  detail::Ref<Core> core_;
};
using AsioExecutor = BasicAsioExecutor<StdRuntime>;

}  // namespace TOTO_DETAIL_ASIO
}  // namespace toto::inline v0_1

#endif  // TOTO_ASIO_EXECUTOR_HPP
