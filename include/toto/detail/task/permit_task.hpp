// SPDX-License-Identifier: MIT
//
// PermitTask: a task that takes its permit before it joins its queue, and keeps the permit until its captures are gone.
// Until it gets a permit, it waits in line, and holds no thread. PermitSlot: its place in line. Read
// next: permits.hpp, ../pool/pool_use.hpp.

#ifndef TOTO_DETAIL_TASK_PERMIT_TASK_HPP
#define TOTO_DETAIL_TASK_PERMIT_TASK_HPP

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "../ground/text.hpp"
#include "coroutine_state.hpp"
#include "permits.hpp"
#include "submission.hpp"

namespace toto::inline v0_1::detail {

/// The base of the task's state.
template <class Runtime>
class PermitSlot : public LineWaiter<PermitRequest<Runtime>>, protected HoldingTask<Runtime> {
 public:
  using Permit = detail::Permit<Runtime>;

  PermitSlot(Ref<Permits<Runtime>> owner, const Claim<Runtime>& who) noexcept
      : LineWaiter<PermitRequest<Runtime>>({who}), owner_(std::move(owner)) {
    this->request.claim.task = this;
  }

  bool told_locked() noexcept final { return false; }

  /// The permit, which is used from now on.
  /// Throws: why it could not be made ready.
  Permit& use() {
    if (failure_) {
      std::rethrow_exception(std::exchange(failure_, nullptr));
    }
    used_ = true;
    return *this->request.permit;
  }
  /// When the task's captures are gone.
  void give_back() noexcept {
    if (Permit* const back = std::exchange(this->request.permit, nullptr)) {
      used_ ? owner_->take_back(*back, has_failed()) : owner_->give_back(*back);
    }
  }

 protected:
  ~PermitSlot() = default;

  /// Called before the task is run. Returns false if its permit could not be used; then the task waits for another
  /// permit, and may be gone.
  /// Throws: a forced unwind (pthread_exit), and nothing else; the task has no permit then.
  bool make_ready() {
    if (!owner_->ready(*this->request.permit)) {
      const Ref<Permits<Runtime>> owner = owner_;  // this may be gone before the mutex is free
      try {
        do {
          Permit* const taken = std::exchange(this->request.permit, nullptr);
          if (owner->make_ready(*taken)) {
            this->request.permit = taken;
            return true;
          }
        } while (owner->take_or_wait(*this, true));
        return false;
      } catch (...) {
        failure_ = std::current_exception();
        if (!failure_) {
          throw;
        }
      }
    }
    return true;
  }
  /// Whether the use of the permit has ended with an exception.
  virtual bool has_failed() const noexcept = 0;

  const Ref<Permits<Runtime>> owner_;

 private:
  std::exception_ptr failure_;
  bool used_ = false;
};

/// The task's state. While it waits in line it owns a reference to its queue's core, as it does when it is queued.
/// `Call` is made with the PermitSlot, and gives its permit back at the end; F is the user's part of it.
template <class Runtime, class Call, class F>
class PermitTask final : public PermitSlot<Runtime>, public SupervisedState<Runtime, StateFor<Runtime, Call>> {
 public:
  using Slot = PermitSlot<Runtime>;
  using Base = SupervisedState<Runtime, StateFor<Runtime, Call>>;
  using Queue = QueueCore<Runtime>;

  template <class... As>
  PermitTask(Queue& queue, Ref<Permits<Runtime>> owner, const Claim<Runtime>& who, As&&... call)
      : Slot(std::move(owner), who), Base(queue, static_cast<Slot&>(*this), std::forward<As>(call)...) {
    if (const MakeSupervisor<Runtime> make = queue.supervisor_maker()) [[unlikely]] {
      this->supervise(make, {});
    }
  }

  /// Takes a permit and joins the queue, or waits for one. `forgotten`: there is no handle. After this the state may be
  /// gone.
  /// Throws: why there will be no permit, what adding a task throws; the state was freed then.
  void begin(bool forgotten) {
    if (forgotten) {
      forgotten_ = true;
      this->let_go();
    }
    try {
      Ref<Queue> queue = Ref<Queue>::share(&this->core());
      if (this->owner_->take_or_wait(*this)) {
        detail::add_to_queue(*this);
      } else {
        queue.leak();  // to the state, which has got it by now
      }
    } catch (...) {
      destroy();  // gives the permit back
      throw;
    }
  }

  std::string_view what() const noexcept override { return detail::type_name<F>(); }

  void run_on(Worker<Runtime>& worker) override {
    bool ready = false;
    try {
      ready = this->make_ready();  // if false, this may be gone after this line
    } catch (...) {
      worker.count(Tally::kFailed);
      this->discard();
      throw;  // a forced unwind: the thread is ending
    }
    if (ready) {
      Base::run_on(worker);
    } else {  // as a task of its queue it is over, and will be added as another
      worker.count(Tally::kCompleted);
    }
  }

  bool proceed() noexcept override {
    Ref<Queue> queue = Ref<Queue>::adopt(&this->core());  // the one it has waited with
    Permit<Runtime>* const granted = this->request.permit;
    std::exception_ptr failure;
    try {
      if (granted == nullptr) {
        std::rethrow_exception(this->owner_->refusal());
      }
      if (SupervisorBase<Runtime>* const supervisor = this->supervisor()) {
        supervisor->announce();
      }
      // Whoever returns a permit neither waits for room nor runs this.
      queue->add_beyond_bound(*this);  // this may be gone after this line
      return true;
    } catch (...) {
      failure = std::current_exception();
    }
    queue.leak();
    if (granted != nullptr) {
      this->request.permit = nullptr;
      this->owner_->forget_task(*granted);
    }
    fail(std::move(failure));
    return false;
  }

  void destroy() noexcept override { delete this; }

 protected:
  ~PermitTask() = default;

 private:
  bool may_give_back(const WaitGraph<Runtime>& graph) override {
    return Base::may_end(graph) || detail::would_refuse(this->core(), *this);
  }
  bool may_end(const WaitGraph<Runtime>& graph) override {
    return (this->owner_->may_serve(*this, graph) && may_give_back(graph)) || this->ready();
  }
  std::string blocking_details() const override {
    const std::string held = this->owner_->holders_before(*this);
    return held.empty() ? std::string() : detail::join({", which waits for ", this->owner_->words(), held});
  }
  bool has_failed() const noexcept override { return this->result_.outcome() != Outcome::value; }
  bool withdraw() noexcept override {
    const bool waited = this->owner_->withdraw(*this);
    if (waited) {
      this->discard();
    }
    return waited;
  }

  /// The end of a task that does not join the queue, for the first time or again.
  void fail(std::exception_ptr&& failure) noexcept {
    if (forgotten_) {
      this->core().report(failure, this->info());
      this->result_.set_cancelled();
    } else {
      this->result_.set_exception(std::move(failure));
    }
    if (SupervisorBase<Runtime>* const supervisor = this->supervisor()) {
      supervisor->refused();
    }
    this->unbind();
    this->complete(nullptr);
  }

  bool forgotten_ = false;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_PERMIT_TASK_HPP
