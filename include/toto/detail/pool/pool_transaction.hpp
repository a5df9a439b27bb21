// SPDX-License-Identifier: MIT
//
// A transaction in a queue: a task that has its instance before it joins the queue, and keeps it until its captures are
// gone. Without an instance it waits in the pool's line, where it is in nobody's way. Read next: ../instance_pool.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_TRANSACTION_HPP
#define TOTO_DETAIL_POOL_POOL_TRANSACTION_HPP

#include <exception>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../../call_site.hpp"
#include "../../task_handle.hpp"
#include "../ground/invoke.hpp"
#include "../ground/parameters.hpp"
#include "../ground/temporaries.hpp"
#include "../ground/text.hpp"
#include "../task/call_state.hpp"
#include "../task/supervisor.hpp"
#include "pool_core.hpp"

namespace toto::inline v0_1::detail {

/// What a call with an instance gives: a value, because what a reference refers to may be part of an instance that has
/// gone back to the pool.
template <class R>
struct PooledValue {
  static_assert(std::is_void_v<R> || std::is_constructible_v<std::remove_cvref_t<R>, R>,
                "toto: fn returns a reference, and what it refers to cannot be copied; the instance goes back to "
                "the pool when fn returns, so return a value, or use pool.instance()");
  using Type = std::remove_cvref_t<R>;
};
template <>
struct PooledValue<void> {
  using Type = void;
};
template <class F, class... Args>
using PooledResult = typename PooledValue<std::invoke_result_t<F, Args...>>::Type;

/// A place in the pool's line whose owner does not move: the base of a transaction's state.
template <class Runtime>
class PoolSlot : public PoolWaiter<Runtime> {
 public:
  PoolSlot(Ref<PoolCore<Runtime>> pool, const Claim<Runtime>& who) noexcept
      : PoolWaiter<Runtime>(who), pool_(std::move(pool)) {
    this->claim.transaction = this;
  }

  bool tell_locked() noexcept final { return false; }

  /// The instance that prepare() has got ready for use.
  /// Throws: why there is none.
  PooledInstance<Runtime>& prepared() {
    if (failure_) {
      std::rethrow_exception(std::exchange(failure_, nullptr));
    }
    used_ = true;
    return *this->instance;
  }
  void give_back() noexcept {
    if (this->instance != nullptr) {
      PooledInstance<Runtime>& back = *std::exchange(this->instance, nullptr);
      if (used_) {
        pool_->take_back(back, has_failed());
      } else {
        pool_->give_back(back);
      }
    }
  }

 protected:
  ~PoolSlot() = default;

