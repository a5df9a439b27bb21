// SPDX-License-Identifier: MIT
//
// InstancePool: lends objects that are not thread-safe to one user at a time: to a call, to a block of code, to a
// coroutine, or to a transaction in a task queue. How it works is in detail/pool/pool_core.hpp. Read next: lease.hpp,
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
#include "detail/ground/invoke.hpp"
#include "detail/pool/pool_core.hpp"
#include "detail/pool/pool_instance.hpp"
#include "detail/pool/pool_use.hpp"
#include "duration.hpp"
#include "lease.hpp"
#include "pool_options.hpp"
#include "queue_choice.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

template <class T, class Runtime = StdRuntime>
class InstancePool;

/// What pool.await() gives: calls methods of a pool's instances in a task queue, `co_await calls(&Counter::increment)`.
/// Calls begin in the order in which they were made, and overlap as far as there are instances. Copies are equal.
/// Lifetime: may outlive the pool, which is closed then, and the queue, which takes no more tasks then.
/// Thread safety: Thread-safe, except with assignment and destruction.
template <class T, class Runtime = StdRuntime>
class PooledCalls {
 public:
  /// Calls `std::invoke(fn, instance, args...)` in the queue; see InstancePool::await_transaction.
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
/// A pool of instances, each of which is used by one holder at a time.
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
/// taken by a blocking call and never moved, a transaction in a queue.
/// Lifetime: the destructor closes the pool and returns. An instance that is leased then lives until it is given back.
/// Instances given as T* have to outlive all that. A destructor of T that throws ends the program.
/// Thread safety: Thread-safe, except with construction and destruction.
template <class T, class Runtime>
class InstancePool {
 public:
  using value_type = T;

  /// A pool of the instances in `source`: one instance, or a range of them. An instance is a T, moved or copied in; a
  /// std::unique_ptr or std::shared_ptr of one; or a T*, which is not owned. The elements of a moved range are moved.
  /// Name T to make a pool of one range or of one lambda: a range is taken for a collection, and a callable without
  /// arguments for a factory.
  /// Throws: std::invalid_argument if an instance is null, there is none, or it is there twice; std::bad_alloc.
  template <class Source>
    requires(!detail::kIsA<std::remove_cvref_t<Source>, toto::InstancePool>)
  explicit InstancePool(Source&& source, const PoolOptions& options = {})
      : InstancePool(detail::make_places<T, Runtime>(std::forward<Source>(source), options), {}, 0, options) {}

  /// The same for a list: `InstancePool pool({&one, &other});`
  template <class Element>
    requires(!detail::Iterable<Element>)
  InstancePool(std::initializer_list<Element> instances, const PoolOptions& options = {})
      : InstancePool(detail::make_places<T, Runtime>(instances, options), {}, 0, options) {}

  /// A pool of up to `max` instances (1 to 1,000,000), made when they are needed. `factory()` returns a T, a
  /// std::unique_ptr<T> or a std::shared_ptr<T>. It is called without any lock, by several threads at a time, on the
  /// thread that needs the instance; for a coroutine that awaits lease(), in the pool's default queue. What it throws
  /// goes to whoever needed the instance.
  /// Throws: std::invalid_argument naming the parameter; std::bad_alloc.
  template <class F>
    requires std::invocable<std::decay_t<F>&>
  InstancePool(F&& factory, std::size_t max, const PoolOptions& options = {})
      : InstancePool({}, detail::make_factory<T, Runtime>(std::forward<F>(factory), max), max, options) {}

  InstancePool(const InstancePool&) = delete;
  InstancePool& operator=(const InstancePool&) = delete;

  /// Closes the pool; see close().
  ~InstancePool() { core_->close(); }

  // Hooks, to be set before an instance is taken. They are called without any lock, by several threads at a time, for
  // different instances, and live as long as leases of the pool.
  /// `check(instance)` says, before an instance of the pool is handed out, whether it is good; on the thread on which
  /// the factory would be called. If not, or if it throws, the instance is destroyed, and the taker gets a new one,
  /// which is not checked; without a factory, another one, for which it waits before everybody else.
  /// Throws: std::logic_error if an instance was taken already; std::invalid_argument if it is null; std::bad_alloc.
  template <class F>
  void validate(F&& check) {
    static_assert(detail::Verdict<std::decay_t<F>&, T&>,
                  "toto: validate takes a callable that is given an instance and returns a bool: whether it is good");
    core_->set_validate(detail::make_check<T>(std::forward<F>(check)));
  }

