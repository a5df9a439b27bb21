// SPDX-License-Identifier: MIT
//
// InstancePool: lends objects that are not thread-safe to one user at a time: to a call, to a block of code, to a
// coroutine, or to a transaction on a task queue. How it works is in detail/pool/pool_core.hpp. Read next: lease.hpp,
// pool_options.hpp.

#ifndef TOTO_INSTANCE_POOL_HPP
#define TOTO_INSTANCE_POOL_HPP

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "call_site.hpp"
#include "detail/ground/callable.hpp"
#include "detail/pool/pool_core.hpp"
#include "detail/pool/pool_instance.hpp"
#include "detail/pool/pool_use.hpp"
#include "duration.hpp"
#include "lease.hpp"
#include "options.hpp"
#include "pool_options.hpp"
#include "queue_choice.hpp"
#include "runtime.hpp"
#include "task_queue.hpp"

namespace toto::inline v0_1 {

template <class T, class Runtime = StdRuntime>
class InstancePool;

/// What pool.await() returns: calls methods of a pool's instances on a task queue, `co_await
/// calls(&Counter::increment)`. Calls begin in the order in which they were made, and overlap up to the number of
/// instances. Copies are equivalent.
/// Lifetime: may outlive the pool and the queue; calls then throw PoolClosed or QueueClosed.
/// Thread safety: Thread-safe, except with assignment and destruction.
template <class T, class Runtime = StdRuntime>
class PooledCalls {
 public:
  /// Calls `std::invoke(fn, instance, args...)` on the queue; see InstancePool::await_transaction.
  template <class F, class... Args>
  auto operator()(F&& fn, Args&&... args) const {
    using Handle = detail::TransactionHandle<T, Runtime, F, Args...>;
    return detail::submit_transaction<T, Handle>(*queue_, pool_, CallSite(), std::forward<F>(fn),
                                                 std::forward<Args>(args)...);
  }

 private:
  friend InstancePool<T, Runtime>;
  PooledCalls(detail::Ref<detail::PoolCore<Runtime>> pool, detail::QueueCore<Runtime>& queue) noexcept
      : pool_(std::move(pool)), queue_(detail::Ref<detail::QueueCore<Runtime>>::share(&queue)) {}

  detail::Ref<detail::PoolCore<Runtime>> pool_;
  detail::Ref<detail::QueueCore<Runtime>> queue_;
};

// given: struct Connection { void ping() {} void execute(const char*) {} int count() { return 0; } };
// given: std::vector<std::unique_ptr<Connection>> connections;
/// A pool of instances, each lent to one user at a time.
///
///   toto::InstancePool pool(std::move(connections));      // from a std::vector<std::unique_ptr<Connection>>
///   pool(&Connection::ping);                              // one call on one instance
///   auto connection = pool.instance();                    // several calls on the same one, until the lease ends
///   connection->execute("begin");
///   const int rows = co_await pool.await_transaction([](Connection& c) { return c.count(); });
///
/// Instances are lent in turn, the one that has been free longest first. If none is free, threads, coroutines and
/// transactions wait in one line, first come, first served.
///
/// Blocks: calls that say so wait for an instance. They throw DeadlockError if every instance is held by something that
/// cannot finish without the calling thread: a frame of transaction() or of a call through the pool, a lease that was
/// taken by a blocking call and never moved, a transaction on a queue.
/// Lifetime: the destructor closes the pool and does not block. An instance that is leased at that time lives until it
/// comes back. Instances passed as T* must outlive all of that. If the destructor of T throws, the program ends.
/// Thread safety: Thread-safe, except with construction and destruction.
template <class T, class Runtime>
class InstancePool {
 public:
  using value_type = T;

  /// Makes a pool of the instances in `source`: one instance, or a range of them. An instance is a T, moved or copied
  /// in; a std::unique_ptr or std::shared_ptr to one; or a T*, which is not owned. The elements of a moved range are
  /// moved. To pool a single range or a single lambda, give T explicitly; otherwise a range is taken for a collection,
  /// and a callable without arguments for a factory.
  /// Throws: std::invalid_argument if there is no instance, one is null, or one appears twice; std::bad_alloc.
  template <class Source>
    requires(!detail::kIsA<std::remove_cvref_t<Source>, toto::InstancePool>)
  explicit InstancePool(Source&& source, const PoolOptions& options = {})
      : InstancePool(detail::make_places<T, Runtime>(std::forward<Source>(source), options), {}, 0, options) {}