  /// Before the transaction is run: makes or validates its instance. False: that was no good, and there is no factory;
  /// it waits for another before everybody else, and may be gone.
  /// Throws: a forced unwind (pthread_exit), and nothing else; the transaction has no instance then.
  bool prepare() {
    if (!pool_->needs_preparing(*this->instance)) {
      return true;
    }
    const Ref<PoolCore<Runtime>> pool = pool_;  // this may be gone before the pool's mutex is free
    try {
      PooledInstance<Runtime>* taken = std::exchange(this->instance, nullptr);
      while (!pool->prepare(*taken)) {
        taken = pool->take_another(*this);
        if (taken == nullptr) {
          return false;
        }
      }
      this->instance = taken;
    } catch (...) {
      failure_ = std::current_exception();
      if (!failure_) {
        throw;
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

/// The callable of a transaction's task: calls `fn(instance, args...)`, with a stop token in front (of a member
/// function's arguments) if it cannot be called without. Gives the instance back when it is destroyed, after everything
/// else.
template <class T, class Runtime, class F, class... Args>
class Transaction {
 public:
  using Token = typename Runtime::StopToken;
  template <class Fn>
  static constexpr bool kTokenBehind = std::is_member_function_pointer_v<Fn> && !std::is_invocable_v<Fn, T&, Args...> &&
                                       detail::may_take<Fn, 0, Token>() && std::is_invocable_v<Fn, T&, Token, Args...>;

  template <class Fn, class... As>
  explicit Transaction(PoolSlot<Runtime>& slot, Fn&& fn, As&&... args)
      : slot_{&slot}, call_(std::forward<Fn>(fn), std::forward<As>(args)...) {}

  template <class Fn = F>
    requires std::is_invocable_v<Fn, T&, Args...>
  PooledResult<Fn, T&, Args...> operator()() {
    return call();
  }
  template <class Fn = F>
    requires(!std::is_invocable_v<Fn, T&, Args...> && kTakesToken<Token, Fn, T&, Args...>)
  PooledResult<Fn, Token, T&, Args...> operator()(Token token) {
    return call(std::move(token));
  }
  /// A member function: its first argument is the token.
  template <class Fn = F>
    requires(kTokenBehind<Fn>)
  PooledResult<Fn, T&, Token, Args...> operator()(Token token) {
    PooledInstance<Runtime>& instance = slot_.slot->prepared();
    return apply(instance, *static_cast<T*>(instance.object), std::move(token));
  }

 private:
  struct Slot {
    PoolSlot<Runtime>* slot;
    explicit Slot(PoolSlot<Runtime>* of_state) noexcept : slot(of_state) {}
    Slot(Slot&& other) noexcept : slot(std::exchange(other.slot, nullptr)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (slot != nullptr) {
        slot->give_back();
      }
    }
  };

  template <class... Tokens>
  decltype(auto) call(Tokens... token) {
    PooledInstance<Runtime>& instance = slot_.slot->prepared();
    return apply(instance, std::move(token)..., *static_cast<T*>(instance.object));
  }
  /// `first`: the object, and the token where it belongs.
  template <class... First>
  decltype(auto) apply(PooledInstance<Runtime>& instance, First&&... first) {
    return std::apply(
        [&](F& fn, Args&... args) -> decltype(auto) {
          using Returned = std::invoke_result_t<F, First..., Args...>;
          if constexpr (!IsTask<std::remove_cvref_t<Returned>>::value) {
            instance.bind();  // fn runs in this very frame
          }
          return detail::invoke(std::move(fn), std::forward<First>(first)..., std::move(args)...);
        },
        call_);
  }

  Slot slot_;  // the last to be destroyed
  std::tuple<F, Args...> call_;
};

template <class T, class Runtime, class F, class... Args>
using TransactionOf = Transaction<T, Runtime, Stored<F>, Stored<Args>...>;

/// How the handle of a transaction is typed; see HandleFor.
template <class T, class Runtime, class F, class... Args>
struct TransactionHandle {
  using Result = typename CallTraits<Runtime, TransactionOf<T, Runtime, F, Args...>>::Result;
  using Type = HandleFrom<Result, Runtime, F, Args...>;
};

/// The state of a transaction. While it waits in the pool it owns a reference to its queue's core, as it does when it
/// is queued.
template <class Runtime, class Call, class F>
class TransactionState final : public PoolSlot<Runtime>, public FollowedState<Runtime, StateFor<Runtime, Call>, F> {
 public:
  using Base = FollowedState<Runtime, StateFor<Runtime, Call>, F>;
  using Queue = QueueCore<Runtime>;
  using Instance = PooledInstance<Runtime>;

  template <class... As>
  TransactionState(Queue& queue, Ref<PoolCore<Runtime>> pool, const Claim<Runtime>& who, As&&... call)
      : PoolSlot<Runtime>(std::move(pool), who),
        Base(queue, Call(static_cast<PoolSlot<Runtime>&>(*this), std::forward<As>(call)...)) {}

  /// Takes an instance and joins the queue, or waits for one. `forgotten`: there is no handle. After this the state may
  /// be gone.
  /// Throws: PoolClosed, what adding a task throws; the state was freed then.
  void begin(PoolCore<Runtime>& pool, bool forgotten) {
    if (forgotten) {
      forgotten_ = true;
      this->let_go();
    }
    try {
      Instance* taken = pool.try_take(this->claim);
      if (taken == nullptr) {
        Ref<Queue> queue = Ref<Queue>::share(&this->core());
        taken = pool.take_or_wait(*this);
        if (taken == nullptr) {
          queue.leak();  // to the state, which has got it by now
          return;
        }
      }
      this->instance = taken;
      this->add_followed();
    } catch (...) {
      destroy();  // gives the instance back
      throw;
    }
  }

  void run_on(Worker<Runtime>& worker) override {
    bool ready = false;
    try {
      ready = this->prepare();  // if false, this may be gone after this line
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

  Instance* proceed() noexcept override {
    Ref<Queue> queue = Ref<Queue>::adopt(&this->core());  // the one it has waited with
    std::exception_ptr failure;
    try {
      if (SupervisorBase<Runtime>* const supervisor = this->supervisor()) {
        supervisor->announce();
      }
      // Whoever gives an instance back neither waits for room nor runs this.
      queue->add_beyond_bound(*this);  // this may be gone after this line
      return nullptr;
    } catch (...) {
      failure = std::current_exception();
    }
    queue.leak();
    Instance* const unused = std::exchange(this->instance, nullptr);
    this->pool_->forget_transaction(*unused);
    fail(std::move(failure));
    return unused;
  }

  void refuse() noexcept override {
    std::exception_ptr failure;
    try {
      throw this->pool_->closed_error();
    } catch (...) {  // that, or no memory for it
      failure = std::current_exception();
    }
    fail(std::move(failure));
  }

  void destroy() noexcept override {
    this->~TransactionState();
    detail::deallocate_state<TransactionState, Runtime>(this);
  }

 protected:
  ~TransactionState() = default;

 private:
  bool may_end_with_instance(const WaitGraph<Runtime>& graph) override {
    return Base::may_end(graph) || this->core().refuses(*this);
  }
  bool may_end(const WaitGraph<Runtime>& graph) override {
    return (this->pool_->may_serve(*this, graph) && may_end_with_instance(graph)) || this->ready();
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

/// Makes the state of a transaction.
/// Throws: std::bad_alloc, what copying throws, std::invalid_argument for a null callable.
template <class T, class Runtime, class F, class... Args>
auto* make_transaction(QueueCore<Runtime>& queue, const Ref<PoolCore<Runtime>>& pool, CallSite where, F&& fn,
                       Args&&... args) {
  using Call = TransactionOf<T, Runtime, F, Args...>;
  static_assert(CallTraits<Runtime, Call>::kValid,
                "toto: fn cannot be called with an instance of the pool and these arguments; they are copied or "
                "moved as std::thread does it: use std::ref to pass a reference");
  using State = TransactionState<Runtime, Call, Stored<F>>;
  detail::check_callable(fn);
  return detail::construct_state<State, Runtime>(queue, pool, Claim<Runtime>::in_queue(queue.name(), where),
                                                 std::forward<F>(fn), std::forward<Args>(args)...);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_TRANSACTION_HPP
