// SPDX-License-Identifier: MIT
//
// What `co_await pool.lease()` awaits. LeaseWait: a coroutine's place in the pool's line, in a block of its own that it
// shares with whoever hands it an instance: that happens under the pool's mutex, but the coroutine is sent home without
// it, and may be destroyed in between. Read next: timed_lease.hpp, ../lease.hpp.

#ifndef TOTO_DETAIL_POOL_LEASE_AWAITER_HPP
#define TOTO_DETAIL_POOL_LEASE_AWAITER_HPP

#include <coroutine>
#include <exception>
#include <utility>

#include "../../duration.hpp"
#include "../../errors.hpp"
#include "../../lease.hpp"
#include "../ground/text.hpp"
#include "../task/result_state.hpp"
#include "../task/task_state.hpp"
#include "pool_core.hpp"

namespace toto::inline v0_1::detail {

/// Its stage, which the pool's mutex guards:
///   waiting    it stands in line, or nothing has happened yet: the coroutine owns the block.
///   making     it has a place, where a task in the pool's default queue makes the instance, or validates it.
///   posted     it has an instance, or will not get one: the continuation is on its way and shares the block.
///   resumed    the coroutine goes on, and owns the block again.
///   abandoned  the coroutine was destroyed: the task or the continuation frees the block.
/// waiting -> making | posted; making -> waiting (it was no good) | posted | abandoned; posted -> resumed | abandoned.
///
/// It is that task itself: handing over a vacant place allocates no more than handing over an instance.
template <class Runtime>
class LeaseWait final : public PoolWaiter<Runtime>, private QueuedTask<Runtime> {
 public:
  using Core = PoolCore<Runtime>;
  using Instance = PooledInstance<Runtime>;

  /// `limit` is how long the coroutine waits at the most; that it is over, expire() tells.
  LeaseWait(Ref<Core> pool, const Claim<Runtime>& who, Duration limit, std::coroutine_handle<> coroutine,
            Home<Runtime> home) noexcept
      : PoolWaiter<Runtime>(who),
        pool_(std::move(pool)),
        limit_(limit),
        coroutine_(coroutine),
        home_(std::move(home)) {}

  bool tell_locked() noexcept override {
    makes_ = this->instance != nullptr && pool_->needs_preparing(*this->instance);
    stage_ = makes_ ? Stage::making : Stage::posted;
    return false;
  }

  Instance* proceed() noexcept override {
    if (!makes_) {
      post();
      return nullptr;
    }
    try {
      pool_->default_queue().add_beyond_bound(*this);  // the block may be gone after this line
      return nullptr;
    } catch (...) {
      failure_ = std::current_exception();
    }
    return end_making(false);
  }

  void refuse() noexcept override { post(); }
  bool survives_fork() const noexcept override { return true; }
  void check_time_locked() override TOTO_REQUIRES(pool_ -> mutex()) {
    if (late_) {
      throw pool_->late_error_locked(limit_);
    }
  }

  /// The time is up: leaves the line, if it stands there, and does not come again. leave() has not been called, and is
  /// not before this has returned.
  void expire() noexcept {
    {
      const Lock lock(pool_->mutex());
      late_ = true;
      if (!pool_->withdraw_locked(*this)) {
        return;
      }
      stage_ = Stage::posted;
      try {
        failure_ = std::make_exception_ptr(pool_->late_error_locked(limit_));
      } catch (...) {  // no memory for the text
        failure_ = std::current_exception();
      }
    }
    post();
  }

  /// The coroutine, which is suspended, has got a place by itself. After this the caller may be gone.
  /// Throws: what adding a task throws; then nothing has changed.
  void make_in(Instance& taken) {
    this->instance = &taken;
    makes_ = true;
    stage_ = Stage::making;
    try {
      pool_->default_queue().add_beyond_bound(*this);
    } catch (...) {
      this->instance = nullptr;
      makes_ = false;
      stage_ = Stage::waiting;
      throw;
    }
  }