  /// `hook(instance)` or `hook(instance, failed)` is called when an instance comes back that was used, on the thread
  /// that gives it back. `failed`: its use ended by an exception. The hook may return nothing; if it returns false or
  /// throws, the instance is destroyed, and counts as rejected. Lease::discard() does not call it.
  /// Throws: as validate.
  template <class F>
  void on_return(F&& hook) {
    static_assert(detail::ReturnHook<std::decay_t<F>&, T>,
                  "toto: on_return takes a callable that is given an instance, or that and a bool, and returns "
                  "nothing, or a bool: whether the instance is good");
    core_->set_on_return(detail::make_check<T>(std::forward<F>(hook)));
  }

  // On the calling thread.
  /// Takes an instance, calls `std::invoke(fn, instance, args...)`, and gives the instance back, also if that throws.
  /// Returns: the result, by value.
  /// Blocks: until there is an instance.
  /// Throws: what the call or the factory throws; PoolClosed; DeadlockError; std::invalid_argument for a null `fn`.
  template <class F, class... Args>
  auto operator()(F&& fn, Args&&... args) -> detail::BlockingResult<F, T&, Args...> {
    detail::check_callable(fn);
    const Lease<T, Runtime> held = take(detail::LeaseKind::frame, "call", CallSite());
    return detail::invoke(std::forward<F>(fn), *held, std::forward<Args>(args)...);
  }

  /// The same for `fn(instance)`: several uses of one instance.
  template <class F>
  auto transaction(F&& fn, CallSite where = CallSite::current()) -> detail::BlockingResult<F, T&> {
    detail::check_callable(fn);
    const Lease<T, Runtime> held = take(detail::LeaseKind::frame, "transaction", where);
    return detail::invoke(std::forward<F>(fn), *held);
  }

  /// Takes an instance until the lease ends.
  /// Blocks: until there is an instance.
  /// Throws: PoolClosed; DeadlockError; what the factory throws; std::bad_alloc.
  Lease<T, Runtime> instance(CallSite where = CallSite::current()) {
    return take(detail::LeaseKind::blocking, "lease taken", where);
  }

  /// The same if there is an instance now, or room to make one; otherwise empty.
  /// Throws: PoolClosed; what the factory throws; std::bad_alloc.
  std::optional<Lease<T, Runtime>> try_instance(CallSite where = CallSite::current()) {
    return instance_for(Duration(), where);
  }

  /// The same; empty if there is no instance within `limit`, which does not limit the factory. dump() names the holders.
  /// Blocks: for `limit` at the most; 0 or less only looks.
  /// Throws: PoolClosed; what the factory throws; std::bad_alloc; std::invalid_argument for NaN.
  std::optional<Lease<T, Runtime>> instance_for(Duration limit, CallSite where = CallSite::current()) {
    detail::check_not_nan(limit, "limit");
    const detail::Ref<Core> core = core_;
    detail::PermitRequest<Runtime> request{detail::Claim<Runtime>::here("lease taken", where)};
    request.deadline = limit.after(request.claim.since);
    if (auto* const taken = core->take_instance(request)) {
      return std::optional<Lease<T, Runtime>>(std::in_place, detail::LeaseKind::blocking, core, *taken);
    }
    return std::nullopt;
  }

  // In coroutines.
  /// Awaited, gives a Lease, without holding a thread meanwhile. Does not suspend if an instance is free. A coroutine
  /// that is destroyed while it waits leaves the line, or passes on what it was to get. If an instance has to be made,
  /// that joins the pool's default queue beyond the bound.
  /// Throws, when awaited: PoolClosed; std::bad_alloc; what the factory throws, or adding a task, if one is to be made.
  /// Resumes on: the loop or queue on which the coroutine was running; without one, the pool's default queue.
  [[nodiscard("co_await it: calling lease alone takes no instance")]] auto lease(CallSite where = CallSite::current()) {
    return detail::LeaseAwaiter<T, Runtime, detail::PermitWait<Runtime>>(*core_, where);
  }