  /// The same for a list: `InstancePool pool({&one, &other});`
  template <class Element>
    requires(!detail::Iterable<Element>)
  InstancePool(std::initializer_list<Element> instances, const PoolOptions& options = {})
      : InstancePool(detail::make_places<T, Runtime>(instances, options), {}, 0, options) {}

  /// Makes a pool of up to `max` instances (1 to 1,000,000), which are made when they are needed. `factory()` returns a
  /// T, a std::unique_ptr<T> or a std::shared_ptr<T>. It is called without any lock held, possibly on several threads
  /// at a time, on the thread that needs the instance; for a coroutine that awaits lease(), on the pool's default
  /// queue. Its exceptions go to the caller that needed the instance.
  /// Throws: std::invalid_argument naming the parameter; std::bad_alloc.
  template <class F>
    requires std::invocable<std::decay_t<F>&>
  InstancePool(F&& factory, std::size_t max, const PoolOptions& options = {})
      : InstancePool({}, detail::make_factory<T, Runtime>(std::forward<F>(factory), max), max, options) {}

  InstancePool(const InstancePool&) = delete;
  InstancePool& operator=(const InstancePool&) = delete;

  /// Closes the pool; see close().
  ~InstancePool() { core_->close(); }

  // Hooks. Set them before the first instance is taken. They are called without any lock held, possibly on several
  // threads at a time, for different instances, and live as long as the pool and its leases.

  /// Sets a hook, called before the pool lends an instance, unless it was just made: `check(instance)` returns whether
  /// the instance is still good. It is called on the thread on which the factory would be called. If it returns false
  /// or throws, the instance is destroyed, and the caller gets a new instance, which is not checked; or, without a
  /// factory, another instance, for which the caller waits ahead of everyone else.
  /// Throws: std::logic_error if an instance has already been taken; std::invalid_argument for a null hook;
  /// std::bad_alloc.
  template <class F>
  void validate(F&& check) {
    static_assert(detail::Verdict<std::decay_t<F>&, T&>,
                  "toto: validate takes a callable that is given an instance and returns a bool: whether the "
                  "instance is good");
    core_->set_validate(detail::make_check<T, Runtime>(std::forward<F>(check)));
  }

  /// Sets a hook, called when an instance comes back, on the thread that returns it: `hook(instance)`, or
  /// `hook(instance, failed)`, where `failed` says whether an exception ended its use. The hook may return nothing; if
  /// it returns false or throws, the instance is destroyed and counts as rejected. Lease::discard() does not call it.
  /// Throws: as validate.
  template <class F>
  void on_return(F&& hook) {
    static_assert(detail::ReturnHook<std::decay_t<F>&, T>,
                  "toto: on_return takes a callable that is given an instance, or an instance and a bool, and "
                  "returns nothing, or a bool: whether the instance is good");
    core_->set_on_return(detail::make_check<T, Runtime>(std::forward<F>(hook)));
  }

  // On the calling thread.

  /// Takes an instance, calls `std::invoke(fn, instance, args...)`, and returns the instance to the pool, even if the
  /// call throws. Returns the result by value.
  /// Blocks: until an instance is free.
  /// Throws: what the call or the factory throws; PoolClosed; DeadlockError; std::invalid_argument for a null `fn`.
  template <class F, class... Args>
  auto operator()(F&& fn, Args&&... args) -> detail::BlockingResult<F, T&, Args...> {
    detail::check_callable(fn);
    const Lease<T, Runtime> held = take(detail::LeaseKind::frame, "call", CallSite());
    return detail::invoke(std::forward<F>(fn), *held, std::forward<Args>(args)...);
  }

