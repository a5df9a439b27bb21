// SPDX-License-Identifier: MIT
//
// Permits: hands out permits, each to one holder at a time, to the threads, coroutines and tasks in line, first come,
// first served; and records who holds them. What a permit is, how it is made and what the errors say is left to the
// class that derives from this one: an InstancePool's PoolCore. Read next: ../line/permit_line.hpp, permit_wait.hpp,
// permit_task.hpp, ../pool/pool_core.hpp.
//
// Invariants (docs/design.md justifies them; tests cite them as [inv.P1]):
//  P1  A permit is in exactly one of free_ and held_, or is being deleted. Only its holder uses it, and returns it
//      once.
//  P2  While there are waiters, nothing is free and no permit can be added: first come, first served. Only a waiter
//      that was granted one that is no good, and finds no other, waits ahead of everyone else.
//  P3  A waiter that leaves line_ gets exactly one permit, or is refused, or has left by itself, without either. Which
//      of these is decided under the mutex.

#ifndef TOTO_DETAIL_TASK_PERMITS_HPP
#define TOTO_DETAIL_TASK_PERMITS_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "../../errors.hpp"
#include "../../task_handle.hpp"
#include "../ground/fork.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../line/permit_line.hpp"
#include "../queue/wait_graph.hpp"
#include "claim.hpp"

namespace toto::inline v0_1::detail {

/// Who waits for a permit, until when, and the permit granted; null: refused.
template <class Runtime>
struct PermitRequest {
  Claim<Runtime> claim;
  typename Runtime::Clock::time_point deadline = (Runtime::Clock::time_point::max)();
  detail::Permit<Runtime>* permit = nullptr;
};

template <class Runtime>
class Permits;

/// A permit in hand, which is given back unless it is released.
template <class Runtime>
struct GiveBack {
  void operator()(Permit<Runtime>* held) const noexcept { owner->give_back(*held); }
  Ref<Permits<Runtime>> owner;
};
template <class Runtime>
using HeldPermit = std::unique_ptr<Permit<Runtime>, GiveBack<Runtime>>;
template <class Runtime>
HeldPermit<Runtime> in_hand(Permits<Runtime>& owner, Permit<Runtime>* permit) noexcept {
  return HeldPermit<Runtime>(permit, {Ref<Permits<Runtime>>::share(&owner)});
}

/// What a task calls that makes a permit ready for a coroutine. The result: null if it cannot be used.
template <class Runtime>
struct PermitToPrepare {
  HeldPermit<Runtime> operator()() {
    Permit<Runtime>* const permit = held.release();  // make_ready() gives it back if it cannot be used
    held.reset(held.get_deleter().owner->make_ready(*permit) ? permit : nullptr);
    return std::move(held);
  }
  HeldPermit<Runtime> held;
};

/// Thread-safe. The mutex also guards the requests.
template <class Runtime>
class Permits : public RefCounted<Runtime>, private ForkAware<Runtime> {
 public:
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;
  using Claim = detail::Claim<Runtime>;
  using Permit = detail::Permit<Runtime>;
  using Held = HeldPermit<Runtime>;
  using Request = PermitRequest<Runtime>;
  using Line = PermitLine<Request>;
  using Waiter = LineWaiter<Request>;

  // Taking. What is returned may not be ready(). Each throws why no permit can be had at all, and std::bad_alloc.

  /// Returns a permit, or null if none is free now.
  Permit* try_take(const Claim& claim) {
    const Lock lock(mutex_);
    return take_locked(claim);
  }
  /// Waits, as a thread, for a permit that is ready. Returns null if there was none before the request's deadline.
  /// Throws: DeadlockError, std::bad_alloc; what make_ready() throws.
  Permit* take(const Request& request) {
    Permit* taken = take_unready(request, false);
    while (taken != nullptr && !make_ready(*taken)) {
      taken = take_unready(request, true);
    }
    return taken;
  }
  /// Returns true if there is a permit in the waiter's request. False: the waiter is in line now, and may have left it
  /// already. `again`: see PermitLine::join().
  /// Throws: TimedOut: it is too late to wait. Then it does not stand in line.
  bool take_or_wait(Waiter& waiter, bool again = false) {
    const Lock lock(mutex_);
    const bool taken = (waiter.request.permit = take_locked(waiter.request.claim)) != nullptr;
    if (!taken) {
      if (waiter.request.deadline != (TimePoint::max)() && waiter.request.deadline <= Clock::now()) {
        throw late_error_locked(waiter.request);
      }
      line_.join(waiter, again);
    }
    return taken;
  }

  // As a waiter that has stood in line.

