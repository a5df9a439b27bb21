// SPDX-License-Identifier: MIT
//
// What a queue reports about itself: its counts, and dump(), the same as text.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_REPORT_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_REPORT_HPP

#include <string>

#include "../../stats.hpp"
#include "../ground/lock.hpp"
#include "../ground/text.hpp"
#include "queue_core.hpp"
#include "wait_graph.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
QueueStats stats_locked(const QueueCore<Runtime>& core) TOTO_REQUIRES(core.mutex()) {
  QueueStats stats = core.ledger().stats(core.crew().all(), core.order().tasks());
  stats.continuations = core.order().continuations();
  stats.threads = core.crew().live();
  stats.threads_started = core.crew().threads_started();
  stats.times = core.task_list().times_locked();
  return stats;
}

template <class Runtime>
TOTO_COLD QueueStats stats_of(const QueueCore<Runtime>& core) {
  const Lock lock(core.mutex());
  return detail::stats_locked(core);
}

template <class Runtime>
TOTO_COLD std::string dump_of(const QueueCore<Runtime>& core) {
  const Lock lock(core.mutex());
  const QueueStats now = detail::stats_locked(core);
  std::string text =
      detail::join({"queue '", core.name(), "': ", Digits(now.threads), " of ", Digits(core.thread_count())});
  detail::append(text, {" thread(s), ", Digits(now.idle), " idle; ", Digits(now.submitted), " submitted = "});
  detail::append(text,
                 {Digits(now.completed), " completed + ", Digits(now.failed), " failed + ", Digits(now.cancelled)});
  detail::append(text, {" cancelled + ", Digits(now.queued), " queued + ", Digits(now.running), " running + "});
  detail::append(text, {Digits(now.suspended), " suspended; ", Digits(now.continuations), " continuation(s)\n"});
  const auto time = Runtime::Clock::now();
  if (core.ledger().closed()) {
    text += "  closed\n";
  }
  if (core.bounded()) {
    const Room& room = core.room();
    detail::append(text, {"  room for ", Digits(room.limit()), " queued task(s), of which ", Digits(room.reserved())});
    detail::append(text, {" reserved and not used yet; ", Digits(room.line().size()), " wait(s) in line for room\n"});
  }
  for (const Worker<Runtime>* worker = core.crew().all(); worker != nullptr; worker = worker->next_of_all) {
    if (!worker->secured) {
      continue;  // its thread is starting, or has left
    }
    detail::append(text, {"  worker ", Digits(worker->number)});
    if (worker->idle) {
      detail::append(text, {" idle for ", detail::seconds_text(time - worker->idle_since)});
    } else if (worker->blocked_on != nullptr) {
      detail::append(text, {" waits for ", worker->blocked_on->awaited().words()});
    } else {
      text += " busy";
    }
    text += '\n';
  }
  core.task_list().describe_locked(text);
  return text;
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_REPORT_HPP