  /// The same for `fn(instance)`, which may use the instance several times.
  template <class F>
  auto transaction(F&& fn, CallSite where = CallSite::current()) -> detail::BlockingResult<F, T&> {
    detail::check_callable(fn);
    const Lease<T, Runtime> held = take(detail::LeaseKind::frame, "transaction", where);
    return detail::invoke(std::forward<F>(fn), *held);
  }

  /// Takes an instance until the lease ends.
  /// Blocks: until an instance is free.
  /// Throws: PoolClosed; DeadlockError; what the factory throws; std::bad_alloc.
  Lease<T, Runtime> instance(CallSite where = CallSite::current()) {
    return take(detail::LeaseKind::blocking, "lease taken", where);
  }

  /// The same if an instance is free or can be made now; otherwise returns an empty optional.
  /// Throws: PoolClosed; what the factory throws; std::bad_alloc.
  std::optional<Lease<T, Runtime>> try_instance(CallSite where = CallSite::current()) {
    return instance_for(Duration(), where);
  }

  /// The same, but returns an empty optional if no instance is free within `limit`; dump() then names the holders. The
  /// time the factory takes is not limited.
  /// Blocks: for at most `limit`; 0 or less does not block.
  /// Throws: PoolClosed; what the factory throws; std::bad_alloc; std::invalid_argument for NaN.
  std::optional<Lease<T, Runtime>> instance_for(Duration limit, CallSite where = CallSite::current()) {
    detail::check_not_nan(limit, "limit");
    const detail::Ref<Core> core = core_;
    detail::PermitRequest<Runtime> request{detail::Claim<Runtime>::here("lease taken", where)};
    request.deadline = limit.after(request.claim.since);
    if (auto* const taken = core->take(request)) {
      return std::optional<Lease<T, Runtime>>(std::in_place, detail::LeaseKind::blocking, core, *taken);
    }
    return std::nullopt;
  }

  // In coroutines.

  /// Awaitable: takes an instance and returns a Lease; holds no thread while it waits. Does not suspend if an instance
  /// is free. A coroutine that is destroyed while it waits leaves the line, or passes on the instance it was about to
  /// get. If an instance must be made, a task for that is added to the pool's default queue, even if the queue is full.
  /// Throws, when awaited: PoolClosed; std::bad_alloc; if an instance must be made, what the factory or adding the task
  /// throws.
  /// Resumes on: the home of the coroutine; without one, the pool's default queue.
  [[nodiscard("co_await it: calling lease alone takes no instance")]] auto lease(CallSite where = CallSite::current()) {
    return detail::LeaseAwaiter<T, Runtime>(*core_, where);
  }

  /// The same, but waits for at most `limit`; 0 or less does not wait. The time the factory takes is not limited.
  /// Throws: as lease(); when awaited, TimedOut, whose message says who holds the instances, since when, and where they
  /// were taken, and std::system_error if the timer thread cannot be started; std::invalid_argument, at once, for NaN.
  /// Resumes on: as lease().
  [[nodiscard("co_await it: calling lease_for alone takes no instance")]] auto lease_for(
      Duration limit, CallSite where = CallSite::current()) {
    detail::check_not_nan(limit, "limit");
    return detail::LeaseAwaiter<T, Runtime>(*core_, where, limit);
  }

  // On a queue.

  /// Runs `fn(instance)` on the queue and returns a handle to its result, a value. The callable is copied or moved as
  /// with std::thread; if it cannot be called with an instance alone, it is given a StopToken before the instance.
  ///
  /// The transaction takes its instance before it takes a thread. If none is free, it waits in the pool's line and is
  /// not in the queue yet: size() and wait_idle() of the queue do not count it. Then it joins the queue even if the
  /// queue is full, whatever its overflow, so the caller that returns the instance neither waits for room nor runs
  /// `fn`. If the queue has closed by then, the handle completes with QueueClosed. Cancelling the handle removes the
  /// transaction from the line. An `fn` that returns a Task<R> keeps its instance until that coroutine ends. The
  /// instance is back in the pool, or with the next user, before the handle is ready.
  /// Blocks: while the queue is full, if an instance is free and the queue has a bound and Overflow::block.
  /// Throws: PoolClosed; QueueClosed; QueueFull; std::invalid_argument for a null `fn` or an empty queue name;
  /// std::bad_alloc; std::system_error if no thread is alive and none can be started. In each case there is no
  /// transaction.
  template <class F>
  [[nodiscard("dropping it detaches the transaction; say std::move(handle).detach(), or use async_transaction")]] auto
  await_transaction(F&& fn, QueueChoice<Runtime> queue = {}, CallSite where = CallSite::current())
      -> detail::TransactionHandle<T, Runtime, F> {
    using Handle = detail::TransactionHandle<T, Runtime, F>;
    return detail::submit_transaction<T, Handle>(queue_of(queue), core_, where, std::forward<F>(fn));
  }

