// SPDX-License-Identifier: MIT
//
// What `co_await pool.lease()` awaits: a permit, which may have to be made ready. Read next: ../task/permit_wait.hpp,
// ../../lease.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_LEASE_HPP
#define TOTO_DETAIL_POOL_POOL_LEASE_HPP

#include <coroutine>
#include <exception>
#include <utility>

#include "../../lease.hpp"
#include "../ground/text.hpp"
#include "../task/permit_wait.hpp"
#include "pool_core.hpp"

namespace toto::inline v0_1::detail {

/// A coroutine's place in the pool's line; and the task that makes or validates its instance, in the pool's default
/// queue, so that handing over a vacant place allocates no more than handing over an instance.
template <class Runtime>
class LeaseWait : public PermitWait<Runtime>, private QueuedTask<Runtime> {
 public:
  using Base = PermitWait<Runtime>;
  using Permit = detail::Permit<Runtime>;
  using Base::Base;

  bool told_locked() noexcept final {
    if (this->request.permit != nullptr && !this->owner_->ready(*this->request.permit)) {
      unready_ = std::exchange(this->request.permit, nullptr);  // out of the coroutine's reach
    }
    return false;
  }
  bool proceed() noexcept final {
    if (unready_ == nullptr) {
      return Base::proceed();
    }
    try {
      return make_ready(*unready_);  // this may be gone after this line
    } catch (...) {
      this->failure_ = std::current_exception();
    }
    this->come_home();
    return false;
  }

 protected:
  ~LeaseWait() override {
    if (this->request.permit != nullptr) {  // made for a coroutine that was gone
      this->owner_->give_back(*this->request.permit);
    }
  }

 private:
  bool make_ready(Permit& taken) final {
    unready_ = &taken;
    this->queue_->add_beyond_bound(*this);
    return true;
  }

  void run_on(Worker<Runtime>& worker) final {
    QueueCore<Runtime>& queue = worker.core;
    worker.count(Tally::kBegun);
    bool over = true;
    try {
      auto& pool = static_cast<PoolCore<Runtime>&>(*this->owner_);
      Permit* const ready = pool.make_ready_for(*this, std::exchange(unready_, nullptr));
      over = ready != nullptr;  // if not, it waits again, and may be gone
      if (over) {
        pool.grant(*this, *ready);
      }
      worker.count(Tally::kCompleted);
    } catch (...) {
      this->failure_ = std::current_exception();
      worker.count(Tally::kFailed);
      if (!this->failure_) {  // a forced unwind (pthread_exit): the thread is ending
        end(queue);
        throw;
      }
    }
    if (over) {
      this->come_home();
    }
    queue.return_reference();
  }

  void discard() noexcept final {
    const Ref<Permits<Runtime>> owner = this->owner_;
    Permit& unused = *std::exchange(unready_, nullptr);
    try {
      throw TaskCancelled(
          join({"toto: the queue '", this->queue_->name(), "' has discarded the making of an instance"}));
    } catch (...) {  // that, or no memory for it
      this->failure_ = std::current_exception();
    }
    end(*this->queue_);
    owner->give_back(unused);
  }
  void end(QueueCore<Runtime>& queue) noexcept {
    this->come_home();
    queue.return_reference();
  }

  bool ready() const noexcept final { return false; }

  Permit* unready_ = nullptr;
};

template <class T, class Runtime, class Wait>
class [[nodiscard("co_await it: it takes no instance before")]] LeaseAwaiter : public PermitAwaiter<Runtime, Wait> {
 public:
  LeaseAwaiter(Ref<PoolCore<Runtime>> pool, CallSite where, Duration limit = Duration::never()) noexcept
      : PermitAwaiter<Runtime, Wait>(Ref<Permits<Runtime>>::share(pool.get()), "lease awaited", where, limit),
        pool_(std::move(pool)) {}

  Lease<T, Runtime> await_resume() {
    return Lease<T, Runtime>(LeaseKey(), pool_, static_cast<PooledInstance<Runtime>&>(this->take()), false);
  }

 private:
  const Ref<PoolCore<Runtime>> pool_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_LEASE_HPP
