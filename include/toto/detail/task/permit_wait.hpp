// SPDX-License-Identifier: MIT
//
// How a coroutine waits for a permit. PermitWait: its place in line, in a block that it shares with the line: the
// permit is granted under the mutex, the coroutine is resumed without the mutex, and may be destroyed in between.
// PermitAwaiter: what is awaited. Read next: join.hpp, ../pool/pool_use.hpp.

#ifndef TOTO_DETAIL_TASK_PERMIT_WAIT_HPP
#define TOTO_DETAIL_TASK_PERMIT_WAIT_HPP

#include <coroutine>
#include <exception>
#include <utility>

#include "../executor/timer_heap.hpp"
#include "join.hpp"
#include "permits.hpp"

namespace toto::inline v0_1::detail {

/// The coroutine owns one reference, until it leaves. Whoever is to resume it owns another: the line, while the
/// coroutine waits there, or the queue in which its permit is made ready. This object is also the task that does so, so
/// that granting a permit never allocates.
template <class Runtime>
class PermitWait final : public Join<Runtime>, public LineWaiter<PermitRequest<Runtime>>, private QueuedTask<Runtime> {
 public:
  using Owner = Permits<Runtime>;
  using Permit = detail::Permit<Runtime>;
  using Request = PermitRequest<Runtime>;

  /// The suspended coroutine will continue on the calling thread's executor.
  /// Throws: std::bad_alloc.
  PermitWait(Ref<Owner> owner, const Request& wanted, std::coroutine_handle<> coroutine)
      : LineWaiter<Request>(wanted),
        owner_(std::move(owner)),
        queue_(Ref<QueueCore<Runtime>>::share(&owner_->queue_named({}))) {
    this->arm(coroutine);
    static_cast<void>(this->started());
  }

  /// Returns true if the coroutine will be resumed at its home, or has been already. Returns false if it continues now,
  /// with the permit that it has `taken`, or had before.
  /// Throws: why it does not wait, or why there is no timer; then it still has what it has taken.
  bool begin(Permit*& taken) {
    const auto deadline = this->request.deadline;
    if (deadline != (Runtime::Clock::time_point::max)() && deadline > Runtime::Clock::now()) {
      timer_.wait = this;
      timer_.deadline = deadline;
      timer_.run = [](Continuation& node, Turn) noexcept {
        const Ref<PermitWait> self = Ref<PermitWait>::adopt(static_cast<Timer&>(node).wait);
        self->expire();
      };
      owner_->arm(timer_, *this);
    }
    this->retain();  // if the time is up by now, that is seen under the mutex
    try {
      if (taken == nullptr) {
        taken = owner_->take_or_wait(*this);
      }
      if (taken != nullptr && !owner_->ready(*taken)) {
        unready_ = taken;
        queue_->add_beyond_bound(*this);
        return true;
      }
    } catch (...) {
      this->release();
      throw;
    }
    if (taken != nullptr) {
      this->release();
    }
    return taken == nullptr;
  }

