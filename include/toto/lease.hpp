// SPDX-License-Identifier: MIT
//
// Lease: an instance taken from a pool, which goes back when the lease ends. Read next: instance_pool.hpp.

#ifndef TOTO_LEASE_HPP
#define TOTO_LEASE_HPP

#include <utility>

#include "detail/ground/ref.hpp"
#include "detail/pool/pool_core.hpp"
#include "errors.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

// given: struct Connection { void execute(const char*) {} };
// given: toto::InstancePool<Connection> pool([] { return std::make_unique<Connection>(); }, 4);
/// The exclusive right to use one instance of a pool, until the lease is destroyed, released or discarded.
///
///   auto connection = pool.instance();
///   connection->execute("begin");
///
/// Lifetime: move-only. A lease may outlive its pool; its instance is then destroyed when it comes back.
/// Thread safety: One thread at a time. A lease may end on a thread other than the one that took it. If the thread that
/// took it may wait for the same pool meanwhile, move the lease to that other thread (see InstancePool::instance,
/// DeadlockError).
template <class T, class Runtime = StdRuntime>
class [[nodiscard("an instance goes back to its pool when its lease is dropped")]] Lease {
 public:
  using element_type = T;

  /// An empty lease, to assign to.
  Lease() noexcept = default;
  Lease(Lease&& other) noexcept : pool_(std::move(other.pool_)), instance_(std::exchange(other.instance_, nullptr)) {
    if (instance_ != nullptr) {
      instance_->unbind();
    }
  }
  /// Returns the instance that this lease held before.
  Lease& operator=(Lease&& other) noexcept {
    Lease moved(std::move(other));
    std::swap(pool_, moved.pool_);
    std::swap(instance_, moved.instance_);
    return *this;
  }
  /// Returns the instance to its pool, as release() does.
  ~Lease() {
    if (instance_ != nullptr) {
      pool_->take_back(*instance_);
    }
  }

  /// Accesses the instance.
  /// Throws: NoState if the lease is empty: default-constructed, moved from, released or discarded.
  T* operator->() const {
    require_instance();
    return get_instance();
  }
  T& operator*() const& { return *operator->(); }
  T& operator*() const&& = delete;  // it would go back to the pool at once: auto lease = pool.instance(); *lease
  /// Returns the instance, or null.
  T* get() const& noexcept { return instance_ == nullptr ? nullptr : get_instance(); }
  T* get() const&& = delete;  // it would go back to the pool at once: auto lease = pool.instance(); lease.get()
  /// Returns whether the lease holds an instance.
  explicit operator bool() const noexcept { return instance_ != nullptr; }

  /// Returns the instance to its pool now; it goes to the first in line, or behind the other free instances. Never
  /// waits for room in a queue: a transaction that gets the instance joins its queue even if the queue is full, and
  /// does not run on this thread.
  /// Throws: NoState if the lease is empty.
  void release() {
    require_instance();
    const Lease ended(std::move(*this));
  }

  /// Destroys the instance immediately, because it is broken, instead of returning it; an instance that the pool does
  /// not own is only removed from the pool. A pool without a factory shrinks, and closes when its last instance is
  /// gone.
  /// Throws: NoState if the lease is empty.
  void discard() {
    require_instance();
    pool_->discard(*std::exchange(instance_, nullptr), &PoolStats::discarded);
    pool_ = {};
  }

  /// Only for the pool.
  Lease(detail::LeaseKind kind, detail::Ref<detail::PoolCore<Runtime>> pool, detail::Permit<Runtime>& taken) noexcept
      : pool_(std::move(pool)), instance_(&static_cast<detail::PooledInstance<Runtime>&>(taken)) {
    pool_->lend(*instance_);
    // Until it is moved, a lease ends on the thread that took it, unless it is in a coroutine frame or on the heap.
    if (kind == detail::LeaseKind::frame || (kind == detail::LeaseKind::blocking && Runtime::on_this_stack(this))) {
      instance_->bind();
    }
  }

 private:
  T* get_instance() const noexcept { return static_cast<T*>(instance_->object); }
  void require_instance() const {
    if (instance_ == nullptr) {
      throw NoState("toto: this Lease holds no instance: it was moved from, released or discarded");
    }
  }

  detail::Ref<detail::PoolCore<Runtime>> pool_;
  detail::PooledInstance<Runtime>* instance_ = nullptr;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_LEASE_HPP
