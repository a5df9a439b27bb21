// SPDX-License-Identifier: MIT
//
// ClosureLine: closures, first in, first out, in chunks of contiguous memory, so that a worker streams through them
// instead of fetching a cache line from another processor for each. Read next: order.hpp.

#ifndef TOTO_DETAIL_QUEUE_CLOSURE_LINE_HPP
#define TOTO_DETAIL_QUEUE_CLOSURE_LINE_HPP

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "../ground/annotations.hpp"
#include "queued_task.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
inline constexpr std::uint32_t kClosuresOfChunk = 64;  // models have fewer

/// Thread safety: Requires the queue's mutex, except Chunk::make() and free_all().
template <class Runtime>
class ClosureLine {
 public:
  static constexpr std::uint32_t kSize = kClosuresOfChunk<Runtime>;

  struct Chunk {
    /// Returns null if there is no memory.
    static Chunk* make() noexcept { return new (std::nothrow) Chunk; }

    Closure closures[kSize];
    Chunk* next;
  };

  ClosureLine() = default;
  ClosureLine(const ClosureLine&) = delete;
  ClosureLine& operator=(const ClosureLine&) = delete;
  ~ClosureLine() {
    free_all(first_);
    free_all(spares_);
    free_all(surplus_);
  }

  bool empty() const noexcept { return begin_ == end_; }
  /// The number of the oldest closure: how many were pushed before it.
  std::uint64_t begin() const noexcept { return begin_; }
  /// The number that the next closure will have.
  std::uint64_t end() const noexcept { return end_; }

  /// Whether push() may be called; if not, add_spare() adds memory.
  bool has_memory() const noexcept { return end_ % kSize != 0 || spares_ != nullptr; }
  void add_spare(Chunk* chunk) noexcept {
    chunk->next = std::exchange(spares_, chunk);
    ++spare_count_;
  }

  /// The closure to be filled, which is in the line now.
  Closure& push() noexcept {
    if (end_ % kSize == 0) {
      Chunk* const chunk = std::exchange(spares_, spares_->next);
      --spare_count_;
      chunk->next = nullptr;
      (first_ != nullptr ? last_->next : first_) = chunk;
      last_ = chunk;
    }
    return last_->closures[end_++ % kSize];
  }

  /// The oldest closure, which may be read until the mutex is released. The line is not empty.
  const Closure& pop() noexcept {
    const Closure& closure = first_->closures[begin_ % kSize];
    if (++begin_ % kSize == 0) {
      Chunk* const used = std::exchange(first_, first_->next);
      if (spare_count_ < kMostSpares) {
        add_spare(used);
      } else {  // what a burst took is given back
        used->next = std::exchange(surplus_, used);
      }
    }
    return closure;
  }

  void clear() noexcept {
    while (!empty()) {
      pop();
    }
  }

  /// Chunks to be freed without the mutex.
  Chunk* take_surplus() noexcept { return std::exchange(surplus_, nullptr); }
  static void free_all(Chunk* chunk) noexcept {
    while (chunk != nullptr) {
      delete std::exchange(chunk, chunk->next);
    }
  }

 private:
  static constexpr std::size_t kMostSpares = 8;

  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  Chunk* spares_ = nullptr;
  Chunk* surplus_ = nullptr;
  std::size_t spare_count_ = 0;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_CLOSURE_LINE_HPP
