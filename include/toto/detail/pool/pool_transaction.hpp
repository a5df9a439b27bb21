// SPDX-License-Identifier: MIT
//
// Calls with an instance. HeldInstance: on the calling thread. TransactionState: as a task in a queue, which has its
// instance before it joins the queue, and keeps it until its captures are gone; without an instance it waits in the
// pool's line, where it is in nobody's way. Read next: ../../instance_pool.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_TRANSACTION_HPP
#define TOTO_DETAIL_POOL_POOL_TRANSACTION_HPP

#include <exception>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../../task_handle.hpp"
#include "../task/call_on.hpp"
#include "../task/call_state.hpp"
#include "../task/supervisor.hpp"
#include "pool_core.hpp"

namespace toto::inline v0_1::detail {

/// What a call with an instance gives: a value, because what a reference refers to may be part of an instance that has
/// gone back to the pool.
template <class R>
struct PooledValue {
  static_assert(!std::is_reference_v<R> || std::is_constructible_v<std::remove_cvref_t<R>, R>,
                "toto: fn returns a reference, and what it refers to cannot be copied; the instance goes back to "
                "the pool when fn returns, so return a value, or use pool.instance()");
  using Type = std::remove_cvref_t<R>;
};

/// What a blocking call gives, checked in words.
template <class F, class... Args>
struct BlockingCall {
  static_assert(std::is_invocable_v<F, Args...>,
                "toto: fn cannot be called with an instance of the pool and these arguments");
  using Returned = typename std::conditional_t<std::is_invocable_v<F, Args...>, std::invoke_result<F, Args...>,
                                               std::type_identity<void>>::type;
  static_assert(!IsTask<std::remove_cvref_t<Returned>>::value,
                "toto: fn returns a Task, which would go on when the instance is back in the pool; use "
                "pool.await_transaction(fn), which keeps the instance until the coroutine has ended");
  using Type = typename PooledValue<Returned>::Type;
};
template <class F, class... Args>
using BlockingResult = typename BlockingCall<F, Args...>::Type;

/// An instance in the hands of a function that is running.
template <class T, class Runtime>
class HeldInstance {
 public:
  HeldInstance(Ref<PoolCore<Runtime>> pool, const char* how, CallSite where)
      : pool_(std::move(pool)), instance_(take(*pool_, {Claim<Runtime>::here(how, where)})) {
    instance_->bind();
    pool_->lend(*instance_);
  }
  HeldInstance(const HeldInstance&) = delete;
  HeldInstance& operator=(const HeldInstance&) = delete;
  ~HeldInstance() { pool_->take_back(*instance_); }

  T& operator*() const noexcept { return *static_cast<T*>(instance_->object); }

  /// An instance that can be used. Null: not before the deadline.
  static PooledInstance<Runtime>* take(PoolCore<Runtime>& pool, const PermitRequest<Runtime>& request) {
    Permit<Runtime>* taken = pool.take(request);
    while (taken != nullptr && !pool.ready(*taken) && !pool.make_ready(*taken)) {
      taken = pool.take(request, true);
    }
    return static_cast<PooledInstance<Runtime>*>(taken);
  }

 private:
  const Ref<PoolCore<Runtime>> pool_;
  PooledInstance<Runtime>* const instance_;
};

/// A transaction's place in the pool's line, and the instance that it has: the base of its state.
template <class Runtime>
class PoolSlot : public LineWaiter<PermitRequest<Runtime>>, protected HoldingTask<Runtime> {
 public:
  using Instance = PooledInstance<Runtime>;

  PoolSlot(Ref<PoolCore<Runtime>> pool, const Claim<Runtime>& who) noexcept
      : LineWaiter<PermitRequest<Runtime>>({who}), pool_(std::move(pool)) {
    this->request.claim.task = this;
  }

  bool told_locked() noexcept final { return false; }

  /// The instance, which is used from now on.
  /// Throws: why it could not be made.
  Instance& use() {
    if (failure_) {
      std::rethrow_exception(std::exchange(failure_, nullptr));
    }
    used_ = true;
    return static_cast<Instance&>(*this->request.permit);
  }
  void give_back() noexcept {
    if (this->request.permit != nullptr) {
      Instance& back = static_cast<Instance&>(*std::exchange(this->request.permit, nullptr));
      used_ ? pool_->take_back(back, has_failed()) : pool_->give_back(back);
    }
  }

