// SPDX-License-Identifier: MIT
//
// SlotQueue: the queue's tasks in order, in chunks of contiguous slots. Slots are filled under the queue's mutex and
// claimed without it, by one compare-exchange on the chunk's counter: a worker that drains a chunk and a producer that
// fills one do not meet at the lock. Read next: queue_core.hpp.
//
//   head_ -> [all claimed .....] -> [claimed=9 .........] -> [claimed=0, filled 3] <- tail_
//
// Order: slots are filled in order under the mutex, claims rise within a chunk, and the head moves on only when its
// chunk is used up; so claims are first in, first out for any number of workers. Reuse: a chunk goes to the spares only
// when it is not the head any more and nobody holds it, both decided under the mutex. A worker holds every chunk it
// looks at, so no slot changes its meaning under a reader (no ABA).

#ifndef TOTO_DETAIL_QUEUE_SLOT_QUEUE_HPP
#define TOTO_DETAIL_QUEUE_SLOT_QUEUE_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "../ground/aligned_memory.hpp"
#include "../ground/annotations.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class Worker;

/// Room for one task: what to call, and 40 bytes for its closure or for a pointer to its state.
template <class Runtime>
struct Slot {
  using Run = void (*)(Slot&, Worker<Runtime>&);
  static constexpr std::size_t kClosureBytes = 40;

  /// Null: empty. Filled by a release store under the mutex, which pairs with the load by which a worker calls it:
  /// whoever sees the function sees the closure; and with the one before a claim, which orders the look at `due_`.
  typename Runtime::template Atomic<Run> run{nullptr};
  alignas(8) std::byte closure[kClosureBytes];
};

/// A run of slots, which follow it in memory. What workers write at each claim and what adders write are 128 bytes
/// apart: adjacent cache lines are fetched in pairs.
template <class Runtime>
struct alignas(128) Chunk {
  using Slot = detail::Slot<Runtime>;

  /// Without the mutex. Null: no memory.
  static Chunk* make(std::uint32_t size) noexcept {
    void* const memory = try_allocate_aligned<alignof(Chunk)>(sizeof(Chunk) + size * sizeof(Slot));
    if (memory == nullptr) {
      return nullptr;
    }
    auto* const chunk = ::new (memory) Chunk(size);
    std::uninitialized_default_construct_n(chunk->slots(), size);
    return chunk;
  }
  static void free(Chunk* chunk) noexcept {
    std::destroy_n(chunk->slots(), chunk->size);
    chunk->~Chunk();
    free_aligned(chunk);
  }

  Slot* slots() noexcept { return std::launder(reinterpret_cast<Slot*>(this + 1)); }

  /// Slots below are taken. Rises from 0 to `size`. The slot's own word orders its content.
  typename Runtime::template Atomic<std::uint32_t> claimed{0};
  const std::uint32_t size;
  /// Workers that may look at the slots; guarded by the queue's mutex.
  std::uint32_t holders = 0;
  /// The chunk after this one; guarded by the queue's mutex.
  Chunk* next = nullptr;
  /// The ticket of slot 0: how many slots were filled before it. Constant while the chunk is in the queue.
  std::uint64_t base = 0;

 private:
  explicit Chunk(std::uint32_t slots) noexcept : size(slots) {}
  ~Chunk() = default;
};

/// Everything here requires the queue's mutex, except reading a held chunk's slots and claiming them.
template <class Runtime>
class SlotQueue {
 public:
  using Chunk = detail::Chunk<Runtime>;
  using Slot = detail::Slot<Runtime>;

  SlotQueue() = default;
  SlotQueue(const SlotQueue&) = delete;
  SlotQueue& operator=(const SlotQueue&) = delete;

  /// Every slot was claimed and run, or is not wanted any more.
  ~SlotQueue() {
    free_all(head_);
    free_all(spares_);
  }

  /// True if next() may be called.
  bool has_room() const noexcept { return (tail_ != nullptr && filled_ < tail_->size) || spares_ != nullptr; }

  /// How many slots the next chunk should have: few in the first one, so that a queue that sees few tasks is small.
  std::uint32_t size_wanted() const noexcept { return tail_ == nullptr ? kFew : kMany; }

  /// Gives the queue a chunk to fill, made without the mutex.
  void add_spare(Chunk* chunk) noexcept {
    chunk->next = spares_;
    spares_ = chunk;
    ++spare_count_;
  }