  /// The coroutine has been resumed.
  /// Throws: PoolClosed; why the instance could not be made.
  Instance& take() {
    if (this->instance == nullptr) {
      if (failure_) {
        std::rethrow_exception(std::exchange(failure_, nullptr));
      }
      if (makes_) {
        throw TaskCancelled(detail::join(
            {"toto: the queue '", pool_->default_queue().name(), "' has discarded the making of an instance"}));
      }
      throw pool_->closed_error();
    }
    return *std::exchange(this->instance, nullptr);
  }

  /// The coroutine is being destroyed, or needs this no more.
  void leave() noexcept {
    const Ref<Core> pool = pool_;
    Instance* unused = nullptr;
    bool owned = false;
    {
      const Lock lock(pool->mutex());
      pool->withdraw_locked(*this);
      owned = stage_ == Stage::waiting || stage_ == Stage::resumed;
      if (stage_ != Stage::making) {
        unused = std::exchange(this->instance, nullptr);
      }
      stage_ = Stage::abandoned;
    }
    if (owned) {
      delete this;
    }
    if (unused != nullptr) {
      pool->give_back(*unused);
    }
  }

 protected:
  ~LeaseWait() = default;

 private:
  enum class Stage : unsigned char { waiting, making, posted, resumed, abandoned };

  // As a task.

  void run_on(Worker<Runtime>& worker) override {
    const Ref<Core> pool = pool_;
    QueueCore<Runtime>& queue = worker.core;
    try {
      while (!pool->prepare(*this->instance)) {
        if (!take_another()) {  // this may be gone after this line
          worker.count(Tally::kCompleted);
          queue.return_reference();
          return;
        }
      }
    } catch (...) {
      this->instance = nullptr;
      failure_ = std::current_exception();
      if (!failure_) {  // a forced unwind (pthread_exit): the thread is ending
        worker.count(Tally::kFailed);
        end_making(false);
        queue.return_reference();
        throw;
      }
    }
    const bool made = this->instance != nullptr;
    worker.count(made ? Tally::kCompleted : Tally::kFailed);
    if (Instance* const unused = end_making(made)) {
      pool->give_back(*unused);
    }
    queue.return_reference();
  }

  void discard() noexcept override {
    const Ref<Core> pool = pool_;
    QueueCore<Runtime>& queue = pool->default_queue();
    if (Instance* const unused = end_making(false)) {
      pool->give_back(*unused);
    }
    queue.return_reference();
  }

  bool ready() const noexcept override { return false; }

  /// What it had was no good, and there is no factory. False: it waits again, before everybody else, or was abandoned.
  /// The block may be gone then.
  /// Throws: PoolClosed; TimedOut.
  bool take_another() {
    {
      const Lock lock(pool_->mutex());
      this->instance = nullptr;
      if (stage_ != Stage::abandoned) {
        this->instance = pool_->take_another_locked(*this);
        if (this->instance == nullptr) {
          stage_ = Stage::waiting;
        }
        return this->instance != nullptr;
      }
    }
    delete this;
    return false;
  }

  /// Sends the coroutine home with the instance or without. Returns what it does not get. The block may be gone then.
  Instance* end_making(bool made) noexcept {
    Instance* unused = nullptr;
    bool abandoned = false;
    {
      const Lock lock(pool_->mutex());
      abandoned = stage_ == Stage::abandoned;
      if (!made || abandoned) {
        unused = std::exchange(this->instance, nullptr);
      }
      if (!abandoned) {
        stage_ = Stage::posted;
      }
    }
    if (abandoned) {
      delete this;
    } else {
      post();
    }
    return unused;
  }

  /// The block may be gone after this.
  void post() noexcept {
    const Ref<Core> pool = pool_;
    this->run = &resume;
    if (!home_.try_post(*this)) {
      pool->continue_somewhere(*this);
    }
  }

