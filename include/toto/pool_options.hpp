// SPDX-License-Identifier: MIT
//
// How a pool is set up, PoolOptions, and what it tells about itself, PoolStats. Read next: instance_pool.hpp.

#ifndef TOTO_POOL_OPTIONS_HPP
#define TOTO_POOL_OPTIONS_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "duration.hpp"
#include "version.hpp"

namespace toto::inline v0_1 {

/// What an InstancePool is made of, besides its instances: `InstancePool pool(instances, {.default_queue = "db"})`.
struct PoolOptions {
  /// The queue of transactions that name none. Not empty; copied. A queue of that name is used as it is; if there is
  /// none, it is made when it is first needed, with one thread for each instance the pool may have.
  std::string_view default_queue = "pool";
  /// An instance that nobody has used for this long is destroyed, in the default queue, and its successor is made when
  /// it is needed. Such a pool lends the instance that was used last, so that the others can rest. 0: as soon as it
  /// comes back. Duration::never(): instances stay. Pools with a factory only.
  Duration idle_timeout = Duration::never();
  /// How many instances idle_timeout leaves alone. None is made before it is needed, nor to replace a discarded one.
  std::size_t min_instances = 0;
};
static_assert(std::is_trivially_destructible_v<PoolOptions>);

/// One moment of a pool, taken under its lock: free + leased == instances + changing, and made == instances + discarded
/// + rejected + retired + closed.
struct PoolStats {
  std::size_t capacity = 0;     ///< the most instances there can be
  std::size_t instances = 0;    ///< that exist now
  std::size_t free = 0;         ///< of these: not leased
  std::size_t leased = 0;       ///< instances in somebody's hands, and places for one, which are `changing`
  std::size_t changing = 0;     ///< places whose instance is being made, or destroyed to make room for another
  std::size_t waiting = 0;      ///< threads, coroutines and transactions that wait for an instance
  std::uint64_t leases = 0;     ///< how often an instance was handed out, to be validated first or not
  std::uint64_t made = 0;       ///< instances there ever were, those given to the constructor included
  std::uint64_t discarded = 0;  ///< by Lease::discard()
  std::uint64_t rejected = 0;   ///< by the hooks validate and on_return
  std::uint64_t retired = 0;    ///< after idle_timeout
  std::uint64_t closed = 0;     ///< because the pool has closed

  friend bool operator==(const PoolStats&, const PoolStats&) = default;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_POOL_OPTIONS_HPP
