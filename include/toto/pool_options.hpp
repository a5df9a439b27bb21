// SPDX-License-Identifier: MIT
//
// How a pool is set up, PoolOptions, and what it tells about itself, PoolStats. Read next: instance_pool.hpp.

#ifndef TOTO_POOL_OPTIONS_HPP
#define TOTO_POOL_OPTIONS_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "version.hpp"

namespace toto::inline v0 {

/// What an InstancePool is made of, besides its instances: `InstancePool pool(instances, {.default_queue = "db"})`.
struct PoolOptions {
  /// The queue in which transactions run that name none. Not empty. Copied by the pool's constructor. A queue of that
  /// name that exists already is used as it is; otherwise it is made when it is first needed, with one thread for each
  /// instance the pool may have.
  std::string_view default_queue = "pool";
};
static_assert(std::is_trivially_destructible_v<PoolOptions>);

/// One moment of a pool, taken under its lock. Until the pool closes, made == instances + discarded.
struct PoolStats {
  std::size_t capacity = 0;   ///< the most instances there can be
  std::size_t instances = 0;  ///< that exist now
  std::size_t free = 0;       ///< of these: not leased
  std::size_t leased = 0;     ///< instances, and places for one that is being made, in somebody's hands
  std::size_t waiting = 0;    ///< threads, coroutines and transactions that wait for an instance

  std::uint64_t leases = 0;     ///< how often an instance was handed out
  std::uint64_t made = 0;       ///< instances there ever were, those given to the constructor included
  std::uint64_t discarded = 0;  ///< by Lease::discard()

  friend bool operator==(const PoolStats&, const PoolStats&) = default;
};

}  // namespace toto::inline v0

#endif  // TOTO_POOL_OPTIONS_HPP