 protected:
  ~PoolSlot() = default;

  /// Before the transaction is run. False: its instance was no good; it waits for another, and may be gone.
  /// Throws: a forced unwind (pthread_exit), and nothing else; the transaction has no instance then.
  bool make_ready() {
    if (!pool_->ready(*this->request.permit)) {
      const Ref<PoolCore<Runtime>> pool = pool_;  // this may be gone before the pool's mutex is free
      try {
        Instance* const ready = pool->make_ready_for(*this, std::exchange(this->request.permit, nullptr));
        if (ready == nullptr) {
          return false;
        }
        this->request.permit = ready;
      } catch (...) {
        failure_ = std::current_exception();
        if (!failure_) {
          throw;
        }
      }
    }
    return true;
  }
  /// Whether what was done with the instance has ended by an exception.
  virtual bool has_failed() const noexcept = 0;

  const Ref<PoolCore<Runtime>> pool_;

 private:
  std::exception_ptr failure_;
  bool used_ = false;
};

/// The callable of a transaction's task: calls `fn(instance, args...)`, with a stop token if it cannot be called
/// without. Gives the instance back when it is destroyed, after everything else.
template <class T, class Runtime, class F, class... Args>
class Transaction {
 public:
  using Token = typename Runtime::StopToken;

  template <class Fn, class... As>
  explicit Transaction(PoolSlot<Runtime>& slot, Fn&& fn, As&&... args)
      : back_{slot}, call_(std::forward<Fn>(fn), std::forward<As>(args)...) {}

  auto operator()()
    requires CallableOn<Token, F, T, Args...>
  {
    return call();
  }
  auto operator()(Token token)
    requires(!CallableOn<Token, F, T, Args...> && CallableOn<Token, F, T, Token, Args...>)
  {
    return call(std::move(token));
  }

 private:
  struct Back {
    PoolSlot<Runtime>& slot;
    ~Back() { slot.give_back(); }
  };

  template <class... Tokens>
  auto call(Tokens... token) {
    using Returned = decltype(detail::call_on<Token, F, T>(std::declval<F>(), std::declval<T&>(), std::move(token)...,
                                                           std::declval<Args>()...));
    PooledInstance<Runtime>& instance = back_.slot.use();
    if constexpr (!IsTask<std::remove_cvref_t<Returned>>::value) {
      instance.bind();  // fn runs in this very frame
    }
    return std::apply(
        [&](F& fn, Args&... args) -> typename PooledValue<Returned>::Type {
          return detail::call_on<Token, F, T>(std::move(fn), *static_cast<T*>(instance.object), std::move(token)...,
                                              std::move(args)...);
        },
        call_);
  }

  const Back back_;  // the last to be destroyed
  std::tuple<F, Args...> call_;
};

template <class T, class Runtime, class F, class... Args>
using TransactionOf = Transaction<T, Runtime, Stored<F>, Stored<Args>...>;

/// How the handle of a transaction is typed; see HandleFor.
template <class T, class Runtime, class F, class... Args>
using TransactionHandle =
    HandleFrom<typename CallTraits<Runtime, TransactionOf<T, Runtime, F, Args...>>::Result, Runtime, F, Args...>;

/// The state of a transaction. While it waits in the pool it owns a reference to its queue's core, as it does when it
/// is queued.
template <class Runtime, class Call, class F>
class TransactionState final : public PoolSlot<Runtime>, public FollowedState<Runtime, StateFor<Runtime, Call>, F> {
 public:
  using Slot = PoolSlot<Runtime>;
  using Base = FollowedState<Runtime, StateFor<Runtime, Call>, F>;
  using Queue = QueueCore<Runtime>;

  template <class... As>
  TransactionState(Queue& queue, Ref<PoolCore<Runtime>> pool, const Claim<Runtime>& who, As&&... call)
      : Slot(std::move(pool), who), Base(queue, static_cast<Slot&>(*this), std::forward<As>(call)...) {}