  static void resume(Continuation& node, Turn turn) noexcept {
    auto& self = static_cast<LeaseWait&>(static_cast<QueuedTask<Runtime>&>(node));
    const Ref<Core> pool = self.pool_;
    if (turn == Turn::homeless) {
      pool->continue_somewhere(node);
      return;
    }
    bool abandoned = false;
    {
      const Lock lock(pool->mutex());
      abandoned = self.stage_ == Stage::abandoned;
      if (!abandoned) {
        self.stage_ = Stage::resumed;
      }
    }
    if (abandoned) {
      delete &self;
    } else {
      self.coroutine_.resume();
    }
  }

  const Ref<Core> pool_;
  const Duration limit_;
  const std::coroutine_handle<> coroutine_;
  Home<Runtime> home_;
  std::exception_ptr failure_;
  Stage stage_ = Stage::waiting;
  bool makes_ = false;
  bool late_ = false;
};

template <class T, class Runtime>
class [[nodiscard("co_await it: calling lease alone takes no instance")]] LeaseAwaiter {
 public:
  LeaseAwaiter(Ref<PoolCore<Runtime>> pool, CallSite where) noexcept : pool_(std::move(pool)), where_(where) {}
  /// Before it is awaited.
  LeaseAwaiter(LeaseAwaiter&& other) noexcept : pool_(other.pool_), where_(other.where_) {}
  LeaseAwaiter& operator=(LeaseAwaiter&&) = delete;
  ~LeaseAwaiter() { let_go(); }

  bool await_ready() {
    let_go();
    instance_ = pool_->try_take(claim());
    return instance_ != nullptr && !pool_->needs_preparing(*instance_);
  }

  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    return suspend(coroutine, Duration::never(), [](LeaseWait<Runtime>&) {});
  }

  Lease<T, Runtime> await_resume() {
    if (instance_ == nullptr) {
      instance_ = &wait_->take();
    }
    return Lease<T, Runtime>(LeaseKey(), pool_, *std::exchange(instance_, nullptr), LeaseKind::awaited);
  }

 protected:
  /// `before(wait)` is called before anybody else knows of the wait. False: go on. After true, *this may be gone.
  template <class Before>
  bool suspend(std::coroutine_handle<> coroutine, Duration limit, Before before) {
    const Ref<PoolCore<Runtime>> pool = pool_;
    if (ThreadContext<Runtime>::current().executor == nullptr) {
      pool->default_queue();  // where the coroutine may have to continue: if it cannot be made, say so now
    }
    auto* const wait = new LeaseWait<Runtime>(pool, claim(), limit, coroutine, Home<Runtime>::current(nullptr));
    wait_ = wait;
    before(*wait);
    if (instance_ == nullptr) {
      PooledInstance<Runtime>* const taken = pool->take_or_wait(*wait);
      if (taken == nullptr) {
        return true;  // *this may be gone
      }
      instance_ = taken;
      if (!pool->needs_preparing(*taken)) {
        return false;
      }
    }
    PooledInstance<Runtime>* const place = std::exchange(instance_, nullptr);
    try {
      wait->make_in(*place);
    } catch (...) {
      instance_ = place;
      throw;
    }
    return true;  // *this may be gone
  }

 private:
  Claim<Runtime> claim() const noexcept { return Claim<Runtime>::here(Claim<Runtime>::Kind::coroutine, where_); }

  void let_go() noexcept {
    if (wait_ != nullptr) {
      std::exchange(wait_, nullptr)->leave();
    }
    if (instance_ != nullptr) {
      pool_->give_back(*std::exchange(instance_, nullptr));
    }
  }

  Ref<PoolCore<Runtime>> pool_;
  CallSite where_;
  PooledInstance<Runtime>* instance_ = nullptr;
  LeaseWait<Runtime>* wait_ = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_LEASE_AWAITER_HPP
