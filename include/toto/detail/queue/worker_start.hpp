// SPDX-License-Identifier: MIT
//
// Starts a worker's thread, and handles the case that the system cannot start one. For files that make queues.

#ifndef TOTO_DETAIL_QUEUE_WORKER_START_HPP
#define TOTO_DETAIL_QUEUE_WORKER_START_HPP

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "../../errors.hpp"
#include "../executor/timer.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../ground/text.hpp"
#include "queue_core.hpp"
#include "worker_loop.hpp"

namespace toto::inline v0_1::detail {

/// What the system shows as the thread's name: the queue's, shortened where needed so that the number stays.
TOTO_COLD inline std::string thread_name(std::string_view queue, std::size_t number) {
  constexpr std::size_t kShown = 15;  // Linux shows no more
  const Digits digits(number);
  const std::size_t size = std::string_view(digits).size();
  return detail::join({queue.substr(0, kShown > size ? kShown - size - 1 : 0), "-", digits});
}

/// Starts the thread of a worker that was counted. Returns null, or the failure after taking everything back. `worker`
/// may be null: then it is made. Not under the mutex.
template <class Runtime>
TOTO_COLD std::exception_ptr start_worker(QueueCore<Runtime>& core, Worker<Runtime>* worker, bool searches) noexcept {
  std::exception_ptr failure;
  try {
    if (worker == nullptr) {
      auto* const made = new Worker<Runtime>(core);
      const Lock lock(core.mutex());
      core.crew().add(*made);
      worker = made;
    }
    typename Runtime::Thread thread(
        detail::thread_name(core.name(), worker->number),
        [kept = Ref<QueueCore<Runtime>>::share(&core), worker, searches] {
          WorkerLoop<Runtime>(*kept, *worker).run(searches);
        },
        core.options().block_signals);
    const Lock lock(core.mutex());
    core.crew().store_thread(*worker, std::move(thread));
    core.crew().secure(*worker);
    core.changed().notify_all();
    return nullptr;
  } catch (...) {
    failure = std::current_exception();
  }
  core.mutex().lock();
  core.crew().undo_start(worker, searches);
  // Tasks that were added meanwhile relied on this worker: an idle one takes its place.
  const auto instead = core.crew().has_idle() ? core.choose_locked() : typename QueueCore<Runtime>::Choice{};
  core.announce_quiet_locked();
  core.changed().notify_all();
  core.mutex().unlock();
  core.deliver(instead);
  return failure;
}

inline constexpr std::chrono::milliseconds kStartAgain{10};

/// If accepted work waits, no thread is alive, and the system could not start one: the timer thread tries again every
/// ten milliseconds, until there is a thread, or nothing waits any more. If there is no timer thread either, whoever
/// comes to the queue next tries again.
template <class Runtime>
void start_again(QueueCore<Runtime>& core) noexcept {
  struct Again : TimerNode<Runtime> {
    Ref<QueueCore<Runtime>> core;
  };
  if (!core.stranded()) {
    return;
  }
  try {
    auto again = std::make_unique<Again>();
    again->core = Ref<QueueCore<Runtime>>::share(&core);
    again->deadline = Runtime::Clock::now() + kStartAgain;
    again->run = [](Continuation& node, Turn turn) noexcept {
      const std::unique_ptr<Again> self(&static_cast<Again&>(node));
      if (turn == Turn::on_executor && self->core->stranded()) {
        self->core->wake();  // begins again if that fails, too
      }
    };
    TimerService<Runtime>::instance().add(*again, nullptr);
    static_cast<void>(again.release());  // the timer's
  } catch (...) {
  }
}

/// Starts one worker now, if fewer than thread_count live.
/// Throws: QueueClosed, std::system_error, std::bad_alloc.
template <class Runtime>
TOTO_COLD void start_one_worker(QueueCore<Runtime>& core) {
  core.mutex().lock();
  if (core.ledger().closed()) {
    core.mutex().unlock();
    throw QueueClosed(detail::join({"toto: queue '", core.name(), "' is closed and starts no more threads"}));
  }
  if (core.crew().live() == core.thread_count()) {
    core.mutex().unlock();
    return;
  }
  const auto choice = core.crew().count_start();
  core.mutex().unlock();
  if (const std::exception_ptr failure = detail::start_worker(core, choice.worker, false)) {
    std::rethrow_exception(failure);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_WORKER_START_HPP
