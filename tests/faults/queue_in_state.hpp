// SPDX-License-Identifier: MIT
//
// A queue in one of the states on which adding depends, and a check that a failed call has left it unchanged.

#ifndef TOTO_TESTS_FAULTS_QUEUE_IN_STATE_HPP
#define TOTO_TESTS_FAULTS_QUEUE_IN_STATE_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <toto/tasks.hpp>

#include "support/eventually.hpp"
#include "support/gate.hpp"

namespace toto_tests {

/// What the tasks of a test share: how often they ran. The pointer's use count shows how many of them are alive.
struct Probe {
  std::atomic<int> runs{0};
};

enum class State {
  no_thread,         // nothing was ever added
  expired,           // the only thread has left
  idle,              // a thread rests
  busy,              // the only thread is busy
  busy_at_chunk_end  // the same, and the next task needs another chunk of closures
};

inline constexpr std::array kStates{State::no_thread, State::expired, State::idle, State::busy,
                                    State::busy_at_chunk_end};

inline const char* name_of(State state) {
  switch (state) {
    case State::no_thread:
      return "no thread was ever started";
    case State::expired:
      return "the only thread has left";
    case State::idle:
      return "a thread rests";
    case State::busy:
      return "the only thread is busy";
    case State::busy_at_chunk_end:
      return "the only thread is busy, and the last chunk is full";
  }
  return "";
}

class QueueInState {
  Gate begun_;  // first: the queue's task uses them
  Gate gate_;

 public:
  /// `options`: of the queue, apart from its threads and its name.
  explicit QueueInState(State state, const toto::QueueOptions& options = {}) : queue(with_one_thread(options, state)) {
    if (state == State::busy || state == State::busy_at_chunk_end) {
      queue.add_task([this] {
        begun_.open();
        gate_.wait();
      });
      begun_.wait();
      for (int filled = 1; state == State::busy_at_chunk_end && filled < 64; ++filled) {
        queue.add_task([] {});
      }
    } else if (state != State::no_thread) {
      queue.yield_task([] {}).get();
      settle(state == State::expired ? 0 : 1);
    }
    before_ = queue.stats();
    size_before_ = queue.size();
  }
  ~QueueInState() { open(); }
  QueueInState(const QueueInState&) = delete;
  QueueInState& operator=(const QueueInState&) = delete;

  /// Lets the busy thread continue.
  void open() { gate_.open(); }

  /// Whether a call that threw has changed anything: what is wrong, or "".
  std::string changed() const {
    toto::QueueStats now = queue.stats();
    now.times = before_.times;  // time goes on
    if (now != before_) {
      return "the counts have changed: submitted " + std::to_string(before_.submitted) + " -> " +
             std::to_string(now.submitted) + ", queued " + std::to_string(before_.queued) + " -> " +
             std::to_string(now.queued) + ", cancelled " + std::to_string(now.cancelled) + ", threads " +
             std::to_string(before_.threads) + " -> " + std::to_string(now.threads) + ", started " +
             std::to_string(before_.threads_started) + " -> " + std::to_string(now.threads_started);
    }
    if (queue.size() != size_before_) {
      return "size() has changed";
    }
    if (probe.use_count() != 1) {
      return "captures are still alive";
    }
    return probe->runs == 0 ? "" : "the task ran";
  }

  /// For sweep(): unchanged if it threw, or else the task ran once; and the queue still works.
  std::string check(bool threw) {
    std::string complaint = threw ? changed() : "";
    open();
    queue.wait_idle();
    if (!threw && probe->runs != 1) {
      complaint = "was accepted, and ran " + std::to_string(probe->runs) + " times";
    } else if (probe.use_count() != 1 && complaint.empty()) {
      complaint = "captures are still alive after the task";
    }
    if (queue.yield_task([] { return 7; }).get() != 7) {
      complaint = "the next task gave nonsense";
    }
    return complaint;
  }

  toto::TaskQueue queue;
  std::shared_ptr<Probe> probe = std::make_shared<Probe>();

 private:
  static toto::QueueOptions with_one_thread(toto::QueueOptions options, State state) noexcept {
    options.thread_count = 1;
    options.idle_timeout = state == State::expired ? toto::Duration() : toto::Duration::never();
    options.name = "faulty";
    return options;
  }
  /// Waits until as many threads live as there should be, and none is busy.
  void settle(std::size_t threads) const {
    eventually([&] {
      const toto::QueueStats now = queue.stats();
      return now.threads == threads && now.idle == threads && now.running == 0;
    });
  }

  toto::QueueStats before_;
  std::size_t size_before_ = 0;
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_FAULTS_QUEUE_IN_STATE_HPP