  /// The waiter leaves the line. Returns false if it is no longer there.
  bool withdraw(Waiter& waiter) noexcept {
    const Lock lock(mutex_);
    return line_.withdraw(waiter);
  }
  /// The waiter gives up: leaves the line, or returns the permit that it was granted and has not begun to use.
  void leave(Waiter& waiter) noexcept {
    Permit* unused = nullptr;
    {
      const Lock lock(mutex_);
      line_.withdraw(waiter);
      unused = std::exchange(waiter.request.permit, nullptr);
    }
    if (unused != nullptr) {
      give_back(*unused);
    }
  }
  /// The waiter's time is up. Returns true if it has left the line for that reason.
  bool expire(Waiter& waiter, std::exception_ptr& why) noexcept {
    const Lock lock(mutex_);
    if (!line_.withdraw(waiter)) {
      return false;
    }
    try {
      why = std::make_exception_ptr(late_error_locked(waiter.request));
    } catch (...) {  // no memory for the text
      why = std::current_exception();
    }
    return true;
  }

  // With a permit in hand, without the mutex.

  /// Returns a permit: to whoever has waited longest, or to the end of the free ones.
  virtual void give_back(Permit& permit) noexcept {
    hand_on(permit, [&]() TOTO_REQUIRES(mutex_) { free_.push_back(permit); });
  }
  /// The same after it was used. `failed`: the use has ended by an exception.
  virtual void take_back(Permit& permit, [[maybe_unused]] bool failed) noexcept { give_back(permit); }
  /// Whether it can be used as it is.
  virtual bool ready(Permit&) const noexcept { return true; }
  /// Makes the permit ready, if it is not. Returns false if it cannot be used; then the caller no longer holds it.
  /// Throws: why that is impossible; then, too, the caller no longer holds it.
  virtual bool make_ready(Permit&) { return true; }

  // What is compiled where permits are made, and not where they are used: it needs a queue.

  /// Returns the queue of that name; without a name, the one where a coroutine continues that has no home, or whose
  /// home has ended. Makes the queue if there is none.
  /// Throws: std::bad_alloc.
  virtual QueueCore<Runtime>& queue_named(std::string_view name) = 0;
  /// Makes the permit ready in that queue, for a coroutine. The handle's result: null if it cannot be used.
  /// Throws: what adding a task throws. The task throws what make_ready() throws.
  virtual TaskHandle<Held, Runtime> prepare(Held) { return {}; }

  // The rest.

  /// Why nobody gets a permit any more.
  /// Throws: std::bad_alloc.
  std::exception_ptr refusal() const {
    const Lock lock(mutex_);
    return refusal_locked();
  }
  /// The task that holds the permit is about to end, and leaves returning it to someone else.
  void forget_task(Permit& held) noexcept {
    const Lock lock(mutex_);
    held.holder.task = nullptr;
  }
  /// "an instance of a pool"
  const char* words() const noexcept { return one_; }
  /// Whether a waiter may get a permit; also true if it no longer waits. See Awaited.
  bool may_serve(const Waiter& waiter, const WaitGraph<Runtime>& graph) const;
  /// Who holds the permits: ", held: lease taken at ..."; empty if this waiter does not wait.
  std::string holders_before(const Waiter& waiter) const {
    const Lock lock(mutex_);
    return waiter.waiting ? holders_locked(", held: ") : std::string();
  }

 protected:
  /// What a permit is called where there is none, and where somebody waits for one; literals. `newest_first`: which of
  /// those that are free is handed out.
  Permits(const char* none, const char* one, bool newest_first)
      : ForkAware<Runtime>(ForkRank::pools), none_(none), one_(one), newest_first_(newest_first) {
    ThreadNumbers<Runtime>::instance();
  }
  ~Permits() override = default;
  using ForkAware<Runtime>::ignore_forks;
  using ForkAware<Runtime>::watch_forks;

  /// A permit that was not there before, or null.
  /// Throws: std::bad_alloc.
  virtual Permit* add_locked() TOTO_REQUIRES(mutex_) { return nullptr; }
  virtual std::exception_ptr refusal_locked() const TOTO_REQUIRES(mutex_) = 0;
  virtual void forget_lost_locked() noexcept TOTO_REQUIRES(mutex_) {}

  /// Returns null if no permit can be had without waiting.
  Permit* take_locked(const Claim& claim) TOTO_REQUIRES(mutex_) {
    if (closed_) {
      std::rethrow_exception(refusal_locked());
    }
    Permit* const found = free_.empty() ? add_locked() : newest_first_ ? &free_.pop_back() : &free_.pop_front();
    if (found != nullptr) {
      hold_locked(*found, claim);
      ++handed_out_;
    }
    return found;
  }
  void hold_locked(Permit& permit, const Claim& claim) noexcept TOTO_REQUIRES(mutex_) {
    permit.holder = claim;
    held_.push_back(permit);
  }
  void let_go_locked(Permit& permit) noexcept TOTO_REQUIRES(mutex_) {
    permit.unbind();
    held_.remove(permit);
  }
  /// Passes the permit to whoever has waited longest; if no one waits, or this has closed, puts the permit away, under
  /// the mutex.
  template <class PutAway>
  void hand_on(Permit& permit, PutAway put_away_locked) noexcept {
    for (bool again = true; again;) {  // no recursion, however many waiters cannot use it
      Waiter* next = nullptr;
      {
        const Lock lock(mutex_);
        let_go_locked(permit);
        if (closed_ || line_.empty()) {
          put_away_locked();
        } else {
          Request& request = line_.first().request;
          request.permit = &permit;
          request.claim.since = Clock::now();
          hold_locked(permit, request.claim);
          ++handed_out_;
          next = line_.grant();
        }
      }
      again = next != nullptr && !next->proceed();
    }
  }

