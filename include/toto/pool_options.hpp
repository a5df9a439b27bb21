// SPDX-License-Identifier: MIT
//
// PoolOptions: how a pool is set up. PoolStats: counts of its instances. Read next: instance_pool.hpp.

#ifndef TOTO_POOL_OPTIONS_HPP
#define TOTO_POOL_OPTIONS_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "duration.hpp"
#include "version.hpp"

namespace toto::inline v0_1 {

/// How an InstancePool is set up: `InstancePool pool(instances, {.default_queue = "db"})`.
/// Thread safety: One thread at a time.
struct PoolOptions {
  /// The name of the queue for transactions that do not choose one. Not empty; copied. A named queue (see
  /// TaskQueue::instance) that exists is used as it is; otherwise it is made when it is first needed, with one thread
  /// per instance that the pool may have.
  std::string_view default_queue = "pool";
  /// An instance that has not been used for this long is destroyed, on the default queue; another one is made when it
  /// is needed. 0: as soon as it comes back. Duration::never(): not at all. A pool with this timeout lends the most
  /// recently used instance, so that the others can expire. Only for pools with a factory.
  Duration idle_timeout = Duration::never();
  /// How many instances idle_timeout leaves. No instance is made in advance, or to replace a discarded one.
  std::size_t min_instances = 0;
};
static_assert(std::is_trivially_destructible_v<PoolOptions>);

/// A pool at one moment, taken under its lock: free + leased == instances + changing, and made == instances + discarded
/// + rejected + retired + closed.
struct PoolStats {
  std::size_t capacity = 0;   ///< how many instances there can be
  std::size_t instances = 0;  ///< how many exist now
  std::size_t free = 0;       ///< of these: not leased
  std::size_t leased = 0;     ///< instances that are held, and places that are `changing`
  std::size_t changing = 0;   ///< places whose instance is being made, or destroyed to make room for another
  std::size_t waiting = 0;    ///< threads, coroutines and transactions that wait for an instance

  std::uint64_t leases = 0;     ///< how often an instance was lent, validated or not
  std::uint64_t made = 0;       ///< all instances so far, including those passed to the constructor
  std::uint64_t discarded = 0;  ///< by Lease::discard()
  std::uint64_t rejected = 0;   ///< by the hooks validate and on_return
  std::uint64_t retired = 0;    ///< after idle_timeout
  std::uint64_t closed = 0;     ///< because the pool has closed

  friend bool operator==(const PoolStats&, const PoolStats&) = default;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_POOL_OPTIONS_HPP