  /// The same without a handle. Exceptions from `fn` go to the queue's on_error, and so does the error if the
  /// transaction cannot join the queue.
  template <class F>
  void async_transaction(F&& fn, QueueChoice<Runtime> queue = {}, CallSite where = CallSite::current()) {
    detail::submit_transaction<T, void>(queue_of(queue), core_, where, std::forward<F>(fn));
  }

  /// Returns a wrapper that calls methods of the instances on a queue: `co_await pool.await()(&T::increment)`; see
  /// await_transaction.
  PooledCalls<T, Runtime> await(QueueChoice<Runtime> queue = {}) {
    return PooledCalls<T, Runtime>(core_, queue_of(queue));
  }

  // Ending and observing. Observers return snapshots, which may be stale on return.

  /// Closes the pool: anyone who waits for an instance, or asks for one later, gets PoolClosed. Free instances are
  /// destroyed now, leased ones when they come back. Transactions that have an instance still run. Does not block; may
  /// be called again.
  void close() noexcept { core_->close(); }

  /// Returns the number of instances; with a factory, those that exist now.
  std::size_t size() const { return core_->stats().instances; }
  /// Returns counts that agree with each other.
  PoolStats stats() const { return core_->stats(); }
  /// Returns several lines of text: who holds the instances, since when, from which source line, and who waits.
  /// Throws: std::bad_alloc.
  std::string dump() const { return core_->dump(); }

 private:
  using Core = detail::PoolCore<Runtime>;

  InstancePool(typename Core::Instances instances, detail::InstanceFactory<Runtime> factory, std::size_t max,
               const PoolOptions& options) {
    detail::check_options(options, max);
    core_ =
        detail::Ref<Core>::adopt(new Core(std::move(instances), std::move(factory), max, options,
                                          [](const QueueOptions& wanted) -> detail::QueueCore<Runtime>& {
                                            return detail::QueueAccess::core(BasicTaskQueue<Runtime>::instance(wanted));
                                          }));
  }

  Lease<T, Runtime> take(detail::LeaseKind kind, const char* how, CallSite where) {
    const detail::Ref<Core> core = core_;  // the pool may be destroyed meanwhile
    return Lease<T, Runtime>(kind, core, *core->take({detail::Claim<Runtime>::here(how, where)}));
  }
  detail::QueueCore<Runtime>& queue_of(const QueueChoice<Runtime>& choice) const {
    return choice.core(
        [this](std::string_view name) -> detail::QueueCore<Runtime>& { return core_->queue_named(name); });
  }

  detail::Ref<Core> core_;
};

template <class Source>
InstancePool(Source&&, const PoolOptions& = {}) -> InstancePool<typename detail::PooledIn<Source>::Type>;
template <detail::BareFactory Source>  // only for the error message: a factory needs a number
InstancePool(Source&&, const PoolOptions& = {}) -> InstancePool<detail::MadeBy<Source>>;
template <class Element>
  requires(!detail::Iterable<Element>)
InstancePool(std::initializer_list<Element>, const PoolOptions& = {})
    -> InstancePool<typename detail::PointedTo<Element>::Type>;
template <class F>
  requires std::invocable<std::decay_t<F>&>
InstancePool(F&&, std::size_t, const PoolOptions& = {}) -> InstancePool<detail::MadeBy<F>>;

}  // namespace toto::inline v0_1

#endif  // TOTO_INSTANCE_POOL_HPP