  /// ", held: lease taken at ...", for each of the first.
  std::string holders_locked(std::string_view before) const TOTO_REQUIRES(mutex_) {
    return detail::claims_text<Runtime, Permit>(held_, before,
                                                [](Permit& permit) -> const Claim& { return permit.holder; });
  }
  std::string waiters_locked(std::string_view before) const TOTO_REQUIRES(mutex_) {
    return detail::claims_text<Runtime, Waiter>(line_.waiting(), before,
                                                [](Waiter& waiter) -> const Claim& { return waiter.request.claim; });
  }

  mutable typename Runtime::Mutex mutex_;
  LinkedList<Permit> free_ TOTO_GUARDED_BY(mutex_);  // the longest free first
  LinkedList<Permit> held_ TOTO_GUARDED_BY(mutex_);  // the longest held first
  Line line_ TOTO_GUARDED_BY(mutex_);
  bool closed_ TOTO_GUARDED_BY(mutex_) = false;
  std::uint64_t handed_out_ TOTO_GUARDED_BY(mutex_) = 0;

 private:
  /// What a thread waits for.
  struct AwaitedPermit final : Awaited<Runtime> {
    AwaitedPermit(const Permits& of, const Waiter& by) noexcept : permits(of), waiter(by) {}
    bool may_come(const WaitGraph<Runtime>& graph) const override { return permits.may_serve(waiter, graph); }
    std::string words() const override { return permits.one_; }
    std::string details() const override { return permits.holders_before(waiter); }
    const Permits& permits;
    const Waiter& waiter;
  };

  /// `again`: ahead of everyone else.
  Permit* take_unready(const Request& request, bool again) {
    LineThread<Runtime, Request> self(request);
    const AwaitedPermit awaited(*this, self);
    BlockedThread<Runtime> blocked;
    Lock lock(mutex_);
    Permit* taken = take_locked(request.claim);
    if (taken != nullptr || request.deadline <= request.claim.since) {
      return taken;
    }
    if (ThreadContext<Runtime>::current().worker != nullptr) {
      // The holder may be a coroutine task that has ended on this very thread, which would come to it later.
      lock.unlock();
      QueueCore<Runtime>::run_local_here();
      lock.lock();
      taken = take_locked(request.claim);
    }
    const auto look = [&] {
      if (request.deadline == (TimePoint::max)()) {
        blocked.enter(awaited);
      }
    };
    if (taken == nullptr && self.wait(mutex_, line_, request.deadline, look, again)) {
      taken = self.request.permit;
      if (taken == nullptr) {
        std::rethrow_exception(refusal_locked());
      }
    }
    return taken;
  }

  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_) {
    if (in_child) {  // what other threads held is left alone: its state is unknown
      line_.forget_lost();
      forget_lost_locked();
    }
    mutex_.unlock();
  }
  TimedOut late_error_locked(const Request& request) const TOTO_REQUIRES(mutex_) {
    const std::string within = detail::within_text(request.deadline - request.claim.since);
    return TimedOut(detail::join({"toto: ", none_, " was free ", within, holders_locked("; held: ")}));
  }

  const char* const none_;
  const char* const one_;
  const bool newest_first_;
};

/// Counts the permits that may come back. Each task ahead in the line that could not run takes one for good.
template <class Runtime>
bool Permits<Runtime>::may_serve(const Waiter& waiter, const WaitGraph<Runtime>& graph) const {
  const Lock lock(mutex_);
  const auto keeps = [&graph](const Claim& claim) {
    return claim.task != nullptr && !claim.task->may_give_back(graph);
  };
  std::size_t coming = 0;
  for (const Permit* held = held_.front(); held != nullptr; held = held->next) {
    const std::uint64_t thread = held->bound_to();
    const bool stays = thread != 0 ? graph.is_stuck(graph.find_thread(thread)) : keeps(held->holder);
    coming += stays ? 0U : 1U;
  }
  for (const Waiter* ahead = line_.waiting().front(); waiter.waiting && ahead != &waiter; ahead = ahead->next) {
    coming -= coming > 0 && keeps(ahead->request.claim) ? 1U : 0U;
  }
  return coming > 0 || !waiter.waiting;
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_PERMITS_HPP