  /// The slot that publish() will add. Requires has_room().
  Slot& next() noexcept {
    if (tail_ == nullptr || filled_ == tail_->size) {
      append();
    }
    return tail_->slots()[filled_];
  }

  /// Adds the slot that next() gave, which runs `run`.
  void publish(Slot& slot, typename Slot::Run run) noexcept {
    slot.run.store(run, std::memory_order_release);  // pairs with both loads of a worker: see Slot
    ++filled_;
    end_.store(end() + 1, std::memory_order_relaxed);
  }

  /// The ticket of the next slot to be filled. May also be watched without the mutex: a hint then.
  std::uint64_t end() const noexcept { return end_.load(std::memory_order_relaxed); }

  /// The chunk with the oldest slot that nobody has claimed, or null if there is none: the queue is empty. Moves the
  /// head past used-up chunks; those that nobody holds are kept for reuse or chained to `surplus`.
  Chunk* front(Chunk*& surplus) noexcept {
    if (head_ == nullptr) {
      return nullptr;
    }
    for (;;) {
      const std::uint32_t claimed = head_->claimed.load(std::memory_order_relaxed);
      if (claimed < head_->size) {
        return head_ == tail_ && claimed == filled_ ? nullptr : head_;
      }
      if (head_ == tail_) {
        return nullptr;
      }
      Chunk* const used = head_;
      head_ = used->next;
      if (used->holders == 0) {
        recycle(used, surplus);
      }
    }
  }

  /// The ticket of the oldest slot that nobody has claimed, or end().
  std::uint64_t begin() const noexcept {
    return head_ == nullptr ? end() : head_->base + head_->claimed.load(std::memory_order_relaxed);
  }

  /// Whether a worker has claimed the slot with that ticket. Sequentially consistent, as the claim: see cancel().
  bool is_claimed(std::uint64_t ticket) const noexcept {
    return ticket < head_->base + head_->claimed.load(std::memory_order_seq_cst);
  }

  static void hold(Chunk& chunk) noexcept { ++chunk.holders; }

  /// A chunk that was passed by the head meanwhile is kept for reuse or chained to `surplus`.
  void let_go(Chunk& chunk, Chunk*& surplus) noexcept {
    if (--chunk.holders == 0 && chunk.base < head_->base) {
      recycle(&chunk, surplus);
    }
  }

  /// Empties the queue without looking at what is in it: nobody is left to run it.
  void forget() noexcept {
    for (Chunk* chunk = head_; chunk != nullptr; chunk = chunk->next) {
      const std::uint32_t filled = chunk == tail_ ? filled_ : chunk->size;
      for (std::uint32_t index = chunk->claimed.load(std::memory_order_relaxed); index < filled; ++index) {
        chunk->slots()[index].run.store(nullptr, std::memory_order_relaxed);
      }
      chunk->claimed.store(filled, std::memory_order_relaxed);
    }
  }

  /// Without the mutex: gives surplus chunks back to the allocator.
  static void free_all(Chunk* chunk) noexcept {
    while (chunk != nullptr) {
      Chunk* const next = chunk->next;
      Chunk::free(chunk);
      chunk = next;
    }
  }

 private:
  static constexpr std::uint32_t kFew = 32;
  static constexpr std::uint32_t kMany = 256;
  // What a burst took beyond this is given back as soon as it has been used up.
  static constexpr std::size_t kMostSpares = 2;

  void append() noexcept {
    Chunk* const chunk = spares_;
    spares_ = chunk->next;
    --spare_count_;
    chunk->next = nullptr;
    chunk->base = end();
    (tail_ != nullptr ? tail_->next : head_) = chunk;
    tail_ = chunk;
    filled_ = 0;
  }

  void recycle(Chunk* chunk, Chunk*& surplus) noexcept {
    if (spare_count_ == kMostSpares) {
      chunk->next = surplus;
      surplus = chunk;
      return;
    }
    // Nobody looks at this chunk any more; whoever fills it next publishes under the mutex.
    chunk->claimed.store(0, std::memory_order_relaxed);
    add_spare(chunk);
  }

  Chunk* head_ = nullptr;
  Chunk* tail_ = nullptr;
  std::uint32_t filled_ = 0;
  typename Runtime::template Atomic<std::uint64_t> end_{1};  // 0 is the ticket of what goes ahead of everything
  Chunk* spares_ = nullptr;
  std::size_t spare_count_ = 0;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_SLOT_QUEUE_HPP