  bool told_locked() noexcept final {
    if (this->request.permit != nullptr && !owner_->ready(*this->request.permit)) {
      unready_ = std::exchange(this->request.permit, nullptr);  // out of the coroutine's reach
    }
    return false;
  }
  bool proceed() noexcept final {
    try {
      if (unready_ != nullptr) {
        const Ref<QueueCore<Runtime>> queue = queue_;
        queue->add_beyond_bound(*this);  // this may be gone after this line
        return true;
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
    return come_home(failure_ == nullptr);
  }
  bool survives_fork() const noexcept final { return true; }

  /// The coroutine continues.
  /// Throws: why it gets no permit.
  Permit& get() {
    Permit* const granted = owner_->use(*this);
    if (granted == nullptr) {
      std::rethrow_exception(failure_ ? std::exchange(failure_, nullptr) : owner_->refusal());
    }
    return *granted;
  }
  /// The coroutine has what it wanted, or is being destroyed. After this the block may be gone.
  void leave() noexcept {
    if (timer_.wait != nullptr) {
      owner_->disarm(timer_, *this);
    }
    if (owner_->leave(*this)) {
      this->release();
    }
    this->abandon();
  }

 protected:
  ~PermitWait() override {
    if (this->request.permit != nullptr) {  // made ready for a coroutine that was gone
      owner_->give_back(*this->request.permit);
    }
  }

 private:
  struct Timer : TimerNode<Runtime> {
    PermitWait* wait = nullptr;  // null: its time is not limited
  };

  void expire() noexcept {
    if (owner_->expire(*this, failure_)) {
      come_home();
    }
  }
  /// Sends the coroutine home, if it is still there. After this the block may be gone.
  bool come_home(bool result = true) noexcept {
    this->happened(nullptr, queue_.get());
    this->release();
    return result;
  }

  void run_on(Worker<Runtime>& worker) final {
    const Ref<Owner> owner = owner_;
    QueueCore<Runtime>& queue = worker.core;
    bool over = true;
    try {
      Permit* const ready = owner->get_ready(*this, std::exchange(unready_, nullptr));
      over = ready != nullptr;  // if not, it waits again, and may be gone before the mutex is free
      if (over) {
        owner->grant(*this, *ready);
      }
      worker.count(Tally::kCompleted);
    } catch (...) {
      failure_ = std::current_exception();
      worker.count(Tally::kFailed);
      if (!failure_) {  // a forced unwind (pthread_exit): the thread is ending
        come_home();
        queue.return_reference();
        throw;
      }
    }
    if (over) {
      come_home();
    }
    queue.return_reference();
  }

  void discard() noexcept final {
    const Ref<Owner> owner = owner_;
    const Ref<QueueCore<Runtime>> queue = queue_;
    Permit& unused = *std::exchange(unready_, nullptr);
    try {
      throw TaskCancelled(detail::join(
          {"toto: queue '", queue->name(), "' was to prepare ", owner->words(), ", but the task was cancelled"}));
    } catch (...) {  // that, or no memory for it
      failure_ = std::current_exception();
    }
    come_home();
    owner->give_back(unused);
    queue->return_reference();
  }
  bool ready() const noexcept final { return false; }

  const Ref<Owner> owner_;
  const Ref<QueueCore<Runtime>> queue_;
  std::exception_ptr failure_;
  Permit* unready_ = nullptr;
  Timer timer_;
};

template <class Runtime>
class PermitAwaiter {
 public:
  /// Before it is awaited.
  PermitAwaiter(PermitAwaiter&& other) noexcept
      : owner_(other.owner_), how_(other.how_), where_(other.where_), limit_(other.limit_) {}
  PermitAwaiter& operator=(PermitAwaiter&&) = delete;

  bool await_ready() {
    let_go();
    permit_ = owner_->try_take(claim());
    return permit_ != nullptr && owner_->ready(*permit_);
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    Request request{claim()};
    request.deadline = limit_.is_never() ? request.deadline : limit_.after(request.claim.since);
    wait_ = new PermitWait<Runtime>(owner_, request, coroutine);
    const Ref<PermitWait<Runtime>> kept = Ref<PermitWait<Runtime>>::share(wait_);
    Permit* taken = std::exchange(permit_, nullptr);
    try {
      if (kept->begin(taken)) {
        return true;  // *this may be gone
      }
    } catch (...) {
      permit_ = taken;
      throw;
    }
    permit_ = taken;
    return false;
  }

 protected:
  using Permit = detail::Permit<Runtime>;
  using Request = PermitRequest<Runtime>;

  /// `how`: as Claim says it; a literal.
  PermitAwaiter(Ref<Permits<Runtime>> owner, const char* how, CallSite where, Duration limit) noexcept
      : owner_(std::move(owner)), how_(how), where_(where), limit_(limit) {}
  ~PermitAwaiter() { let_go(); }

  Permits<Runtime>& owner() const noexcept { return *owner_; }
  /// Throws: why there is none.
  Permit& take() { return permit_ != nullptr ? *std::exchange(permit_, nullptr) : wait_->get(); }

 private:
  Claim<Runtime> claim() const noexcept { return Claim<Runtime>::here(how_, where_); }
  void let_go() noexcept {
    if (wait_ != nullptr) {
      std::exchange(wait_, nullptr)->leave();
    }
    if (permit_ != nullptr) {
      owner_->give_back(*std::exchange(permit_, nullptr));
    }
  }

  const Ref<Permits<Runtime>> owner_;
  const char* const how_;
  const CallSite where_;
  const Duration limit_;
  Permit* permit_ = nullptr;
  PermitWait<Runtime>* wait_ = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_PERMIT_WAIT_HPP
