// SPDX-License-Identifier: MIT
//
// BlockCache: recycled memory for the states of tasks. A block allocated by one thread and freed by another costs the
// general allocator tens of nanoseconds; here each thread keeps short chains of free blocks by size, and whole chains
// travel between threads through a depot. The idea is Bonwick's magazines (Solaris, 2001).

#ifndef TOTO_DETAIL_GROUND_BLOCK_CACHE_HPP
#define TOTO_DETAIL_GROUND_BLOCK_CACHE_HPP

#include <cstddef>
#include <initializer_list>
#include <new>
#include <utility>

#include "aligned_memory.hpp"
#include "annotations.hpp"
#include "fork.hpp"
#include "lock.hpp"

namespace toto::inline v0_1::detail {

/// Free blocks that travel together from one thread to another. Models have fewer.
template <class Runtime>
inline constexpr std::size_t kBlocksOfChain = 32;

template <class Runtime>
class BlockCache {
 public:
  /// Throws: std::bad_alloc. Thread-safe.
  static void* allocate(std::size_t bytes) {
    if (!recycled(bytes)) {
      return ::operator new(bytes);
    }
    const std::size_t size = size_class(bytes);
    if (Block* const block = take(size)) {
      return block;
    }
    return new_block(size);
  }

  /// Thread-safe. Does not allocate.
  static void deallocate(void* memory, std::size_t bytes) noexcept {
    if (!recycled(bytes)) {
      ::operator delete(memory);
    } else if (Block* const block = static_cast<Block*>(memory); !give(size_class(bytes), block)) {
      delete_block(block);
    }
  }

 private:
  static constexpr std::size_t kGrain = 64;     // a cache line
  static constexpr std::size_t kLargest = 512;  // bytes; larger blocks come from the general allocator
  static constexpr std::size_t kClasses = kLargest / kGrain;
  static constexpr std::size_t kChain = kBlocksOfChain<Runtime>;
  // What the depot keeps of one size; the rest is returned to the system's allocator.
  static constexpr std::size_t kMostChains = 64;

  struct Block {
    Block* next;        // in its chain
    Block* next_chain;  // in the depot; of the first block of a chain
  };
  struct Chain {
    Block* first = nullptr;
    std::size_t size = 0;
  };
  /// A thread's own blocks: one chain in use, and one in reserve, so that a thread that alternates around a full or an
  /// empty chain does not use the depot each time. Trivially destructible, so usable until the thread has ended.
  struct Local {
    Chain current[kClasses];
    Chain reserve[kClasses];
    bool watched = false;
    bool closed = false;
  };
  struct Depot final : private ForkAware<Runtime> {
    static Depot& instance() {
      Depot& depot = Runtime::template global<Depot>();
      depot.watch_forks();
      return depot;
    }
    Depot() : ForkAware<Runtime>(ForkRank::memory) {}
    /// A process never comes to this; a simulated one does.
    ~Depot() {
      for (Block* chain : chains) {
        while (chain != nullptr) {
          free_chain(std::exchange(chain, chain->next_chain));
        }
      }
    }
    void before_fork() noexcept override TOTO_ACQUIRE(mutex) { mutex.lock(); }
    void after_fork(bool) noexcept override TOTO_RELEASE(mutex) { mutex.unlock(); }

    typename Runtime::Mutex mutex;
    Block* chains[kClasses] TOTO_GUARDED_BY(mutex) = {};
    std::size_t count[kClasses] TOTO_GUARDED_BY(mutex) = {};
  };

  static constexpr bool recycled(std::size_t bytes) noexcept { return Runtime::recycles_memory && bytes <= kLargest; }
  static std::size_t size_class(std::size_t bytes) noexcept { return (bytes - 1) / kGrain; }
  static Local& local() noexcept { return Runtime::template Local<Local, Local>::get(); }
  static Depot& depot() { return Depot::instance(); }

  /// Whole cache lines: one thread fills a block while another one works on its neighbour.
  TOTO_NOINLINE static Block* new_block(std::size_t size) {
    return static_cast<Block*>(allocate_aligned<kGrain>((size + 1) * kGrain));
  }
  TOTO_NOINLINE static void delete_block(Block* block) noexcept { detail::free_aligned(block); }

  static Block* take(std::size_t size) {
    Local& mine = local();
    Chain& chain = mine.current[size];
    if (chain.first == nullptr && !refill(mine, size)) {
      return nullptr;
    }
    Block* const block = chain.first;
    chain.first = block->next;
    --chain.size;
    return block;
  }

  static bool give(std::size_t size, Block* block) noexcept {
    Local& mine = local();
    if (!mine.watched && !watch(mine)) {
      return false;
    }
    Chain& chain = mine.current[size];
    if (chain.size == kChain) {
      if (mine.reserve[size].first != nullptr) {
        store(size, mine.reserve[size].first);
      }
      mine.reserve[size] = chain;
      chain = {};
    }
    block->next = chain.first;
    chain.first = block;
    ++chain.size;
    return true;
  }

  TOTO_NOINLINE static bool refill(Local& mine, std::size_t size) {
    if (mine.reserve[size].first != nullptr) {
      mine.current[size] = mine.reserve[size];
      mine.reserve[size] = {};
      return true;
    }
    if (!mine.watched && !watch(mine)) {
      return false;
    }
    Depot& shared = depot();
    const Lock lock(shared.mutex);
    Block* const first = shared.chains[size];
    if (first == nullptr) {
      return false;
    }
    shared.chains[size] = first->next_chain;
    --shared.count[size];
    mine.current[size] = {first, kChain};
    return true;
  }

  /// Puts a full chain into the depot.
  TOTO_NOINLINE static void store(std::size_t size, Block* first) noexcept {
    {
      Depot& shared = depot();
      const Lock lock(shared.mutex);
      if (shared.count[size] < kMostChains) {
        first->next_chain = shared.chains[size];
        shared.chains[size] = first;
        ++shared.count[size];
        return;
      }
    }
    free_chain(first);
  }

  static void free_chain(Block* block) noexcept {
    while (block != nullptr) {
      delete_block(std::exchange(block, block->next));
    }
  }

  TOTO_NOINLINE static bool watch(Local& mine) noexcept {
    // Closed while the thread is ending and its thread-locals are being destroyed.
    mine.watched = !mine.closed && Runtime::at_thread_end(&close_local);
    return mine.watched;
  }

  /// Returns the thread's blocks when it ends.
  static void close_local() noexcept {
    Local& mine = local();
    mine.closed = true;
    mine.watched = false;
    for (Chain* const chains : {mine.current, mine.reserve}) {
      for (std::size_t size = 0; size < kClasses; ++size) {
        const Chain chain = std::exchange(chains[size], {});
        if (chain.size == kChain) {
          store(size, chain.first);
        } else {
          free_chain(chain.first);
        }
      }
    }
  }
};

/// A base for what is allocated in recycled blocks, unless it is over-aligned. Separate, because GCC 12 crashes when it
/// checks an operator new of some classes that have a local type in their name.
template <class Runtime>
struct InRecycledBlock {
  static void* operator new(std::size_t size) { return BlockCache<Runtime>::allocate(size); }
  static void* operator new(std::size_t size, std::align_val_t alignment) { return ::operator new(size, alignment); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    BlockCache<Runtime>::deallocate(memory, size);
  }
  static void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
    ::operator delete(memory, alignment);
  }
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_BLOCK_CACHE_HPP
