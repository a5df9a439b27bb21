// SPDX-License-Identifier: MIT
//
// Crew: the threads of a queue: how many live, which are idle, who is on the way to work, and who has to be joined.
// What a thread does is in worker_loop.hpp, how it is started in worker_start.hpp.
//
// Invariants (docs/design.md justifies them; tests cite them as [inv.I3]):
//  I3  `searching` has one owner: the worker being woken, being started or taking its last look. Only the owner clears
//      it, under the mutex, before it looks.
//  I5  `live` never exceeds thread_count, and counts a worker from the decision to start it to its leaving.
//  I9  Every thread is joined: by the next one to leave, by the end of the queue; a queue that dies in its own task
//      lets that one thread go.

#ifndef TOTO_DETAIL_QUEUE_CREW_HPP
#define TOTO_DETAIL_QUEUE_CREW_HPP

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "worker.hpp"

namespace toto::inline v0_1::detail {

/// Thread safety: Requires the queue's mutex.
template <class Runtime>
class Crew {
 public:
  using Worker = detail::Worker<Runtime>;
  using Thread = typename Runtime::Thread;

  /// The worker to wake, chosen under the mutex: none, an idle one, or a new thread. `worker`: to wake, or an object
  /// for the new thread, if there is an unused one.
  struct Choice {
    Worker* worker = nullptr;
    bool start = false;
    explicit operator bool() const noexcept { return worker != nullptr || start; }
  };

  explicit Crew(std::size_t thread_count) noexcept : thread_count_(thread_count) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    while (Worker* const worker = all_) {
      all_ = worker->next_of_all;
      delete worker;
    }
  }

  std::size_t live() const noexcept { return live_; }
  /// Of these: their thread is known to exist.
  std::size_t secured() const noexcept { return secured_; }
  /// Of these: neither resting nor leaving.
  std::size_t busy() const noexcept { return busy_; }
  std::uint64_t threads_started() const noexcept { return threads_started_; }
  /// Every worker the queue has had; those whose thread has left are not `secured`.
  Worker* all() const noexcept { return all_; }

  // Choosing a worker to wake.

  /// A worker is on the way, or all are busy and no more may be started.
  bool wakes_nobody() const noexcept { return searching_ || (idle_ == nullptr && live_ == thread_count_); }
  bool has_idle() const noexcept { return idle_ != nullptr; }
  bool searching() const noexcept { return searching_; }
  void begin_search() noexcept { searching_ = true; }
  void end_search() noexcept { searching_ = false; }

  /// The most recently idle worker, so that the surplus expires, or a new one. Requires !wakes_nobody().
  Choice choose(bool by_worker) noexcept {
    searching_ = true;
    if (Worker* const worker = idle_) {
      remove_idle(*worker);
      worker->searcher = true;
      if constexpr (Runtime::spins) {
        worker->woken_by_worker.store(by_worker, std::memory_order_relaxed);
      }
      return {worker, false};
    }
    return count_start();
  }

  // A thread's life.

  Choice count_start() noexcept {
    ++live_;
    return {std::exchange(unused_, unused_ != nullptr ? unused_->next : nullptr), true};
  }
  /// The thread could not be started. `worker`: as in Choice.
  void undo_start(Worker* worker, bool searches) noexcept {
    if (worker != nullptr) {
      keep_unused(*worker);
    }
    --live_;
    searching_ = searching_ && !searches;
  }
  void add(Worker& worker) noexcept {
    worker.number = ++worker_objects_;
    worker.next_of_all = std::exchange(all_, &worker);
  }

  /// Its thread exists: reported by its starter or by itself, whichever comes first.
  bool secure(Worker& worker) noexcept {
    const bool first = !std::exchange(worker.secured, true);
    secured_ += first ? 1U : 0U;
    return first;
  }
  void store_thread(Worker& worker, Thread thread) noexcept {
    ++threads_started_;
    worker.thread = std::move(thread);
    if (worker.idle) {
      worker.parker.unpark();  // it may leave now, since it can be joined
    }
  }

  void begin_work() noexcept { ++busy_; }
  void end_work() noexcept { --busy_; }

  void push_idle(Worker& worker) noexcept {
    worker.idle = true;
    worker.next = std::exchange(idle_, &worker);
  }
  void remove_idle(Worker& worker) noexcept {
    Worker** link = &idle_;
    while (*link != &worker) {
      link = &(*link)->next;
    }
    *link = std::exchange(worker.next, nullptr);
    worker.idle = false;
  }
  void rouse_idle() noexcept {
    while (Worker* const worker = idle_) {
      remove_idle(*worker);
      worker->parker.unpark();
    }
  }

  /// The end of a worker's thread. Returns the thread that left before it, to be joined; then has_joined() follows.
  Thread leave(Worker& self, bool detached) noexcept {
    count_out(self);
    Thread predecessor;
    if (detached) {
      self.thread.detach();
    } else {
      predecessor = std::move(exited_);
      exited_ = std::move(self.thread);
      ++leaving_;
    }
    keep_unused(self);
    return predecessor;
  }
  void has_joined() noexcept { --leaving_; }
  /// A thread will never come back, although its worker has not left.
  void count_out(Worker& self) noexcept {
    --live_;
    --secured_;
    self.secured = false;
  }
  /// If the system is slow to end threads, new threads do not pile up behind them.
  bool may_begin() const noexcept { return leaving_ <= thread_count_; }

  /// The thread that left last, which whoever leaves next joins: at most one ended thread is unjoined.
  Thread& exited() noexcept { return exited_; }

  // Promises: adders that have seen, or wait for, the start of the first worker, and have not pushed. It may not leave.

  void promise() noexcept { ++promised_; }
  void keep_promise() noexcept {
    if (--promised_ == 0) {
      for (Worker* worker = idle_; worker != nullptr; worker = worker->next) {
        worker->parker.unpark();  // it sleeps without a limit: it looks at its deadline again
      }
    }
  }
  bool may_leave(const Worker& self) const noexcept { return promised_ == 0 && self.thread.joinable(); }

  /// In the child of a fork: no thread is left but `self`, if that is not null.
  void forget_others(Worker* self) noexcept {
    live_ = secured_ = busy_ = self != nullptr ? 1 : 0;
    promised_ = leaving_ = 0;
    searching_ = false;
    idle_ = unused_ = nullptr;
    all_ = self;
    if (self != nullptr) {
      self->next_of_all = nullptr;
    }
    if (exited_.joinable()) {
      static_cast<void>(new (std::nothrow) Thread(std::move(exited_)));  // of the parent: not to be joined
    }
  }

 private:
  void keep_unused(Worker& worker) noexcept { worker.next = std::exchange(unused_, &worker); }

  const std::size_t thread_count_;
  std::size_t live_ = 0;
  std::size_t secured_ = 0;
  std::size_t busy_ = 0;
  std::size_t promised_ = 0;
  std::size_t leaving_ = 0;  // threads that have left and are not known to have ended
  bool searching_ = false;
  Worker* idle_ = nullptr;    // a stack
  Worker* unused_ = nullptr;  // objects whose thread has left
  Worker* all_ = nullptr;
  std::size_t worker_objects_ = 0;
  std::uint64_t threads_started_ = 0;
  Thread exited_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_CREW_HPP