  /// Takes an instance and joins the queue, or waits for one. `forgotten`: there is no handle. After this the state may
  /// be gone.
  /// Throws: PoolClosed, what adding a task throws; the state was freed then.
  void begin(bool forgotten) {
    if (forgotten) {
      forgotten_ = true;
      this->let_go();
    }
    try {
      Ref<Queue> queue = Ref<Queue>::share(&this->core());
      if (Permit<Runtime>* const taken = this->pool_->take_or_wait(*this)) {
        this->request.permit = taken;
        this->add_followed();
      } else {
        queue.leak();  // to the state, which has got it by now
      }
    } catch (...) {
      destroy();  // gives the instance back
      throw;
    }
  }

  void run_on(Worker<Runtime>& worker) override {
    bool ready = false;
    try {
      ready = this->make_ready();  // if false, this may be gone after this line
    } catch (...) {
      worker.count(Tally::kBegun);
      worker.count(Tally::kFailed);
      this->discard();
      throw;  // a forced unwind: the thread is ending
    }
    if (ready) {
      Base::run_on(worker);
    } else {  // as a task of its queue it is over, and will be added as another
      worker.count(Tally::kBegun);
      worker.count(Tally::kCompleted);
    }
  }

  bool proceed() noexcept override {
    Ref<Queue> queue = Ref<Queue>::adopt(&this->core());  // the one it has waited with
    const bool granted = this->request.permit != nullptr;
    std::exception_ptr failure;
    try {
      if (!granted) {
        this->pool_->refuse();
      }
      if (SupervisorBase<Runtime>* const supervisor = this->supervisor()) {
        supervisor->announce();
      }
      // Whoever gives an instance back neither waits for room nor runs this.
      queue->add_beyond_bound(*this);  // this may be gone after this line
      return true;
    } catch (...) {
      failure = std::current_exception();
    }
    queue.leak();
    if (granted) {
      this->pool_->forget_task(*std::exchange(this->request.permit, nullptr));
    }
    fail(std::move(failure));
    return false;
  }

  void destroy() noexcept override {
    this->~TransactionState();
    deallocate_state<TransactionState, Runtime>(this);
  }

 private:
  ~TransactionState() = default;

  bool may_give_back(const WaitGraph<Runtime>& graph) override {
    return Base::may_end(graph) || this->core().refuses(*this);
  }
  bool may_end(const WaitGraph<Runtime>& graph) override {
    return (this->pool_->may_serve(*this, graph) && may_give_back(graph)) || this->ready();
  }
  std::string blocking_details() const override {
    const std::string held = this->pool_->holders_before(*this);
    return held.empty() ? std::string() : join({", which waits for an instance of a pool", held});
  }
  bool has_failed() const noexcept override { return this->result_.outcome() != Outcome::value; }
  bool withdraw() noexcept override {
    if (!this->pool_->withdraw(*this)) {
      return false;
    }
    this->discard();
    return true;
  }

  /// The end of a transaction that does not join the queue, for the first time or again.
  void fail(std::exception_ptr&& failure) noexcept {
    if (forgotten_) {
      this->core().report(failure);
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

/// Makes and begins a transaction. `Handle`: void for none.
/// Throws: std::bad_alloc, what copying throws, std::invalid_argument for a null callable; what begin() throws.
template <class T, class Handle, class Runtime, class F, class... Args>
Handle submit_transaction(QueueCore<Runtime>& queue, const Ref<PoolCore<Runtime>>& pool, CallSite where, F&& fn,
                          Args&&... args) {
  using Call = TransactionOf<T, Runtime, F, Args...>;
  static_assert(CallTraits<Runtime, Call>::kValid,
                "toto: fn cannot be called with an instance of the pool and these arguments; they are copied or "
                "moved as std::thread does it: use std::ref to pass a reference");
  detail::check_callable(fn);
  auto* const state = construct_state<TransactionState<Runtime, Call, Stored<F>>, Runtime>(
      queue, pool, Claim<Runtime>::in_queue("transaction in a queue, added", queue.name(), where), std::forward<F>(fn),
      std::forward<Args>(args)...);
  state->begin(std::is_void_v<Handle>);
  if constexpr (!std::is_void_v<Handle>) {
    return HandleAccess::make<Handle>(state);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_TRANSACTION_HPP