  /// The same, but waits no longer than `limit`; 0 or less does not wait. What the factory takes is not limited.
  /// Throws: as lease(); when awaited, TimedOut, whose text tells who holds the instances, since when and from which
  /// source line; std::system_error if there is no thread for the clock; std::invalid_argument, at once, for NaN.
  /// Resumes on: as lease().
  [[nodiscard("co_await it: calling lease_for alone takes no instance")]] auto lease_for(
      Duration limit, CallSite where = CallSite::current()) {
    detail::check_not_nan(limit, "limit");
    return detail::LeaseAwaiter<T, Runtime, detail::LimitedWait<Runtime>>(*core_, where, limit);
  }

  // In a queue.
  /// Runs `fn(instance)` in the queue and returns a handle to its result, a value. The callable is copied or moved as
  /// std::thread does it; if it cannot be called with an instance alone, it gets a StopToken in front.
  ///
  /// The transaction takes its instance before it takes a thread. If there is none it waits in the pool's line, and is
  /// not yet in the queue, its size() or wait_idle(). Then it joins the queue beyond the bound, whatever the overflow:
  /// whoever gives the instance back neither waits for room nor runs `fn`. If the queue takes no tasks by then, the
  /// handle completes with that error. Cancelling it takes it out of the line. An `fn` that returns a Task<R> keeps its
  /// instance until that coroutine has ended. The instance is back, or with the next one, before the handle is ready.
  /// Throws: PoolClosed; QueueClosed; std::invalid_argument for a null `fn` or an empty queue name; std::bad_alloc;
  /// std::system_error if no thread lives and none can be started. Then there is no transaction.
  template <class F>
  [[nodiscard("dropping it detaches the transaction; say std::move(handle).detach(), or use async_transaction")]] auto
  await_transaction(F&& fn, QueueChoice<Runtime> queue = {}, CallSite where = CallSite::current())
      -> detail::TransactionHandle<T, Runtime, F> {
    using Handle = detail::TransactionHandle<T, Runtime, F>;
    return detail::submit_transaction<T, Handle>(queue_of(queue), core_, where, std::forward<F>(fn));
  }

  /// The same without a handle. What it throws, and what keeps it from joining its queue, goes to its on_error.
  template <class F>
  void async_transaction(F&& fn, QueueChoice<Runtime> queue = {}, CallSite where = CallSite::current()) {
    detail::submit_transaction<T, void>(queue_of(queue), core_, where, std::forward<F>(fn));
  }

  /// Calls methods of the instances in a queue: `co_await pool.await()(&T::increment)`; see await_transaction.
  PooledCalls<T, Runtime> await(QueueChoice<Runtime> queue = {}) {
    return PooledCalls<T, Runtime>(core_, queue_of(queue));
  }

  // Ending and observing. What is observed may be stale on return.
  /// Hands out no more instances: whoever waits, or comes, gets PoolClosed. Free instances are destroyed now, leased
  /// ones when they come back; transactions that have one run. Does not block; may be repeated.
  void close() noexcept { core_->close(); }

  /// How many instances there are; with a factory, how many were made and not discarded.
  std::size_t size() const { return core_->stats().instances; }
  /// Counts that agree with each other.
  PoolStats stats() const { return core_->stats(); }
  /// A text of several lines: who holds the instances, since when, from which source line, and who waits.
  /// Throws: std::bad_alloc.
  std::string dump() const { return core_->dump(); }

 private:
  using Core = detail::PoolCore<Runtime>;

  InstancePool(typename Core::Instances instances, detail::InstanceFactory<Runtime> factory, std::size_t max,
               const PoolOptions& options) {
    detail::check_options(options, max);
    core_ = detail::Ref<Core>::adopt(new Core(std::move(instances), std::move(factory), max, options));
  }

  Lease<T, Runtime> take(detail::LeaseKind kind, const char* how, CallSite where) {
    const detail::Ref<Core> core = core_;  // the pool may be destroyed meanwhile
    return Lease<T, Runtime>(kind, core, *core->take_instance({detail::Claim<Runtime>::here(how, where)}));
  }
  detail::QueueCore<Runtime>& queue_of(const QueueChoice<Runtime>& choice) const {
    return choice.core([this](std::string_view name) -> detail::QueueCore<Runtime>& {
      return name.empty() ? core_->fallback() : core_->queue_named(name);
    });
  }

  detail::Ref<Core> core_;
};

template <class Source>
InstancePool(Source&&, const PoolOptions& = {}) -> InstancePool<typename detail::PooledIn<Source>::Type>;
template <detail::BareFactory Source>  // for the sake of the error: it needs a number
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
